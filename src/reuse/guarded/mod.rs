//! Guarded runs in time: every step is first solved on the solutions so far, its residual is checked on the whole mesh, and
//! only a step that fails is solved in full, which enlarges the basis. Nothing is trained beforehand. See
//! `docs/theory/guarded.md`.
mod problem;
mod reduced;
mod stepper;

pub use problem::Counts;
pub use stepper::{Guard, GuardOptions};
