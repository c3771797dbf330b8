//! One problem of a deck with its system, its solver and its solution.
use crate::deck::{Deck, SolverMethod, SolverOptions};
use crate::fem::{Essential, History, Parts, Space};
use crate::mixture::{CoarseModes, Gating, Mixture};
use crate::physics::coefficient::NodalField;
use crate::physics::{Context, Problem};
use crate::solver::tuning::{TunedSolver, Tuning};
use crate::solver::{LinearSolver, NewtonSolver, Outcome, Support};
use crate::{Error, Result};
use petsc_rs::{Matrix, Vector};
use std::cell::Ref;
use std::rc::Rc;
use std::time::Instant;

/// What solves a problem.
pub enum StageSolver {
    /// One linear system.
    Linear(Box<LinearSolver>),
    /// One linear system, by a solver that is chosen anew each time.
    Tuned(Box<TunedSolver>),
    /// A nonlinear system, or one in each time step.
    Newton(Box<NewtonSolver>),
}

impl StageSolver {
    /// What solves one of the deck's problems. Collective.
    pub(super) fn new(
        deck: &Deck,
        options: &SolverOptions,
        problem: &Rc<Problem>,
        matrix: &Matrix,
    ) -> Result<Self> {
        let comm = &problem.space.mesh.comm;
        let tuning = comm.agree(Tuning::of(deck, options, comm))?;
        if !problem.is_linear_system() {
            let mut newton = NewtonSolver::new(problem, matrix, options)?;
            newton.tuning = tuning;
            return Ok(Self::Newton(Box::new(newton)));
        }
        if let Some(tuning) = tuning {
            let tuned = TunedSolver::new(&problem.space, &problem.name, options, tuning);
            return Ok(Self::Tuned(Box::new(tuned)));
        }
        let mut solver = LinearSolver::new(&problem.space, &problem.name, options)?;
        if options.method == SolverMethod::Schwarz {
            let gating = Rc::new(Gating::new(&problem.space, deck.partition.overlap)?);
            let modes = Some(CoarseModes::of(problem));
            solver.use_experts(Mixture::new(problem.space.clone(), gating, modes));
        }
        Ok(Self::Linear(Box::new(solver)))
    }

    /// The linear solver, where there is one.
    pub fn linear(&mut self) -> Option<&mut LinearSolver> {
        match self {
            Self::Linear(solver) => Some(solver),
            Self::Tuned(_) | Self::Newton(_) => None,
        }
    }

    /// Internal variables at the last accepted step, if the model has any.
    pub fn history(&self) -> Option<Ref<'_, History>> {
        match self {
            Self::Linear(_) | Self::Tuned(_) => None,
            Self::Newton(solver) => solver.history(),
        }
    }

    /// What tunes it, if anything does.
    pub fn tuning(&self) -> Option<&Tuning> {
        match self {
            Self::Linear(_) => None,
            Self::Tuned(solver) => Some(&solver.tuning),
            Self::Newton(solver) => solver.tuning.as_ref(),
        }
    }

    /// The same, to go on with an earlier run's choices.
    pub fn tuning_mut(&mut self) -> Option<&mut Tuning> {
        match self {
            Self::Linear(_) => None,
            Self::Tuned(solver) => Some(&mut solver.tuning),
            Self::Newton(solver) => solver.tuning.as_mut(),
        }
    }

    /// The PETSc options that define it.
    pub fn options(&self) -> &str {
        match self {
            Self::Linear(solver) => &solver.options,
            Self::Tuned(solver) => &solver.label,
            Self::Newton(solver) => &solver.options,
        }
    }
}

/// One problem with its system, its solver and its solution.
pub struct Stage {
    /// The discrete problem.
    pub problem: Rc<Problem>,
    /// Its matrix; essential unknowns eliminated.
    pub matrix: Matrix,
    /// Its load.
    pub load: Vector,
    /// The essential conditions of the last assembly.
    pub essential: Essential,
    /// The solution; ghosts are up to date after [`Simulation::solve`](crate::simulation::Simulation::solve).
    pub solution: Vector,
    /// The complete residual of the last time step, see [`Trial`](crate::solver::Trial), or of a guess that a campaign took as
    /// the solution; `None` for other steady solves.
    pub residual: Option<Vector>,
    /// Where the last step began, if `residual` is a mean over it.
    pub before: Option<(Context, Vector)>,
    /// Whether it is at the start of a run in time, before any step.
    pub starts: bool,
    /// The solver.
    pub solver: StageSolver,
    /// The solution as input of later problems (scalar fields only).
    pub input: Option<Rc<NodalField>>,
    /// How the last solve went.
    pub outcome: Outcome,
    /// Seconds of the last assembly.
    pub assembly_seconds: f64,
    /// Seconds of a set-up of the preconditioner that no solve has used yet.
    pub(super) preparation_seconds: f64,
    pub(super) support: Option<Support>,
}

impl Stage {
    /// Assembles matrix and load at these parameters. Collective.
    pub fn assemble(&mut self, context: &Context) -> Result<()> {
        let start = Instant::now();
        self.essential = self.problem.essential(context)?;
        self.check_support(context)?;
        if let StageSolver::Tuned(solver) = &mut self.solver {
            solver.set_context(context);
        }
        self.problem.assemble(context, &self.essential, &mut self.matrix, &mut self.load)?;
        self.assembly_seconds = start.elapsed().as_secs_f64();
        Ok(())
    }

    /// Assembles and solves, and passes the solution on. Collective.
    pub fn solve(&mut self, context: &Context) -> Result<()> {
        if let StageSolver::Newton(newton) = &mut self.solver {
            let start = Instant::now();
            newton.set_time(context)?;
            self.essential = newton.essential().clone();
            let guess = self.solution.try_clone()?;
            self.check_support(context)?;
            let StageSolver::Newton(newton) = &mut self.solver else { return Ok(()) };
            let mut outcome = newton.solve(context, Parts::REST, None, &mut self.solution)?;
            let mut note = String::new();
            if let (Some(failure), true) = (&outcome.failure, newton.evolves()) {
                self.solution.copy_from(&guess)?;
                self.solution.ghost_update()?;
                let (continued, steps) = newton.continuation(context, &mut self.solution)?;
                note = format!("{failure}; {steps} steps of pseudo-transient continuation instead");
                outcome = continued;
            }
            if let Some(failure) = outcome.failure {
                let separator = if note.is_empty() { "" } else { "; " };
                return Err(Error::Failed(format!("{note}{separator}{failure}")));
            }
            self.essential = newton.essential().clone();
            let first = outcome.history.first().copied().unwrap_or(1.0);
            let last = outcome.history.last().copied().unwrap_or(0.0);
            self.outcome = Outcome {
                iterations: outcome.iterations,
                residual: last / first.max(f64::MIN_POSITIVE),
                history: outcome.history,
                seconds: start.elapsed().as_secs_f64(),
                note,
            };
            return self.publish();
        }
        self.assemble(context)?;
        self.prepare()?;
        self.solve_assembled()
    }

    /// Builds the preconditioner of the assembled matrix. Collective.
    pub fn prepare(&mut self) -> Result<()> {
        self.preparation_seconds = match &mut self.solver {
            StageSolver::Linear(solver) => solver.set_matrix(&self.matrix)?,
            StageSolver::Tuned(solver) => solver.set_matrix(&self.matrix)?,
            StageSolver::Newton(_) => return Ok(()),
        };
        Ok(())
    }

    /// Solves the assembled system with the prepared preconditioner, and passes the solution on. Collective.
    pub fn solve_assembled(&mut self) -> Result<()> {
        let (matrix, load, essential) = (&self.matrix, &self.load, &self.essential);
        self.outcome = match &mut self.solver {
            StageSolver::Linear(solver) => solver.solve(matrix, load, essential, &mut self.solution)?,
            StageSolver::Tuned(solver) => solver.solve(matrix, load, essential, &mut self.solution)?,
            StageSolver::Newton(_) => return Ok(()),
        };
        self.outcome.seconds += std::mem::take(&mut self.preparation_seconds);
        self.take_out_free_motions()?;
        self.publish()
    }

    /// Copies the solution to where later problems read it. Collective.
    pub fn publish(&mut self) -> Result<()> {
        if let Some(input) = &self.input {
            self.solution.ghost_update()?;
            input.values.borrow_mut().copy_from_slice(&self.solution.local_read()?);
        }
        Ok(())
    }

    /// Goes back to the newest accepted step. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn restore(&mut self, integrator: &crate::solver::TimeIntegrator) -> Result<()> {
        self.solution.copy_from(integrator.solution())?;
        self.solution.ghost_update()?;
        self.publish()
    }

    /// The space.
    pub fn space(&self) -> &Rc<Space> {
        &self.problem.space
    }
}
