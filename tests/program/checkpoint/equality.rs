//! A run that goes on from a checkpoint, on any number of ranks, gives the answer of one that was never interrupted.
use super::decks::{FLOW, HEAT, METAL, graded};
use crate::program::{Place, compare};

/// A direct solver on each rank, with all of the matrix. Across ranks MUMPS adds in the order in which messages come, so
/// no two runs agree in the last bits.
const REPRODUCIBLE: [&str; 4] = [
    "--set",
    "solver.method=options",
    "--set",
    "solver.petsc=-ksp_type preonly -pc_type redundant -redundant_ksp_type preonly -redundant_pc_type lu \
     -redundant_pc_factor_mat_solver_type mumps",
];

/// Runs a deck on `ranks`, and again from a checkpoint in the middle on each of `others`: to 1e-10.
fn continues(name: &str, deck: &str, ranks: usize, others: &[usize]) {
    run(name, deck, ranks, others, &[], 1e-10);
}

/// The same on the same number of ranks, bit for bit.
fn repeats(name: &str, deck: &str, ranks: usize) {
    run(name, deck, ranks, &[ranks, ranks], &REPRODUCIBLE, 0.0);
}

fn run(name: &str, deck: &str, ranks: usize, others: &[usize], options: &[&str], tolerance: f64) {
    let whole = Place::new(deck);
    whole.run(ranks, options).expect(0);
    let checkpoints = whole.checkpoints();
    assert!(checkpoints.len() >= 3, "{name}: {checkpoints:?}");
    for (i, &other) in others.iter().enumerate() {
        // Early, in the middle, late.
        let which = &checkpoints[i * (checkpoints.len() - 1) / others.len().max(2)];
        let part = whole.copy();
        let from = part.file("out/checkpoints").join(which.file_name().unwrap());
        let mut arguments = vec!["--restart", from.to_str().unwrap()];
        arguments.extend(options);
        let outcome = part.run(other, &arguments).expect(0);
        assert!(outcome.out.contains("restart      from"), "{}", outcome.out);
        let same = compare(&whole.file("out/run.h5"), &part.file("out/run.h5"), tolerance);
        assert!(same.is_ok(), "{name}, {ranks} -> {other}, {}: {}", from.display(), same.unwrap_err());
    }
}

/// Multigrid and block preconditioners instead: bit for bit as well, since checkpoints by steps begin them anew. From
/// three ranks on PETSc adds what arrives from several in the order in which it comes. PETSc 3.22 added in another order
/// where GMRES's vectors happened to lie beside each other.
fn repeats_iterative(name: &str, deck: &str) {
    for ranks in 1..=2 {
        run(name, deck, ranks, &[ranks, ranks], &["--set", "solver.method=amg"], 0.0);
    }
}

fn any_number_of_ranks(name: &str, deck: &str) {
    continues(name, deck, 1, &[3, 1]);
    continues(name, deck, 4, &[2]);
    continues(name, deck, 3, &[1, 3]);
    [1, 2, 3].into_iter().for_each(|ranks| repeats(name, deck, ranks));
    repeats_iterative(name, deck);
}

#[test]
fn heat_with_a_linear_problem() {
    any_number_of_ranks("heat", HEAT);
}

#[test]
fn a_flow() {
    any_number_of_ranks("flow", FLOW);
}

#[test]
fn a_metal() {
    any_number_of_ranks("metal", METAL);
}

/// What a guarded run has learnt is in its checkpoints. On other ranks steps of heat have lengths that are known beforehand: those
/// that follow from the estimated error, of which what a reduced solution lacks is a part, take round-off with them and hand it on
/// (1e-9 to 1e-6 of the solution here, 1e-5 of a length, by processor). On the same ranks they go on bit for bit.
#[test]
fn guarded_runs() {
    let lengths = graded();
    for (name, deck, accept) in
        [("metal", METAL, "1e-2"), ("heat", &*lengths, "1e-3"), ("flow", FLOW, "1e-2")]
    {
        run(name, deck, 1, &[3, 2], &["--accept", accept], 1e-9);
    }
    for (name, deck, accept) in [("metal", METAL, "1e-2"), ("heat", HEAT, "1e-3"), ("flow", FLOW, "1e-2")] {
        for ranks in [1, 2] {
            run(
                name,
                deck,
                ranks,
                &[ranks, ranks],
                &[&["--accept", accept][..], &REPRODUCIBLE].concat(),
                0.0,
            );
        }
    }
}

/// Steps go on growing where they were.
#[test]
fn growing_steps() {
    repeats("growing", &graded(), 1);
}
