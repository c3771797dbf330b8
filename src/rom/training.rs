//! The parameters that a reduced model is trained at.

/// Parameters that the expansion is found with and checked on.
#[derive(Debug, Clone)]
pub struct Training {
    /// The parameters X is assembled at.
    pub reference: Vec<f64>,
    /// Parameters to interpolate over.
    pub training: Vec<Vec<f64>>,
    /// Other parameters, to check with.
    pub test: Vec<Vec<f64>>,
}
