//! Lengths of time steps.
use crate::Result;
use crate::memory::{Entry, Kept, Memory};

/// Chooses steps so that the estimated local error stays below a tolerance, and meets given times exactly.
#[derive(Debug, Clone)]
pub struct StepControl {
    /// Relative local error aimed at; `None` for steps of one length.
    pub tolerance: Option<f64>,
    /// See [`crate::deck::TimeScheme::order_of_estimate`].
    pub order: usize,
    /// Shortest step, s: below it the run fails.
    pub shortest: f64,
    /// Longest step, s.
    pub longest: f64,
    /// The step that accuracy asks for, s.
    pub step: f64,
}

impl StepControl {
    /// The next step from `time`, so that no time of the ascending list `stops` is passed over.
    pub fn next(&self, time: f64, stops: &[f64]) -> f64 {
        let step = self.step.min(self.longest);
        let slack = 1e-9 * step;
        let Some(stop) = stops.iter().find(|&&stop| stop > time + slack) else { return step };
        let left = stop - time;
        if left <= step + slack {
            left
        } else if left < 2.0 * step && self.tolerance.is_some() {
            // Two equal steps rather than a long and a short one.
            left / 2.0
        } else {
            step
        }
    }

    /// Whether a step of this length may still be shortened.
    pub fn is_shortest(&self, dt: f64) -> bool {
        dt <= self.shortest * (1.0 + 1e-9)
    }

    /// Judges a step of length `dt` and sets the next length. Hairer and Wanner, *Solving Ordinary
    /// Differential Equations II*, section IV.8.
    pub fn accepts(&mut self, error: Option<f64>, dt: f64) -> bool {
        let Some(tolerance) = self.tolerance else {
            // After a failed solve, back to the length asked for.
            self.step = (2.0 * self.step).min(self.longest);
            return true;
        };
        let Some(error) = error else { return true };
        let ratio = error / tolerance;
        let factor = 0.9 * ratio.max(1e-10).powf(-1.0 / (self.order + 1) as f64);
        let accepted = ratio <= 1.0;
        // A step cut short by a stop does not make the step forget its length.
        if !accepted || dt > 0.5 * self.step || factor < 1.0 {
            self.step = (dt * factor.clamp(0.2, 2.0)).clamp(self.shortest, self.longest);
        }
        accepted
    }

    /// Shortens the step after a failed solve; `false` when it is too short already.
    pub fn cut(&mut self, dt: f64) -> bool {
        self.step = dt / 4.0;
        self.step >= self.shortest
    }
}

impl Memory for StepControl {
    fn remembered(&self) -> Vec<Entry<'_>> {
        vec![Entry::numbers("next_step", [self.step])]
    }

    fn restore(&mut self, kept: &dyn Kept) -> Result<()> {
        self.step = kept.number("next_step")?.max(self.shortest);
        Ok(())
    }
}
