//! Fields as sums over experts, and bases of fields: gating functions and local functions as one [`Mixture`], columns
//! that are distributed by rows, inner products, orthonormal bases, and projections of equations on all of them.
pub mod bases;
pub(crate) mod block;
mod boxes;
mod columns;
mod gating;
mod local_product;
#[expect(clippy::module_inception, reason = "the folder's one noun")]
mod mixture;
mod modes;
pub mod orthonormal;
pub mod pod;
mod product;
mod projection;
mod reach;
mod sketch;
mod small;
mod stream;
mod subdomains;

pub(crate) use block::dot;
pub use columns::Columns;
pub use gating::Gating;
pub use local_product::LocalProduct;
pub use mixture::Mixture;
pub(crate) use mixture::spread;
pub use modes::{CoarseModes, rigid_body_modes};
pub use orthonormal::Orthonormal;
pub use pod::{Algorithm, Pod, Truncation, pod};
pub use product::{Euclidean, Form, InSteps, InnerProduct, MatrixProduct};
pub use projection::Projection;
pub(crate) use projection::{INNER_FAILURE, factorised_small, finished, unfinished};
pub(crate) use sketch::{coupled, sketch};
pub(crate) use small::{bordered, eigen, solve as solve_small, whiten};
pub use stream::PodStream;
pub use subdomains::{Part, Subdomains};
