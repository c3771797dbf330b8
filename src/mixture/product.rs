//! What measures columns.
use crate::Result;

/// A symmetric positive definite matrix that measures columns.
pub trait InnerProduct {
    /// `y = X x` on this rank's rows. Collective.
    fn apply(&self, x: &[f64], y: &mut [f64]) -> Result<()>;
}

/// The plain scalar product.
pub struct Euclidean;

impl InnerProduct for Euclidean {
    fn apply(&self, x: &[f64], y: &mut [f64]) -> Result<()> {
        y.copy_from_slice(x);
        Ok(())
    }
}
