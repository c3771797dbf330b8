//! The Schwarz method of the experts as a preconditioner.
use std::rc::Rc;
use super::setup::*;
use tessera::experts::{CoarseModes, Gating};
use tessera::parallel::Comm;
use tessera::simulation::Simulation;
use tessera::mixture::{Columns, Mixture};
use tessera::solver::{LinearSolver, Schwarz};

fn iterations(simulation: &Simulation, gating: Gating, coarse: Option<CoarseModes>) -> usize {
    let stage = &simulation.stages[0];
    let options = simulation.deck.solver_options(0);
    let mut solver = LinearSolver::new(&stage.problem.space, "one", &options).unwrap();
    solver.use_experts(Mixture::new(stage.problem.space.clone(), Rc::new(gating), coarse));
    solver.set_matrix(stage.assembled().matrix).unwrap();
    let mut x = stage.problem.space.field().unwrap();
    let outcome = solver.solve(stage.assembled().matrix, stage.assembled().load, stage.assembled().essential, &mut x).unwrap();
    assert!(outcome.residual < 1e-12);
    outcome.iterations
}

pub fn two_levels_scale(comm: &Comm) {
    for (deck, modes) in [
        (heat("triangle", &[48, 48], 1, 4, "schwarz"), CoarseModes::Constants),
        (block("triangle", &[32, 32], 1, 4, "schwarz"), CoarseModes::RigidBody),
    ] {
        let (simulation, _) = simulation(comm, &deck);
        let space = &simulation.stages[0].problem.space;
        let count = |per_side, coarse| iterations(&simulation, boxes(space, per_side, 1), coarse);
        let one = [count(2, None), count(8, None)];
        let two = [count(2, Some(modes)), count(8, Some(modes))];
        assert!(one[1] > one[0] + 10, "one level: {one:?}");
        assert!(two[1] <= two[0] + 5, "two levels: {two:?}");
        assert!(two[1] < one[1], "{one:?} {two:?}");
    }
}

/// Gating functions sum to one: a solution whose parts are in the coarse space is found in a few iterations (not in one: the
/// two levels are added, and the solution is only as good as its tolerance), and one near to it in fewer than without.
pub fn coarse_space_takes_up_solutions(comm: &Comm) {
    for deck in [heat("triangle", &[24, 24], 1, 9, "schwarz"), block("triangle", &[20, 20], 1, 9, "schwarz")]
    {
        let (simulation, _) = simulation(comm, &deck);
        let stage = &simulation.stages[0];
        let space = &stage.problem.space;
        let options = simulation.deck.solver_options(0);
        let mut solver = LinearSolver::new(space, "enriched", &options).unwrap();
        let coarse = Some(CoarseModes::of(&stage.problem));
        solver.use_experts(Mixture::new(space.clone(), Rc::new(boxes(space, 3, 1)), coarse));
        let solve = |solver: &mut LinearSolver| {
            solver.set_matrix(stage.assembled().matrix).unwrap();
            let mut x = space.field().unwrap();
            let outcome = solver.solve(stage.assembled().matrix, stage.assembled().load, stage.assembled().essential, &mut x).unwrap();
            let values = x.read().unwrap().to_vec();
            (outcome.iterations, values)
        };
        let (plain, solution) = solve(&mut solver);
        let first = space.first as usize * space.components;
        let near: Vec<f64> =
            solution.iter().enumerate().map(|(i, v)| v * (1.0 + 1e-3 * ((first + i) as f64).sin())).collect();
        let one = |field: &[f64]| {
            let mut columns = Columns::new(comm, field.len());
            columns.push(field);
            columns
        };
        solver.enrich(one(&near));
        let (fewer, _) = solve(&mut solver);
        solver.enrich(one(&solution));
        let (least, _) = solve(&mut solver);
        assert!(least <= 4 && fewer < plain, "{plain}, {fewer}, {least}");
    }
}

pub fn method_schwarz_solves_decks(comm: &Comm) {
    for (deck, direct) in [
        (heat("triangle", &[20, 20], 1, 9, "schwarz"), heat("triangle", &[20, 20], 1, 9, "direct")),
        (block("tetrahedron", &[6, 4, 4], 1, 8, "schwarz"), block("tetrahedron", &[6, 4, 4], 1, 8, "direct")),
    ] {
        // One after the other: solvers of one name share PETSc's options.
        let reference = {
            let (mut theirs, context) = simulation(comm, &direct);
            theirs.solve(&context).unwrap();
            theirs.stages[0].solution().try_clone().unwrap()
        };
        let (mut ours, context) = simulation(comm, &deck);
        for _ in 0..2 {
            ours.solve(&context).unwrap();
            let error = difference(ours.stages[0].solution(), &reference);
            assert!(error < 1e-9, "{error:.1e}");
            assert!(ours.stages[0].outcome().history.len() < 80);
        }
    }
}

/// The preconditioner is its own transpose, as conjugate gradients need.
pub fn schwarz_is_symmetric(comm: &Comm) {
    let (simulation, _) = simulation(comm, &block("triangle", &[10, 10], 1, 7, "direct"));
    let stage = &simulation.stages[0];
    let space = &stage.problem.space;
    let gating = Rc::new(Gating::new(space, 1).unwrap());
    for coarse in [None, Some(CoarseModes::RigidBody)] {
        let mut schwarz =
            Schwarz::new("symmetry", &Mixture::new(space.clone(), gating.clone(), coarse), stage.assembled().matrix).unwrap();
        let (x, y) = (prediction(space, stage.assembled().load, 1.0), prediction(space, stage.assembled().load, 3.0));
        let (mut mx, mut my) = (x.duplicate().unwrap(), x.duplicate().unwrap());
        schwarz.apply(&x, &mut mx).unwrap();
        schwarz.apply(&y, &mut my).unwrap();
        let (a, b) = (y.dot(&mx).unwrap(), x.dot(&my).unwrap());
        assert!((a - b).abs() < 1e-10 * a.abs() && x.dot(&mx).unwrap() > 0.0, "{a} {b}");
    }
}
