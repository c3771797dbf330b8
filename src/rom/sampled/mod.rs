//! Reduced models of nonlinear problems and of problems in time: Galerkin projection on modes, integrals by few sampled points
//! with non-negative weights.
mod data;
mod model;
mod points;
mod system;

pub use data::{ProblemData, ValuesAt};
pub use model::{Moment, Prediction, SampledModel};
pub use points::{Chosen, NO_FACET};
pub use system::ReducedProblem;
