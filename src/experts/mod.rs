//! Experts as a constraint: the nearest state to a prediction that satisfies the discrete physics to
//! a chosen level. See `docs/theory/experts.md` for the formulas and what each level guarantees.
//!
//! | level | afterwards |
//! | --- | --- |
//! | `none` | nothing changes; violations are measured |
//! | `boundary` | essential conditions hold exactly; and known rows have their values |
//! | `conservation` | and the discrete residual vanishes against every gating function and component: each expert's balance of mass, heat or force |
//! | `residual` | like `boundary`, and every expert has made the residual of its own rows least, by itself: no balances, no known rows |
//! | `coupled` | like `conservation`, and against every function of the experts: Galerkin's equations on them |
//! | `exact` | and the discrete equations hold to the solver's tolerance |
mod adjoint;
mod balance;
mod conservation;
mod constraint;
mod coupled;
mod differences;
mod dual;
mod equations;
mod estimates;
mod exact;
mod functions;
mod gmres;
mod measure;
mod metric;
mod norm;
mod port_condition;
mod ports;
mod repair;
mod residual;
mod trajectory;
mod variance;
mod window_run;

pub use crate::deck::LeastSquares;
pub use crate::mixture::{CoarseModes, Gating};
pub use adjoint::Pullback;
pub use balance::KnownRow;
pub use constraint::{Constraint, ConstraintOptions};
pub use equations::Equations;
pub use estimates::{DualProduct, ErrorEstimate, Reference};
pub use port_condition::PortCondition;
pub use ports::{StepEquations, WindowPullback, WindowRepair};
pub use repair::Repair;
pub use trajectory::{Cotangents, Frames, StepRepair, Tape, TrajectoryPullback, by_repair, repair_step};
pub use window_run::{WindowRun, WindowRunPullback};
