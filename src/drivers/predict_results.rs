//! What is known of predictions of models with sampled integrals, in files and in words.
use super::output;
use super::points::PredictOptions;
use crate::Result;
use crate::campaign::named;
use crate::deck::Deck;
use crate::format::duration;
use crate::report::{Report, Table};
use crate::rom::Calibration;
use crate::rom::sampled::{Bounds, Dictionary};
use crate::simulation::Simulation;
use crate::storage::{ResultFile, Schema};
use std::path::Path;

/// What is known of a point.
pub(super) struct Found {
    /// `[frame][quantity]`.
    pub quantities: Vec<Vec<f64>>,
    /// Largest relative errors over the frames against the full model, fields then quantities, if it was asked.
    pub truth: Vec<f64>,
    /// Of the errors, by target of the model; none without calibration.
    pub bounds: Vec<f64>,
    pub seconds: f64,
    pub steps: usize,
    pub iterations: usize,
    /// Whose model it is of.
    pub cluster: usize,
    /// Whether the full model was run instead.
    pub corrected: bool,
}

/// Errors of all predictions against the full model. Collective.
pub(super) fn write_truths(file: &ResultFile, names: &[String], found: &[Found]) -> Result<()> {
    for (k, name) in names.iter().enumerate() {
        let path = format!("/truth/{name}");
        let values: Vec<f64> = found.iter().map(|one| one.truth[k]).collect();
        file.write_array(&path, &[values.len() as u64], &values)?;
        let meaning = "error against the full model at the same steps, largest over the frames (fields: of nodal values), over \
                       the largest of these of the full model";
        file.set(&path, "meaning", meaning)?;
    }
    Ok(())
}

/// Bounds of all predictions. Collective.
pub(super) fn write_bounds(
    file: &ResultFile,
    simulation: &Simulation,
    bounds: &Bounds,
    found: &[Found],
) -> Result<()> {
    for (k, target) in bounds.targets.iter().enumerate() {
        let kind = if target.field { "fields" } else { "quantities" };
        let path = format!("/estimate/{kind}/{}", target.name);
        let values: Vec<f64> = found.iter().map(|one| one.bounds[k]).collect();
        file.write_array(&path, &[values.len() as u64], &values)?;
        let of = if target.field {
            "relative to the field's largest norm over time, of nodal values"
        } else {
            "in its unit"
        };
        let Calibration { level, samples, .. } = target.calibration;
        let meaning = format!(
            "bound of the largest error over time, {of}, that holds with a probability of {level} over the training's design, \
             calibrated on {samples} held-out samples; not proven"
        );
        let quantity = simulation.deck.quantity.iter().find(|q| !target.field && q.name == target.name);
        file.set(&path, "unit", quantity.map_or("1".into(), |quantity| simulation.quantity_unit(quantity)))?;
        file.set(&path, "meaning", meaning)?;
    }
    Ok(())
}

/// Which predictions are runs of the full model. Collective.
pub(super) fn write_corrected(file: &ResultFile, accept: f64, found: &[Found]) -> Result<()> {
    let path = "/estimate/corrected";
    let values: Vec<u8> = found.iter().map(|one| u8::from(one.corrected)).collect();
    file.write_array(path, &[values.len() as u64], &values)?;
    file.set(path, "tolerance", accept)?;
    let meaning = "1 where the indicator was above the tolerance and the full model was run instead, its steps accepted to the \
                   tolerance; bounds there are still those of the prediction";
    file.set(path, "meaning", meaning)
}

/// What stands in a file of predictions without fields. Collective.
pub(super) fn describe(
    file: &ResultFile,
    deck: &Deck,
    model: &Dictionary,
    points: &[Vec<f64>],
    path: &Path,
    options: &PredictOptions,
) -> Result<()> {
    file.describe(Schema::Run, &output::provenance(model.simulation(), &options.run.petsc))?;
    file.set("/", "model", path.display().to_string())?;
    file.write_parameters(&named(deck, points))?;
    file.write_times(&(0..points.len()).map(|i| i as f64).collect::<Vec<_>>())?;
    file.set("/time", "meaning", "number of the prediction")?;
    file.set("/time", "unit", "1")
}

/// The quantities of all predictions: at the end, and at the frames. Collective.
pub(super) fn write_quantities(
    file: &ResultFile,
    simulation: &Simulation,
    frames: &[f64],
    found: &[Found],
) -> Result<()> {
    let deck = &simulation.deck;
    let in_time = deck.time.is_some();
    if in_time && !deck.quantity.is_empty() {
        file.create_group("/history")?;
        file.write_array("/history/time", &[frames.len() as u64], frames)?;
        file.set("/history/time", "unit", "s")?;
    }
    for (i, quantity) in deck.quantity.iter().enumerate() {
        let ends: Vec<f64> = found.iter().filter_map(|one| one.quantities.last()).map(|row| row[i]).collect();
        let unit = simulation.quantity_unit(quantity);
        let meaning = format!("{}, predicted, at the end", simulation.quantity_meaning(quantity));
        file.write_quantity(&quantity.name, &unit, &meaning, &ends)?;
        if in_time {
            let path = format!("/history/{}", quantity.name);
            let values: Vec<f64> =
                found.iter().flat_map(|one| one.quantities.iter().map(|row| row[i])).collect();
            file.write_array(&path, &[found.len() as u64, frames.len() as u64], &values)?;
            file.set(&path, "unit", unit)?;
            file.set(&path, "meaning", "predicted, [prediction, frame]; times are those of /history/time")?;
        }
    }
    Ok(())
}

pub(super) fn print(report: &Report, deck: &Deck, bounds: &Bounds, found: &[Found]) {
    let worst = |name: &str, field: bool| {
        let place = bounds.targets.iter().position(|target| target.name == name && target.field == field)?;
        found.iter().map(|one| one.bounds[place]).reduce(f64::max)
    };
    let words = |bound: Option<f64>| bound.map_or("-".into(), |bound| format!("{bound:.1e}"));
    let mut table = Table::new(&["quantity", "least", "mean", "largest", "error at most"]);
    for (i, quantity) in deck.quantity.iter().enumerate() {
        let ends: Vec<f64> = found.iter().filter_map(|one| one.quantities.last()).map(|row| row[i]).collect();
        let mean = ends.iter().sum::<f64>() / ends.len().max(1) as f64;
        let least = ends.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = ends.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        table.row(&[
            quantity.name.clone(),
            format!("{least:.6e}"),
            format!("{mean:.6e}"),
            format!("{largest:.6e}"),
            words(worst(&quantity.name, false)),
        ]);
    }
    if !deck.quantity.is_empty() {
        report.line("quantities of interest at the end; errors over all steps");
        report.table(&table);
    }
    let fields = bounds.targets.iter().filter(|target| target.field);
    let list: Vec<String> =
        fields.map(|target| format!("{} {}", target.name, words(worst(&target.name, true)))).collect();
    if let Some(target) = bounds.targets.first() {
        report.line(format!("relative errors of fields at most: {}", list.join(", ")));
        let Calibration { level, samples, .. } = target.calibration;
        report.line(format!(
            "bounds hold with a probability of {level} over the design's distribution, calibrated on {samples} held-out samples; \
             they are not proven"
        ));
    }
    let reduced: Vec<&Found> = found.iter().filter(|one| !one.corrected).collect();
    if reduced.is_empty() {
        return;
    }
    let seconds: f64 = reduced.iter().map(|one| one.seconds).sum();
    let steps: usize = reduced.iter().map(|one| one.steps).sum();
    let iterations: usize = reduced.iter().map(|one| one.iterations).sum();
    let count = reduced.len() as f64;
    let run = duration(seconds / count);
    report.line(match steps {
        0 => format!(
            "reduced run {run} on one core, {:.1} Newton iterations (means)",
            iterations as f64 / count
        ),
        _ => format!(
            "reduced run {run} on one core, {:.0} steps, {:.1} Newton iterations each (means)",
            steps as f64 / count,
            iterations as f64 / steps as f64
        ),
    });
}
