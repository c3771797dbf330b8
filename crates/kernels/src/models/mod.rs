//! The models: what each says at a quadrature point, one file a model.
//!
//! A model's file states its equation, the forms in volume and on the boundary with their coefficients in order, and the
//! kernels of those forms by dimension, and as [`Model`] what decks, files and solvers know of it: its inputs with units and
//! signs, its conditions, its derived fields. One line in [`MODELS`] is all that the program needs besides.
pub mod advection_diffusion;
pub mod burgers;
pub mod diffusion;
pub mod diffusion_sorption;
pub mod elasticity;
pub mod helmholtz;
pub mod navier_stokes;
pub mod porous_medium;
pub mod reaction_diffusion;
pub mod scalar;
pub mod solid;
pub mod viscoplasticity;

use crate::model::Model;

/// The models, in the order of the reference.
pub const MODELS: &[&Model] = &[
    &diffusion::MODEL,
    &elasticity::MODEL,
    &advection_diffusion::MODEL,
    &burgers::MODEL,
    &diffusion_sorption::MODEL,
    &porous_medium::MODEL,
    &navier_stokes::MODEL,
    &helmholtz::MODEL,
    &viscoplasticity::MODEL,
    &reaction_diffusion::MODEL,
];
