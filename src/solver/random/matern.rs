//! Matern fields as solutions of a stochastic partial differential equation.
use super::super::linear::LinearSolver;
use super::noise::Noise;
use crate::deck::{self, SolverOptions};
use crate::fem::{Essential, Space};
use crate::physics::Context;
use crate::physics::mass::reaction_diffusion;
use crate::{Error, Result};
use petsc_rs::{Matrix, Vector};
use std::collections::HashMap;
use std::f64::consts::PI;
use std::rc::Rc;

/// So that draws do not depend on the number of ranks beyond rounding.
const TOLERANCE: f64 = 1e-12;

/// The field that solves `(kappa^2 - Laplacian)^n g = factor * white noise` for n = alpha / 2 (Lindgren, Rue, Lindstrom,
/// J. R. Stat. Soc. B 73 (2011) 423, section 2.3), with linear elements and a lumped mass. On the boundary
/// `dg/dn + kappa/1.42 g = 0`, which keeps the variance there closest to that inside (Roininen, Huttunen, Lasanen, Inverse
/// Probl. Imaging 8 (2014) 561; without flux it would double at a side).
pub struct Matern {
    matrix: Matrix,
    solver: LinearSolver,
    essential: Essential,
    /// Lumped mass of the owned nodes.
    mass: Vec<f64>,
    /// Their numbers in canonical order.
    numbers: Vec<u64>,
    solves: usize,
    factor: f64,
}

impl Matern {
    /// Sets the operator up. Collective.
    ///
    /// # Errors
    /// When the smoothness does not fit the dimension, or PETSc fails.
    pub fn new(space: &Rc<Space>, name: &str, section: &deck::Matern) -> Result<Self> {
        let d = space.mesh.dimension;
        let solves = section.solves(d).ok_or_else(|| {
            Error::input("", format!("random.{name}.smoothness does not fit {d} dimensions"))
        })?;
        let alpha = 2.0 * solves as f64;
        let smoothness = alpha - 0.5 * d as f64;
        let kappa = (8.0 * smoothness).sqrt() / section.range;
        // Variance for a factor of 1: Lindgren et al., equation (3).
        let variance = gamma(smoothness)
            / (gamma(alpha) * (4.0 * PI).powf(0.5 * d as f64) * kappa.powf(2.0 * smoothness));
        let side = (kappa / 1.42, boundary(space));
        let problem = reaction_diffusion("random", space, [1.0, kappa * kappa, 1.0], Some(side))?;
        let (mut matrix, mut load) = (problem.new_matrix()?, space.field()?);
        let essential = Essential::new(space, []);
        problem.assemble(&Context::default(), &essential, &mut matrix, &mut load)?;
        // The load of a source of 1.
        let mass = load.read()?.to_vec();
        let options = SolverOptions { tolerance: TOLERANCE, ..SolverOptions::default() };
        let mut solver = LinearSolver::new(space, &format!("random_{name}"), &options)?;
        solver.set_matrix(&matrix)?;
        let plan = space.canonical();
        let numbers = plan.from_canonical(&plan.range().collect::<Vec<u64>>(), 1);
        let factor = section.deviation / variance.sqrt();
        Ok(Self { matrix, solver, essential, mass, numbers, solves, factor })
    }

    /// One draw at the owned nodes. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn draw(&mut self, space: &Space, noise: &Noise, result: &mut Vector) -> Result<()> {
        let mut load = space.field()?;
        for (value, (mass, &number)) in load.write()?.iter_mut().zip(self.mass.iter().zip(&self.numbers)) {
            *value = self.factor * mass.sqrt() * noise.normal(number);
        }
        for solve in 0..self.solves {
            if solve > 0 {
                let solution = result.read()?;
                for (value, (mass, last)) in load.write()?.iter_mut().zip(self.mass.iter().zip(&*solution)) {
                    *value = mass * last;
                }
            }
            result.set(0.0)?;
            self.solver.solve(&self.matrix, &load, &self.essential, result)?;
        }
        Ok(())
    }
}

/// The facets on the boundary, without marked ones inside: those with a local cell on one side only. A facet that
/// touches an owned node has all its cells here.
fn boundary(space: &Space) -> Vec<u32> {
    let mesh = &space.mesh;
    let key = |cell: usize, local: usize| {
        let mut key: Vec<u32> = mesh.facet_vertices(cell, local).collect();
        key.sort_unstable();
        key
    };
    let mut sides: HashMap<Vec<u32>, usize> = HashMap::new();
    for cell in 0..mesh.local_cells() {
        for local in 0..mesh.cell_type.facets() {
            *sides.entry(key(cell, local)).or_default() += 1;
        }
    }
    let facets = &mesh.facets;
    let outside = |f: usize| sides[&key(facets.cell[f] as usize, facets.local[f] as usize)] == 1;
    (0..facets.len()).filter(|&f| outside(f)).map(|f| f as u32).collect()
}

/// The gamma function at positive multiples of 1/2.
fn gamma(x: f64) -> f64 {
    match x {
        x if x > 1.0 => (x - 1.0) * gamma(x - 1.0),
        1.0 => 1.0,
        _ => PI.sqrt(),
    }
}
