//! One problem of a deck with its system, its solver and its solution.
use super::solver::{StageSolver, System, solver_of};
use crate::Result;
use crate::deck::{Deck, SolverOptions};
use crate::fem::{Essential, History, Space};
use crate::mixture::rigid_body_modes;
use crate::physics::coefficient::NodalField;
use crate::physics::{Context, Problem};
use crate::solver::tuning::Tuning;
use crate::solver::{LinearSolver, NewtonSolver, Outcome, Support, TimeIntegrator};
use petsc_rs::{Matrix, Vector};
use std::cell::Ref;
use std::rc::Rc;
use std::time::Instant;

/// One problem with its system, its solver and its solution.
pub struct Stage {
    /// The discrete problem.
    pub problem: Rc<Problem>,
    pub(super) matrix: Matrix,
    pub(super) load: Vector,
    /// The essential conditions of the last assembly or solve.
    pub(super) essential: Essential,
    pub(super) solution: Vector,
    /// The complete residual of the last time step, see [`Trial`](crate::solver::Trial), or of a guess that was accepted as
    /// the solution; `None` for other steady solves.
    pub(super) residual: Option<Vector>,
    /// Where the last step began, if `residual` is a mean over it.
    pub(super) before: Option<(Context, Vector)>,
    /// Whether it is at the start of a run in time, before any step.
    pub(super) starts: bool,
    pub(super) solver: Box<dyn StageSolver>,
    /// Its past, in a run in time, if it evolves.
    pub(super) past: Option<TimeIntegrator>,
    /// The solution as input of later problems (scalar fields only).
    input: Option<Rc<NodalField>>,
    pub(super) outcome: Outcome,
    assembly_seconds: f64,
    /// Seconds of a set-up of the preconditioner that no solve has used yet.
    preparation_seconds: f64,
    pub(super) support: Option<Support>,
}

/// The system of a stage, to fill it by other means than assembly, and its solution, to guess it.
pub struct Workplace<'a> {
    /// See [`System::matrix`].
    pub matrix: &'a mut Matrix,
    /// See [`System::load`].
    pub load: &'a mut Vector,
    /// The essential conditions.
    pub essential: &'a Essential,
    /// The guess.
    pub solution: &'a mut Vector,
}

impl Stage {
    /// A problem with nothing solved yet. Collective.
    pub(super) fn new(deck: &Deck, options: &SolverOptions, problem: Problem) -> Result<Self> {
        let problem = Rc::new(problem);
        let space = &problem.space;
        let mut matrix = problem.new_matrix()?;
        if problem.is_solid() {
            matrix.set_near_null_space(rigid_body_modes(space)?)?;
        }
        Ok(Self {
            load: space.field()?,
            essential: Essential::new(space, []),
            solution: space.field()?,
            residual: None,
            before: None,
            starts: false,
            solver: solver_of(deck, options, &problem, &matrix)?,
            past: None,
            input: (space.components == 1).then(|| Rc::new(NodalField::new(space.clone()))),
            outcome: Outcome::default(),
            assembly_seconds: 0.0,
            preparation_seconds: 0.0,
            support: None,
            matrix,
            problem,
        })
    }

    /// The space.
    pub fn space(&self) -> &Rc<Space> {
        &self.problem.space
    }

    /// The solution; ghosts are up to date after [`Simulation::solve`](crate::simulation::Simulation::solve).
    pub fn solution(&self) -> &Vector {
        &self.solution
    }

    /// The solution as input of later problems (scalar fields only).
    pub fn input(&self) -> Option<&Rc<NodalField>> {
        self.input.as_ref()
    }

    /// The system of the last assembly.
    pub fn assembled(&self) -> System<'_> {
        System { matrix: &self.matrix, load: &self.load, essential: &self.essential }
    }

    /// The same, to change it; with the guess.
    pub fn workplace(&mut self) -> Workplace<'_> {
        let Self { matrix, load, essential, solution, .. } = self;
        Workplace { matrix, load, essential, solution }
    }

    /// How the last solve went.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Seconds of the last assembly.
    pub fn assembly_seconds(&self) -> f64 {
        self.assembly_seconds
    }

    /// The PETSc options that define its solver.
    pub fn options(&self) -> &str {
        self.solver.options()
    }

    /// What tunes its solver, if anything does.
    pub fn tuning(&self) -> Option<&Tuning> {
        self.solver.tuning()
    }

    /// The same, to go on with an earlier run's choices.
    pub fn tuning_mut(&mut self) -> Option<&mut Tuning> {
        self.solver.tuning_mut()
    }

    /// Its linear solver, if one solves it.
    pub fn linear(&mut self) -> Option<&mut LinearSolver> {
        self.solver.linear()
    }

    /// Its nonlinear solver, if one solves it.
    pub fn newton(&mut self) -> Option<&mut NewtonSolver> {
        self.solver.newton()
    }

    /// Internal variables at the last accepted step, if the model has any.
    pub fn history(&self) -> Option<Ref<'_, History>> {
        self.solver.history()
    }

    /// Assembles matrix and load at these parameters, unless the solver does so itself. Collective.
    ///
    /// # Errors
    /// As [`Problem::at`], and where something is free to move and pushed.
    pub fn assemble(&mut self, context: &Context) -> Result<()> {
        let start = Instant::now();
        self.set_conditions(context)?;
        self.check_support(context)?;
        if self.problem.is_linear_system() {
            self.problem.assemble(context, &self.essential, &mut self.matrix, &mut self.load)?;
        }
        self.assembly_seconds = start.elapsed().as_secs_f64();
        Ok(())
    }

    /// Sets the essential conditions at these parameters, without an assembly. Collective.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) when a prescribed value is not finite.
    pub fn set_conditions(&mut self, context: &Context) -> Result<()> {
        self.essential = self.solver.conditions(&self.problem, context)?;
        Ok(())
    }

    /// Assembles and solves, and passes the solution on. Collective.
    ///
    /// # Errors
    /// As [`Stage::assemble`], and when the solver does not converge.
    pub fn solve(&mut self, context: &Context) -> Result<()> {
        self.assemble(context)?;
        self.prepare(context)?;
        self.solve_assembled(context)
    }

    /// Builds the preconditioner of the assembled matrix. Collective.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn prepare(&mut self, context: &Context) -> Result<()> {
        self.preparation_seconds = self.solver.prepare(context, &self.matrix)?;
        Ok(())
    }

    /// Solves the assembled system with the prepared preconditioner, and passes the solution on. Collective.
    ///
    /// # Errors
    /// When the solver does not converge.
    pub fn solve_assembled(&mut self, context: &Context) -> Result<()> {
        let Self { matrix, load, essential, solution, solver, .. } = self;
        self.outcome = solver.solve(context, System { matrix, load, essential }, solution)?;
        self.outcome.seconds += std::mem::take(&mut self.preparation_seconds);
        self.take_out_free_motions()?;
        self.publish()
    }

    /// Sets the first guess of the next solve: values of the owned unknowns. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn set_guess(&mut self, values: &[f64]) -> Result<()> {
        self.solution.write()?.copy_from_slice(values);
        Ok(self.solution.ghost_update()?)
    }

    /// The next solve starts from zero. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn forget_solution(&mut self) -> Result<()> {
        Ok(self.solution.set(0.0)?)
    }

    /// Sets the solution: values of the owned unknowns, which are passed on. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn set_solution(&mut self, values: &[f64]) -> Result<()> {
        self.set_guess(values)?;
        self.publish()
    }

    /// Takes the guess as the solution, as good as `outcome` says, and passes it on. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn accept(&mut self, outcome: Outcome) -> Result<()> {
        self.outcome = outcome;
        self.solution.ghost_update()?;
        self.publish()
    }

    /// Exchanges the complete residual of the solution, off which reactions are read: `None` where it is to be computed.
    pub fn replace_residual(&mut self, residual: Option<Vector>) -> Option<Vector> {
        std::mem::replace(&mut self.residual, residual)
    }

    /// Copies the solution to where later problems read it. Collective.
    pub(super) fn publish(&mut self) -> Result<()> {
        if let Some(input) = &self.input {
            self.solution.ghost_update()?;
            input.values.borrow_mut().copy_from_slice(&self.solution.local_read()?);
        }
        Ok(())
    }
}
