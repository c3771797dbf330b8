//! Tall dense matrices, distributed by rows like the vectors that they are made of.
use super::product::InnerProduct;
use crate::Result;
use crate::parallel::Comm;
use faer::{Accum, Mat, MatRef, Par};

/// Columns of one length, of which every rank holds its own rows.
#[derive(Clone)]
pub struct Columns {
    /// Who shares the columns.
    pub comm: Comm,
    rows: usize,
    count: usize,
    /// Column by column.
    data: Vec<f64>,
}

impl Columns {
    /// No columns yet, of `rows` rows on this rank.
    pub fn new(comm: &Comm, rows: usize) -> Self {
        Self { comm: comm.clone(), rows, count: 0, data: Vec::new() }
    }

    /// Appends a column (this rank's rows).
    pub fn push(&mut self, column: &[f64]) {
        assert_eq!(column.len(), self.rows, "a column has the rows of the others");
        self.data.extend_from_slice(column);
        self.count += 1;
    }

    /// Number of columns.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Number of this rank's rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// This rank's rows of column `j`.
    pub fn column(&self, j: usize) -> &[f64] {
        &self.data[j * self.rows..(j + 1) * self.rows]
    }

    /// This rank's rows of column `j`, to change.
    pub fn column_mut(&mut self, j: usize) -> &mut [f64] {
        &mut self.data[j * self.rows..(j + 1) * self.rows]
    }

    /// Keeps the first `count` columns.
    pub fn truncate(&mut self, count: usize) {
        self.count = self.count.min(count);
        self.data.truncate(self.count * self.rows);
    }

    /// This rank's rows as a dense matrix.
    pub fn local(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.data, self.rows, self.count)
    }

    /// `self^T other`, on every rank. Collective.
    pub fn product(&self, other: &Self) -> Mat<f64> {
        let mut result = Mat::zeros(self.count, other.count);
        let (left, right) = (self.local(), other.local());
        faer::linalg::matmul::matmul(result.as_mut(), Accum::Replace, left.transpose(), right, 1.0, Par::Seq);
        sum_matrix(&self.comm, &mut result);
        result
    }

    /// `self^T x`, on every rank. Collective.
    pub fn coefficients(&self, x: &[f64]) -> Vec<f64> {
        let mut result: Vec<f64> = (0..self.count).map(|j| dot(self.column(j), x)).collect();
        self.comm.sum_into(&mut result);
        result
    }

    /// `self * factors`: new columns that combine these.
    pub fn combine(&self, factors: MatRef<'_, f64>) -> Self {
        let mut result = Mat::<f64>::zeros(self.rows, factors.ncols());
        faer::linalg::matmul::matmul(result.as_mut(), Accum::Replace, self.local(), factors, 1.0, Par::Seq);
        Self::from_matrix(&self.comm, result.as_ref())
    }

    /// Adds `sum_j factors[j] column_j` to `x`. Local.
    pub fn add_to(&self, factors: &[f64], x: &mut [f64]) {
        for (j, &factor) in factors.iter().enumerate() {
            if factor != 0.0 {
                for (x, &v) in x.iter_mut().zip(self.column(j)) {
                    *x += factor * v;
                }
            }
        }
    }

    /// The columns of a dense matrix that holds this rank's rows.
    pub fn from_matrix(comm: &Comm, matrix: MatRef<'_, f64>) -> Self {
        let mut columns = Self::new(comm, matrix.nrows());
        for j in 0..matrix.ncols() {
            columns.data.extend((0..matrix.nrows()).map(|i| matrix[(i, j)]));
        }
        columns.count = matrix.ncols();
        columns
    }

    /// The image of every column under an inner product's matrix. Collective.
    pub fn image(&self, product: &dyn InnerProduct) -> Result<Self> {
        let mut result = self.clone();
        for j in 0..self.count {
            product.apply(self.column(j), result.column_mut(j))?;
        }
        Ok(result)
    }
}

/// Sum of a small matrix over ranks, in place. Collective.
pub fn sum_matrix(comm: &Comm, matrix: &mut Mat<f64>) {
    let (rows, columns) = (matrix.nrows(), matrix.ncols());
    let mut flat: Vec<f64> =
        (0..columns).flat_map(|j| (0..rows).map(move |i| (i, j))).map(|(i, j)| matrix[(i, j)]).collect();
    comm.sum_into(&mut flat);
    *matrix = Mat::from_fn(rows, columns, |i, j| flat[j * rows + i]);
}

/// This rank's part of a scalar product, summed in eight lanes.
pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (x_chunks, y_chunks) = (x.chunks_exact(8), y.chunks_exact(8));
    let rest: f64 = x_chunks.remainder().iter().zip(y_chunks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in x_chunks.zip(y_chunks) {
        for l in 0..8 {
            lanes[l] += a[l] * b[l];
        }
    }
    lanes.iter().sum::<f64>() + rest
}
