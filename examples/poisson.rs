//! Poisson's equation `-div grad u = f` on the unit square against its exact solution, without a deck:
//! mesh, space, problem, solver, file.
//!
//! ```text
//! cargo build --release --example poisson
//! mpirun -n 2 target/release/examples/poisson
//! ```
//! Arguments go to PETSc: `-poisson_ksp_monitor` shows the residuals. ParaView opens `poisson.xdmf`.
use std::f64::consts::PI;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use tessera::deck::SolverOptions;
use tessera::fem::Space;
use tessera::mesh::{BoxSource, CellType, Mesh, PartitionOptions};
use tessera::parallel::{self, Comm};
use tessera::physics::{Context, Problem, diffusion};
use tessera::report::{Level, Report};
use tessera::solver::LinearSolver;
use tessera::storage::{Field, Provenance, ResultFile, Schema, write_xdmf};

fn main() -> ExitCode {
    parallel::run(|comm| {
        let report = Report::new(comm, Level::Normal);
        let [coarse, fine] = [solve(comm, &report, 64)?, solve(comm, &report, 128)?];
        report.line(format!("half the cell size divides the error by {:.2}", coarse / fine));
        // Linear elements converge with the square of the cell size.
        assert!((3.8..4.2).contains(&(coarse / fine)) && fine < 1e-4);
        Ok(())
    })
}

/// Solves with so many cells along each side; the L2 norm of the error.
fn solve(comm: &Comm, report: &Report, cells: u64) -> tessera::Result<f64> {
    let source = BoxSource::unit(CellType::Triangle, &[cells, cells]).into();
    let mesh = Rc::new(Mesh::build(comm, &source, &PartitionOptions::default())?);
    let space = Rc::new(Space::new(mesh, 1, 1)?);
    let problem = Problem::builder(&diffusion::MODEL, &space)
        .named("poisson")
        .input("conductivity", 1.0)
        .input("source", "2*pi^2*sin(pi*x)*sin(pi*y)")
        .value(["left", "right", "bottom", "top"], 0.0)
        .build()?;

    let context = Context::default();
    let essential = problem.essential(&context)?;
    let (mut matrix, mut load, mut u) = (problem.new_matrix()?, space.field()?, space.field()?);
    problem.assemble(&context, &essential, &mut matrix, &mut load)?;
    let mut solver = LinearSolver::new(&space, &problem.name, &SolverOptions::default())?;
    solver.set_matrix(&matrix)?;
    let outcome = solver.solve(&matrix, &load, &essential, &mut u)?;
    u.ghost_update()?;

    let exact = |x: &[f64; 3]| vec![(PI * x[0]).sin() * (PI * x[1]).sin()];
    let gradient = |x: &[f64; 3]| {
        let ([sx, sy], [cx, cy]) =
            ([x[0], x[1]].map(|t| (PI * t).sin()), [x[0], x[1]].map(|t| (PI * t).cos()));
        vec![[PI * cx * sy, PI * sx * cy, 0.0]]
    };
    let (error, slope) = problem.error_norms(&u.local_read()?, 0..1, exact, gradient);
    let (unknowns, steps) = (space.global_dofs(), outcome.iterations);
    report.line(format!(
        "{unknowns} unknowns, {steps} iterations: error {error:.2e} in L2, {slope:.2e} in the gradient"
    ));

    let path = Path::new("poisson.h5");
    let file = ResultFile::create(comm, path)?;
    file.describe(Schema::Run, &Provenance { title: "Poisson".into(), ..Provenance::default() })?;
    space.mesh.write(&file)?;
    let plan = space.canonical();
    file.save_field(&Field::nodes("u", "", 1, 1, &plan), &plan, &u.read()?)?;
    file.finish()?;
    write_xdmf(comm, path)?;
    Ok(error)
}
