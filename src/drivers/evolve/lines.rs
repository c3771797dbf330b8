//! The log of a run in time: a line a step.
use crate::drivers::shared::warn_of_unused_options;
use crate::simulation::{Observer, Run, Step};
use crate::{Error, Result};

/// Prints what becomes of steps; at the end what was rejected, how tuned solvers fared and which of these PETSc options
/// nothing asked for.
pub(super) struct Lines<'a>(pub &'a [String]);

impl Observer for Lines<'_> {
    fn at_start(&mut self, run: &mut Run) -> Result<()> {
        run.report.line(Step::heading());
        Ok(())
    }

    fn after_step(&mut self, run: &mut Run) -> Result<()> {
        let count = run.steps.len();
        let note = run.stepper.note();
        let line = |step: &Step| format!("{}  {note}", step.line(count)).trim_end().to_string();
        run.steps.last().into_iter().for_each(|step| run.report.line(line(step)));
        for stage in &run.simulation.stages {
            if let Some((tuning, (arm, loss))) = stage.tuning().and_then(|t| Some((t, t.newest()?))) {
                let (name, arm) = (&stage.problem.name, &tuning.arms[arm]);
                run.report.detail(format!("    {name}: arm `{arm}`, loss {loss}"));
            }
        }
        Ok(())
    }

    fn after_cut(&mut self, run: &Run, why: &str, length: f64) {
        run.report.detail(format!("    {why}; the step is cut to {length:.3e} s"));
    }

    fn at_end(&mut self, run: &mut Run, _: Option<&Error>) -> Result<()> {
        let (rejected, report) = (run.evolution.rejected, run.report);
        if rejected > 0 {
            report.line(format!("{rejected} step{} rejected", if rejected == 1 { " was" } else { "s were" }));
        }
        run.stepper.summary().iter().for_each(|line| report.line(line));
        run.simulation.tuning_report().iter().for_each(|line| report.line(line));
        warn_of_unused_options(run.simulation, self.0, report)
    }
}
