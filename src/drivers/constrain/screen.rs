//! What a user sees of the repairs.
use super::estimates;
use super::results::{KNOWN, REPAIR};
use super::truth::{COLUMNS, solutions};
use crate::Result;
use crate::drivers::repair::Layers;
use crate::drivers::shared::print_quantities;
use crate::format::duration;
use crate::report::{Report, Table};
use crate::simulation::Simulation;
use crate::storage::File;

/// Samples that get a line of their own.
const LINES: usize = 32;

/// Prints the tables of a finished file. Collective.
///
/// # Errors
/// [`Error::Storage`](crate::Error::Storage) when it cannot be read.
pub fn show(report: &Report, simulation: &Simulation, file: &File, layers: &Layers) -> Result<()> {
    let level = format!("{:?}", simulation.deck.constraint.level).to_lowercase();
    let fields = solutions(simulation);
    for (index, stage) in simulation.stages.iter().enumerate() {
        let name = &stage.problem.name;
        let (_, rows) = file.read_array::<f64>(&format!("/repair/{name}"))?;
        let field = fields.iter().find(|field| field.stage == index).map_or("", |field| &field.name);
        let path = format!("/truth/{field}");
        let truth = if file.exists(&path) { file.read_array::<f64>(&path)?.1 } else { Vec::new() };
        let mut head = vec![
            "sample",
            "imbalance",
            "after",
            "boundary",
            "after",
            "residual",
            "after",
            "moved",
            "iterations",
            "time",
        ];
        if !truth.is_empty() {
            head.extend(["error", "after"]);
        }
        let norm = format!("{:?}", layers.norm(index)).to_lowercase();
        report.line(format!(
            "{name}: level {level}, {} experts; distances in the {norm} norm",
            layers.experts(index)
        ));
        let mut table = Table::new(&head);
        for (sample, row) in rows.chunks_exact(REPAIR.len()).enumerate().take(LINES) {
            let number = |column: usize| format!("{:.2e}", row[column]);
            let mut cells = vec![sample.to_string()];
            cells.extend([0, 1, 4, 5, 2, 3, 7].map(number));
            cells.extend([format!("{:.0}", row[8]), duration(row[9])]);
            if let Some(errors) = truth.chunks_exact(COLUMNS.len()).nth(sample) {
                cells.extend([0, 1].map(|i| format!("{:.2e}", relative(errors, i))));
            }
            table.row(&cells);
        }
        report.table(&table);
        estimates::show(report, &stage.problem, file, LINES)?;
        let worst =
            |column: usize| rows.chunks_exact(REPAIR.len()).map(|row| row[column]).fold(0.0, f64::max);
        report.line(format!(
            "worst imbalance of an expert {:.2e} -> {:.2e}, field moved by at most {:.2e}",
            worst(0),
            worst(1),
            worst(7)
        ));
        if simulation.deck.constraint.windows.is_some() {
            report.line(format!("over a window of steps {:.2e} -> {:.2e}", worst(11), worst(12)));
        }
        if simulation.deck.constraint.ports.is_some() {
            report.line(format!("largest jump of {field} between experts {:.2e}", worst(10)));
        }
        let anew =
            rows.chunks_exact(REPAIR.len()).map(|row| row[13]).filter(|count| *count > 0.0).sum::<f64>();
        if anew > 0.0 {
            report.line(format!(
                "in {anew} equations Newton's method did not find the solution from the prediction and began with the state \
                 before, as the run does"
            ));
        }
        if !truth.is_empty() {
            let worst = |i| truth.chunks_exact(COLUMNS.len()).map(|e| relative(e, i)).fold(0.0, f64::max);
            report.line(format!(
                "worst relative error of {field} {:.2e} -> {:.2e} (L2 norm)",
                worst(0),
                worst(1)
            ));
        }
        let mut table = Table::new(&["known quantity", "value", "lacking at most", "after"]);
        for known in layers.known(index) {
            let (_, rows) = file.read_array::<f64>(&format!("/known/{known}"))?;
            let worst = |i: usize| rows.chunks_exact(KNOWN.len()).map(|row| row[i].abs()).fold(0.0, f64::max);
            let value =
                if rows.len() == KNOWN.len() { format!("{:.6e}", rows[0]) } else { "by sample".into() };
            table.row(&[known.to_string(), value, format!("{:.2e}", worst(1)), format!("{:.2e}", worst(2))]);
        }
        if !table.is_empty() {
            report.table(&table);
        }
    }
    quantities(report, simulation, file)?;
    if file.exists("/truth/seconds") {
        let (_, seconds) = file.read_array::<f64>("/truth/seconds")?;
        let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
        let mut repairs = 0.0;
        for stage in &simulation.stages {
            let (_, rows) = file.read_array::<f64>(&format!("/repair/{}", stage.problem.name))?;
            // The first frame of a run in time has no repair.
            let spent = rows.chunks_exact(REPAIR.len()).map(|row| row[9]).filter(|seconds| !seconds.is_nan());
            repairs += spent.sum::<f64>() / seconds.len() as f64;
        }
        report.line(format!(
            "a repair takes {}, a full solve {} on average",
            duration(repairs),
            duration(mean)
        ));
    }
    Ok(())
}

/// Of [`COLUMNS`], an error in the L2 norm relative to the full solution.
fn relative(errors: &[f64], column: usize) -> f64 {
    if errors[2] > 0.0 { errors[column] / errors[2] } else { errors[column] }
}

/// The quantities of one sample, or the least, mean and largest of several. Collective.
fn quantities(report: &Report, simulation: &Simulation, file: &File) -> Result<()> {
    let mut all = Vec::new();
    for quantity in &simulation.deck.quantity {
        all.push(file.read_array::<f64>(&format!("/qoi/{}", quantity.name))?.1);
    }
    if all.iter().all(|values| values.len() == 1) {
        print_quantities(simulation, &all.concat(), report);
        return Ok(());
    }
    let mut table = Table::new(&["quantity", "least", "mean", "largest", "unit"]);
    for (quantity, values) in simulation.deck.quantity.iter().zip(&all) {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut cells = vec![quantity.name.clone()];
        cells.extend([least, mean, largest].map(|v| format!("{v:.5e}")));
        cells.push(simulation.quantity_unit(quantity));
        table.row(&cells);
    }
    report.table(&table);
    Ok(())
}
