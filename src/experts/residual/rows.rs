//! Which rows of the equations are whose, with their weights, and the functions that every expert has.
use super::shares::Shares;
use crate::deck::LeastSquares;
use crate::experts::equations::Equations;
use crate::fem::Space;
use crate::mixture::{Columns, Gating, spread};
use crate::physics::mass::scalar_mass;
use crate::{Error, Result};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The rows of the experts on this rank.
pub(super) struct Rows {
    /// Whose numbers are where.
    pub shares: Shares,
    /// For each owned node the place in `shares.experts` of the expert that has its rows: the one with the largest gating
    /// function, of several the first.
    pub expert: Vec<u32>,
    /// Squares of the weights, of the owned unknowns; zero of those that have no row.
    pub weights: Vec<f64>,
    /// Number of functions of each expert.
    pub functions: usize,
    /// Their values, `[local unknown, function]`, zero at prescribed unknowns: constants of the components, then columns.
    pub phi: Vec<f64>,
    /// The largest magnitude of each, over all ranks.
    pub largest: Vec<f64>,
    /// Groups of experts.
    pub colours: Vec<Colour>,
    /// The group of each of `shares.experts`.
    pub colour_of: Vec<u32>,
}

/// Experts that have no node of their rows' cells in common: one state holds those of all of them.
#[derive(Default)]
pub(in crate::experts) struct Colour {
    /// The local cells that their rows see.
    pub cells: Vec<u32>,
    /// The local nodes of these cells, each with the place of its expert.
    pub nodes: Vec<(u32, u32)>,
}

impl Rows {
    /// Of the free unknowns. `lumped` are the masses of the owned nodes. Collective.
    pub fn new(
        space: &Space,
        gating: &Gating,
        columns: &Columns,
        equations: &Equations,
        options: &LeastSquares,
        lumped: &[f64],
    ) -> Result<Self> {
        let fixed = &equations.essential.fixed;
        check(options, space.components)?;
        let shares = Shares::new(&space.mesh.comm, gating, space.owned_nodes);
        let largest = |node: usize| -> u32 {
            let mut list = gating.of(node).iter();
            let first = *list.next().expect("every node has an expert");
            list.fold(first, |best, &entry| if entry.1 > best.1 { entry } else { best }).0
        };
        let expert: Vec<u32> =
            (0..space.owned_nodes).map(|node| shares.place(largest(node)) as u32).collect();
        let weights = weights(space, fixed, options, lumped);
        let (functions, phi) = functions(space, columns, fixed)?;
        let mut largest = vec![0.0f64; functions];
        for values in phi.chunks_exact(functions) {
            largest.iter_mut().zip(values).for_each(|(largest, v)| *largest = largest.max(v.abs()));
        }
        let largest = largest.into_iter().map(|v| space.mesh.comm.max(v)).collect();
        let (colours, colour_of) = (Vec::new(), Vec::new());
        let mut rows = Self { shares, expert, weights, functions, phi, largest, colours, colour_of };
        rows.colour(space);
        Ok(rows)
    }

    /// Divides the experts into groups.
    fn colour(&mut self, space: &Space) {
        let c = space.components;
        let mut seen: Vec<(u32, u32)> = Vec::new();
        for cell in 0..space.mesh.local_cells() {
            for &node in space.nodes_of(cell).iter().filter(|&&node| (node as usize) < space.owned_nodes) {
                let node = node as usize;
                if self.weights[node * c..][..c].iter().any(|weight| *weight > 0.0) {
                    seen.push((self.expert[node], cell as u32));
                }
            }
        }
        (self.colours, self.colour_of) = coloured(space, seen, self.shares.experts.len());
    }

    /// Of an owned unknown the place of its row's expert, its weight squared and, in a matrix of so many columns, its row.
    pub fn each(&self, components: usize) -> impl Iterator<Item = (usize, usize, f64)> {
        let all = self.weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0);
        all.map(move |(row, &weight)| (row, self.expert[row / components] as usize, weight))
    }

    /// The functions at a local unknown.
    pub fn phi(&self, dof: usize) -> &[f64] {
        &self.phi[dof * self.functions..][..self.functions]
    }
}

/// Divides experts, of which pairs with the cells that they see are given, into groups without a node in common; with the
/// group of each of so many places.
pub(in crate::experts) fn coloured(
    space: &Space,
    mut seen: Vec<(u32, u32)>,
    places: usize,
) -> (Vec<Colour>, Vec<u32>) {
    seen.sort_unstable();
    seen.dedup();
    let mut taken: Vec<Vec<u32>> = vec![Vec::new(); space.local_nodes()];
    let (mut colours, mut colour_of) = (Vec::new(), vec![u32::MAX; places]);
    for cells in seen.chunk_by(|a, b| a.0 == b.0) {
        let place = cells[0].0;
        let mut nodes: Vec<u32> =
            cells.iter().flat_map(|&(_, cell)| space.nodes_of(cell as usize)).copied().collect();
        nodes.sort_unstable();
        nodes.dedup();
        let free = |colour: &u32| nodes.iter().all(|&node| !taken[node as usize].contains(colour));
        let colour = (0..).find(free).expect("there is always another");
        nodes.iter().for_each(|&node| taken[node as usize].push(colour));
        colour_of[place as usize] = colour;
        if colours.len() == colour as usize {
            colours.push(Colour::default());
        }
        let group = &mut colours[colour as usize];
        group.cells.extend(cells.iter().map(|&(_, cell)| cell));
        group.nodes.extend(nodes.iter().map(|&node| (node, place)));
    }
    (colours, colour_of)
}

/// Squares of the weights of the owned unknowns; zero of those that have no row.
pub(in crate::experts) fn weights(
    space: &Space,
    fixed: &[bool],
    options: &LeastSquares,
    lumped: &[f64],
) -> Vec<f64> {
    let c = space.components;
    let mut weights = vec![0.0; space.owned_dofs()];
    let mut random = ChaCha8Rng::seed_from_u64(options.seed);
    for node in 0..space.owned_nodes {
        if options.fraction < 1.0 {
            random.set_stream(space.node_ids[node]);
            random.set_word_pos(0);
            if random.random::<f64>() >= options.fraction {
                continue;
            }
        }
        for i in (0..c).filter(|i| !fixed[node * c + i]) {
            let scale = options.scales.get(i).copied().unwrap_or(1.0);
            weights[node * c + i] = 1.0 / (lumped[node] * scale * scale * options.fraction);
        }
    }
    weights
}

/// Whether the options make sense.
pub(in crate::experts) fn check(options: &LeastSquares, components: usize) -> Result<()> {
    let LeastSquares { ridge, scales, fraction, balances, .. } = options;
    let text = if !(ridge.is_finite() && *ridge >= 0.0) {
        format!("the ridge of least squares is not negative, found {ridge}")
    } else if !(balances.is_finite() && *balances >= 0.0) {
        format!("the price of balances is not negative, found {balances}")
    } else if !(*fraction > 0.0 && *fraction <= 1.0) {
        format!("the share of rows is above 0 and at most 1, found {fraction}")
    } else if !(scales.is_empty() || scales.len() == components) {
        format!("expected {components} scales, one for each component, found {}", scales.len())
    } else if let Some(bad) = scales.iter().find(|scale| !(scale.is_finite() && **scale > 0.0)) {
        format!("scales of residuals are positive, found {bad}")
    } else {
        return Ok(());
    };
    Err(Error::Failed(text))
}

/// The functions of an expert at the local unknowns, and their number.
fn functions(space: &Space, columns: &Columns, fixed: &[bool]) -> Result<(usize, Vec<f64>)> {
    let c = space.components;
    let n = c + columns.count();
    let mut phi = vec![0.0; space.local_nodes() * c * n];
    for dof in (0..space.local_nodes() * c).filter(|&dof| !fixed[dof]) {
        phi[dof * n + dof % c] = 1.0;
    }
    spread(space, columns.iter(), fixed, (&mut phi, c))?;
    Ok((n, phi))
}

/// The volumes that belong to the owned nodes: the diagonal of the mass matrix, scaled to the volume of the domain (Hinton,
/// Rock and Zienkiewicz 1976). For simplices of degree 1 these are the row sums, and they are positive for every element.
/// Collective.
pub(in crate::experts) fn lumped_mass(space: &Space) -> Result<Vec<f64>> {
    let mass = scalar_mass(space)?;
    let (mut ones, mut sums) = mass.vectors()?;
    ones.set(1.0)?;
    mass.mult(&ones, &mut sums)?;
    let volume = sums.sum()?;
    mass.diagonal(&mut sums)?;
    sums.scale(volume / sums.sum()?)?;
    let result = sums.read()?.to_vec();
    Ok(result)
}
