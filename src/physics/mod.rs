//! Models: weak forms, coefficients, derived fields and quantities of interest.
pub mod build;
mod builder;
mod check;
pub mod coefficient;
mod conditions;
pub mod derived;
pub mod exchange;
pub mod file_field;
mod inner;
pub mod interface;
mod internal;
mod internal_adjoint;
pub mod mass;
mod operator;
pub mod points;
mod problem;
mod product;
mod quantity;
mod rotation;
mod source;
mod sweep;

pub use coefficient::Context;
pub use operator::{At, Evaluated, FormState, Prepared};
pub use problem::{Condition, Equation, Group, Integral, Names, Place, Problem, Term};
pub use product::Side;
pub use tessera_kernels::models::{
    advection_diffusion, burgers, diffusion, diffusion_sorption, elasticity, helmholtz, navier_stokes,
    porous_medium, viscoplasticity,
};
