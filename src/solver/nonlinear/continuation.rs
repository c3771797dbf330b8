//! Pseudo-transient continuation: the way to a steady state when Newton's method does not find it.
//!
//! Kelley and Keyes, SIAM J. Numer. Anal. 35 (1998): steps of implicit Euler whose length grows as the steady
//! residual falls, so that the last ones are Newton's.
use super::newton::{NewtonOutcome, NewtonSolver};
use crate::Result;
use crate::fem::Parts;
use crate::physics::Context;
use petsc_rs::{Norm, Vector};

const MOST_STEPS: usize = 200;
/// Solves of single steps need not be exact.
const TOLERANCE: f64 = 1e-3;
/// From this share of the largest residual on Newton's method is tried again.
const NEAR: f64 = 1e-3;

impl NewtonSolver {
    /// Follows the model in time from the state in `solution` until Newton's method finds the steady state.
    /// Also gives the number of steps. Collective.
    ///
    /// # Errors
    /// See [`NewtonSolver::solve`].
    pub fn continuation(
        &mut self,
        context: &Context,
        solution: &mut Vector,
    ) -> Result<(NewtonOutcome, usize)> {
        self.set_time(context)?;
        self.impose(solution)?;
        let mut storage = self.evaluate(Parts::STORAGE, solution)?;
        let mut residual = self.rest(solution)?;
        // The time in which the residual would use up what is stored; a few cells' passage.
        let mut step = match storage.norm(Norm::Two)? / residual {
            time if time > 0.0 && time.is_finite() => time,
            _ => 1.0,
        };
        let (mut largest, shortest) = (residual, 1e-8 * step);
        let mut total = NewtonOutcome::default();
        let tolerance = self.tolerance;
        for count in 1..=MOST_STEPS {
            let mut offset = storage.try_clone()?;
            offset.scale(-1.0 / step)?;
            let mut next = solution.try_clone()?;
            self.tolerance = TOLERANCE.max(tolerance);
            let outcome =
                self.solve(context, Parts { storage: 1.0 / step, residual: 1.0 }, Some(offset), &mut next);
            self.tolerance = tolerance;
            let outcome = outcome?;
            total.add(&outcome);
            if outcome.failure.is_some() {
                step /= 4.0;
                if step < shortest {
                    return Ok((total, count));
                }
                continue;
            }
            solution.copy_from(&next)?;
            solution.ghost_update()?;
            storage = self.evaluate(Parts::STORAGE, solution)?;
            let earlier = std::mem::replace(&mut residual, self.rest(solution)?);
            largest = largest.max(residual);
            step *= (earlier / residual).clamp(2.0, 10.0);
            if residual <= NEAR * largest {
                let outcome = self.solve(context, Parts::REST, None, &mut next)?;
                total.add(&outcome);
                if outcome.failure.is_none() {
                    solution.copy_from(&next)?;
                    solution.ghost_update()?;
                    return Ok((total, count));
                }
            }
        }
        total.failure = Some(format!("no steady state within {MOST_STEPS} steps in pseudo-time"));
        Ok((total, MOST_STEPS))
    }

    /// Norm of the steady residual on the free unknowns.
    fn rest(&self, state: &Vector) -> Result<f64> {
        self.essential().free_norm(self.comm(), &self.evaluate(Parts::REST, state)?)
    }
}

impl NewtonOutcome {
    /// Adds the work of a later solve, whose outcome counts.
    fn add(&mut self, later: &Self) {
        self.iterations += later.iterations;
        self.linear_iterations += later.linear_iterations;
        self.history.extend(&later.history);
        self.failure.clone_from(&later.failure);
    }
}
