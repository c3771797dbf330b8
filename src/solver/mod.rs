//! Solving: linear systems, and the chain of problems that a deck describes.
mod fields;
mod linear;
mod simulation;

pub use fields::FieldInfo;
pub use linear::{LinearSolver, Outcome, rigid_body_modes};
pub use simulation::{Simulation, Stage};
