//! Reduced models whose integrals are sums over few sampled points: hyper-reduction by empirical cubature.
mod active_set;
pub mod nnls;

pub use nnls::{DistributedColumns, Rule, nnls};
