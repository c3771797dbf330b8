//! Every model of the table, in every dimension, element and trial of it: Taylor's test of the tangent, `r(u + h v) - r(u) -
//! h J v` goes with the square of h; the derivative with respect to a parameter against differences; and the transposed
//! product `<J v, w> = <v, J^T w>`.

use crate::common::Suite;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tessera::deck::Deck;
use tessera::fem::{Essential, Parts, Space};
use tessera::parallel::Comm;
use tessera::physics::FormState;
use tessera::simulation::Simulation;
use tessera_kernels::MODELS;
use tessera_kernels::model::Trial;

const CELLS: [&[&str]; 3] = [&["interval"], &["triangle", "quadrilateral"], &["tetrahedron", "hexahedron"]];

fn deck(model: &str, trial: &Trial, cell: &str, dimension: usize, degree: usize) -> String {
    let vector = ["\"a + x\"", "-2", "0.5"][..dimension].join(", ");
    let time = if trial.in_time { "[time]\nend = 1\nstep = 1\n" } else { "" };
    let text = format!(
        "[mesh]\nbox = {{ cell = \"{cell}\", cells = [{}] }}\n[parameters]\na = 1.1\n{time}[[physics]]\nmodel = \"{model}\"\n\
         degree = {degree}\n{}\n[[physics.boundary]]\nmarker = \"right\"\n{}\n",
        vec!["3"; dimension].join(", "),
        trial.inputs,
        trial.boundary,
    );
    text.replace("VECTOR", &format!("[{vector}]"))
}

/// Random values at the nodes, of both signs, the same on any number of ranks.
fn random(space: &Space, seed: u64) -> petsc_rs::Vector {
    let mut vector = space.field().unwrap();
    {
        let mut values = vector.write().unwrap();
        for node in 0..space.owned_nodes {
            let p = space.point(node);
            let place = p.iter().fold(seed, |h, x| h.wrapping_mul(1_000_003) ^ (x * 4096.0).round() as u64);
            let mut generator = ChaCha8Rng::seed_from_u64(place);
            for i in 0..space.components {
                values[node * space.components + i] = generator.random_range(-1.0..1.0);
            }
        }
    }
    vector.ghost_update().unwrap();
    vector
}

fn tangents(comm: &Comm) {
    for model in MODELS {
        assert!(!model.trials.is_empty(), "{} is not tried", model.name);
        for (number, trial) in model.trials.iter().enumerate() {
            for dimension in model.least_dimension..=3 {
                for &cell in CELLS[dimension - 1] {
                    for degree in model.degree.least..=model.degree.most {
                        let text = deck(model.name, trial, cell, dimension, degree);
                        check(comm, &text, trial.size, &format!("{} {number} {cell} degree {degree}", model.name));
                    }
                }
            }
        }
    }
}

fn check(comm: &Comm, text: &str, size: f64, name: &str) {
    let deck = Deck::parse(text, "tangent", &[]).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let simulation = Simulation::new(comm, &deck).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let problem = &simulation.stages[0].problem;
    let space = &problem.space;
    let prepared = problem.at(&simulation.default_context()).unwrap();
    let parts = Parts { storage: if deck.time.is_some() { 0.7 } else { 0.0 }, residual: 1.0 };
    let history = problem.new_history();
    let at = FormState { state: &[], history: history.as_ref(), parts };
    let nonlinear = !problem.facts().linear;
    let (mut state, mut direction) = (random(space, 1), random(space, 2));
    for vector in [&mut state, &mut direction] {
        vector.scale(size).unwrap();
        vector.ghost_update().unwrap();
    }

    let residual = |h: f64| {
        let mut moved = state.try_clone().unwrap();
        moved.axpy(h, &direction).unwrap();
        moved.ghost_update().unwrap();
        let mut result = space.field().unwrap();
        prepared.residual(FormState { state: &moved.local_read().unwrap(), ..at }, &mut result).unwrap();
        result
    };
    let mut matrix = problem.new_matrix().unwrap();
    let free = Essential::new(space, []);
    let local = state.local_read().unwrap();
    prepared.tangent(FormState { state: &local, ..at }, &free, &mut matrix).unwrap();
    // The tangent puts a one on the diagonal of essential unknowns; here there are none.
    let mut image = space.field().unwrap();
    matrix.mult(&direction, &mut image).unwrap();
    // The transpose.
    let weight = random(space, 3);
    let mut back = space.field().unwrap();
    matrix.mult_transpose(&weight, &mut back).unwrap();
    let (forth, back) = (image.dot(&weight).unwrap(), direction.dot(&back).unwrap());
    let scale = image.norm(petsc_rs::Norm::Two).unwrap() * weight.norm(petsc_rs::Norm::Two).unwrap();
    assert!((forth - back).abs() <= 1e-12 * scale, "{name}: {forth} {back}");

    // The derivative with respect to the parameter.
    let mut slope = space.field().unwrap();
    prepared.slope(0, FormState { state: &local, ..at }, &mut slope).unwrap();
    let moved = |h: f64| {
        let mut context = simulation.default_context();
        context.parameters[0] += h;
        let mut result = space.field().unwrap();
        problem.at(&context).unwrap().residual(FormState { state: &local, ..at }, &mut result).unwrap();
        result
    };
    // Of fourth order.
    let h = 1e-3;
    let mut difference = space.field().unwrap();
    for (steps, factor) in [(1.0, 8.0), (-1.0, -8.0), (2.0, -1.0), (-2.0, 1.0)] {
        difference.axpy(factor / (12.0 * h), &moved(steps * h)).unwrap();
    }
    let size = difference.norm(petsc_rs::Norm::Two).unwrap();
    difference.axpy(-1.0, &slope).unwrap();
    let apart = difference.norm(petsc_rs::Norm::Two).unwrap();
    assert!(apart <= 1e-8 * size, "{name}: derivative by the parameter {apart:e} of {size:e}");
    assert_eq!(size > 0.0, uses_parameter(text), "{name}: {size}");
    drop(local);

    let size = image.norm(petsc_rs::Norm::Two).unwrap();
    assert!(size > 1e-3, "{name}: the derivative vanishes");
    let base = residual(0.0);
    let remainder = |h: f64| {
        let mut r = residual(h);
        r.axpy(-1.0, &base).unwrap();
        r.axpy(-h, &image).unwrap();
        r.norm(petsc_rs::Norm::Two).unwrap() / (h * size)
    };
    // A kink of a law may lie between two states, but not between all.
    let (coarse, fine) = (remainder(1e-3), remainder(1e-4));
    let exact = 1e-10;
    let order = (coarse / fine.max(exact)).log10();
    assert!(fine < exact || order > 0.9, "{name}: remainders {coarse:e}, {fine:e}: order {:.2}", 1.0 + order);
    if !nonlinear {
        assert!(coarse < exact, "{name} is linear, but the remainder is {coarse:e}");
    }
    if comm.rank() == 0 {
        println!("    {name:40} {coarse:.1e} {fine:.1e}");
    }
}

/// Whether a trial uses the parameter.
fn uses_parameter(text: &str) -> bool {
    let physics = text.split("[[physics]]").nth(1).unwrap();
    let formulas = physics.split('"').skip(1).step_by(2);
    formulas.flat_map(|formula| formula.split(|c: char| !c.is_alphanumeric() && c != '_')).any(|word| word == "a")
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2],
    tests: &[("tangents", tangents)],
}];
