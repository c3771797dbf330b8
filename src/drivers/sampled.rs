//! `tessera train` of problems in time and of nonlinear ones: a reduced model with sampled integrals.
use super::snapshots::Snapshots;
use crate::Result;
use crate::deck::RomAlgorithm;
use crate::mixture::{Algorithm, Truncation};
use crate::report::{Report, Table};
use crate::rom::Trajectories;
use crate::rom::sampled::{self, SampledOptions, SampledTraining, Samples};
use crate::simulation::Simulation;
use crate::storage::Moments;

/// Why the samples are not enough for a reduced model, if so. Collective.
pub(super) fn why_not(simulation: &Simulation, snapshots: &Snapshots) -> Result<Option<&'static str>> {
    let deck = &simulation.deck;
    if deck.rom.windows.is_some() {
        return Ok(Some("bases in space and time serve constraints alone"));
    }
    if !deck.random.is_empty() {
        return Ok(Some("random fields have no parameters that a model could be given"));
    }
    for file in &snapshots.files {
        if deck.time.is_some() && !matches!(file.moments()?, Some(Moments::Steps(_))) {
            return Ok(Some("a model in time needs all steps of the samples: campaign.frames = \"steps\""));
        }
    }
    Ok(None)
}

/// Trains the model. Collective.
///
/// # Errors
/// As [`sampled::train`].
pub(super) fn train(
    simulation: &mut Simulation,
    snapshots: &Snapshots,
    report: &Report,
) -> Result<SampledTraining> {
    let rom = &simulation.deck.rom;
    let options = SampledOptions {
        truncation: Truncation { modes: rom.modes, tolerance: rom.tolerance },
        algorithm: match rom.algorithm {
            RomAlgorithm::Snapshots => Algorithm::Snapshots,
            RomAlgorithm::Tsqr => Algorithm::Tsqr,
        },
        cubature: None,
    };
    let which: Vec<usize> = (0..snapshots.count()).collect();
    let samples = Samples { source: snapshots, parameters: &snapshots.parameters, which: &which };
    let trained = report.phase("training", || sampled::train(simulation, samples, &options))?;
    let mut table = Table::new(&["physics", "liftings", "modes", "projection error", "points"]);
    for (reduction, data) in trained.reductions.iter().zip(&trained.data) {
        table.row(&[
            data.name.clone(),
            data.lifts.to_string(),
            data.modes.to_string(),
            format!("{:.2e}", reduction.error),
            data.chosen.len().to_string(),
        ]);
    }
    report.table(&table);
    let mut table = Table::new(&["tolerance", "points", "error"]);
    for trial in &trained.trials {
        table.row(&[
            format!("{:.0e}", trial.tolerance),
            trial.points.to_string(),
            format!("{:.2e}", trial.error),
        ]);
    }
    report.line("cubatures that were tried, and the error of training trajectories with them");
    report.table(&table);
    Ok(trained)
}
