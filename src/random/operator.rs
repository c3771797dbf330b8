//! The operator behind Matern fields and its negative powers.
use super::fraction::Fraction;
use crate::Result;
use crate::deck::{SolverMethod, SolverOptions};
use crate::fem::{Essential, Space};
use crate::parallel::Comm;
use crate::physics::Context;
use crate::physics::mass::reaction_diffusion;
use crate::solver::LinearSolver;
use crate::solver::linear::defaults;
use petsc_rs::{Matrix, Vector};
use std::rc::Rc;

/// So that draws do not depend on the number of ranks beyond rounding.
const TOLERANCE: f64 = 1e-12;

/// `L = D^-1 A` with the lumped mass `D` and the stiffness `A` of `kappa^2 - Laplacian`, linear elements, and
/// `dg/dn + kappa/1.42 g = 0` on the boundary, which keeps the variance there closest to that inside (Roininen, Huttunen,
/// Lasanen, Inverse Probl. Imaging 8 (2014) 561; without flux it would double at a side).
pub struct Operator {
    /// Who shares it.
    pub comm: Comm,
    /// Lumped mass of the owned nodes.
    pub mass: Vec<f64>,
    inverse: Inverse,
    essential: Essential,
    fraction: Option<(Fraction, Vec<Inverse>)>,
    /// How often the whole inverse is applied.
    solves: usize,
}

/// A matrix with its solver.
struct Inverse {
    matrix: Matrix,
    solver: LinearSolver,
}

impl Operator {
    /// Sets up the power `-(solves + theta)`; `theta` is at least 0 and less than 1. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn new(space: &Rc<Space>, name: &str, kappa: f64, solves: usize, theta: f64) -> Result<Self> {
        let side = (kappa / 1.42, space.mesh.facets.boundary());
        let problem = reaction_diffusion("random", space, [1.0, kappa * kappa, 1.0], Some(side))?;
        let (mut matrix, mut load) = (problem.new_matrix()?, space.field()?);
        let essential = Essential::new(space, []);
        problem.assemble(&Context::default(), &essential, &mut matrix, &mut load)?;
        // The load of a source of 1.
        let mass = load.read()?.to_vec();
        let comm = space.mesh.comm.clone();
        let fraction = match theta {
            0.0 => None,
            _ => {
                let largest = largest_eigenvalue(&comm, &matrix, &mass)?;
                let fraction = Fraction::new(theta, kappa * kappa, largest);
                let mut inverses = Vec::new();
                for (l, &[shift, _]) in fraction.poles.iter().enumerate() {
                    let mut shifted = matrix.duplicate(true)?;
                    let mut diagonal = space.field()?;
                    let values = mass.iter().map(|m| shift * m);
                    diagonal.write()?.iter_mut().zip(values).for_each(|(d, v)| *d = v);
                    shifted.add_diagonal(&diagonal)?;
                    inverses.push(Inverse::new(space, &format!("random_{name}_{l}"), shifted)?);
                }
                Some((fraction, inverses))
            }
        };
        let inverse = Inverse::new(space, &format!("random_{name}"), matrix)?;
        Ok(Self { comm, mass, inverse, essential, fraction, solves })
    }

    /// `result = L^-1 D^-1 load`. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn solve(&mut self, load: &Vector, result: &mut Vector) -> Result<()> {
        self.inverse.solve(load, &self.essential, result)
    }

    /// `result = L^-(solves + theta) D^-1 load`; the load is overwritten. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn power(&mut self, load: &mut Vector, result: &mut Vector) -> Result<()> {
        for solve in 0..self.solves {
            self.inverse.solve(load, &self.essential, result)?;
            if solve + 1 < self.solves || self.fraction.is_some() {
                let solution = result.read()?;
                for (value, (mass, last)) in load.write()?.iter_mut().zip(self.mass.iter().zip(&*solution)) {
                    *value = mass * last;
                }
            }
        }
        let Some((fraction, inverses)) = &mut self.fraction else { return Ok(()) };
        let mut sum: Vec<f64> =
            load.read()?.iter().zip(&self.mass).map(|(b, m)| fraction.identity * b / m).collect();
        let first = (fraction.inverse, &mut self.inverse);
        let shifted = fraction.poles.iter().map(|[_, weight]| *weight).zip(inverses);
        for (weight, inverse) in std::iter::once(first).chain(shifted) {
            inverse.solve(load, &self.essential, result)?;
            sum.iter_mut().zip(&*result.read()?).for_each(|(sum, part)| *sum += weight * part);
        }
        result.write()?.copy_from_slice(&sum);
        Ok(())
    }
}

impl Inverse {
    fn new(space: &Space, name: &str, matrix: Matrix) -> Result<Self> {
        // One factorisation serves all draws.
        let method =
            if defaults::may_be_replicated(space) { SolverMethod::Direct } else { SolverMethod::Auto };
        let options = SolverOptions { method, tolerance: TOLERANCE, ..SolverOptions::default() };
        let mut solver = LinearSolver::new(space, name, &options)?;
        solver.set_matrix(&matrix)?;
        Ok(Self { matrix, solver })
    }

    fn solve(&mut self, load: &Vector, essential: &Essential, result: &mut Vector) -> Result<()> {
        result.set(0.0)?;
        self.solver.solve(&self.matrix, load, essential, result)?;
        Ok(())
    }
}

/// Gershgorin's bound of the eigenvalues of `D^-1 A`.
fn largest_eigenvalue(comm: &Comm, matrix: &Matrix, mass: &[f64]) -> Result<f64> {
    let mut largest = 0.0f64;
    for (row, mass) in matrix.row_range().zip(mass) {
        let sum: f64 = matrix.row(row)?.iter().map(|(_, value)| value.abs()).sum();
        largest = largest.max(sum / mass);
    }
    Ok(comm.max(largest))
}
