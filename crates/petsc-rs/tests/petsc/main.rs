//! All tests of the wrappers, on 1 to 4 ranks, with PETSc's own check that nothing is left when it ends.
mod core;
mod errors;
mod logging;
mod nonlinear;
mod operators;
mod plex;
mod schwarz;
mod transfer;

use mpi::topology::SimpleCommunicator;
use petsc_rs::Petsc;
use std::process::{Command, ExitCode};

/// Name, and a function that panics to fail.
pub type Test = (&'static str, fn(&SimpleCommunicator));

/// Set in the second run, of tests where PETSc itself leaves memory behind.
const UNCHECKED: &str = "PETSC_RS_TEST_UNCHECKED";
/// Set in a process that leaves an object behind, to see that the check works.
const LEAK: &str = "PETSC_RS_TEST_LEAK";

fn main() -> ExitCode {
    if std::env::var_os(LEAK).is_some() {
        leak();
        return ExitCode::SUCCESS;
    }
    // Panics that a test means to happen need no backtrace.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref::<&str>() != Some(&"deliberate") {
            hook(info);
        }
    }));
    let checked: Suites = &[
        ("core", core::TESTS),
        ("errors", errors::TESTS),
        ("operators", operators::TESTS),
        ("transfer", transfer::TESTS),
        ("plex", plex::TESTS),
        ("nonlinear", nonlinear::TESTS),
        ("schwarz", schwarz::TESTS),
        ("logging", logging::TESTS),
        ("leaks", &[("a_leak_is_noticed", a_leak_is_noticed as fn(&SimpleCommunicator))]),
    ];
    if std::env::var_os(UNCHECKED).is_none() {
        let verdict = run(checked, &options());
        if verdict != ExitCode::SUCCESS || mpi_harness::is_child() {
            return verdict;
        }
        // SAFETY: no thread was started.
        unsafe { std::env::set_var(UNCHECKED, "1") };
    }
    run(&[("errors", errors::LEAKING), ("plex", plex::LEAKING)], &[])
}

/// Tests by module.
type Suites<'a> = &'a [(&'static str, &'static [Test])];

/// All in one suite: the tests are short beside the start of mpirun.
fn run(modules: Suites, options: &[String]) -> ExitCode {
    let all: Vec<(&str, Test)> =
        modules.iter().flat_map(|&(module, tests)| tests.iter().map(move |&test| (module, test))).collect();
    let suite = mpi_harness::Suite {
        name: "petsc",
        ranks: &[1, 2, 3, 4],
        tests: all.iter().map(|(module, test)| format!("{module}::{}", test.0)).collect(),
    };
    mpi_harness::main(&[suite], &|world, run| {
        let petsc = Petsc::initialize(world, options).expect("PETSc starts");
        run(&|_, test| all[test].1.1(world));
        drop(petsc);
        assert!(!petsc_is_running(), "a handle outlives all tests");
    })
}

/// Between initialisation and finalisation.
fn petsc_is_running() -> bool {
    // SAFETY: may be asked at any time.
    unsafe {
        let mut finalized = petsc_sys::petsc_shim_bool(0);
        petsc_sys::PetscFinalized(&mut finalized);
        finalized == petsc_sys::petsc_shim_bool(0)
    }
}

/// PETSc lists at the end what was not freed; the harness fails a run that prints such a list.
fn options() -> Vec<String> {
    ["-objects_dump", "-malloc_dump"].map(String::from).to_vec()
}

fn leak() {
    let universe = mpi::initialize().expect("MPI starts");
    let _petsc = Petsc::initialize(&universe.world(), &options()).expect("PETSc starts");
    let vector = petsc_rs::Vector::new(&universe.world(), 2, 1).expect("two entries");
    // SAFETY: the handle is live; the count that nobody gives back is the leak.
    unsafe { petsc_sys::PetscObjectReference(vector.as_raw() as petsc_sys::PetscObject) };
}

fn a_leak_is_noticed(comm: &SimpleCommunicator) {
    use mpi::traits::*;
    if comm.size() > 1 {
        return;
    }
    // A process of its own, without what the launcher put into the environment of this one.
    let mut command = Command::new(std::env::current_exe().expect("it runs"));
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("OMPI_") || n.starts_with("PM")) {
        command.env_remove(name);
    }
    let output = command.env(LEAK, "1").output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.lines().any(mpi_harness::shows_a_leak), "not noticed: {text:?} {output:?}");
}
