//! Regret of tuned solvers on the heat equation of Khodak, Chow, Balcan, Talwalkar, "Learning to relax" (ICLR 2024): a
//! diffusivity that changes in time, implicit steps by conjugate gradients with SSOR, ten relaxation parameters.
//!
//! usage: cargo bench --bench tuning [-- CELLS]
use mpi::traits::*;
use tessera::deck::{Deck, TimeScheme};
use tessera::parallel::Comm;
use tessera::report::{Level, Report, Table};
use tessera::simulation::Simulation;
use tessera::solver::tuning::Summary;
use tessera::solver::{TimeIntegrator, by_newton};

const DECK: &str = include_str!("tuning.toml");

const CONTEXT: &str = "solver.tune.context=[\"max(0.1*sin(2*pi*t), -10*sin(2*pi*t))\"]";
const STEPS: [u64; 4] = [50, 100, 200, 500];
const STEP: f64 = 0.01;

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> tessera::Result<()> {
    let mut words = std::env::args().skip(1).filter(|a| !a.starts_with('-'));
    let cells: usize = words.next_back().and_then(|word| word.parse().ok()).unwrap_or(24);
    let universe = tessera::parallel::initialize().expect("MPI starts");
    let comm = Comm::new(universe.world().duplicate());
    let _petsc = petsc_rs::Petsc::initialize(comm.mpi(), &[])?;
    let report = Report::new(&comm, Level::Normal);
    report.line(format!("iterations a step on {cells} x {cells} cells, mean over the first T steps"));
    let size = format!("mesh.box.cells=[{cells}, {cells}]");
    let plain = follow(&comm, std::slice::from_ref(&size))?;
    let contextual = follow(&comm, &[size, CONTEXT.into()])?;
    let mut table =
        Table::new(&["T", "Tsallis-INF", "contextual", "best fixed", "omega = 1", "best of every step"]);
    for ((steps, a), b) in STEPS.iter().zip(&plain).zip(&contextual) {
        let (best, fixed) = a.best().unwrap_or((0, f64::NAN));
        table.row(&[
            steps.to_string(),
            format!("{:.2}", a.mean),
            format!("{:.2}", b.mean),
            format!("{fixed:.2} (omega = {:.1})", 1.0 + 0.1 * best as f64),
            format!("{:.2}", a.arms[0].1),
            format!("{:.2}", a.optimum.unwrap_or(f64::NAN)),
        ]);
    }
    report.table(&table);
    Ok(())
}

/// How the tuner has fared after each number of steps.
fn follow(comm: &Comm, overrides: &[String]) -> tessera::Result<Vec<Summary>> {
    let deck = Deck::parse(DECK, "benchmark", overrides)?;
    let mut simulation = Simulation::new(comm, &deck)?;
    let context = simulation.default_context();
    simulation.set_initial(&context)?;
    let stage = &mut simulation.stages[0];
    let initial = stage.solution().try_clone()?;
    let Some(newton) = stage.newton() else { return Ok(Vec::new()) };
    let mut integrator = TimeIntegrator::new(TimeScheme::Bdf1, newton, &context, &initial)?;
    let mut summaries = Vec::new();
    for step in 1..=STEPS[STEPS.len() - 1] {
        let Some(newton) = stage.newton() else { break };
        let trial = integrator.attempt(newton, &context, STEP, &mut by_newton)?;
        integrator.accept(newton, &trial, STEP)?;
        if STEPS.contains(&step) {
            summaries.extend(stage.tuning().map(|tuning| tuning.summary()));
        }
    }
    Ok(summaries)
}
