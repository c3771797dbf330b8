//! What the file of a run in time takes: frames of fields, quantities of interest, the table of steps.
use crate::Result;
use crate::deck::Deck;
use crate::drivers::shared::RunOptions;
use crate::drivers::{balance, output};
use crate::parallel::{Comm, Redistribution};
use crate::physics::Context;
use crate::report::Report;
use crate::simulation::{Balance, FieldInfo, Simulation, Step};
use crate::storage::{File, ResultFile, Schema, field_path, write_xdmf};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// The output of a run in time.
pub(super) struct Record {
    pub(super) deck: Deck,
    /// Names the run, in its result file and in its checkpoints.
    pub run: String,
    pub(super) path: PathBuf,
    pub(super) file: ResultFile,
    pub(super) fields: Vec<FieldInfo>,
    /// By problem.
    pub plans: Vec<Redistribution>,
    /// Times at which fields are written.
    pub frames: Vec<f64>,
    /// So many of them are.
    pub(super) written: usize,
    /// Quantities of interest at the frames written so far.
    pub(super) quantities: Vec<Vec<f64>>,
    /// By problem, at the end.
    pub(super) balances: Vec<Balance>,
}

impl Record {
    /// A file with room for all frames. Collective.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) when the deck wants a field that there is not.
    pub fn create(
        simulation: &Simulation,
        frames: Vec<f64>,
        context: &Context,
        options: &RunOptions,
        report: &Report,
    ) -> Result<Self> {
        let deck = simulation.deck.clone();
        let fields = output::wanted(simulation)?;
        let path = deck.output.directory.join(&deck.output.file);
        let run = new_name(&simulation.mesh.comm);
        let file = ResultFile::create(&simulation.mesh.comm, &path)?;
        let plans: Vec<Redistribution> = simulation.stages.iter().map(|s| s.space().canonical()).collect();
        report.phase("output", || -> Result<()> {
            layout(&file, simulation, (&fields, &plans, frames.len()), context, options, &run)?;
            // A disk without room for all frames is better known now than after days.
            file.reserve_all()
        })?;
        let (quantities, balances) = (Vec::new(), Vec::new());
        Ok(Self { deck, run, path, file, fields, plans, frames, written: 0, quantities, balances })
    }

    /// Sends what has been written to the disk. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when the disk is full.
    pub fn flush(&self) -> Result<()> {
        self.file.flush()
    }

    /// The unfinished file stays, whatever happens. Local.
    pub fn keep(&mut self) {
        self.file.keep();
    }

    /// Notes in a checkpoint where the fields start in the result file. Collective.
    ///
    /// # Errors
    /// When HDF5 fails.
    pub fn describe(&self, checkpoint: &File) -> Result<()> {
        let mut offsets = Vec::new();
        for field in &self.fields {
            offsets.extend(self.file.offset(&field_path(&field.name))?.map(|offset| offset as i64));
        }
        checkpoint.set("/", "offsets", offsets)
    }

    /// Writes the next frame. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when the disk is full.
    pub fn save(&mut self, simulation: &Simulation, context: &Context) -> Result<()> {
        for field in &self.fields {
            let values = simulation.field_values(field, context)?;
            let plan = &self.plans[field.stage];
            self.file.write_field(&field.name, self.written as u64, plan, &values.read()?)?;
        }
        self.written += 1;
        Ok(())
    }

    /// Completes the file; frames that a failed run did not reach hold no numbers. Returns the files written.
    /// Collective.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when the disk is full.
    pub fn finish(self, simulation: &Simulation, steps: &[Step], report: &Report) -> Result<Vec<PathBuf>> {
        let Self { deck, path, file, fields, plans, frames, written, quantities, balances, .. } = self;
        let mut names = vec![path.clone()];
        report.phase("output", || -> Result<()> {
            for frame in written..frames.len() {
                for field in &fields {
                    let plan = &plans[field.stage];
                    let nothing = vec![f64::NAN; plan.owned() * field.components];
                    file.write_field(&field.name, frame as u64, plan, &nothing)?;
                }
            }
            file.write_times(&frames[..written])?;
            output::write_quantities(&file, simulation, &quantities)?;
            balance::write(&file, simulation, &balances)?;
            write_steps(&file, &deck, steps)?;
            report.write_log(&file)?;
            file.finish()?;
            if deck.output.xdmf {
                names.extend(write_xdmf(&simulation.mesh.comm, &path)?);
            }
            Ok(())
        })?;
        Ok(names)
    }
}

/// Origin, mesh, and room for so many frames of the fields. Collective.
pub(super) fn layout(
    file: &File,
    simulation: &Simulation,
    (fields, plans, frames): (&[FieldInfo], &[Redistribution], usize),
    context: &Context,
    options: &RunOptions,
    run: &str,
) -> Result<()> {
    output::write_header(file, Schema::Run, simulation, context, &options.petsc)?;
    file.set("/", "run", run)?;
    options.guard.as_ref().map_or(Ok(()), |guard| file.set("/", "accept", guard.accept))?;
    for field in fields {
        let plan = &plans[field.stage];
        file.create_field(&output::describe(simulation, field, plan), frames as u64)?;
    }
    Ok(())
}

/// A name that no other run has. Collective.
fn new_name(comm: &Comm) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut name = format!("{:x}-{:x}", now.as_nanos(), std::process::id()).into_bytes();
    comm.broadcast_bytes(0, &mut name);
    String::from_utf8_lossy(&name).into_owned()
}

/// `/log/steps`: one row a step.
fn write_steps(file: &ResultFile, deck: &Deck, steps: &[Step]) -> Result<()> {
    let mut columns = Step::COLUMNS.to_vec();
    columns.extend(deck.quantity.iter().map(|q| q.name.as_str()));
    let values: Vec<f64> = steps.iter().flat_map(Step::row).collect();
    let meaning = "accepted time steps: end and length (s), iterations, estimated relative local error, \
                   integral of what is conserved, what came in (per s, mean of the step) through essential \
                   boundaries and through natural ones and sources, error of that balance, equations that were \
                   solved in full, quantities of interest (not a number between frames for problems \
                   that are solved at frames only)";
    file.write_log("steps", "", meaning, &columns, &values)
}
