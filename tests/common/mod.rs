//! What the tests under MPI share. A capability is a module of `tests/mpi` with
//! ```ignore
//! pub const SUITES: &[Suite] = &[Suite { ranks: &[1, 2, 3, 4], tests: &[("name", test_function)] }];
//! ```
//! where `fn test_function(comm: &tessera::parallel::Comm)` panics to fail. PETSc is initialised.
pub mod decks;
pub mod known;

use mpi::traits::Communicator;
use std::process::ExitCode;
use tessera::parallel::Comm;

/// A test: panics to fail.
pub type Test = (&'static str, fn(&Comm));

/// Tests of a capability that run on the same numbers of ranks.
pub struct Suite {
    /// How many ranks.
    pub ranks: &'static [usize],
    /// What runs.
    pub tests: &'static [Test],
}

/// Runs the suites of all capabilities under `mpirun`; see [`mpi_harness`].
pub fn mpi_main(capabilities: &[(&'static str, &'static [Suite])]) -> ExitCode {
    let all: Vec<(&str, &Suite)> = capabilities
        .iter()
        .flat_map(|&(name, suites)| suites.iter().map(move |suite| (name, suite)))
        .collect();
    let named = |&(name, suite): &(&'static str, &'static Suite)| mpi_harness::Suite {
        name,
        ranks: suite.ranks,
        tests: suite.tests.iter().map(|test| test.0.to_string()).collect(),
    };
    let suites: Vec<mpi_harness::Suite> = all.iter().map(named).collect();
    mpi_harness::main(&suites, &|world, run| {
        let petsc = petsc_rs::Petsc::initialize(world, &[]).expect("PETSc starts");
        let comm = Comm::new(world.duplicate());
        run(&|suite, test| all[suite].1.tests[test].1(&comm));
        drop(petsc);
    })
}

/// Runs `work` with an empty folder that all ranks see and that is removed at the end. Collective.
pub fn with_folder(comm: &Comm, work: impl FnOnce(&std::path::Path)) {
    let folder = (comm.rank() == 0).then(|| tempfile::tempdir().expect("a temporary folder"));
    let mut name =
        folder.as_ref().map_or(Vec::new(), |f| f.path().to_str().expect("a plain path").as_bytes().to_vec());
    comm.broadcast_bytes(0, &mut name);
    work(std::path::Path::new(std::str::from_utf8(&name).expect("a plain path")));
    comm.barrier();
}
