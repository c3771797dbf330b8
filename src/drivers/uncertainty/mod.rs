//! What uncertain parameters make of the quantities of interest that a model predicts: quantiles, means, Sobol indices.
mod dataset;
mod ensemble;
mod results;
pub(super) mod sampled;
mod trained;

use crate::campaign::{Design, design_samples};
use crate::deck::Deck;
use crate::physics::Context;
use crate::report::Report;
use crate::storage::File;
use crate::uncertainty::{Index, Pairs, Pick, corrected_mean, mean, quantiles, sobol_indices};
use crate::{Error, Result};
use ensemble::Found;
use std::path::PathBuf;

pub(super) use ensemble::{Bound, Ensemble, Models};
pub(super) use trained::{trained, write_trained};

/// Quantiles unless others are asked for.
pub const QUANTILES: [f64; 3] = [0.05, 0.5, 0.95];

/// What is found out about uncertain quantities.
#[derive(Debug, Clone, Default)]
pub struct UncertaintyOptions {
    /// Levels of quantiles, between 0 and 1; [`QUANTILES`] when there are none.
    pub quantiles: Vec<f64>,
    /// Whether to find Sobol indices, with as many more predictions for each parameter as there are samples, and once again.
    pub sobol: bool,
    /// At so many of the samples the full model is solved as well, to correct the means.
    pub full_solves: usize,
    /// A dataset of full solves to correct the means with; those that the model was trained on are left out.
    pub dataset: Option<PathBuf>,
}

impl UncertaintyOptions {
    /// Whether anything was asked for.
    pub(super) fn asked(&self) -> bool {
        !self.quantiles.is_empty() || self.sobol || self.full_solves > 0 || self.dataset.is_some()
    }
}

/// Numbers by quantity, then by point.
type Rows = Vec<Vec<f64>>;

/// Full solves beside predictions, by quantity.
struct FullSolves {
    full: Rows,
    reduced: Rows,
    /// Whether they are the first of the draws.
    nested: bool,
    /// Where they come from, in words.
    source: String,
}

/// Finds out what was asked for, prints and stores it. Collective.
///
/// # Errors
/// Random fields in the deck; a dataset that does not fit; those of the models and of HDF5.
pub(super) fn run(
    report: &Report,
    file: &File,
    deck: &Deck,
    ensemble: &Ensemble,
    options: &UncertaintyOptions,
    models: &mut dyn Models,
) -> Result<()> {
    let count = deck.quantity.len();
    if count == 0 {
        return Ok(());
    }
    let column = |q: usize| -> Vec<f64> { ensemble.values.iter().map(|row| row[q]).collect() };
    let solves = match options.full_solves > 0 || options.dataset.is_some() {
        true => Some(report.phase("full solves", || full_solves(deck, ensemble, options, models))?),
        false => None,
    };
    let varied = varied(deck);
    let picks = match options.sobol {
        true => Some(report.phase("Sobol indices", || picks(deck, ensemble, &varied, models))?),
        false => None,
    };
    let levels = if options.quantiles.is_empty() { &QUANTILES[..] } else { &options.quantiles };
    let mut found = Vec::with_capacity(count);
    for q in 0..count {
        let (values, bounds) = (column(q), ensemble.bounds[q].values());
        if values.iter().chain(bounds.unwrap_or_default()).any(|value| !value.is_finite()) {
            let name = &deck.quantity[q].name;
            report.warn(format!("no statistics of \"{name}\": it is not known or not finite at all draws"));
            found.push(None);
            continue;
        }
        let mean = match &solves {
            None => mean(&values, bounds)?,
            Some(s) => {
                corrected_mean(&values, Pairs { full: &s.full[q], reduced: &s.reduced[q], nested: s.nested })?
            }
        };
        let indices = match &picks {
            None => None,
            Some(picks) => {
                report.phase("Sobol indices", || indices(&values, bounds, picks, q, ensemble.seed))?
            }
        };
        found.push(Some(Found { quantiles: quantiles(&values, bounds, levels)?, mean, indices }));
    }
    let source = solves.as_ref().map(|s| s.source.as_str());
    let results = results::Results { found: &found, varied: &varied, ensemble, source, sobol: options.sobol };
    results.print(report, models.simulation());
    results.write(file, models.simulation())
}

/// Checks what can be before anything is computed.
///
/// # Errors
/// Levels that are none, too few samples, random fields.
pub(super) fn check(deck: &Deck, options: &UncertaintyOptions, samples: Option<usize>) -> Result<()> {
    if let Some(level) = options.quantiles.iter().find(|level| !(**level > 0.0 && **level < 1.0)) {
        return Err(Error::input("--quantiles", format!("a quantile lies between 0 and 1, not at {level}")));
    }
    let Some(samples) = samples else {
        let text = "quantiles, corrected means and Sobol indices need draws of the parameters: --samples N";
        return if options.asked() { Err(Error::input("--samples", text)) } else { Ok(()) };
    };
    if options.sobol && !deck.random.is_empty() {
        return Err(Error::input("--sobol", "indices are of parameters, and random fields have none"));
    }
    if options.asked() && samples < 2 {
        return Err(Error::input("--samples", "statistics need two draws at least"));
    }
    if options.asked() && deck.quantity.is_empty() {
        let text = "the model has no quantity of interest to find quantiles, means or indices of";
        return Err(deck.fault("quantity", text));
    }
    if options.full_solves == 1 || options.full_solves > samples {
        let text = format!("expected 2 to {samples} full solves, as many as there are samples at most");
        return Err(Error::input("--full-solves", text));
    }
    Ok(())
}

/// The parameters that vary, by number.
fn varied(deck: &Deck) -> Vec<usize> {
    let varies = |number: &usize| deck.parameters[*number].varies();
    (0..deck.parameters.len()).filter(varies).collect()
}

/// Rows of points by quantity.
fn by_quantity<'a>(rows: impl Iterator<Item = &'a Vec<f64>> + Clone, count: usize) -> Rows {
    (0..count).map(|q| rows.clone().map(|row| row[q]).collect()).collect()
}

/// Full solves, of draws or of a dataset.
fn full_solves(
    deck: &Deck,
    ensemble: &Ensemble,
    options: &UncertaintyOptions,
    models: &mut dyn Models,
) -> Result<FullSolves> {
    let count = deck.quantity.len();
    if let Some(path) = &options.dataset {
        let held_out = dataset::read(ensemble.comm, deck, path, ensemble.trained.as_ref())?;
        let reduced = by_quantity(models.reduced(&held_out.points)?.iter().map(|row| &row[0]), count);
        let full = by_quantity(held_out.full.iter(), count);
        return Ok(FullSolves { full, reduced, nested: false, source: held_out.source });
    }
    let pairs = options.full_solves;
    let solved: Vec<Vec<f64>> =
        ensemble.points[..pairs].iter().map(|point| models.full(point)).collect::<Result<_>>()?;
    let predicted: Vec<Vec<f64>> = ensemble.values[..pairs].iter().map(|row| row.to_vec()).collect();
    let source = format!("at the first {pairs} samples");
    let (full, reduced) = (by_quantity(solved.iter(), count), by_quantity(predicted.iter(), count));
    Ok(FullSolves { full, reduced, nested: true, source })
}

/// Quantities and bounds, `[0 or 1][quantity][point]`, at other draws, then at the samples with each of the parameters from there.
fn picks(
    deck: &Deck,
    ensemble: &Ensemble,
    varied: &[usize],
    models: &mut dyn Models,
) -> Result<Vec<[Rows; 2]>> {
    let (samples, count) = (ensemble.points.len(), deck.quantity.len());
    // What follows the samples in their own sequence.
    let design = Design::Random { samples: 2 * samples, seed: ensemble.seed };
    let others = design_samples(deck, &design)?.split_off(samples);
    let mut reduced = |points: &[Vec<f64>]| -> Result<[Rows; 2]> {
        let points: Vec<Context> = points.iter().map(|point| Context::steady(point.clone())).collect();
        let rows = models.reduced(&points)?;
        Ok([0, 1].map(|k| by_quantity(rows.iter().map(|row| &row[k]), count)))
    };
    let mut picks = vec![reduced(&others)?];
    for &number in varied {
        let mut points = ensemble.points.to_vec();
        points.iter_mut().zip(&others).for_each(|(point, other)| point[number] = other[number]);
        picks.push(reduced(&points)?);
    }
    Ok(picks)
}

/// The indices of a quantity.
fn indices(
    values: &[f64],
    bounds: Option<&[f64]>,
    picks: &[[Rows; 2]],
    q: usize,
    seed: u64,
) -> Result<Option<Vec<Index>>> {
    let swapped = |k: usize| picks[1..].iter().map(|pick| pick[k][q].clone()).collect::<Vec<_>>();
    let (others, errors) = (swapped(0), swapped(1));
    let pick = Pick { a: values, b: &picks[0][0][q], swapped: &others };
    let errors = bounds.map(|bounds| Pick { a: bounds, b: &picks[0][1][q], swapped: &errors });
    sobol_indices(pick, errors, seed)
}
