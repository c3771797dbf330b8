//! `tessera predict` of a run in time, step by step on functions that experts have learned.
use super::output;
use super::points::{FILE, PredictOptions, points, warn_outside};
use crate::deck::{ConstraintLevel, Deck};
use crate::learning::{State, for_prediction, product, run_error};
use crate::parallel::Comm;
use crate::physics::Context;
use crate::report::Report;
use crate::storage::{ResultFile, Schema, write_xdmf};
use crate::{Error, Result};
use std::path::Path;

/// Predicts a run with a network and writes its frames as those of a run are written. Collective.
pub(super) fn run(
    comm: &Comm,
    path: &Path,
    (deck, state): (&Deck, &State),
    options: &PredictOptions,
    report: &Report,
) -> Result<()> {
    if !matches!(deck.constraint.level, ConstraintLevel::None | ConstraintLevel::Coupled) {
        let text = "a run on learned functions is repaired step by step to the level \"coupled\" alone; \"tessera constrain\" \
                    takes its file to other levels";
        return Err(Error::input("--constraint", text));
    }
    let target = deck.output.directory.join(FILE);
    output::expect_writable(comm, deck, &target)?;
    let points = points(comm, deck, &options.points)?;
    let [parameters] = &points[..] else {
        let text = format!("runs in time are predicted one at a time, found {} points", points.len());
        return Err(Error::input("--parameter", text));
    };
    warn_outside(report, deck, &points);
    let time = deck.time.as_ref().expect("a deck with [time]");
    let mut simulation = super::shared::set_up(comm, deck, report)?;
    let (mut loss, basis) = for_prediction(&simulation, &state.extent, &state.weights)?;
    let file = ResultFile::create(comm, &target)?;
    let context = Context { time: time.start, ..Context::steady(parameters.clone()) };
    output::write_header(&file, Schema::Run, &simulation, &context, &options.run.petsc)?;
    file.set("/", "model", path.display().to_string())?;
    let times = time.frames(deck.output.frames);
    file.write_times(&times)?;
    let fields = output::wanted(&simulation)?;
    let plan = simulation.stages[0].space().canonical();
    for field in &fields {
        file.create_field(&output::describe(&simulation, field, &plan), times.len() as u64)?;
    }
    let (mut frame, mut quantities) = (0, Vec::new());
    let worst = report.phase("learned functions", || {
        loss.follow(&basis, parameters, |simulation, context| {
            if !times.contains(&context.time) {
                return Ok(());
            }
            for field in &fields {
                let values = simulation.field_values(field, context)?;
                file.write_field(&field.name, frame, &plan, &values.read()?)?;
            }
            quantities.push(simulation.quantities(context)?);
            frame += 1;
            Ok(())
        })
    })?;
    report.line(format!("{frame} frames; worst balance of an expert in a step {worst:.1e}"));
    output::write_quantities(&file, &simulation, &quantities)?;
    if options.truth {
        let mass = product(&simulation)?;
        let error =
            report.phase("full run", || run_error(&mut loss, &basis, parameters, &mut simulation, &mass))?;
        report.line(format!(
            "relative error in L2 {:.2e}; up to the end of training {:.2e}, after it {:.2e}; {:.2} s, a full run {:.2} s",
            error.all, error.trained, error.beyond, error.seconds[0], error.seconds[1]
        ));
        let place = format!("/truth/{}", simulation.stages[0].problem.field);
        file.write_array(&place, &[1, 3], &[error.all, error.trained, error.beyond])?;
        file.set(&place, "columns", &["relative_error", "up_to_the_end_of_training", "after_it"][..])?;
        file.set(
            &place,
            "meaning",
            "distance from the full run in L2 over space and frames, over the size of that",
        )?;
    }
    report.write_log(&file)?;
    file.finish()?;
    let mut written = vec![target.clone()];
    if deck.output.xdmf {
        written.extend(write_xdmf(comm, &target)?);
    }
    report.finish(&written);
    Ok(())
}
