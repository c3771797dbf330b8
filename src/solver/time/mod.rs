//! Steps in time, and their lengths.
mod equation;
mod integrator;
mod scheme;
mod step_control;
mod system;

pub use equation::{Earlier, StepEquation, StepSolve, Term, by_newton};
pub use integrator::{Flow, TimeIntegrator, Trial};
pub use step_control::StepControl;
pub use system::TimeSystem;
