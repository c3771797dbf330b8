//! Linear elasticity on the unit cube, step by step: the counterpart of
//! `benches/peers/dolfinx_elasticity.py`, with the same `name value` lines.
//!
//! usage: mpirun -n P elasticity N tetrahedron|hexahedron DEGREE [PETSc options]
//!
//! Without arguments it runs both and prints the comparison (`benches/elasticity.py`).
use mpi::traits::*;
use std::rc::Rc;
use std::time::Instant;
use tessera::deck::{Deck, SolverOptions};
use tessera::fem::Space;
use tessera::mesh::Mesh;
use tessera::mixture::rigid_body_modes;
use tessera::parallel::Comm;
use tessera::physics::{Context, build};
use tessera::solver::LinearSolver;

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> tessera::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [n, cell, degree, options @ ..] = &arguments[..] else {
        return compare();
    };
    let universe = tessera::parallel::initialize().expect("MPI starts");
    let comm = Comm::new(universe.world().duplicate());
    let _petsc = petsc_rs::Petsc::initialize(comm.mpi(), &[])?;
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("first use of rayon");
    let show = |name: &str, value: f64| {
        if comm.rank() == 0 {
            println!("{name} {value}");
        }
    };
    let begin = Instant::now();
    let mut start = begin;
    let mut lap = |name: &str| {
        comm.barrier();
        show(name, start.elapsed().as_secs_f64());
        start = Instant::now();
    };
    let text = format!(
        "[mesh]\nbox = {{ cell = \"{cell}\", cells = [{n}, {n}, {n}], lower = [0.0, 0.0, 0.0], upper = [1.0, 1.0, 1.0] }}\n\
         [[physics]]\nmodel = \"elasticity\"\ndegree = {degree}\nyoung = 1.0\npoisson = 0.3\nbody_force = [0.0, 0.0, -1.0]\n\
         [[physics.boundary]]\nmarker = \"left\"\nvalue = 0.0\n"
    );
    let deck = Deck::parse(&text, "benchmark", &[])?;
    let mesh = Rc::new(Mesh::build(&comm, &deck.mesh_source(), &deck.partition_options())?);
    lap("mesh");
    let problem = build::build(&deck, 0, &mesh, &[])?;
    let space: &Rc<Space> = &problem.space;
    lap("space");
    let mut matrix = problem.new_matrix()?;
    let mut load = space.field()?;
    lap("sparsity");
    let context = Context::default();
    let essential = problem.essential(&context)?;
    lap("conditions");
    problem.assemble(&context, &essential, &mut matrix, &mut load)?;
    lap("first_assembly");
    problem.assemble(&context, &essential, &mut matrix, &mut load)?;
    lap("assembly");
    matrix.set_near_null_space(rigid_body_modes(space)?)?;
    let settings = SolverOptions { petsc: options.join(" "), ..deck.solver_options(0) };
    let mut solver = LinearSolver::new(space, &problem.name, &settings)?;
    solver.set_matrix(&matrix)?;
    lap("preconditioner");
    let mut solution = space.field()?;
    let outcome = solver.solve(&matrix, &load, &essential, &mut solution)?;
    lap("solve");
    show("total", begin.elapsed().as_secs_f64());
    show("dofs", space.global_dofs() as f64);
    show("iterations", outcome.iterations as f64);
    show("norm", solution.norm(petsc_rs::Norm::Two)?);
    show("residual", outcome.residual);
    show("memory", comm.sum(peak_memory()));
    Ok(())
}

/// Runs this program and its peer in turn.
fn compare() -> tessera::Result<()> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/elasticity.py");
    let peer = std::process::Command::new("/usr/bin/python3").args(["-c", "import dolfinx"]).output();
    if !peer.is_ok_and(|output| output.status.success()) {
        println!("elasticity: skipped, there is no dolfinx (Debian: apt install python3-dolfinx-real)");
        return Ok(());
    }
    let failed = |error: std::io::Error| tessera::Error::Failed(error.to_string());
    let this = std::env::current_exe().map_err(failed)?;
    let status =
        std::process::Command::new("/usr/bin/python3").arg(script).arg(this).status().map_err(failed)?;
    if status.success() { Ok(()) } else { Err(tessera::Error::Failed("the comparison failed".into())) }
}

/// Bytes at the high-water mark of this process.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap_or_default();
    let kilobytes: f64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0.0);
    kilobytes * 1024.0
}
