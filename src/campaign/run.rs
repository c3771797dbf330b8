//! The many solves of a campaign, one after the other, each stored as soon as it is done.
use super::guess::{Effort, Guesses};
use super::part::Selection;
use crate::deck::{
    CampaignSection, CheckpointSection, ConstraintSection, Deck, OutputSection, PartitionSection, RomSection,
    SolverOptions,
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
}

/// A simulation with the dataset that its samples go to.
pub struct Campaign<'a> {
    simulation: &'a mut Simulation,
    dataset: DatasetFile,
    guesses: Guesses,
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
        let guesses = Guesses::new(simulation, &selection.samples);
        Ok(Self { simulation, dataset, guesses, selection, plans, inputs })
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

    /// Solves and stores every pending sample until `observe` returns false. A sample that cannot be
    /// solved is marked as failed and left behind. Collective.
    ///
    /// # Errors
    /// When the deck is wrong or the file cannot be written.
    pub fn run(&mut self, mut observe: impl FnMut(&SampleReport) -> bool) -> Result<()> {
        let pending = self.pending()?;
        if pending.is_empty() {
            return Ok(());
        }
        let of_dataset = (&self.dataset, self.plans.as_slice());
        self.guesses.recall(self.simulation, of_dataset, |sample| context(self.selection, sample))?;
        for sample in pending {
            let report = self.sample(sample)?;
            if !observe(&report) {
                break;
            }
        }
        Ok(())
    }

    fn sample(&mut self, sample: usize) -> Result<SampleReport> {
        let start = Instant::now();
        let comm = self.simulation.mesh.comm.clone();
        let context = context(self.selection, sample);
        let solved = self.guesses.solve(self.simulation, &context, (&self.dataset, &self.plans));
        let solved = comm.agree(solved.and_then(|()| self.simulation.quantities(&context)));
        let iterations: usize = self.simulation.stages.iter().map(|s| s.outcome.iterations).sum();
        let (status, failure) = match solved {
            Ok(quantities) => {
                for (stage, plan) in self.simulation.stages.iter().zip(&self.plans) {
                    let values = stage.solution.read()?;
                    self.dataset.write_field(sample, &stage.problem.field, plan, &values)?;
                }
                for (name, field, plan) in &self.inputs {
                    let values = &field.values.borrow()[..field.space.owned_nodes];
                    self.dataset.file().write_input(name, sample as u64, plan, values)?;
                }
                for (quantity, value) in self.simulation.deck.quantity.iter().zip(quantities) {
                    self.dataset.write_quantity(sample, &quantity.name, value)?;
                }
                self.guesses.finish(sample);
                (Status::Done, None)
            }
            // Also a coefficient that these parameters make infinite or of the wrong sign.
            Err(error @ (Error::Failed(_) | Error::Petsc(_) | Error::Input(_))) => {
                // A diverged solution is no first guess.
                for stage in &mut self.simulation.stages {
                    stage.solution.set(0.0)?;
                }
                (Status::Failed, Some(error.to_string()))
            }
            Err(other) => return Err(other),
        };
        let seconds = comm.max(start.elapsed().as_secs_f64());
        self.dataset.finish_sample(sample, status, iterations as u64, seconds)?;
        Ok(SampleReport { sample: self.selection.numbers[sample], iterations, seconds, failure })
    }

    /// What each problem has cost in this job.
    pub fn efforts(&self) -> Vec<Effort> {
        self.guesses.efforts().cloned().collect()
    }

    /// Closes the dataset. Collective.
    pub fn close(self) -> Result<()> {
        self.dataset.close()
    }
}

/// Where a sample of the selection is solved.
fn context(selection: &Selection, sample: usize) -> Context {
    Context {
        // The number in the undivided campaign.
        sample: selection.numbers[sample] as u64,
        ..Context::steady(selection.samples[sample].clone())
    }
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
