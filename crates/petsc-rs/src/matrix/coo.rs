//! Assembly from coordinates.
use super::Matrix;
use crate::Int;
use crate::closure::{attach, attached};
use crate::error::{Error, Result};
use crate::session::{agree, int};
use mpi::collective::SystemOperation;
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use petsc_sys::*;
use std::ffi::CStr;

/// Where the number of coordinates is kept, because PETSc does not ask for it again.
const COUNT: &CStr = c"petsc_rs_coordinates";

impl Matrix {
    /// Sparse matrix for coordinate assembly: entry `e` of [`Matrix::set_coo`] goes to the global row
    /// `rows[e]` and column `columns[e]` (any rank's; repeated ones are added; negative ones are ignored).
    ///
    /// # Errors
    /// When an index does not exist on some rank (all ranks get an error then).
    pub fn coo(
        comm: &SimpleCommunicator,
        block: usize,
        rows_local: usize,
        columns_local: usize,
        rows: &[Int],
        columns: &[Int],
    ) -> Result<Self> {
        let mut all = [0, 0];
        comm.all_reduce_into(&[rows_local, columns_local][..], &mut all[..], SystemOperation::sum());
        let outside = |list: &[Int], size: usize| list.iter().any(|&i| i >= 0 && i as usize >= size);
        let fits = if rows.len() != columns.len() {
            Err(Error::argument("as many rows as columns are needed"))
        } else if block == 0 || !rows_local.is_multiple_of(block) {
            Err(Error::argument("the rows are not whole blocks"))
        } else if outside(rows, all[0]) || outside(columns, all[1]) {
            Err(Error::argument("a row or column does not exist"))
        } else {
            Ok(())
        };
        agree(comm.as_raw(), fits)?;
        let matrix = Self::sized(comm, rows_local, columns_local)?;
        petsc!(MatSetType(matrix.raw, c"aij".as_ptr()))?;
        let column_block = if columns_local.is_multiple_of(block) { block } else { 1 };
        petsc!(MatSetBlockSizes(matrix.raw, int(block)?, int(column_block)?))?;
        // PETSc may sort its arguments in place.
        let (mut rows, mut columns) = (rows.to_vec(), columns.to_vec());
        petsc!(MatSetPreallocationCOO(
            matrix.raw,
            rows.len() as PetscCount,
            rows.as_mut_ptr(),
            columns.as_mut_ptr()
        ))?;
        attach(matrix.raw as PetscObject, COUNT, rows.len())?;
        Ok(matrix)
    }

    /// Assembles the values of a matrix made by [`Matrix::coo`], in the order of its coordinates. Earlier
    /// values are forgotten.
    ///
    /// # Errors
    /// When the matrix was made otherwise, or the number of values differs on some rank.
    pub fn set_coo(&mut self, values: &[f64]) -> Result<()> {
        // SAFETY: this key holds this type.
        let fits = match unsafe { attached::<usize>(self.raw as PetscObject, COUNT)? } {
            None => Err(Error::argument("the matrix was not made from coordinates")),
            Some(count) if *count != values.len() => {
                Err(Error::argument(format!("{} values for {count} coordinates", values.len())))
            }
            Some(_) => Ok(()),
        };
        agree(self.mpi_comm()?, fits)?;
        petsc!(MatSetValuesCOO(self.raw, values.as_ptr(), InsertMode_INSERT_VALUES))
    }
}
