//! Level `coupled`: Galerkin's equations on the experts' functions, `X^T r(u^ + X w) = 0` with `X = [chi_k Phi_k]`.
//!
//! The functions hold the constants that balances are tested with, so these are satisfied as well.
use super::constraint::{Constraint, Found};
use super::equations::{Equations, Tangent};
use crate::mixture::{factorised_small, finished};
use crate::{Error, Result};
use petsc_rs::Vector;

/// Newton steps at most.
const MOST_STEPS: usize = 40;
/// The shortest share of a step, and that of one which goes on towards round-off.
const SHORTEST: [f64; 2] = [1e-4, 0.1];
/// What a step towards round-off must leave less than.
const LEAST: f64 = 0.9;
/// A step this small relative to the state changes nothing.
const ROUND_OFF: f64 = 1e-12;

impl Constraint {
    /// From `state`, which has the essential values, to the state of that kind; Newton steps. `tangent` is that of
    /// `state`. Collective.
    pub(super) fn couple<'a>(
        &self,
        equations: &Equations<'a>,
        mut tangent: Tangent<'a>,
        state: &mut Vector,
    ) -> Result<Found> {
        let functions = self.functions(equations)?;
        let x = &functions.x;
        let comm = &self.basis.fields.mesh.comm;
        let (mut tested, mut change) = x.vectors()?;
        let (mut coefficients, mut w) = (tested.duplicate()?, tested.duplicate()?);
        let found = |step, w| -> Result<Found> {
            let coefficients = Some(functions.coefficients(w)?);
            Ok(Found { iterations: step, coefficients, ..Found::default() })
        };
        let mut residual = state.duplicate()?;
        let mut next = state.duplicate()?;
        equations.residual_inside(state, &mut residual)?;
        x.mult_transpose(&residual, &mut tested)?;
        let mut norm = tested.norm(petsc_rs::Norm::Two)?;
        let (first, mut last) = (norm, f64::MAX);
        for step in 0..MOST_STEPS {
            // To round-off: another step costs little, and balances are worth it.
            let good = norm <= self.options.tolerance * first;
            if norm == 0.0 || good && norm > LEAST * last {
                return found(step, w);
            }
            let images = tangent.mat_mult(x)?;
            let small = x.transpose_mat_mult(&images)?;
            let prefix = format!("{}_coupled_", self.name);
            let mut solver = factorised_small(comm, &prefix, &small, equations.is_symmetric())?;
            finished(solver.solve(&tested, &mut coefficients)?)?;
            x.mult(&coefficients, &mut change)?;
            let mut share = 1.0;
            let then = loop {
                next.copy_from(state)?;
                next.axpy(-share, &change)?;
                next.ghost_update()?;
                equations.residual_inside(&next, &mut residual)?;
                x.mult_transpose(&residual, &mut tested)?;
                let then = tested.norm(petsc_rs::Norm::Two)?;
                if then.is_finite() && then < norm {
                    break then;
                }
                share *= 0.5;
                if share < SHORTEST[usize::from(good)] {
                    // What is stored may be so large that its round-off is more than that part of what is tested.
                    let little = ROUND_OFF * state.norm(petsc_rs::Norm::Two)?;
                    if good || change.norm(petsc_rs::Norm::Two)? <= little {
                        return found(step, w);
                    }
                    return Err(Error::Failed(format!(
                        "{}: Newton's method on the experts' functions came to a halt after {step} steps; what it tests \
                         fell from {first:.2e} to {norm:.2e}",
                        self.name
                    )));
                }
            };
            state.copy_from(&next)?;
            state.ghost_update()?;
            w.axpy(-share, &coefficients)?;
            (last, norm) = (norm, then);
            if !equations.is_linear() {
                tangent = equations.tangent(state, tangent.into_room())?;
            }
        }
        Err(Error::Failed(format!("{}: more than {MOST_STEPS} steps on the experts' functions", self.name)))
    }
}
