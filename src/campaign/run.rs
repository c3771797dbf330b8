//! The many solves of a campaign, one after the other, each stored as soon as it is done.
use super::order;
use super::part::Selection;
use crate::deck::{
    CampaignSection, CheckpointSection, ConstraintSection, Deck, Design, Order, OutputSection,
    PartitionSection, RomSection, SolverOptions,
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
}

impl<'a> Campaign<'a> {
    /// Opens the dataset of an interrupted campaign, or makes a new one. One of a smaller design that the present one begins
    /// with is rewritten with room for the others. Collective.
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
        let mut found = None;
        if exists {
            let dataset = DatasetFile::open(&comm, path, true)?;
            let whole = dataset
                .expect_samples(&selection.named, &selection.numbers)
                .map_err(|error| continued(&simulation.deck, &dataset, error))?;
            same_problem(&simulation.deck, dataset.file())?;
            found = Some((dataset, whole));
        }
        let dataset = if let Some((dataset, true)) = found {
            dataset
        } else {
            // Those of a smaller design, of which this one is the continuation.
            let first = found.map(|(dataset, _)| dataset);
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
            let named = &selection.named;
            DatasetFile::create(&comm, path, provenance, named, &fields, &quantities, first, |file| {
                DatasetFile::write_numbers(file, &selection.numbers)?;
                selection.part.map_or(Ok(()), |part| file.set("/", "part", part.to_string()))?;
                simulation.mesh.write(file)?;
                for (name, _, plan) in &inputs {
                    let input = Field::nodes(name, "", 1, 1, plan).meaning("Gaussian random field");
                    file.create_input(&input, selection.samples.len() as u64)?;
                }
                for (_, name, deviations) in simulation.random.expansions() {
                    let path = coefficients_path(name);
                    let shape = [selection.samples.len() as u64, deviations.len() as u64];
                    file.create_dataset::<f64>(&path, &shape)?;
                    file.set(
                        &path,
                        "meaning",
                        "standard normal coefficients of the Karhunen-Loeve expansion",
                    )?;
                    file.set(&path, "deviations", deviations)?;
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

    /// The pending samples in the order that the deck asks for, the same on all ranks. Collective.
    ///
    /// # Errors
    /// When PETSc fails or the file cannot be read.
    pub fn ordered(&mut self) -> Result<Vec<usize>> {
        let pending = self.pending()?;
        if self.simulation.deck.campaign.order == Order::Design || pending.len() < 3 {
            return Ok(pending);
        }
        let numbers: Vec<u64> = pending.iter().map(|&sample| self.selection.numbers[sample] as u64).collect();
        let parameters: Vec<Vec<f64>> =
            pending.iter().map(|&sample| self.selection.samples[sample].clone()).collect();
        let mut points = order::scaled(&parameters);
        for (point, signature) in points.iter_mut().zip(self.simulation.random.signatures(&numbers)?) {
            point.extend(signature);
        }
        // Rank 0 decides: elsewhere the last bits of a sum over ranks could differ.
        let comm = &self.simulation.mesh.comm;
        let order = if comm.rank() == 0 { order::nearest(&points) } else { Vec::new() };
        let order = comm.all_gather_varied(&order.iter().map(|&i| i as u64).collect::<Vec<_>>());
        Ok(order.into_iter().map(|i| pending[i as usize]).collect())
    }

    /// Solves and stores samples, mostly those of [`Campaign::ordered`], until `observe` returns false. A sample that
    /// cannot be solved is marked as failed and left behind. Collective.
    ///
    /// # Errors
    /// When the deck is wrong or the file cannot be written.
    pub fn run(&mut self, order: &[usize], mut observe: impl FnMut(&SampleReport) -> bool) -> Result<()> {
        for &sample in order {
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
            ..Context::steady(self.selection.samples[sample].clone())
        };
        let solved = self.simulation.solve(&context);
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
                for (number, name, _) in self.simulation.random.expansions() {
                    let values = self.simulation.random.coefficients(number, context.sample);
                    let mine = if comm.rank() == 0 { &values[..] } else { &[] };
                    self.dataset.file().write_rows(&coefficients_path(name), sample as u64, mine)?;
                }
                for (quantity, value) in self.simulation.deck.quantity.iter().zip(quantities) {
                    self.dataset.write_quantity(sample, &quantity.name, value)?;
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

    /// Closes the dataset. Collective.
    pub fn close(self) -> Result<()> {
        self.dataset.close()
    }
}

/// Adds to a refusal how designs may grow.
fn continued(deck: &Deck, dataset: &DatasetFile, error: Error) -> Error {
    let section = &deck.campaign;
    match error {
        Error::Input(mut list)
            if section.design == Design::LatinHypercube && section.samples > dataset.len() =>
        {
            let text = "; a Latin hypercube goes on by doubling its samples, \"halton\" and \"sobol\" with any number";
            list.iter_mut().for_each(|diagnostic| diagnostic.message.push_str(text));
            Error::Input(list)
        }
        other => other,
    }
}

fn coefficients_path(name: &str) -> String {
    format!("/coefficients/{name}")
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
