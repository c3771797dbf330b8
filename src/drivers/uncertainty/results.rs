//! What is said and stored of uncertain quantities.
use super::ensemble::{Bound, Ensemble, Found};
use crate::Result;
use crate::deck::Quantity;
use crate::format;
use crate::report::{Report, Table};
use crate::simulation::Simulation;
use crate::storage::File;
use crate::uncertainty::CONFIDENCE;

/// Everything that was found out.
pub(super) struct Results<'a> {
    pub found: &'a [Option<Found>],
    /// Parameters that vary, by number.
    pub varied: &'a [usize],
    pub ensemble: &'a Ensemble<'a>,
    /// Where full solves come from.
    pub source: Option<&'a str>,
    pub sobol: bool,
}

impl Results<'_> {
    pub(super) fn print(&self, report: &Report, simulation: &Simulation) {
        let deck = &simulation.deck;
        let (count, seed) = (self.ensemble.points.len(), self.ensemble.seed);
        report.line(format!(
            "uncertainty: {} independent draws, seed {seed}; brackets hold with {:.0} %",
            format::count(count as u64),
            100.0 * CONFIDENCE
        ));
        let number = |v: f64| if v.is_finite() { format!("{v:.5e}") } else { "-".into() };
        let mut table =
            Table::new(&["quantity", "", "value", "at least", "at most", "model's error", "unit"]);
        for ((quantity, found), bound) in deck.quantity.iter().zip(self.found).zip(&self.ensemble.bounds) {
            let Some(found) = found else { continue };
            let unit = simulation.quantity_unit(quantity);
            let mut row = |what: String, value: f64, low: f64, high: f64, error: &str| {
                let name = if what == "mean" { quantity.name.clone() } else { String::new() };
                table.row(&[
                    name,
                    what,
                    number(value),
                    number(low),
                    number(high),
                    error.into(),
                    unit.clone(),
                ]);
            };
            let known = bound.words().0;
            let mean = &found.mean;
            let of_mean = if mean.correction.is_some() { "corrected" } else { known };
            row("mean".into(), mean.value, mean.low, mean.high, of_mean);
            for q in &found.quantiles {
                row(format!("{} %", round(100.0 * q.level)), q.value, q.low, q.high, known);
            }
        }
        report.table(&table);
        let calibrated = |bound: &&Bound| matches!(bound, Bound::Calibrated(..));
        if let Some(bound) = self.ensemble.bounds.iter().find(calibrated) {
            report.line(format!("calibrated: {}", bound.words().1));
        }
        if let Some(source) = self.source {
            report.line(format!("means corrected by full solves {source}:"));
            let head = ["quantity", "correction", "variance of it", "variance of the draws' mean", "unit"];
            let mut table = Table::new(&head);
            for (quantity, found) in deck.quantity.iter().zip(self.found) {
                let Some((found, correction)) =
                    found.as_ref().and_then(|found| Some((found, found.mean.correction?)))
                else {
                    continue;
                };
                let squares = [correction.variance, found.mean.variance].map(|v| format!("{v:.2e}"));
                let [own, draws] = squares;
                let unit = simulation.quantity_unit(quantity);
                table.row(&[quantity.name.clone(), format!("{:+.4e}", correction.value), own, draws, unit]);
            }
            report.table(&table);
        }
        if self.sobol {
            self.print_indices(report, simulation);
        }
    }

    fn print_indices(&self, report: &Report, simulation: &Simulation) {
        let deck = &simulation.deck;
        let solves = self.ensemble.points.len() * (self.varied.len() + 2);
        report.line(format!(
            "Sobol indices of the model from {} predictions: first order, total, with standard deviations",
            format::count(solves as u64)
        ));
        let names = deck.quantity.iter().map(|quantity| quantity.name.as_str());
        let head: Vec<&str> = ["parameter"].into_iter().chain(names).collect();
        let mut table = Table::new(&head);
        for (place, &number) in self.varied.iter().enumerate() {
            let (name, _) = deck.parameters.get_index(number).expect("a parameter of the deck");
            let cell = |found: &Option<Found>| match found.as_ref().map(|found| &found.indices) {
                None => "-".to_string(),
                Some(None) => "constant".to_string(),
                Some(Some(indices)) => {
                    let i = &indices[place];
                    format!("{:.3} ± {:.3}, {:.3} ± {:.3}", i.first, i.first_error, i.total, i.total_error)
                }
            };
            let row: Vec<String> = [name.clone()].into_iter().chain(self.found.iter().map(cell)).collect();
            table.row(&row);
        }
        report.table(&table);
        let moves = |found: &Found| {
            let indices = found.indices.iter().flatten();
            indices.map(|i| i.first_model.max(i.total_model)).fold(0.0, f64::max)
        };
        let line = |(quantity, found): (&Quantity, &Option<Found>)| match moves(found.as_ref()?) {
            moves if moves >= 1.0 => Some(format!("{} by any amount", quantity.name)),
            moves => Some(format!("{} by {moves:.1e}", quantity.name)),
        };
        let list: Vec<String> = deck.quantity.iter().zip(self.found).filter_map(line).collect();
        report.line(format!("errors of the model may move indices of {} at most", list.join(", ")));
    }

    pub(super) fn write(&self, file: &File, simulation: &Simulation) -> Result<()> {
        let deck = &simulation.deck;
        file.create_group("/uncertainty")?;
        file.set("/uncertainty", "samples", self.ensemble.points.len())?;
        file.set("/uncertainty", "seed", self.ensemble.seed)?;
        file.set("/uncertainty", "confidence", CONFIDENCE)?;
        if let Some(source) = self.source {
            file.set("/uncertainty", "full_solves", source)?;
        }
        let table =
            |path: &str, columns: &[&str], unit: &str, meaning: String, values: &[f64]| -> Result<()> {
                let width = columns.len() as u64;
                file.write_array(path, &[values.len() as u64 / width, width], values)?;
                file.set(path, "columns", columns)?;
                file.set(path, "unit", unit)?;
                file.set(path, "meaning", meaning)
            };
        let names: Vec<String> = self
            .varied
            .iter()
            .map(|&number| deck.parameters.get_index(number).expect("a parameter of the deck").0.clone())
            .collect();
        for ((quantity, found), bound) in deck.quantity.iter().zip(self.found).zip(&self.ensemble.bounds) {
            let Some(found) = found else { continue };
            let (name, unit) = (&quantity.name, simulation.quantity_unit(quantity));
            let known = bound.words().1;
            let values: Vec<f64> =
                found.quantiles.iter().flat_map(|q| [q.level, q.value, q.low, q.high]).collect();
            table(
                &format!("/uncertainty/quantiles/{name}"),
                &["level", "value", "low", "high"],
                &unit,
                format!("quantiles and their brackets, levels without unit; {known}"),
                &values,
            )?;
            let mean = &found.mean;
            let (correction, variance, pairs) =
                mean.correction.map_or((0.0, 0.0, 0.0), |c| (c.value, c.variance, c.pairs as f64));
            table(
                &format!("/uncertainty/mean/{name}"),
                &["value", "low", "high", "variance", "correction", "correction_variance", "full_solves"],
                &unit,
                if mean.correction.is_some() {
                    "mean, corrected by full solves, and its bracket; variances of the draws' mean and of the correction in \
                     squares of the unit; number of full solves"
                        .into()
                } else {
                    format!("mean and its bracket; variance of the mean in squares of the unit; {known}")
                },
                &[mean.value, mean.low, mean.high, mean.variance, correction, variance, pairs],
            )?;
            if self.sobol {
                let rows = match &found.indices {
                    None => vec![f64::NAN; 6 * names.len()],
                    Some(list) => list
                        .iter()
                        .flat_map(|i| {
                            [i.first, i.first_error, i.total, i.total_error, i.first_model, i.total_model]
                        })
                        .collect(),
                };
                let path = format!("/uncertainty/sobol/{name}");
                let meaning = "Sobol indices by parameter, the standard deviations of their sampling errors, and by how much \
                               the model's error may move them at most, 1 where it is not known; NaN where the quantity \
                               does not vary";
                let columns = ["first", "first_error", "total", "total_error", "first_model", "total_model"];
                table(&path, &columns, "1", meaning.into(), &rows)?;
                file.set(&path, "names", names.clone())?;
            }
        }
        Ok(())
    }
}

/// Percents as people write them.
fn round(percent: f64) -> f64 {
    (percent * 1e9).round() / 1e9
}
