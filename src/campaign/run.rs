//! The many solves of a campaign, one after the other, each stored as soon as it is done.
use super::fields::{beside_solutions, describe};
use super::guard_file::GuardFile;
use super::hand_out::HandOut;
use super::memory::{Archive, Guesses};
use super::observer::{SampleObserver, SampleReport};
use super::part::Selection;
use super::same::{continued, same_fields, same_problem};
use super::solutions::Solution;
use super::{dataset, order, transient, tuning};
use crate::deck::{Design, Order, SolverMethod, SolverOptions};
use crate::parallel::Redistribution;
use crate::physics::Context;
use crate::physics::coefficient::NodalField;
use crate::reuse::{Effort, Guard, GuardOptions};
use crate::simulation::{FieldInfo, Newton, Simulation, Stepper};
use crate::storage::{DatasetFile, Field, Moments, Provenance, Room, Status};
use crate::{Error, Result};
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

/// A simulation with the dataset that its samples go to.
pub struct Campaign<'a> {
    simulation: &'a mut Simulation,
    dataset: DatasetFile,
    guesses: Guesses,
    /// What steps in time, if they are guarded.
    guard: Option<(Guard, GuardFile)>,
    /// Whether others write to the dataset, too.
    shared: bool,
    selection: Selection,
    solutions: Vec<Solution>,
    /// Fields of `output.fields` that are stored beside the solutions.
    derived: Vec<FieldInfo>,
    /// Random fields, each with its name and the plan to write it.
    inputs: Vec<(String, Rc<NodalField>, Redistribution)>,
    /// When samples are stored, if the problems evolve in time.
    moments: Option<Moments>,
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
        selection: &Selection,
    ) -> Result<Self> {
        Self::open_guarded(simulation, path, provenance, selection, None)
    }

    /// As [`Campaign::open`], with guarded steps in time. Collective.
    ///
    /// # Errors
    /// As there, and when the dataset's samples were solved in another way.
    pub fn open_guarded(
        simulation: &'a mut Simulation,
        path: &Path,
        provenance: &Provenance,
        selection: &Selection,
        guard: Option<&GuardOptions>,
    ) -> Result<Self> {
        let comm = simulation.mesh.comm.clone();
        let accept = guard.map(|guard| guard.accept);
        let guard = guard.map(|options| Guard::new(simulation, options)).transpose()?;
        let solutions = Solution::all(simulation);
        let with_plan = |(name, field): (String, Rc<NodalField>)| {
            let plan = field.space.canonical();
            (name, field, plan)
        };
        let inputs: Vec<_> = simulation.random.inputs().into_iter().map(with_plan).collect();
        let moments = transient::moments(&simulation.deck);
        let single = simulation.deck.campaign.single;
        let derived = beside_solutions(simulation)?;
        let exists = comm.max(u8::from(comm.rank() == 0 && path.exists())) == 1;
        let fields: Vec<Field> = solutions
            .iter()
            .flat_map(|solution| solution.describe(simulation))
            .chain(derived.iter().map(|f| describe(simulation, f, &solutions[f.stage].plan)))
            .collect();
        let mut found = None;
        if exists {
            let dataset = DatasetFile::open(&comm, path, true)?;
            let whole = dataset
                .expect_samples(&selection.named, &selection.numbers)
                .map_err(|error| continued(&simulation.deck, &dataset, error))?;
            let refuse = |what: &str| {
                let message =
                    format!("it holds {what} than the deck asks for; remove it, or name another file");
                Err(Error::input(dataset.file().label(), message))
            };
            if dataset.moments()? != moments {
                return refuse("other frames, or room for another number of steps,");
            }
            if dataset.is_single()? != single {
                return refuse("fields of another precision");
            }
            let there = dataset.accept()?;
            if there != accept {
                let words = |accept: Option<f64>| {
                    accept.map_or("solved in full".into(), |accept| format!("accepted to {accept:e}"))
                };
                let text = format!(
                    "its samples were {}, not {}: give the --accept that it was begun with, or name another file",
                    words(there),
                    words(accept)
                );
                return Err(Error::input(dataset.file().label(), text));
            }
            same_problem(&simulation.deck, dataset.file())?;
            same_fields(&simulation.deck, &dataset, &fields)?;
            found = Some((dataset, whole));
        }
        let dataset = if let Some((dataset, true)) = found {
            dataset
        } else {
            // Those of a smaller design, of which this one is the continuation.
            let first = found.map(|(dataset, _)| dataset);
            let asked = &simulation.deck.quantity;
            let told: Vec<[String; 2]> =
                asked.iter().map(|q| [simulation.quantity_unit(q), simulation.quantity_meaning(q)]).collect();
            let quantities: Vec<_> = asked
                .iter()
                .zip(&told)
                .map(|(q, [unit, meaning])| (q.name.as_str(), unit.as_str(), meaning.as_str()))
                .collect();
            let room = Room { samples: &selection.named, moments: moments.as_ref(), single };
            DatasetFile::create(&comm, path, provenance, room, &fields, &quantities, first, |file| {
                DatasetFile::write_numbers(file, &selection.numbers)?;
                selection.part.map_or(Ok(()), |part| file.set("/", "part", part.to_string()))?;
                simulation.mesh.write(file)?;
                if simulation.deck.campaign.design == Design::Adaptive {
                    dataset::create(file, &simulation.deck)?;
                }
                tuning::create(file, simulation, selection.samples.len())?;
                if let (Some(accept), Some(moments)) = (accept, &moments) {
                    DatasetFile::describe_guard(file, accept, [selection.samples.len(), moments.count()])?;
                }
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
        if moments.is_none() {
            tuning::replay(&dataset, simulation, selection)?;
        }
        let guard = match guard {
            Some(mut guard) => {
                let over = dataset.status()?.iter().filter(|&&status| status != Status::Pending).count();
                let file = GuardFile::new(path, provenance, over);
                file.restore(simulation, &mut guard)?;
                Some((guard, file))
            }
            None => None,
        };
        let guesses = Guesses::new(simulation, &selection.samples);
        let (selection, shared) = (selection.clone(), false);
        Ok(Self {
            simulation,
            dataset,
            guesses,
            guard,
            shared,
            selection,
            solutions,
            derived,
            inputs,
            moments,
        })
    }

    /// The dataset.
    pub fn dataset(&self) -> &DatasetFile {
        &self.dataset
    }

    /// What is solved.
    pub fn simulation(&self) -> &Simulation {
        self.simulation
    }

    /// What is solved, and where it is stored.
    pub(super) fn parts(&mut self) -> (&mut Simulation, &DatasetFile) {
        (self.simulation, &self.dataset)
    }

    /// Parameters of all samples; not a number where an adaptive design has not chosen them yet.
    pub(super) fn samples(&self) -> &[Vec<f64>] {
        &self.selection.samples
    }

    /// Takes the parameters that an adaptive design has chosen earlier from the dataset. Collective.
    pub(super) fn restore_samples(&mut self) -> Result<()> {
        let stored = self.dataset.samples()?;
        let width = stored.names.len().max(1);
        self.selection.samples = stored.values.chunks(width).map(<[f64]>::to_vec).collect();
        Ok(())
    }

    /// Chooses the parameters of a sample that has none yet. Collective.
    pub(super) fn choose(&mut self, sample: usize, parameters: &[f64]) -> Result<()> {
        self.dataset.write_sample(sample, parameters)?;
        self.selection.samples[sample] = parameters.to_vec();
        Ok(())
    }

    /// Samples of the dataset that are neither done nor failed, ascending. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when the dataset does not say.
    pub fn pending(&self) -> Result<Vec<usize>> {
        let status = self.dataset.status()?;
        Ok((0..status.len()).filter(|&i| status[i] == Status::Pending).collect())
    }

    /// The pending samples in the order that the deck asks for. Collective.
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

    /// Learns first guesses from the samples that are done. Collective.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn recall(&mut self) -> Result<()> {
        let Self { simulation, guesses, dataset, solutions, selection, moments, .. } = self;
        match moments {
            // Evolutions start from their initial values.
            Some(_) => Ok(()),
            None => guesses
                .recall(simulation, Archive { dataset, solutions }, |sample| selection.context(0.0, sample)),
        }
    }

    /// From now on what other groups solve enters the first guesses, too. Local.
    pub fn share(&mut self) {
        self.shared = true;
    }

    /// Solves and stores samples, mostly those of [`Campaign::ordered`], until `observe` returns false. Collective.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn run(&mut self, order: &[usize], mut observe: impl FnMut(&SampleReport) -> bool) -> Result<()> {
        self.recall()?;
        for &sample in order {
            let report = self.solve(sample)?;
            if !observe(&report) {
                break;
            }
        }
        Ok(())
    }

    /// Solves the samples that are handed out, `order[place]`, until none is left or `stops` says so on a rank of the group;
    /// the observers are told of each. Collective over the group.
    ///
    /// # Errors
    /// As [`Campaign::solve`], and those of observers.
    pub fn go(
        &mut self,
        order: &[usize],
        hand_out: &HandOut,
        mut stops: impl FnMut() -> bool,
        observers: &mut [&mut dyn SampleObserver],
    ) -> Result<()> {
        while let Some(place) = hand_out.next(stops())? {
            let sample = self.solve(order[place])?;
            hand_out.over(sample.failure.is_some())?;
            observers.iter_mut().try_for_each(|observer| observer.after_sample(&sample))?;
        }
        Ok(())
    }

    /// Solves a sample and stores it. One whose solver fails is tried once more from zero with careful solvers,
    /// then marked as failed and left behind. Collective.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn solve(&mut self, sample: usize) -> Result<SampleReport> {
        let start = Instant::now();
        let comm = self.simulation.mesh.comm.clone();
        let start_time = self.simulation.deck.time.as_ref().map_or(0.0, |time| time.start);
        let context = self.selection.context(start_time, sample);
        if self.shared && self.moments.is_none() {
            let Self { simulation, guesses, dataset, solutions, selection, .. } = self;
            guesses.look_around(simulation, Archive { dataset, solutions }, |sample| {
                selection.context(0.0, sample)
            })?;
        }
        let mut solved = self.attempt(None, sample, &context);
        let mut retried = None;
        if solved.is_err() {
            // A diverged solution is no first guess.
            for stage in &mut self.simulation.stages {
                stage.forget_solution()?;
            }
        }
        if let Err(error @ (Error::Failed(_) | Error::Petsc(_))) = &solved {
            self.dataset.write_retried(sample, &error.to_string())?;
            retried = Some(error.to_string());
            solved = comm
                .agree(careful(self.simulation))
                .and_then(|mut again| self.attempt(Some(&mut again), sample, &context));
        }
        let (iterations, mut note) = solved.as_ref().map_or((0, String::new()), Clone::clone);
        let (status, failure) = match solved {
            Ok(_) => {
                for (name, field, plan) in &self.inputs {
                    let values = &field.values.borrow()[..field.space.owned_nodes];
                    self.dataset.file().write_input(name, sample as u64, plan, values)?;
                }
                for (number, name, _) in self.simulation.random.expansions() {
                    let values = self.simulation.random.coefficients(number, context.sample);
                    let mine = if comm.rank() == 0 { &values[..] } else { &[] };
                    self.dataset.file().write_rows(&coefficients_path(name), sample as u64, mine)?;
                }
                if retried.is_none() {
                    self.guesses.finish(sample);
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
        for stage in &self.simulation.stages {
            if let Some((arm, loss)) = stage.tuning().and_then(|t| t.newest()) {
                self.dataset.write_cost(sample, &format!("arm/{}", stage.problem.name), arm as f64)?;
                self.dataset.write_cost(sample, &format!("loss/{}", stage.problem.name), loss)?;
            }
        }
        // What groups learn from one another's order nobody could repeat.
        if let Some((guard, file)) = self.guard.as_mut().filter(|_| !self.shared)
            && let Err(error) = file.save(self.simulation, guard)
        {
            note = format!("{note}; what was learnt is not saved: {error}");
        }
        self.dataset.finish_sample(sample, status, iterations as u64, seconds)?;
        let sample = self.selection.numbers[sample];
        Ok(SampleReport { sample, iterations, note, seconds, failure, retried })
    }

    /// Solves a sample, with other solvers if given, and stores its solutions and quantities; the Krylov iterations, and
    /// what else is said of it. Collective.
    fn attempt(
        &mut self,
        solvers: Option<&mut Simulation>,
        sample: usize,
        context: &Context,
    ) -> Result<(usize, String)> {
        let Self { simulation, dataset, guesses, guard, solutions, derived, moments, .. } = self;
        let (simulation, guesses, mut guard): (&mut Simulation, _, _) = match solvers {
            // Careful ones solve in full.
            Some(solvers) => (solvers, None, None),
            None => (simulation, Some(guesses), guard.as_mut().map(|(guard, _)| guard)),
        };
        let mut note = String::new();
        // By frame.
        let mut quantities: Vec<Vec<f64>> = Vec::new();
        let mut times = Vec::new();
        let room = moments.as_ref().map_or(1, Moments::count);
        let mut store = |simulation: &Simulation, context: &Context, frame: usize| -> Result<()> {
            if frame == room {
                let (steps, now) = (room - 1, context.time);
                let message = format!(
                    "there is room for {steps} steps, and the sample needs more from t = {now:.6e} s on"
                );
                return Err(simulation.deck.fault("campaign.steps", message));
            }
            times.push(context.time);
            quantities.push(simulation.mesh.comm.agree(simulation.quantities(context))?);
            for (stage, solution) in simulation.stages.iter().zip(solutions.iter()) {
                solution.write(dataset, (sample, frame), &stage.solution().read()?)?;
            }
            for field in derived.iter() {
                let values = simulation.mesh.comm.agree(simulation.field_values(field, context))?;
                let plan = &solutions[field.stage].plan;
                dataset.write_field((sample, frame), &field.name, plan, &values.read()?)?;
            }
            Ok(())
        };
        let iterations = match moments {
            Some(moments) => {
                let stepper: &mut dyn Stepper = match &mut guard {
                    Some(guard) => *guard,
                    None => &mut Newton,
                };
                let went = transient::integrate(simulation, stepper, moments, context, &mut store)?;
                if let Some(guard) = guard {
                    let full = went.full.iter().sum::<f64>();
                    note = format!("{full} full solves in {} steps, {} modes", went.steps, guard.modes());
                }
                dataset.write_full(sample, &went.full)?;
                went.iterations
            }
            None => {
                let comm = simulation.mesh.comm.clone();
                comm.agree(match guesses {
                    Some(guesses) => guesses.solve(simulation, context, Archive { dataset, solutions }),
                    None => simulation.solve(context),
                })?;
                store(simulation, context, 0)?;
                simulation.stages.iter().map(|s| s.outcome().iterations).sum()
            }
        };
        if matches!(moments, Some(Moments::Steps(_))) {
            dataset.write_times(sample, &times)?;
        }
        for (q, quantity) in simulation.deck.quantity.iter().enumerate() {
            let values: Vec<f64> = quantities.iter().map(|frame| frame[q]).collect();
            dataset.write_quantity(sample, &quantity.name, &values)?;
        }
        Ok((iterations, note))
    }

    /// What each problem has cost in this job.
    pub fn efforts(&self) -> Vec<Effort> {
        match &self.guard {
            Some((guard, _)) => guard.efforts(),
            None => self.guesses.efforts().cloned().collect(),
        }
    }

    /// Closes the dataset. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when what was written does not reach the disk.
    pub fn close(self) -> Result<()> {
        self.dataset.close()
    }
}

fn coefficients_path(name: &str) -> String {
    format!("/coefficients/{name}")
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
            tune: None,
            ..options
        }
    })
}
