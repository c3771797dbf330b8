//! A deck's problems on one mesh, solved in their order.
use super::solver::solver_of;
use super::stage::Stage;
use crate::Result;
use crate::deck::{Deck, SolverOptions};
use crate::memory::Present;
use crate::mesh::Mesh;
use crate::parallel::Comm;
use crate::physics::{Context, build};
use crate::random::RandomFields;
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
    /// [`Error::Input`](crate::Error::Input) when the deck does not fit the mesh.
    pub fn new(comm: &Comm, deck: &Deck) -> Result<Self> {
        let mesh = Rc::new(Mesh::build(comm, &deck.mesh_source(), &deck.partition_options())?);
        Self::on_mesh(deck, mesh)
    }

    /// As [`Simulation::new`] on a mesh that is there already. Collective.
    ///
    /// # Errors
    /// As for [`Simulation::new`].
    pub fn on_mesh(deck: &Deck, mesh: Rc<Mesh>) -> Result<Self> {
        Self::with_solvers(deck, mesh, |index| deck.solver_options(index))
    }

    /// As [`Simulation::on_mesh`] with other solvers, by the number of the physics. Collective.
    ///
    /// # Errors
    /// As for [`Simulation::new`].
    pub fn with_solvers(
        deck: &Deck,
        mesh: Rc<Mesh>,
        solvers: impl Fn(usize) -> SolverOptions,
    ) -> Result<Self> {
        let simulation = Self::on_part(deck, mesh, |mesh| RandomFields::new(deck, mesh), solvers)?;
        super::placement::check(deck, &simulation.mesh, simulation.stages[0].space())?;
        Ok(simulation)
    }

    /// As [`Simulation::with_solvers`] on a mesh that may be part of another, so that points of quantities need not lie in
    /// it, with random fields that are made on it. Collective.
    ///
    /// # Errors
    /// As for [`Simulation::new`].
    pub fn on_part(
        deck: &Deck,
        mesh: Rc<Mesh>,
        random: impl FnOnce(&Rc<Mesh>) -> Result<RandomFields>,
        solvers: impl Fn(usize) -> SolverOptions,
    ) -> Result<Self> {
        deck.validate_dimension(mesh.dimension)?;
        mesh.comm.agree(deck.validate_markers(&mesh.region_names, &mesh.facets.names, &mesh.source))?;
        let random = random(&mesh)?;
        let mut stages: Vec<Stage> = Vec::new();
        for index in 0..deck.physics.len() {
            let mut inputs = random.inputs();
            inputs.extend(stages.iter().filter_map(|s| Some((s.problem.name.clone(), s.input()?.clone()))));
            let problem = build::build(deck, index, &mesh, &inputs)?;
            stages.push(Stage::new(deck, &solvers(index), problem)?);
        }
        Ok(Self { deck: deck.clone(), mesh, random, stages })
    }

    /// The deck's default parameters.
    pub fn default_context(&self) -> Context {
        Context::steady(self.deck.default_parameters())
    }

    /// Assembles and solves every problem, each with the fields of the earlier ones. Collective.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) for data that no material can have, [`Error::Failed`](crate::Error::Failed) when a solver does not converge.
    pub fn solve(&mut self, context: &Context) -> Result<()> {
        let Self { deck, stages, random, .. } = self;
        random.draw(context.sample)?;
        stages.iter_mut().try_for_each(|stage| stage.solve(context)).map_err(|error| deck.locate(error))
    }

    /// Begins with new solvers, as a run that is restarted does: multigrid keeps coarse spaces and block
    /// preconditioners parts of earlier steps, which no checkpoint holds, so a run that goes on would not give the bits
    /// of one that is restarted. Factorisations keep nothing and stay. `initial` is what the solvers began with.
    /// Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn renew_solvers(&mut self, initial: &Context) -> Result<()> {
        for (index, stage) in self.stages.iter_mut().enumerate() {
            if stage.options().contains("-ksp_type preonly") {
                continue;
            }
            let options = self.deck.solver_options(index);
            let mut solver = solver_of(&self.deck, &options, &stage.problem, &stage.matrix)?;
            solver.conditions(&stage.problem, initial)?;
            // What it learnt goes over as it is, with its statistics.
            if let (Some(old), Some(new)) = (stage.solver.tuning_mut(), solver.tuning_mut()) {
                std::mem::swap(old, new);
            }
            solver.restore(&Present(stage.solver.remembered()))?;
            stage.solver = solver;
        }
        Ok(())
    }

    /// How the tuned solvers fared: lines for the end of a run.
    pub fn tuning_report(&self) -> Vec<String> {
        let report = |s: &Stage| s.tuning().map_or(Vec::new(), |t| t.report(&s.problem.name));
        self.stages.iter().flat_map(report).collect()
    }

    /// The space of a field.
    pub fn stage(&self, field: &str) -> Option<&Stage> {
        self.stages.iter().find(|s| s.problem.field == field || s.problem.name == field)
    }
}
