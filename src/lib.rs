//! Tessera: distributed-memory parametric simulation and model reduction.
//!
//! From the ground to the roof; each imports those of the layers before its own only (`docs/contributing/house.md`):
//!
//! | layer | module | what lives there |
//! | --- | --- | --- |
//! | 1 | [`error`] | errors with their place in the input |
//! | 2 | [`parallel`] | communicators, and plans to move rows between ranks |
//! | 2 | [`mod@format`] | numbers in words: bytes, counts, durations |
//! | 2 | [`memory`] | what is remembered from one solve to the next, and how it is handed on |
//! | 3 | [`storage`] | files: results, datasets, checkpoints, their checksums and exports |
//! | 4 | [`mesh`] | distributed meshes: sources, partition, markers |
//! | 4 | [`report`] | what a run says: lines, tables, phases, progress |
//! | 5 | [`deck`] | what a user may ask for: the input file, its defaults and its checks |
//! | 5 | [`fem`] | elements, spaces and assembly |
//! | 6 | [`physics`] | the models: from a deck to residuals, tangents, fluxes and derived fields |
//! | 6 | [`mixture`] | fields as sums over experts, and bases of fields with their inner products |
//! | 7 | [`solver`] | linear systems, nonlinear systems, steps in time |
//! | 8 | [`random`] | Gaussian random fields |
//! | 9 | [`simulation`] | a deck's problems on one mesh, solved in order or in time |
//! | 10 | [`experts`] | predictions repaired until they satisfy balances or equations |
//! | 10 | [`rom`] | reduced models: bases, expansions, online solves |
//! | 10 | [`checkpoint`] | when a run in time is saved, and from where it goes on |
//! | 11 | [`reuse`] | what earlier solves lend to the next one |
//! | 12 | [`campaign`] | many samples of a deck: designs, groups, datasets |
//! | 13 | [`drivers`] | the commands |
#![deny(unsafe_code)]

pub mod campaign;
pub mod checkpoint;
pub mod deck;
pub mod drivers;
pub mod error;
pub mod experts;
pub mod fem;
pub mod format;
pub mod memory;
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
