//! Sobol indices: which parameters the variance of a quantity comes from (Sobol 1993; Homma, Saltelli 1996).
use crate::{Error, Result};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// So often the rows are drawn again, to see how much the indices scatter.
const RESAMPLES: usize = 200;
/// A quantity whose values differ by less, relative to the largest, does not vary.
const CONSTANT: f64 = 1e-13;

/// The indices of one parameter, with the standard deviations of their sampling error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Index {
    /// The part of the variance that the parameter makes alone.
    pub first: f64,
    /// Standard deviation of it.
    pub first_error: f64,
    /// The part of the variance that would be left if all others were known: with what it makes together with others.
    pub total: f64,
    /// Standard deviation of it.
    pub total_error: f64,
    /// By so much errors of the model within its bounds may move the first at most; 1 where they are not known.
    pub first_model: f64,
    /// The same of the total.
    pub total_model: f64,
}

/// Values of a quantity at pick-and-freeze points, or bounds of their errors.
#[derive(Debug, Clone, Copy)]
pub struct Pick<'a> {
    /// At independent draws A.
    pub a: &'a [f64],
    /// At as many other draws B.
    pub b: &'a [f64],
    /// At A with the value of one parameter from B, by parameter.
    pub swapped: &'a [Vec<f64>],
}

/// Indices of all parameters, by the estimators of Saltelli et al. (2010) for the first and of Jansen (1999) for the total order;
/// their errors by drawing the rows again with replacement (bootstrap). With `bounds` of the errors of all values, by how much these
/// may move the indices of the draws: they are squares of quotients of root mean squares, which obey the triangle inequality. `None`
/// when the quantity does not vary. Local.
///
/// # Errors
/// Lists of other lengths, less than two rows, values that are not finite.
pub fn sobol_indices(pick: Pick, bounds: Option<Pick>, seed: u64) -> Result<Option<Vec<Index>>> {
    let count = pick.a.len();
    let lists = || [pick.a, pick.b].into_iter().chain(pick.swapped.iter().map(Vec::as_slice));
    if count < 2 || lists().any(|list| list.len() != count || list.iter().any(|v| !v.is_finite())) {
        return Err(Error::Failed(format!(
            "Sobol indices need finite values at all points, here of {count} rows"
        )));
    }
    let both = || pick.a.iter().chain(pick.b).copied();
    let (least, most) = both().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, m), v| (l.min(v), m.max(v)));
    if most - least <= CONSTANT * most.abs().max(least.abs()) {
        return Ok(None);
    }
    // Values about their mean, which take most of the error away; then rows of what is averaged.
    let mean = both().sum::<f64>() / (2 * count) as f64;
    let width = 2 + 2 * pick.swapped.len();
    let mut terms = Vec::with_capacity(count * width);
    for row in 0..count {
        let (a, b) = (pick.a[row] - mean, pick.b[row] - mean);
        terms.extend([(a + b) / 2.0, (a * a + b * b) / 2.0]);
        for swapped in pick.swapped {
            let c = swapped[row] - mean;
            terms.extend([b * (c - a), (a - c) * (a - c) / 2.0]);
        }
    }
    let indices = |rows: &mut dyn Iterator<Item = usize>| -> Vec<f64> {
        let mut sums = vec![0.0; width];
        for row in rows {
            sums.iter_mut().zip(&terms[row * width..]).for_each(|(sum, term)| *sum += term);
        }
        sums.iter_mut().for_each(|sum| *sum /= count as f64);
        let variance = sums[1] - sums[0] * sums[0];
        sums[2..].iter().map(|part| part / variance).collect()
    };
    let found = indices(&mut (0..count));
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut squares = vec![[0.0; 2]; found.len()];
    for _ in 0..RESAMPLES {
        let again = indices(&mut (0..count).map(|_| random.random_range(0..count)));
        for (square, value) in squares.iter_mut().zip(again) {
            square[0] += value;
            square[1] += value * value;
        }
    }
    let deviation = |[sum, square]: [f64; 2]| {
        let mean = sum / RESAMPLES as f64;
        (square / RESAMPLES as f64 - mean * mean).max(0.0).sqrt()
    };
    let index = |k: usize| {
        let [first_model, total_model] = bounds.map_or([1.0; 2], |bounds| moved(pick, bounds, k));
        Index {
            first: found[2 * k],
            first_error: deviation(squares[2 * k]),
            total: found[2 * k + 1],
            total_error: deviation(squares[2 * k + 1]),
            first_model,
            total_model,
        }
    };
    Ok(Some((0..pick.swapped.len()).map(index).collect()))
}

/// By how much errors within bounds may move the first and the total index of a parameter, 1 at most.
fn moved(pick: Pick, bounds: Pick, parameter: usize) -> [f64; 2] {
    let count = pick.a.len() as f64;
    let root =
        |list: &mut dyn Iterator<Item = f64>| (list.map(|v| v * v).sum::<f64>() / (2.0 * count)).sqrt();
    let both = |pick: Pick| -> Vec<f64> { pick.a.iter().chain(pick.b).copied().collect() };
    let values = both(pick);
    let mean = values.iter().sum::<f64>() / (2.0 * count);
    let (whole, whole_error) =
        (root(&mut values.iter().map(|v| v - mean)), root(&mut both(bounds).into_iter()));
    // What B and the swapped points share is the parameter; A and these share all others.
    [(pick.b, bounds.b), (pick.a, bounds.a)].map(|(values, errors)| {
        let (other, other_errors) = (&pick.swapped[parameter], &bounds.swapped[parameter]);
        let part = root(&mut values.iter().zip(other).map(|(v, o)| v - o));
        let error = root(&mut errors.iter().zip(other_errors).map(|(e, o)| e + o));
        let share = |part: f64, whole: f64| if whole > 0.0 { (part / whole).powi(2).min(1.0) } else { 1.0 };
        let now = share(part, whole);
        let least = share((part - error).max(0.0), whole + whole_error);
        let most = share(part + error, whole - whole_error);
        (now - least).max(most - now)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    fn found(f: &dyn Fn(&[f64]) -> f64, dimension: usize, rows: usize, seed: u64) -> Option<Vec<Index>> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = || -> Vec<Vec<f64>> {
            (0..rows).map(|_| (0..dimension).map(|_| random.random()).collect()).collect()
        };
        let (a, b) = (draw(), draw());
        let values = |points: &[Vec<f64>]| points.iter().map(|p| f(p)).collect::<Vec<_>>();
        let swap = |k: usize| {
            let mut points = a.clone();
            points.iter_mut().zip(&b).for_each(|(p, other)| p[k] = other[k]);
            values(&points)
        };
        let swapped: Vec<Vec<f64>> = (0..dimension).map(swap).collect();
        let pick = Pick { a: &values(&a), b: &values(&b), swapped: &swapped };
        let nothing = vec![vec![0.0; rows]; dimension];
        let exact = Pick { a: &nothing[0], b: &nothing[0], swapped: &nothing };
        sobol_indices(pick, Some(exact), seed).unwrap()
    }

    /// Ishigami and Homma (1990): sin x + 7 sin^2 y + z^4 sin x / 10 on (-pi, pi)^3.
    fn ishigami(u: &[f64]) -> f64 {
        let [x, y, z] = [0, 1, 2].map(|k| PI * (2.0 * u[k] - 1.0));
        x.sin() + 7.0 * y.sin().powi(2) + 0.1 * z.powi(4) * x.sin()
    }

    #[test]
    fn indices_of_ishigami_are_the_known_ones() {
        let (v1, v2) = (0.5 * (1.0 + 0.1 * PI.powi(4) / 5.0).powi(2), 49.0 / 8.0);
        let v13 = 0.01 * PI.powi(8) * (1.0 / 18.0 - 1.0 / 50.0);
        let whole = v1 + v2 + v13;
        let known =
            [(v1, v1 + v13), (v2, v2), (0.0, v13)].map(|(first, total)| (first / whole, total / whole));
        assert!((known[0].0 - 0.3139).abs() < 1e-4 && (known[1].0 - 0.4424).abs() < 1e-4);
        let indices = found(&ishigami, 3, 20_000, 1).unwrap();
        for (index, (first, total)) in indices.iter().zip(known) {
            assert!(index.first_error < 0.02 && index.total_error < 0.02, "{index:?}");
            assert!(index.first_model < 1e-12 && index.total_model < 1e-12, "{index:?}");
            assert!((index.first - first).abs() < 3.0 * index.first_error.max(1e-3), "{index:?} {first}");
            assert!((index.total - total).abs() < 3.0 * index.total_error.max(1e-3), "{index:?} {total}");
        }
    }

    #[test]
    fn errors_are_as_large_as_the_scatter() {
        // A product of 1 + u and 1 + 3 v; a third parameter does nothing.
        let f = |u: &[f64]| (1.0 + u[0]) * (1.0 + 3.0 * u[1]);
        let (vu, vv) = (1.0 / 12.0 * 2.5f64.powi(2), 9.0 / 12.0 * 1.5f64.powi(2));
        let whole = vu + vv + 1.0 / 12.0 * 9.0 / 12.0;
        let known = [(vu / whole, 1.0 - vv / whole), (vv / whole, 1.0 - vu / whole), (0.0, 0.0)];
        let (mut inside, mut all) = (0, 0);
        for seed in 0..100 {
            let indices = found(&f, 3, 400, seed).unwrap();
            for (index, (first, total)) in indices.iter().zip(known).take(2) {
                inside += usize::from((index.first - first).abs() < 1.96 * index.first_error);
                inside += usize::from((index.total - total).abs() < 1.96 * index.total_error);
                all += 2;
            }
            assert!(indices[2].first == 0.0 && indices[2].total == 0.0);
        }
        assert!((0.92..0.98).contains(&(inside as f64 / all as f64)), "{inside} of {all}");
        assert_eq!(found(&|_| 3.0, 2, 10, 1), None);
    }

    #[test]
    fn errors_of_the_model_move_indices_no_farther_than_they_say() {
        // x + y, and a model of it that does not know y / 5.
        let mut random = ChaCha8Rng::seed_from_u64(8);
        let mut draw =
            || -> Vec<[f64; 2]> { (0..5000).map(|_| [random.random(), random.random()]).collect() };
        let (a, b) = (draw(), draw());
        let swaps = [
            a.iter().zip(&b).map(|(a, b)| [b[0], a[1]]).collect::<Vec<_>>(),
            a.iter().zip(&b).map(|(a, b)| [a[0], b[1]]).collect(),
        ];
        let all = |f: &dyn Fn(&[f64; 2]) -> f64| {
            let values = |points: &[[f64; 2]]| points.iter().map(f).collect::<Vec<f64>>();
            (values(&a), values(&b), swaps.each_ref().map(|points| values(points)))
        };
        let exact = all(&|p| p[0] + p[1]);
        let model = all(&|p| p[0] + 0.8 * p[1]);
        let bound = all(&|p| 0.2 * p[1]);
        fn pick((a, b, swapped): &(Vec<f64>, Vec<f64>, [Vec<f64>; 2])) -> Pick<'_> {
            Pick { a, b, swapped }
        }
        let truth = sobol_indices(pick(&exact), None, 1).unwrap().unwrap();
        let found = sobol_indices(pick(&model), Some(pick(&bound)), 1).unwrap().unwrap();
        for (truth, found) in truth.iter().zip(found) {
            assert_eq!((truth.first_model, truth.total_model), (1.0, 1.0));
            // A first index differs by the estimators' scatter as well.
            assert!((truth.total - found.total).abs() <= found.total_model && found.total_model < 0.8);
            assert!((truth.first - found.first).abs() <= found.first_model + 0.05 && found.first_model < 0.8);
            assert!((truth.total - found.total).abs() > 0.05, "{truth:?} {found:?}");
        }
    }
}
