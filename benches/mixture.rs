//! The work of an iteration of K experts against that of one, 16 functions each: levels `residual` and `coupled`, for heat
//! whose conductivity depends on the temperature, on squares. The prediction is the solution and a sum of the functions, so
//! that rows vanish and no second derivatives are asked for: each step evaluates rows, tangents and their products once.
//!
//! usage: mpirun -n P mixture [rows=100000] [repeats=5] [least=100] [experts=K]
//!
//! The time of an iteration is that of a repair to 1e-12 less that of one that takes its first step for the last, over the
//! steps between (`coupled`: of the repair over its steps); least of the repeats, slowest rank. It is processor time: what
//! else runs on the machine counts by its use of the caches alone, but waiting for another rank does count. "One core" is
//! the first rank by itself, the others wait.
use mpi::traits::*;
use petsc_rs::Vector;
use std::rc::Rc;
use tessera::Result;
use tessera::deck::{ConstraintLevel, Deck, Norm};
use tessera::experts::{CoarseModes, Constraint, ConstraintOptions, Equations, Gating, LeastSquares};
use tessera::mixture::Columns;
use tessera::parallel::Comm;
use tessera::physics::Prepared;
use tessera::simulation::Simulation;

const FUNCTIONS: usize = 16;
/// Experts along a side.
const SIDES: [usize; 3] = [1, 2, 4];

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |key: &str, usual: usize| {
        arguments.iter().find_map(|a| a.strip_prefix(key)?.strip_prefix('=')?.parse().ok()).unwrap_or(usual)
    };
    let (most, least, repeats) = (number("rows", 100_000), number("least", 100), number("repeats", 5));
    let only = number("experts", 0);
    let universe = tessera::parallel::initialize().expect("MPI starts");
    let comm = &Comm::new(universe.world().duplicate());
    let _petsc = petsc_rs::Petsc::initialize(comm.mpi(), &[])?;
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("first use of rayon");
    let alone = comm.split(comm.rank());
    let ranks = comm.size();
    if comm.rank() == 0 {
        println!("milliseconds an iteration; in brackets one expert's on one core over it");
        println!("level       rows  experts | one core         | {ranks} ranks");
    }
    for level in [ConstraintLevel::Residual, ConstraintLevel::Coupled] {
        for rows in [100, 1_000, 10_000, 100_000].into_iter().filter(|rows| (least..=most).contains(rows)) {
            let mut one = f64::NAN;
            for side in SIDES.into_iter().filter(|side| only == 0 || side * side == only) {
                let mut serial = 0.0;
                if comm.rank() == 0 {
                    serial = iteration(&alone, level, rows, side, repeats)?;
                }
                comm.barrier();
                if side == 1 {
                    one = serial;
                }
                let parallel =
                    if ranks > 1 { iteration(comm, level, rows, side, repeats)? } else { f64::NAN };
                if comm.rank() == 0 {
                    let experts = side * side;
                    let name = format!("{level:?}").to_lowercase();
                    println!(
                        "{name:9} {rows:7} {experts:8} | {:8.3} ({:5.2}) | {:8.3} ({:5.2})",
                        1e3 * serial,
                        one / serial,
                        1e3 * parallel,
                        one / parallel
                    );
                }
            }
        }
    }
    Ok(())
}

/// Seconds of an iteration, with so many rows in all.
fn iteration(comm: &Comm, level: ConstraintLevel, rows: usize, side: usize, repeats: usize) -> Result<f64> {
    let cells = (rows as f64).sqrt().round() as usize;
    let text = format!(
        "[mesh]\nbox = {{ cell = \"quadrilateral\", cells = [{cells}, {cells}] }}\n\
         [[physics]]\nmodel = \"diffusion\"\nconductivity = \"1 + 0.3*u\"\nsource = \"10*x\"\n\
         [[physics.boundary]]\nmarker = \"left\"\nvalue = 0.0\n"
    );
    let deck = Deck::parse(&text, "benchmark", &[])?;
    let mut simulation = Simulation::new(comm, &deck)?;
    let context = simulation.default_context();
    simulation.solve(&context)?;
    let solution = simulation.stages[0].solution();
    let prepared = simulation.stages[0].problem.at(&context)?;
    let [mut few, mut many] = [(f64::MAX, 0), (f64::MAX, 0)];
    for _ in 0..repeats {
        for (best, tolerance) in [(&mut few, 0.9), (&mut many, 1e-12)] {
            let (seconds, steps) = repair(&prepared, solution, level, side, tolerance)?;
            *best = (best.0.min(comm.max(seconds)), steps);
        }
    }
    // Level `coupled` takes all its steps at any tolerance.
    let first = if level == ConstraintLevel::Coupled { (0.0, 0) } else { few };
    Ok((many.0 - first.0) / (many.1 - first.1).max(1) as f64)
}

/// Processor seconds of all threads so far.
fn processor() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let text = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("schedstat")).ok();
    let nanoseconds = |text: String| text.split(' ').next().and_then(|first| first.parse::<f64>().ok());
    tasks.flatten().filter_map(text).filter_map(nanoseconds).sum::<f64>() * 1e-9
}

/// Seconds and steps of a repair.
fn repair(
    prepared: &Prepared,
    solution: &Vector,
    level: ConstraintLevel,
    side: usize,
    tolerance: f64,
) -> Result<(f64, usize)> {
    let problem = prepared.problem();
    let space = problem.space.clone();
    let gating = Rc::new(Gating::boxes(&space, side, 1)?);
    let options = ConstraintOptions {
        level,
        weight: Norm::Euclidean,
        modes: CoarseModes::of(problem),
        tolerance,
        max_iterations: 100,
    };
    let mut layer = Constraint::new(&problem.name, space.clone(), gating, options);
    // Where an expert has fewer rows than functions.
    layer.set_least_squares(LeastSquares { ridge: 1e-8, ..LeastSquares::default() });
    let mut columns = Columns::new(&space.mesh.comm, space.owned_dofs());
    let mut state = solution.try_clone()?;
    for j in 1..FUNCTIONS {
        let waves = [(j / 4) as f64, (j % 4) as f64];
        let value = |node: usize| {
            let [x, y, _] = space.point(node);
            (3.0 * waves[0] * x + 0.4).cos() * (3.0 * waves[1] * y + 0.7).cos() * (1.0 + 0.1 * x)
        };
        let column: Vec<f64> = (0..space.owned_nodes).map(value).collect();
        state.write()?.iter_mut().zip(&column).for_each(|(state, v)| *state += 0.01 * v / j as f64);
        columns.push(&column);
    }
    layer.set_columns(columns);
    // The kernel counts in ticks of some milliseconds.
    let times = (100_000 / space.global_dofs() as usize).clamp(2, 200);
    let mut steps = 0;
    space.mesh.comm.barrier();
    let start = processor();
    for _ in 0..times {
        let mut state = state.try_clone()?;
        steps = layer.apply(&Equations::steady(prepared), &mut state)?.iterations;
    }
    Ok(((processor() - start) / times as f64, steps))
}
