//! Nonlinear systems: Newton's method and what helps it.
mod continuation;
mod linear_form;
mod newton;
mod outside;
mod recycling;
mod system;
mod tuned;

pub use newton::{FormParts, NewtonOutcome, NewtonSolver};
pub use recycling::NewtonRecycling;
