//! ChebCB: a contextual bandit that regresses losses on Chebyshev polynomials (Khodak, Chow, Balcan, Talwalkar,
//! "Learning to relax", ICLR 2024) and draws by inverse gap weighting (SquareCB: Foster, Rakhlin, ICML 2020).
use super::range::LossRange;
use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use serde::{Deserialize, Serialize};

/// Ridge on the coefficients: small beside one round's weight. It draws unknown arms towards a loss of zero, so they are
/// tried.
const RIDGE: f64 = 1e-3;

/// A bandit that knows numbers about each system before it chooses. Arms of a relaxation parameter share one polynomial in
/// context and parameter; other arms have one in the context each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChebyshevBandit {
    /// Positions of the arms in [-1, 1], when they lie on a line.
    positions: Option<Vec<f64>>,
    arms: usize,
    /// Exponents of the features.
    degrees: Vec<Vec<usize>>,
    regressions: Vec<Regression>,
    range: LossRange,
    rounds: u64,
}

/// Normal equations of a least-squares fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Regression {
    /// Sum of `f f^T`, by rows.
    gram: Vec<f64>,
    /// Sum of `f * loss`.
    moment: Vec<f64>,
}

impl Regression {
    fn coefficients(&self) -> Vec<f64> {
        let n = self.moment.len();
        let matrix = Mat::from_fn(n, n, |i, j| self.gram[i * n + j] + if i == j { RIDGE } else { 0.0 });
        let right = Mat::from_fn(n, 1, |i, _| self.moment[i]);
        // Positive definite by the ridge.
        match matrix.llt(Side::Lower) {
            Ok(factor) => factor.solve(&right).col(0).iter().copied().collect(),
            Err(_) => vec![0.0; n],
        }
    }
}

impl ChebyshevBandit {
    /// A bandit for contexts of `dimension` numbers, each scaled to [-1, 1], with polynomials up to a total `degree`;
    /// `positions`, also in [-1, 1], of arms that lie on a line.
    pub fn new(
        arms: usize,
        positions: Option<Vec<f64>>,
        dimension: usize,
        degree: usize,
        range: LossRange,
    ) -> Self {
        let variables = dimension + usize::from(positions.is_some());
        let degrees = exponents(variables, degree);
        let n = degrees.len();
        let blocks = if positions.is_some() { 1 } else { arms };
        let regressions = vec![Regression { gram: vec![0.0; n * n], moment: vec![0.0; n] }; blocks];
        Self { positions, arms, degrees, regressions, range, rounds: 0 }
    }

    /// Products of Chebyshev polynomials of context and position.
    fn features(&self, arm: usize, context: &[f64]) -> Vec<f64> {
        let position = self.positions.iter().map(|list| list[arm]);
        let angles: Vec<f64> =
            context.iter().copied().chain(position).map(|c| c.clamp(-1.0, 1.0).acos()).collect();
        let product = |degrees: &Vec<usize>| {
            degrees.iter().zip(&angles).map(|(&degree, angle)| (degree as f64 * angle).cos()).product()
        };
        self.degrees.iter().map(product).collect()
    }

    fn block(&self, arm: usize) -> usize {
        if self.positions.is_some() { 0 } else { arm }
    }

    /// Losses that the fit predicts, in the unit of the losses.
    pub fn predict(&self, context: &[f64]) -> Vec<f64> {
        let fits: Vec<Vec<f64>> = self.regressions.iter().map(Regression::coefficients).collect();
        let predict = |arm: usize| {
            let features = self.features(arm, context);
            features.iter().zip(&fits[self.block(arm)]).map(|(f, c)| f * c).sum()
        };
        (0..self.arms).map(predict).collect()
    }

    /// Probabilities of the arms in the next round: `1 / (K + gamma gap)`, the rest for the best. As in the paper's
    /// experiments, gamma grows linearly with the rounds: counts of iterations have hardly any noise, so what
    /// exploration costs in all grows like the logarithm of the rounds.
    pub fn probabilities(&self, context: &[f64]) -> Vec<f64> {
        let losses = self.predict(context);
        let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
        let best = losses.iter().position(|&loss| loss == least).unwrap_or(0);
        let (_, factor) = self.range.origin_and_factor();
        let arms = self.arms as f64;
        let gamma = arms * self.rounds as f64;
        let mut probabilities: Vec<f64> =
            losses.iter().map(|loss| 1.0 / (arms + gamma * factor * (loss - least))).collect();
        probabilities[best] = 0.0;
        probabilities[best] = 1.0 - probabilities.iter().sum::<f64>();
        probabilities
    }

    /// Learns that the arm drawn in this context had this loss, in any unit.
    pub fn update(&mut self, context: &[f64], arm: usize, loss: f64) {
        self.range.include(loss);
        let (features, block) = (self.features(arm, context), self.block(arm));
        let n = features.len();
        let Regression { gram, moment } = &mut self.regressions[block];
        for i in 0..n {
            moment[i] += features[i] * loss;
            for j in 0..n {
                gram[i * n + j] += features[i] * features[j];
            }
        }
        self.rounds += 1;
    }
}

/// All exponents of `variables` variables with a sum of at most `degree`.
fn exponents(variables: usize, degree: usize) -> Vec<Vec<usize>> {
    let mut list = vec![Vec::new()];
    for _ in 0..variables {
        list = list
            .into_iter()
            .flat_map(|degrees: Vec<usize>| {
                let left = degree - degrees.iter().sum::<usize>();
                (0..=left).map(move |next| {
                    let mut longer = degrees.clone();
                    longer.push(next);
                    longer
                })
            })
            .collect();
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn features_span_the_polynomials() {
        let bandit = ChebyshevBandit::new(2, None, 2, 3, LossRange::seen());
        assert_eq!(bandit.degrees.len(), 10);
        // T_2(x) T_1(y) at (0.3, -0.4).
        let place = bandit.degrees.iter().position(|d| d == &[2, 1]).unwrap();
        let value = bandit.features(0, &[0.3, -0.4])[place];
        assert!((value - (2.0 * 0.09 - 1.0) * -0.4).abs() < 1e-14);
    }

    #[test]
    fn a_polynomial_loss_is_predicted() {
        let positions = vec![-1.0, -0.2, 0.5, 1.0];
        let loss = |p: f64, c: f64| 3.0 + (p - c).powi(2) + 0.5 * p * c;
        let mut bandit = ChebyshevBandit::new(4, Some(positions.clone()), 1, 3, LossRange::seen());
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for t in 0..400 {
            let c = 2.0 * random.random::<f64>() - 1.0;
            bandit.update(&[c], t % 4, loss(positions[t % 4], c));
        }
        for c in [-0.9, 0.1, 0.7] {
            for (found, p) in bandit.predict(&[c]).into_iter().zip(&positions) {
                assert!((found - loss(*p, c)).abs() < 1e-3, "{found} {}", loss(*p, c));
            }
        }
    }

    /// The best arm depends on the context: a fixed one cannot do well, and the regret against the best of every round is
    /// small.
    #[test]
    fn regret_against_the_best_of_every_round_is_logarithmic() {
        let arms = 5;
        let positions: Vec<f64> = (0..arms).map(|i| -1.0 + 0.5 * i as f64).collect();
        let run = |rounds: usize, seed: u64, shared: bool| {
            let line = shared.then(|| positions.clone());
            let mut bandit = ChebyshevBandit::new(arms, line, 1, 3, LossRange::fixed(0.0, 1.0));
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut regret = 0.0;
            for _ in 0..rounds {
                let c = 2.0 * random.random::<f64>() - 1.0;
                let mean = |i: usize| 0.2 * (positions[i] - c).powi(2);
                let probabilities = bandit.probabilities(&[c]);
                assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                let arm = super::super::tuner::pick(&probabilities, random.random());
                bandit.update(&[c], arm, mean(arm) + 0.02 * (random.random::<f64>() - 0.5));
                regret += mean(arm) - (0..arms).map(mean).fold(f64::INFINITY, f64::min);
            }
            regret
        };
        for shared in [true, false] {
            let mean = |rounds| (0..8).map(|seed| run(rounds, seed, shared)).sum::<f64>() / 8.0;
            let (short, long) = (mean(250), mean(2000));
            // A fixed arm has a regret of at least 0.05 a round.
            assert!(long < 0.01 * 2000.0, "{long}");
            // A root would give 2.8 times as much.
            assert!(long < 2.0 * short, "{short} {long}");
        }
    }
}
