//! Empirical interpolation (Barrault, Maday, Nguyen, Patera 2004) of a function of position and
//! parameters: `c(x; mu) = sum_m c(x_m; mu) l_m(x)` with `l_m(x_k) = 1` for `m = k` and 0 otherwise.
//!
//! Positions are whatever the caller numbers: quadrature points, regions, nodes; each rank holds some
//! of them, copies included. When c is a finite sum of products the interpolation ends after as many
//! terms and is exact to round-off.
use crate::Result;
use crate::parallel::Comm;
use std::fmt::Debug;

/// Relative error at and below which an interpolation counts as exact: round-off of a short sum.
pub const EXACT: f64 = 1e-12;

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Relative error in the largest norm to stop at.
    pub tolerance: f64,
    /// At most so many terms.
    pub terms: usize,
}

/// An interpolation; its functions are known on this rank's positions.
pub struct Interpolation {
    /// Cardinal functions `l_m` on local positions.
    pub functions: Vec<Vec<f64>>,
    /// Interpolation points: the rank that owns each and its local position there.
    pub points: Vec<(usize, usize)>,
    /// Largest relative error over the training set.
    pub error: f64,
}

/// Most numbers that a rank keeps of the functions of the training parameters; the others are evaluated again for every
/// term.
const KEPT: usize = 1 << 25;

/// Builds the interpolation of `evaluate` (values on local positions at some parameters) over a training
/// set. `ids` names local positions independently of ranks; only `owned` ones may become points.
/// Collective.
///
/// # Errors
/// What `evaluate` returns; a value that is not finite.
pub fn interpolate<T: Debug>(
    comm: &Comm,
    ids: &[u64],
    owned: &[bool],
    training: &[T],
    limits: Limits,
    evaluate: &mut dyn FnMut(&T) -> Vec<f64>,
) -> Result<Interpolation> {
    let mut result = Interpolation { functions: Vec::new(), points: Vec::new(), error: 0.0 };
    let mut scales: Vec<f64> = Vec::new();
    let kept = comm.min((KEPT / ids.len().max(1)).min(training.len()));
    // What the interpolation leaves of the functions, one for each training parameter.
    let mut rest: Vec<Vec<f64>> = Vec::new();
    loop {
        // The training parameter whose function is represented worst, with what is left of it unless that is kept.
        let mut worst: Option<(f64, usize, Vec<f64>)> = None;
        for (k, parameters) in training.iter().enumerate() {
            let mut values = Vec::new();
            if k >= rest.len() {
                values = evaluate(parameters);
                if !result.points.is_empty() {
                    result.subtract(comm, &mut values);
                }
            }
            let size = comm.max(largest(rest.get(k).unwrap_or(&values), owned));
            if result.points.is_empty() {
                if !size.is_finite() {
                    return Err(crate::Error::Failed(format!(
                        "it has a value that is not finite at {parameters:?}"
                    )));
                }
                scales.push(size);
                if k < kept {
                    rest.push(std::mem::take(&mut values));
                }
            }
            if scales[k] == 0.0 {
                continue;
            }
            let error = size / scales[k];
            if worst.as_ref().is_none_or(|w| error > w.0) {
                worst = Some((error, k, values));
            }
        }
        let Some((error, k, values)) = worst else { return Ok(result) };
        result.error = error;
        if error <= limits.tolerance || result.points.len() == limits.terms {
            return Ok(result);
        }
        result.append(comm, ids, owned, rest.get(k).unwrap_or(&values));
        let (point, new) =
            (result.points[result.points.len() - 1], &result.functions[result.functions.len() - 1]);
        let mut factors: Vec<f64> =
            rest.iter().map(|rest| if point.0 == comm.rank() { rest[point.1] } else { 0.0 }).collect();
        comm.sum_into(&mut factors);
        for (rest, factor) in rest.iter_mut().zip(factors) {
            rest.iter_mut().zip(new).for_each(|(r, l)| *r -= factor * l);
        }
    }
}

impl Interpolation {
    /// Values of a function at the interpolation points, on every rank. Collective.
    pub fn at_points(&self, comm: &Comm, values: &[f64]) -> Vec<f64> {
        let mut result: Vec<f64> = self
            .points
            .iter()
            .map(|&(rank, position)| if rank == comm.rank() { values[position] } else { 0.0 })
            .collect();
        comm.sum_into(&mut result);
        result
    }

    /// Takes the interpolant of a function away from it. Collective.
    pub fn subtract(&self, comm: &Comm, values: &mut [f64]) {
        let factors = self.at_points(comm, values);
        for (factor, function) in factors.iter().zip(&self.functions) {
            values.iter_mut().zip(function).for_each(|(v, l)| *v -= factor * l);
        }
    }

    /// The largest error of the interpolant of a function, relative to the function. Collective.
    pub fn relative_error(&self, comm: &Comm, owned: &[bool], values: &[f64]) -> f64 {
        let scale = comm.max(largest(values, owned));
        let mut rest = values.to_vec();
        self.subtract(comm, &mut rest);
        let error = comm.max(largest(&rest, owned));
        if scale > 0.0 { error / scale } else { error }
    }

    /// Adds the point where `residual` is largest and the cardinal function that goes with it.
    fn append(&mut self, comm: &Comm, ids: &[u64], owned: &[bool], residual: &[f64]) {
        // Among positions equal to round-off the lowest id counts, whichever rank holds it.
        let peak = comm.max(largest(residual, owned));
        let candidate = (0..residual.len())
            .filter(|&i| owned[i] && residual[i].abs() >= peak * (1.0 - 1e-9))
            .min_by_key(|&i| ids[i]);
        let lowest = comm.min(candidate.map_or(u64::MAX, |i| ids[i]));
        let mine = candidate.filter(|&i| ids[i] == lowest);
        let rank = comm.min(if mine.is_some() { comm.rank() } else { comm.size() } as u64) as usize;
        self.points.push((rank, mine.filter(|_| rank == comm.rank()).unwrap_or(0)));
        let pivot = *self.at_points(comm, residual).last().expect("just pushed");
        let new: Vec<f64> = residual.iter().map(|r| r / pivot).collect();
        for function in &mut self.functions {
            let (owner, position) = *self.points.last().expect("just pushed");
            let there = comm.sum(if owner == comm.rank() { function[position] } else { 0.0 });
            function.iter_mut().zip(&new).for_each(|(f, n)| *f -= there * n);
        }
        self.functions.push(new);
    }
}

/// The largest magnitude at owned positions, in eight lanes; infinity where one is no number.
fn largest(values: &[f64], owned: &[bool]) -> f64 {
    let (mut largest, mut spoilt) = ([0.0f64; 8], [0.0; 8]);
    let mut see = |lane: usize, value: f64, owned: bool| {
        let size = if owned { value.abs() } else { 0.0 };
        largest[lane] = if size > largest[lane] { size } else { largest[lane] };
        // Not a number where the value is none, or infinite.
        spoilt[lane] += 0.0 * size;
    };
    let ((values, last), (owned, last_owned)) = (values.as_chunks::<8>(), owned.as_chunks::<8>());
    for (values, owned) in values.iter().zip(owned) {
        (0..8).for_each(|lane| see(lane, values[lane], owned[lane]));
    }
    last.iter().zip(last_owned).for_each(|(value, owned)| see(0, *value, *owned));
    if spoilt.iter().any(|s| s.is_nan()) { f64::INFINITY } else { largest.into_iter().fold(0.0, f64::max) }
}
