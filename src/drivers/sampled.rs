//! `tessera train` of problems in time and of nonlinear ones: a reduced model with sampled integrals.
use super::clusters;
use super::snapshots::{Snapshots, decomposition};
use crate::Result;
use crate::campaign::{self, wanted};
use crate::deck::{Deck, Design, RomSection};
use crate::report::{Report, Table};
use crate::rom::Calibration;
use crate::rom::Trajectories;
use crate::rom::sampled::{
    self, Bounds, Clusters, Dictionary, Reduction, SampledOptions, SampledTraining, Samples,
};
use crate::simulation::Simulation;
use crate::storage::Moments;

/// Why the samples are not enough for a reduced model, if so. Collective.
pub(super) fn why_not(simulation: &Simulation, snapshots: &Snapshots) -> Result<Option<&'static str>> {
    let deck = &simulation.deck;
    if deck.rom.windows.is_some() {
        return Ok(Some("bases in space and time serve constraints alone"));
    }
    if deck.random.values().any(|field| field.terms().is_none()) {
        return Ok(Some("a model draws the terms of random fields: cut their expansions off with `terms`"));
    }
    for file in &snapshots.files {
        if deck.time.is_some() && !matches!(file.moments()?, Some(Moments::Steps(_))) {
            return Ok(Some("a model in time needs all steps of the samples: campaign.frames = \"steps\""));
        }
    }
    Ok(None)
}

/// How a deck wants models trained.
pub(super) fn options(rom: &RomSection) -> SampledOptions {
    let (algorithm, truncation) = decomposition(rom);
    SampledOptions { truncation, algorithm, cubature: rom.cubature, indicator: rom.indicator_modes }
}

/// A reduced model of each cluster.
pub(super) struct Trained {
    pub clusters: Clusters,
    /// By cluster.
    pub models: Vec<SampledTraining>,
    pub bounds: Option<Bounds>,
}

/// Trains the models. Collective.
///
/// # Errors
/// As [`sampled::train`].
pub(super) fn train(simulation: &mut Simulation, snapshots: &Snapshots, report: &Report) -> Result<Trained> {
    let rom = &simulation.deck.rom;
    let options = options(rom);
    let count = snapshots.count();
    let design = simulation.deck.campaign.design;
    let held = match design {
        // None of the samples that it has chosen.
        Design::Adaptive => {
            let first = simulation.deck.campaign.samples - campaign::held(&simulation.deck);
            snapshots.draws.iter().filter(|&&number| number >= first as u64).count()
        }
        _ => rom.calibration.unwrap_or(if count >= MANY { HELD } else { 0 }),
    };
    let least = Calibration::least_samples(rom.level)?;
    if held > 0 && (held < least || held + 2 > count) {
        let text = format!(
            "a level of {} takes {least} held-out samples at least and some to train on: found {held} of {count}",
            rom.level
        );
        return Err(simulation.deck.fault("rom.calibration", text));
    }
    if held > 0 && !matches!(design, Design::Random | Design::LatinHypercube | Design::Adaptive) {
        report.warn(
            "bounds are calibrated on the last samples of a design whose samples are not exchangeable: their level is none of \
             chance; the designs \"random\" and \"latin_hypercube\" have one",
        );
    }
    let which: Vec<usize> = (0..count - held).collect();
    let samples = Samples {
        source: snapshots,
        parameters: &snapshots.parameters,
        draws: &snapshots.draws,
        which: &which,
    };
    let clusters = report.phase("clusters", || clusters::find(simulation, samples, &options, report))?;
    let mut models = Vec::new();
    for (cluster, members) in clusters.members.iter().enumerate() {
        let own = Samples { which: members, ..samples };
        let trained = report.phase("training", || sampled::train(simulation, own, &which, &options))?;
        if clusters.members.len() > 1 {
            report.line(format!("cluster {cluster}"));
        }
        tables(report, &trained);
        models.push(trained);
    }
    let mut bounds = None;
    if held > 0 {
        let which: Vec<usize> = (count - held..count).collect();
        let samples = Samples { which: &which, ..samples };
        let mut model = Dictionary::new(&simulation.deck, &models)?;
        let reductions: Vec<&[Reduction]> = models.iter().map(|model| &model.reductions[..]).collect();
        let (fields, level) = (wanted(simulation)?, simulation.deck.rom.level);
        let found = report.phase("calibration", || {
            sampled::calibrate(simulation, &mut model, &reductions, samples, &fields, level)
        })?;
        print(report, &simulation.deck, &found, level);
        bounds = Some(found);
    } else {
        report.line("note       no samples are held out (rom.calibration): predictions come without bounds of their errors");
    }
    Ok(Trained { clusters, models, bounds })
}

/// Bases, and the cubatures that were tried.
fn tables(report: &Report, trained: &SampledTraining) {
    let mut table = Table::new(&["physics", "liftings", "modes", "projection error", "points"]);
    for (reduction, data) in trained.reductions.iter().zip(&trained.data) {
        table.row(&[
            data.name.clone(),
            data.lifts.to_string(),
            data.modes.to_string(),
            format!("{:.2e}", reduction.error),
            match &data.exact {
                Some(own) => format!("none: {} exact terms", own.factors.len()),
                None => data.chosen.len().to_string(),
            },
        ]);
    }
    report.table(&table);
    if trained.data.iter().all(|data| data.exact.is_some()) {
        let error = trained.trials.last().map_or(f64::NAN, |trial| trial.error);
        report.line(format!("error of training trajectories {error:.2e}"));
        return;
    }
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
}

/// Samples from which on some are held out, and how many.
const MANY: usize = 57;
const HELD: usize = 19;

/// Errors of the held-out samples, and what their bounds are worth.
fn print(report: &Report, deck: &Deck, bounds: &Bounds, level: f64) {
    let mut table =
        Table::new(&["field or quantity", "median error", "largest", "indicator", "spread", "effectivity"]);
    for (k, target) in bounds.targets.iter().enumerate() {
        let mut errors: Vec<f64> = bounds.errors.iter().map(|row| row[k]).collect();
        errors.sort_by(f64::total_cmp);
        let indicator = target.indicator.map_or("none", |stage| deck.physics[stage].name());
        table.row(&[
            target.name.clone(),
            format!("{:.2e}", errors[errors.len() / 2]),
            format!("{:.2e}", errors[errors.len() - 1]),
            indicator.into(),
            format!("{:.2}", target.calibration.spread),
            target.calibration.effectivity.map_or("-".into(), |e| format!("{e:.2}")),
        ]);
    }
    report.line(format!(
        "errors of {} held-out samples (fields relative, quantities in their units), for bounds that hold with a probability of \
         {level} (calibrated, not proven)",
        bounds.errors.len()
    ));
    report.table(&table);
}
