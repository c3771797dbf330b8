//! A run in time: steps, frames of fields, quantities of interest, balances.
mod checkpoint;
mod record;
mod resume;

use super::run::{RunOptions, print_quantities, warn_of_unused_options};
use crate::checkpoint::Signals;
use crate::deck::{Deck, TimeScheme, TimeSection};
use crate::physics::{Context, Equation};
use crate::report::Report;
use crate::solver::{Simulation, StageSolver, StepControl, TimeIntegrator, Trial};
use crate::storage::Sealed;
use crate::{Error, Result};
use checkpoint::{Checkpoints, Due, State, number, restore};
use record::{Record, Step};

/// A problem that evolves.
struct Evolving {
    stage: usize,
    integrator: TimeIntegrator,
}

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
    let mut context = initial.clone();
    simulation.set_initial(&initial)?;
    let mut evolving = start(simulation, &deck, time, &initial)?;
    let frames: Vec<f64> = (0..=deck.output.frames)
        .map(|k| time.start + (time.end - time.start) * k as f64 / deck.output.frames as f64)
        .collect();
    let mut control = step_control(time);
    let mut rejected = 0;
    let (mut record, newest) = match saved {
        None => {
            let mut record = Record::create(simulation, frames, &context, options, report)?;
            record.save(simulation, &context, report)?;
            (record, None)
        }
        Some(saved) => {
            restore(&saved, simulation, &mut evolving, &mut control, &mut context)?;
            rejected = number(saved.file(), "/", "rejected")? as usize;
            let record = Record::resume(simulation, &saved, frames, &context, options, report)?;
            let (from, steps) = (saved.file().path().to_path_buf(), record.steps.len());
            report.line(format!(
                "restart      from {}: step {steps}, t = {:.6e} s",
                from.display(),
                context.time
            ));
            (record, Some(from))
        }
    };
    let mut stops: Vec<f64> = record.frames[1..].iter().chain(&time.stops).copied().collect();
    stops.sort_by(f64::total_cmp);
    let newest = (newest, record.steps.len());
    let mut checkpoints = Checkpoints::new(simulation, newest, signals, &options.petsc, report);
    report.line(Step::heading());
    let mut failure: Option<String> = None;
    let mut fault = None;
    while context.time < time.end - 1e-9 * time.step && failure.is_none() && fault.is_none() {
        let due = checkpoints.due(record.steps.len());
        if due != Due::Nothing {
            let by_steps = checkpoints.is_due_by_steps(record.steps.len());
            let (control, context, record) = (&control, &context, &mut record);
            let state = State { simulation, evolving: &evolving, control, context, record, rejected };
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
        let dt = control.next(context.time, &stops);
        let reached = |stop: f64| (context.time + dt - stop).abs() <= 1e-9 * time.step.max(dt);
        let outcome =
            report.phase("steps", || advance(simulation, &mut evolving, &context, dt, &mut control));
        match outcome {
            // All ranks agree on bad input, so they can finish the file together.
            Err(error @ Error::Input(_)) => fault = Some(deck.locate(error)),
            Err(error) => return Err(error),
            Ok(Advance::Rejected) if control.is_shortest(dt) => {
                failure = Some(format!(
                    "a step of {dt:.3e} s, the shortest allowed, is not accurate to time.tolerance"
                ));
            }
            Ok(Advance::Rejected) => rejected += 1,
            Ok(Advance::Failed(why)) => {
                rejected += 1;
                report.detail(format!("    {why}; the step is cut to {:.3e} s", dt / 4.0));
                if !control.cut(dt) {
                    failure =
                        Some(format!("{why}. The step cannot be shorter than {:.3e} s", control.shortest));
                }
            }
            Ok(Advance::Accepted(mut step)) => {
                let on_stop = time.stops.iter().any(|&stop| reached(stop));
                let on_frame = record.next_frame().filter(|&frame| reached(frame));
                context.time = on_frame.unwrap_or(context.time + dt);
                step.time = context.time;
                step.quantities = match on_frame {
                    Some(_) => record.save(simulation, &context, report)?,
                    None => report.phase("quantities", || simulation.quantities(&context))?,
                };
                record.steps.push(step);
                report.line(record.steps[record.steps.len() - 1].line(record.steps.len()));
                if on_stop {
                    evolving.iter_mut().for_each(|problem| problem.integrator.restart());
                    // Without a past there may be no estimate of the error either.
                    control.step = control.step.min(time.step);
                }
            }
        }
    }
    if failure.is_some() {
        let (control, context, record) = (&control, &context, &mut record);
        checkpoints.last(State { simulation, evolving: &evolving, control, context, record, rejected });
    }
    if rejected > 0 {
        report.line(format!("{rejected} step{} rejected", if rejected == 1 { " was" } else { "s were" }));
    }
    warn_of_unused_options(simulation, &options.petsc, report)?;
    print_quantities(simulation, record.newest_quantities(), report);
    let path = record.path().clone();
    report.finish(&record.finish(simulation, report)?);
    match (fault, failure) {
        (Some(fault), _) => Err(fault),
        (None, Some(why)) => Err(Record::failure(&path, &why, context.time)),
        (None, None) => Ok(()),
    }
}

/// The integrators of the problems with a time derivative, at their initial states. Collective.
fn start(
    simulation: &mut Simulation,
    deck: &Deck,
    time: &TimeSection,
    context: &Context,
) -> Result<Vec<Evolving>> {
    let mut evolving = Vec::new();
    for (stage, s) in simulation.stages.iter_mut().enumerate() {
        if let StageSolver::Newton(newton) = &mut s.solver {
            let history = s.problem.model.equation().is_some_and(Equation::has_history);
            let scheme = if history { TimeScheme::Bdf1 } else { time.scheme };
            let integrator = TimeIntegrator::new(scheme, newton, context, &s.solution)
                .map_err(|error| deck.locate(error))?;
            s.essential = newton.essential().clone();
            s.restore(&integrator)?;
            evolving.push(Evolving { stage, integrator });
        }
    }
    Ok(evolving)
}

fn step_control(time: &TimeSection) -> StepControl {
    StepControl {
        tolerance: time.tolerance,
        order: time.scheme.order_of_estimate(),
        shortest: time.shortest.unwrap_or(1e-6 * time.step),
        longest: time.longest.unwrap_or(match time.tolerance {
            Some(_) => (time.end - time.start) / 10.0,
            None => time.step,
        }),
        step: time.step,
    }
}

enum Advance {
    Accepted(Step),
    /// Not accurate enough; the control has a shorter step.
    Rejected,
    /// A solve failed.
    Failed(String),
}

/// Attempts a step of all evolving problems, in the order of the deck, and keeps it if all are good.
fn advance(
    simulation: &mut Simulation,
    evolving: &mut [Evolving],
    context: &Context,
    dt: f64,
    control: &mut StepControl,
) -> Result<Advance> {
    let mut trials: Vec<Trial> = Vec::new();
    let mut step = Step { length: dt, ..Step::default() };
    for problem in evolving.iter() {
        let stage = &mut simulation.stages[problem.stage];
        let StageSolver::Newton(newton) = &mut stage.solver else { continue };
        let trial = problem.integrator.attempt(newton, context, dt)?;
        step.newton += trial.newton.iterations;
        step.linear += trial.newton.linear_iterations;
        if let Some(failure) = trial.newton.failure {
            for done in evolving.iter().take(trials.len()) {
                simulation.stages[done.stage].restore(&done.integrator)?;
            }
            return Ok(Advance::Failed(failure));
        }
        // Later problems read this one's field at the end of the step.
        stage.solution.copy_from(&trial.solution)?;
        stage.publish()?;
        trials.push(trial);
    }
    let error = trials.iter().filter_map(|t| t.error).reduce(f64::max);
    if !control.accepts(error, dt) {
        for problem in evolving.iter() {
            simulation.stages[problem.stage].restore(&problem.integrator)?;
        }
        return Ok(Advance::Rejected);
    }
    step.error = error.unwrap_or(f64::NAN);
    let first = evolving_first(simulation);
    for (problem, trial) in evolving.iter_mut().zip(trials) {
        let stage = &mut simulation.stages[problem.stage];
        let StageSolver::Newton(newton) = &stage.solver else { continue };
        let before = problem.integrator.conserved()?;
        problem.integrator.accept(newton, &trial, dt)?;
        stage.essential = newton.essential().clone();
        stage.solution.ghost_update()?;
        if problem.stage == first {
            step.conserved = problem.integrator.conserved()?;
            (step.supplied, step.inflow) = (trial.flow.supplied, trial.flow.natural);
            step.imbalance = step.conserved - before - dt * trial.flow.total();
        }
        simulation.stages[problem.stage].residual = Some(trial.residual);
    }
    Ok(Advance::Accepted(step))
}

/// The problem whose balance the log shows: the first that evolves.
fn evolving_first(simulation: &Simulation) -> usize {
    simulation.stages.iter().position(|s| matches!(s.solver, StageSolver::Newton(_))).unwrap_or(0)
}
