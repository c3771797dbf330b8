//! Lengths of time steps.
use crate::Result;
use crate::memory::{Entry, Kept, Memory};

/// Chooses steps so that the estimated local error stays below a tolerance, and meets given times exactly.
#[derive(Debug, Clone)]
pub struct StepControl {
    /// Relative local error aimed at; `None` for steps that are known beforehand.
    pub tolerance: Option<f64>,
    /// Without a tolerance, the factor from one step to the next until the longest; 1 for steps of one length.
    pub growth: f64,
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
        } else if left < 2.0 * step && (self.tolerance.is_some() || self.growth > 1.0) {
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
            // Steps of one length go back to it after a failed solve.
            let factor = if self.growth > 1.0 { self.growth } else { 2.0 };
            self.step = (factor * self.step).min(self.longest);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(mut control: StepControl, stops: &[f64]) -> Vec<f64> {
        let mut now = 0.0;
        let step = || {
            (now < stops[stops.len() - 1] - 1e-9).then(|| {
                let dt = control.next(now, stops);
                now += dt;
                assert!(control.accepts(None, dt));
                dt
            })
        };
        std::iter::from_fn(step).collect()
    }

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        found.iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-12, "{found:?}"));
    }

    #[test]
    fn steps_grow_up_to_the_longest_and_end_at_stops() {
        let control =
            StepControl { tolerance: None, growth: 2.0, order: 1, shortest: 1e-6, longest: 0.5, step: 0.1 };
        // 0.1 + 0.2 + 0.4 = 0.7; then the longest, up to 1.2; of the 0.8 left two halves.
        close(&lengths(control.clone(), &[2.0]), &[0.1, 0.2, 0.4, 0.5, 0.4, 0.4]);
        // A step that a stop shortens does not make the next ones short: those after 0.15 and 0.2 have lengths of their own.
        close(&lengths(control.clone(), &[0.15, 0.2, 1.0]), &[0.075, 0.075, 0.05, 0.4, 0.4]);
        let equal = StepControl { growth: 1.0, longest: 0.1, ..control };
        close(&lengths(equal, &[0.25]), &[0.1, 0.1, 0.05]);
    }

    #[test]
    fn after_a_failed_solve_equal_steps_return_and_growing_ones_grow_on() {
        let control =
            StepControl { tolerance: None, growth: 1.0, order: 1, shortest: 1e-6, longest: 0.4, step: 0.4 };
        for (growth, expected) in [(1.0, [0.1, 0.2, 0.4, 0.4]), (1.5, [0.1, 0.15, 0.225, 0.3375])] {
            let mut control = StepControl { growth, ..control.clone() };
            assert!(control.cut(0.4));
            for expected in expected {
                let dt = control.next(0.0, &[10.0]);
                assert!((dt - expected).abs() < 1e-12, "{dt} {expected}");
                control.accepts(None, dt);
            }
        }
    }
}
