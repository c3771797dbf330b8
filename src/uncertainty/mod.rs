//! What uncertain parameters make of quantities of interest: quantiles, means and Sobol indices of independent draws, each with
//! the error that comes from their number, and with that of the model they were computed with.
mod indices;
mod mean;
mod quantiles;

pub use indices::{Index, Pick, sobol_indices};
pub use mean::{Correction, Mean, Pairs, corrected_mean, mean};
pub use quantiles::{Quantile, order_bracket, quantiles};

/// How often brackets hold what they are brackets of.
pub const CONFIDENCE: f64 = 0.95;
