//! The present state in a file of its own, when it is asked for: it can be looked at while the run goes on.
use crate::drivers::output;
use crate::simulation::{Observer, Run, Wishes};
use crate::{Error, Result};
use std::path::PathBuf;

/// Writes `<result>-step-<number>.h5` when output is wished for; the run had these PETSc options.
pub(super) struct Snapshots<'a>(pub &'a [String]);

impl Snapshots<'_> {
    fn write(&self, run: &mut Run) -> Result<Vec<PathBuf>> {
        let (simulation, context) = (&mut *run.simulation, &run.evolution.context);
        // Problems without a time derivative are solved for it. The next frame starts from the last one all the same.
        let mut last = Vec::new();
        for stage in simulation.stages.iter_mut().filter(|stage| !stage.evolves()) {
            last.push(stage.solution().read()?.to_vec());
            stage.solve(context)?;
        }
        let values = simulation.quantities(context)?;
        let deck = &simulation.deck.output;
        let stem = deck.file.file_stem().unwrap_or_default().to_string_lossy();
        let path = deck.directory.join(format!("{stem}-step-{:08}.h5", run.steps.len()));
        let written = output::write_state(&path, simulation, context, values, self.0, |_| Ok(()));
        let steady = simulation.stages.iter_mut().filter(|stage| !stage.evolves());
        steady.zip(last).try_for_each(|(stage, values)| stage.set_solution(&values))?;
        written
    }
}

impl Observer for Snapshots<'_> {
    fn before_step(&mut self, run: &mut Run, wishes: Wishes) -> Result<()> {
        if !wishes.output {
            return Ok(());
        }
        let (step, time, report) = (run.steps.len(), run.evolution.context.time, run.report);
        match report.phase("output", || self.write(run)) {
            Ok(files) => {
                let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
                report.line(format!("output       step {step}, t = {time:.6e} s: {}", names.join(", ")));
            }
            Err(error @ (Error::Storage(_) | Error::Failed(_))) => {
                report.warn(format!("{error}; the run goes on without this output"));
            }
            Err(other) => return Err(other),
        }
        Ok(())
    }
}
