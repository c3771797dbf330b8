//! What several commands share: options of a run, its set-up, its solves and its words.
use super::memory;
use super::solver_words::in_words;
use crate::Result;
use crate::campaign::Part;
use crate::checkpoint::{Restart, Signals};
use crate::deck::Deck;
use crate::parallel::Comm;
use crate::report::{Level, Report, Table};
use crate::reuse::GuardOptions;
use crate::simulation::{Simulation, Stage};

/// How to run.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// How much is printed.
    pub level: Level,
    /// PETSc's options of the command line, for the record.
    pub petsc: Vec<String>,
    /// From what a run in time goes on; from the beginning if left out.
    pub restart: Option<Restart>,
    /// Which part of a campaign to solve; all of it if left out.
    pub part: Option<Part>,
    /// How the steps of runs in time are guarded; solved in full if left out.
    pub guard: Option<GuardOptions>,
    /// What asks for an early end: of a run in time after a checkpoint, of a campaign after the present sample.
    pub signals: Signals,
}

/// Mesh, spaces and solvers, with a summary of their sizes. Collective.
///
/// # Errors
/// [`Error::Input`](crate::Error::Input) when the deck does not fit the mesh, or both do not fit the machine.
pub fn set_up(comm: &Comm, deck: &Deck, report: &Report) -> Result<Simulation> {
    deck.notes().for_each(|note| report.warn(note));
    let (source, partition) = (deck.mesh_source(), deck.partition_options());
    memory::refuse_large_box(comm, deck)?;
    let mesh = report.phase("mesh", || crate::mesh::Mesh::build(comm, &source, &partition))?;
    memory::refuse_large_mesh(comm, deck, &mesh)?;
    report.line(mesh.report().to_string());
    mesh.notes.iter().for_each(|note| report.warn(note));
    let simulation = report.phase("spaces", || Simulation::on_mesh(deck, mesh.into()))?;
    for stage in &simulation.stages {
        let (problem, space) = (&stage.problem, stage.space());
        report.line(format!(
            "{:<11} {} unknowns, degree {}; {}",
            problem.name,
            space.global_dofs(),
            space.element.degree,
            in_words(stage.options())
        ));
        report.detail(format!("    solver: {}", stage.options()));
    }
    Ok(simulation)
}

pub(super) fn solve(stage: &mut Stage, context: &crate::physics::Context, report: &Report) -> Result<()> {
    if stage.problem.is_linear_system() {
        report.phase("assembly", || stage.assemble(context))?;
        report.phase("preconditioner", || stage.prepare(context))?;
        report.phase("solve", || stage.solve_assembled(context))?;
    } else {
        report.phase("newton", || stage.solve(context))?;
    }
    let outcome = stage.outcome();
    for (iteration, norm) in outcome.history.iter().enumerate() {
        report.detail(format!("    {iteration:5}  {norm:.6e}"));
    }
    if !outcome.note.is_empty() {
        report.line(&outcome.note);
    }
    report.line(format!(
        "{:<11} {} iteration{}, relative residual {:.2e}, {:.2} s",
        stage.problem.name,
        outcome.iterations,
        if outcome.iterations == 1 { "" } else { "s" },
        outcome.residual,
        outcome.seconds
    ));
    Ok(())
}

/// Options for PETSc that the user gave and nothing asked for are mostly misspelt.
pub(super) fn warn_of_unused_options(
    simulation: &Simulation,
    command_line: &[String],
    report: &Report,
) -> Result<()> {
    let given = |name: &str| {
        let on_command_line = command_line.iter().any(|word| word.trim_start_matches('-') == name);
        on_command_line
            || simulation.stages.iter().enumerate().any(|(i, stage)| {
                let own = name.strip_prefix(&format!("{}_", stage.problem.name)).unwrap_or(name);
                let text = simulation.deck.solver_options(i).petsc;
                text.split_whitespace().any(|word| word.strip_prefix('-') == Some(own))
            })
    };
    for (name, value) in petsc_rs::Options::global()?.unused()? {
        let name = name.trim_start_matches('-');
        if given(name) {
            let option = format!("-{name} {value}");
            report.warn(format!(
                "PETSc did not use the option {}: misspelt, without effect on this solver, or without the name of \
                 a physics before it (-{}_ksp_monitor)?",
                option.trim_end(),
                simulation.stages[0].problem.name
            ));
        }
    }
    Ok(())
}

/// The table of quantities of interest.
pub fn print_quantities(simulation: &Simulation, values: &[f64], report: &Report) {
    if values.is_empty() {
        return;
    }
    let mut table = Table::new(&["quantity", "value", "unit"]);
    for (quantity, value) in simulation.deck.quantity.iter().zip(values) {
        let text = if value.is_nan() { "-".into() } else { format!("{value:.8e}") };
        table.row(&[quantity.name.clone(), text, simulation.quantity_unit(quantity)]);
    }
    report.table(&table);
}
