//! Products, norms and other operations on whole matrices.
use super::Matrix;
use crate::error::{Error, Result};
use crate::session::{int, truth};
use crate::vector::Norm;
use crate::{Int, Vector};
use petsc_sys::*;
use std::ptr::null_mut;

impl Matrix {
    /// `self *= alpha`.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn scale(&mut self, alpha: f64) -> Result<()> {
        petsc!(MatScale(self.raw, alpha))
    }

    /// `self = diag(left) self diag(right)`; `None` is the identity.
    ///
    /// # Errors
    /// When sizes differ.
    pub fn diagonal_scale(&mut self, left: Option<&Vector>, right: Option<&Vector>) -> Result<()> {
        let raw = |v: Option<&Vector>| v.map_or(null_mut(), |v| v.raw);
        petsc!(MatDiagonalScale(self.raw, raw(left), raw(right)))
    }

    /// `self += alpha other`; fastest when `same_pattern` can be promised.
    ///
    /// # Errors
    /// When sizes differ, or the patterns that were promised to be the same.
    pub fn axpy(&mut self, alpha: f64, other: &Matrix, same_pattern: bool) -> Result<()> {
        same(self.row_layout()?, other.row_layout()?)?;
        same(self.column_layout()?, other.column_layout()?)?;
        // PETSc would add the arrays without looking.
        if same_pattern && self.stored_values() != other.stored_values() {
            return Err(Error::argument("the matrices have different patterns"));
        }
        let structure = match same_pattern {
            true => MatStructure_SAME_NONZERO_PATTERN,
            false => MatStructure_DIFFERENT_NONZERO_PATTERN,
        };
        petsc!(MatAXPY(self.raw, alpha, other.raw, structure))
    }

    /// `y = A x`.
    ///
    /// # Errors
    /// When sizes differ.
    pub fn mult(&self, x: &Vector, y: &mut Vector) -> Result<()> {
        self.check_fit(x, y)?;
        petsc!(MatMult(self.raw, x.raw, y.raw))
    }

    /// `y += A x`.
    ///
    /// # Errors
    /// When sizes differ.
    pub fn mult_add(&self, x: &Vector, y: &mut Vector) -> Result<()> {
        self.check_fit(x, y)?;
        petsc!(MatMultAdd(self.raw, x.raw, y.raw, y.raw))
    }

    /// `y = A^T x`.
    ///
    /// # Errors
    /// When sizes differ.
    pub fn mult_transpose(&self, x: &Vector, y: &mut Vector) -> Result<()> {
        self.check_fit(y, x)?;
        petsc!(MatMultTranspose(self.raw, x.raw, y.raw))
    }

    /// `b - A x` into `r`.
    ///
    /// # Errors
    /// When sizes differ.
    pub fn residual(&self, b: &Vector, x: &Vector, r: &mut Vector) -> Result<()> {
        self.check_fit(x, b)?;
        self.check_fit(x, r)?;
        petsc!(MatResidual(self.raw, b.raw, x.raw, r.raw))
    }

    /// `A B` as a new matrix.
    ///
    /// # Errors
    /// When sizes differ.
    pub fn mat_mult(&self, b: &Matrix) -> Result<Self> {
        let mut raw = null_mut();
        same(self.column_layout()?, b.row_layout()?)?;
        petsc!(MatMatMult(self.raw, b.raw, MatReuse_MAT_INITIAL_MATRIX, PETSC_DEFAULT as f64, &mut raw))?;
        Self::from_raw(raw)
    }

    /// `A B^T` as a new matrix; on several ranks for dense matrices only.
    ///
    /// # Errors
    /// When sizes differ, or PETSc does not offer it for these types.
    pub fn mat_transpose_mult(&self, b: &Matrix) -> Result<Self> {
        same(self.column_layout()?, b.column_layout()?)?;
        let mut raw = null_mut();
        petsc!(MatMatTransposeMult(
            self.raw,
            b.raw,
            MatReuse_MAT_INITIAL_MATRIX,
            PETSC_DEFAULT as f64,
            &mut raw
        ))?;
        Self::from_raw(raw)
    }

    /// `self = A B` again, where `self` came from [`Matrix::mat_mult`] of matrices with the same patterns.
    ///
    /// # Errors
    /// When `self` is no such product.
    pub fn mat_mult_again(&mut self, a: &Matrix, b: &Matrix) -> Result<()> {
        petsc!(MatMatMult(a.raw, b.raw, MatReuse_MAT_REUSE_MATRIX, PETSC_DEFAULT as f64, &mut self.raw))
    }

    /// `self = P^T A P` again, where `self` came from [`Matrix::ptap`] of matrices with the same patterns.
    ///
    /// # Errors
    /// When `self` is no such product.
    pub fn ptap_again(&mut self, a: &Matrix, p: &Matrix) -> Result<()> {
        petsc!(MatPtAP(a.raw, p.raw, MatReuse_MAT_REUSE_MATRIX, PETSC_DEFAULT as f64, &mut self.raw))
    }

    /// `A^T B` as a new matrix.
    ///
    /// # Errors
    /// When sizes differ.
    pub fn transpose_mat_mult(&self, b: &Matrix) -> Result<Self> {
        let mut raw = null_mut();
        same(self.row_layout()?, b.row_layout()?)?;
        petsc!(MatTransposeMatMult(
            self.raw,
            b.raw,
            MatReuse_MAT_INITIAL_MATRIX,
            PETSC_DEFAULT as f64,
            &mut raw
        ))?;
        Self::from_raw(raw)
    }

    /// `P^T A P` as a new matrix.
    ///
    /// # Errors
    /// When sizes differ.
    pub fn ptap(&self, p: &Matrix) -> Result<Self> {
        let mut raw = null_mut();
        same(self.row_layout()?, p.row_layout()?)?;
        same(self.column_layout()?, p.row_layout()?)?;
        petsc!(MatPtAP(self.raw, p.raw, MatReuse_MAT_INITIAL_MATRIX, PETSC_DEFAULT as f64, &mut raw))?;
        Self::from_raw(raw)
    }

    /// The transpose as a new matrix.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn transpose(&self) -> Result<Self> {
        let mut raw = null_mut();
        petsc!(MatTranspose(self.raw, MatReuse_MAT_INITIAL_MATRIX, &mut raw))?;
        Self::from_raw(raw)
    }

    /// Whether `|A - A^T|` stays within `tolerance` in every entry.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn is_symmetric(&self, tolerance: f64) -> Result<bool> {
        let mut flag = truth(false);
        petsc!(MatIsSymmetric(self.raw, tolerance, &mut flag))?;
        Ok(flag == truth(true))
    }

    /// The diagonal into `d`.
    ///
    /// # Errors
    /// When sizes differ.
    pub fn diagonal(&self, d: &mut Vector) -> Result<()> {
        self.check_fit(d, d)?;
        petsc!(MatGetDiagonal(self.raw, d.raw))
    }

    /// `self += diag(d)`.
    ///
    /// # Errors
    /// When sizes differ, or the pattern has no diagonal.
    pub fn add_diagonal(&mut self, d: &Vector) -> Result<()> {
        self.check_fit(d, d)?;
        petsc!(MatDiagonalSet(self.raw, d.raw, InsertMode_ADD_VALUES))
    }

    /// A norm over all ranks ([`Norm::Two`] is not available).
    ///
    /// # Errors
    /// When PETSc does not offer that norm.
    pub fn norm(&self, norm: Norm) -> Result<f64> {
        let mut value = 0.0;
        petsc!(MatNorm(self.raw, norm.raw(), &mut value))?;
        Ok(value)
    }

    /// Zeroes the given global rows and columns (of any rank), puts `diagonal` on their diagonal, and
    /// corrects `b` so that the solution takes the values of `x` there: symmetric elimination.
    ///
    /// # Errors
    /// When a row does not exist.
    pub fn zero_rows_columns(
        &mut self,
        rows: &[Int],
        diagonal: f64,
        values: Option<(&Vector, &mut Vector)>,
    ) -> Result<()> {
        let (x, b) = values.map_or((null_mut(), null_mut()), |(x, b)| (x.raw, b.raw));
        petsc!(MatZeroRowsColumns(self.raw, int(rows.len())?, rows.as_ptr(), diagonal, x, b))
    }

    /// Zeroes the given global rows (of any rank) and puts `diagonal` on their diagonal.
    ///
    /// # Errors
    /// When a row does not exist.
    pub fn zero_rows(&mut self, rows: &[Int], diagonal: f64) -> Result<()> {
        petsc!(MatZeroRows(self.raw, int(rows.len())?, rows.as_ptr(), diagonal, null_mut(), null_mut()))
    }
}

pub(super) fn same(a: &[Int], b: &[Int]) -> Result<()> {
    match a == b {
        true => Ok(()),
        false => Err(Error::argument(format!(
            "a dimension of {} against one of {}, or they are spread over the ranks differently",
            a.last().unwrap_or(&0),
            b.last().unwrap_or(&0)
        ))),
    }
}
