//! Quantiles from independent draws.
use super::CONFIDENCE;
use crate::{Error, Result};
use statrs::distribution::{Binomial, DiscreteCDF};

/// A quantile and where it lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile {
    /// The part of the distribution below it, between 0 and 1.
    pub level: f64,
    /// That of the draws.
    pub value: f64,
    /// It lies above this; minus infinity where there are too few draws to say.
    pub low: f64,
    /// It lies below this; infinity where there are too few draws to say.
    pub high: f64,
}

/// Quantiles of a quantity, from independent draws of a model and bounds of its error at each (none, or zero, where it is
/// exact). The bracket holds that of the exact quantity with a probability of [`CONFIDENCE`] at least, whatever the
/// distribution: it ends at order statistics of the values less and plus their bounds. Local.
///
/// # Errors
/// Levels that are not between 0 and 1; no draws; values that are not numbers.
pub fn quantiles(values: &[f64], bounds: Option<&[f64]>, levels: &[f64]) -> Result<Vec<Quantile>> {
    if values.is_empty() || values.iter().chain(bounds.unwrap_or_default()).any(|v| v.is_nan()) {
        return Err(Error::Failed(format!(
            "no quantiles of {} values, or of what is no number",
            values.len()
        )));
    }
    let sorted = |sign: f64| {
        let mut list = values.to_vec();
        if let Some(bounds) = bounds {
            list.iter_mut().zip(bounds).for_each(|(value, bound)| *value += sign * bound);
        }
        list.sort_unstable_by(f64::total_cmp);
        list
    };
    let (low, middle, high) = (sorted(-1.0), sorted(0.0), sorted(1.0));
    let quantile = |&level: &f64| {
        if !(level > 0.0 && level < 1.0) {
            return Err(Error::Failed(format!("a quantile has a level between 0 and 1, not {level}")));
        }
        let count = values.len();
        let place = ((count as f64 * level - 1e-9).ceil() as usize).clamp(1, count);
        let (from, to) = order_bracket(count, level);
        Ok(Quantile {
            level,
            value: middle[place - 1],
            low: if from == 0 { f64::NEG_INFINITY } else { low[from - 1] },
            high: if to > count { f64::INFINITY } else { high[to - 1] },
        })
    };
    levels.iter().map(quantile).collect()
}

/// The order statistics, counted from 1, between which a quantile lies with a probability of [`CONFIDENCE`] at least: the number
/// of draws below it is binomial. 0 or `count + 1` where no draw is low or high enough.
pub fn order_bracket(count: usize, level: f64) -> (usize, usize) {
    let Ok(binomial) = Binomial::new(level, count as u64) else { return (0, count + 1) };
    let tail = (1.0 - CONFIDENCE) / 2.0;
    // Both probabilities are monotonic in the place.
    let first = |test: &dyn Fn(u64) -> bool| {
        let (mut from, mut to) = (0, count as u64 + 1);
        while from < to {
            let middle = (from + to) / 2;
            if test(middle) { to = middle } else { from = middle + 1 }
        }
        from as usize
    };
    // Above the quantile lies the draw in place k with the probability that less than k are below.
    let low = first(&|k| binomial.cdf(k) > tail);
    let high = first(&|k| k > 0 && (k > count as u64 || binomial.sf(k - 1) <= tail));
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deck::Distribution;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn brackets_are_those_of_tables() {
        // Conover, Practical Nonparametric Statistics: the median of 10 lies between the 2nd and the 9th, of 20 between the 6th
        // and the 15th, of 100 between the 40th and the 61st.
        for (count, places) in [(10, (2, 9)), (20, (6, 15)), (100, (40, 61))] {
            assert_eq!(order_bracket(count, 0.5), places);
        }
        // 0.95^72 = 0.0249, so the largest of 72 is the first above the 95 % quantile (Wilks, one-sided at 97.5 %).
        assert_eq!(order_bracket(72, 0.95).1, 72);
        assert_eq!(order_bracket(71, 0.95).1, 72);
        assert_eq!(order_bracket(72, 0.05).0, 1);
        assert_eq!(order_bracket(71, 0.05).0, 0);
        assert_eq!(order_bracket(1, 0.5), (0, 2));
    }

    #[test]
    fn brackets_hold_quantiles_as_often_as_they_say() {
        // A model with errors within its bounds, of either sign, of a normal quantity.
        let normal = Distribution::Normal { mean: 1.0, deviation: 0.5 };
        let exact = |level: f64| normal.quantile([-1e9, 1e9], level);
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let levels = [0.05, 0.5, 0.95];
        for worst in [0.0, 0.05] {
            let mut held = [0; 3];
            for _ in 0..1000 {
                let draws: Vec<f64> = (0..200).map(|_| exact(random.random())).collect();
                let bounds: Vec<f64> = (0..200).map(|_| worst * random.random::<f64>()).collect();
                let values: Vec<f64> = draws
                    .iter()
                    .zip(&bounds)
                    .map(|(q, b)| q + b * (2.0 * random.random::<f64>() - 1.0))
                    .collect();
                let found = quantiles(&values, Some(&bounds), &levels).unwrap();
                for (held, quantile) in held.iter_mut().zip(found) {
                    assert!(quantile.low <= quantile.value && quantile.value <= quantile.high);
                    let q = exact(quantile.level);
                    *held += usize::from(quantile.low <= q && q <= quantile.high);
                }
            }
            // Without errors 95 to 97 %, as numbers of draws are whole.
            let most = if worst == 0.0 { 975 } else { 1000 };
            assert!(held.iter().all(|held| (940..=most).contains(held)), "{held:?}");
        }
    }

    #[test]
    fn impossible_quantiles_are_refused() {
        assert!(quantiles(&[], None, &[0.5]).is_err());
        assert!(quantiles(&[1.0, f64::NAN], None, &[0.5]).is_err());
        assert!(quantiles(&[1.0, 2.0], None, &[1.0]).is_err());
        let few = quantiles(&[3.0, 1.0, 2.0], None, &[0.5]).unwrap()[0];
        assert_eq!((few.value, few.low, few.high), (2.0, f64::NEG_INFINITY, f64::INFINITY));
    }
}
