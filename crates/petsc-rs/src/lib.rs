//! Safe, owned wrappers of PETSc (3.18 or newer, real scalars, 32-bit indices).
//!
//! - **Handles own.** Dropping one destroys the PETSc object (PETSc counts references, so a solver keeps
//!   the matrix that it was given alive).
//! - **Nothing outlives `PetscFinalize`.** [`Petsc`] and every handle share one counted session; PETSc is
//!   finalised when the last of them is dropped. A handle that is dropped after MPI has ended, or while a
//!   panic unwinds, is leaked instead, because destruction may communicate.
//! - **Errors are values.** PETSc's traceback is collected, not printed, and arrives in [`Error`].
//! - **Views borrow.** Array views give the array back to PETSc when they are dropped; nothing is copied.
//! - Handles are neither `Send` nor `Sync`: PETSc is used from the thread that initialised it.
//!
//! Operations are collective over the object's communicator unless they say otherwise. Indices are
//! [`Int`] (PETSc's `PetscInt`, 32 bits).
//!
//! ```no_run
//! use petsc_rs::{KrylovSolver, Matrix, Petsc, Vector};
//! let (universe, _) = mpi::initialize_with_threading(mpi::Threading::Multiple).unwrap();
//! let world = universe.world();
//! let _petsc = Petsc::initialize(&world, &[])?;
//! // The identity of two rows a rank.
//! # use mpi::traits::Communicator;
//! let first = 2 * world.rank();
//! let mut a = Matrix::from_csr(&world, 1, &[0, 1, 2], &[first, first + 1], 2)?;
//! a.arrays_mut()?.diagonal.fill(1.0);
//! a.assemble()?;
//! let (mut x, mut b) = a.vectors()?;
//! b.set(3.0)?;
//! let mut solver = KrylovSolver::new(&world)?;
//! solver.set_options("-ksp_type cg -pc_type jacobi")?;
//! solver.set_operators(&a, &a)?;
//! let outcome = solver.solve(&b, &mut x)?;
//! assert!(outcome.reason.converged());
//! # Ok::<(), petsc_rs::Error>(())
//! ```

/// PETSc's index type. The bindings refuse a PETSc with 64-bit indices.
pub type Int = petsc_sys::PetscInt;

#[macro_use]
mod error;
mod scotch;
#[macro_use]
mod session;

mod closure;
mod convergence;
mod counters;
mod index_set;
mod krylov;
pub mod log;
mod matrix;
mod nonlinear;
mod options;
mod partitioner;
mod plex;
mod preconditioner;
mod scatter;
mod section;
mod star_forest;
mod vector;

pub use convergence::{Convergence, ConvergenceReason};
pub use counters::Counters;
pub use error::{Error, Result};
pub use index_set::{IndexSet, Indices};
pub use krylov::{KrylovSolver, NormType};
pub use matrix::{AijArrays, Csr, DenseArray, Matrix, MatrixOption};
pub use nonlinear::{NonlinearConvergence, NonlinearReason, NonlinearSolver};
pub use options::Options;
pub use partitioner::Partitioner;
pub use plex::{CellKind, DmPlex};
pub use preconditioner::{Preconditioner, SchwarzType, TwoLevel};
pub use scatter::Scatter;
pub use section::Section;
pub use session::Petsc;
pub use star_forest::{Leaf, StarForest};
pub use vector::{Norm, Part, PartMut, Vector, VectorRead, VectorWrite};

// A 64-bit PetscInt is refused by the build script of petsc-sys; this keeps the promise visible here.
const _: () = assert!(size_of::<Int>() == 4, "petsc-rs needs a PETSc with 32-bit indices");
