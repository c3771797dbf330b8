//! A linear solver that is chosen anew for every system.
use super::choice::{TRIES, Tuning};
use crate::deck::{SolverMethod, SolverOptions};
use crate::fem::{Essential, Space};
use crate::memory::{Entry, Kept, Memory};
use crate::physics::Context;
use crate::solver::linear::{LinearSolver, Outcome};
use crate::{Error, Result};
use petsc_rs::{Matrix, Vector};
use std::rc::Rc;

/// Arms that are linear solvers, each with set-up of its own, made when it is first chosen.
pub struct TunedSolver {
    /// What chooses.
    pub tuning: Tuning,
    space: Rc<Space>,
    name: String,
    options: SolverOptions,
    solvers: Vec<Option<LinearSolver>>,
    current: usize,
    seconds: f64,
    /// The arms in words.
    pub label: String,
}

impl TunedSolver {
    /// Arms on top of a problem's options.
    pub fn new(space: &Rc<Space>, name: &str, options: &SolverOptions, tuning: Tuning) -> Self {
        let solvers = tuning.arms.iter().map(|_| None).collect();
        let label = format!("one of {} arms: {} ...", tuning.arms.len(), tuning.arms[0]);
        Self {
            tuning,
            space: space.clone(),
            name: name.into(),
            options: iterative(options),
            solvers,
            current: 0,
            seconds: 0.0,
            label,
        }
    }

    fn set_up(&mut self, arm: usize, matrix: &Matrix) -> Result<f64> {
        if self.solvers[arm].is_none() {
            let options = with_arm(&self.options, &self.tuning.arms[arm]);
            self.solvers[arm] = Some(LinearSolver::new(&self.space, &self.name, &options)?);
        }
        let Some(solver) = &mut self.solvers[arm] else { return Ok(0.0) };
        self.space.mesh.comm.agree(solver.set_matrix(matrix))
    }

    /// Chooses the arm for this matrix and parameters and builds its preconditioner, or another's if that fails; returns the
    /// seconds it took. Collective.
    ///
    /// # Errors
    /// When several arms fail.
    pub fn set_matrix(&mut self, context: &Context, matrix: &Matrix) -> Result<f64> {
        let mut tries = 0;
        loop {
            self.current = self.tuning.choose(context);
            tries += 1;
            match self.set_up(self.current, matrix) {
                Ok(seconds) => {
                    self.seconds = seconds;
                    return Ok(seconds);
                }
                Err(error) => {
                    self.tuning.fail();
                    if tries == TRIES {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// As [`LinearSolver::solve`] with the arm chosen, or another if that fails. Collective.
    ///
    /// # Errors
    /// When several arms fail.
    pub fn solve(
        &mut self,
        context: &Context,
        matrix: &Matrix,
        load: &Vector,
        essential: &Essential,
        solution: &mut Vector,
    ) -> Result<Outcome> {
        let guess = solution.try_clone()?;
        let mut tries = 0;
        let outcome = loop {
            tries += 1;
            match self.solve_with(self.current, matrix, load, essential, solution) {
                Ok(outcome) => break outcome,
                Err(error @ (Error::Failed(_) | Error::Petsc(_))) => {
                    self.tuning.fail();
                    if tries == TRIES {
                        return Err(error);
                    }
                    solution.copy_from(&guess)?;
                    self.set_matrix(context, matrix)?;
                }
                Err(other) => return Err(other),
            }
        };
        let loss = self.tuning.measure(outcome.iterations, outcome.seconds + self.seconds);
        let mut all = None;
        if self.tuning.oracle {
            let mut losses = vec![f64::NAN; self.solvers.len()];
            let current = self.current;
            losses[current] = loss;
            for arm in (0..losses.len()).filter(|&arm| arm != current) {
                let mut copy = guess.try_clone()?;
                let other = self.set_up(arm, matrix).and_then(|seconds| {
                    Ok((seconds, self.solve_with(arm, matrix, load, essential, &mut copy)?))
                });
                if let Ok((seconds, outcome)) = other {
                    losses[arm] = self.tuning.measure(outcome.iterations, outcome.seconds + seconds);
                }
            }
            all = Some(losses);
        }
        self.tuning.learn(loss, all.as_deref());
        Ok(outcome)
    }

    fn solve_with(
        &mut self,
        arm: usize,
        matrix: &Matrix,
        load: &Vector,
        essential: &Essential,
        solution: &mut Vector,
    ) -> Result<Outcome> {
        let Some(solver) = &mut self.solvers[arm] else {
            return Err(Error::Failed(format!("{}: the system has no preconditioner yet", self.name)));
        };
        let solved = solver.solve(matrix, load, essential, solution);
        self.space.mesh.comm.agree(solved)
    }
}

impl Memory for TunedSolver {
    fn remembered(&self) -> Vec<Entry<'_>> {
        self.tuning.remembered()
    }

    fn restore(&mut self, kept: &dyn Kept) -> Result<()> {
        self.tuning.restore(kept)
    }
}

/// Options with which there is something to tune: not a factorisation.
pub(in crate::solver) fn iterative(options: &SolverOptions) -> SolverOptions {
    let method = match options.method {
        SolverMethod::Auto => SolverMethod::Amg,
        other => other,
    };
    SolverOptions { method, tune: None, ..options.clone() }
}

/// Options of an arm: its own stand before the deck's.
pub(in crate::solver) fn with_arm(options: &SolverOptions, arm: &str) -> SolverOptions {
    SolverOptions { petsc: format!("{arm} {}", options.petsc).trim().into(), ..options.clone() }
}
