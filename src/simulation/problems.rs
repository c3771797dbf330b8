//! A deck's problems on one mesh, solved in their order.
use super::stage::{Stage, StageSolver};
use crate::deck::{Deck, SolverOptions};
use crate::fem::Essential;
use crate::mesh::Mesh;
use crate::mixture::rigid_body_modes;
use crate::parallel::Comm;
use crate::physics::coefficient::{NodalField, Source};
use crate::physics::{Context, build};
use crate::random::RandomFields;
use crate::solver::Outcome;
use crate::{Error, Result};
use std::rc::Rc;

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
            if stage.problem.is_solid() {
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
