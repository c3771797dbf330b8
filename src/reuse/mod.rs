//! What earlier solves lend to the next one: first guesses from their solutions, and the operators that these need.
mod basis;
mod guarded;
mod intake;
mod least_residual;
mod operator;
mod stage;

pub use basis::SolutionBasis;
pub use guarded::{Counts, Guard, GuardOptions};
pub(crate) use intake::is_harmless;
pub use least_residual::LeastResidual;
pub use operator::AffineOperator;
pub use stage::{Effort, StageMemory};
