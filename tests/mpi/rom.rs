//! Reduced models on one to four ranks: affine expansions, reproduction of snapshots, error estimates.

use crate::common::Suite;
use crate::common::decks::deck;
use tessera::campaign::{Design, design_samples};
use tessera::deck::{Deck, Norm};
use tessera::mixture::{Algorithm, Columns, Truncation};
use tessera::parallel::Comm;
use tessera::physics::{Context, Problem};
use tessera::rom::theta::Inputs;
use tessera::rom::{BasisOptions, Expansion, ReducedModel, Solution, Training, energy_error};
use tessera::simulation::Simulation;

/// Robin, flux and prescribed values that depend on parameters and position.
const HEAT: &str = r#"
[mesh]
box = { cell = "triangle", cells = [12, 9] }
[parameters]
k = { default = 2.0, range = [1.0, 5.0] }
h = { default = 30.0, range = [10.0, 50.0] }
g = { default = 3.0, range = [-4.0, 4.0] }
[[physics]]
model = "diffusion"
conductivity = "1 + k*x*x"
reaction = 0.5
source = "g*sin(3*x) + k*y"
[[physics.boundary]]
marker = "left"
value = "g*y + 1"
[[physics.boundary]]
marker = ["right", "top"]
coefficient = "h*(1 + x*y)"
ambient = "g + y"
[[physics.boundary]]
marker = "bottom"
flux = "k*x"
[solver]
method = "direct"
"#;

/// Temperature that strains a rotating body.
const STRESS: &str = r#"
[mesh]
box = { cell = "tetrahedron", cells = [4, 3, 3], upper = [1.0, 0.5, 0.5] }
[parameters]
h = { default = 200.0, range = [100.0, 400.0] }
t_gas = { default = 900.0, range = [700.0, 1100.0] }
omega = { default = 100.0, range = [50.0, 200.0] }
p = { default = 1e6, range = [-2e6, 2e6] }
e = { default = 1.0, range = [0.7, 1.3] }
[[physics]]
name = "heat"
model = "diffusion"
field = "temperature"
conductivity = 20.0
[[physics.boundary]]
marker = ["right", "top"]
coefficient = "h"
ambient = "t_gas*(1 + 0.1*z)"
[[physics.boundary]]
marker = "left"
coefficient = 500.0
ambient = 400.0
[[physics]]
name = "stress"
model = "elasticity"
young = "1e11*e"
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
[solver]
method = "direct"
"#;

fn sobol(deck: &Deck, samples: usize, seed: u64) -> Vec<Vec<f64>> {
    design_samples(deck, &Design::Sobol { samples, seed }).unwrap()
}

fn training(deck: &Deck) -> Training {
    Training::steady(deck.default_parameters(), sobol(deck, 24, 1), sobol(deck, 8, 2))
}

fn context(parameters: &[f64]) -> Context {
    Context::steady(parameters.to_vec())
}

fn options(modes: usize, algorithm: Algorithm, inner_product: Norm) -> BasisOptions {
    BasisOptions { inner_product, algorithm, truncation: Truncation { modes, tolerance: 0.0 } }
}

/// Solves the full model at all parameters; the solutions by physics.
fn solve(simulation: &mut Simulation, parameters: &[Vec<f64>]) -> Vec<Columns> {
    let comm = simulation.mesh.comm.clone();
    let empty = |s: &tessera::simulation::Stage| Columns::new(&comm, s.problem.space.owned_dofs());
    let mut all: Vec<Columns> = simulation.stages.iter().map(empty).collect();
    for parameters in parameters {
        simulation.solve(&context(parameters)).unwrap();
        for (columns, stage) in all.iter_mut().zip(&simulation.stages) {
            columns.push(&stage.solution().read().unwrap());
        }
    }
    all
}

fn train(simulation: &mut Simulation, parameters: &[Vec<f64>], options: BasisOptions) -> ReducedModel {
    let snapshots = solve(simulation, parameters);
    let names: Vec<String> = simulation.stages.iter().map(|s| s.problem.name.clone()).collect();
    let find =
        |problem: &Problem| Ok(snapshots[names.iter().position(|n| *n == problem.name).unwrap()].clone());
    let training = training(&simulation.deck.clone());
    ReducedModel::train(simulation, &training, parameters, find, options).unwrap_or_else(|e| panic!("{e}")).0
}

fn predict(model: &ReducedModel, simulation: &Simulation, parameters: &[f64], modes: usize) -> Vec<Solution> {
    let inputs: Vec<&dyn Inputs> = simulation.stages.iter().map(|s| &*s.problem as &dyn Inputs).collect();
    model.solve(&inputs, &context(parameters), modes).unwrap()
}

/// Energy norms of a field's error and of the field, at these parameters.
fn errors(problem: &Problem, parameters: &[f64], exact: &[f64], predicted: &[f64]) -> (f64, f64) {
    energy_error(problem, &context(parameters), exact, predicted).unwrap()
}

fn reassembles(comm: &Comm) {
    for text in [HEAT, STRESS] {
        let deck = deck(text, &[]);
        let mut simulation = Simulation::new(comm, &deck).unwrap();
        let set = training(&deck);
        for parameters in sobol(&deck, 4, 7) {
            let context = context(&parameters);
            simulation.solve(&context).unwrap();
            for (index, stage) in simulation.stages.iter().enumerate() {
                let problem = &stage.problem;
                let above = (index > 0).then(|| &simulation.stages[0]);
                let field = above.and_then(|s| s.input());
                let expansion = Expansion::new(problem, &set, field).unwrap_or_else(|e| panic!("{e}"));
                assert!(expansion.inexact() == 0.0, "{:?}", expansion.splits);
                let mut matrix = problem.new_matrix().unwrap();
                let mut load = problem.space.field().unwrap();
                for (i, coefficients) in problem.evaluate(&context).iter().enumerate() {
                    problem.assemble_term(i, coefficients, Some(&mut matrix), &mut load).unwrap();
                }
                matrix.assemble().unwrap();
                let size = matrix.norm(petsc_rs::Norm::Frobenius).unwrap();
                for (theta, term) in &expansion.matrices {
                    matrix.axpy(-theta.value(&**problem, &context), term, true).unwrap();
                }
                let left = matrix.norm(petsc_rs::Norm::Frobenius).unwrap();
                assert!(left <= 1e-12 * size, "{} matrix: {left:e} of {size:e}", problem.name);
                let size = load.norm(petsc_rs::Norm::Two).unwrap();
                for (theta, term) in &expansion.loads {
                    load.axpy(-theta.value(&**problem, &context), term).unwrap();
                }
                if let Some(above) = above {
                    let energy =
                        tessera::rom::Energy::new(&above.problem, &context, &deck.solver_options(0)).unwrap();
                    let upstream = tessera::rom::coupling::Upstream {
                        index: 0,
                        field: above.input().unwrap().clone(),
                        energy: &energy,
                    };
                    let temperature = above.solution().read().unwrap().to_vec();
                    for term in &expansion.coupled {
                        let values =
                            tessera::rom::coupling::load(problem, term, &upstream, &temperature).unwrap();
                        let factor = term.theta.value(&**problem, &context);
                        for (l, v) in load.write().unwrap().iter_mut().zip(values) {
                            *l -= factor * v;
                        }
                    }
                }
                let left = load.norm(petsc_rs::Norm::Two).unwrap();
                assert!(left <= 1e-12 * size, "{} load: {left:e} of {size:e}", problem.name);
                let essential = problem.essential(&context).unwrap();
                for dof in 0..problem.space.owned_dofs() {
                    let value: f64 =
                        expansion.lifts.iter().map(|(t, l)| t.value(&**problem, &context) * l[dof]).sum();
                    assert!((value - essential.values[dof]).abs() <= 1e-12 * (1.0 + value.abs()));
                }
            }
        }
    }
}

fn reproduces_snapshots(comm: &Comm) {
    for (text, algorithm, product) in [
        (HEAT, Algorithm::Tsqr, Norm::Energy),
        (HEAT, Algorithm::Snapshots, Norm::Mass),
        (STRESS, Algorithm::Tsqr, Norm::Energy),
        (STRESS, Algorithm::Tsqr, Norm::Euclidean),
    ] {
        let deck = deck(text, &[]);
        let mut simulation = Simulation::new(comm, &deck).unwrap();
        let parameters = sobol(&deck, 5, 3);
        let model = train(&mut simulation, &parameters, options(20, algorithm, product));
        let exact = solve(&mut simulation, &parameters);
        // The Gram matrix holds half the digits of the smallest mode.
        let bound = if algorithm == Algorithm::Tsqr { 1e-9 } else { 1e-6 };
        for (j, parameters) in parameters.iter().enumerate() {
            let solutions = predict(&model, &simulation, parameters, 20);
            for (i, stage) in simulation.stages.iter().enumerate() {
                let field = model.field(i, &solutions[i]);
                let (error, size) = errors(&stage.problem, parameters, exact[i].column(j), &field);
                assert!(error <= bound * size, "{}: {error:e} of {size:e}", stage.problem.name);
            }
        }
    }
}

fn certifies(comm: &Comm) {
    for (text, modes) in [(HEAT, 3), (HEAT, 6), (STRESS, 4), (STRESS, 7), (STRESS, 18)] {
        let deck = deck(text, &[]);
        let mut simulation = Simulation::new(comm, &deck).unwrap();
        let parameters = sobol(&deck, 20, 3);
        let model = train(&mut simulation, &parameters, options(modes, Algorithm::Snapshots, Norm::Energy));
        let unseen = design_samples(&deck, &Design::LatinHypercube { samples: 20, seed: 99 }).unwrap();
        let exact = solve(&mut simulation, &unseen);
        let mut report = vec![(0.0f64, f64::INFINITY, 0.0f64); simulation.stages.len()];
        for (j, parameters) in unseen.iter().enumerate() {
            let solutions = predict(&model, &simulation, parameters, modes);
            for (i, stage) in simulation.stages.iter().enumerate() {
                let solution = &solutions[i];
                assert!(solution.doubt.is_none(), "{:?}", solution.doubt);
                let field = model.field(i, solution);
                let (error, size) = errors(&stage.problem, parameters, exact[i].column(j), &field);
                let effectivity = solution.estimate / error;
                let r = &mut report[i];
                *r = (r.0.max(error / size), r.1.min(effectivity), r.2.max(effectivity));
                let name = &stage.problem.name;
                assert!(effectivity >= 1.0, "{name}: {} below {error}", solution.estimate);
                assert!(solution.relative >= error / size);
            }
        }
        if comm.rank() == 0 {
            println!("{modes} modes: worst relative error, least and largest effectivity {report:?}");
        }
        // At round-off the estimate stays on its floor, which is not sharp.
        assert!(modes > 7 || report.iter().all(|r| r.2 < 10.0), "{report:?}");
    }
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
            ("affine_expansion_reassembles_the_problem", reassembles),
            ("training_snapshots_are_reproduced", reproduces_snapshots),
            ("estimates_bound_the_errors_of_unseen_samples", certifies),
        ],
}];
