//! Steps in time, and their lengths.
mod integrator;
mod scheme;
mod step_control;

pub use integrator::{Flow, TimeIntegrator, Trial};
pub use step_control::StepControl;
