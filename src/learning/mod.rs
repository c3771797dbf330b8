//! Functions that experts learn from the equations alone.
//!
//! A network gives the experts functions `Phi(x; mu)` that depend on the sample. The field is the one that the level
//! `coupled` finds on them, and the residual that it leaves is what training makes small: no solution is needed. The
//! derivatives go back through the level to the functions, and through the network to its weights. See
//! `docs/theory/learning.md`.
mod basis;
mod errors;
mod residual;
mod state;
mod training;

pub use basis::LearnedBasis;
pub use errors::{errors, relative_error};
pub use residual::{Coupled, ResidualLoss};
pub use state::{Look, State, read_network, read_state};
pub use training::Training;

use crate::Error;

/// What is wrong with a network is a fault of the program or of its numbers.
fn failed(error: tessera_network::Error) -> Error {
    Error::Failed(format!("network: {error}"))
}
