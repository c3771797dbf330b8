//! `tessera predict` with functions that experts have learned: the field on them, its residual, and repair to the full
//! equations if asked for.
use super::output;
use super::points::{FILE, PredictOptions, points, warn_outside};
use crate::campaign::named;
use crate::deck::ConstraintLevel;
use crate::experts::{Constraint, Equations};
use crate::learning::{LearnedBasis, ResidualLoss, read_network, relative_error};
use crate::parallel::Comm;
use crate::physics::Context;
use crate::report::{Report, Table};
use crate::simulation::Simulation;
use crate::storage::{File, ResultFile, Schema, write_xdmf};
use crate::{Error, Result};
use std::path::Path;

/// What belongs to one prediction.
struct Prediction {
    /// Relative residual of the field on the functions.
    residual: f64,
    /// Iterations of the repair to the level `exact`.
    iterations: Option<usize>,
    quantities: Vec<f64>,
    /// Relative error in L2 and quantities of the full solution.
    truth: Option<(f64, Vec<f64>)>,
}

/// Predicts with a network. Collective.
pub(super) fn run(comm: &Comm, path: &Path, options: &PredictOptions, report: &Report) -> Result<()> {
    let (mut deck, state) = read_network(comm, path)?;
    if options.modes.is_some() {
        return Err(Error::input("--modes", "a network's functions have no order: all of them are used"));
    }
    if let Some(folder) = &options.output {
        deck.output.directory = folder.clone();
    }
    deck.constraint.level = options.constraint.unwrap_or(deck.constraint.level);
    let exact = deck.constraint.level == ConstraintLevel::Exact;
    report.banner(&deck.title);
    if deck.time.is_some() {
        return super::predict_run::run(comm, path, (&deck, &state), options, report);
    }
    let target = deck.output.directory.join(FILE);
    output::expect_writable(comm, &deck, &target)?;
    let points = points(comm, &deck, &options.points)?;
    warn_outside(report, &deck, &points);
    let section = deck.validate_network()?.clone();
    let mut simulation = super::shared::set_up(comm, &deck, report)?;
    let mut basis = LearnedBasis::new(&simulation, &section)?;
    basis.restore(&state.extent, &state.weights)?;
    let mut loss = ResidualLoss::new(&simulation)?;
    let file = ResultFile::create(comm, &target)?;
    file.describe(Schema::Run, &output::provenance(&simulation, &options.run.petsc))?;
    file.set("/", "model", path.display().to_string())?;
    file.write_parameters(&named(&deck, &points))?;
    file.write_times(&(0..points.len()).map(|i| i as f64).collect::<Vec<_>>())?;
    file.set("/time", "meaning", "number of the prediction")?;
    file.set("/time", "unit", "1")?;
    let mut fields = Vec::new();
    if options.writes_fields() {
        output::write_mesh(&file, &simulation)?;
        fields = output::wanted(&simulation)?;
    }
    let plan = simulation.stages[0].space().canonical();
    for field in &fields {
        file.create_field(&output::describe(&simulation, field, &plan), points.len() as u64)?;
    }
    let mut results = Vec::with_capacity(points.len());
    let progress = report.progress("predictions", points.len());
    for (number, parameters) in points.iter().enumerate() {
        let context = Context::steady(parameters.clone());
        let field = report.phase("learned functions", || loss.field(&basis, parameters))?;
        let mut state = field.state;
        let mut iterations = None;
        if exact {
            iterations = Some(report.phase("constraints", || repaired(&simulation, &context, &mut state))?);
        }
        simulation.stages[0].set_conditions(&context)?;
        simulation.stages[0].set_solution(&state.read()?)?;
        report.phase("fields", || -> Result<()> {
            for field in &fields {
                let values = simulation.field_values(field, &context)?;
                file.write_field(&field.name, number as u64, &plan, &values.read()?)?;
            }
            Ok(())
        })?;
        let quantities = simulation.quantities(&context)?;
        let mut truth = None;
        if options.truth {
            truth = Some(report.phase("full solve", || -> Result<_> {
                simulation.stages[0].forget_solution()?;
                simulation.solve(&context)?;
                let stage = &simulation.stages[0];
                let error = relative_error(stage.space(), &stage.solution().read()?, &state.read()?)?;
                Ok((error, simulation.quantities(&context)?))
            })?);
        }
        results.push(Prediction { residual: field.loss.sqrt(), iterations, quantities, truth });
        progress.advance("");
    }
    drop(progress);
    write(&file, &simulation, &results)?;
    print(report, &simulation, &results);
    report.write_log(&file)?;
    file.finish()?;
    let mut written = vec![target.clone()];
    if deck.output.xdmf && options.writes_fields() {
        written.extend(write_xdmf(comm, &target)?);
    }
    report.finish(&written);
    Ok(())
}

/// Makes a field satisfy the full equations; iterations.
fn repaired(simulation: &Simulation, context: &Context, state: &mut petsc_rs::Vector) -> Result<usize> {
    let stage = &simulation.stages[0];
    let (overlap, tolerance) =
        (simulation.deck.partition.overlap, simulation.deck.solver_options(0).tolerance);
    let norm = Constraint::natural_norm(&stage.problem);
    let mut constraint = Constraint::of(stage, overlap, ConstraintLevel::Exact, norm, tolerance)?;
    let prepared = stage.problem.at(context)?;
    Ok(constraint.apply(&Equations::steady(&prepared), state)?.iterations)
}

/// Stores residuals, true errors and quantities. Collective.
fn write(file: &File, simulation: &Simulation, results: &[Prediction]) -> Result<()> {
    let count = results.len() as u64;
    let table = |path: &str, meaning: &str, column: &str, values: Vec<f64>| -> Result<()> {
        file.write_array(path, &[count, 1], &values)?;
        file.set(path, "columns", &[column][..])?;
        file.set(path, "meaning", meaning)
    };
    let field = &simulation.stages[0].problem.field;
    let meaning =
        "residual of the field on the learned functions over that of a constant one, in the reference energy";
    let residuals = results.iter().map(|r| r.residual).collect();
    table(&format!("/estimate/{field}"), meaning, "relative_residual", residuals)?;
    let truths: Vec<&(f64, Vec<f64>)> = results.iter().filter_map(|r| r.truth.as_ref()).collect();
    if !truths.is_empty() {
        let meaning = "distance from the full solution in L2, over the distance of that from its mean";
        table(&format!("/truth/{field}"), meaning, "relative_error", truths.iter().map(|t| t.0).collect())?;
    }
    for (i, quantity) in simulation.deck.quantity.iter().enumerate() {
        let unit = simulation.quantity_unit(quantity);
        let values: Vec<f64> = results.iter().map(|r| r.quantities[i]).collect();
        let meaning = format!("predicted {}", simulation.quantity_meaning(quantity));
        file.write_quantity(&quantity.name, &unit, &meaning, &values)?;
        if !truths.is_empty() {
            let path = format!("/truth/quantities/{}", quantity.name);
            file.write_array(&path, &[count], &truths.iter().map(|t| t.1[i]).collect::<Vec<_>>())?;
            file.set(&path, "unit", unit)?;
            file.set(&path, "meaning", "the quantity of interest of the full model")?;
        }
    }
    Ok(())
}

/// Prints the same.
fn print(report: &Report, simulation: &Simulation, results: &[Prediction]) {
    let quantities = &simulation.deck.quantity;
    let repaired = results.iter().any(|r| r.iterations.is_some());
    let truth = results.iter().any(|r| r.truth.is_some());
    let mut head = vec!["prediction", "relative residual"];
    head.extend(repaired.then_some("iterations to exact"));
    head.extend(truth.then_some("relative error"));
    head.extend(quantities.iter().map(|q| q.name.as_str()));
    let mut table = Table::new(&head);
    for (number, result) in results.iter().enumerate() {
        let mut row = vec![number.to_string(), format!("{:.2e}", result.residual)];
        row.extend(result.iterations.map(|iterations| iterations.to_string()));
        row.extend(result.truth.as_ref().map(|truth| format!("{:.2e}", truth.0)));
        row.extend(result.quantities.iter().map(|value| format!("{value:.6e}")));
        table.row(&row);
    }
    report.table(&table);
}
