//! Taylor's test of every tangent: `r(u + h v) - r(u) - h J v` goes with the square of h, on small meshes of every
//! dimension with random states.

use crate::common::Suite;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tessera::deck::Deck;
use tessera::fem::{Essential, Parts, Space};
use tessera::parallel::Comm;
use tessera::physics::FormState;
use tessera::simulation::Simulation;

/// Models with the keys they need, in how many dimensions, and whether the tangent depends on the state.
const MODELS: &[(&str, &str, &[usize], bool)] = &[
    ("diffusion", "conductivity = \"1 + x\"\nreaction = 2\ncapacity = \"2 + x\"", &[1, 2, 3], false),
    ("advection_diffusion", "diffusivity = 0.01\nvelocity = VECTOR\nreaction = 0.5", &[1, 2, 3], false),
    ("burgers", "viscosity = \"0.1 + x\"\nsource = VECTOR", &[1, 2, 3], true),
    ("diffusion_sorption", "", &[1, 2, 3], true),
    ("porous_medium", "exponent = 2.5", &[1, 2, 3], true),
    ("porous_medium", "stefan = { below = 0.1, above = 2, threshold = 0.5 }", &[1, 2, 3], true),
    ("navier_stokes", "density = 2\nviscosity = \"0.1 + x\"\nbody_force = VECTOR", &[2, 3], true),
    ("helmholtz", "wave_number = \"3 + x\"", &[1, 2, 3], false),
];

const CELLS: [&[&str]; 3] = [&["interval"], &["triangle", "quadrilateral"], &["tetrahedron", "hexahedron"]];

fn deck(model: &str, keys: &str, cell: &str, dimension: usize, degree: usize) -> String {
    let vector = ["\"1 + x\"", "-2", "0.5"][..dimension].join(", ");
    let natural = match model {
        "burgers" => "value = 0",
        "helmholtz" => "absorbing = 2\nincoming = [1, 2]",
        "navier_stokes" => "pressure = 3",
        _ => "coefficient = 2\nambient = 3",
    };
    let time = if model == "helmholtz" { "" } else { "[time]\nend = 1\nstep = 1\n" };
    format!(
        "[mesh]\nbox = {{ cell = \"{cell}\", cells = [{}] }}\n{time}[[physics]]\nmodel = \"{model}\"\n\
         degree = {degree}\n{}\n[[physics.boundary]]\nmarker = \"right\"\n{natural}\n",
        vec!["3"; dimension].join(", "),
        keys.replace("VECTOR", &format!("[{vector}]"))
    )
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
    for &(model, keys, dimensions, nonlinear) in MODELS {
        for &dimension in dimensions {
            for &cell in CELLS[dimension - 1] {
                let degrees: &[usize] = match model {
                    "porous_medium" | "diffusion_sorption" => &[1],
                    "navier_stokes" => &[2],
                    _ => &[1, 2],
                };
                for &degree in degrees {
                    let text = deck(model, keys, cell, dimension, degree);
                    check(comm, &text, &format!("{model} {cell} degree {degree}"), nonlinear);
                }
            }
        }
    }
}

fn check(comm: &Comm, text: &str, name: &str, nonlinear: bool) {
    let deck = Deck::parse(text, "tangent", &[]).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let simulation = Simulation::new(comm, &deck).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let problem = &simulation.stages[0].problem;
    let space = &problem.space;
    let prepared = problem.at(&simulation.default_context()).unwrap();
    let parts = Parts { storage: 0.7, residual: 1.0 };
    let at = FormState { state: &[], history: None, parts };
    let (state, direction) = (random(space, 1), random(space, 2));

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

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2],
    tests: &[("tangents", tangents)],
}];
