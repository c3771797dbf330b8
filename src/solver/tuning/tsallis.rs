//! Tsallis-INF: follow the regularised leader with Tsallis entropy of order 1/2 (Zimmert, Seldin, "Tsallis-INF: an
//! optimal algorithm for stochastic and adversarial bandits", JMLR 22 (2021) 28).
use super::range::LossRange;
use serde::{Deserialize, Serialize};

/// Where Newton's method for the normalisation ends: distance of the sum of probabilities from one.
const NORMALISED: f64 = 1e-13;
/// Newton's method starts on the side from which it converges without detours, so this is never reached.
const NEWTON_STEPS: usize = 100;

/// How the losses of the arms that were not drawn are estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Estimator {
    /// `1{drawn} l / p` with the learning rate `2 / sqrt(t)`.
    ImportanceWeighted,
    /// `1{drawn} (l - B) / p + B` with `B = 1/2` for arms of probability at least the rate's square, else 0; learning
    /// rate `4 / sqrt(t)`.
    ReducedVariance,
}

/// A bandit whose regret against the best fixed arm is at most `4 sqrt(K T) + 1` (importance weighted) for any losses in
/// [0, 1], and grows like `sum_i log(T) / gap_i` when arms have fixed means (Theorem 1 there).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TsallisInf {
    estimator: Estimator,
    range: LossRange,
    rounds: u64,
    arms: Vec<Sums>,
}

/// Sums over the rounds from which an arm's cumulative loss estimate follows for any scale of the losses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Sums {
    /// `loss / p`, over rounds that drew it.
    loss: f64,
    /// `1 / p`, over rounds that drew it.
    weight: f64,
    /// `B (1 - 1{drawn} / p)`, over all rounds.
    baseline: f64,
}

impl TsallisInf {
    /// A bandit that knows nothing of its `arms`.
    pub fn new(arms: usize, estimator: Estimator, range: LossRange) -> Self {
        Self { estimator, range, rounds: 0, arms: vec![Sums::default(); arms] }
    }

    fn rate(&self) -> f64 {
        let factor = match self.estimator {
            Estimator::ImportanceWeighted => 2.0,
            Estimator::ReducedVariance => 4.0,
        };
        factor / ((self.rounds + 1) as f64).sqrt()
    }

    /// Probabilities of the arms in the next round.
    pub fn probabilities(&self) -> Vec<f64> {
        let (origin, factor) = self.range.origin_and_factor();
        let losses: Vec<f64> =
            self.arms.iter().map(|s| factor * (s.loss - origin * s.weight) + s.baseline).collect();
        leader(&losses, self.rate())
    }

    /// Learns that the arm drawn had this loss, in any unit.
    pub fn update(&mut self, arm: usize, loss: f64) {
        let (probabilities, rate) = (self.probabilities(), self.rate());
        self.range.include(loss);
        for (i, (sums, &p)) in self.arms.iter_mut().zip(&probabilities).enumerate() {
            let reduced = self.estimator == Estimator::ReducedVariance && p >= rate * rate;
            let baseline = if reduced { 0.5 } else { 0.0 };
            let weight = if i == arm { 1.0 / p } else { 0.0 };
            sums.loss += weight * loss;
            sums.weight += weight;
            sums.baseline += baseline * (1.0 - weight);
        }
        self.rounds += 1;
    }
}

/// The minimiser of `<w, L> - (4 / rate) sum_i (sqrt(w_i) - w_i / 2)` over probabilities: `w_i = 4 / (rate (L_i - x))^2`,
/// with x from Newton's method (Algorithm 2 of the paper). The sum of the w_i is convex and increasing in x below the
/// least loss, and at the start it is at least one, so the iterates fall monotonically.
fn leader(losses: &[f64], rate: f64) -> Vec<f64> {
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let mut x = -2.0 / rate;
    let at = |x: f64| losses.iter().map(move |loss| 4.0 / (rate * (loss - least - x)).powi(2));
    for _ in 0..NEWTON_STEPS {
        let excess = at(x).sum::<f64>() - 1.0;
        if excess.abs() <= NORMALISED {
            break;
        }
        x -= excess / (rate * at(x).map(|w| w.powf(1.5)).sum::<f64>());
    }
    let sum: f64 = at(x).sum();
    at(x).map(|w| w / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn draw(probabilities: &[f64], random: &mut ChaCha8Rng) -> usize {
        super::super::tuner::pick(probabilities, random.random())
    }

    /// Regret against the best fixed arm, mean over seeds, for losses `make(random, t, arm) -> [0, 1]`.
    fn regret(
        estimator: Estimator,
        arms: usize,
        rounds: usize,
        seeds: u64,
        make: impl Fn(&mut ChaCha8Rng, usize, usize) -> f64,
    ) -> f64 {
        let one = |seed| {
            let mut bandit = TsallisInf::new(arms, estimator, LossRange::fixed(0.0, 1.0));
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let (mut mine, mut each) = (0.0, vec![0.0; arms]);
            for t in 0..rounds {
                let losses: Vec<f64> = (0..arms).map(|i| make(&mut random, t, i)).collect();
                let arm = draw(&bandit.probabilities(), &mut random);
                bandit.update(arm, losses[arm]);
                mine += losses[arm];
                each.iter_mut().zip(&losses).for_each(|(sum, loss)| *sum += loss);
            }
            mine - each.into_iter().fold(f64::INFINITY, f64::min)
        };
        (0..seeds).map(one).sum::<f64>() / seeds as f64
    }

    const BOTH: [Estimator; 2] = [Estimator::ImportanceWeighted, Estimator::ReducedVariance];

    #[test]
    fn probabilities_are_those_of_the_minimiser() {
        for (losses, rate) in
            [(vec![0.0, 1.0, 5.0], 0.7), (vec![3.0; 8], 2.0), (vec![0.0, 1e6, -1e4, 2.0], 0.01)]
        {
            let w = leader(&losses, rate);
            assert!((w.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            // The optimality condition: L_i - 2 / (rate sqrt(w_i)) is the same for all arms.
            let level: Vec<f64> =
                losses.iter().zip(&w).map(|(loss, w)| loss - 2.0 / (rate * w.sqrt())).collect();
            let scale = losses.iter().fold(1.0f64, |m, l| m.max(l.abs()));
            assert!(level.iter().all(|l| (l - level[0]).abs() < 1e-9 * scale), "{level:?}");
        }
    }

    #[test]
    fn estimates_are_unbiased() {
        // The mean over the draws of what one round adds is the loss itself, with and without a baseline.
        for estimator in BOTH {
            let losses = [0.2, 0.9, 0.4];
            let mut bandit = TsallisInf::new(3, estimator, LossRange::fixed(0.0, 1.0));
            let mut random = ChaCha8Rng::seed_from_u64(1);
            for _ in 0..60 {
                let arm = draw(&bandit.probabilities(), &mut random);
                bandit.update(arm, losses[arm]);
            }
            let before = bandit.arms.clone();
            let mut mean = [0.0; 3];
            for (arm, p) in bandit.probabilities().into_iter().enumerate() {
                let mut next = bandit.clone();
                next.update(arm, losses[arm]);
                for i in 0..3 {
                    let (a, b) = (next.arms[i], before[i]);
                    mean[i] += p * (a.loss - b.loss + a.baseline - b.baseline);
                }
            }
            assert!(mean.iter().zip(losses).all(|(m, l)| (m - l).abs() < 1e-12), "{estimator:?}: {mean:?}");
        }
    }

    #[test]
    fn the_unit_of_losses_does_not_matter() {
        let mut bandits = [LossRange::fixed(0.0, 1.0), LossRange::fixed(30.0, 230.0), LossRange::seen()]
            .map(|range| TsallisInf::new(4, Estimator::ReducedVariance, range));
        let mut random = ChaCha8Rng::seed_from_u64(3);
        for t in 0..200 {
            let loss = match t {
                0 => 0.0,
                1 => 1.0,
                _ => random.random::<f64>(),
            };
            let arm = draw(&bandits[0].probabilities(), &mut random);
            for (bandit, loss) in bandits.iter_mut().zip([loss, 30.0 + 200.0 * loss, 7.0 * loss - 1.0]) {
                bandit.update(arm, loss);
            }
            let [a, b, c] = [0, 1, 2].map(|i| bandits[i].probabilities());
            assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-9));
            // Before the range is known all arms are alike; afterwards the past is judged by it as well.
            let tolerance = if t < 1 { 1.0 } else { 0.02 };
            assert!(a.iter().zip(&c).all(|(a, c)| (a - c).abs() < tolerance), "{t}: {a:?} {c:?}");
        }
    }

    #[test]
    fn regret_against_an_adversary_is_below_the_bound() {
        // The good arm changes with a growing period, so that what was learnt misleads (section 6 of the paper).
        let phase = |t: usize| ((t + 1) as f64).log(1.6) as usize;
        let adversary = |random: &mut ChaCha8Rng, t: usize, arm: usize| {
            let (gap, base) = (0.125, if phase(t) % 2 == 0 { 0.0 } else { 0.875 });
            f64::from(random.random::<f64>() < base + if arm == 0 { 0.0 } else { gap })
        };
        let arms = 8;
        for estimator in BOTH {
            for rounds in [250, 1000, 4000] {
                let found = regret(estimator, arms, rounds, 8, adversary);
                let root = ((arms * rounds) as f64).sqrt();
                let bound = match estimator {
                    Estimator::ImportanceWeighted => 4.0 * root + 1.0,
                    Estimator::ReducedVariance => {
                        2.0 * root + 10.0 * arms as f64 * (rounds as f64).ln() + 16.0
                    }
                };
                assert!(found <= bound, "{estimator:?} {rounds}: {found} above {bound}");
                // Average regret falls at least like the root.
                assert!(found / rounds as f64 <= 2.5 * (arms as f64 / rounds as f64).sqrt());
            }
        }
    }

    #[test]
    fn regret_with_fixed_means_is_logarithmic() {
        let (arms, gap) = (5, 0.25);
        let stochastic = |random: &mut ChaCha8Rng, _: usize, arm: usize| {
            f64::from(random.random::<f64>() < if arm == 2 { 0.5 - gap } else { 0.5 })
        };
        for estimator in BOTH {
            let [short, long] = [1000, 16_000].map(|rounds| regret(estimator, arms, rounds, 16, stochastic));
            let others = (arms - 1) as f64;
            let bound = others * (4.0 * 16_000f64.ln() + 12.0) / gap
                + 4.0 * 16_000f64.ln()
                + 1.0 / gap
                + (arms as f64).sqrt()
                + 8.0;
            assert!(long <= bound, "{estimator:?}: {long} above {bound}");
            // 1.4 times as much by the logarithm, 4 times by a root.
            assert!(long < 3.0 * short, "{estimator:?}: {short} after 1000 rounds, {long} after 16000");
        }
    }

    #[test]
    fn reduced_variance_serves_better() {
        let stochastic = |random: &mut ChaCha8Rng, _: usize, arm: usize| {
            f64::from(random.random::<f64>() < if arm == 0 { 0.3 } else { 0.5 })
        };
        let [weighted, reduced] = BOTH.map(|estimator| regret(estimator, 8, 4000, 16, stochastic));
        assert!(reduced < weighted, "{weighted} {reduced}");
    }
}
