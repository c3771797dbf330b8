//! Linear systems: their solver, its defaults and its options.
pub(crate) mod defaults;
mod options;
mod system;

pub(crate) use options::OwnOptions;
pub use system::{LinearSolver, Outcome};
