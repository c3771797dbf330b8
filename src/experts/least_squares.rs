//! What the experts' least squares are made of.

/// The objective of level `residual`: of each expert `1/2 |W r|^2 + ridge/2 |w|^2` over its own rows.
#[derive(Debug, Clone, PartialEq)]
pub struct LeastSquares {
    /// The price of the coefficients, in the unit of the objective; 0 for none.
    pub ridge: f64,
    /// Of each component, the size of a residual (per volume) that counts as 1, in the unit of the load; 1 for all if empty.
    /// Where the equations of the components have different units, what is least depends on it.
    pub scales: Vec<f64>,
    /// The share of the rows that count, each with one over it as the weight: drawn for each node by its canonical number,
    /// and so the same on any number of ranks.
    pub fraction: f64,
    /// The seed of that draw.
    pub seed: u64,
}

impl Default for LeastSquares {
    fn default() -> Self {
        Self { ridge: 0.0, scales: Vec::new(), fraction: 1.0, seed: 0 }
    }
}
