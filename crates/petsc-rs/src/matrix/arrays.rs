//! Access to the entries of a matrix.
use super::Matrix;
use crate::error::{Error, Result};
use crate::session::{int, truth};
use petsc_sys::*;
use std::ptr::{null, null_mut};
use std::vec::Vec;

impl Matrix {
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

    /// The largest sum of absolute values of an own row, relative to its diagonal entry: Gershgorin's bound of the
    /// eigenvalues of `D^-1 A`. Infinite where a diagonal entry is zero or not stored. Local.
    ///
    /// # Errors
    /// When the matrix is not AIJ.
    pub fn jacobi_bound(&self) -> Result<f64> {
        let [diagonal, off_diagonal] = self.aij_blocks()?;
        let mut sums = vec![0.0; self.row_range().len()];
        let mut pivots = vec![0.0; sums.len()];
        for block in [diagonal, off_diagonal].into_iter().filter(|block| !block.is_null()) {
            let (mut rows, mut start, mut columns, mut done) = (0, null(), null(), truth(false));
            let mut values = null();
            petsc!(MatGetRowIJ(
                block,
                0,
                truth(false),
                truth(false),
                &mut rows,
                &mut start,
                &mut columns,
                &mut done
            ))?;
            petsc!(MatSeqAIJGetArrayRead(block, &mut values))?;
            for row in 0..rows as usize {
                // SAFETY: PETSc lends the CSR arrays of `rows` rows until they are restored below.
                let (from, to) = unsafe { (*start.add(row) as usize, *start.add(row + 1) as usize) };
                for k in from..to {
                    // SAFETY: as above, `k` is below the number of stored values.
                    let (column, value) = unsafe { (*columns.add(k) as usize, *values.add(k)) };
                    sums[row] += value.abs();
                    if block == diagonal && column == row {
                        pivots[row] = value.abs();
                    }
                }
            }
            petsc!(MatSeqAIJRestoreArrayRead(block, &mut values))?;
            petsc!(MatRestoreRowIJ(
                block,
                0,
                truth(false),
                truth(false),
                &mut rows,
                &mut start,
                &mut columns,
                &mut done
            ))?;
        }
        Ok(sums.iter().zip(&pivots).map(|(sum, pivot)| sum / pivot).fold(0.0, f64::max))
    }

    /// Stored values in own and other columns of this rank's rows; `None` for other types than AIJ.
    pub(super) fn stored_values(&self) -> Option<[usize; 2]> {
        let blocks = self.aij_blocks().ok()?;
        let count = |block: Mat| if block.is_null() { Some(0) } else { aij_nonzeros(block).ok() };
        Some([count(blocks[0])?, count(blocks[1])?])
    }

    /// The sequential matrices of own and other columns; the second is null on one rank.
    pub(super) fn aij_blocks(&self) -> Result<[Mat; 2]> {
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
}

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
