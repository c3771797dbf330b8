//! `tessera learn`: functions of the experts, from the equations alone.
use super::output;
use super::shared::RunOptions;
use crate::campaign::{Groups, solve_once};
use crate::checkpoint::Requests;
use crate::deck::Deck;
use crate::learning::{Training, errors, read_state};
use crate::parallel::Comm;
use crate::physics::Context;
use crate::report::{Report, Table};
use crate::simulation::Simulation;
use crate::storage::{Lock, Provenance};
use crate::{Error, Result};
use std::path::Path;

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
    let errors = report.phase("full solves", || errors(&groups, &mut training, &mut simulation))?;
    print(&report, &training, &errors);
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
