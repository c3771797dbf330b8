//! Raw bindings to the installed PETSc (3.18 or newer, real scalars), generated from `petsc.h` at
//! build time. MPI types are those of `mpi-sys`, so a communicator of `rsmpi` can be handed over.
//!
//! Use [`petsc-rs`](../petsc_rs/index.html) instead, which owns its handles and returns errors.
#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals, clippy::all)]
#![allow(missing_docs, rustdoc::all, unsafe_op_in_unsafe_fn)]
include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
