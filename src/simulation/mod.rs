//! The problems of a deck on one mesh: solved in their order or in time, with their fields, quantities and balances.
mod balance;
mod evolution;
mod extremes;
mod fields;
mod functional;
mod initial;
mod placement;
mod problems;
pub mod quantities;
mod run;
mod solver;
mod stage;
mod step;
mod stepper;
mod stepping;
mod support;

pub use balance::Balance;
pub use evolution::{Attempt, EquationSolve, Evolution, Progress, Systems, step_control};
pub use extremes::Extreme;
pub use fields::FieldInfo;
pub use problems::Simulation;
pub use run::{Observer, Run, Wishes};
pub use solver::{StageSolver, System};
pub use stage::{Stage, Workplace};
pub use step::Step;
pub use stepper::{Newton, Stepper};
