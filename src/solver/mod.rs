//! Solving: linear systems, and the chain of problems that a deck describes.
mod coarse;
mod continuation;
mod fields;
mod flow;
mod gating;
mod linear;
mod newton;
mod options;
mod p_multigrid;
mod random;
mod schur;
mod schwarz;
mod simulation;
mod step_control;
mod time;

pub use coarse::{Coarse, CoarseModes, coarse_space};
pub(crate) use coarse::{direct, finished};
pub use fields::FieldInfo;
pub use gating::Gating;
pub use linear::{LinearSolver, Outcome, rigid_body_modes};
pub use newton::{NewtonOutcome, NewtonSolver};
pub use p_multigrid::PMultigrid;
pub use random::RandomFields;
pub use schwarz::{Schwarz, SchwarzOptions};
pub use simulation::{Simulation, Stage, StageSolver};
pub use step_control::StepControl;
pub use time::{Flow, TimeIntegrator, Trial};
