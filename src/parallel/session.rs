//! The frame of a program: MPI and PETSc from start to end, and what becomes of errors and panics.
use super::comm::{Comm, initialize};
use crate::error::tell;
use crate::{Error, Result};
use mpi::topology::SimpleCommunicator;
use mpi::traits::Communicator;
use std::process::ExitCode;

/// Starts MPI and PETSc, which takes the program's arguments as options (`-ksp_monitor`), does `work` on all ranks and ends
/// both. Rank 0 prints an error; the exit code is that of [`Error::exit_code`]. A panic ends all ranks.
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     tessera::parallel::run(|comm| {
///         let ranks = comm.sum(1);
///         assert_eq!(ranks, comm.size());
///         Ok(())
///     })
/// }
/// ```
pub fn run(work: impl FnOnce(&Comm) -> Result<()>) -> ExitCode {
    let Some(universe) = initialize() else {
        eprintln!("error: MPI cannot be started");
        return ExitCode::FAILURE;
    };
    let comm = Comm::new(universe.world().duplicate());
    abort_all_on_panic(&comm);
    set_threads(&comm);
    let options: Vec<String> = std::env::args().skip(1).collect();
    let code = print(&comm, with_petsc(&comm, &options, work));
    // mpirun ends the other ranks at the first code that is not 0: nobody may leave before rank 0 has printed.
    comm.barrier();
    ExitCode::from(code)
}

/// Does `work` while PETSc runs. Collective.
///
/// # Errors
/// When PETSc refuses an option, and those of `work`, the same on all ranks.
pub fn with_petsc(comm: &Comm, options: &[String], work: impl FnOnce(&Comm) -> Result<()>) -> Result<()> {
    let _petsc = petsc_rs::Petsc::initialize(comm.mpi(), options)?;
    // Of their own: the others may be in the middle of something.
    let ending = Comm::new(comm.mpi().duplicate());
    let result = work(comm);
    ending.meet(result.as_ref().err(), || {});
    comm.agree(result)
}

/// Threads of assembly and of PETSc's libraries, unless the user's environment says how many. Collective.
pub fn set_threads(comm: &Comm) {
    let share = comm.share_of_processors();
    let given = |name: &str| std::env::var_os(name).is_some();
    if !given("RAYON_NUM_THREADS") {
        // Fails only when rayon has started, which nothing above does.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(share).build_global();
    }
    if !given("OMP_NUM_THREADS") {
        petsc_rs::Petsc::set_library_threads(1);
    }
}

/// Prints an error once; the exit code. Local.
pub fn print(comm: &Comm, result: Result<()>) -> u8 {
    let Err(error) = result else { return 0 };
    if comm.rank() == 0 {
        match &error {
            Error::Input(list) => list.iter().for_each(|fault| tell(format_args!("error: {fault}"))),
            Error::Stopped(_) => tell(&error),
            other => tell(format_args!("error: {other}")),
        }
    }
    error.exit_code() as u8
}

/// A panic is a fault of the program. It ends all ranks: the others would wait for this one for ever. Local.
pub fn abort_all_on_panic(comm: &Comm) {
    let (rank, print) = (comm.rank(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        tell(format_args!("error: rank {rank} stopped on a fault of the program; please report it"));
        print(info);
        SimpleCommunicator::world().abort(1);
    }));
}
