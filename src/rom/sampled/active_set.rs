//! Least squares on the columns that have a weight, by a Cholesky factor of their Gram matrix that grows and shrinks with
//! them.
//!
//! Sums are taken in one order, by plain loops, so that ranks that hold the same numbers find the same weights to the last
//! bit.
use std::rc::Rc;

/// A column whose part outside of the others is below the root of this, relative to its length, counts as a sum of them.
const DEPENDENT: f64 = 1e-13;
/// A weight below this, relative to the largest, is none.
const NOTHING: f64 = 1e-14;

/// Columns with positive weights, and what these leave of the right-hand side.
#[derive(Clone)]
pub(super) struct ActiveSet {
    target: Rc<[f64]>,
    columns: Vec<Rc<[f64]>>,
    /// Rows of the lower triangular factor of the Gram matrix; shared with a copy of the set until they change.
    factor: Vec<Rc<Vec<f64>>>,
    /// Numbers of the columns.
    pub(super) ids: Vec<u64>,
    /// Their weights, positive.
    pub(super) weights: Vec<f64>,
    /// The right-hand side without the weighted columns.
    pub(super) residual: Vec<f64>,
}

impl ActiveSet {
    /// No columns yet for a right-hand side.
    pub(super) fn new(target: &[f64]) -> Self {
        let (columns, factor, ids, weights) = Default::default();
        Self { target: target.into(), columns, factor, ids, weights, residual: target.to_vec() }
    }

    /// Norm of the right-hand side.
    pub(super) fn size(&self) -> f64 {
        norm(&self.target)
    }

    /// Takes a column in and finds the weights that are best among non-negative ones, as Lawson and Hanson (1974) do: columns
    /// whose weights would become negative leave. Returns whether the new column is of use: it is no sum of the others, the
    /// residual became smaller, and it stays.
    pub(super) fn insert(&mut self, id: u64, column: &[f64]) -> bool {
        let mut products: Vec<f64> = self.columns.iter().map(|c| dot(c, column)).collect();
        products.push(dot(column, column));
        let Some(row) = factor_row(&self.factor, products) else { return false };
        let before = self.clone();
        self.columns.push(column.into());
        self.factor.push(row.into());
        self.ids.push(id);
        self.weights.push(0.0);
        while !self.columns.is_empty() {
            let best = self.least_squares();
            if best.iter().all(|weight| *weight > 0.0) {
                self.weights = best;
                break;
            }
            self.step_towards(&best);
        }
        self.residual = self.remainder(&self.weights);
        if norm(&self.residual) >= norm(&before.residual) {
            // Round-off: nothing to be had from it.
            *self = before;
            return false;
        }
        self.ids.contains(&id)
    }

    /// Goes towards the weights `best` until the first is zero, and takes the columns without weights out.
    fn step_towards(&mut self, best: &[f64]) {
        let (mut step, mut first) = (f64::INFINITY, 0);
        for (k, (now, best)) in self.weights.iter().zip(best).enumerate() {
            // What starts and ends at zero does not move.
            let length = if *now > 0.0 { now / (now - best) } else { 0.0 };
            if *best <= 0.0 && length < step {
                (step, first) = (length, k);
            }
        }
        self.weights.iter_mut().zip(best).for_each(|(now, best)| *now += step * (best - *now));
        let least = NOTHING * self.weights.iter().fold(0.0, |a: f64, b| a.max(*b));
        for k in (0..self.weights.len()).rev() {
            if k == first || self.weights[k] <= least {
                self.remove(k);
            }
        }
    }

    /// Takes the column at a place out. What it had in common with those after it goes into their part of the factor, a rank-one
    /// update (Golub, Van Loan 2013, section 6.5.4) that only raises pivots.
    fn remove(&mut self, place: usize) {
        self.columns.remove(place);
        self.ids.remove(place);
        self.weights.remove(place);
        self.factor.remove(place);
        let mut common: Vec<f64> =
            self.factor[place..].iter_mut().map(|row| Rc::make_mut(row).remove(place)).collect();
        for k in place..self.factor.len() {
            let (own, pivot) = (common[k - place], self.factor[k][k]);
            let raised = pivot.hypot(own);
            let (c, s) = (raised / pivot, own / pivot);
            Rc::make_mut(&mut self.factor[k])[k] = raised;
            for (row, common) in self.factor[k + 1..].iter_mut().zip(&mut common[k + 1 - place..]) {
                let value = &mut Rc::make_mut(row)[k];
                *value = (*value + s * *common) / c;
                *common = c * *common - s * *value;
            }
        }
    }

    /// The weights of least squares, of any sign, refined once as the Gram matrix squares the condition.
    fn least_squares(&self) -> Vec<f64> {
        let mut weights = vec![0.0; self.columns.len()];
        for _ in 0..2 {
            let rest = self.remainder(&weights);
            let mut change: Vec<f64> = self.columns.iter().map(|c| dot(c, &rest)).collect();
            for i in 0..change.len() {
                let row = &self.factor[i];
                change[i] = (change[i] - dot(&row[..i], &change[..i])) / row[i];
            }
            for i in (0..change.len()).rev() {
                let row = &self.factor[i];
                change[i] /= row[i];
                let (before, now) = change.split_at_mut(i);
                before.iter_mut().zip(row.iter()).for_each(|(c, l)| *c -= l * now[0]);
            }
            weights.iter_mut().zip(change).for_each(|(w, c)| *w += c);
        }
        weights
    }

    /// The right-hand side without columns of these weights.
    fn remainder(&self, weights: &[f64]) -> Vec<f64> {
        let mut rest = self.target.to_vec();
        for (column, weight) in self.columns.iter().zip(weights) {
            rest.iter_mut().zip(column.iter()).for_each(|(r, c)| *r -= weight * c);
        }
        rest
    }
}

/// The next row of the factor for a row of the Gram matrix; `None` where it has no positive pivot to speak of.
fn factor_row(factor: &[Rc<Vec<f64>>], mut row: Vec<f64>) -> Option<Vec<f64>> {
    let last = row.len() - 1;
    for i in 0..last {
        row[i] = (row[i] - dot(&factor[i][..i], &row[..i])) / factor[i][i];
    }
    let square = row[last] - dot(&row[..last], &row[..last]);
    let large = square > DEPENDENT * row[last];
    row[last] = square.max(0.0).sqrt();
    large.then_some(row)
}

/// The scalar product, summed in eight parts.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (heads, tails) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = heads.remainder().iter().zip(tails.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = [0.0; 8];
    for (a, b) in heads.zip(tails) {
        for k in 0..8 {
            sums[k] += a[k] * b[k];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// The Euclidean norm.
pub(super) fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_without_a_column_is_that_of_the_others() {
        let columns: Vec<Vec<f64>> =
            (0..7).map(|k| (0..9).map(|i| ((3 * k * i + k + 5 * i) as f64).sin()).collect()).collect();
        for place in 0..7 {
            let mut set = ActiveSet::new(&[0.0; 9]);
            for (id, column) in columns.iter().enumerate() {
                let products = columns[..=id].iter().map(|other| dot(other, column)).collect();
                set.factor.push(factor_row(&set.factor, products).unwrap().into());
                set.columns.push(column.as_slice().into());
                set.ids.push(id as u64);
                set.weights.push(1.0);
            }
            let before = set.clone();
            set.remove(place);
            assert_eq!((set.factor.len(), before.factor.len()), (6, 7));
            for (i, row) in set.factor.iter().enumerate() {
                assert_eq!(row.len(), i + 1);
                for (j, other) in set.factor[..=i].iter().enumerate() {
                    let expected = dot(&set.columns[i], &set.columns[j]);
                    let found: f64 = row.iter().zip(other.iter()).map(|(a, b)| a * b).sum();
                    assert!((found - expected).abs() < 1e-13, "{place}: {i}, {j}: {found} {expected}");
                }
            }
        }
    }
}
