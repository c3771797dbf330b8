//! Tessera: distributed-memory parametric simulation and model reduction.
#![deny(unsafe_code)]

pub mod campaign;
pub mod checkpoint;
pub mod deck;
pub mod drivers;
pub mod error;
pub mod experts;
pub mod fem;
pub mod format;
pub mod mesh;
pub mod mixture;
pub mod parallel;
pub mod physics;
pub mod random;
pub mod report;
pub mod reuse;
pub mod rom;
pub mod simulation;
pub mod solver;
pub mod storage;

pub use error::{Diagnostic, Error, Result};
