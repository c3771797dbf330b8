//! Frames of fields, at the times that a deck asks for.
use super::record::Record;
use crate::Result;
use crate::drivers::shared::solve;
use crate::simulation::{Observer, Run};
use std::cell::RefCell;

/// Writes fields to the result file.
pub(super) struct Frames<'a>(pub &'a RefCell<Record>);

impl Frames<'_> {
    /// Writes the next frame, after solving the problems without a time derivative.
    fn save(&self, run: &mut Run) -> Result<()> {
        let (context, report) = (&run.evolution.context, run.report);
        for stage in run.simulation.stages.iter_mut().filter(|stage| !stage.evolves()) {
            solve(stage, context, report).map_err(|error| run.simulation.deck.locate(error))?;
        }
        report.phase("output", || self.0.borrow_mut().save(run.simulation, context))
    }
}

impl Observer for Frames<'_> {
    fn at_start(&mut self, run: &mut Run) -> Result<()> {
        let first = self.0.borrow().written == 0;
        if first { self.save(run) } else { Ok(()) }
    }

    fn after_step(&mut self, run: &mut Run) -> Result<()> {
        if run.on_frame { self.save(run) } else { Ok(()) }
    }
}
