//! Star forests: who holds copies of whose data.
use crate::Int;
use crate::error::{Error, Result};
use crate::session::{agree, int, ranks};
use mpi::collective::SystemOperation;
use mpi::datatype::Equivalence;
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use petsc_sys::*;
use std::ptr::{null, null_mut};
use std::vec::Vec;

handle!(
    /// Local *leaves*, each the copy of a *root* on some rank (`PetscSF`). Roots send to their leaves
    /// ([`StarForest::broadcast`]), leaves are combined into their roots ([`StarForest::reduce`]).
    StarForest,
    PetscSF,
    PetscSFDestroy
);

/// A leaf and the root it copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// Position in this rank's leaf array.
    pub local: Int,
    /// Rank of the root.
    pub rank: Int,
    /// Position in that rank's root array.
    pub root: Int,
}

impl StarForest {
    /// `roots` roots on this rank, and its leaves; the leaf array may have gaps.
    ///
    /// # Errors
    /// When a root does not exist, a position is negative or a leaf is given twice, on some rank (all
    /// ranks get an error then).
    pub fn new(comm: &SimpleCommunicator, roots: usize, leaves: &[Leaf]) -> Result<Self> {
        let mut all = vec![0u64; comm.size() as usize];
        comm.all_gather_into(&(roots as u64), &mut all[..]);
        agree(comm.as_raw(), fits(&all, leaves))?;
        let mut local: Vec<Int> = leaves.iter().map(|l| l.local).collect();
        let mut remote: Vec<PetscSFNode> =
            leaves.iter().map(|l| PetscSFNode { rank: l.rank, index: l.root }).collect();
        let mut raw = null_mut();
        petsc!(PetscSFCreate(comm.as_raw(), &mut raw))?;
        let forest = Self::from_raw(raw)?;
        petsc!(PetscSFSetGraph(
            raw,
            int(roots)?,
            int(leaves.len())?,
            local.as_mut_ptr(),
            PetscCopyMode_PETSC_COPY_VALUES,
            remote.as_mut_ptr(),
            PetscCopyMode_PETSC_COPY_VALUES
        ))?;
        petsc!(PetscSFSetUp(raw))?;
        Ok(forest)
    }

    /// Number of roots on this rank, and its leaves. Local.
    ///
    /// # Errors
    /// When the graph is not set.
    pub fn graph(&self) -> Result<(usize, Vec<Leaf>)> {
        let (mut roots, mut count, mut local, mut remote) = (0, 0, null(), null());
        petsc!(PetscSFGetGraph(self.raw, &mut roots, &mut count, &mut local, &mut remote))?;
        let leaves = (0..count.max(0))
            .map(|i| {
                // SAFETY: PETSc lends `count` entries; a null `local` stands for 0, 1, 2, ...
                let (position, node) = unsafe {
                    let position = if local.is_null() { i } else { *local.add(i as usize) };
                    (position, *remote.add(i as usize))
                };
                Leaf { local: position, rank: node.rank, root: node.index }
            })
            .collect();
        Ok((roots.max(0) as usize, leaves))
    }

    /// Number of leaves of each root of this rank.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn degrees(&self) -> Result<Vec<Int>> {
        let (roots, _) = self.graph()?;
        let mut degrees = null();
        petsc!(PetscSFComputeDegreeBegin(self.raw, &mut degrees))?;
        petsc!(PetscSFComputeDegreeEnd(self.raw, &mut degrees))?;
        // SAFETY: one number a root, kept by the star forest.
        Ok((0..roots).map(|i| unsafe { *degrees.add(i) }).collect())
    }

    /// Every leaf takes its root's value; the gaps of `leaves` stay.
    ///
    /// # Errors
    /// When an array is too short on some rank (all ranks get an error then).
    pub fn broadcast<T: Equivalence + Copy>(&self, roots: &[T], leaves: &mut [T]) -> Result<()> {
        self.check_arrays(roots.len(), leaves.len())?;
        let (unit, from, to) = (T::equivalent_datatype(), roots.as_ptr().cast(), leaves.as_mut_ptr().cast());
        let unit = unit.as_raw();
        petsc!(PetscSFBcastBegin(self.raw, unit, from, to, petsc_shim_mpi_replace()))?;
        petsc!(PetscSFBcastEnd(self.raw, unit, from, to, petsc_shim_mpi_replace()))
    }

    /// Every root becomes `operation` of itself and its leaves' values.
    ///
    /// # Errors
    /// As [`StarForest::broadcast`].
    pub fn reduce<T: Equivalence + Copy>(
        &self,
        leaves: &[T],
        roots: &mut [T],
        operation: SystemOperation,
    ) -> Result<()> {
        self.check_arrays(roots.len(), leaves.len())?;
        let (unit, from, to) = (T::equivalent_datatype(), leaves.as_ptr().cast(), roots.as_mut_ptr().cast());
        let (unit, operation) = (unit.as_raw(), operation.as_raw());
        petsc!(PetscSFReduceBegin(self.raw, unit, from, to, operation))?;
        petsc!(PetscSFReduceEnd(self.raw, unit, from, to, operation))
    }

    fn check_arrays(&self, roots: usize, leaves: usize) -> Result<()> {
        let (need, graph) = self.graph()?;
        let last = graph.iter().map(|l| l.local as usize + 1).max().unwrap_or(0);
        let fits = match roots >= need && leaves >= last {
            true => Ok(()),
            false => Err(Error::argument(format!(
                "arrays of {roots} roots and {leaves} leaves, where {need} and {last} are needed"
            ))),
        };
        let comm = self.mpi_comm()?;
        if ranks(comm) == 1 { fits } else { agree(comm, fits) }
    }
}

fn fits(roots: &[u64], leaves: &[Leaf]) -> Result<()> {
    for leaf in leaves {
        let on_rank = usize::try_from(leaf.rank).ok().and_then(|rank| roots.get(rank));
        if leaf.local < 0 || leaf.root < 0 || on_rank.is_none_or(|&count| leaf.root as u64 >= count) {
            return Err(Error::argument(format!("{leaf:?} does not exist")));
        }
    }
    let mut positions: Vec<Int> = leaves.iter().map(|l| l.local).collect();
    positions.sort_unstable();
    match positions.windows(2).find(|w| w[0] == w[1]) {
        Some(twice) => Err(Error::argument(format!("leaf {} is given twice", twice[0]))),
        None => Ok(()),
    }
}
