//! Means from independent draws of a model, corrected by some draws of what it is a model of.
use super::CONFIDENCE;
use crate::{Error, Result};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean and where it lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// The mean.
    pub value: f64,
    /// It lies above this with a probability of [`CONFIDENCE`], for so many draws that their mean is normal.
    pub low: f64,
    /// It lies below this.
    pub high: f64,
    /// Variance of the draws' mean, of the model alone.
    pub variance: f64,
    /// What full solves change, if there are any.
    pub correction: Option<Correction>,
}

/// The mean of what the model misses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correction {
    /// Full less reduced, on average; a part of the mean.
    pub value: f64,
    /// Variance of this average.
    pub variance: f64,
    /// Number of full solves.
    pub pairs: usize,
}

/// Full solves and the model's values beside them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pairs<'a> {
    /// Values of full solves.
    pub full: &'a [f64],
    /// Those of the model at the same parameters.
    pub reduced: &'a [f64],
    /// Whether they belong to the first draws, not to others.
    pub nested: bool,
}

/// The mean of a quantity, from independent draws of a model and bounds of its error at each. The bracket holds that of the exact
/// quantity. Local.
///
/// # Errors
/// Less than two draws.
pub fn mean(values: &[f64], bounds: Option<&[f64]>) -> Result<Mean> {
    let [value, variance] = moments(values)?;
    let end = |sign: f64| -> Result<f64> {
        let shift = |(value, bound): (&f64, &f64)| value + sign * bound;
        let moved: Vec<f64> = match bounds {
            None => values.to_vec(),
            Some(bounds) => values.iter().zip(bounds).map(shift).collect(),
        };
        let [value, variance] = moments(&moved)?;
        let count = values.len() as f64;
        Ok(value + sign * student(count - 1.0) * (variance / count).sqrt())
    };
    let variance = variance / values.len() as f64;
    Ok(Mean { value, low: end(-1.0)?, high: end(1.0)?, variance, correction: None })
}

/// The mean of the exact quantity: that of a model's draws, and the mean of what it misses at some full solves (a control
/// variate; the model may be as wrong as it likes). Local.
///
/// # Errors
/// Less than two draws or pairs.
pub fn corrected_mean(values: &[f64], pairs: Pairs) -> Result<Mean> {
    let missed: Vec<f64> =
        pairs.full.iter().zip(pairs.reduced).map(|(full, reduced)| full - reduced).collect();
    let ([middle, spread], [missing, scatter]) = (moments(values)?, moments(&missed)?);
    let (n, j) = (values.len() as f64, missed.len() as f64);
    // Variances of two independent parts: of the pairs, and of the draws that are in no pair.
    let parts = if pairs.nested {
        let both: Vec<f64> = missed.iter().zip(pairs.reduced).map(|(d, r)| r / n + d / j).collect();
        [j * moments(&both)?[1], (n - j) * spread / (n * n)]
    } else {
        [scatter / j, spread / n]
    };
    let variance = parts[0] + parts[1];
    // Welch's and Satterthwaite's degrees of freedom.
    let freedom = parts[0].powi(2) / (j - 1.0) + parts[1].powi(2) / (n - 1.0);
    let freedom = if freedom > 0.0 { variance.powi(2) / freedom } else { j - 1.0 };
    let (value, half) = (middle + missing, student(freedom) * variance.sqrt());
    let correction = Correction { value: missing, variance: scatter / j, pairs: missed.len() };
    let (low, high) = (value - half, value + half);
    Ok(Mean { value, low, high, variance: spread / n, correction: Some(correction) })
}

/// Mean and variance of draws.
fn moments(values: &[f64]) -> Result<[f64; 2]> {
    if values.len() < 2 {
        return Err(Error::Failed(format!(
            "a mean with its error needs two draws at least, not {}",
            values.len()
        )));
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    Ok([mean, squares / (count - 1.0)])
}

/// So many deviations reach as far as [`CONFIDENCE`] asks for.
fn student(freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::INFINITY, |t| t.inverse_cdf((1.0 + CONFIDENCE) / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn deviations_are_those_of_tables() {
        for (freedom, t) in [(1.0, 12.706), (4.0, 2.776), (18.0, 2.101), (1e6, 1.960)] {
            assert!((student(freedom) - t).abs() < 1e-3, "{freedom}");
        }
        // 1 to 5: mean 3, variance of the mean 1/2.
        let five = mean(&[1.0, 2.0, 3.0, 4.0, 5.0], Some(&[0.5; 5])).unwrap();
        assert_eq!((five.value, five.variance), (3.0, 0.5));
        assert!(
            (five.high - (3.5 + 2.776 * 0.5f64.sqrt())).abs() < 1e-3
                && (five.low + five.high - 6.0).abs() < 1e-12
        );
        assert!(mean(&[1.0], None).is_err());
    }

    #[test]
    fn all_draws_solved_are_their_mean() {
        let full = [1.0, 4.0, 2.0, 8.0];
        let reduced = [1.5, 3.0, 2.5, 7.0];
        let found = corrected_mean(&reduced, Pairs { full: &full, reduced: &reduced, nested: true }).unwrap();
        let expected = mean(&full, None).unwrap();
        for (a, b) in [(found.value, expected.value), (found.low, expected.low), (found.high, expected.high)]
        {
            assert!((a - b).abs() < 1e-12, "{found:?} {expected:?}");
        }
    }

    #[test]
    fn brackets_hold_the_mean_as_often_as_they_say() {
        // The exact quantity is u + v / 10, a model of it that is off by a fifth 1.2 u: exact mean 0.55.
        let mut random = ChaCha8Rng::seed_from_u64(4);
        for nested in [true, false] {
            let (mut held, mut naive, mut gain) = (0, 0, 0.0);
            for _ in 0..1000 {
                let draws: Vec<f64> = (0..400).map(|_| random.random()).collect();
                let values: Vec<f64> = draws.iter().map(|u| 1.2 * u).collect();
                let others: Vec<f64> =
                    (0..20).map(|k| if nested { draws[k] } else { random.random() }).collect();
                let full: Vec<f64> = others.iter().map(|u| u + random.random::<f64>() / 10.0).collect();
                let reduced: Vec<f64> = others.iter().map(|u| 1.2 * u).collect();
                let found =
                    corrected_mean(&values, Pairs { full: &full, reduced: &reduced, nested }).unwrap();
                let inside = |mean: &Mean| usize::from(mean.low <= 0.55 && 0.55 <= mean.high);
                held += inside(&found);
                naive += inside(&mean(&values, None).unwrap());
                let alone = mean(&full, None).unwrap();
                gain += (alone.high - alone.low) / (found.high - found.low) / 1000.0;
            }
            assert!((930..970).contains(&held), "{held}");
            // Without correction the bracket misses what the model misses, and full solves alone say less.
            assert!(naive < 600 && gain > 2.5, "{naive} {gain}");
        }
    }
}
