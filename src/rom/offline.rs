//! The offline side of a reduced model: what does not depend on snapshots, and from snapshots to a basis.
use super::affine::Expansion;
use super::coupling::{Upstream, upstream_of};
use super::energy::Energy;
use super::theta::{Theta, values};
use super::training::Training;
use crate::Result;
use crate::deck::Norm;
use crate::mixture::{
    Algorithm, Columns, Euclidean, Form, InnerProduct, MatrixProduct, Pod, Truncation, pod,
};
use crate::physics::coefficient::NodalField;
use crate::physics::mass::scalar_mass;
use crate::physics::{Context, Problem};
use crate::simulation::Simulation;
use std::rc::Rc;
use std::time::Instant;

/// What the reduced models of a deck's problems have in common, whatever the snapshots: affine expansions and reference
/// energies. The costly part of training when the mesh is large.
pub struct Offline {
    /// The problems, in the order of the deck.
    pub stages: Vec<Prepared>,
    /// Parameters whose energy measures residuals.
    pub reference: Context,
}

/// The part of one problem.
pub struct Prepared {
    /// The problem.
    pub problem: Rc<Problem>,
    /// Its affine expansion.
    pub expansion: Expansion,
    /// Its energy at the reference parameters.
    pub energy: Energy,
    /// The problem whose field it reads, and that field.
    above: Option<(usize, Rc<NodalField>)>,
    /// Seconds for expansion and energy.
    pub seconds: [f64; 2],
}

impl Offline {
    /// Expansions and energies of all problems. Collective.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) when the deck's dependence on its parameters cannot be split.
    pub fn new(simulation: &Simulation, training: &Training) -> Result<Self> {
        let reference = training.reference.clone();
        let mut stages = Vec::new();
        for (index, stage) in simulation.stages.iter().enumerate() {
            let problem = stage.problem.clone();
            let above = upstream_of(&simulation.stages, index)?;
            let above = above.and_then(|a| Some((a, simulation.stages[a].input()?.clone())));
            let start = Instant::now();
            let expansion = Expansion::new(&problem, training, above.as_ref().map(|a| &a.1))?;
            let middle = Instant::now();
            let energy = Energy::new(&problem, &reference, &simulation.deck.solver_options(index))?;
            let seconds = [(middle - start).as_secs_f64(), middle.elapsed().as_secs_f64()];
            stages.push(Prepared { problem, expansion, energy, above, seconds });
        }
        Ok(Self { stages, reference })
    }

    /// Whether the deck's dependence on its parameters can be split, without the costly rest. Collective.
    ///
    /// # Errors
    /// As [`Offline::new`].
    pub fn check(simulation: &Simulation, training: &Training) -> Result<()> {
        for (index, stage) in simulation.stages.iter().enumerate() {
            let above = upstream_of(&simulation.stages, index)?;
            let field = above.and_then(|a| simulation.stages[a].input().cloned());
            Expansion::new(&stage.problem, training, field.as_ref())?;
        }
        Ok(())
    }

    /// The problem whose field problem `index` reads.
    pub fn upstream(&self, index: usize) -> Option<Upstream<'_>> {
        let (above, field) = self.stages[index].above.as_ref()?;
        Some(Upstream { index: *above, field: field.clone(), energy: &self.stages[*above].energy })
    }
}

/// How a basis is made.
#[derive(Debug, Clone, Copy)]
pub struct BasisOptions {
    /// Inner product of the decomposition.
    pub inner_product: Norm,
    /// How it is computed.
    pub algorithm: Algorithm,
    /// Where it ends.
    pub truncation: Truncation,
}

/// The basis of one physics.
pub struct Basis {
    /// Liftings of the prescribed values, then modes.
    pub functions: Columns,
    /// How many of them are liftings.
    pub lifts: usize,
    /// Singular values of the snapshots without their liftings, descending.
    pub singular_values: Vec<f64>,
}

impl Prepared {
    /// The liftings of the prescribed values. Collective.
    ///
    /// # Errors
    /// When a lifting cannot be solved for.
    pub fn lifts(&self, reference: &Context) -> Result<Columns> {
        let Self { problem, expansion, energy, .. } = self;
        let list: Vec<Theta> = expansion.matrices.iter().map(|(theta, _)| theta.clone()).collect();
        let thetas = values(&list, &**problem, reference);
        let mut functions = Columns::new(&problem.space.mesh.comm, problem.space.owned_dofs());
        for (_, lift) in &expansion.lifts {
            let mut lift = lift.clone();
            let mut image = vec![0.0; lift.len()];
            for ((_, matrix), theta) in expansion.matrices.iter().zip(&thetas) {
                let term = MatrixProduct::new(matrix)?.image(&lift)?;
                image.iter_mut().zip(term).for_each(|(sum, v)| *sum += theta * v);
            }
            // With the least energy.
            let correction = energy.representer(&image)?;
            lift.iter_mut().zip(&correction).for_each(|(v, c)| *v -= c);
            functions.push(&lift);
        }
        Ok(functions)
    }

    /// Takes the liftings from a snapshot, which is then zero where values are prescribed. Local.
    pub fn subtract_lifts(&self, lifts: &Columns, parameters: &[f64], snapshot: &mut [f64]) {
        let context = Context::steady(parameters.to_vec());
        let factors: Vec<f64> =
            self.expansion.lifts.iter().map(|(theta, _)| theta.value(&*self.problem, &context)).collect();
        lifts.subtract_from(&factors, snapshot);
        self.energy.essential.clear(snapshot);
    }
}

impl Basis {
    /// Finds a basis of snapshots (this rank's unknowns, one column for each of `parameters`). The
    /// prescribed values are lifted with the least reference energy. Collective.
    ///
    /// # Errors
    /// When the snapshots do not fit or are not finite.
    pub fn new(
        prepared: &Prepared,
        reference: &Context,
        (mut snapshots, parameters): (Columns, &[Vec<f64>]),
        options: BasisOptions,
    ) -> Result<Self> {
        let Prepared { problem, energy, .. } = prepared;
        let mut functions = prepared.lifts(reference)?;
        let lifts = functions.count();
        for (j, parameters) in parameters.iter().enumerate() {
            prepared.subtract_lifts(&functions, parameters, snapshots.column_mut(j));
        }
        let mass;
        let product: &dyn InnerProduct = match options.inner_product {
            Norm::Energy => &energy.product,
            Norm::Mass => {
                let space = &problem.space;
                mass = MatrixProduct::with(scalar_mass(space)?, Form::Components(space.components))?;
                &mass
            }
            Norm::Euclidean | Norm::Variance => &Euclidean,
        };
        let Pod { modes, singular_values } = pod(&snapshots, product, options.algorithm, options.truncation)?;
        functions.extend(modes.iter());
        Ok(Self { functions, lifts, singular_values })
    }
}
