//! Fields as sums over experts, and bases of fields: gating functions, coarse spaces, columns that are distributed by rows,
//! inner products and orthonormal bases.
mod block;
mod columns;
mod galerkin;
mod gating;
mod modes;
pub mod orthonormal;
pub mod pod;
mod product;
mod rigid_body;
mod space;

pub(crate) use block::{all, combine, negative, products};
pub use columns::Columns;
pub(crate) use columns::dot;
pub use galerkin::Coarse;
pub(crate) use galerkin::{direct, finished};
pub use gating::Gating;
pub use modes::CoarseModes;
pub use orthonormal::Orthonormal;
pub use pod::{Algorithm, Pod, Truncation, pod};
pub use product::{Euclidean, InnerProduct};
pub use rigid_body::rigid_body_modes;
pub use space::coarse_space;
