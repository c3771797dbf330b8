//! `tessera run`: one simulation, from the deck to its HDF5 file.
use super::shared::{RunOptions, print_quantities, set_up, solve, warn_of_unused_options};
use super::{balance, output};
use crate::Result;
use crate::checkpoint::Folder;
use crate::deck::{ConstraintLevel, Deck};
use crate::parallel::Comm;
use crate::report::Report;

/// Solves the deck's problems for its default parameters and writes fields, quantities of interest
/// and the log. Collective.
///
/// # Errors
/// [`crate::Error::Input`] when the deck does not fit its mesh; [`crate::Error::Failed`] when a solver does not
/// converge. No file is left behind then.
pub fn run(comm: &Comm, deck: &Deck, options: &RunOptions) -> Result<()> {
    let report = Report::new(comm, options.level);
    report.banner(&deck.title);
    if let Some(guard) = &options.guard {
        guard.check(deck)?;
        guard.doubts(deck).into_iter().for_each(|doubt| report.warn(doubt));
    }
    let path = deck.output.directory.join(&deck.output.file);
    output::expect_writable(comm, deck, &path)?;
    if deck.constraint.level != ConstraintLevel::None {
        report.line(
            "note       [constraint] repairs the predictions of reduced models; it has no effect on a run",
        );
    }
    if let Some(time) = &deck.time {
        let restart = options.restart.as_ref();
        let found = restart.map(|restart| Folder::of(deck).find(deck, restart, &report, comm)).transpose()?;
        let mut simulation = set_up(comm, deck, &report)?;
        return super::evolve::evolve(&mut simulation, time, found.flatten(), options, &report);
    }
    options.signals.release();
    if options.restart.is_some() {
        return Err(crate::Error::input("--restart", "a run without [time] has no checkpoints"));
    }
    let mut simulation = set_up(comm, deck, &report)?;
    output::wanted(&simulation)?;
    let context = simulation.default_context();
    for stage in &mut simulation.stages {
        solve(stage, &context, &report).map_err(|error| deck.locate(error))?;
    }
    warn_of_unused_options(&simulation, &options.petsc, &report)?;
    let quantities = report.phase("quantities", || simulation.quantities(&context))?;
    let balances = report.phase("quantities", || balance::balances(&simulation, &context))?;
    balance::print(&simulation, &balances, &report);
    print_quantities(&simulation, &quantities, &report);

    let written = report.phase("output", || {
        output::write_state(&path, &simulation, &context, quantities, &options.petsc, |file| {
            balance::write(file, &simulation, &balances)?;
            for stage in &simulation.stages {
                let name = format!("residuals/{}", stage.problem.name);
                let meaning = "residual norm on the free unknowns from the first guess on";
                file.write_log(&name, "", meaning, &[], &stage.outcome().history)?;
            }
            report.write_log(file)
        })
    })?;
    report.finish(&written);
    Ok(())
}
