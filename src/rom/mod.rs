//! Reduced-order models: snapshots, bases, affine expansions, the online solver and its certificate.
//!
//! Everything of the size of the mesh is distributed like the fields it comes from ([`Columns`]);
//! what is small and dense stands on every rank.
pub mod affine;
mod columns;
pub mod coupling;
pub mod eim;
pub mod energy;
pub mod functional;
pub mod galerkin;
mod greedy;
mod model;
pub mod offline;
pub mod orthonormal;
pub mod pod;
mod projection;
mod split;
pub mod theta;

pub use affine::{Expansion, Training};
pub use columns::{Columns, Euclidean, InnerProduct};
pub use eim::Interpolation;
pub use energy::{Energy, Mass, energy_error, energy_norm};
pub use galerkin::{Reduced, Solution};
pub use greedy::Greedy;
pub use model::{Model, TrainingReport};
pub use offline::{Basis, BasisOptions, Offline, Prepared};
pub use orthonormal::Orthonormal;
pub use pod::{Algorithm, Pod, Truncation, pod};
pub use projection::Projection;
pub use split::Split;
