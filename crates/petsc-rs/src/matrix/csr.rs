//! Sparse matrices from compressed rows.
use super::Matrix;
use crate::Int;
use crate::closure::attach;
use crate::error::{Error, Result};
use crate::session::{agree, int};
use mpi::collective::SystemOperation;
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use petsc_sys::*;
use std::ops::Range;
use std::ptr::null_mut;
use std::vec::Vec;

/// Compressed rows: row `i` has `values[k]` in column `columns[k]`, ascending, for `k` in
/// `row_ptr[i]..row_ptr[i + 1]`.
#[derive(Debug, Clone, Default)]
pub struct Csr {
    /// One entry more than there are rows, from zero.
    pub row_ptr: Vec<Int>,
    /// Column numbers.
    pub columns: Vec<Int>,
    /// As many values.
    pub values: Vec<f64>,
}

impl Csr {
    /// Room for `rows` rows with `entries` entries together: no row yet, all values zero. Linux is asked to
    /// back the arrays with huge pages, which makes large ones faster to fill and to multiply with.
    ///
    /// # Panics
    /// When no memory can be that large.
    pub fn with_capacity(rows: usize, entries: usize) -> Self {
        let mut row_ptr = Vec::with_capacity(rows + 1);
        row_ptr.push(0);
        let (columns, values) = (Vec::with_capacity(entries), vec![0.0; entries]);
        prefer_huge_pages(columns.as_ptr(), columns.capacity());
        prefer_huge_pages(values.as_ptr(), values.capacity());
        Self { row_ptr, columns, values }
    }
}

/// Advises the system to back these elements with huge pages; on systems without them nothing happens.
fn prefer_huge_pages<T>(start: *const T, length: usize) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 4096;
        let begin = (start as usize).next_multiple_of(PAGE);
        let end = (start as usize + length * size_of::<T>()) / PAGE * PAGE;
        if end > begin {
            // SAFETY: whole pages inside an allocation of the caller; this advice changes no contents.
            unsafe { libc::madvise(begin as *mut libc::c_void, end - begin, libc::MADV_HUGEPAGE) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, length);
}

impl Matrix {
    /// Sparse matrix (AIJ) from the two parts in which PETSc stores it on a rank: `diagonal` has the own
    /// columns, counted from the first of them, `off_diagonal` the others by global number. The arrays are
    /// handed over, not copied. `columns_local` is this rank's share of the columns (the layout of the
    /// vectors it multiplies); `block` is the block size of rows, and of columns where it divides them.
    ///
    /// # Errors
    /// When the arrays do not fit together on some rank (all ranks get an error then), or PETSc fails.
    pub fn from_parts(
        comm: &SimpleCommunicator,
        block: usize,
        columns_local: usize,
        diagonal: Csr,
        off_diagonal: Csr,
    ) -> Result<Self> {
        let (own, total) = own_columns(comm, columns_local);
        agree(comm.as_raw(), fits(block, &own, total, [&diagonal, &off_diagonal]))?;
        let rows = int(diagonal.row_ptr.len() - 1)?;
        let columns = int(columns_local)?;
        let (mut diagonal, mut off_diagonal) = (diagonal, off_diagonal);
        let mut raw = null_mut();
        let [(i, j, a), (oi, oj, oa)] = [&mut diagonal, &mut off_diagonal]
            .map(|part| (part.row_ptr.as_mut_ptr(), part.columns.as_mut_ptr(), part.values.as_mut_ptr()));
        let column_block = if columns_local.is_multiple_of(block) { int(block)? } else { 1 };
        if comm.size() == 1 {
            petsc!(MatCreateSeqAIJWithArrays(comm.as_raw(), rows, columns, i, j, a, &mut raw))?;
        } else {
            let total = PETSC_DETERMINE;
            petsc!(MatCreateMPIAIJWithSplitArrays(
                comm.as_raw(),
                rows,
                columns,
                total,
                total,
                i,
                j,
                a,
                oi,
                oj,
                oa,
                &mut raw
            ))?;
        }
        let matrix = Self::from_raw(raw)?;
        let blocks = matrix.aij_blocks()?;
        petsc!(MatSetBlockSizes(raw, int(block)?, column_block))?;
        for (part, arrays, column_block) in
            [(blocks[0], diagonal, column_block), (blocks[1], off_diagonal, 1)]
        {
            if !part.is_null() {
                petsc!(MatSetBlockSizes(part, int(block)?, column_block))?;
                attach(part as PetscObject, c"petsc_rs_arrays", arrays)?;
            }
        }
        Ok(matrix)
    }

    /// Sparse matrix (AIJ) with an exact pattern, values zero: row `i` of this rank has the global columns
    /// `columns[row_ptr[i]..row_ptr[i + 1]]` in ascending order. `columns_local` and `block` as in
    /// [`Matrix::from_parts`].
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
        Self::from_csr_values(comm, block, row_ptr, columns, &vec![0.0; columns.len()], columns_local)
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
        let (own, _) = own_columns(comm, columns_local);
        let parts = split(row_ptr, columns, values, &own);
        let [diagonal, off_diagonal] = agree(comm.as_raw(), parts)?;
        Self::from_parts(comm, block, columns_local, diagonal, off_diagonal)
    }
}

/// Global numbers of this rank's columns, and the number of columns over all ranks. Collective.
fn own_columns(comm: &SimpleCommunicator, columns_local: usize) -> (Range<usize>, usize) {
    let mut end = 0;
    comm.scan_into(&columns_local, &mut end, SystemOperation::sum());
    let mut total = 0;
    comm.all_reduce_into(&columns_local, &mut total, SystemOperation::sum());
    (end - columns_local..end, total)
}

/// Sorts global columns into those of this rank and the others.
fn split(row_ptr: &[Int], columns: &[Int], values: &[f64], own: &Range<usize>) -> Result<[Csr; 2]> {
    let well_formed = row_ptr.first() == Some(&0)
        && row_ptr.windows(2).all(|w| w[0] <= w[1])
        && row_ptr.last().is_some_and(|&end| end as usize == columns.len());
    if !well_formed {
        return Err(Error::argument("row_ptr and columns do not fit together"));
    }
    if values.len() != columns.len() {
        return Err(Error::argument("as many values as columns are needed"));
    }
    let mut parts = [Csr::default(), Csr::default()];
    for part in &mut parts {
        part.row_ptr.reserve_exact(row_ptr.len());
        part.row_ptr.push(0);
    }
    for row in row_ptr.windows(2) {
        let mut last = -1;
        for k in row[0] as usize..row[1] as usize {
            if columns[k] <= last {
                return Err(Error::argument("the columns of a row are not ascending"));
            }
            last = columns[k];
            let inside = own.contains(&(columns[k] as usize));
            let part = &mut parts[usize::from(!inside)];
            part.columns.push(if inside { columns[k] - own.start as Int } else { columns[k] });
            part.values.push(values[k]);
        }
        for part in &mut parts {
            part.row_ptr.push(part.columns.len() as Int);
        }
    }
    Ok(parts)
}

/// Whether the arrays given to [`Matrix::from_parts`] fit together.
fn fits(block: usize, own: &Range<usize>, total: usize, parts: [&Csr; 2]) -> Result<()> {
    for (part, bound) in parts.into_iter().zip([own.len(), total]) {
        let Csr { row_ptr, columns, values } = part;
        let Some(rows) = row_ptr.len().checked_sub(1) else {
            return Err(Error::argument("row_ptr needs one entry more than there are rows"));
        };
        if row_ptr[0] != 0
            || row_ptr.windows(2).any(|w| w[1] < w[0])
            || row_ptr[rows] as usize != columns.len()
            || values.len() != columns.len()
            || rows != parts[0].row_ptr.len().wrapping_sub(1)
            || block == 0
            || rows % block != 0
        {
            return Err(Error::argument("row_ptr, columns, values and block do not fit together"));
        }
        for row in row_ptr.windows(2) {
            let row = &columns[row[0] as usize..row[1] as usize];
            let (Some(&first), Some(&last)) = (row.first(), row.last()) else { continue };
            // Ascending, so that the ends bound the rest.
            // No early end: like this the compiler compares several at a time.
            if row.iter().zip(&row[1..]).fold(false, |wrong, (a, b)| wrong | (a >= b)) {
                return Err(Error::argument("the columns of a row are not ascending"));
            }
            if let Some(wrong) = [first, last].into_iter().find(|&c| c < 0 || c as usize >= bound) {
                return Err(Error::argument(format!("column {wrong} of {bound} does not exist")));
            }
        }
    }
    let foreign = |&c: &Int| own.contains(&(c as usize));
    match parts[1].columns.iter().find(|c| foreign(c)) {
        Some(column) => Err(Error::argument(format!("column {column} belongs into the diagonal part"))),
        None => Ok(()),
    }
}
