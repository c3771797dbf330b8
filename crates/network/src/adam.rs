//! Adam, with schedules of its rate and a limit to the gradient.
use crate::error::{Error, Result, check};

/// How the rate of learning changes from step to step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Schedule {
    /// It does not.
    Constant,
    /// Half a cosine from the first step to 0 after so many (Loshchilov and Hutter, ICLR 2017, without restarts).
    Cosine {
        /// Steps until 0.
        steps: u64,
    },
    /// Halved after every so many steps.
    Halving {
        /// Steps of one rate.
        every: u64,
    },
}

/// Settings of [`Adam`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamOptions {
    /// The rate of the first step: about the change of a parameter in a step.
    pub rate: f64,
    /// What becomes of the rate.
    pub schedule: Schedule,
    /// Share of the mean of the gradient that is kept from step to step.
    pub first: f64,
    /// Share of the mean of the gradient's squares that is kept.
    pub second: f64,
    /// Added to the root of that mean.
    pub epsilon: f64,
    /// Longer gradients (Euclidean norm) are scaled to this length.
    pub clip: Option<f64>,
}

impl Default for AdamOptions {
    fn default() -> Self {
        let schedule = Schedule::Constant;
        Self { rate: 1e-3, schedule, first: 0.9, second: 0.999, epsilon: 1e-8, clip: None }
    }
}

/// What Adam remembers: saved and given back, steps go on to the same bits.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamState {
    /// Steps done.
    pub step: u64,
    /// Mean of the gradients, one number a parameter.
    pub first: Vec<f64>,
    /// Mean of their squares.
    pub second: Vec<f64>,
}

/// Adam with correction of its means' start from 0: Kingma and Ba, ICLR 2015 (arXiv 1412.6980), algorithm 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Adam {
    options: AdamOptions,
    state: AdamState,
}

impl Adam {
    /// For so many parameters.
    ///
    /// # Errors
    /// When a setting is out of its range.
    pub fn new(options: AdamOptions, parameters: usize) -> Result<Self> {
        let state = AdamState { step: 0, first: vec![0.0; parameters], second: vec![0.0; parameters] };
        Self::resume(options, state)
    }

    /// Going on from a state.
    ///
    /// # Errors
    /// When a setting is out of its range, or the means are not of as many parameters.
    pub fn resume(options: AdamOptions, state: AdamState) -> Result<Self> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let share = |x: f64| (0.0..1.0).contains(&x);
        let length = match options.schedule {
            Schedule::Constant => 1,
            Schedule::Cosine { steps } => steps,
            Schedule::Halving { every } => every,
        };
        for (key, value, right, expected) in [
            ("rate", options.rate, positive(options.rate), "a positive number"),
            ("first", options.first, share(options.first), "a number from 0 on and below 1"),
            ("second", options.second, share(options.second), "a number from 0 on and below 1"),
            ("epsilon", options.epsilon, positive(options.epsilon), "a positive number"),
            ("clip", options.clip.unwrap_or(1.0), options.clip.is_none_or(positive), "a positive number"),
            ("schedule", length as f64, length > 0, "one step at least"),
        ] {
            if !right {
                return Err(Error::Setting { key, value, expected });
            }
        }
        check("mean of the gradients' squares", state.second.len(), state.first.len())?;
        Ok(Self { options, state })
    }

    /// What to save.
    pub fn state(&self) -> &AdamState {
        &self.state
    }

    /// The settings.
    pub fn options(&self) -> &AdamOptions {
        &self.options
    }

    /// The rate of the next step.
    pub fn rate(&self) -> f64 {
        let (AdamOptions { rate, schedule, .. }, step) = (self.options, self.state.step);
        match schedule {
            Schedule::Constant => rate,
            Schedule::Cosine { steps } => {
                let part = step.min(steps) as f64 / steps as f64;
                // libm: the same bits on every machine.
                0.5 * rate * (1.0 + libm::cos(std::f64::consts::PI * part))
            }
            Schedule::Halving { every } => rate * libm::exp2(-((step / every) as f64)),
        }
    }

    /// One step against the gradient, whose norm is returned.
    ///
    /// # Errors
    /// When an array has another length, or the gradient is not finite; the parameters are then as before.
    pub fn step(&mut self, parameters: &mut [f64], gradient: &[f64]) -> Result<f64> {
        check("parameters", parameters.len(), self.state.first.len())?;
        check("gradient", gradient.len(), self.state.first.len())?;
        let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        if !norm.is_finite() {
            return Err(Error::NotFinite { step: self.state.step + 1 });
        }
        let shorter = self.options.clip.map_or(1.0, |most| if norm > most { most / norm } else { 1.0 });
        let rate = self.rate();
        let AdamOptions { first: b1, second: b2, epsilon, .. } = self.options;
        let AdamState { step, first, second } = &mut self.state;
        *step += 1;
        let [whole1, whole2] = [b1, b2].map(|b| 1.0 - libm::pow(b, *step as f64));
        let means = first.iter_mut().zip(second);
        for ((parameter, gradient), (m, v)) in parameters.iter_mut().zip(gradient).zip(means) {
            let g = shorter * gradient;
            *m = b1 * *m + (1.0 - b1) * g;
            *v = b2 * *v + (1.0 - b2) * g * g;
            *parameter -= rate * (*m / whole1) / ((*v / whole2).sqrt() + epsilon);
        }
        Ok(norm)
    }
}
