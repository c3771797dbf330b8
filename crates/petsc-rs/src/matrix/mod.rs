//! Distributed matrices.
mod algebra;
mod arrays;
mod coo;
mod nest;
mod null_space;
mod shell;

pub use arrays::{AijArrays, DenseArray};

use crate::error::{Error, Result};
use crate::session::{agree, int, name, ranks, truth};
use crate::{IndexSet, Int, Vector};
use mpi::collective::SystemOperation;
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
    /// Sparse matrix (AIJ) with an exact pattern, values zero: row `i` of this rank has the global columns
    /// `columns[row_ptr[i]..row_ptr[i + 1]]` in ascending order. `columns_local` is this rank's share of
    /// the columns (the layout of the vectors it multiplies); `block` is the block size of rows, and of
    /// columns where it divides them.
    ///
    /// # Errors
    /// When the arrays do not fit together on some rank (all ranks get an error then), or PETSc fails.
    pub fn from_csr(
        comm: &SimpleCommunicator,
        block: usize,
        row_ptr: &[Int],
        columns: &[Int],
        columns_local: usize,
    ) -> Result<Self> {
        agree(comm.as_raw(), fits(comm, block, row_ptr, columns, columns_local))?;
        let rows = row_ptr.len() - 1;
        let matrix = Self::sized(comm, rows, columns_local)?;
        let column_block = if columns_local.is_multiple_of(block) { block } else { 1 };
        petsc!(MatSetType(matrix.raw, c"aij".as_ptr()))?;
        petsc!(MatSetBlockSizes(matrix.raw, int(block)?, int(column_block)?))?;
        // Without columns the pointer must still not be null: PETSc would take it for "no pattern given".
        let columns = if columns.is_empty() { [0 as Int].as_ptr() } else { columns.as_ptr() };
        petsc!(MatSeqAIJSetPreallocationCSR(matrix.raw, row_ptr.as_ptr(), columns, null()))?;
        petsc!(MatMPIAIJSetPreallocationCSR(matrix.raw, row_ptr.as_ptr(), columns, null()))?;
        Ok(matrix)
    }

    /// As [`Matrix::from_csr`], with values.
    ///
    /// # Errors
    /// As there, and when `values` is not as long as `columns`.
    pub fn from_csr_values(
        comm: &SimpleCommunicator,
        block: usize,
        row_ptr: &[Int],
        columns: &[Int],
        values: &[f64],
        columns_local: usize,
    ) -> Result<Self> {
        let fits = match values.len() == columns.len() {
            true => Ok(()),
            false => Err(Error::argument("as many values as columns are needed")),
        };
        agree(comm.as_raw(), fits)?;
        let mut matrix = Self::from_csr(comm, block, row_ptr, columns, columns_local)?;
        let own = matrix.column_range();
        {
            let arrays = matrix.arrays_mut()?;
            let (mut d, mut o) = (0, 0);
            for (&column, &value) in columns.iter().zip(values) {
                if own.contains(&(column as usize)) {
                    arrays.diagonal[d] = value;
                    d += 1;
                } else {
                    arrays.off_diagonal[o] = value;
                    o += 1;
                }
            }
        }
        matrix.assemble()?;
        Ok(matrix)
    }

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

/// Whether the arrays given to [`Matrix::from_csr`] fit together.
fn fits(
    comm: &SimpleCommunicator,
    block: usize,
    row_ptr: &[Int],
    columns: &[Int],
    columns_local: usize,
) -> Result<()> {
    // First, because every rank takes part.
    let mut all_columns = 0;
    comm.all_reduce_into(&columns_local, &mut all_columns, SystemOperation::sum());
    let Some(rows) = row_ptr.len().checked_sub(1) else {
        return Err(Error::argument("row_ptr needs one entry more than there are rows"));
    };
    if row_ptr[0] != 0
        || row_ptr.windows(2).any(|w| w[1] < w[0])
        || row_ptr[rows] as usize != columns.len()
        || block == 0
        || rows % block != 0
    {
        return Err(Error::argument("row_ptr, columns and block do not fit together"));
    }
    let ascending = |row: &[Int]| row.windows(2).all(|w| w[0] < w[1]);
    if !row_ptr.windows(2).all(|w| ascending(&columns[w[0] as usize..w[1] as usize])) {
        return Err(Error::argument("the columns of a row are not ascending"));
    }
    match columns.iter().find(|&&c| c < 0 || c as usize >= all_columns) {
        Some(c) => Err(Error::argument(format!("column {c} of {all_columns} does not exist"))),
        None => Ok(()),
    }
}
