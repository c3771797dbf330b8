//! What solves the problem of a stage: one of the solvers, behind one face.
use crate::deck::{Deck, SolverMethod, SolverOptions};
use crate::fem::{Essential, History, Parts};
use crate::memory::Memory;
use crate::mixture::{CoarseModes, Gating, Mixture};
use crate::physics::{Context, Problem};
use crate::solver::tuning::{TunedSolver, Tuning};
use crate::solver::{LinearSolver, NewtonSolver, Outcome, RestrictedSchwarz};
use crate::{Error, Result};
use petsc_rs::{Matrix, Vector};
use std::cell::Ref;
use std::rc::Rc;
use std::time::Instant;

/// An assembled linear system.
#[derive(Clone, Copy)]
pub struct System<'a> {
    /// The matrix; essential unknowns eliminated symmetrically.
    pub matrix: &'a Matrix,
    /// The load, with the essential values in their rows and lifted from the others.
    pub load: &'a Vector,
    /// The essential conditions.
    pub essential: &'a Essential,
}

/// What solves a problem.
pub trait StageSolver: Memory {
    /// The essential conditions at these parameters. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] for coefficients that no material can have.
    fn conditions(&mut self, problem: &Problem, context: &Context) -> Result<Essential> {
        problem.essential(context)
    }

    /// Builds the preconditioner of an assembled matrix; the seconds it took. Collective.
    ///
    /// # Errors
    /// When it cannot be built.
    fn prepare(&mut self, _context: &Context, _matrix: &Matrix) -> Result<f64> {
        Ok(0.0)
    }

    /// Solves from the guess in `solution`, whose ghosts are up to date afterwards. Collective.
    ///
    /// # Errors
    /// [`Error::Failed`] with the reason in words when it does not converge.
    fn solve(&mut self, context: &Context, system: System, solution: &mut Vector) -> Result<Outcome>;

    /// The PETSc options that define it.
    fn options(&self) -> &str;

    /// What tunes it, if anything does.
    fn tuning(&self) -> Option<&Tuning> {
        None
    }

    /// The same, to go on with an earlier run's choices.
    fn tuning_mut(&mut self) -> Option<&mut Tuning> {
        None
    }

    /// Internal variables at the last accepted step, if the model has any.
    fn history(&self) -> Option<Ref<'_, History>> {
        None
    }

    /// The linear solver, if it is one.
    fn linear(&mut self) -> Option<&mut LinearSolver> {
        None
    }

    /// The nonlinear solver, if it is one.
    fn newton(&mut self) -> Option<&mut NewtonSolver> {
        None
    }
}

impl StageSolver for LinearSolver {
    fn prepare(&mut self, context: &Context, matrix: &Matrix) -> Result<f64> {
        self.prepare(context, matrix)
    }

    fn solve(&mut self, _: &Context, system: System, solution: &mut Vector) -> Result<Outcome> {
        self.solve(system.matrix, system.load, system.essential, solution)
    }

    fn options(&self) -> &str {
        &self.options
    }

    fn linear(&mut self) -> Option<&mut LinearSolver> {
        Some(self)
    }
}

impl StageSolver for TunedSolver {
    fn prepare(&mut self, context: &Context, matrix: &Matrix) -> Result<f64> {
        self.set_matrix(context, matrix)
    }

    fn solve(&mut self, context: &Context, system: System, solution: &mut Vector) -> Result<Outcome> {
        self.solve(context, system.matrix, system.load, system.essential, solution)
    }

    fn options(&self) -> &str {
        &self.label
    }

    fn tuning(&self) -> Option<&Tuning> {
        Some(&self.tuning)
    }

    fn tuning_mut(&mut self) -> Option<&mut Tuning> {
        Some(&mut self.tuning)
    }
}

impl StageSolver for NewtonSolver {
    fn conditions(&mut self, _: &Problem, context: &Context) -> Result<Essential> {
        self.set_time(context)?;
        Ok(self.essential().clone())
    }

    fn solve(&mut self, context: &Context, _: System, solution: &mut Vector) -> Result<Outcome> {
        let start = Instant::now();
        let guess = solution.try_clone()?;
        let mut outcome = self.solve(context, Parts::REST, None, solution)?;
        let mut note = String::new();
        if let (Some(failure), true) = (&outcome.failure, self.evolves()) {
            solution.copy_from(&guess)?;
            solution.ghost_update()?;
            let (continued, steps) = self.continuation(context, solution)?;
            note = format!("{failure}; {steps} steps of pseudo-transient continuation instead");
            outcome = continued;
        }
        if let Some(failure) = outcome.failure {
            let separator = if note.is_empty() { "" } else { "; " };
            return Err(Error::Failed(format!("{note}{separator}{failure}")));
        }
        let first = outcome.history.first().copied().unwrap_or(1.0);
        let last = outcome.history.last().copied().unwrap_or(0.0);
        Ok(Outcome {
            iterations: outcome.iterations,
            residual: last / first.max(f64::MIN_POSITIVE),
            history: outcome.history,
            seconds: start.elapsed().as_secs_f64(),
            note,
        })
    }

    fn options(&self) -> &str {
        &self.options
    }

    fn tuning(&self) -> Option<&Tuning> {
        self.tuning.as_ref()
    }

    fn tuning_mut(&mut self) -> Option<&mut Tuning> {
        self.tuning.as_mut()
    }

    fn history(&self) -> Option<Ref<'_, History>> {
        self.history()
    }

    fn newton(&mut self) -> Option<&mut NewtonSolver> {
        Some(self)
    }
}

/// What solves one of the deck's problems. Collective.
pub(super) fn solver_of(
    deck: &Deck,
    options: &SolverOptions,
    problem: &Rc<Problem>,
    matrix: &Matrix,
) -> Result<Box<dyn StageSolver>> {
    let comm = &problem.space.mesh.comm;
    let mut options = options.clone();
    let index = deck.physics.iter().position(|physics| physics.name() == problem.name);
    let may =
        options.method == SolverMethod::Auto && index.is_some_and(|index| deck.may_choose_schwarz(index));
    if may && RestrictedSchwarz::pays(problem) {
        options.method = SolverMethod::Schwarz;
    }
    let options = &options;
    let tuning = comm.agree(Tuning::of(deck, options, comm))?;
    let restricted = RestrictedSchwarz::of(problem, deck.partition.overlap, options)?;
    if !problem.is_linear_system() {
        let mut newton = NewtonSolver::new(problem, matrix, options)?;
        if let Some(method) = restricted {
            newton.use_restricted(method)?;
        }
        newton.tuning = tuning;
        return Ok(Box::new(newton));
    }
    if let Some(tuning) = tuning {
        return Ok(Box::new(TunedSolver::new(&problem.space, &problem.name, options, tuning)));
    }
    let mut solver = LinearSolver::new(&problem.space, &problem.name, options)?;
    if let Some(method) = restricted {
        solver.use_restricted(method)?;
    } else if options.method == SolverMethod::Schwarz {
        let gating = Rc::new(Gating::new(&problem.space, deck.partition.overlap)?);
        let coarse = Some(CoarseModes::of(problem));
        solver.use_experts(Mixture::new(problem.space.clone(), gating, coarse));
    }
    Ok(Box::new(solver))
}
