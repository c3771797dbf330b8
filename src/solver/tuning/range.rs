//! The scale of losses: bandits want them between 0 and 1.
use serde::{Deserialize, Serialize};

/// Least and greatest loss, given or seen so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LossRange {
    bounds: Option<[f64; 2]>,
    fixed: bool,
}

impl LossRange {
    /// Losses known to lie in a range.
    pub fn fixed(low: f64, high: f64) -> Self {
        Self { bounds: Some([low, high]), fixed: true }
    }

    /// The range of the losses seen.
    pub fn seen() -> Self {
        Self { bounds: None, fixed: false }
    }

    /// Takes note of a loss.
    pub fn include(&mut self, loss: f64) {
        if !self.fixed {
            let [low, high] = self.bounds.unwrap_or([loss, loss]);
            self.bounds = Some([low.min(loss), high.max(loss)]);
        }
    }

    /// Least loss, and the factor that takes the width of the range to one (zero while there is no width).
    pub fn origin_and_factor(&self) -> (f64, f64) {
        match self.bounds {
            Some([low, high]) if high > low => (low, 1.0 / (high - low)),
            _ => (0.0, 0.0),
        }
    }
}
