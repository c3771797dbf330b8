//! Raw bindings to the installed [PETSc](https://petsc.org) (3.18 or newer, real scalars of double precision, 32-bit
//! indices), generated from `petsc.h` when this crate is built.
//!
//! - **Names are PETSc's own**, so [its manual](https://petsc.org/release/manualpages/) is the reference. An enumeration
//!   `E` with a value `V` has the constant `E_V`.
//! - **MPI types are those of `mpi-sys`**, so a communicator of the crate `mpi` can be handed over. All of `mpi-sys` is
//!   exported here too.
//! - **What PETSc offers only as a macro**, or under signatures that changed between its versions, is a function
//!   `petsc_shim_...`.
//!
//! [`petsc-rs`](https://docs.rs/petsc-rs) is the safe interface on top of it: owned handles, errors as values.
//!
//! On docs.rs, which has no PETSc, only the types are shown that other crates' interfaces are written with; `cargo doc`
//! on a machine with PETSc shows everything.
//!
//! # Example
//! The norm of a vector of ten ones:
//!
//! ```no_run
//! use petsc_sys::*;
//! use std::ptr::{null, null_mut};
//!
//! let (mut x, mut norm) = (null_mut(), 0.0);
//! // SAFETY: PETSc is started once and ended after its last object; the pointers are to live variables.
//! unsafe {
//!     PetscInitialize(null_mut(), null_mut(), null(), null());
//!     VecCreateMPI(PETSC_COMM_WORLD, PETSC_DECIDE, 10, &mut x);
//!     VecSet(x, 1.0);
//!     VecNorm(x, NormType_NORM_1, &mut norm);
//!     VecDestroy(&mut x);
//!     PetscFinalize();
//! }
//! assert_eq!(norm, 10.0);
//! ```
#![deny(missing_docs)]

#[allow(non_camel_case_types, non_snake_case, non_upper_case_globals)]
#[allow(missing_docs, unsafe_op_in_unsafe_fn, clippy::all, rustdoc::all)]
mod bindings {
    pub use mpi_sys::*;
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

pub use bindings::*;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
