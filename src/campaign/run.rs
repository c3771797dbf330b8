//! The many solves of a campaign, one after the other, each stored as soon as it is done.
use super::part::Selection;
use crate::deck::{
    CampaignSection, CheckpointSection, ConstraintSection, Deck, OutputSection, PartitionSection, RomSection,
    SolverMethod, SolverOptions,
};
use crate::parallel::Redistribution;
use crate::physics::Context;
use crate::physics::coefficient::NodalField;
use crate::solver::Simulation;
use crate::storage::{DatasetFile, Field, File, Provenance, Status};
use crate::{Error, Result};
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

/// What became of one sample.
#[derive(Debug, Clone)]
pub struct SampleReport {
    /// Its number in the undivided campaign, from 0.
    pub sample: usize,
    /// Krylov iterations over all problems.
    pub iterations: usize,
    /// Seconds it took.
    pub seconds: f64,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// Why the first attempt failed, if there were two.
    pub retried: Option<String>,
}

/// A simulation with the dataset that its samples go to.
pub struct Campaign<'a> {
    simulation: &'a mut Simulation,
    dataset: DatasetFile,
    selection: &'a Selection,
    plans: Vec<Redistribution>,
    /// Random fields, each with its name and the plan to write it.
    inputs: Vec<(String, Rc<NodalField>, Redistribution)>,
}

impl<'a> Campaign<'a> {
    /// Opens the dataset of an interrupted campaign, or makes a new one. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when the file holds another design, or was made with another deck.
    pub fn open(
        simulation: &'a mut Simulation,
        path: &Path,
        provenance: &Provenance,
        selection: &'a Selection,
    ) -> Result<Self> {
        if simulation.deck.time.is_some() {
            return Err(simulation.deck.fault("time", "a campaign solves steady problems: leave [time] out"));
        }
        let comm = simulation.mesh.comm.clone();
        let plans: Vec<Redistribution> =
            simulation.stages.iter().map(|s| s.problem.space.canonical()).collect();
        let with_plan = |(name, field): (String, Rc<NodalField>)| {
            let plan = field.space.canonical();
            (name, field, plan)
        };
        let inputs: Vec<_> = simulation.random.inputs().into_iter().map(with_plan).collect();
        let exists = comm.max(u8::from(comm.rank() == 0 && path.exists())) == 1;
        let dataset = if exists {
            let dataset = DatasetFile::open(&comm, path, true)?;
            dataset.expect_samples(&selection.named)?;
            same_problem(&simulation.deck, dataset.file())?;
            dataset
        } else {
            let fields: Vec<Field> = simulation
                .stages
                .iter()
                .zip(&plans)
                .map(|(stage, plan)| {
                    let problem = &stage.problem;
                    let space = &problem.space;
                    Field::nodes(&problem.field, &problem.unit, space.components, space.element.degree, plan)
                        .meaning("solution")
                        .physics(&problem.name)
                })
                .collect();
            let units: Vec<String> =
                simulation.deck.quantity.iter().map(|q| simulation.quantity_unit(q)).collect();
            let quantities: Vec<_> = simulation
                .deck
                .quantity
                .iter()
                .zip(&units)
                .map(|(q, unit)| (q.name.as_str(), unit.as_str(), "quantity of interest"))
                .collect();
            DatasetFile::create(&comm, path, provenance, &selection.named, &fields, &quantities, |file| {
                DatasetFile::write_numbers(file, &selection.numbers)?;
                selection.part.map_or(Ok(()), |part| file.set("/", "part", part.to_string()))?;
                simulation.mesh.write(file)?;
                for (name, _, plan) in &inputs {
                    let input = Field::nodes(name, "", 1, 1, plan).meaning("Gaussian random field");
                    file.create_input(&input, selection.samples.len() as u64)?;
                }
                simulation.stages.iter().try_for_each(|s| s.problem.space.write(file))
            })?
        };
        Ok(Self { simulation, dataset, selection, plans, inputs })
    }

    /// The dataset.
    pub fn dataset(&self) -> &DatasetFile {
        &self.dataset
    }

    /// Samples of the dataset that are neither done nor failed, ascending. Collective.
    pub fn pending(&self) -> Result<Vec<usize>> {
        let status = self.dataset.status()?;
        Ok((0..status.len()).filter(|&i| status[i] == Status::Pending).collect())
    }

    /// The pending samples in the order in which they are to be solved: the same on all ranks. Collective.
    pub fn order(&self) -> Result<Vec<usize>> {
        self.pending()
    }

    /// Solves and stores every pending sample until `observe` returns false. Collective.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn run(&mut self, mut observe: impl FnMut(&SampleReport) -> bool) -> Result<()> {
        for sample in self.order()? {
            let report = self.solve(sample)?;
            if !observe(&report) {
                break;
            }
        }
        Ok(())
    }

    /// Solves a sample and stores it. One whose solver fails is tried once more from zero with [careful](careful) solvers,
    /// then marked as failed and left behind. Collective.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn solve(&mut self, sample: usize) -> Result<SampleReport> {
        let start = Instant::now();
        let comm = self.simulation.mesh.comm.clone();
        let context = Context {
            // The number in the undivided campaign.
            sample: self.selection.numbers[sample] as u64,
            ..Context::steady(self.selection.samples[sample].clone())
        };
        let mut solved = attempt(self.simulation, &context);
        let (mut second, mut retried) = (None, None);
        if solved.is_err() {
            // A diverged solution is no first guess.
            for stage in &mut self.simulation.stages {
                stage.solution.set(0.0)?;
            }
        }
        if let Err(error @ (Error::Failed(_) | Error::Petsc(_))) = &solved {
            retried = Some(error.to_string());
            solved = comm.agree(careful(self.simulation)).and_then(|mut again| {
                let solved = attempt(&mut again, &context);
                second = Some(again);
                solved
            });
        }
        let solver: &Simulation = second.as_ref().unwrap_or(self.simulation);
        let iterations: usize = solver.stages.iter().map(|s| s.outcome.iterations).sum();
        let (status, failure) = match solved {
            Ok(quantities) => {
                for (stage, plan) in solver.stages.iter().zip(&self.plans) {
                    let values = stage.solution.read()?;
                    self.dataset.write_field(sample, &stage.problem.field, plan, &values)?;
                }
                for (name, field, plan) in &self.inputs {
                    let values = &field.values.borrow()[..field.space.owned_nodes];
                    self.dataset.file().write_input(name, sample as u64, plan, values)?;
                }
                for (quantity, value) in solver.deck.quantity.iter().zip(quantities) {
                    self.dataset.write_quantity(sample, &quantity.name, value)?;
                }
                (Status::Done, None)
            }
            // Also a coefficient that these parameters make infinite or of the wrong sign.
            Err(error @ (Error::Failed(_) | Error::Petsc(_) | Error::Input(_))) => {
                self.dataset.write_failure(sample, &error.to_string())?;
                (Status::Failed, Some(error.to_string()))
            }
            Err(other) => return Err(other),
        };
        let seconds = comm.max(start.elapsed().as_secs_f64());
        self.dataset.finish_sample(sample, status, iterations as u64, seconds)?;
        let sample = self.selection.numbers[sample];
        Ok(SampleReport { sample, iterations, seconds, failure, retried })
    }

    /// Closes the dataset. Collective.
    pub fn close(self) -> Result<()> {
        self.dataset.close()
    }
}

/// Solves for one sample; its quantities of interest. Collective.
fn attempt(simulation: &mut Simulation, context: &Context) -> Result<Vec<f64>> {
    let solved = simulation.solve(context);
    let comm = simulation.mesh.comm.clone();
    comm.agree(solved.and_then(|()| simulation.quantities(context)))
}

/// Second attempts factorise systems up to these sizes (in one, two, three dimensions): more takes too much memory.
const FACTORISED: [u64; 3] = [5_000_000, 1_000_000, 100_000];

/// The same problems with solvers that know nothing of earlier samples and that rarely fail: factorisations, or our
/// defaults with twice the iterations where these are too large; without the deck's PETSc options. Collective.
fn careful(simulation: &Simulation) -> Result<Simulation> {
    let (deck, mesh) = (&simulation.deck, &simulation.mesh);
    let largest = FACTORISED[mesh.dimension - 1];
    Simulation::with_solvers(deck, mesh.clone(), |index| {
        let options = deck.solver_options(index);
        let small = simulation.stages[index].space().global_dofs() <= largest;
        SolverOptions {
            method: if small { SolverMethod::Direct } else { SolverMethod::Auto },
            max_iterations: options.max_iterations.saturating_mul(2),
            petsc: String::new(),
            ..options
        }
    })
}

/// Whether a file's deck describes the same problems: what it says of output, campaign and reduced models
/// does not matter.
fn same_problem(deck: &Deck, file: &File) -> Result<()> {
    let stored = file.text("/", "deck")?;
    let Ok(stored) = Deck::parse(&stored, file.label(), &[]) else {
        // Written by another version; the names and values of its parameters agree at least.
        return Ok(());
    };
    if problem_text(&stored) == problem_text(deck) {
        return Ok(());
    }
    Err(Error::input(
        file.label(),
        "it was made with a deck that describes another problem; remove it, or name another file",
    ))
}

/// Mesh, physics and quantities of a deck.
fn problem_text(deck: &Deck) -> String {
    let mut deck = deck.clone();
    deck.title.clear();
    deck.partition = PartitionSection::default();
    deck.solver = SolverOptions::default();
    deck.output = OutputSection::default();
    deck.checkpoint = CheckpointSection::default();
    deck.constraint = ConstraintSection::default();
    deck.campaign = CampaignSection::default();
    deck.rom = RomSection::default();
    deck.exact.clear();
    deck.to_toml()
}
