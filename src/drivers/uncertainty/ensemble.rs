//! What statistics are made of, and what they are.
use super::trained::Trained;
use crate::Result;
use crate::parallel::Comm;
use crate::physics::Context;
use crate::simulation::Simulation;
use crate::uncertainty::{Index, Mean, Quantile};

/// A model of the quantities of interest, and what it is a model of.
pub trait Models {
    /// The problem on its mesh.
    fn simulation(&self) -> &Simulation;
    /// The model's quantities at each of some points, on every rank, then bounds of their errors, which are no numbers where
    /// none are known. Collective.
    fn reduced(&mut self, points: &[Context]) -> Result<Vec<[Vec<f64>; 2]>>;
    /// Those of the full model at a point. Collective.
    fn full(&mut self, point: &[f64]) -> Result<Vec<f64>>;
}

/// What is known of the model's errors.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    /// Bounds that are proven, one for each sample.
    Proven(Vec<f64>),
    /// Estimates that are no bounds for sure.
    Estimate(Vec<f64>),
    /// Bounds of which each holds with this probability.
    Calibrated(Vec<f64>, f64),
    /// Nothing.
    Unknown,
}

impl Bound {
    pub fn values(&self) -> Option<&[f64]> {
        match self {
            Self::Proven(values) | Self::Estimate(values) | Self::Calibrated(values, _) => Some(values),
            Self::Unknown => None,
        }
    }

    /// In a word, and what this makes of brackets.
    pub fn words(&self) -> (&'static str, String) {
        match self {
            Self::Proven(_) => ("bounded", "bounds of the model's error are part of the brackets".into()),
            Self::Estimate(_) => {
                ("estimated", "estimates of the model's error are part of the brackets".into())
            }
            Self::Calibrated(_, level) => (
                "calibrated",
                format!(
                    "bounds of the model's error, each of which holds with a probability of {level}, are part of the brackets"
                ),
            ),
            Self::Unknown => {
                ("not known", "the model's error is not known and no part of the brackets".into())
            }
        }
    }
}

/// Independent draws and what the model predicts there.
pub struct Ensemble<'a> {
    /// All ranks.
    pub comm: &'a Comm,
    /// The draws: full parameter vectors.
    pub points: &'a [Vec<f64>],
    /// Their seed.
    pub seed: u64,
    /// Quantities of interest, by draw.
    pub values: Vec<&'a [f64]>,
    /// What is known of the errors, by quantity.
    pub bounds: Vec<Bound>,
    /// The samples that the model was trained on, where that is known.
    pub trained: Option<Trained>,
}

/// What was found out about one quantity.
pub struct Found {
    pub quantiles: Vec<Quantile>,
    pub mean: Mean,
    pub indices: Option<Vec<Index>>,
}
