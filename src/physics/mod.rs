//! Models: weak forms, coefficients, derived fields and quantities of interest.
pub mod advection_diffusion;
pub mod build;
mod build_equation;
pub mod burgers;
mod check;
pub mod coefficient;
pub mod derived;
pub mod diffusion;
pub mod diffusion_sorption;
pub mod elasticity;
pub mod equation;
mod file_field;
pub mod helmholtz;
mod internal;
pub mod mass;
pub mod navier_stokes;
pub mod porous_medium;
mod problem;
pub mod quantity;
pub mod transient_diffusion;
pub mod viscoplasticity;

pub use coefficient::Context;
pub use equation::{Equation, FormState};
pub use problem::{Condition, Group, Integral, Model, Place, Problem};
