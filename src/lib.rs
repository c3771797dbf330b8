//! Tessera: distributed-memory parametric simulation and model reduction.
//!
//! Data flows one way: [`deck`] -> [`mesh`] -> [`fem`] -> [`physics`] -> [`solver`] -> [`experts`] ->
//! [`rom`] -> [`campaign`]; [`storage`] and [`report`] serve all; [`drivers`] strings them together.
#![deny(unsafe_code)]

pub mod campaign;
pub mod checkpoint;
pub mod deck;
pub mod drivers;
pub mod error;
pub mod experts;
pub mod fem;
pub mod mesh;
pub mod parallel;
pub mod physics;
pub mod report;
pub mod rom;
pub mod solver;
pub mod storage;

pub use error::{Diagnostic, Error, Result};
