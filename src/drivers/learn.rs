//! `tessera learn`: functions of the experts, from the equations alone.
use super::output;
use super::shared::RunOptions;
use crate::campaign::{Groups, solve_once};
use crate::checkpoint::Requests;
use crate::deck::Deck;
use crate::learning::{RunError, Training, errors, read_state, run_errors, trained_steps};
use crate::parallel::Comm;
use crate::physics::Context;
use crate::report::{Report, Table};
use crate::simulation::Simulation;
use crate::storage::{Lock, Provenance};
use crate::{Error, Result};
use std::path::Path;
use std::time::Instant;

/// Trains the network of a deck, or goes on with it where an earlier run stopped. Collective.
///
/// # Errors
/// When the deck is not one to learn from, the file is another deck's, or a field is not found; [`Error::Stopped`] after a
/// signal.
pub fn run(comm: &Comm, deck: &Deck, options: &RunOptions) -> Result<()> {
    let report = Report::new(comm, options.level);
    report.banner(&deck.title);
    let section = deck.validate_network()?.clone();
    let path = deck.output.directory.join(&section.file);
    output::expect_writable(comm, deck, &path)?;
    let _lock = Lock::take(comm, &path)?;
    let mut requests = Requests::new(comm, deck, options.signals.clone());
    let probe = |simulation: &mut Simulation, _: usize| {
        solve_once(simulation, &Context::steady(deck.default_parameters()))
    };
    let groups = Groups::choose(comm, deck, section.samples, probe, &report)?;
    let mut simulation = comm.agree(super::shared::set_up(&groups.comm, deck, &report))?;
    let mut training = comm.agree(Training::new(&groups, &simulation, &section))?;
    report.line(format!(
        "network      {} weights; {} experts with {} functions each",
        training.basis().weights().len(),
        simulation.mesh.global_experts,
        section.functions
    ));
    if let Some(time) = &deck.time {
        let ends = trained_steps(time, &section.time);
        let (count, last) = (ends.len(), ends.last().copied().unwrap_or(time.start));
        report.line(format!("runs         {count} steps to {last} s are trained on"));
    }
    if comm.max(u8::from(comm.rank() == 0 && path.exists())) == 1 {
        training.restore(read_state(comm, &path, deck)?)?;
        report.line(format!(
            "{}: {} of {} steps are done already",
            path.display(),
            training.steps(),
            section.steps
        ));
    }
    let provenance = output::provenance(&simulation, &options.petsc);
    let save = |training: &Training| report.phase("file", || save(&groups, training, &path, &provenance));
    let look = |training: &mut Training| -> Result<()> {
        let look = report.phase("tests", || training.look())?;
        report.line(format!(
            "step {:6}  relative residual at the tests: {:.3e} in the mean, {:.3e} at worst",
            look.step,
            look.mean.sqrt(),
            look.worst.sqrt()
        ));
        Ok(())
    };
    if training.steps() == 0 {
        look(&mut training)?;
    }
    let progress = report.progress("steps", section.steps);
    progress.skip(training.steps());
    let (begin, before) = (Instant::now(), training.steps());
    while training.steps() < section.steps {
        let [loss, _] = report.phase("steps", || training.step())?;
        progress.advance(&format!("relative residual {:.3e}", loss.sqrt()));
        let stop = comm.max(u8::from(requests.stop())) == 1;
        let last = training.steps() == section.steps;
        if last || training.steps().is_multiple_of(section.every) {
            look(&mut training)?;
            save(&training)?;
        } else if stop {
            save(&training)?;
        }
        if stop && !last {
            let (done, all) = (training.steps(), section.steps);
            let text = format!(
                "{}: {done} of {all} steps; the same command goes on with the others",
                path.display()
            );
            return Err(Error::Stopped(text));
        }
    }
    drop(progress);
    let seconds = comm.max(begin.elapsed().as_secs_f64());
    let worst = comm.max(training.worst_imbalance());
    if training.steps() > before {
        let steps = training.steps() - before;
        report.line(format!(
            "{steps} steps of training in {seconds:.1} s; worst balance of an expert {worst:.1e}"
        ));
    }
    if deck.time.is_some() {
        let errors = report.phase("full runs", || run_errors(&groups, &mut training, &mut simulation))?;
        print_runs(&report, &training, &errors);
    } else {
        let errors = report.phase("full solves", || errors(&groups, &mut training, &mut simulation))?;
        print(&report, &training, &errors);
    }
    report.finish(&[path]);
    Ok(())
}

/// The first group writes. Collective.
fn save(groups: &Groups, training: &Training, path: &Path, provenance: &Provenance) -> Result<()> {
    let written = if groups.index == 0 {
        training.state().write(&groups.comm, path, training.deck(), provenance)
    } else {
        Ok(())
    };
    groups.world.agree(written)
}

/// The error of the run at each test.
fn print_runs(report: &Report, training: &Training, errors: &[RunError]) {
    let names: Vec<&str> = training.deck().parameters.keys().map(String::as_str).collect();
    let mut head = names.clone();
    head.extend([
        "relative residual",
        "error",
        "up to the end of training",
        "after it",
        "s",
        "s of the full run",
    ]);
    let mut table = Table::new(&head);
    for (parameters, row) in training.tests().iter().zip(errors) {
        let mut cells: Vec<String> = parameters.iter().map(|value| format!("{value:.5e}")).collect();
        let errors = [row.residual, row.all, row.trained, row.beyond];
        cells.extend(errors.iter().map(|number| format!("{number:.2e}")));
        cells.extend(row.seconds.iter().map(|seconds| format!("{seconds:.2}")));
        table.row(&cells);
    }
    report.line("against full runs at parameters never trained on; error in L2 over space and frames, relative to the full run");
    report.table(&table);
    let count = errors.len() as f64;
    let look = |of: fn(&RunError) -> f64| {
        let numbers = errors.iter().map(of);
        (numbers.clone().sum::<f64>() / count, numbers.fold(0.0, f64::max))
    };
    for (what, (mean, worst)) in [
        ("all frames", look(|row| row.all)),
        ("frames up to the end of training", look(|row| row.trained)),
        ("frames after it", look(|row| row.beyond)),
    ] {
        if mean.is_finite() {
            report.line(format!("error of {what}: {mean:.2e} in the mean, {worst:.2e} at worst"));
        }
    }
    let [own, full] = [look(|row| row.seconds[0]).0, look(|row| row.seconds[1]).0];
    report.line(format!("a run on the functions takes {own:.2} s in the mean, a full one {full:.2} s"));
}

/// The error at each test.
fn print(report: &Report, training: &Training, errors: &[[f64; 2]]) {
    let mut table = Table::new(&["test", "relative residual", "relative error"]);
    for (number, [residual, error]) in errors.iter().enumerate() {
        table.row(&[number.to_string(), format!("{residual:.2e}"), format!("{error:.2e}")]);
    }
    report.line("against full solutions at parameters never trained on; error in L2, relative to the distance from the mean");
    report.table(&table);
    let first = training.looks().first().map_or(f64::NAN, |look| look.mean.sqrt());
    let last = training.looks().last().map_or(f64::NAN, |look| look.mean.sqrt());
    let worst = errors.iter().map(|row| row[1]).fold(0.0, f64::max);
    report.line(format!("relative residual {first:.2e} -> {last:.2e}; worst relative error {worst:.2e}"));
}
