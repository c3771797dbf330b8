//! The balance of every problem, for the log and the file.
use crate::Result;
use crate::physics::Context;
use crate::report::{Report, Table};
use crate::simulation::{Balance, Simulation};
use crate::storage::File;

/// The balances of all problems at their present solutions. Collective.
///
/// # Errors
/// When PETSc fails.
pub fn balances(simulation: &Simulation, context: &Context) -> Result<Vec<Balance>> {
    simulation.stages.iter().map(|stage| stage.balance(context)).collect()
}

/// Prints them: what comes into the body through each part of its boundary.
pub fn print(simulation: &Simulation, balances: &[Balance], report: &Report) {
    for (index, balance) in balances.iter().enumerate() {
        let gross = balance.gross();
        if gross == 0.0 {
            continue;
        }
        let names: Vec<String> =
            balance.components.iter().map(|&i| simulation.component_name(index, i)).collect();
        let unit = simulation.exchange_unit(index);
        let unit = if unit.is_empty() { unit } else { format!(", {unit}") };
        let field = &simulation.stages[index].problem.field;
        let mut headings = vec![format!("balance of {field} (into the body{unit})")];
        headings.extend(names);
        let mut table = Table::new(&headings.iter().map(String::as_str).collect::<Vec<_>>());
        for (what, values) in &balance.parts {
            let numbers = values.iter().map(|value| format!("{value:.6e}"));
            table.row(&std::iter::once(what.clone()).chain(numbers).collect::<Vec<_>>());
        }
        let relative = balance.imbalance().into_iter().map(|sum| format!("{:.1e}", sum.abs() / gross));
        table.row(&std::iter::once("imbalance / gross".to_string()).chain(relative).collect::<Vec<_>>());
        report.table(&table);
    }
}

/// Writes them to `/log/balance/<physics>`: a row for each component. Collective.
///
/// # Errors
/// When HDF5 fails.
pub fn write(file: &File, simulation: &Simulation, balances: &[Balance]) -> Result<()> {
    for (index, balance) in balances.iter().enumerate() {
        let columns: Vec<&str> = balance.parts.iter().map(|(what, _)| what.as_str()).collect();
        let rows = 0..balance.components.len();
        let values: Vec<f64> = rows.flat_map(|i| balance.parts.iter().map(move |part| part.1[i])).collect();
        let meaning = "what comes into the body at the end, by part of the boundary, from sources and from what is \
                       stored: a row for each component; the sum of a row is what the solver left";
        let name = &simulation.stages[index].problem.name;
        file.write_log(
            &format!("balance/{name}"),
            &simulation.exchange_unit(index),
            meaning,
            &columns,
            &values,
        )?;
    }
    Ok(())
}
