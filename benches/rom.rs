//! Online time of a reduced model against mesh size, and against the full model.
//!
//! usage: cargo bench --bench rom [-- PETSc options]
use mpi::traits::*;
use std::time::Instant;
use tessera::campaign::{Design, design_samples};
use tessera::deck::{Deck, Norm};
use tessera::mixture::{Algorithm, Columns, Truncation};
use tessera::parallel::Comm;
use tessera::physics::Context;
use tessera::report::{Level, Report, Table};
use tessera::rom::theta::Inputs;
use tessera::rom::{BasisOptions, ReducedModel, Training, energy_error};
use tessera::simulation::Simulation;

/// Temperature that strains a rotating block: four parameters, two physics.
const DECK: &str = r#"
[mesh]
box = { cell = "tetrahedron", cells = [2, 1, 1], upper = [1.0, 0.5, 0.5] }
[parameters]
h = { default = 200.0, range = [100.0, 400.0] }
t_gas = { default = 900.0, range = [700.0, 1100.0] }
omega = { default = 100.0, range = [50.0, 200.0] }
p = { default = 1e6, range = [0.5e6, 2e6] }
[[physics]]
name = "heat"
model = "diffusion"
field = "temperature"
conductivity = 20.0
[[physics.boundary]]
marker = ["right", "top"]
coefficient = "h"
ambient = "t_gas"
[[physics.boundary]]
marker = "left"
coefficient = 500.0
ambient = 400.0
[[physics]]
name = "stress"
model = "elasticity"
young = 1e11
poisson = 0.3
density = 8000.0
expansion = 1e-5
reference_temperature = 300.0
temperature = { physics = "heat" }
rotation = { axis = [0.0, 0.0, 1.0], origin = [-1.0, 0.0, 0.0], speed = "omega" }
[[physics.boundary]]
marker = "left"
value = 0.0
[[physics.boundary]]
marker = "top"
pressure = "p"
"#;

/// Cells along the long side.
const MESHES: [usize; 3] = [12, 24, 48];
const SNAPSHOTS: usize = 12;
const MODES: usize = 10;
const REPETITIONS: usize = 2000;

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> tessera::Result<()> {
    let options: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench" && a != "--").collect();
    let universe = tessera::parallel::initialize().expect("MPI starts");
    let comm = Comm::new(universe.world().duplicate());
    let _petsc = petsc_rs::Petsc::initialize(comm.mpi(), &options)?;
    let report = Report::new(&comm, Level::Normal);
    report.line(format!("reduced model of {MODES} modes a physics, with error estimate"));
    let head = ["unknowns", "full s", "offline s", "online ms", "full / online", "estimate", "error"];
    let mut table = Table::new(&head);
    for cells in MESHES {
        let half = cells / 2;
        let deck = Deck::parse(DECK, "benchmark", &[format!("mesh.box.cells=[{cells}, {half}, {half}]")])?;
        table.row(&measure(&comm, &deck)?);
    }
    report.table(&table);
    Ok(())
}

fn measure(comm: &Comm, deck: &Deck) -> tessera::Result<Vec<String>> {
    let mut simulation = Simulation::new(comm, deck)?;
    let parameters = design_samples(deck, &Design::Sobol { samples: SNAPSHOTS, seed: 0 })?;
    let context = |p: &[f64]| Context::steady(p.to_vec());
    let empty = |s: &tessera::simulation::Stage| Columns::new(comm, s.problem.space.owned_dofs());
    let mut snapshots: Vec<Columns> = simulation.stages.iter().map(empty).collect();
    let mut full = f64::INFINITY;
    for parameters in &parameters {
        for stage in &mut simulation.stages {
            stage.forget_solution()?;
        }
        let start = Instant::now();
        simulation.solve(&context(parameters))?;
        full = full.min(start.elapsed().as_secs_f64());
        for (columns, stage) in snapshots.iter_mut().zip(&simulation.stages) {
            columns.push(&stage.solution().read()?);
        }
    }
    let start = Instant::now();
    let training = Training::steady(
        deck.default_parameters(),
        design_samples(deck, &Design::Sobol { samples: 16, seed: 1 })?,
        design_samples(deck, &Design::LatinHypercube { samples: 4, seed: 2 })?,
    );
    let basis = BasisOptions {
        inner_product: Norm::Energy,
        algorithm: Algorithm::Snapshots,
        truncation: Truncation { modes: MODES, tolerance: 0.0 },
    };
    let names: Vec<String> = simulation.stages.iter().map(|s| s.problem.name.clone()).collect();
    let find = |p: &tessera::physics::Problem| {
        Ok(snapshots[names.iter().position(|n| *n == p.name).expect("a physics of the deck")].clone())
    };
    let (model, _) = ReducedModel::train(&simulation, &training, &parameters, find, basis)?;
    let offline = start.elapsed().as_secs_f64();
    let unseen = design_samples(deck, &Design::LatinHypercube { samples: REPETITIONS, seed: 9 })?;
    let inputs: Vec<&dyn Inputs> = simulation.stages.iter().map(|s| &*s.problem as &dyn Inputs).collect();
    let mut times = Vec::with_capacity(REPETITIONS);
    for parameters in &unseen {
        let context = context(parameters);
        let start = Instant::now();
        std::hint::black_box(model.solve(&inputs, &context, MODES)?);
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let online = times[REPETITIONS / 2];
    let last = simulation.stages.len() - 1;
    let point = context(&unseen[0]);
    let solution = &model.solve(&inputs, &point, MODES)?[last];
    let predicted = model.field(last, solution);
    simulation.solve(&point)?;
    let stage = &simulation.stages[last];
    let exact = stage.solution().read()?.to_vec();
    let (error, size) = energy_error(&stage.problem, &point, &exact, &predicted)?;
    let unknowns: u64 = simulation.stages.iter().map(|s| s.problem.space.global_dofs()).sum();
    Ok(vec![
        unknowns.to_string(),
        format!("{full:.3}"),
        format!("{offline:.2}"),
        format!("{:.4}", 1e3 * online),
        format!("{:.0}", full / online),
        format!("{:.1e}", solution.relative),
        format!("{:.1e}", error / size),
    ])
}
