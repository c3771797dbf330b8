//! What predictions leave in files and on the screen.
use crate::Result;
use crate::experts::Repair;
use crate::format::duration;
use crate::parallel::Comm;
use crate::report::{Report, Table};
use crate::rom::Solution;
use crate::simulation::Simulation;
use crate::storage::File;

/// Most predictions that get a line of their own on the screen.
const LINES: usize = 32;

/// What one point gave.
pub struct Prediction {
    /// Reduced solutions, by physics.
    pub solutions: Vec<Solution>,
    /// What the experts did, by physics; empty when they were not asked.
    pub repairs: Vec<Repair>,
    /// Quantities of interest of the (repaired) prediction.
    pub quantities: Vec<f64>,
    /// Bounds of their errors before repair, for those that are linear in a solution.
    pub bounds: Vec<Option<f64>>,
    /// Seconds of the reduced solve with its estimate.
    pub seconds: f64,
    /// The full model at the same point, if it was solved.
    pub truth: Option<Truth>,
}

/// The full model at the point of a prediction.
pub struct Truth {
    /// Energy norms of the reduced solution's error and of the full solution, by physics.
    pub errors: Vec<(f64, f64)>,
    /// Energy norms of the error of the repaired prediction, by physics.
    pub repaired: Vec<f64>,
    /// Quantities of interest of the full solution.
    pub quantities: Vec<f64>,
    /// Seconds of the full solve.
    pub seconds: f64,
}

/// Relative imbalance of every expert before and after, worst over components and predictions: rows of two.
/// Collective.
fn violations<'a>(comm: &Comm, repairs: impl Iterator<Item = &'a Repair>) -> Vec<f64> {
    let mut mine: Vec<f64> = Vec::new();
    for repair in repairs {
        mine.resize(2 * repair.experts.len(), 0.0);
        for (k, exchange) in repair.exchange.iter().enumerate().filter(|(_, e)| **e > 0.0) {
            let expert = k / repair.components;
            for (place, value) in [(0, repair.before[k]), (1, repair.after[k])] {
                let worst = &mut mine[2 * expert + place];
                *worst = worst.max(value.abs() / exchange);
            }
        }
    }
    // Experts are numbered over the ranks in their order.
    comm.all_gather_varied(&mine)
}

/// Stores estimates, true errors, violations and quantities. Collective.
///
/// # Errors
/// [`Error::Storage`](crate::Error::Storage) when HDF5 or the file system refuses.
pub fn write_results(file: &File, simulation: &Simulation, results: &[Prediction]) -> Result<()> {
    let count = results.len() as u64;
    let table = |path: &str, columns: &[&str], meaning: &str, values: Vec<f64>| -> Result<()> {
        file.write_array(path, &[count, columns.len() as u64], &values)?;
        file.set(path, "columns", columns)?;
        file.set(path, "meaning", meaning)
    };
    for (index, stage) in simulation.stages.iter().enumerate() {
        let problem = &stage.problem;
        let values = results.iter().flat_map(|r| {
            let s = &r.solutions[index];
            [s.estimate, s.relative, s.energy, s.residual, s.coercivity]
        });
        table(
            &format!("/estimate/{}", problem.field),
            &["estimate", "relative_estimate", "energy_norm", "residual", "coercivity"],
            "bound of the error in the energy norm of the prediction's parameters, and what it is made of",
            values.collect(),
        )?;
        let truths = results.iter().filter_map(|r| r.truth.as_ref().map(|t| (t, &r.solutions[index])));
        let values: Vec<f64> = truths
            .flat_map(|(t, s)| {
                let (error, size) = t.errors[index];
                [error, error / size, s.estimate / error, t.repaired[index]]
            })
            .collect();
        if !values.is_empty() {
            table(
                &format!("/truth/{}", problem.field),
                &["error", "relative_error", "effectivity", "repaired_error"],
                "true error against the full model in the energy norm, the estimate divided by it, and the error after repair",
                values,
            )?;
        }
        if results.iter().all(|r| r.repairs.len() > index) {
            let values = violations(&simulation.mesh.comm, results.iter().map(|r| &r.repairs[index]));
            let path = format!("/violation/{}", problem.name);
            file.write_array(&path, &[values.len() as u64 / 2, 2], &values)?;
            file.set(&path, "columns", &["before", "after"][..])?;
            file.set(&path, "meaning", "imbalance of each expert relative to what it exchanges, worst over components and predictions")?;
        }
    }
    for (i, quantity) in simulation.deck.quantity.iter().enumerate() {
        let unit = simulation.quantity_unit(quantity);
        let values: Vec<f64> = results.iter().map(|r| r.quantities[i]).collect();
        file.write_quantity(
            &quantity.name,
            &unit,
            &format!("predicted {}", simulation.quantity_meaning(quantity)),
            &values,
        )?;
        let bounds: Vec<f64> = results.iter().filter_map(|r| r.bounds[i]).collect();
        if !bounds.is_empty() {
            let path = format!("/estimate/quantities/{}", quantity.name);
            file.write_array(&path, &[count], &bounds)?;
            file.set(&path, "unit", unit.as_str())?;
            file.set(&path, "meaning", "bound of the error of the quantity of interest, before repair")?;
        }
        let values: Vec<f64> =
            results.iter().filter_map(|r| r.truth.as_ref().map(|t| t.quantities[i])).collect();
        if !values.is_empty() {
            let path = format!("/truth/quantities/{}", quantity.name);
            file.write_array(&path, &[count], &values)?;
            file.set(&path, "unit", unit)?;
            file.set(&path, "meaning", "the quantity of interest of the full model")?;
        }
    }
    Ok(())
}

/// Prints the same.
pub fn print_results(report: &Report, simulation: &Simulation, results: &[Prediction]) {
    let truth = results.iter().any(|r| r.truth.is_some());
    for (index, stage) in simulation.stages.iter().enumerate() {
        let head = ["prediction", "energy norm", "estimate", "relative", "error", "relative", "effectivity"];
        let mut table = Table::new(if truth { &head[..] } else { &head[..4] });
        let (mut worst, mut least, mut most) = (0.0f64, f64::INFINITY, 0.0f64);
        for (number, result) in results.iter().enumerate() {
            let s = &result.solutions[index];
            let mut row = vec![
                number.to_string(),
                format!("{:.4e}", s.energy),
                format!("{:.2e}", s.estimate),
                format!("{:.2e}", s.relative),
            ];
            if let Some(truth) = &result.truth {
                let (error, size) = truth.errors[index];
                let effectivity = s.estimate / error;
                (worst, least, most) =
                    (worst.max(error / size), least.min(effectivity), most.max(effectivity));
                row.extend([
                    format!("{error:.2e}"),
                    format!("{:.2e}", error / size),
                    format!("{effectivity:.2}"),
                ]);
            }
            if results.len() <= LINES {
                table.row(&row);
            }
        }
        let estimate = results.iter().map(|r| r.solutions[index].relative).fold(0.0, f64::max);
        report.line(format!(
            "{}: error in the energy norm, worst relative estimate {estimate:.2e}",
            stage.problem.name
        ));
        if results.len() <= LINES {
            report.table(&table);
        }
        if results.iter().all(|r| r.repairs.len() > index) {
            let worst =
                |f: fn(&Repair) -> f64| results.iter().map(|r| f(&r.repairs[index])).fold(0.0, f64::max);
            report.line(format!(
                "repaired ({:?}): worst imbalance of an expert {:.2e} -> {:.2e}, moved by {:.2e} of the field",
                results[0].repairs[index].level,
                worst(|r| r.worst_before),
                worst(|r| r.worst_after),
                worst(|r| r.relative_distance)
            ));
        }
        if truth {
            let repaired = results
                .iter()
                .filter_map(|r| r.truth.as_ref().map(|t| t.repaired[index] / t.errors[index].1));
            let repaired = match results.iter().any(|r| !r.repairs.is_empty()) {
                true => format!(", {:.2e} after repair", repaired.fold(0.0, f64::max)),
                false => String::new(),
            };
            report.line(format!(
                "worst relative error {worst:.2e}{repaired}, effectivity {least:.2} to {most:.2}"
            ));
        }
    }
    print_quantities(report, simulation, results);
    let online = results.iter().map(|r| r.seconds).fold(f64::INFINITY, f64::min);
    let full =
        results.iter().filter_map(|r| r.truth.as_ref().map(|t| t.seconds)).fold(f64::INFINITY, f64::min);
    let gain = if full.is_finite() {
        format!(", full solve {}, {:.0} times as long", duration(full), full / online)
    } else {
        String::new()
    };
    report.line(format!("reduced solve with estimate {:.3} ms{gain}", 1e3 * online));
}

/// The quantities of one prediction, or their mean, deviation, quantiles and extremes over several; with the largest
/// bound of their error.
fn print_quantities(report: &Report, simulation: &Simulation, results: &[Prediction]) {
    if simulation.deck.quantity.is_empty() || results.is_empty() {
        return;
    }
    let single = results.len() == 1;
    let head: &[&str] = if single {
        &["quantity", "value", "error at most", "unit"]
    } else {
        &[
            "quantity",
            "least",
            "mean",
            "deviation",
            "5 %",
            "median",
            "95 %",
            "largest",
            "error at most",
            "unit",
        ]
    };
    let mut table = Table::new(head);
    for (i, quantity) in simulation.deck.quantity.iter().enumerate() {
        let mut values: Vec<f64> = results.iter().map(|r| r.quantities[i]).collect();
        values.sort_by(f64::total_cmp);
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let deviation =
            (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0)).sqrt();
        let quantile = |p: f64| values[((count - 1.0) * p).round() as usize];
        let mut row = vec![quantity.name.clone()];
        if single {
            row.push(format!("{mean:.8e}"));
        } else {
            let [low, middle, high] = [0.05, 0.5, 0.95].map(quantile);
            row.extend(
                [quantile(0.0), mean, deviation, low, middle, high, quantile(1.0)]
                    .map(|v| format!("{v:.4e}")),
            );
        }
        let bound = results.iter().filter_map(|r| r.bounds[i]).reduce(f64::max);
        row.push(bound.map_or("-".into(), |b| format!("{b:.1e}")));
        row.push(simulation.quantity_unit(quantity));
        table.row(&row);
    }
    report.table(&table);
}
