//! A run in time: steps, frames of fields, quantities of interest, balances.
use super::output;
use super::run::{RunOptions, print_quantities, solve, warn_of_unused_options};
use crate::deck::{TimeScheme, TimeSection};
use crate::parallel::Redistribution;
use crate::physics::{Context, Equation};
use crate::report::Report;
use crate::solver::{FieldInfo, Simulation, StageSolver, StepControl, TimeIntegrator, Trial};
use crate::storage::{ResultFile, Schema, write_xdmf};
use crate::{Error, Result};

/// One accepted step, for the log.
#[derive(Debug, Clone, Default)]
struct Step {
    time: f64,
    length: f64,
    newton: usize,
    linear: usize,
    error: f64,
    conserved: f64,
    /// What came in through essential boundaries, a second.
    supplied: f64,
    /// What came in otherwise, a second.
    inflow: f64,
    /// What the change of `conserved` lacks.
    imbalance: f64,
    quantities: Vec<f64>,
}

/// A problem that evolves.
struct Evolving {
    stage: usize,
    integrator: TimeIntegrator,
}

/// Integrates the deck's problems from `time.start` to `time.end`; problems without a time derivative are
/// solved for every frame. Fields are written at `output.frames` equal intervals. Collective.
///
/// # Errors
/// [`Error::Failed`] when a step fails however short it is; the file then holds everything up to the last
/// good step.
pub fn evolve(
    simulation: &mut Simulation,
    time: &TimeSection,
    options: &RunOptions,
    report: &Report,
) -> Result<()> {
    let deck = simulation.deck.clone();
    let comm = simulation.mesh.comm.clone();
    let fields = output::wanted(simulation)?;
    let mut context = Context { time: time.start, ..simulation.default_context() };
    simulation.set_initial(&context)?;
    let mut evolving = Vec::new();
    for (stage, s) in simulation.stages.iter_mut().enumerate() {
        if let StageSolver::Newton(newton) = &mut s.solver {
            let history = s.problem.model.equation().is_some_and(Equation::has_history);
            let scheme = if history { TimeScheme::Bdf1 } else { time.scheme };
            let integrator = TimeIntegrator::new(scheme, newton, &context, &s.solution)
                .map_err(|error| deck.locate(error))?;
            s.essential = newton.essential().clone();
            s.restore(&integrator)?;
            evolving.push(Evolving { stage, integrator });
        }
    }
    let frames: Vec<f64> = (0..=deck.output.frames)
        .map(|k| time.start + (time.end - time.start) * k as f64 / deck.output.frames as f64)
        .collect();
    let mut stops: Vec<f64> = frames[1..].iter().chain(&time.stops).copied().collect();
    stops.sort_by(f64::total_cmp);
    let mut control = StepControl {
        tolerance: time.tolerance,
        order: time.scheme.order_of_estimate(),
        shortest: time.shortest.unwrap_or(1e-6 * time.step),
        longest: time.longest.unwrap_or(match time.tolerance {
            Some(_) => (time.end - time.start) / 10.0,
            None => time.step,
        }),
        step: time.step,
    };

    let path = deck.output.directory.join(&deck.output.file);
    let file = ResultFile::create(&comm, &path)?;
    let plans: Vec<Redistribution> = simulation.stages.iter().map(|s| s.space().canonical()).collect();
    report.phase("output", || -> Result<()> {
        file.describe(Schema::Run, &output::provenance(simulation, &options.petsc))?;
        file.write_parameters(&output::parameters(&deck, &context))?;
        output::write_mesh(&file, simulation)?;
        for field in &fields {
            let plan = &plans[field.stage];
            file.create_field(&output::describe(simulation, field, plan), frames.len() as u64)?;
        }
        Ok(())
    })?;

    let mut steps: Vec<Step> = Vec::new();
    let mut frame_values: Vec<Vec<f64>> = Vec::new();
    let mut written = 0;
    let mut failure: Option<String> = None;
    let mut fault = None;
    let save = |simulation: &mut Simulation, frame: usize, context: &Context| -> Result<Vec<f64>> {
        for stage in &mut simulation.stages {
            if matches!(stage.solver, StageSolver::Linear(_)) {
                solve(stage, context, report).map_err(|error| deck.locate(error))?;
            }
        }
        report.phase("output", || write_frame(&file, simulation, &fields, &plans, frame as u64, context))?;
        report.phase("quantities", || simulation.quantities(context))
    };
    frame_values.push(save(simulation, 0, &context)?);
    written += 1;
    report.line(format!(
        "{:>6} {:>13} {:>11} {:>7} {:>7} {:>10} {:>16} {:>10}",
        "step", "time", "length", "newton", "linear", "error", "conserved", "imbalance"
    ));
    let mut rejected = 0;
    while context.time < time.end - 1e-9 * time.step && failure.is_none() && fault.is_none() {
        let dt = control.next(context.time, &stops);
        let outcome =
            report.phase("steps", || advance(simulation, &mut evolving, &context, dt, &mut control));
        let outcome = match outcome {
            Ok(outcome) => outcome,
            // All ranks agree on bad input, so they can finish the file together.
            Err(error @ Error::Input(_)) => {
                fault = Some(deck.locate(error));
                continue;
            }
            Err(error) => return Err(error),
        };
        match outcome {
            Advance::Rejected if control.is_shortest(dt) => {
                failure = Some(format!(
                    "a step of {dt:.3e} s, the shortest allowed, is not accurate to time.tolerance"
                ));
            }
            Advance::Rejected => rejected += 1,
            Advance::Failed(why) => {
                rejected += 1;
                report.detail(format!("    {why}; the step is cut to {:.3e} s", dt / 4.0));
                if !control.cut(dt) {
                    failure =
                        Some(format!("{why}. The step cannot be shorter than {:.3e} s", control.shortest));
                }
            }
            Advance::Accepted(mut step) => {
                context.time += dt;
                step.time = context.time;
                let on_frame = written < frames.len()
                    && (context.time - frames[written]).abs() <= 1e-9 * time.step.max(dt);
                if on_frame {
                    context.time = frames[written];
                    let values = save(simulation, written, &context)?;
                    step.quantities = values.clone();
                    frame_values.push(values);
                    written += 1;
                } else {
                    step.quantities = report.phase("quantities", || simulation.quantities(&context))?;
                }
                report.line(format!(
                    "{:>6} {:>13.6e} {:>11.4e} {:>7} {:>7} {:>10.2e} {:>16.9e} {:>10.1e}",
                    steps.len() + 1,
                    step.time,
                    step.length,
                    step.newton,
                    step.linear,
                    step.error,
                    step.conserved,
                    step.imbalance
                ));
                steps.push(step);
                if time.stops.iter().any(|&stop| (context.time - stop).abs() <= 1e-9 * time.step.max(dt)) {
                    evolving.iter_mut().for_each(|problem| problem.integrator.restart());
                    // Without a past there may be no estimate of the error either.
                    control.step = control.step.min(time.step);
                }
            }
        }
    }
    if rejected > 0 {
        report.line(format!("{rejected} step{} rejected", if rejected == 1 { " was" } else { "s were" }));
    }
    warn_of_unused_options(simulation, &options.petsc, report)?;
    if let Some(values) = frame_values.last() {
        print_quantities(simulation, values, report);
    }
    let mut names = vec![path.clone()];
    report.phase("output", || -> Result<()> {
        // Frames that a failed run did not reach hold no numbers.
        for frame in written..frames.len() {
            for field in &fields {
                let plan = &plans[field.stage];
                let nothing = vec![f64::NAN; plan.owned() * field.components];
                file.write_field(&field.name, frame as u64, plan, &nothing)?;
            }
        }
        file.write_times(&frames[..written])?;
        for (q, quantity) in deck.quantity.iter().enumerate() {
            let values: Vec<f64> = frame_values.iter().map(|list| list[q]).collect();
            let unit = simulation.quantity_unit(quantity);
            file.write_quantity(&quantity.name, &unit, &format!("{:?}", quantity.kind), &values)?;
        }
        write_steps(&file, simulation, &steps)?;
        report.write_log(&file)?;
        file.finish()?;
        if deck.output.xdmf {
            names.extend(write_xdmf(&comm, &path)?);
        }
        Ok(())
    })?;
    report.finish(&names);
    if let Some(fault) = fault {
        return Err(fault);
    }
    match failure {
        Some(why) => Err(Error::Failed(format!(
            "{why}. {} holds everything up to t = {:.6e} s",
            path.display(),
            context.time
        ))),
        None => Ok(()),
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

fn write_frame(
    file: &ResultFile,
    simulation: &Simulation,
    fields: &[FieldInfo],
    plans: &[Redistribution],
    frame: u64,
    context: &Context,
) -> Result<()> {
    for field in fields {
        let values = simulation.field_values(field, context)?;
        file.write_field(&field.name, frame, &plans[field.stage], &values.read()?)?;
    }
    Ok(())
}

/// `/log/steps`: one row a step.
fn write_steps(file: &ResultFile, simulation: &Simulation, steps: &[Step]) -> Result<()> {
    let mut columns: Vec<String> =
        ["time", "length", "newton", "linear", "error", "conserved", "supplied", "inflow", "imbalance"]
            .map(String::from)
            .to_vec();
    columns.extend(simulation.deck.quantity.iter().map(|q| q.name.clone()));
    let values: Vec<f64> = steps
        .iter()
        .flat_map(|s| {
            let own = [
                s.time,
                s.length,
                s.newton as f64,
                s.linear as f64,
                s.error,
                s.conserved,
                s.supplied,
                s.inflow,
                s.imbalance,
            ];
            own.into_iter().chain(s.quantities.iter().copied())
        })
        .collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let meaning = "accepted time steps: end and length (s), iterations, estimated relative local error, \
                   integral of what is conserved, what came in (per s, mean of the step) through essential \
                   boundaries and through natural ones and sources, error of that balance, quantities of interest";
    file.write_log("steps", "", meaning, &columns, &values)
}
