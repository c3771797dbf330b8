//! The network of a problem: from nodes and parameters to columns that experts take their parts of.
use super::failed;
use crate::deck::NetworkSection;
use crate::fem::Space;
use crate::mixture::{CoarseModes, Columns, whiten};
use crate::simulation::Simulation;
use crate::{Error, Result};
use faer::Mat;
use std::rc::Rc;
use tessera_network::{BasisModel, DeepONet, Mlp};

/// A network at the nodes of a space: a DeepONet whose branch has the parameters that vary, each scaled from its range.
pub struct LearnedBasis {
    model: DeepONet,
    space: Rc<Space>,
    /// Functions of an expert.
    functions: usize,
    /// Numbers of the parameters that the network is given.
    inputs: Vec<usize>,
    /// Coordinates of the owned nodes, `[node, coordinate]`.
    points: Vec<f64>,
    /// The box around all nodes, `[coordinate]`: what the network's points are scaled from.
    extent: Vec<[f64; 2]>,
    /// Whether the span of the functions holds the constants.
    constants: bool,
}

/// The functions at some parameters, and how they came about.
pub struct Functions {
    /// Orthonormal ones with the same span, together with the constants where experts have these.
    pub columns: Columns,
    /// `[function, column]`: combines the network's functions to the columns.
    factors: Mat<f64>,
}

impl LearnedBasis {
    /// For the only problem of a deck, with the first weights of the seed. Collective.
    ///
    /// # Errors
    /// When the mesh has no extent in a direction.
    pub fn new(simulation: &Simulation, section: &NetworkSection) -> Result<Self> {
        let (deck, problem) = (&simulation.deck, &simulation.stages[0].problem);
        let space = &problem.space;
        let constants = CoarseModes::of(problem) != CoarseModes::Axial;
        let (mut inputs, mut ranges) = (Vec::new(), Vec::new());
        for (number, parameter) in deck.parameters.values().enumerate() {
            let choices = parameter.choices.as_ref().map_or(Vec::new(), |choices| choices.values());
            let ends = parameter.range.into_iter().flatten().chain(choices);
            let [low, high] = ends.fold([f64::MAX, f64::MIN], |[a, b], value| [a.min(value), b.max(value)]);
            if low < high {
                inputs.push(number);
                ranges.push([low, high]);
            }
        }
        let (d, c) = (space.mesh.dimension, space.components);
        let points: Vec<f64> =
            (0..space.owned_nodes).flat_map(|node| space.point(node)[..d].to_vec()).collect();
        let layers = |inputs: usize, outputs: usize| {
            let hidden = section.widths.iter().copied();
            std::iter::once(inputs).chain(hidden).chain([outputs]).collect::<Vec<_>>()
        };
        let (outputs, extent) = (section.functions * c, extent(space, &points));
        let trunk = Mlp::new(&layers(d, section.features), &extent).map_err(failed)?;
        let branch = Mlp::new(&layers(inputs.len(), section.features * outputs), &ranges).map_err(failed)?;
        let model = DeepONet::new(trunk, branch, outputs, section.seed).map_err(failed)?;
        Ok(Self {
            model,
            space: space.clone(),
            functions: section.functions,
            inputs,
            points,
            extent,
            constants,
        })
    }

    /// The network's weights.
    pub fn weights(&self) -> &[f64] {
        self.model.parameters()
    }

    /// The box around all nodes, which points are scaled from.
    pub fn extent(&self) -> &[[f64; 2]] {
        &self.extent
    }

    /// Replaces the weights.
    ///
    /// # Errors
    /// When there are more or fewer.
    pub fn set_weights(&mut self, weights: &[f64]) -> Result<()> {
        self.model.set_parameters(weights).map_err(failed)
    }

    /// Takes weights that were trained in a box of these extents.
    ///
    /// # Errors
    /// When the mesh has other extents, or the weights are of another network.
    pub fn restore(&mut self, extent: &[[f64; 2]], weights: &[f64]) -> Result<()> {
        if extent != self.extent {
            let text = format!("the mesh lies in {:?}, the network was trained in {extent:?}", self.extent);
            return Err(Error::Failed(text));
        }
        self.set_weights(weights)
    }

    fn inputs(&self, parameters: &[f64]) -> Vec<f64> {
        self.inputs.iter().map(|&number| parameters[number]).collect()
    }

    /// The functions at these parameters of the deck. The field of level `coupled` depends on their span only, so they are
    /// made orthonormal. Collective.
    ///
    /// # Errors
    /// When the network fails.
    pub fn functions(&self, parameters: &[f64]) -> Result<Functions> {
        let c = self.space.components;
        let values = self.model.forward(&self.points, &self.inputs(parameters)).map_err(failed)?;
        let comm = &self.space.mesh.comm;
        let width = self.functions * c;
        // The mean of each function and component over the nodes.
        let mut means = vec![0.0; width];
        if self.constants {
            for node in values.chunks_exact(width) {
                means.iter_mut().zip(node).for_each(|(mean, value)| *mean += value);
            }
            comm.sum_into(&mut means);
            let nodes = (self.space.global_dofs() / c as u64) as f64;
            means.iter_mut().for_each(|mean| *mean /= nodes);
        }
        let mut columns = Columns::new(comm, self.space.owned_dofs());
        for j in 0..self.functions {
            let own = j * c..(j + 1) * c;
            let of_node = |node: &[f64]| {
                let pairs = node[own.clone()].iter().zip(&means[own.clone()]);
                pairs.map(|(value, mean)| value - mean).collect::<Vec<_>>()
            };
            columns.push(&values.chunks_exact(width).flat_map(of_node).collect::<Vec<_>>());
        }
        let (factors, _) = whiten(columns.product(&columns).as_ref());
        Ok(Functions { columns: columns.combine(factors.as_ref()), factors })
    }

    /// This rank's part of the gradient with respect to the weights, from that with respect to the columns.
    ///
    /// # Errors
    /// When the network fails.
    pub fn pull_back(
        &self,
        parameters: &[f64],
        functions: &Functions,
        of_columns: &Columns,
    ) -> Result<Vec<f64>> {
        let (c, width) = (self.space.components, self.functions * self.space.components);
        // With the factors kept: what they depend on does not change the span.
        let of_functions = of_columns.combine(functions.factors.transpose());
        let mut cotangent = vec![0.0; self.space.owned_nodes * width];
        for (j, column) in of_functions.iter().enumerate() {
            for (node, values) in cotangent.chunks_exact_mut(width).zip(column.chunks_exact(c)) {
                node[j * c..(j + 1) * c].copy_from_slice(values);
            }
        }
        self.model.vjp(&self.points, &self.inputs(parameters), &cotangent).map_err(failed)
    }
}

/// The box around all nodes. Collective.
fn extent(space: &Space, points: &[f64]) -> Vec<[f64; 2]> {
    let (d, comm) = (space.mesh.dimension, &space.mesh.comm);
    let along = |i: usize| points.iter().skip(i).step_by(d);
    let end =
        |i| [along(i).fold(f64::MAX, |a: f64, &x| a.min(x)), along(i).fold(f64::MIN, |a: f64, &x| a.max(x))];
    (0..d).map(end).map(|[low, high]| [comm.min(low), comm.max(high)]).collect()
}
