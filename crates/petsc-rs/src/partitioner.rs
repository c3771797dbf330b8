//! Graph partitioning.
use crate::error::{Error, Result};
use crate::session::{agree, name};
use crate::{Int, Options, Section};
use mpi::topology::SimpleCommunicator;
use mpi::traits::AsRaw;
use petsc_sys::*;
use std::ptr::null_mut;
use std::vec::Vec;

handle!(
    /// Divides a distributed graph into balanced parts with few cut edges (`PetscPartitioner`).
    Partitioner,
    PetscPartitioner,
    PetscPartitionerDestroy
);

impl Partitioner {
    /// A partitioner of the given kind: "ptscotch", "parmetis", "simple" (by index ranges), "gather".
    ///
    /// # Errors
    /// When PETSc was built without that kind.
    pub fn new(comm: &SimpleCommunicator, kind: &str) -> Result<Self> {
        let kind = name(kind)?;
        let mut raw = null_mut();
        petsc!(PetscPartitionerCreate(comm.as_raw(), &mut raw))?;
        let partitioner = Self::from_raw(raw)?;
        petsc!(PetscPartitionerSetType(raw, kind.as_ptr()))?;
        Ok(partitioner)
    }

    /// Applies options such as `-petscpartitioner_ptscotch_imbalance 0.02`.
    ///
    /// # Errors
    /// When an option is malformed or has a wrong value.
    pub fn set_options(&mut self, line: &str) -> Result<()> {
        let mut options = Options::global()?;
        let names = options.insert("", line, true)?;
        let outcome = petsc!(PetscPartitionerSetFromOptions(self.raw));
        names.iter().try_for_each(|option| options.clear(option))?;
        outcome
    }

    /// The part (`0..parts`) that each local vertex should go to.
    ///
    /// Local vertex `v` is joined to the global vertices `adjacency[start[v]..start[v + 1]]`; ranks hold
    /// consecutive global numbers. `weights` is the work of each local vertex (at least 1). The same graph
    /// on the same number of ranks gives the same parts with "ptscotch".
    ///
    /// # Errors
    /// When the arrays do not fit together on some rank (all ranks get an error then), or the partitioner fails.
    pub fn partition(
        &mut self,
        parts: Int,
        start: &[Int],
        adjacency: &[Int],
        weights: Option<&[Int]>,
    ) -> Result<Vec<Int>> {
        let comm = self.mpi_comm()?;
        agree(comm, fits(parts, start, adjacency, weights))?;
        let vertices = start.len() - 1;
        let weights: Option<Vec<Int>> = weights.map(|values| values.iter().map(|&w| w.max(1)).collect());
        let weights = weights.map(|values| Section::on(comm, 0, &values)).transpose()?;
        let counts = Section::on(comm, 0, &[])?;
        let mut set = null_mut();
        // PETSc takes them as mutable but only reads. Empty ranks still need a valid pointer.
        let mut start = start.to_vec();
        let mut adjacency = adjacency.to_vec();
        adjacency.reserve(1);
        crate::scotch::restart();
        petsc!(petsc_shim_partition(
            self.raw,
            parts,
            vertices as Int,
            start.as_mut_ptr(),
            adjacency.as_mut_ptr(),
            weights.as_ref().map_or(null_mut(), |s| s.raw),
            counts.raw,
            &mut set
        ))?;
        let set = crate::index_set::IndexSet::from_raw(set)?;
        let points = set.indices()?;
        let mut target = vec![0; vertices];
        for part in 0..parts {
            let (mut size, mut offset) = (0, 0);
            petsc!(PetscSectionGetDof(counts.raw, part, &mut size))?;
            petsc!(PetscSectionGetOffset(counts.raw, part, &mut offset))?;
            for &point in &points[offset as usize..(offset + size) as usize] {
                target[point as usize] = part;
            }
        }
        Ok(target)
    }
}

fn fits(parts: Int, start: &[Int], adjacency: &[Int], weights: Option<&[Int]>) -> Result<()> {
    let Some(vertices) = start.len().checked_sub(1) else {
        return Err(Error::argument("start needs one entry more than there are vertices"));
    };
    if start[0] != 0
        || start.windows(2).any(|w| w[1] < w[0])
        || start[vertices] as usize != adjacency.len()
        || weights.is_some_and(|w| w.len() != vertices)
        || parts < 1
    {
        return Err(Error::argument("the graph's arrays do not fit together"));
    }
    Ok(())
}
