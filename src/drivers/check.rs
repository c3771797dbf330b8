//! `tessera check`: validates a deck with its mesh, reports sizes; with `--convergence`, observed orders.
use super::memory;
use crate::deck::{Deck, MeshSection};
use crate::mesh::Mesh;
use crate::parallel::Comm;
use crate::report::{Level, Report, Table};
use crate::simulation::Simulation;
use crate::{Error, Result};
use std::rc::Rc;

/// What to check.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// How much is printed.
    pub level: Level,
    /// Number of meshes to solve on, each twice as fine as the one before.
    pub convergence: Option<u32>,
}

/// Builds everything that a run would build and reports its size. Collective.
///
/// # Errors
/// [`Error::Input`] for whatever is wrong with the deck or its mesh.
pub fn run(comm: &Comm, deck: &Deck, options: &CheckOptions) -> Result<()> {
    let report = Report::new(comm, options.level);
    match options.convergence {
        None => sizes(comm, deck, &report),
        Some(levels) => convergence(comm, deck, levels, &report),
    }
}

fn sizes(comm: &Comm, deck: &Deck, report: &Report) -> Result<()> {
    report.banner(&deck.title);
    super::output::expect_writable(comm, deck, &deck.output.directory.join(&deck.output.file))?;
    let certified = deck.has_certified_model();
    if deck.asks_for_reduced_model() {
        if certified { deck.validate_reduced()? } else { deck.validate_bases()? }
    }
    deck.notes().for_each(|note| report.warn(note));
    let source = (deck.mesh_source(), deck.partition_options());
    memory::refuse_large_box(comm, deck)?;
    let mesh = Rc::new(report.phase("mesh", || Mesh::build(comm, &source.0, &source.1))?);
    memory::refuse_large_mesh(comm, deck, &mesh)?;
    report.line(mesh.report().to_string());
    let mut simulation = report.phase("set-up", || Simulation::on_mesh(deck, mesh.clone()))?;
    if certified && deck.asks_for_reduced_model() {
        report.phase("reduced model", || super::train::expect_reducible(&mut simulation))?;
    }

    let mut table = Table::new(&["physics", "model", "field", "degree", "nodes", "unknowns"]);
    for (stage, physics) in simulation.stages.iter().zip(&deck.physics) {
        let (problem, space) = (&stage.problem, stage.space());
        table.row(&[
            problem.name.clone(),
            physics.model.name.into(),
            problem.field.clone(),
            physics.degree().to_string(),
            space.global_nodes.to_string(),
            space.global_dofs().to_string(),
        ]);
    }
    report.table(&table);
    for stage in &simulation.stages {
        report.detail(format!("solver of {}: {}", stage.problem.name, stage.options()));
    }
    let names = |list: Vec<String>| if list.is_empty() { "none".into() } else { list.join(", ") };
    let fields = simulation.fields().into_iter().map(|field| field.name).collect();
    report.line(format!("fields      {}", names(fields)));
    report.line(format!("quantities  {}", names(deck.quantity.iter().map(|q| q.name.clone()).collect())));
    let parameters = deck.parameters.iter().map(|(name, p)| match (p.range, &p.choices) {
        (Some([low, high]), _) if p.distribution.is_uniform() => {
            format!("{name} = {} [{low}, {high}]", p.default)
        }
        (Some([low, high]), _) => {
            format!("{name} = {} [{low}, {high}] ({})", p.default, p.distribution.words())
        }
        (None, Some(choices)) => format!("{name} = {} of {:?}", p.default, choices.values()),
        (None, None) => format!("{name} = {}", p.default),
    });
    report.line(format!("parameters  {}", names(parameters.collect())));
    report.line(format!("memory      {}", memory::expected(&simulation)?));
    report.finish(&[]);
    report.line("the deck is valid");
    Ok(())
}

/// One line of the table of errors.
struct Errors {
    cells: u64,
    unknowns: u64,
    l2: f64,
    h1: f64,
}

fn convergence(comm: &Comm, deck: &Deck, levels: u32, report: &Report) -> Result<()> {
    if deck.mesh.block.is_none() {
        return Err(deck.fault("mesh", "--convergence refines boxes; this mesh comes from a file"));
    }
    let stages: Vec<usize> = (0..deck.physics.len())
        .filter(|&i| {
            let own = |exact: &crate::deck::Exact| deck.field_of(exact.field.as_deref(), None);
            deck.exact.iter().filter_map(own).any(|(physics, _)| physics == i)
        })
        .collect();
    if deck.time.is_some() {
        return Err(deck.fault("time", "--convergence refines steady problems only"));
    }
    if stages.is_empty() {
        return Err(deck.fault("exact", "--convergence needs an [[exact]] solution"));
    }
    let mut errors: Vec<Vec<Errors>> = stages.iter().map(|_| Vec::new()).collect();
    let progress = report.progress("refinement", levels as usize);
    for level in 0..levels {
        let deck = refined(deck, 1 << level)?;
        memory::refuse_large_box(comm, &deck)?;
        let mut simulation = Simulation::new(comm, &deck)?;
        let context = simulation.default_context();
        simulation.solve(&context)?;
        for (list, &stage) in errors.iter_mut().zip(&stages) {
            let field = simulation.fields().into_iter().find(|f| f.stage == stage);
            let field = field.expect("every problem has a solution");
            let (l2, h1) = simulation.error_norms(&field, &context)?;
            let unknowns = simulation.stages[stage].space().global_dofs();
            list.push(Errors { cells: simulation.mesh.global_cells, unknowns, l2, h1 });
        }
        progress.advance(&format!("{} cells", simulation.mesh.global_cells));
    }
    drop(progress);
    for (list, &stage) in errors.iter().zip(&stages) {
        let physics = &deck.physics[stage];
        report.line(format!("{} of `{}`, degree {}", physics.field(), physics.name(), physics.degree()));
        let mut table = Table::new(&["cells", "unknowns", "L2 error", "order", "H1 error", "order"]);
        for (i, now) in list.iter().enumerate() {
            let order = |error: fn(&Errors) -> f64| match i.checked_sub(1) {
                Some(before) => format!("{:.2}", (error(&list[before]) / error(now)).log2()),
                None => String::new(),
            };
            table.row(&[
                now.cells.to_string(),
                now.unknowns.to_string(),
                format!("{:.4e}", now.l2),
                order(|level| level.l2),
                format!("{:.4e}", now.h1),
                order(|level| level.h1),
            ]);
        }
        report.table(&table);
    }
    Ok(())
}

/// The deck with `factor` times as many cells along each side of its box.
fn refined(deck: &Deck, factor: u64) -> Result<Deck> {
    let mut deck = deck.clone();
    if let MeshSection { block: Some(block), .. } = &mut deck.mesh {
        for cells in &mut block.cells {
            *cells = cells.checked_mul(factor).ok_or_else(|| Error::input("", "too many cells"))?;
        }
    }
    Ok(deck)
}
