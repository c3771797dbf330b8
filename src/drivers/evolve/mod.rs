//! A run in time: steps, frames of fields, quantities of interest, balances.
mod checkpoint;
mod record;
mod resume;

use super::balance;
use super::shared::{RunOptions, print_quantities, warn_of_unused_options};
use crate::checkpoint::Signals;
use crate::deck::TimeSection;
use crate::physics::Context;
use crate::report::Report;
use crate::simulation::{Evolution, Progress, Simulation, Step};
use crate::storage::Sealed;
use crate::{Error, Result};
use checkpoint::{Checkpoints, Due, State, restore};
use record::Record;

/// Integrates the deck's problems from `time.start`, or from a checkpoint, to `time.end`; problems without a time
/// derivative are solved for every frame. Fields are written at `output.frames` equal intervals. Collective.
///
/// # Errors
/// [`Error::Failed`] when a step fails however short it is; the file then holds everything up to the last
/// good step. [`Error::Stopped`] after a checkpoint that a signal asked for. [`Error::Input`] when the run cannot go on
/// from the checkpoint.
pub fn evolve(
    simulation: &mut Simulation,
    time: &TimeSection,
    (saved, signals): (Option<Sealed>, Signals),
    options: &RunOptions,
    report: &Report,
) -> Result<()> {
    let deck = simulation.deck.clone();
    let initial = Context { time: time.start, ..simulation.default_context() };
    simulation.set_initial(&initial)?;
    let mut evolution = Evolution::start(simulation, time, initial.clone())?;
    let frames = time.frames(deck.output.frames);
    let (mut record, newest) = match saved {
        None => {
            let mut record = Record::create(simulation, frames, &evolution.context, options, report)?;
            record.save(simulation, &evolution.context, report)?;
            (record, None)
        }
        Some(saved) => {
            restore(&saved, simulation, &mut evolution)?;
            let record = Record::resume(simulation, &saved, frames, &evolution.context, options, report)?;
            let (from, steps) = (saved.file().path().to_path_buf(), record.steps.len());
            let time = evolution.context.time;
            report.line(format!("restart      from {}: step {steps}, t = {time:.6e} s", from.display()));
            (record, Some(from))
        }
    };
    evolution.stop_at(&record.frames[1..]);
    let evolves = evolving(simulation, &evolution)?;
    let newest = (newest, record.steps.len());
    let mut checkpoints = Checkpoints::new(simulation, newest, signals, &options.petsc, report);
    report.line(Step::heading());
    let mut failure: Option<String> = None;
    let mut fault = None;
    while !evolution.is_over() && failure.is_none() && fault.is_none() {
        let due = checkpoints.due(record.steps.len());
        if due != Due::Nothing {
            let by_steps = checkpoints.is_due_by_steps(record.steps.len());
            let state = State { simulation, evolution: &evolution, record: &mut record };
            if due == Due::Stop {
                let error = checkpoints.stop(state);
                report.finish(checkpoints.newest());
                return Err(error);
            }
            checkpoints.make(state);
            // Not by the clock: the same run is to give the same bits twice.
            if by_steps {
                simulation.renew_solvers(&initial)?;
            }
        }
        match report.phase("steps", || evolution.advance(simulation)) {
            // All ranks agree on bad input, so they can finish the file together.
            Err(error @ Error::Input(_)) => fault = Some(deck.locate(error)),
            Err(error) => return Err(error),
            Ok(Progress::Failed(why)) => failure = Some(why),
            Ok(Progress::Rejected) => {}
            Ok(Progress::Cut(why, length)) => {
                report.detail(format!("    {why}; the step is cut to {length:.3e} s"));
            }
            Ok(Progress::Accepted(mut step, on_frame)) => {
                let context = &evolution.context;
                step.quantities = match on_frame {
                    true => record.save(simulation, context, report)?,
                    false => {
                        let values = report.phase("quantities", || simulation.quantities(context))?;
                        let known = values.into_iter().zip(&evolves);
                        known.map(|(value, &evolves)| if evolves { value } else { f64::NAN }).collect()
                    }
                };
                record.steps.push(step);
                report.line(record.steps[record.steps.len() - 1].line(record.steps.len()));
                for stage in &simulation.stages {
                    if let Some((tuning, (arm, loss))) =
                        stage.solver.tuning().and_then(|t| Some((t, t.newest()?)))
                    {
                        report.detail(format!(
                            "    {}: arm `{}`, loss {loss}",
                            stage.problem.name, tuning.arms[arm]
                        ));
                    }
                }
            }
        }
    }
    if failure.is_some() {
        checkpoints.last(State { simulation, evolution: &evolution, record: &mut record });
    }
    let (rejected, reached) = (evolution.rejected, evolution.context.time);
    if rejected > 0 {
        report.line(format!("{rejected} step{} rejected", if rejected == 1 { " was" } else { "s were" }));
    }
    simulation.tuning_report().iter().for_each(|line| report.line(line));
    warn_of_unused_options(simulation, &options.petsc, report)?;
    let balances = balance::balances(simulation, &evolution.context)?;
    balance::print(simulation, &balances, report);
    print_quantities(simulation, record.newest_quantities(), report);
    let path = record.path().clone();
    report.finish(&record.finish(simulation, &balances, report)?);
    match (fault, failure) {
        (Some(fault), _) => Err(fault),
        (None, Some(why)) => Err(Record::failure(&path, &why, reached)),
        (None, None) => Ok(()),
    }
}

/// Whether each quantity of interest is of a problem that evolves. The others are solved at frames only: between them
/// they have no value.
fn evolving(simulation: &Simulation, evolution: &Evolution) -> Result<Vec<bool>> {
    let of = |quantity| -> Result<bool> {
        let stage = simulation.measured(quantity)?.0.stage;
        Ok(evolution.problems.iter().any(|problem| problem.stage == stage))
    };
    simulation.deck.quantity.iter().map(of).collect()
}
