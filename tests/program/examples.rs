//! The programs of `examples/`, which check their own numbers, as a user runs them.
use crate::program::{Outcome, WATCHDOG, fails_fast};
use mpi_harness::mpirun;
use std::path::Path;

/// Runs an example in a folder of its own.
fn run(name: &str, ranks: usize) -> Outcome {
    let program = Path::new(env!("CARGO_BIN_EXE_tessera")).with_file_name("examples").join(name);
    assert!(program.exists(), "{} is missing: cargo build --release --examples", program.display());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = mpirun(WATCHDOG, ranks, program);
    command.current_dir(folder.path()).env("RAYON_NUM_THREADS", "1");
    let outcome = Outcome::new(fails_fast(&mut command).output().expect("mpirun starts")).expect(0);
    assert_eq!(folder.path().join("poisson.h5").exists(), name == "poisson");
    outcome
}

/// On one and two ranks, with the same numbers but for times: `say` stands in what each says.
fn on_one_and_two_ranks(name: &str, say: &str) {
    for ranks in [1, 2] {
        let outcome = run(name, ranks);
        assert!(outcome.out.contains(say), "{name} on {ranks} ranks: {}", outcome.out);
    }
}

#[test]
fn poisson_converges() {
    on_one_and_two_ranks("poisson", "half the cell size divides the error by 4.0");
}

#[test]
fn a_model_of_ones_own_is_solved() {
    on_one_and_two_ranks("own_model", "half the cell size divides the error by");
}

#[test]
fn a_reduced_model_predicts_within_its_bound() {
    on_one_and_two_ranks("reduced_model", "10 modes");
}

#[test]
fn a_prediction_is_repaired() {
    on_one_and_two_ranks("repair_a_prediction", "expert 7: exchanges");
}
