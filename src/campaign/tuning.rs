//! What tuned solvers learn in a campaign stays in its dataset.
use super::part::Selection;
use crate::Result;
use crate::simulation::Simulation;
use crate::storage::{DatasetFile, File};

/// Makes room for the choices of tuned solvers in a new dataset. Collective.
pub(super) fn create(file: &File, simulation: &Simulation, samples: usize) -> Result<()> {
    for stage in &simulation.stages {
        let Some(tuning) = stage.tuning() else { continue };
        for (what, meaning) in [
            ("arm", "number of the solver that the bandit chose (attribute arms)"),
            ("loss", "what the solve cost, in the unit of solver.tune.loss"),
        ] {
            let path = format!("/cost/{what}/{}", stage.problem.name);
            file.write_array(&path, &[samples as u64], &vec![f64::NAN; samples])?;
            file.set(&path, "meaning", meaning)?;
            file.set(&path, "arms", tuning.arms.clone())?;
        }
    }
    Ok(())
}

/// Tuned solvers learn from the samples that are there already. Collective.
pub(super) fn replay(
    dataset: &DatasetFile,
    simulation: &mut Simulation,
    selection: &Selection,
) -> Result<()> {
    let done = dataset.done()?;
    for stage in &mut simulation.stages {
        let name = stage.problem.name.clone();
        let Some(tuning) = stage.tuning_mut() else { continue };
        let (Some(arms), Some(losses)) =
            (dataset.cost(&format!("arm/{name}"))?, dataset.cost(&format!("loss/{name}"))?)
        else {
            continue;
        };
        for &sample in &done {
            tuning.replay_at(&selection.context(0.0, sample), arms[sample], losses[sample]);
        }
    }
    Ok(())
}
