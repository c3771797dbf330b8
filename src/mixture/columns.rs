//! Tall dense matrices, distributed by rows like the vectors that they are made of.
use super::block;
use super::product::InnerProduct;
use crate::Result;
use crate::parallel::Comm;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};

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

    fn zeros(comm: &Comm, rows: usize, count: usize) -> Self {
        Self { comm: comm.clone(), rows, count, data: vec![0.0; rows * count] }
    }

    /// Appends a column (this rank's rows).
    pub fn push(&mut self, column: &[f64]) {
        assert_eq!(column.len(), self.rows, "a column has the rows of the others");
        self.data.extend_from_slice(column);
        self.count += 1;
    }

    /// Appends other columns.
    pub fn extend<'a>(&mut self, columns: impl IntoIterator<Item = &'a [f64]>) {
        columns.into_iter().for_each(|column| self.push(column));
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

    /// Adds columns of the same number and length. Local.
    pub fn add(&mut self, other: &Self) {
        for j in 0..self.count() {
            self.column_mut(j).iter_mut().zip(other.column(j)).for_each(|(a, b)| *a += b);
        }
    }

    /// This rank's rows of all columns, one after the other.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        (0..self.count).map(|j| self.column(j))
    }

    /// Keeps the first `count` columns.
    pub fn truncate(&mut self, count: usize) {
        self.count = self.count.min(count);
        self.data.truncate(self.count * self.rows);
    }

    /// This rank's rows, column by column.
    pub fn all(&self) -> &[f64] {
        &self.data
    }

    /// This rank's rows as a dense matrix.
    pub fn local(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.data, self.rows, self.count)
    }

    fn list(&self) -> Vec<&[f64]> {
        self.iter().collect()
    }

    /// `self^T other`, on every rank: one reduction. Collective.
    pub fn product(&self, other: &Self) -> Mat<f64> {
        let mut flat = vec![0.0; self.count * other.count];
        let result = MatMut::from_column_major_slice_mut(&mut flat, self.count, other.count);
        matmul(result, Accum::Replace, self.local().transpose(), other.local(), 1.0, Par::Seq);
        self.comm.sum_into(&mut flat);
        MatRef::from_column_major_slice(&flat, self.count, other.count).to_owned()
    }

    /// `self^T x`, on every rank: one pass over the rows, one reduction. Collective.
    pub fn coefficients(&self, x: &[f64]) -> Vec<f64> {
        block::products(&self.comm, &self.list(), &[x]).col(0).iter().copied().collect()
    }

    /// `self * factors`: new columns that combine these.
    pub fn combine(&self, factors: MatRef<'_, f64>) -> Self {
        let mut result = Self::zeros(&self.comm, self.rows, factors.ncols());
        self.add_products(factors, 1.0, &mut result);
        result
    }

    /// Adds `scale * self * factors` to other columns. Local.
    pub fn add_products(&self, factors: MatRef<'_, f64>, scale: f64, to: &mut Self) {
        let result = MatMut::from_column_major_slice_mut(&mut to.data, to.rows, to.count);
        matmul(result, Accum::Add, self.local(), factors, scale, Par::Seq);
    }

    /// Adds `sum_j factors[j] column_j` to `x`, in one pass over its rows. Local.
    pub fn add_to(&self, factors: &[f64], x: &mut [f64]) {
        block::add(&self.list(), factors, x);
    }

    /// Subtracts `sum_j factors[j] column_j` from `x`. Local.
    pub fn subtract_from(&self, factors: &[f64], x: &mut [f64]) {
        self.add_to(&factors.iter().map(|factor| -factor).collect::<Vec<_>>(), x);
    }

    /// Takes from `x` its part along these columns, which are orthonormal: two passes. Returns the coefficients.
    /// Collective.
    pub fn remove_from(&self, x: &mut [f64]) -> Vec<f64> {
        let mut sum = vec![0.0; self.count];
        for _ in 0..2 {
            let part = self.coefficients(x);
            self.subtract_from(&part, x);
            sum.iter_mut().zip(&part).for_each(|(s, p)| *s += p);
        }
        sum
    }

    /// Euclidean lengths of the columns, in one reduction. Collective.
    pub fn lengths(&self) -> Vec<f64> {
        let mut squares: Vec<f64> = self.iter().map(|column| block::dot(column, column)).collect();
        self.comm.sum_into(&mut squares);
        squares.iter().map(|square| square.sqrt()).collect()
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
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn image(&self, product: &dyn InnerProduct) -> Result<Self> {
        let mut result = Self::zeros(&self.comm, self.rows, self.count);
        for j in 0..self.count {
            product.apply(self.column(j), result.column_mut(j))?;
        }
        Ok(result)
    }

    /// The columns, each divided by its largest magnitude. Collective.
    pub fn scaled_to_one(mut self) -> Self {
        for j in 0..self.count {
            let largest = self.column(j).iter().fold(f64::MIN_POSITIVE, |m, v| m.max(v.abs()));
            let scale = 1.0 / self.comm.max(largest);
            self.column_mut(j).iter_mut().for_each(|v| *v *= scale);
        }
        self
    }
}
