//! Decks, experts and predictions that the tests share.
use petsc_rs::Vector;
use std::rc::Rc;
use tessera::deck::{ConstraintLevel, Deck, Norm};
use tessera::experts::{CoarseModes, Constraint, ConstraintOptions, Equations, Gating, Repair};
use tessera::fem::Space;
use tessera::parallel::Comm;
use tessera::physics::Context;
use tessera::simulation::Simulation;

/// Heat with a source, two held sides and an exchange with the surroundings.
pub fn heat(cell: &str, cells: &[usize], degree: usize, experts: u32, solver: &str) -> String {
    format!(
        "[mesh]\nbox = {{ cell = \"{cell}\", cells = {cells:?} }}\n[partition]\nexperts = {experts}\n\
         [solver]\nmethod = \"{solver}\"\ntolerance = 1e-13\n\
         [[physics]]\nmodel = \"diffusion\"\ndegree = {degree}\nconductivity = \"1 + 5*x\"\nsource = \"100*x\"\n\
         [[physics.boundary]]\nmarker = \"left\"\nvalue = \"300 + 20*y\"\n\
         [[physics.boundary]]\nmarker = \"right\"\ncoefficient = 10.0\nambient = 400.0\n"
    )
}

/// A block held at one side, loaded by its weight and a pressure.
pub fn block(cell: &str, cells: &[usize], degree: usize, experts: u32, solver: &str) -> String {
    let gravity = if cells.len() == 2 { "[0, -9.81]" } else { "[0, 0, -9.81]" };
    format!(
        "[mesh]\nbox = {{ cell = \"{cell}\", cells = {cells:?} }}\n[partition]\nexperts = {experts}\n\
         [solver]\nmethod = \"{solver}\"\ntolerance = 1e-13\n\
         [[physics]]\nmodel = \"elasticity\"\ndegree = {degree}\nyoung = 1e5\npoisson = 0.3\ndensity = 10.0\n\
         body_force = {gravity}\n\
         [[physics.boundary]]\nmarker = \"left\"\nvalue = 0.0\n\
         [[physics.boundary]]\nmarker = \"right\"\npressure = 50.0\n"
    )
}

pub fn simulation(comm: &Comm, text: &str) -> (Simulation, Context) {
    let deck = Deck::parse(text, "test.toml", &[]).unwrap();
    let mut simulation = Simulation::new(comm, &deck).unwrap();
    let context = simulation.default_context();
    simulation.stages[0].assemble(&context).unwrap();
    (simulation, context)
}

/// The mesh divided into boxes, `per_side` along each axis, whatever the ranks.
pub fn boxes(space: &Space, per_side: usize, layers: u32) -> Gating {
    let mesh = &space.mesh;
    let (d, corners) = (mesh.dimension, mesh.cell_type.vertices());
    let experts: Vec<u32> = (0..mesh.local_cells())
        .map(|cell| {
            (0..d).fold(0, |number, axis| {
                let sum: f64 = mesh.cell_vertices(cell).iter().map(|&v| mesh.vertex(v as usize)[axis]).sum();
                let place = (sum / corners as f64 * per_side as f64) as usize;
                number * per_side + place.min(per_side - 1)
            }) as u32
        })
        .collect();
    let total = per_side.pow(d as u32);
    let ranks = mesh.comm.size();
    let ends: Vec<u32> = (1..=ranks).map(|r| (total * r / ranks) as u32).collect();
    Gating::with_experts(space, layers, &experts, &ends).unwrap()
}

/// A prediction that is wrong inside and on the boundary, the same on any number of ranks.
pub fn prediction(space: &Space, solution: &Vector, scale: f64) -> Vector {
    let mut state = solution.try_clone().unwrap();
    let c = space.components;
    for (dof, value) in state.write().unwrap().iter_mut().enumerate() {
        let [x, y, z] = space.point(dof / c);
        *value += scale * (3.0 * x + 5.0 * y * y + 2.0 * z + (dof % c) as f64).sin() * (7.0 * x * y).cos();
    }
    state
}

pub fn options(level: ConstraintLevel, weight: Norm, modes: CoarseModes) -> ConstraintOptions {
    ConstraintOptions { level, weight, modes, tolerance: 1e-12, max_iterations: 500 }
}

pub fn size(vector: &Vector) -> f64 {
    vector.norm(petsc_rs::Norm::Two).unwrap()
}

pub fn difference(a: &Vector, b: &Vector) -> f64 {
    let mut d = a.try_clone().unwrap();
    d.axpy(-1.0, b).unwrap();
    size(&d) / size(b)
}

/// The repaired prediction and the report; the simulation must be assembled.
pub fn repair(
    simulation: &Simulation,
    context: &Context,
    gating: Gating,
    options: ConstraintOptions,
    from: &Vector,
) -> (Vector, Repair) {
    let stage = &simulation.stages[0];
    let space = stage.problem.space.clone();
    let mut layer = Constraint::new(&stage.problem.name, space, Rc::new(gating), options);
    let mut state = from.try_clone().unwrap();
    let report = layer.apply(&Equations::of(stage, context), &mut state).unwrap();
    // The layer can be used again.
    let mut again = from.try_clone().unwrap();
    layer.apply(&Equations::of(stage, context), &mut again).unwrap();
    assert!(difference(&again, &state) < 1e-12);
    (state, report)
}

/// Whether fields on some ranks are those on one, to a tolerance relative to each field's largest value.
pub fn assert_same_fields(
    what: &str,
    tolerance: f64,
    (space, fields): (&Space, &[Vec<f64>]),
    (whole, references): (&Space, &[Vec<f64>]),
) {
    let c = space.components;
    let mut place = vec![0; whole.owned_nodes];
    (0..whole.owned_nodes).for_each(|node| place[whole.node_ids[node] as usize] = node);
    for (number, (field, reference)) in fields.iter().zip(references).enumerate() {
        let largest = reference.iter().fold(0.0f64, |a, v| a.max(v.abs()));
        for node in 0..space.owned_nodes {
            let there = place[space.node_ids[node] as usize];
            for i in 0..c {
                let (a, b) = (field[node * c + i], reference[there * c + i]);
                assert!((a - b).abs() < tolerance * largest, "{what} {number}: {a} {b} of {largest}");
            }
        }
    }
}
