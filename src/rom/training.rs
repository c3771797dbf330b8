//! The parameters that a reduced model is trained at.
use crate::physics::Context;

/// Parameters, and times of problems in time, that the expansion is found with and checked on.
#[derive(Debug, Clone)]
pub struct Training {
    /// Where X is assembled.
    pub reference: Context,
    /// What to interpolate over.
    pub training: Vec<Context>,
    /// Others, to check with.
    pub test: Vec<Context>,
}

impl Training {
    /// Of steady problems, from parameters.
    pub fn steady(reference: Vec<f64>, training: Vec<Vec<f64>>, test: Vec<Vec<f64>>) -> Self {
        let all = |list: Vec<Vec<f64>>| list.into_iter().map(Context::steady).collect();
        Self { reference: Context::steady(reference), training: all(training), test: all(test) }
    }
}
