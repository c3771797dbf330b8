//! Distributed matrices.
use crate::error::{Error, Result};
use crate::session::{int, name, truth};
use crate::vector::Norm;
use crate::{IndexSet, Int, Vector};
use mpi::topology::SimpleCommunicator;
use mpi::traits::AsRaw;
use petsc_sys::*;
use std::ops::Range;
use std::ptr::{null, null_mut};
use std::vec::Vec;

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
    /// When the arrays do not fit together (checked before any communication), or PETSc fails.
    pub fn from_csr(
        comm: &SimpleCommunicator,
        block: usize,
        row_ptr: &[Int],
        columns: &[Int],
        columns_local: usize,
    ) -> Result<Self> {
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
        if values.len() != columns.len() {
            return Err(Error::argument("as many values as columns are needed"));
        }
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

    /// Sparse matrix for coordinate assembly: entry `e` of [`Matrix::set_coo`] goes to the global row
    /// `rows[e]` and column `columns[e]` (any rank's; repeated ones are added; negative ones are ignored).
    ///
    /// # Errors
    /// When an index does not exist.
    pub fn coo(
        comm: &SimpleCommunicator,
        block: usize,
        rows_local: usize,
        columns_local: usize,
        rows: &[Int],
        columns: &[Int],
    ) -> Result<Self> {
        if rows.len() != columns.len() {
            return Err(Error::argument("as many rows as columns are needed"));
        }
        let matrix = Self::sized(comm, rows_local, columns_local)?;
        petsc!(MatSetType(matrix.raw, c"aij".as_ptr()))?;
        petsc!(MatSetBlockSize(matrix.raw, int(block)?))?;
        // PETSc may sort its arguments in place.
        let (mut rows, mut columns) = (rows.to_vec(), columns.to_vec());
        petsc!(MatSetPreallocationCOO(
            matrix.raw,
            rows.len() as PetscCount,
            rows.as_mut_ptr(),
            columns.as_mut_ptr()
        ))?;
        Ok(matrix)
    }

    /// Assembles the values of a matrix made by [`Matrix::coo`], in the order of its coordinates.
    /// The number of values is that of the coordinates (not checked by PETSc, so keep them together).
    ///
    /// # Safety
    /// `values` must be as long as the coordinate arrays that the matrix was made with.
    ///
    /// # Errors
    /// When PETSc fails.
    pub unsafe fn set_coo(&mut self, values: &[f64]) -> Result<()> {
        petsc!(MatSetValuesCOO(self.raw, values.as_ptr(), InsertMode_INSERT_VALUES))
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

    /// Finishes a change of values.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn assemble(&mut self) -> Result<()> {
        petsc!(MatAssemblyBegin(self.raw, MatAssemblyType_MAT_FINAL_ASSEMBLY))?;
        petsc!(MatAssemblyEnd(self.raw, MatAssemblyType_MAT_FINAL_ASSEMBLY))
    }

    /// The values of the local CSR blocks of an AIJ matrix, for writing. Call [`Matrix::assemble`] after.
    /// Inside a row own columns come first (`diagonal`), others are in `off_diagonal`; both ascending. Local.
    ///
    /// # Errors
    /// When the matrix is not AIJ.
    pub fn arrays_mut(&mut self) -> Result<AijArrays<'_>> {
        let [diagonal, off_diagonal] = self.aij_blocks()?;
        let mut pointers = [null_mut(); 2];
        let mut sizes = [0; 2];
        for (i, block) in [diagonal, off_diagonal].into_iter().enumerate() {
            if !block.is_null() {
                sizes[i] = aij_nonzeros(block)?;
                petsc!(MatSeqAIJGetArray(block, &mut pointers[i]))?;
            }
        }
        let slice = |i: usize| match sizes[i] {
            0 => &mut [][..],
            // SAFETY: PETSc lends as many values as the block stores until `drop`.
            size => unsafe { std::slice::from_raw_parts_mut(pointers[i], size) },
        };
        let (diagonal_values, off_diagonal_values) = (slice(0), slice(1));
        Ok(AijArrays {
            diagonal: diagonal_values,
            off_diagonal: off_diagonal_values,
            blocks: [diagonal, off_diagonal],
            pointers,
        })
    }

    /// The sequential matrices of own and other columns; the second is null on one rank.
    fn aij_blocks(&self) -> Result<[Mat; 2]> {
        let mut is = truth(false);
        petsc!(PetscObjectTypeCompare(self.raw as PetscObject, c"mpiaij".as_ptr(), &mut is))?;
        if is == truth(true) {
            let (mut diagonal, mut off_diagonal) = (null_mut(), null_mut());
            petsc!(MatMPIAIJGetSeqAIJ(self.raw, &mut diagonal, &mut off_diagonal, null_mut()))?;
            return Ok([diagonal, off_diagonal]);
        }
        petsc!(PetscObjectTypeCompare(self.raw as PetscObject, c"seqaij".as_ptr(), &mut is))?;
        match is == truth(true) {
            true => Ok([self.raw, null_mut()]),
            false => Err(Error::argument("the matrix is not of type AIJ")),
        }
    }

    /// Own columns of a dense matrix's local rows, column by column (leading dimension = own rows), for
    /// reading and writing. Local.
    ///
    /// # Errors
    /// When the matrix is not dense.
    pub fn dense_mut(&mut self) -> Result<DenseArray<'_>> {
        let mut pointer = null_mut();
        let mut leading = 0;
        petsc!(MatDenseGetLDA(self.raw, &mut leading))?;
        let (rows, (_, columns)) = (self.local_size().0, self.global_size());
        if leading as usize != rows.max(1) && leading as usize != rows {
            return Err(Error::argument("the dense matrix is a view with gaps"));
        }
        petsc!(MatDenseGetArray(self.raw, &mut pointer))?;
        Ok(DenseArray { matrix: self, pointer, size: rows * columns })
    }

    /// Columns and values of an own row, by global number, ascending within PETSc's storage. Local.
    /// For tests and small matrices.
    ///
    /// # Errors
    /// When the row is another rank's.
    pub fn row(&self, row: usize) -> Result<Vec<(usize, f64)>> {
        if !self.row_range().contains(&row) {
            return Err(Error::argument(format!("row {row} belongs to another rank")));
        }
        let (mut count, mut columns, mut values) = (0, null(), null());
        petsc!(MatGetRow(self.raw, int(row)?, &mut count, &mut columns, &mut values))?;
        let list = (0..count as usize)
            // SAFETY: PETSc lends `count` entries of each.
            .map(|i| unsafe { (*columns.add(i) as usize, *values.add(i)) })
            .collect();
        petsc!(MatRestoreRow(self.raw, int(row)?, &mut count, &mut columns, &mut values))?;
        Ok(list)
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
    /// When sizes differ.
    pub fn axpy(&mut self, alpha: f64, other: &Matrix, same_pattern: bool) -> Result<()> {
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
        petsc!(MatMult(self.raw, x.raw, y.raw))
    }

    /// `y += A x`.
    ///
    /// # Errors
    /// When sizes differ.
    pub fn mult_add(&self, x: &Vector, y: &mut Vector) -> Result<()> {
        petsc!(MatMultAdd(self.raw, x.raw, y.raw, y.raw))
    }

    /// `y = A^T x`.
    ///
    /// # Errors
    /// When sizes differ.
    pub fn mult_transpose(&self, x: &Vector, y: &mut Vector) -> Result<()> {
        petsc!(MatMultTranspose(self.raw, x.raw, y.raw))
    }

    /// `b - A x` into `r`.
    ///
    /// # Errors
    /// When sizes differ.
    pub fn residual(&self, b: &Vector, x: &Vector, r: &mut Vector) -> Result<()> {
        petsc!(MatResidual(self.raw, b.raw, x.raw, r.raw))
    }

    /// `A B` as a new matrix.
    ///
    /// # Errors
    /// When sizes differ.
    pub fn mat_mult(&self, b: &Matrix) -> Result<Self> {
        let mut raw = null_mut();
        petsc!(MatMatMult(self.raw, b.raw, MatReuse_MAT_INITIAL_MATRIX, PETSC_DEFAULT as f64, &mut raw))?;
        Self::from_raw(raw)
    }

    /// `A^T B` as a new matrix.
    ///
    /// # Errors
    /// When sizes differ.
    pub fn transpose_mat_mult(&self, b: &Matrix) -> Result<Self> {
        let mut raw = null_mut();
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
        petsc!(MatGetDiagonal(self.raw, d.raw))
    }

    /// `self += diag(d)`.
    ///
    /// # Errors
    /// When sizes differ, or the pattern has no diagonal.
    pub fn add_diagonal(&mut self, d: &Vector) -> Result<()> {
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

    /// Gives multigrid the vectors that smoothing reduces slowest (rigid-body motions in elasticity); they
    /// are orthonormalised here, and left out where they depend on earlier ones.
    ///
    /// # Errors
    /// When the layouts differ.
    pub fn set_near_null_space(&mut self, vectors: Vec<Vector>) -> Result<()> {
        let space = self.null_space(vectors)?;
        petsc!(MatSetNearNullSpace(self.raw, space.raw))
    }

    /// States the null space of a singular matrix, as in [`Matrix::set_near_null_space`]; solvers remove it.
    ///
    /// # Errors
    /// When the layouts differ.
    pub fn set_null_space(&mut self, vectors: Vec<Vector>) -> Result<()> {
        let space = self.null_space(vectors)?;
        petsc!(MatSetNullSpace(self.raw, space.raw))
    }

    fn null_space(&self, vectors: Vec<Vector>) -> Result<NullSpace> {
        const DEPENDENT: f64 = 1e-10;
        let mut basis: Vec<Vector> = Vec::new();
        for mut vector in vectors {
            let before = vector.norm(Norm::Two)?;
            // Gram-Schmidt twice is enough (Giraud, Langou, Rozloznik 2005).
            for _ in 0..2 {
                let list: Vec<&Vector> = basis.iter().collect();
                let factors: Vec<f64> = vector.dots(&list)?.iter().map(|f| -f).collect();
                vector.maxpy(&factors, &list)?;
            }
            let after = vector.norm(Norm::Two)?;
            if after > DEPENDENT * before {
                vector.scale(1.0 / after)?;
                basis.push(vector);
            }
        }
        let list: Vec<petsc_sys::Vec> = basis.iter().map(|v| v.raw).collect();
        let comm = self.mpi_comm()?;
        let mut raw = null_mut();
        petsc!(MatNullSpaceCreate(comm, truth(false), int(list.len())?, list.as_ptr(), &mut raw))?;
        NullSpace::from_raw(raw)
    }
}

handle!(
    /// A matrix's null space, shared with the matrix.
    NullSpace,
    MatNullSpace,
    MatNullSpaceDestroy
);

fn aij_nonzeros(block: Mat) -> Result<usize> {
    let (mut rows, mut done) = (0, truth(false));
    let (mut start, mut columns) = (null(), null());
    let no = truth(false);
    petsc!(MatGetRowIJ(block, 0, no, no, &mut rows, &mut start, &mut columns, &mut done))?;
    // SAFETY: `start` has `rows + 1` entries.
    let count = unsafe { *start.add(rows as usize) } as usize;
    petsc!(MatRestoreRowIJ(block, 0, no, no, &mut rows, &mut start, &mut columns, &mut done))?;
    Ok(count)
}

/// Values of the local blocks of an AIJ matrix, see [`Matrix::arrays_mut`].
pub struct AijArrays<'a> {
    /// Values in own columns, row by row.
    pub diagonal: &'a mut [f64],
    /// Values in other ranks' columns, row by row.
    pub off_diagonal: &'a mut [f64],
    blocks: [Mat; 2],
    pointers: [*mut f64; 2],
}

impl Drop for AijArrays<'_> {
    fn drop(&mut self) {
        // SAFETY: pairs with the calls in `arrays_mut`; local. `assemble` tells the
        // parallel matrix that its blocks changed.
        unsafe {
            for (block, pointer) in self.blocks.iter().zip(&mut self.pointers) {
                if !block.is_null() {
                    MatSeqAIJRestoreArray(*block, pointer);
                }
            }
        }
    }
}

/// Values of the local rows of a dense matrix, see [`Matrix::dense_mut`].
pub struct DenseArray<'a> {
    matrix: &'a mut Matrix,
    pointer: *mut f64,
    size: usize,
}

impl std::ops::Deref for DenseArray<'_> {
    type Target = [f64];
    fn deref(&self) -> &[f64] {
        if self.size == 0 {
            return &[];
        }
        // SAFETY: PETSc lends `size` entries until `drop`, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts(self.pointer, self.size) }
    }
}

impl std::ops::DerefMut for DenseArray<'_> {
    fn deref_mut(&mut self) -> &mut [f64] {
        if self.size == 0 {
            return &mut [];
        }
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.pointer, self.size) }
    }
}

impl Drop for DenseArray<'_> {
    fn drop(&mut self) {
        // SAFETY: pairs with the call in `dense_mut`; local.
        unsafe { MatDenseRestoreArray(self.matrix.raw, &mut self.pointer) };
    }
}
