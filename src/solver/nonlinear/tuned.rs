//! Newton's method with a linear solver that is chosen anew for every solve.
use super::newton::NewtonSolver;
use crate::Result;
use crate::physics::Context;
use crate::solver::linear::{OwnOptions, defaults};
use crate::solver::tuning::{self, Tuning};
use petsc_rs::{NonlinearConvergence, NonlinearReason, Vector};
use std::time::Instant;

impl NewtonSolver {
    /// Solves with the linear solver that a bandit chooses, with another if that fails. Collective.
    pub(super) fn solve_tuned(
        &mut self,
        tuning: &mut Tuning,
        context: &Context,
        solution: &mut Vector,
    ) -> Result<NonlinearConvergence> {
        let guess = solution.try_clone()?;
        let mut tries = 0;
        let (convergence, loss) = loop {
            let arm = tuning.choose(context);
            let (convergence, loss) = self.solve_with(tuning, arm, solution)?;
            tries += 1;
            match convergence.reason {
                NonlinearReason::DivergedLinearSolve => tuning.fail(),
                _ => break (convergence, loss),
            }
            if tries == tuning::TRIES {
                return Ok(convergence);
            }
            solution.copy_from(&guess)?;
        };
        let mut all = None;
        if tuning.oracle {
            let history = self.history.borrow().clone();
            let chosen = self.arm;
            let mut losses = vec![f64::NAN; tuning.arms.len()];
            for arm in 0..losses.len() {
                if chosen == Some(arm) {
                    losses[arm] = loss;
                    continue;
                }
                let (other, loss) = self.solve_with(tuning, arm, &mut guess.try_clone()?)?;
                if other.reason.converged() {
                    losses[arm] = loss;
                }
            }
            *self.history.borrow_mut() = history;
            all = Some(losses);
        }
        tuning.learn(loss, all.as_deref());
        Ok(convergence)
    }

    fn solve_with(
        &mut self,
        tuning: &Tuning,
        arm: usize,
        solution: &mut Vector,
    ) -> Result<(NonlinearConvergence, f64)> {
        if self.arm != Some(arm) {
            let problem = &self.system.problem;
            let options = tuning::with_arm(&self.linear_options, &tuning.arms[arm]);
            let text = defaults::nonlinear(problem, &options);
            // Nothing of another arm stays behind.
            let mut krylov = self.solver.krylov()?;
            krylov.set_type("preonly")?;
            krylov.preconditioner()?.set_type("none")?;
            self.own = OwnOptions::new(krylov.prefix(), || self.solver.set_options(&text))?;
            (self.arm, self.options) = (Some(arm), text);
        }
        self.own.activate()?;
        self.history.borrow_mut().clear();
        let start = Instant::now();
        let convergence = self.solver.solve(None, solution)?;
        let loss = tuning.measure(convergence.linear_iterations, start.elapsed().as_secs_f64());
        Ok((convergence, loss))
    }
}
