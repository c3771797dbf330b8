//! What the integration tests share. An MPI test file (with `harness = false` in `Cargo.toml`) ends with
//! ```ignore
//! mod common;
//! fn main() -> std::process::ExitCode {
//!     common::mpi_main(&[1, 2, 3, 4], &[("name", test_function)])
//! }
//! ```
//! where `fn test_function(comm: &tessera::parallel::Comm)` panics to fail. PETSc is initialised.
#![allow(dead_code)]

pub mod mpi_harness;

use mpi::traits::Communicator;
use std::process::ExitCode;
use tessera::parallel::Comm;

/// A test: panics to fail.
pub type Test = (&'static str, fn(&Comm));

/// Runs the tests under `mpirun` with each of the rank counts; see [`mpi_harness`].
pub fn mpi_main(ranks: &[usize], tests: &'static [Test]) -> ExitCode {
    let names: Vec<&str> = tests.iter().map(|t| t.0).collect();
    mpi_harness::main(ranks, &names, &|world, run| {
        let petsc = petsc_rs::Petsc::initialize(world, &[]).expect("PETSc starts");
        let comm = Comm::new(world.duplicate());
        run(&|i| tests[i].1(&comm));
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
