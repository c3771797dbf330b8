//! A run in time: what hangs on its steps.
mod balances;
mod checkpoints;
mod frames;
mod lines;
mod quantities;
mod record;
mod requests;
mod resume;
mod snapshots;

use super::shared::RunOptions;
use crate::checkpoint::Requests;
use crate::deck::TimeSection;
use crate::physics::Context;
use crate::report::Report;
use crate::reuse::Guard;
use crate::simulation::{Evolution, Newton, Run, Simulation, Stepper};
use crate::storage::Sealed;
use crate::{Error, Result};
use balances::Balances;
use checkpoints::Checkpoints;
use frames::Frames;
use lines::Lines;
use quantities::Quantities;
use record::Record;
use snapshots::Snapshots;
use std::cell::RefCell;

/// Integrates the deck's problems from `time.start`, or from a checkpoint, to `time.end`; problems without a time
/// derivative are solved for every frame. Fields are written at `output.frames` equal intervals. Collective.
///
/// # Errors
/// [`Error::Failed`] when a step fails however short it is; the file then holds everything up to the last
/// good step. [`Error::Stopped`] after a checkpoint that a signal or a file `stop` asked for. [`Error::Input`] when the run
/// cannot go on from the checkpoint.
pub fn evolve(
    simulation: &mut Simulation,
    time: &TimeSection,
    saved: Option<Sealed>,
    options: &RunOptions,
    report: &Report,
) -> Result<()> {
    let comm = simulation.mesh.comm.clone();
    let mut requests = Requests::new(&comm, &simulation.deck, options.signals.clone());
    let initial = Context { time: time.start, ..simulation.default_context() };
    simulation.set_initial(&initial)?;
    let mut evolution = Evolution::start(simulation, time, initial.clone())?;
    let mut guard = options.guard.as_ref().map(|options| Guard::new(simulation, options)).transpose()?;
    let mut newton = Newton;
    let stepper: &mut dyn Stepper = match &mut guard {
        Some(guard) => guard,
        None => &mut newton,
    };
    if options.guard.is_some() {
        report.phase("guard", || stepper.start(simulation, &initial))?;
    }
    let frames = time.frames(simulation.deck.output.frames);
    let (record, steps, newest) = match saved {
        None => {
            let record = Record::create(simulation, frames, &initial, options, report)?;
            (record, Vec::new(), None)
        }
        Some(saved) => {
            checkpoints::restore(&saved, simulation, &mut evolution, stepper)?;
            let (record, steps) =
                Record::resume(simulation, &saved, frames, &evolution.context, options, report)?;
            let (from, step) = (saved.file().path().to_path_buf(), steps.len());
            let time = evolution.context.time;
            report.line(format!("restart      from {}: step {step}, t = {time:.6e} s", from.display()));
            (record, steps, Some(from))
        }
    };
    evolution.stop_at(&record.frames[1..]);
    let path = record.path.clone();
    let record = RefCell::new(record);
    let mut run = Run { simulation, evolution, stepper, steps, on_frame: true, report, forgives: false };
    let mut checkpoints = Checkpoints::new(&run, newest, initial, &record, &options.petsc);
    let failure = run.go(&mut [
        &mut requests,
        &mut Snapshots(&options.petsc),
        &mut Frames(&record),
        &mut checkpoints,
        &mut Lines(&options.petsc),
        &mut Balances(&record),
        &mut Quantities::new(run.simulation, &record)?,
    ])?;
    report.finish(&record.into_inner().finish(run.simulation, &run.steps, report)?);
    let time = run.evolution.context.time;
    match failure {
        None => Ok(()),
        Some(Error::Failed(why)) => {
            Err(Error::Failed(format!("{why}. {} holds everything up to t = {time:.6e} s", path.display())))
        }
        Some(fault) => Err(fault),
    }
}
