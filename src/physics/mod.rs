//! Models: weak forms, coefficients, derived fields and quantities of interest.
pub mod build;
mod build_equation;
mod check;
pub mod coefficient;
pub mod derived;
pub mod equation;
pub mod exchange;
mod file_field;
mod inner;
mod internal;
pub mod mass;
mod problem;
pub mod quantity;

pub use coefficient::Context;
pub use equation::{Equation, FormState};
pub use problem::{Condition, Group, Integral, Model, Place, Problem};
pub use tessera_kernels::models::{
    advection_diffusion, burgers, diffusion, diffusion_sorption, elasticity, helmholtz, navier_stokes,
    porous_medium, transient_diffusion, viscoplasticity,
};
