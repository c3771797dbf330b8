//! Linear systems: their solver, its defaults and its options.
mod cholesky;
pub(crate) mod defaults;
mod options;
mod system;

pub use cholesky::Cholesky;
pub(crate) use options::OwnOptions;
pub use system::{LinearSolver, Outcome};
