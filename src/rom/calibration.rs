//! Bounds of errors from indicators, by split conformal calibration (Papadopoulos, Proedrou, Vovk, Gammerman 2002; Lei,
//! G'Sell, Rinaldo, Tibshirani, Wasserman 2018) on samples that nothing else was made from.
//!
//! With J held-out pairs of an error and its indicator, the factor is the `ceil((J + 1) level)`-th smallest ratio. Should
//! another pair be exchangeable with these (independent draws of one distribution are), its error is at most the factor times
//! its indicator with a probability of at least the level, whatever the model and the indicator are. The probability is that
//! of both, the held-out draws and the new one: what one calibration covers scatters, with a standard deviation of
//! `sqrt(level (1 - level) / (J + 2))` about.
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Indicators below this are taken for it where they are relative to the largest of the solution: what is at rest.
pub const AT_REST: f64 = 1e-12;

/// A factor from indicators to bounds, and how well it does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The probability that an error is within its bound, at least.
    pub level: f64,
    /// Bound over indicator, in the error's unit over the indicator's.
    pub factor: f64,
    /// Indicators below this are taken for it, in their unit.
    pub floor: f64,
    /// The number of held-out samples.
    pub samples: usize,
    /// Geometric standard deviation of error over indicator, 1 or more: how much the indicator does not tell.
    pub spread: f64,
    /// Median of bound over error on the held-out samples; none when their errors are all zero.
    pub effectivity: Option<f64>,
}

impl Calibration {
    /// Calibrates on held-out samples, each with its error and its indicator. Indicators below `floor` (positive, such as
    /// [`AT_REST`]) are taken for it, here and in bounds, so that a sample at rest has a ratio. Local.
    ///
    /// # Errors
    /// Too few samples for the level; a level outside (0, 1); values that are negative or not finite.
    pub fn new(errors: &[f64], indicators: &[f64], level: f64, floor: f64) -> Result<Self> {
        let failed = |text: String| Err(Error::Failed(text));
        let samples = errors.len();
        if indicators.len() != samples {
            return failed(format!("{samples} errors and {} indicators", indicators.len()));
        }
        if !(floor > 0.0 && floor.is_finite()) {
            return failed(format!("the least indicator is positive, not {floor}"));
        }
        let least = Self::least_samples(level)?;
        if samples < least {
            return failed(format!(
                "bounds that hold with a probability of {level} need {least} held-out samples at least, not {samples}"
            ));
        }
        if let Some(value) = errors.iter().chain(indicators).find(|v| !(**v >= 0.0 && v.is_finite())) {
            return failed(format!("an error or indicator of {value} cannot be calibrated"));
        }
        let mut ratios: Vec<f64> = errors.iter().zip(indicators).map(|(e, i)| e / i.max(floor)).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        let factor = ratios[order(samples, level) - 1];
        let logarithms: Vec<f64> = ratios.iter().filter(|r| **r > 0.0).map(|r| r.ln()).collect();
        let count = logarithms.len() as f64;
        let mean = logarithms.iter().sum::<f64>() / count;
        let squares: f64 = logarithms.iter().map(|l| (l - mean) * (l - mean)).sum();
        let spread = if count > 1.0 { (squares / (count - 1.0)).sqrt().exp() } else { 1.0 };
        // Half of the positive ratios lie on either side of the median, and so do effectivities.
        let positive = &ratios[samples - logarithms.len()..];
        let effectivity = (!positive.is_empty()).then(|| {
            let (low, high) = (positive[(positive.len() - 1) / 2], positive[positive.len() / 2]);
            (factor / low + factor / high) / 2.0
        });
        Ok(Self { level, factor, floor, samples, spread, effectivity })
    }

    /// The least number of held-out samples for a level: 9 for 0.9, 19 for 0.95, 99 for 0.99.
    ///
    /// # Errors
    /// When the level is not between 0 and 1.
    pub fn least_samples(level: f64) -> Result<usize> {
        if !(level > 0.0 && level < 1.0) {
            return Err(Error::Failed(format!("a level lies between 0 and 1, not at {level}")));
        }
        // From there on the order is at most the number of samples, but for round-off.
        let mut samples = (level / (1.0 - level)) as usize;
        while samples == 0 || order(samples, level) > samples {
            samples += 1;
        }
        Ok(samples)
    }

    /// The bound of an error from its indicator.
    pub fn bound(&self, indicator: f64) -> f64 {
        self.factor * indicator.max(self.floor)
    }
}

/// Which of the ratios, smallest first and counted from 1, bounds a new one; products of decimals are a hair off.
fn order(samples: usize, level: f64) -> usize {
    ((samples as f64 + 1.0) * level - 1e-9).ceil().max(1.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::f64::consts::{PI, TAU};

    /// The part of 30 new draws within the bounds of 19, on average over repetitions, and the median effectivity.
    fn coverage(repetitions: usize, level: f64, mut draw: impl FnMut() -> (f64, f64)) -> (f64, f64) {
        let (mut covered, mut effectivity) = (0, 0.0);
        for _ in 0..repetitions {
            let (errors, indicators): (Vec<f64>, Vec<f64>) = (0..19).map(|_| draw()).unzip();
            let calibration = Calibration::new(&errors, &indicators, level, AT_REST).unwrap();
            effectivity += calibration.effectivity.unwrap() / repetitions as f64;
            let within = |(error, indicator): (f64, f64)| error <= calibration.bound(indicator);
            covered += (0..30).filter(|_| within(draw())).count();
        }
        (covered as f64 / (30 * repetitions) as f64, effectivity)
    }

    /// A bar with a reaction: -u'' + m u = 1 on (0, 1), u = 0 at both ends, m from 0 to 50, by the first
    /// three odd sines. Error in the energy of m, and dual norm of the residual in that of m = 1, from the rest of the series.
    fn bar(m: f64) -> (f64, f64) {
        let rest = |reference: f64| -> f64 {
            let odd = (3..200).map(|i| f64::from(2 * i + 1) * PI);
            odd.map(|k| 8.0 / (k * k) / (k * k + reference)).sum::<f64>().sqrt()
        };
        (rest(m), rest(1.0))
    }

    #[test]
    fn bounds_cover_as_often_as_they_say() {
        // The bar, with levels of the load over three decades.
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let (part, effectivity) = coverage(200, 0.9, || {
            let (error, indicator) = bar(50.0 * random.random::<f64>());
            let load = 1e3f64.powf(random.random());
            (load * error, load * indicator)
        });
        assert!((part - 0.9).abs() < 0.02 && effectivity < 1.1, "{part} {effectivity}");
        // Errors that scatter about the indicator: log-normal, a third of them at rest.
        let mut random = ChaCha8Rng::seed_from_u64(6);
        let mut draw = |rest: f64| {
            let (u, v): (f64, f64) = (random.random(), random.random());
            let indicator = 10f64.powf(-4.0 * random.random::<f64>());
            let error = indicator * ((-2.0 * (1.0 - u).ln()).sqrt() * (TAU * v).cos()).exp();
            if random.random::<f64>() < rest { (0.0, 0.0) } else { (error, indicator) }
        };
        for level in [0.9, 0.95] {
            let (part, _) = coverage(400, level, || draw(0.0));
            assert!((part - level).abs() < 0.02, "{part} for {level}");
        }
        let (part, _) = coverage(200, 0.9, || draw(0.3));
        assert!((part - 0.9).abs() < 0.02, "{part}");
    }

    #[test]
    fn factors_are_ordered_ratios() {
        let errors: Vec<f64> = (1..=19).rev().map(f64::from).collect();
        let at = |level| Calibration::new(&errors, &[2.0; 19], level, AT_REST).unwrap();
        // 18 of 20 and 19 of 20.
        assert_eq!((at(0.9).factor, at(0.95).factor, at(0.5).factor), (9.0, 9.5, 5.0));
        assert_eq!(at(0.9).effectivity, Some(1.8));
        assert_eq!(at(0.9).bound(3.0), 27.0);
        // Ratios of 1, e and e^2 have a geometric standard deviation of e.
        let three = Calibration::new(&[1.0, 1f64.exp(), 2f64.exp()], &[1.0; 3], 0.7, AT_REST).unwrap();
        assert!((three.spread - 1f64.exp()).abs() < 1e-14);
        let text = serde_json::to_string(&at(0.9)).unwrap();
        assert_eq!(serde_json::from_str::<Calibration>(&text).unwrap(), at(0.9));
    }

    #[test]
    fn rest_has_a_bound() {
        // At rest both are round-off.
        let mut errors = vec![0.0, 1e-18, 3e-17];
        let mut indicators = vec![0.0, 0.0, 1e-17];
        errors.extend([1e-3; 8]);
        indicators.extend([1e-3; 8]);
        let calibration = Calibration::new(&errors, &indicators, 0.9, AT_REST).unwrap();
        assert!(calibration.factor == 1.0 && calibration.bound(0.0) == AT_REST);
        let nothing = Calibration::new(&[0.0; 9], &[0.0; 9], 0.9, AT_REST).unwrap();
        assert!(nothing.bound(1.0) == 0.0 && nothing.effectivity.is_none() && nothing.spread == 1.0);
        // An indicator that sees nothing gives a bound that is honest: large.
        let blind = Calibration::new(&[1e-3; 9], &[0.0; 9], 0.9, AT_REST).unwrap();
        assert!(blind.bound(0.0) >= 1e-3 && blind.bound(1e-3) > 1e5);
    }

    #[test]
    fn levels_need_samples() {
        for (level, least) in [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99), (0.999, 999)] {
            assert_eq!(Calibration::least_samples(level).unwrap(), least);
            assert!(Calibration::new(&vec![1.0; least], &vec![1.0; least], level, AT_REST).is_ok());
            let few = vec![1.0; least - 1];
            let error = Calibration::new(&few, &few, level, AT_REST).unwrap_err().to_string();
            assert!(error.contains(&format!("need {least} held-out samples")), "{error}");
        }
        for level in [0.0, 1.0, f64::NAN, -0.5] {
            assert!(Calibration::least_samples(level).is_err());
        }
        assert!(Calibration::new(&[f64::NAN; 9], &[1.0; 9], 0.9, AT_REST).is_err());
        assert!(Calibration::new(&[1.0; 9], &[-1.0; 9], 0.9, AT_REST).is_err());
        assert!(Calibration::new(&[1.0; 9], &[1.0; 8], 0.9, AT_REST).is_err());
        assert!(Calibration::new(&[1.0; 9], &[1.0; 9], 0.9, 0.0).is_err());
    }
}
