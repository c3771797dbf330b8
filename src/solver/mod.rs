//! Solvers: linear systems, nonlinear systems, steps in time.
mod energy;
mod flow;
pub(crate) mod linear;
mod nonlinear;
mod precondition;
mod recycle;
mod support;
mod time;
pub mod tuning;

pub use energy::{FactorisedEnergy, StateProduct, flow_product, symmetric_part};
pub use linear::{Cholesky, LinearSolver, Outcome};
pub use nonlinear::{FormParts, NewtonOutcome, NewtonRecycling, NewtonSolver};
pub(crate) use precondition::of_experts;
pub use precondition::{PMultigrid, RestrictedSchwarz, Schwarz};
pub use recycle::{Method as RecycleMethod, Recycler, Solved};
pub(crate) use support::{Pieces, Support};
pub use time::{
    Earlier, Flow, StepControl, StepEquation, StepSolve, Term, TimeIntegrator, TimeSystem, Trial, by_newton,
};
