//! A model of one's own: a soap film over the square, `-div(tension grad u / sqrt(1 + |grad u|^2)) = pressure`, with the
//! program's assembly, Newton's method and solvers, against Scherk's minimal surface.
//!
//! A model is what it says at a quadrature point, eight cells at a time, and a table of what it may be given.
//! ```text
//! mpirun -n 2 target/release/examples/own_model
//! ```
use std::process::ExitCode;
use std::rc::Rc;
use tessera::deck::SolverOptions;
use tessera::fem::{Parts, Space};
use tessera::mesh::{BoxSource, CellType, Mesh, PartitionOptions};
use tessera::parallel::{self, Comm};
use tessera::physics::{Context, Problem};
use tessera::report::{Level, Report};
use tessera::solver::NewtonSolver;
use tessera_kernels::form::{Density, Form, State};
use tessera_kernels::lanes::{Lanes, dot, vector};
use tessera_kernels::model::{
    Choice, Coefficient, Degree, Facts, Input, Law, Local, Model, Role, Sign, Time,
};
use tessera_kernels::models::scalar::{self, ScalarSurface};
use tessera_kernels::weak_form::{Point, Shape};
use tessera_kernels::{Forms, Nonlinear};

/// Coefficients: tension (N/m), pressure (Pa).
struct Film;

impl Form<2, 1> for Film {
    const COEFFICIENTS: usize = 2;

    #[inline(always)]
    fn residual(&self, point: &Point<2>, state: &State<2, 1>) -> Density<2, 1> {
        let ([tension, pressure], slope) = (coefficients(point), &state.gradient[0]);
        let factor = tension / (dot(slope, slope) + Lanes::splat(1.0)).sqrt();
        Density { source: [-pressure], flux: [vector(|d| factor * slope[d])] }
    }

    #[inline(always)]
    fn slope(&self, point: &Point<2>, state: &State<2, 1>, trial: &Shape<2>, _: usize) -> Density<2, 1> {
        let ([tension, _], slope) = (coefficients(point), &state.gradient[0]);
        let square = dot(slope, slope) + Lanes::splat(1.0);
        let factor = tension / square.sqrt();
        let turned = factor * dot(slope, &trial.gradient) / square;
        Density { source: [Lanes::ZERO], flux: [vector(|d| factor * trial.gradient[d] - turned * slope[d])] }
    }
}

#[inline(always)]
fn coefficients(point: &Point<2>) -> [Lanes; 2] {
    [point.coefficients[0], point.coefficients[1]]
}

/// Its kernels in two dimensions; at the boundary those of all models of one scalar.
static FORMS: Forms = Forms::NONE.form(&Nonlinear::<2, 1, _>(Film), &Nonlinear(ScalarSurface::<false>));

/// What it may be given.
static FILM: Model = Model {
    name: "film",
    about: "Height of a soap film.",
    field: "height",
    unit: "m",
    degree: Degree::any(1),
    least_dimension: 2,
    components: |_| 1,
    time: Time::Never,
    inputs: &[
        Input::coefficient("tension", "N/m", "Tension of both surfaces.").with(Sign::Positive),
        Input::coefficient("pressure", "Pa", "Pressure from below.").optional(0.0),
    ],
    one_of: &[],
    planes: None,
    conditions: scalar::CONDITIONS,
    boundary: scalar::CLOSED,
    derived: &[],
    law,
    trials: &[],
};

fn law(_: &Choice) -> Law {
    let coefficients = vec![
        Coefficient::new("tension", Sign::Positive, Role::Stiffness),
        Coefficient::new("pressure", Sign::Any, Role::Load),
    ];
    let facts = Facts { linear: false, ..Facts::ELLIPTIC };
    let local = coefficients.len();
    Law { coefficients, local, surface: scalar::surface(), facts, ..Law::new(&FORMS, conormal) }
}

/// What pulls at a boundary.
fn conormal(at: &Local, n: &[f64; 3], result: &mut [f64]) {
    let square: f64 = at.gradient[0].iter().map(|slope| slope * slope).sum();
    result[0] = (at.k)(0) * at.along(0, n) / (1.0 + square).sqrt();
}

fn main() -> ExitCode {
    parallel::run(|comm| {
        let report = Report::new(comm, Level::Normal);
        let [coarse, fine] = [hang(comm, &report, 12)?, hang(comm, &report, 24)?];
        report.line(format!("half the cell size divides the error by {:.2}", coarse / fine));
        assert!((3.6..4.4).contains(&(coarse / fine)) && fine < 2e-3);
        Ok(())
    })
}

/// Solves with so many cells along each side; the L2 norm of the distance to `log(cos y / cos x)` (H. F. Scherk, 1835).
fn hang(comm: &Comm, report: &Report, cells: u64) -> tessera::Result<f64> {
    let source =
        BoxSource { upper: vec![1.2; 2], ..BoxSource::unit(CellType::Quadrilateral, &[cells, cells]) };
    let mesh = Rc::new(Mesh::build(comm, &source.into(), &PartitionOptions::default())?);
    let space = Rc::new(Space::new(mesh, 1, 1)?);
    let problem = Problem::builder(&FILM, &space)
        .input("tension", 0.05)
        .value(["left", "right", "bottom", "top"], "log(cos(y)/cos(x))")
        .build()?;
    let problem = Rc::new(problem);

    let matrix = problem.new_matrix()?;
    let mut newton = NewtonSolver::new(&problem, &matrix, &SolverOptions::default())?;
    let mut height = space.field()?;
    let outcome = newton.solve(&Context::default(), Parts::REST, None, &mut height)?;
    if let Some(failure) = outcome.failure {
        return Err(tessera::Error::Failed(failure));
    }
    let exact = |x: &[f64; 3]| vec![(x[1].cos() / x[0].cos()).ln()];
    let gradient = |x: &[f64; 3]| vec![[x[0].tan(), -x[1].tan(), 0.0]];
    let (error, _) = problem.error_norms(&height.local_read()?, 0..1, exact, gradient);
    let residuals: Vec<String> = outcome.history.iter().map(|norm| format!("{norm:.0e}")).collect();
    report.line(format!("{cells}^2 cells: residuals {}; error {error:.2e} m", residuals.join(", ")));
    Ok(error)
}
