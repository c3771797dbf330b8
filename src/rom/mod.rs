//! Reduced-order models: snapshots, bases, affine expansions, the online solver and its certificate.
//!
//! Everything of the size of the mesh is distributed like the fields it comes from ([`Columns`]);
//! what is small and dense stands on every rank.
mod columns;
pub mod eim;
pub mod orthonormal;
pub mod pod;

pub use columns::{Columns, Euclidean, InnerProduct};
pub use eim::Interpolation;
pub use orthonormal::Orthonormal;
pub use pod::{Algorithm, Pod, Truncation, pod};
