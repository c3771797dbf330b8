//! A deck's problems on one mesh, solved in their order.
use super::coarse::CoarseModes;
use super::gating::Gating;
use super::linear::{LinearSolver, Outcome};
use super::newton::NewtonSolver;
use super::random::RandomFields;
use super::rigid_body_modes;
use super::schwarz::SchwarzOptions;
use super::support::Support;
use super::tuning::{TunedSolver, Tuning};
use crate::deck::{Deck, SolverMethod, SolverOptions};
use crate::fem::{Essential, History, Parts, Space};
use crate::mesh::Mesh;
use crate::parallel::Comm;
use crate::physics::coefficient::{NodalField, Source};
use crate::physics::{Context, Equation, Model, Problem, build};
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
    fn new(deck: &Deck, options: &SolverOptions, problem: &Rc<Problem>, matrix: &Matrix) -> Result<Self> {
        let comm = &problem.space.mesh.comm;
        let tuning = comm.agree(Tuning::of(deck, options, comm))?;
        if problem.model.equation().is_some() {
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
            let coarse = Some(CoarseModes::of(problem));
            solver.use_experts(problem.space.clone(), gating, SchwarzOptions { coarse });
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
    /// The solution; ghosts are up to date after [`Simulation::solve`].
    pub solution: Vector,
    /// The complete residual of the last time step, see [`Trial`](super::Trial), or of a guess that a campaign took as
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
    preparation_seconds: f64,
    pub(super) support: Option<Support>,
}

/// Everything that a deck describes, ready to be solved for any parameters.
pub struct Simulation {
    /// The deck.
    pub deck: Deck,
    /// The mesh.
    pub mesh: Rc<Mesh>,
    /// The random fields, at their present draw.
    pub random: RandomFields,
    /// The problems, in the order of the deck.
    pub stages: Vec<Stage>,
}

impl Simulation {
    /// Builds mesh, spaces, sparsity and solvers. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when the deck does not fit the mesh.
    pub fn new(comm: &Comm, deck: &Deck) -> Result<Self> {
        let mesh = Rc::new(Mesh::build(comm, &deck.mesh_source(), &deck.partition_options())?);
        Self::on_mesh(deck, mesh)
    }

    /// As [`Simulation::new`] on a mesh that is there already. Collective.
    pub fn on_mesh(deck: &Deck, mesh: Rc<Mesh>) -> Result<Self> {
        Self::with_solvers(deck, mesh, |index| deck.solver_options(index))
    }

    /// As [`Simulation::on_mesh`] with other solvers, by the number of the physics. Collective.
    pub fn with_solvers(
        deck: &Deck,
        mesh: Rc<Mesh>,
        solvers: impl Fn(usize) -> SolverOptions,
    ) -> Result<Self> {
        deck.validate_dimension(mesh.dimension)?;
        mesh.comm.agree(deck.validate_markers(&mesh.region_names, &mesh.facets.names, &mesh.source))?;
        let random = RandomFields::new(deck, &mesh)?;
        let mut stages: Vec<Stage> = Vec::new();
        for index in 0..deck.physics.len() {
            let mut inputs = random.inputs();
            inputs.extend(
                stages.iter().filter_map(|s| s.input.clone().map(|field| (s.problem.name.clone(), field))),
            );
            let problem = Rc::new(build::build(deck, index, &mesh, &inputs)?);
            let matrix = problem.new_matrix()?;
            let load = problem.space.field()?;
            let solution = problem.space.field()?;
            let solver = StageSolver::new(deck, &solvers(index), &problem, &matrix)?;
            let input =
                (problem.space.components == 1).then(|| Rc::new(NodalField::new(problem.space.clone())));
            let essential = Essential::new(&problem.space, []);
            let mut stage = Stage {
                problem,
                matrix,
                load,
                essential,
                solution,
                residual: None,
                before: None,
                starts: false,
                solver,
                input,
                outcome: Outcome::default(),
                assembly_seconds: 0.0,
                preparation_seconds: 0.0,
                support: None,
            };
            if let Model::Elasticity { .. } | Model::Equation(Equation::Viscoplasticity) = stage.problem.model
            {
                let modes = rigid_body_modes(&stage.problem.space)?;
                stage.matrix.set_near_null_space(modes)?;
            }
            stages.push(stage);
        }
        let simulation = Self { deck: deck.clone(), mesh, random, stages };
        super::placement::check(deck, &simulation.mesh, simulation.stages[0].space())?;
        Ok(simulation)
    }

    /// The deck's default parameters.
    pub fn default_context(&self) -> Context {
        Context::steady(self.deck.default_parameters())
    }

    /// Assembles and solves every problem, each with the fields of the earlier ones. Collective.
    pub fn solve(&mut self, context: &Context) -> Result<()> {
        let Self { deck, stages, random, .. } = self;
        random.draw(context.sample)?;
        stages.iter_mut().try_for_each(|stage| stage.solve(context)).map_err(|error| deck.locate(error))
    }

    /// Sets the solutions that evolve in time to the deck's initial values at the start. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when an initial value is not finite.
    pub fn set_initial(&mut self, context: &Context) -> Result<()> {
        let variables = self.deck.field_variables();
        for (number, initial) in self.deck.initial.iter().enumerate() {
            let Some((index, _)) = self.deck.field_of(initial.field.as_deref(), None) else { continue };
            let stage = &mut self.stages[index];
            let functions = initial
                .value
                .parse(&variables)
                .map_err(|error| Error::input("", format!("initial[{number}].value: {error}")))?;
            let space = stage.problem.space.clone();
            let mut finite = true;
            {
                let mut values = stage.solution.write()?;
                for (i, function) in functions.into_iter().enumerate().take(space.components) {
                    let of_nodes = match build::source(&self.deck, function, &self.random.inputs()) {
                        Source::Fields(formula) => formula.at_nodes_of(&space, context),
                        source => (0..space.owned_nodes)
                            .map(|node| source.evaluate(&context.arguments(&space.point(node)), 0.0))
                            .collect(),
                    };
                    for (node, value) in of_nodes.into_iter().enumerate().take(space.owned_nodes) {
                        finite &= value.is_finite();
                        values[node * space.components + i] = value;
                    }
                }
            }
            let key = format!("initial[{number}].value");
            let fault = self.deck.fault(&key, "the initial value is not finite somewhere");
            self.mesh.comm.agree(if finite { Ok(()) } else { Err(fault) })?;
            let stage = &mut self.stages[index];
            stage.solution.ghost_update()?;
            stage.publish()?;
        }
        Ok(())
    }

    /// Begins with new solvers, as a run that is restarted does: multigrid keeps coarse spaces and block
    /// preconditioners parts of earlier steps, which no checkpoint holds, so a run that goes on would not give the bits
    /// of one that is restarted. Factorisations keep nothing and stay. `initial` is what the solvers began with.
    /// Collective.
    pub fn renew_solvers(&mut self, initial: &Context) -> Result<()> {
        for (index, stage) in self.stages.iter_mut().enumerate() {
            if stage.solver.options().contains("-ksp_type preonly") {
                continue;
            }
            let mut solver = StageSolver::new(
                &self.deck,
                &self.deck.solver_options(index),
                &stage.problem,
                &stage.matrix,
            )?;
            match (&mut stage.solver, &mut solver) {
                (StageSolver::Newton(old), StageSolver::Newton(new)) => {
                    new.set_time(initial)?;
                    new.take_over(old)?;
                    new.tuning = old.tuning.take();
                }
                (StageSolver::Tuned(old), StageSolver::Tuned(new)) => {
                    std::mem::swap(&mut old.tuning, &mut new.tuning);
                }
                _ => {}
            }
            stage.solver = solver;
        }
        Ok(())
    }

    /// How the tuned solvers fared: lines for the end of a run.
    pub fn tuning_report(&self) -> Vec<String> {
        let report = |s: &Stage| s.solver.tuning().map_or(Vec::new(), |t| t.report(&s.problem.name));
        self.stages.iter().flat_map(report).collect()
    }

    /// The space of a field.
    pub fn stage(&self, field: &str) -> Option<&Stage> {
        self.stages.iter().find(|s| s.problem.field == field || s.problem.name == field)
    }
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
    pub fn restore(&mut self, integrator: &super::time::TimeIntegrator) -> Result<()> {
        self.solution.copy_from(integrator.solution())?;
        self.solution.ghost_update()?;
        self.publish()
    }

    /// The space.
    pub fn space(&self) -> &Rc<Space> {
        &self.problem.space
    }
}
