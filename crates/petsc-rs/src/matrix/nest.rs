//! Matrices of matrices.
use super::Matrix;
use crate::error::{Error, Result};
use crate::session::int;
use mpi::topology::SimpleCommunicator;
use mpi::traits::AsRaw;
use petsc_sys::*;
use std::ptr::{null, null_mut};
use std::vec::Vec;

impl Matrix {
    /// A matrix of `rows x columns` matrices, given row by row, without copying (`MatNest`); `None` is zero.
    /// The blocks belong to it from now on. Use [`Matrix::convert`] ("aij") where a solver needs one matrix.
    ///
    /// # Errors
    /// When the count is wrong, a row or column of blocks is all `None`, or sizes do not fit.
    pub fn nest(
        comm: &SimpleCommunicator,
        rows: usize,
        columns: usize,
        blocks: Vec<Option<Matrix>>,
    ) -> Result<Self> {
        if blocks.len() != rows * columns {
            return Err(Error::argument(format!("{} blocks for {rows} x {columns}", blocks.len())));
        }
        let at = |i: usize, j: usize| blocks[i * columns + j].as_ref();
        for i in 0..rows {
            let Some(model) = (0..columns).find_map(|j| at(i, j)) else {
                return Err(Error::argument(format!("row {i} of blocks is empty, so its size is unknown")));
            };
            for block in (0..columns).filter_map(|j| at(i, j)) {
                super::algebra::same(model.row_layout()?, block.row_layout()?)?;
            }
        }
        for j in 0..columns {
            let Some(model) = (0..rows).find_map(|i| at(i, j)) else {
                return Err(Error::argument(format!(
                    "column {j} of blocks is empty, so its size is unknown"
                )));
            };
            for block in (0..rows).filter_map(|i| at(i, j)) {
                super::algebra::same(model.column_layout()?, block.column_layout()?)?;
            }
        }
        let list: Vec<Mat> = blocks.iter().map(|b| b.as_ref().map_or(null_mut(), |m| m.raw)).collect();
        let mut raw = null_mut();
        petsc!(MatCreateNest(
            comm.as_raw(),
            int(rows)?,
            null(),
            int(columns)?,
            null(),
            list.as_ptr(),
            &mut raw
        ))?;
        let mut nest = Self::from_raw(raw)?;
        nest.assemble()?;
        Ok(nest)
    }

    /// A copy of block `(i, j)` of a matrix made by [`Matrix::nest`]; `None` where it is zero.
    ///
    /// # Errors
    /// When there is no such block.
    pub fn nested(&self, i: usize, j: usize) -> Result<Option<Self>> {
        let mut raw = null_mut();
        petsc!(MatNestGetSubMat(self.raw, int(i)?, int(j)?, &mut raw))?;
        match raw.is_null() {
            true => Ok(None),
            false => Self::share(raw)?.duplicate(true).map(Some),
        }
    }
}
