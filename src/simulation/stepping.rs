//! The steps in time of one problem.
use super::stage::Stage;
use crate::deck::TimeScheme;
use crate::memory::{Entry, Kept, Memory};
use crate::physics::Context;
use crate::solver::{NewtonSolver, StepSolve, TimeIntegrator, Trial};
use crate::{Error, Result};

/// What an accepted step changed.
pub(super) struct Change {
    /// Integral of what the problem conserves, at the end.
    pub conserved: f64,
    /// What its change lacks.
    pub imbalance: f64,
}

impl Stage {
    /// Whether it evolves in the present run: the model has a time derivative, and the run is one in time.
    pub fn evolves(&self) -> bool {
        self.past.is_some()
    }

    /// Starts from the present solution at `context.time`, with the conditions of that time imposed on it. Collective.
    pub(super) fn begin(&mut self, scheme: TimeScheme, context: &Context) -> Result<()> {
        let scheme = if self.history().is_some() { TimeScheme::Bdf1 } else { scheme };
        let Some(newton) = self.solver.newton() else {
            let text = format!("{}: a linear solver does not step in time", self.problem.name);
            return Err(Error::Failed(text));
        };
        self.past = Some(TimeIntegrator::new(scheme, newton, context, &self.solution)?);
        self.set_conditions(context)?;
        self.starts = self.residual.is_none();
        self.fall_back()
    }

    /// Attempts a step of length `dt` from `context.time` on; later problems read the field at its end. `None` if it does
    /// not evolve. Collective.
    pub(super) fn attempt(
        &mut self,
        context: &Context,
        dt: f64,
        solve: &mut StepSolve,
    ) -> Result<Option<Trial>> {
        let (Some(past), Some(newton)) = (&self.past, self.solver.newton()) else { return Ok(None) };
        let trial = past.attempt(newton, context, dt, solve)?;
        if trial.newton.failure.is_none() {
            self.solution.copy_from(&trial.solution)?;
            self.publish()?;
        }
        Ok(Some(trial))
    }

    /// Keeps an attempted step. Collective.
    pub(super) fn keep(&mut self, trial: Trial, context: &Context, dt: f64) -> Result<Option<Change>> {
        let (Some(past), Some(newton)) = (&mut self.past, self.solver.newton()) else { return Ok(None) };
        let before = past.conserved()?;
        self.before = match trial.mean {
            true => Some((context.clone(), past.solution().try_clone()?)),
            false => None,
        };
        if let Some((_, start)) = &mut self.before {
            start.ghost_update()?;
        }
        past.accept(newton, &trial, dt)?;
        self.essential = newton.essential().clone();
        self.solution.ghost_update()?;
        let conserved = past.conserved()?;
        let imbalance = conserved - before - dt * trial.flow.total();
        (self.residual, self.starts) = (Some(trial.residual), false);
        Ok(Some(Change { conserved, imbalance }))
    }

    /// Goes back to the newest accepted step. Collective.
    pub(super) fn fall_back(&mut self) -> Result<()> {
        let Some(past) = &self.past else { return Ok(()) };
        self.solution.copy_from(past.solution())?;
        self.solution.ghost_update()?;
        self.publish()
    }

    /// Goes back to the start of a run in time: forgets solution, past and internal variables. Collective.
    pub(super) fn reset(&mut self) -> Result<()> {
        self.solution.set(0.0)?;
        (self.residual, self.before, self.past) = (None, None, None);
        self.publish()?;
        self.solver.newton().into_iter().for_each(NewtonSolver::forget);
        Ok(())
    }
}

impl Memory for Stage {
    fn remembered(&self) -> Vec<Entry<'_>> {
        let mut list = match &self.past {
            Some(past) => past.remembered(),
            None => vec![Entry::field("solution_0", &self.solution)],
        };
        list.extend(self.solver.remembered());
        list
    }

    fn restore(&mut self, kept: &dyn Kept) -> Result<()> {
        self.solver.restore(kept)?;
        match &mut self.past {
            Some(past) => {
                past.restore(kept)?;
                self.fall_back()
            }
            None => {
                let solution = kept.field("solution_0")?.ok_or_else(|| kept.missing("solution_0"))?;
                self.set_solution(&solution.read()?)
            }
        }
    }
}
