//! Distributed vectors.
mod access;
mod nest;

pub use access::{VectorRead, VectorWrite};
pub use nest::{Part, PartMut};

use crate::error::{Error, Result};
use crate::session::{agree, int, ranks};
use crate::{IndexSet, Int};
use mpi::collective::SystemOperation;
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use petsc_sys::{Vec as RawVec, *};
use std::ops::Range;
use std::ptr::{null, null_mut};
use std::vec::Vec;

handle!(
    /// A distributed vector of `f64` (`Vec`): each rank owns a contiguous range of the global entries.
    ///
    /// A *ghosted* vector also holds copies of chosen blocks of other ranks behind its own entries.
    Vector,
    petsc_sys::Vec,
    VecDestroy
);

/// Which norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// Sum of magnitudes (largest column sum of a matrix).
    One,
    /// Euclidean (not available for sparse matrices).
    Two,
    /// Square root of the sum of squares of a matrix; as `Two` for vectors.
    Frobenius,
    /// Largest magnitude (largest row sum of a matrix).
    Infinity,
}

impl Norm {
    pub(crate) fn raw(self) -> NormType {
        match self {
            Self::One => NormType_NORM_1,
            Self::Two => NormType_NORM_2,
            Self::Frobenius => NormType_NORM_FROBENIUS,
            Self::Infinity => NormType_NORM_INFINITY,
        }
    }
}

impl Vector {
    /// Zero vector with `local` entries on this rank in blocks of `block`.
    ///
    /// # Errors
    /// When `local` is not a multiple of `block`.
    pub fn new(comm: &SimpleCommunicator, local: usize, block: usize) -> Result<Self> {
        let whole = match block > 0 && local.is_multiple_of(block) {
            true => Ok(()),
            false => Err(Error::argument(format!("{local} entries are not whole blocks of {block}"))),
        };
        agree(comm.as_raw(), whole)?;
        Self::ghosted(comm, local / block, block, &[])
    }

    /// Zero vector with `local_blocks` own blocks of `block` entries on this rank, and copies of the
    /// blocks of other ranks with the global block numbers `ghosts`.
    ///
    /// # Errors
    /// When sizes overflow PETSc's index, or a ghost does not exist.
    pub fn ghosted(
        comm: &SimpleCommunicator,
        local_blocks: usize,
        block: usize,
        ghosts: &[Int],
    ) -> Result<Self> {
        let blocks: usize = {
            let mut all = 0;
            comm.all_reduce_into(&local_blocks, &mut all, SystemOperation::sum());
            all
        };
        let unknown = ghosts.iter().find(|&&g| g < 0 || g as usize >= blocks);
        let valid = match (unknown, int(blocks.saturating_mul(block))) {
            (Some(g), _) => Err(Error::argument(format!("ghost block {g} of {blocks} does not exist"))),
            (None, size) => size.map(drop),
        };
        agree(comm.as_raw(), valid)?;
        let mut raw = null_mut();
        petsc!(VecCreateGhostBlock(
            comm.as_raw(),
            int(block)?,
            int(local_blocks * block)?,
            PETSC_DECIDE,
            int(ghosts.len())?,
            ghosts.as_ptr(),
            &mut raw
        ))?;
        Self::from_raw(raw)
    }

    /// A vector of the same layout (ghosts too), filled with zeros.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn duplicate(&self) -> Result<Self> {
        let mut raw = null_mut();
        petsc!(VecDuplicate(self.raw, &mut raw))?;
        let mut copy = Self::from_raw(raw)?;
        copy.set(0.0)?;
        Ok(copy)
    }

    /// A copy of layout and values, ghosts as they are.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn try_clone(&self) -> Result<Self> {
        let mut copy = self.duplicate()?;
        copy.copy_from(self)?;
        // PETSc copies the own entries only. Without ghosts there is no local form.
        if let Ok(from) = self.local_read() {
            copy.local_write()?.copy_from_slice(&from);
        }
        Ok(copy)
    }

    /// Number of own entries. Local.
    pub fn local_size(&self) -> usize {
        let mut size = 0;
        // SAFETY: the handle is live; cannot fail on a set-up vector.
        unsafe { VecGetLocalSize(self.raw, &mut size) };
        size as usize
    }

    /// Number of entries on all ranks. Local.
    pub fn global_size(&self) -> usize {
        let mut size = 0;
        // SAFETY: as above.
        unsafe { VecGetSize(self.raw, &mut size) };
        size as usize
    }

    /// Entries in a block. Local.
    pub fn block_size(&self) -> usize {
        let mut size = 1;
        // SAFETY: as above.
        unsafe { VecGetBlockSize(self.raw, &mut size) };
        size as usize
    }

    /// Global numbers of the own entries. Local.
    pub fn range(&self) -> Range<usize> {
        let (mut start, mut end) = (0, 0);
        // SAFETY: as above.
        unsafe { VecGetOwnershipRange(self.raw, &mut start, &mut end) };
        start as usize..end as usize
    }

    /// Fetches the ghosts from their owners.
    ///
    /// # Errors
    /// When the vector is not ghosted.
    pub fn ghost_update(&mut self) -> Result<()> {
        self.ghost_exchange(InsertMode_INSERT_VALUES, ScatterMode_SCATTER_FORWARD)
    }

    /// Adds the ghosts to their owners' entries.
    ///
    /// # Errors
    /// When the vector is not ghosted.
    pub fn ghost_accumulate(&mut self) -> Result<()> {
        self.ghost_exchange(InsertMode_ADD_VALUES, ScatterMode_SCATTER_REVERSE)
    }

    fn ghost_exchange(&mut self, mode: InsertMode, direction: ScatterMode) -> Result<()> {
        petsc!(VecGhostUpdateBegin(self.raw, mode, direction))?;
        petsc!(VecGhostUpdateEnd(self.raw, mode, direction))
    }

    /// All own entries become `value`.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn set(&mut self, value: f64) -> Result<()> {
        petsc!(VecSet(self.raw, value))
    }

    /// Takes over the own entries of `x`.
    ///
    /// # Errors
    /// When the layouts differ.
    pub fn copy_from(&mut self, x: &Vector) -> Result<()> {
        self.same_layout(x)?;
        petsc!(VecCopy(x.raw, self.raw))
    }

    /// `self *= alpha`.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn scale(&mut self, alpha: f64) -> Result<()> {
        petsc!(VecScale(self.raw, alpha))
    }

    /// `self += alpha` in every entry.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn shift(&mut self, alpha: f64) -> Result<()> {
        petsc!(VecShift(self.raw, alpha))
    }

    /// `self += alpha x`.
    ///
    /// # Errors
    /// When the layouts differ.
    pub fn axpy(&mut self, alpha: f64, x: &Vector) -> Result<()> {
        self.same_layout(x)?;
        petsc!(VecAXPY(self.raw, alpha, x.raw))
    }

    /// `self = alpha self + x`.
    ///
    /// # Errors
    /// When the layouts differ.
    pub fn aypx(&mut self, alpha: f64, x: &Vector) -> Result<()> {
        self.same_layout(x)?;
        petsc!(VecAYPX(self.raw, alpha, x.raw))
    }

    /// `self = alpha x + beta self`.
    ///
    /// # Errors
    /// When the layouts differ.
    pub fn axpby(&mut self, alpha: f64, beta: f64, x: &Vector) -> Result<()> {
        self.same_layout(x)?;
        petsc!(VecAXPBY(self.raw, alpha, beta, x.raw))
    }

    /// `self += sum of alphas[i] x[i]`, in one pass.
    ///
    /// # Errors
    /// When counts or layouts differ.
    pub fn maxpy(&mut self, alphas: &[f64], x: &[&Vector]) -> Result<()> {
        if alphas.len() != x.len() {
            return Err(Error::argument("as many factors as vectors are needed"));
        }
        x.iter().try_for_each(|x| self.same_layout(x))?;
        let mut list: Vec<RawVec> = x.iter().map(|v| v.raw).collect();
        petsc!(VecMAXPY(self.raw, int(list.len())?, alphas.as_ptr(), list.as_mut_ptr()))
    }

    /// Inner product.
    ///
    /// # Errors
    /// When the layouts differ.
    pub fn dot(&self, x: &Vector) -> Result<f64> {
        self.same_layout(x)?;
        let mut value = 0.0;
        petsc!(VecDot(self.raw, x.raw, &mut value))?;
        Ok(value)
    }

    /// Inner products with several vectors in one reduction.
    ///
    /// # Errors
    /// When the layouts differ.
    pub fn dots(&self, x: &[&Vector]) -> Result<Vec<f64>> {
        x.iter().try_for_each(|x| self.same_layout(x))?;
        let list: Vec<RawVec> = x.iter().map(|v| v.raw).collect();
        let mut values = vec![0.0; list.len()];
        if !list.is_empty() {
            petsc!(VecMDot(self.raw, int(list.len())?, list.as_ptr(), values.as_mut_ptr()))?;
        }
        Ok(values)
    }

    /// Inner products of several vectors, each with several others, all in one reduction.
    ///
    /// # Errors
    /// When the layouts differ.
    pub fn fused_dots(groups: &[(&Vector, &[&Vector])]) -> Result<Vec<Vec<f64>>> {
        groups.iter().try_for_each(|(y, x)| x.iter().try_for_each(|x| y.same_layout(x)))?;
        let lists: Vec<Vec<RawVec>> = groups.iter().map(|(_, x)| x.iter().map(|v| v.raw).collect()).collect();
        let mut values: Vec<Vec<f64>> = lists.iter().map(|list| vec![0.0; list.len()]).collect();
        let filled = || lists.iter().zip(groups).enumerate().filter(|(_, (list, _))| !list.is_empty());
        for (i, (list, (y, _))) in filled() {
            petsc!(VecMDotBegin(y.raw, int(list.len())?, list.as_ptr(), values[i].as_mut_ptr()))?;
        }
        for (i, (list, (y, _))) in filled() {
            petsc!(VecMDotEnd(y.raw, int(list.len())?, list.as_ptr(), values[i].as_mut_ptr()))?;
        }
        Ok(values)
    }

    /// A norm over all ranks.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn norm(&self, norm: Norm) -> Result<f64> {
        let mut value = 0.0;
        petsc!(VecNorm(self.raw, norm.raw(), &mut value))?;
        Ok(value)
    }

    /// Sum of all entries.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn sum(&self) -> Result<f64> {
        let mut value = 0.0;
        petsc!(VecSum(self.raw, &mut value))?;
        Ok(value)
    }

    /// Smallest entry and its global number.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn min(&self) -> Result<(f64, usize)> {
        let (mut at, mut value) = (0, 0.0);
        petsc!(VecMin(self.raw, &mut at, &mut value))?;
        Ok((value, at.max(0) as usize))
    }

    /// Largest entry and its global number.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn max(&self) -> Result<(f64, usize)> {
        let (mut at, mut value) = (0, 0.0);
        petsc!(VecMax(self.raw, &mut at, &mut value))?;
        Ok((value, at.max(0) as usize))
    }

    /// `self = x .* y`, entry by entry.
    ///
    /// # Errors
    /// When the layouts differ.
    pub fn pointwise_mult(&mut self, x: &Vector, y: &Vector) -> Result<()> {
        self.same_layout(x)?;
        self.same_layout(y)?;
        petsc!(VecPointwiseMult(self.raw, x.raw, y.raw))
    }

    /// `self = x ./ y`, entry by entry.
    ///
    /// # Errors
    /// When the layouts differ.
    pub fn pointwise_divide(&mut self, x: &Vector, y: &Vector) -> Result<()> {
        self.same_layout(x)?;
        self.same_layout(y)?;
        petsc!(VecPointwiseDivide(self.raw, x.raw, y.raw))
    }

    /// `self .*= x`, entry by entry.
    ///
    /// # Errors
    /// When the layouts differ.
    pub fn multiply(&mut self, x: &Vector) -> Result<()> {
        self.same_layout(x)?;
        petsc!(VecPointwiseMult(self.raw, self.raw, x.raw))
    }

    /// Every nonzero entry becomes its reciprocal.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn reciprocal(&mut self) -> Result<()> {
        petsc!(VecReciprocal(self.raw))
    }

    /// The entries at `set` as a new vector (collective, copies).
    ///
    /// # Errors
    /// When an index does not exist.
    pub fn extract(&self, set: &IndexSet) -> Result<Vector> {
        let (mut sub, mut raw) = (null_mut(), null_mut());
        petsc!(VecGetSubVector(self.raw, set.raw, &mut sub))?;
        let outcome = petsc!(VecDuplicate(sub, &mut raw)).and_then(|()| petsc!(VecCopy(sub, raw)));
        petsc!(VecRestoreSubVector(self.raw, set.raw, &mut sub))?;
        outcome?;
        Self::from_raw(raw)
    }

    /// First entry of every rank, and the global size. Replicated, so comparing layouts gives the same
    /// verdict on all ranks. Local.
    pub(crate) fn layout(&self) -> Result<&[Int]> {
        let mut ranges = null();
        petsc!(VecGetOwnershipRanges(self.raw, &mut ranges))?;
        // SAFETY: one entry a rank and one more, alive as long as the vector.
        Ok(unsafe { std::slice::from_raw_parts(ranges, ranks(self.mpi_comm()?) + 1) })
    }

    fn same_layout(&self, x: &Vector) -> Result<()> {
        // PETSc compares only this rank's share, and only in debug builds.
        match self.layout()? == x.layout()? {
            true => Ok(()),
            false => Err(Error::argument(format!(
                "vectors of different layout: {} of {} entries against {} of {}",
                self.local_size(),
                self.global_size(),
                x.local_size(),
                x.global_size()
            ))),
        }
    }
}
