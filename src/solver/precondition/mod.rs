//! Preconditioners, and when they are built anew.
mod kept_interpolation;
mod p_multigrid;
mod refresh;
mod restricted;
mod schwarz;

pub(crate) use kept_interpolation::KeptInterpolation;
pub use p_multigrid::PMultigrid;
pub(crate) use refresh::{Age, Sample};
pub use restricted::RestrictedSchwarz;
pub use schwarz::Schwarz;
pub(crate) use schwarz::of_experts;
