//! The problems of a deck on one mesh: solved in their order or in time, with their fields, quantities and balances.
mod balance;
mod evolution;
mod fields;
mod placement;
mod problems;
mod quantities;
mod stage;
mod support;

pub use balance::Balance;
pub use evolution::{Evolution, Evolving, Progress, Step};
pub use fields::FieldInfo;
pub use problems::Simulation;
pub use stage::{Stage, StageSolver};
