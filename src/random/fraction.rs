//! Fractional powers of an operator as a few shifted inverses.
use std::f64::consts::PI;

/// Step of the quadrature in the logarithm of the shift: its relative error is `4 sin(pi theta) exp(-2 pi^2 / step)`,
/// below 1e-4.
const STEP: f64 = 1.8;
/// What stays of the integral beyond its ends, relative: `exp(-TAIL) / pi` at most.
const TAIL: f64 = 8.0;

/// `lambda^(-theta)`, 0 < theta < 1, on an interval of positive numbers as
/// `identity + inverse / lambda + sum_l weight_l / (shift_l + lambda)` with positive shifts and weights.
///
/// This is the trapezoidal rule for `sin(pi theta) / pi int exp((1 - theta) y) / (exp(y) + lambda) dy` over the real line
/// (Bonito, Pasciak, Math. Comp. 84 (2015) 2083, equation (4)). Beyond the interval, where `exp(y)` is much less
/// or much more than lambda, its terms are summed as geometric series: the first two parts.
pub struct Fraction {
    /// Factor of the identity.
    pub identity: f64,
    /// Factor of the inverse.
    pub inverse: f64,
    /// Shifts and weights.
    pub poles: Vec<[f64; 2]>,
}

impl Fraction {
    /// The rule for numbers from `least` to `largest`.
    pub fn new(theta: f64, least: f64, largest: f64) -> Self {
        let factor = STEP * (PI * theta).sin() / PI;
        let first = least.ln() - TAIL / (2.0 - theta);
        let last = largest.ln() + TAIL / (1.0 + theta);
        let count = ((last - first) / STEP).ceil() as usize + 1;
        let shift = |l: usize| (first + l as f64 * STEP).exp();
        let pole = |s: f64| [s, factor * s.powf(1.0 - theta)];
        // The ratio of neighbouring terms on either side.
        let (below, above) = ((-(1.0 - theta) * STEP).exp(), (-theta * STEP).exp());
        Self {
            identity: factor * shift(count - 1).powf(-theta) * above / (1.0 - above),
            inverse: factor * shift(0).powf(1.0 - theta) * below / (1.0 - below),
            poles: (0..count).map(|l| pole(shift(l))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_met_to_the_stated_accuracy() {
        for theta in [0.05, 0.25, 0.5, 0.75, 0.95] {
            for largest in [20.0, 1e4, 1e7] {
                let fraction = Fraction::new(theta, 2.0, largest);
                assert!(fraction.poles.len() < 20, "{}", fraction.poles.len());
                for i in 0..=50 {
                    let x: f64 = 2.0 * (largest / 2.0).powf(f64::from(i) / 50.0);
                    let sum: f64 = fraction.poles.iter().map(|[shift, weight]| weight / (shift + x)).sum();
                    let found = fraction.identity + fraction.inverse / x + sum;
                    let error = found / x.powf(-theta) - 1.0;
                    assert!(error.abs() < 2e-4, "theta {theta}, lambda {x} of {largest}: {error:.1e}");
                }
            }
        }
    }
}
