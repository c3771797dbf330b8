//! Functions that experts learn from the equations alone.
//!
//! A network gives the experts functions `Phi(x; mu)` that depend on the sample. The field is the one that the level
//! `coupled` finds on them, and the residual that it leaves is what training makes small: no solution is needed. The
//! derivatives go back through the level to the functions, and through the network to its weights. In time the level is that
//! of every step, and derivatives go back through all steps as well. See
//! `docs/theory/learning.md`.
mod basis;
mod errors;
mod in_time;
mod loss;
mod residual;
mod run_errors;
mod state;
mod steps;
mod training;

pub use basis::LearnedBasis;
pub use errors::{errors, relative_error};
pub use in_time::{CoupledRun, StepLoss};
pub use residual::{Coupled, ResidualLoss};
pub use run_errors::{RunError, for_prediction, product, run_error, run_errors};
pub use state::{Look, State, read_network, read_state};
pub use steps::trained as trained_steps;
pub use training::Training;

use crate::Error;

/// What is wrong with a network is a fault of the program or of its numbers.
fn failed(error: tessera_network::Error) -> Error {
    Error::Failed(format!("network: {error}"))
}
