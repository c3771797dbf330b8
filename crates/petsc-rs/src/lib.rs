//! Safe, owned wrappers of [PETSc](https://petsc.org) (3.18 or newer, real scalars, 32-bit indices).
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
//! Operations are collective over the object's communicator unless they say that they are local. Indices are
//! [`Int`] (PETSc's `PetscInt`, 32 bits). *Own* entries, rows and columns are those of the calling rank.
//!
//! # A linear system
//! MPI is started first and ended last. Each rank gives its own rows, here two with 2 on the diagonal; the
//! vectors that fit come from the matrix.
//!
//! ```no_run
//! use mpi::traits::Communicator;
//! use petsc_rs::{KrylovSolver, Matrix, Petsc};
//!
//! let universe = mpi::initialize().unwrap();
//! let world = universe.world();
//! let _petsc = Petsc::initialize(&world, &[])?;
//!
//! let first = 2 * world.rank();
//! let mut a = Matrix::from_csr(&world, 1, &[0, 1, 2], &[first, first + 1], 2)?;
//! a.arrays_mut()?.diagonal.fill(2.0);
//! a.assemble()?;
//! let (mut x, mut b) = a.vectors()?;
//! b.set(3.0)?;
//!
//! let mut solver = KrylovSolver::new(&world)?;
//! solver.set_options("-ksp_type cg -pc_type jacobi")?;
//! solver.set_operators(&a, &a)?;
//! let outcome = solver.solve(&b, &mut x)?;
//! // Not to converge is no error: the reason tells.
//! assert!(outcome.reason.converged(), "{}", outcome.reason);
//! assert_eq!(x.read()?[..], [1.5, 1.5]);
//! # Ok::<(), petsc_rs::Error>(())
//! ```
//!
//! # Closures
//! Residuals and tangents of nonlinear systems, matrices ([`Matrix::shell`]), preconditioners
//! ([`Preconditioner::set_shell`]) and monitors are closures. An error or a panic in one of them ends the solve
//! and comes out of it. This solves `x^2 = 2`, twice a rank:
//!
//! ```no_run
//! use mpi::traits::Communicator;
//! use petsc_rs::{Matrix, NonlinearSolver, Petsc};
//!
//! let universe = mpi::initialize().unwrap();
//! let world = universe.world();
//! let _petsc = Petsc::initialize(&world, &[])?;
//!
//! let first = 2 * world.rank();
//! let tangent = Matrix::from_csr(&world, 1, &[0, 1, 2], &[first, first + 1], 2)?;
//! let (mut x, _) = tangent.vectors()?;
//! x.set(1.0)?;
//!
//! let mut solver = NonlinearSolver::new(&world)?;
//! solver.set_options("-ksp_type preonly -pc_type jacobi")?;
//! solver.set_residual(&x, |x, f| {
//!     for (f, x) in f.write()?.iter_mut().zip(x.read()?.iter()) {
//!         *f = x * x - 2.0;
//!     }
//!     Ok(())
//! })?;
//! solver.set_jacobian(&tangent, &tangent, |x, p| {
//!     for (d, x) in p.arrays_mut()?.diagonal.iter_mut().zip(x.read()?.iter()) {
//!         *d = 2.0 * x;
//!     }
//!     p.assemble()
//! })?;
//! let outcome = solver.solve(None, &mut x)?;
//! assert!(outcome.reason.converged(), "{}", outcome.reason);
//! assert!((x.read()?[0] - 2f64.sqrt()).abs() < 1e-8);
//! # Ok::<(), petsc_rs::Error>(())
//! ```
//!
//! # What is there
//! | | |
//! | --- | --- |
//! | start, options, logging | [`Petsc`], [`Options`], [`log`] |
//! | vectors | [`Vector`]: own entries, ghosts, parts |
//! | matrices | [`Matrix`]: sparse from rows ([`Csr`]) or coordinates, dense, of blocks, closures |
//! | solvers | [`KrylovSolver`], [`NonlinearSolver`], [`Preconditioner`] |
//! | moving data | [`IndexSet`], [`Scatter`], [`StarForest`] |
//! | meshes | [`DmPlex`], [`Section`], [`Partitioner`] |
//! | beside PETSc | [`Counters`]: numbers that all ranks add to at any moment |
//!
//! For all else every handle has `as_raw`, for the functions of [`petsc_sys`].
#![deny(missing_docs)]
#![warn(clippy::missing_errors_doc, clippy::missing_panics_doc)]

pub use {mpi, petsc_sys};

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

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
