//! What a guarded campaign has learnt, in a file beside its dataset: a campaign that is stopped and goes on solves the other
//! samples as if it had not been stopped.
use crate::checkpoint::{Place, size};
use crate::deck::Deck;
use crate::physics::Context;
use crate::reuse::Guard;
use crate::simulation::{Evolution, Simulation, Stepper};
use crate::storage::{Provenance, Schema, Sealed, Sealing, Value};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// So many stay: a kill may come between a file and the sample's mark in the dataset.
const KEPT: usize = 2;

/// The files of a dataset.
pub(super) struct GuardFile {
    dataset: PathBuf,
    provenance: Provenance,
    /// Samples that are over.
    over: usize,
}

impl GuardFile {
    /// Those of a dataset of which so many samples are over.
    pub fn new(dataset: &Path, provenance: &Provenance, over: usize) -> Self {
        Self { dataset: dataset.into(), provenance: provenance.clone(), over }
    }

    /// That after so many samples.
    fn path(&self, over: usize) -> PathBuf {
        let stem = self.dataset.file_stem().unwrap_or_default().to_string_lossy();
        self.dataset.with_file_name(format!("{stem}-guard-{over:06}.h5"))
    }

    /// Writes what is known after one more sample, which has yet to be marked as over. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when the disk is full.
    pub fn save(&mut self, simulation: &Simulation, guard: &Guard) -> Result<()> {
        self.over += 1;
        let Some(begun) = guard.begun() else { return Ok(()) };
        let stages = simulation.stages.iter().enumerate();
        let memories: Vec<_> = stages.map(|(index, stage)| (stage, guard.remembered(index))).collect();
        let numbers: u64 = memories.iter().map(|(stage, list)| size(stage.space(), list)).sum();
        let mut target = Sealing::create(&simulation.mesh.comm, &self.path(self.over), 8 * numbers)?;
        target.file().describe(Schema::Checkpoint, &self.provenance)?;
        target.file().set("/", "parameters", begun.parameters.clone())?;
        target.file().set("/", "draw", begun.sample as i64)?;
        for (stage, list) in &memories {
            let (space, plan) = (stage.space(), stage.space().canonical());
            let group = format!("/problems/{}", stage.problem.name);
            Place { group, space, plan: &plan }.save(&mut target, list)?;
        }
        target.finish()?;
        if simulation.mesh.comm.rank() == 0 && self.over >= KEPT {
            // One that cannot be removed costs room, nothing else.
            let _ = std::fs::remove_file(self.path(self.over - KEPT));
        }
        Ok(())
    }

    /// Goes on with what an earlier job had learnt when as many samples were over; nothing where there is no such file.
    /// Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] for a damaged file, [`Error::Input`] for one of another mesh.
    pub fn restore(&self, simulation: &mut Simulation, guard: &mut Guard) -> Result<()> {
        let (comm, path) = (simulation.mesh.comm.clone(), self.path(self.over));
        let Some(time) = simulation.deck.time.clone() else { return Ok(()) };
        if self.over == 0 || comm.max(u8::from(comm.rank() == 0 && path.exists())) == 0 {
            return Ok(());
        }
        let saved = Sealed::open(&comm, &path, |file| file.expect(Schema::Checkpoint))?;
        let context = context(&saved, &simulation.deck, time.start)?;
        // The inner products are those of the run that began it.
        comm.agree(simulation.reset(&context))?;
        comm.agree(Evolution::start(simulation, &time, context.clone()))?;
        comm.agree(guard.start(simulation, &context))?;
        for (index, stage) in simulation.stages.iter().enumerate() {
            let (space, plan) = (stage.space(), stage.space().canonical());
            let group = format!("/problems/{}", stage.problem.name);
            guard.restore(index, &Place { group, space, plan: &plan }.kept(&saved))?;
        }
        Ok(())
    }
}

fn context(saved: &Sealed, deck: &Deck, start: f64) -> Result<Context> {
    let file = saved.file();
    let parameters = match file.get("/", "parameters")? {
        Some(Value::Floats(list)) => list,
        Some(Value::Float(one)) => vec![one],
        _ => Vec::new(),
    };
    let Some(Value::Integer(draw)) = file.get("/", "draw")? else {
        return Err(Error::input(file.label(), "it does not say with which sample it was begun"));
    };
    if parameters.len() != deck.default_parameters().len() {
        return Err(Error::input(file.label(), "it is of a deck with other parameters"));
    }
    Ok(Context { parameters, time: start, sample: draw as u64 })
}
