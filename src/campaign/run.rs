//! The many solves of a campaign, one after the other, each stored as soon as it is done.
use super::part::Selection;
use super::transient;
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
    selection: &'a Selection,
    plans: Vec<Redistribution>,
    /// Random fields, each with its name and the plan to write it.
    inputs: Vec<(String, Rc<NodalField>, Redistribution)>,
    /// Times of the frames that are stored, if the problems evolve in time.
    times: Option<Vec<f64>>,
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
        let comm = simulation.mesh.comm.clone();
        let plans: Vec<Redistribution> =
            simulation.stages.iter().map(|s| s.problem.space.canonical()).collect();
        let with_plan = |(name, field): (String, Rc<NodalField>)| {
            let plan = field.space.canonical();
            (name, field, plan)
        };
        let inputs: Vec<_> = simulation.random.inputs().into_iter().map(with_plan).collect();
        let times = transient::times(&simulation.deck);
        let exists = comm.max(u8::from(comm.rank() == 0 && path.exists())) == 1;
        let dataset = if exists {
            let dataset = DatasetFile::open(&comm, path, true)?;
            dataset.expect_samples(&selection.named)?;
            if dataset.times()? != times {
                let message = "it holds other frames than the deck asks for; remove it, or name another file";
                return Err(Error::input(dataset.file().label(), message));
            }
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
            let samples = (&selection.named, times.as_deref());
            DatasetFile::create(&comm, path, provenance, samples, &fields, &quantities, |file| {
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
        Ok(Self { simulation, dataset, selection, plans, inputs, times })
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
        for sample in self.pending()? {
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
        let context = Context {
            // The number in the undivided campaign.
            sample: self.selection.numbers[sample] as u64,
            time: self.simulation.deck.time.as_ref().map_or(0.0, |time| time.start),
            parameters: self.selection.samples[sample].clone(),
        };
        let solved = comm.agree(self.solve(sample, &context));
        let of_stages = || self.simulation.stages.iter().map(|s| s.outcome.iterations).sum();
        let iterations = solved.as_ref().map_or_else(|_| of_stages(), |&found| found);
        let (status, failure) = match solved {
            Ok(_) => {
                for (name, field, plan) in &self.inputs {
                    let values = &field.values.borrow()[..field.space.owned_nodes];
                    self.dataset.file().write_input(name, sample as u64, plan, values)?;
                }
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

    /// Solves a sample and stores its solutions and quantities; the Krylov iterations. Collective.
    fn solve(&mut self, sample: usize, context: &Context) -> Result<usize> {
        let Self { simulation, dataset, plans, times, .. } = self;
        // By frame.
        let mut quantities: Vec<Vec<f64>> = Vec::new();
        let mut store = |simulation: &Simulation, context: &Context, frame: usize| -> Result<()> {
            quantities.push(simulation.mesh.comm.agree(simulation.quantities(context))?);
            for (stage, plan) in simulation.stages.iter().zip(plans.iter()) {
                dataset.write_field((sample, frame), &stage.problem.field, plan, &stage.solution.read()?)?;
            }
            Ok(())
        };
        let iterations = match times {
            Some(times) => transient::integrate(simulation, times, context, &mut store)?,
            None => {
                let comm = simulation.mesh.comm.clone();
                comm.agree(simulation.solve(context))?;
                store(simulation, context, 0)?;
                simulation.stages.iter().map(|s| s.outcome.iterations).sum()
            }
        };
        for (q, quantity) in simulation.deck.quantity.iter().enumerate() {
            let values: Vec<f64> = quantities.iter().map(|frame| frame[q]).collect();
            dataset.write_quantity(sample, &quantity.name, &values)?;
        }
        Ok(iterations)
    }

    /// Closes the dataset. Collective.
    pub fn close(self) -> Result<()> {
        self.dataset.close()
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
