//! Index sets.
use crate::Int;
use crate::error::Result;
use crate::session::int;
use mpi::topology::SimpleCommunicator;
use mpi::traits::AsRaw;
use petsc_sys::*;
use std::ops::Deref;
use std::ptr::null_mut;

handle!(
    /// A distributed list of indices (`IS`).
    IndexSet,
    IS,
    ISDestroy
);

impl IndexSet {
    /// This rank's part of the list, copied.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn new(comm: &SimpleCommunicator, indices: &[Int]) -> Result<Self> {
        let mut raw = null_mut();
        petsc!(ISCreateGeneral(
            comm.as_raw(),
            int(indices.len())?,
            indices.as_ptr(),
            PetscCopyMode_PETSC_COPY_VALUES,
            &mut raw
        ))?;
        Self::from_raw(raw)
    }

    /// `first, first + step, ...` of `length` entries on this rank.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn stride(comm: &SimpleCommunicator, length: usize, first: Int, step: Int) -> Result<Self> {
        let mut raw = null_mut();
        petsc!(ISCreateStride(comm.as_raw(), int(length)?, first, step, &mut raw))?;
        Self::from_raw(raw)
    }

    /// Blocks of `block` consecutive indices, by block number.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn blocks(comm: &SimpleCommunicator, block: usize, blocks: &[Int]) -> Result<Self> {
        let mut raw = null_mut();
        petsc!(ISCreateBlock(
            comm.as_raw(),
            int(block)?,
            int(blocks.len())?,
            blocks.as_ptr(),
            PetscCopyMode_PETSC_COPY_VALUES,
            &mut raw
        ))?;
        Self::from_raw(raw)
    }

    /// Number of entries on this rank. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn local_size(&self) -> Result<usize> {
        let mut size = 0;
        petsc!(ISGetLocalSize(self.raw, &mut size))?;
        Ok(size as usize)
    }

    /// Number of entries on all ranks. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn global_size(&self) -> Result<usize> {
        let mut size = 0;
        petsc!(ISGetSize(self.raw, &mut size))?;
        Ok(size as usize)
    }

    /// This rank's entries. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn indices(&self) -> Result<Indices<'_>> {
        let size = self.local_size()?;
        let mut pointer = std::ptr::null();
        petsc!(ISGetIndices(self.raw, &mut pointer))?;
        Ok(Indices { set: self, pointer, size })
    }
}

/// Read access to an index set; given back on drop.
pub struct Indices<'a> {
    set: &'a IndexSet,
    pointer: *const Int,
    size: usize,
}

impl Deref for Indices<'_> {
    type Target = [Int];
    fn deref(&self) -> &[Int] {
        if self.size == 0 {
            return &[];
        }
        // SAFETY: PETSc lends `size` entries until they are restored in `drop`.
        unsafe { std::slice::from_raw_parts(self.pointer, self.size) }
    }
}

impl Drop for Indices<'_> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the matching call; local.
        unsafe { ISRestoreIndices(self.set.raw, &mut self.pointer) };
    }
}
