//! Tuning of solvers by bandits: which of some settings ("arms") serves the next system best is learnt from what the
//! earlier ones cost.
//!
//! [`TsallisInf`] approaches the best fixed arm, whether costs are random or change in any way; [`ChebyshevBandit`]
//! predicts the cost from what is known of a system, such as parameters or time, and approaches the best arm of each.
//! A [`Tuner`] draws from either and keeps the record. What it costs a solve, a few hundred operations an arm, does not
//! depend on the mesh.
mod chebyshev;
mod choice;
mod linear;
mod range;
mod tsallis;
mod tuner;

pub use chebyshev::ChebyshevBandit;
pub use choice::{TRIES, Tuning};
pub use linear::TunedSolver;
pub(in crate::solver) use linear::{iterative, with_arm};
pub use range::LossRange;
pub use tsallis::{Estimator, TsallisInf};
pub use tuner::{Bandit, Summary, Tuner};
