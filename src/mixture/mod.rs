//! Fields as sums over experts, and bases of fields: gating functions and local functions as one [`Mixture`], columns that
//! are distributed by rows, inner products, orthonormal bases, and projections of equations on all of them.
pub(crate) mod block;
mod columns;
mod gating;
#[expect(clippy::module_inception, reason = "the folder's one noun")]
mod mixture;
mod modes;
pub mod orthonormal;
pub mod pod;
mod product;
mod projection;
mod rigid_body;
mod sketch;
mod small;

pub(crate) use block::dot;
pub use columns::Columns;
pub(crate) use columns::sum_matrix;
pub use gating::Gating;
pub use mixture::{Mixture, Parts};
pub use modes::CoarseModes;
pub use orthonormal::Orthonormal;
pub use pod::{Algorithm, Pod, Truncation, pod};
pub use product::{Euclidean, InnerProduct, MatrixProduct};
pub use projection::Projection;
pub(crate) use projection::finished;
pub use rigid_body::rigid_body_modes;
pub(crate) use sketch::{coupled, sketch};
pub(crate) use small::{solve as solve_small, whiten};
