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
    /// Products of a column with itself and the columns before it.
    gram: Vec<Vec<f64>>,
    /// Rows of the lower triangular factor of the Gram matrix.
    factor: Vec<Vec<f64>>,
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
        let (columns, gram, factor, ids, weights) = Default::default();
        Self { target: target.into(), columns, gram, factor, ids, weights, residual: target.to_vec() }
    }

    /// Takes a column in and finds the weights that are best among non-negative ones, as Lawson and Hanson (1974) do: columns
    /// whose weights would become negative leave. Returns whether the new column is of use: it is no sum of the others, the
    /// residual became smaller, and it stays.
    pub(super) fn insert(&mut self, id: u64, column: &[f64]) -> bool {
        let mut products: Vec<f64> = self.columns.iter().map(|c| dot(c, column)).collect();
        products.push(dot(column, column));
        let Some(row) = factor_row(&self.factor, &products) else { return false };
        let before = self.clone();
        self.columns.push(column.into());
        self.gram.push(products);
        self.factor.push(row);
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

    /// Takes the column at a place out.
    fn remove(&mut self, place: usize) {
        self.columns.remove(place);
        self.ids.remove(place);
        self.weights.remove(place);
        self.gram.remove(place);
        self.gram[place..].iter_mut().for_each(|row| {
            row.remove(place);
        });
        self.factor.truncate(place);
        for products in &self.gram[place..] {
            // The others were independent with this column, so they are without it; at the edge of round-off too.
            let row = factor_row(&self.factor, products);
            let row = row.unwrap_or_else(|| pivoted(&self.factor, products, DEPENDENT));
            self.factor.push(row);
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
                let sum: f64 = (i + 1..change.len()).map(|k| self.factor[k][i] * change[k]).sum();
                change[i] = (change[i] - sum) / self.factor[i][i];
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
fn factor_row(factor: &[Vec<f64>], products: &[f64]) -> Option<Vec<f64>> {
    let row = pivoted(factor, products, 0.0);
    let last = row.len() - 1;
    (row[last] * row[last] > DEPENDENT * products[last]).then_some(row)
}

/// The next row of the factor, with the square of its pivot at least `floor` of the column's.
fn pivoted(factor: &[Vec<f64>], products: &[f64], floor: f64) -> Vec<f64> {
    let mut row = products.to_vec();
    let last = row.len() - 1;
    for i in 0..last {
        row[i] = (row[i] - dot(&factor[i][..i], &row[..i])) / factor[i][i];
    }
    let square = products[last] - dot(&row[..last], &row[..last]);
    row[last] = square.max(floor * products[last]).sqrt();
    row
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
