//! Distributed matrices.
mod algebra;
mod arrays;
mod coo;
mod csr;
mod nest;
mod null_space;
mod shell;

pub use arrays::{AijArrays, DenseArray};
pub use csr::Csr;

use crate::error::{Error, Result};
use crate::session::{int, name, ranks, truth};
use crate::{IndexSet, Int, Vector};
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use petsc_sys::*;
use std::ops::Range;
use std::ptr::{null, null_mut};

handle!(
    /// A distributed matrix (`Mat`): each rank owns a contiguous range of rows.
    Matrix,
    Mat,
    MatDestroy
);

/// A property that the caller promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatrixOption {
    /// Equal to its transpose, now and after every later change of values.
    Symmetric,
    /// Symmetric positive definite, now and after every later change of values.
    PositiveDefinite,
    /// Entries outside the preallocated pattern are an error.
    NewNonzeroError,
    /// `zero_rows` keeps the pattern.
    KeepNonzeroPattern,
}

impl Matrix {
    /// Dense matrix, values zero; `rows_local` rows on this rank, `columns` columns over all ranks.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn dense(comm: &SimpleCommunicator, rows_local: usize, columns: usize) -> Result<Self> {
        let mut raw = null_mut();
        let (rows, columns) = (int(rows_local)?, int(columns)?);
        petsc!(MatCreateDense(
            comm.as_raw(),
            rows,
            PETSC_DECIDE,
            PETSC_DECIDE,
            columns,
            null_mut(),
            &mut raw
        ))?;
        let mut matrix = Self::from_raw(raw)?;
        matrix.assemble()?;
        Ok(matrix)
    }

    fn sized(comm: &SimpleCommunicator, rows: usize, columns: usize) -> Result<Self> {
        let mut raw = null_mut();
        petsc!(MatCreate(comm.as_raw(), &mut raw))?;
        let matrix = Self::from_raw(raw)?;
        petsc!(MatSetSizes(raw, int(rows)?, int(columns)?, PETSC_DECIDE, PETSC_DECIDE))?;
        Ok(matrix)
    }

    /// Own rows and own columns. Local.
    pub fn local_size(&self) -> (usize, usize) {
        let (mut rows, mut columns) = (0, 0);
        // SAFETY: the handle is live; cannot fail on a set-up matrix.
        unsafe { MatGetLocalSize(self.raw, &mut rows, &mut columns) };
        (rows as usize, columns as usize)
    }

    /// Rows and columns over all ranks. Local.
    pub fn global_size(&self) -> (usize, usize) {
        let (mut rows, mut columns) = (0, 0);
        // SAFETY: as above.
        unsafe { MatGetSize(self.raw, &mut rows, &mut columns) };
        (rows as usize, columns as usize)
    }

    /// Block size of the rows. Local.
    pub fn block_size(&self) -> usize {
        let mut size = 1;
        // SAFETY: as above.
        unsafe { MatGetBlockSize(self.raw, &mut size) };
        size as usize
    }

    /// Global numbers of the own rows. Local.
    pub fn row_range(&self) -> Range<usize> {
        let (mut start, mut end) = (0, 0);
        // SAFETY: as above.
        unsafe { MatGetOwnershipRange(self.raw, &mut start, &mut end) };
        start as usize..end as usize
    }

    /// Global numbers of the own columns. Local.
    pub fn column_range(&self) -> Range<usize> {
        let (mut start, mut end) = (0, 0);
        // SAFETY: as above.
        unsafe { MatGetOwnershipRangeColumn(self.raw, &mut start, &mut end) };
        start as usize..end as usize
    }

    /// Stored entries over all ranks.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn nonzeros(&self) -> Result<f64> {
        let mut info = std::mem::MaybeUninit::<MatInfo>::zeroed();
        petsc!(MatGetInfo(self.raw, MatInfoType_MAT_GLOBAL_SUM, info.as_mut_ptr()))?;
        // SAFETY: plain numbers, zeroed before.
        Ok(unsafe { info.assume_init() }.nz_used)
    }

    /// Zero vectors `(x, y)` that fit `y = A x`.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn vectors(&self) -> Result<(Vector, Vector)> {
        let (mut x, mut y) = (null_mut(), null_mut());
        petsc!(MatCreateVecs(self.raw, &mut x, &mut y))?;
        let (mut x, mut y) = (Vector::from_raw(x)?, Vector::from_raw(y)?);
        x.set(0.0)?;
        y.set(0.0)?;
        Ok((x, y))
    }

    /// First row of every rank, and the number of rows; see [`Vector::layout`]. Local.
    pub(crate) fn row_layout(&self) -> Result<&[Int]> {
        let mut ranges = null();
        petsc!(MatGetOwnershipRanges(self.raw, &mut ranges))?;
        // SAFETY: one entry a rank and one more, alive as long as the matrix.
        Ok(unsafe { std::slice::from_raw_parts(ranges, ranks(self.mpi_comm()?) + 1) })
    }

    /// As [`Matrix::row_layout`], for columns.
    pub(crate) fn column_layout(&self) -> Result<&[Int]> {
        let mut ranges = null();
        petsc!(MatGetOwnershipRangesColumn(self.raw, &mut ranges))?;
        // SAFETY: as above.
        Ok(unsafe { std::slice::from_raw_parts(ranges, ranks(self.mpi_comm()?) + 1) })
    }

    /// Whether `x` fits the columns and `y` the rows. The same verdict on all ranks. Local.
    pub(crate) fn check_fit(&self, x: &Vector, y: &Vector) -> Result<()> {
        if self.column_layout()? == x.layout()? && self.row_layout()? == y.layout()? {
            return Ok(());
        }
        let (rows, columns) = self.global_size();
        Err(Error::argument(format!(
            "a matrix of {rows} rows and {columns} columns does not fit vectors of {} entries (columns) and {} (rows), \
             or they are spread over the ranks differently",
            x.global_size(),
            y.global_size()
        )))
    }

    /// Finishes a change of values.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn assemble(&mut self) -> Result<()> {
        petsc!(MatAssemblyBegin(self.raw, MatAssemblyType_MAT_FINAL_ASSEMBLY))?;
        petsc!(MatAssemblyEnd(self.raw, MatAssemblyType_MAT_FINAL_ASSEMBLY))
    }

    /// Adds the entries of a dense block, `[row, column]`, to those in these rows and columns, by global numbers;
    /// negative ones are passed over. Finish with [`Matrix::assemble`]. Local.
    ///
    /// # Errors
    /// When the block has another size, or PETSc takes no new entries.
    pub fn add_block(&mut self, rows: &[Int], columns: &[Int], values: &[f64]) -> Result<()> {
        if values.len() != rows.len() * columns.len() {
            return Err(Error::argument("a block has one value for each of its rows and columns"));
        }
        let (m, n) = (int(rows.len())?, int(columns.len())?);
        let (rows, columns) = (rows.as_ptr(), columns.as_ptr());
        petsc!(MatSetValues(self.raw, m, rows, n, columns, values.as_ptr(), InsertMode_ADD_VALUES))
    }

    /// A matrix of the same pattern, with the values when `values`, else with zeros.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn duplicate(&self, values: bool) -> Result<Self> {
        let option = match values {
            true => MatDuplicateOption_MAT_COPY_VALUES,
            false => MatDuplicateOption_MAT_DO_NOT_COPY_VALUES,
        };
        let mut raw = null_mut();
        petsc!(MatDuplicate(self.raw, option, &mut raw))?;
        Self::from_raw(raw)
    }

    /// Takes over the values of `other`, which has the same pattern.
    ///
    /// # Errors
    /// When the sizes differ.
    pub fn copy_from(&mut self, other: &Matrix) -> Result<()> {
        petsc!(MatCopy(other.raw, self.raw, MatStructure_SAME_NONZERO_PATTERN))
    }

    /// The same matrix in another of PETSc's types ("baij", "sbaij", "dense", ...).
    ///
    /// # Errors
    /// When PETSc cannot convert it.
    pub fn convert(&self, kind: &str) -> Result<Self> {
        let kind = name(kind)?;
        let mut raw = null_mut();
        petsc!(MatConvert(self.raw, kind.as_ptr(), MatReuse_MAT_INITIAL_MATRIX, &mut raw))?;
        Self::from_raw(raw)
    }

    /// All values become zero; the pattern stays.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn zero(&mut self) -> Result<()> {
        petsc!(MatZeroEntries(self.raw))
    }

    /// This rank's choice of rows and columns as a new distributed matrix.
    ///
    /// # Errors
    /// When an index does not exist.
    pub fn submatrix(&self, rows: &IndexSet, columns: &IndexSet) -> Result<Self> {
        let mut raw = null_mut();
        petsc!(MatCreateSubMatrix(self.raw, rows.raw, columns.raw, MatReuse_MAT_INITIAL_MATRIX, &mut raw))?;
        Self::from_raw(raw)
    }

    /// Makes a promise about the matrix.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn set_option(&mut self, option: MatrixOption, value: bool) -> Result<()> {
        let option = match option {
            MatrixOption::Symmetric => MatOption_MAT_SYMMETRIC,
            MatrixOption::PositiveDefinite => MatOption_MAT_SPD,
            MatrixOption::NewNonzeroError => MatOption_MAT_NEW_NONZERO_ALLOCATION_ERR,
            MatrixOption::KeepNonzeroPattern => MatOption_MAT_KEEP_NONZERO_PATTERN,
        };
        petsc!(MatSetOption(self.raw, option, truth(value)))
    }
}
