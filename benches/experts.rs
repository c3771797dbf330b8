//! One level against two: the Schwarz method of the experts as their number grows, with a fixed
//! number of cells each (weak scaling) and with a fixed mesh (strong scaling), beside algebraic
//! multigrid. Iterations are what matters; times are those of all experts on the ranks at hand.
//!
//! usage: mpirun -n P experts [cells of an expert along a side, 16 by default] [MOST EXPERTS, 256]
use mpi::traits::*;
use std::rc::Rc;
use std::time::Instant;
use tessera::deck::{Deck, SolverMethod, SolverOptions};
use tessera::experts::{CoarseModes, Gating};
use tessera::mixture::{Mixture, rigid_body_modes};
use tessera::parallel::Comm;
use tessera::simulation::Simulation;
use tessera::solver::LinearSolver;

const EXPERTS: [u32; 4] = [4, 16, 64, 256];

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> tessera::Result<()> {
    let arguments: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let side = arguments.first().copied().unwrap_or(16);
    let most = arguments.get(1).copied().unwrap_or(256) as u32;
    // PT-Scotch calls MPI from several threads.
    let universe = tessera::parallel::initialize().expect("MPI starts");
    let comm = Comm::new(universe.world().duplicate());
    let _petsc = petsc_rs::Petsc::initialize(comm.mpi(), &[])?;
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("first use of rayon");
    let counts: Vec<u32> = EXPERTS.into_iter().filter(|&k| k <= most).collect();
    for (name, physics) in [
        ("diffusion", "model = \"diffusion\"\nsource = 1.0\n"),
        ("elasticity", "model = \"elasticity\"\nyoung = 1.0\npoisson = 0.3\nbody_force = [0, -1]\n"),
    ] {
        for weak in [true, false] {
            let last = f64::from(*counts.last().unwrap_or(&4)).sqrt() as usize;
            if comm.rank() == 0 {
                let scaling =
                    if weak { format!("{side} x {side} squares an expert") } else { "one mesh".into() };
                println!(
                    "\n{name}, P1 triangles, {scaling}, overlap 1, tolerance 1e-8, {} ranks",
                    comm.size()
                );
                println!("experts  unknowns |  one level      s |  two levels      s |  multigrid      s");
            }
            for &experts in &counts {
                let cells = side * if weak { f64::from(experts).sqrt() as usize } else { last };
                row(&comm, physics, cells, experts)?;
            }
        }
    }
    Ok(())
}

fn row(comm: &Comm, physics: &str, cells: usize, experts: u32) -> tessera::Result<()> {
    let text = format!(
        "[mesh]\nbox = {{ cell = \"triangle\", cells = [{cells}, {cells}] }}\n\
         [partition]\nexperts = {experts}\n[solver]\ntolerance = 1e-8\n[[physics]]\n{physics}\
         [[physics.boundary]]\nmarker = \"left\"\nvalue = 0.0\n"
    );
    let deck = Deck::parse(&text, "benchmark", &[])?;
    let mut simulation = Simulation::new(comm, &deck)?;
    let context = simulation.default_context();
    simulation.stages[0].assemble(&context)?;
    let stage = &mut simulation.stages[0];
    let space = stage.problem.space.clone();
    let modes = CoarseModes::of(&stage.problem);
    let gating = Rc::new(Gating::new(&space, deck.partition.overlap)?);
    let mut line = format!("{:7} {:9}", gating.global_experts, space.global_dofs());
    if modes == CoarseModes::RigidBody {
        stage.workplace().matrix.set_near_null_space(rigid_body_modes(&space)?)?;
    }
    for (kind, coarse) in
        [(SolverMethod::Schwarz, None), (SolverMethod::Schwarz, Some(modes)), (SolverMethod::Amg, None)]
    {
        let options = SolverOptions { method: kind, max_iterations: 10_000, ..deck.solver_options(0) };
        let mut solver = LinearSolver::new(&space, "bench", &options)?;
        if kind == SolverMethod::Schwarz {
            solver.use_experts(Mixture::new(space.clone(), gating.clone(), coarse));
        }
        let mut solution = space.field()?;
        comm.barrier();
        let start = Instant::now();
        solver.set_matrix(stage.assembled().matrix)?;
        let outcome = solver.solve(
            stage.assembled().matrix,
            stage.assembled().load,
            stage.assembled().essential,
            &mut solution,
        )?;
        comm.barrier();
        line += &format!(" | {:10} {:6.2}", outcome.iterations, start.elapsed().as_secs_f64());
    }
    if comm.rank() == 0 {
        println!("{line}");
    }
    Ok(())
}
