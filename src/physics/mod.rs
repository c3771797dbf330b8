//! Models: weak forms, coefficients, derived fields and quantities of interest.
pub mod build;
mod check;
pub mod coefficient;
pub mod derived;
pub mod diffusion;
pub mod elasticity;
mod file_field;
pub mod mass;
mod problem;
pub mod quantity;

pub use coefficient::Context;
pub use problem::{Condition, Group, Integral, Model, Place, Problem};
