//! A predicted field made to satisfy conservation on every expert's part of the mesh, by the constraint layer.
//! ```text
//! mpirun -n 2 target/release/examples/repair_a_prediction
//! ```
use std::process::ExitCode;
use std::rc::Rc;
use tessera::deck::{ConstraintLevel, Deck, Norm, Physics};
use tessera::experts::{Constraint, Equations};
use tessera::mesh::{BoxSource, CellType, Experts, Mesh, PartitionOptions};
use tessera::parallel::{self, Comm};
use tessera::physics::{Context, diffusion};
use tessera::report::{Level, Report};
use tessera::rom::energy_error;
use tessera::simulation::Simulation;

/// Layers of cells by which experts overlap.
const OVERLAP: u32 = 2;

fn main() -> ExitCode {
    parallel::run(run)
}

fn run(comm: &Comm) -> tessera::Result<()> {
    let report = Report::new(comm, Level::Normal);
    let bar = Physics::builder(&diffusion::MODEL)
        .field("temperature", "K")
        .parameter("k", 2.0)
        .input("conductivity", "1 + k*x^2")
        .input("source", "100*y")
        .value("left", "300 + 10*y")
        .exchange("right", 20.0, 350.0);
    let mut deck = Deck::of([bar])?;
    deck.solver.tolerance = 1e-12;
    let source = BoxSource { upper: vec![2.0, 1.0], ..BoxSource::unit(CellType::Quadrilateral, &[32, 16]) };
    let options = PartitionOptions { experts: Experts::Number(8), ..PartitionOptions::default() };
    let mesh = Rc::new(Mesh::build(comm, &source.into(), &options)?);
    let mut simulation = Simulation::on_mesh(&deck, mesh)?;

    // The prediction for k = 2: halfway between the fields of two other conductivities.
    let at = |k: f64| Context::steady(vec![k]);
    simulation.solve(&at(0.5))?;
    let mut state = simulation.stages[0].solution().try_clone()?;
    simulation.solve(&at(6.0))?;
    state.scale(0.5)?;
    state.axpy(0.5, simulation.stages[0].solution())?;

    // The truth, to compare with; the layer itself needs the assembled equations alone.
    let context = at(2.0);
    simulation.solve(&context)?;
    let stage = &simulation.stages[0];
    let truth = stage.solution().read()?;
    let (before, size) = energy_error(&stage.problem, &context, &truth, &state.read()?)?;

    let mut layer = Constraint::of(stage, OVERLAP, ConstraintLevel::Conservation, Norm::Energy, 1e-12)?;
    let repair = layer.apply(&Equations::of(stage, &context), &mut state)?;
    let (after, _) = energy_error(&stage.problem, &context, &truth, &state.read()?)?;

    let columns = [&repair.before, &repair.after, &repair.exchange];
    let [imbalances, left, exchanges] = columns.map(|list| comm.all_gather_varied(list));
    for (expert, ((before, after), exchange)) in imbalances.iter().zip(&left).zip(&exchanges).enumerate() {
        report.line(format!(
            "expert {expert}: exchanges {exchange:.1} W; imbalance {before:+.3} W before, {after:+.0e} W after"
        ));
    }
    report.line(format!(
        "relative energy error {:.2e} before, {:.2e} after; moved by {:.2e}",
        before / size,
        after / size,
        repair.relative_distance
    ));
    assert!(imbalances.len() == 8 && repair.worst_before > 1e-3);
    assert!(repair.worst_after < 1e-12 && repair.boundary_after == 0.0);
    // The nearest balanced field in the energy norm is nearer to the solution, which is balanced, too.
    assert!(after < before);
    Ok(())
}
