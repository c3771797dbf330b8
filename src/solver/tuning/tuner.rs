//! A bandit with its draws and its record.
use super::chebyshev::ChebyshevBandit;
use super::tsallis::TsallisInf;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A bandit of either kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Bandit {
    /// For losses that nothing is known about.
    Tsallis(TsallisInf),
    /// For losses that depend on a context.
    Chebyshev(ChebyshevBandit),
}

/// Chooses an arm for one system after the other. All its state is in the record (a draw depends on the seed and its
/// number only), so that one that is stored and read again goes on with the same choices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tuner {
    seed: u64,
    bandit: Bandit,
    /// Number of draws.
    rounds: u64,
    total: f64,
    arms: Vec<Record>,
    /// With an oracle: the least losses of all rounds together.
    least: f64,
    pending: Option<Pending>,
}

/// What is known of one arm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Record {
    rounds: u64,
    /// Sums of `1 / p` and `loss / p` over the rounds that drew it.
    weight: f64,
    loss: f64,
    /// With an oracle: all its losses together.
    exact: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Pending {
    context: Vec<f64>,
    arm: usize,
    probability: f64,
}

/// How a tuner fared.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Number of systems.
    pub rounds: u64,
    /// Mean loss.
    pub mean: f64,
    /// For every arm how often it was drawn and its mean loss: exact with an oracle, otherwise an estimate from the rounds
    /// that drew it, weighted by how unlikely that was; not a number if none did.
    pub arms: Vec<(u64, f64)>,
    /// With an oracle: the mean of the least losses.
    pub optimum: Option<f64>,
}

impl Tuner {
    /// A tuner of `arms` arms that draws from a bandit.
    pub fn new(seed: u64, arms: usize, bandit: Bandit) -> Self {
        let arms = vec![Record::default(); arms];
        Self { seed, bandit, rounds: 0, total: 0.0, arms, least: 0.0, pending: None }
    }

    /// The arm for the next system, of which `context` is known (ignored by a bandit without contexts).
    pub fn choose(&mut self, context: &[f64]) -> usize {
        let probabilities = match &self.bandit {
            Bandit::Tsallis(bandit) => bandit.probabilities(),
            Bandit::Chebyshev(bandit) => bandit.probabilities(context),
        };
        // One stream of numbers a round: no generator to store.
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(self.rounds);
        let arm = pick(&probabilities, random.random());
        self.pending = Some(Pending { context: context.to_vec(), arm, probability: probabilities[arm] });
        arm
    }

    /// Replaces the choice that waits for its loss.
    pub fn force(&mut self, arm: usize) {
        if self.pending() == Some(arm) {
            return;
        }
        let Some(pending) = self.pending.take() else { return };
        let probabilities = match &self.bandit {
            Bandit::Tsallis(bandit) => bandit.probabilities(),
            Bandit::Chebyshev(bandit) => bandit.probabilities(&pending.context),
        };
        self.pending = Some(Pending { arm, probability: probabilities[arm], ..pending });
    }

    /// The choice that waits for its loss.
    pub fn pending(&self) -> Option<usize> {
        self.pending.as_ref().map(|p| p.arm)
    }

    /// Learns the loss of the arm chosen last, in any unit; `all` losses of the round when all arms were tried.
    pub fn learn(&mut self, loss: f64, all: Option<&[f64]>) {
        let Some(Pending { context, arm, probability }) = self.pending.take() else { return };
        match &mut self.bandit {
            Bandit::Tsallis(bandit) => bandit.update(arm, loss),
            Bandit::Chebyshev(bandit) => bandit.update(&context, arm, loss),
        }
        self.rounds += 1;
        self.total += loss;
        let record = &mut self.arms[arm];
        record.rounds += 1;
        record.weight += 1.0 / probability;
        record.loss += loss / probability;
        if let Some(all) = all {
            self.arms.iter_mut().zip(all).for_each(|(record, loss)| record.exact += loss);
            self.least += all.iter().copied().fold(f64::INFINITY, f64::min);
        }
    }

    /// How it fared; `oracle` when every round has had all losses.
    pub fn summary(&self, oracle: bool) -> Summary {
        let rounds = self.rounds as f64;
        let mean = |r: &Record| if oracle { r.exact / rounds } else { r.loss / r.weight };
        Summary {
            rounds: self.rounds,
            mean: self.total / rounds,
            arms: self.arms.iter().map(|r| (r.rounds, mean(r))).collect(),
            optimum: oracle.then(|| self.least / rounds),
        }
    }
}

impl Summary {
    /// The arm of least mean loss and that loss.
    pub fn best(&self) -> Option<(usize, f64)> {
        let known = self.arms.iter().enumerate().filter(|(_, arm)| arm.1.is_finite());
        known.map(|(i, arm)| (i, arm.1)).min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// The arm that a number in [0, 1) falls on.
pub(super) fn pick(probabilities: &[f64], number: f64) -> usize {
    let mut sum = 0.0;
    for (arm, p) in probabilities.iter().enumerate() {
        sum += p;
        if number < sum {
            return arm;
        }
    }
    // Round-off leaves the sum just below one.
    probabilities.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solver::tuning::range::LossRange;
    use crate::solver::tuning::tsallis::Estimator;

    fn tuners() -> [Tuner; 2] {
        let tsallis = TsallisInf::new(3, Estimator::ReducedVariance, LossRange::seen());
        let chebyshev = ChebyshevBandit::new(3, None, 1, 2, LossRange::seen());
        [Bandit::Tsallis(tsallis), Bandit::Chebyshev(chebyshev)].map(|bandit| Tuner::new(5, 3, bandit))
    }

    fn loss(arm: usize, t: usize) -> f64 {
        [30.0, 20.0, 25.0][arm] + (t % 4) as f64
    }

    #[test]
    fn a_stored_tuner_goes_on_with_the_same_choices() {
        for tuner in tuners() {
            let context = |t: usize| [(t as f64).sin()];
            let run = |tuner: &mut Tuner, from: usize, to: usize| -> Vec<usize> {
                let one = |t| {
                    let arm = tuner.choose(&context(t));
                    tuner.learn(loss(arm, t), None);
                    arm
                };
                (from..to).map(one).collect()
            };
            let mut whole = tuner.clone();
            let choices = run(&mut whole, 0, 80);
            let mut first = tuner.clone();
            run(&mut first, 0, 30);
            let mut second: Tuner = serde_json::from_str(&serde_json::to_string(&first).unwrap()).unwrap();
            assert_eq!(run(&mut second, 30, 80), choices[30..]);
            let mut other = Tuner { seed: 6, ..tuner };
            assert_ne!(run(&mut other, 0, 80), choices);
        }
    }

    #[test]
    fn the_summary_finds_the_best_arm() {
        for mut tuner in tuners() {
            let rounds = 400;
            for t in 0..rounds {
                let arm = tuner.choose(&[0.0]);
                let all: Vec<f64> = (0..3).map(|i| loss(i, t)).collect();
                tuner.learn(all[arm], Some(&all));
            }
            let exact = tuner.summary(true);
            assert_eq!(exact.best(), Some((1, 21.5)));
            assert_eq!(exact.optimum, Some(21.5));
            assert_eq!(exact.arms.iter().map(|a| a.0).sum::<u64>(), rounds as u64);
            assert!(exact.mean < 24.0, "{}", exact.mean);
            let (best, estimate) = tuner.summary(false).best().unwrap();
            assert!(best == 1 && (estimate - 21.5).abs() < 0.5, "{estimate}");
        }
    }
}
