//! Labels: named sets of marked points.
use super::DmPlex;
use crate::error::Result;
use crate::session::{name, text};
use crate::{IndexSet, Int};
use mpi::collective::SystemOperation;
use petsc_sys::*;
use std::ptr::{null, null_mut};
use std::vec::Vec;

/// Labels: named sets of marked points.
impl DmPlex {
    /// Names of the labels; PETSc's own ("depth", "celltype") too. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn labels(&self) -> Result<Vec<String>> {
        let mut count = 0;
        petsc!(DMGetNumLabels(self.raw, &mut count))?;
        (0..count)
            .map(|i| {
                let mut label = null();
                petsc!(DMGetLabelName(self.raw, i, &mut label))?;
                Ok(text(label))
            })
            .collect()
    }

    /// Marks a point with a value; makes the label where needed (do so on all ranks alike).
    ///
    /// # Errors
    /// When the point does not exist.
    pub fn set_label(&mut self, label: &str, point: Int, value: Int) -> Result<()> {
        self.check_point(point)?;
        let label = name(label)?;
        petsc!(DMSetLabelValue(self.raw, label.as_ptr(), point, value))
    }

    /// Makes an empty label.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn create_label(&mut self, label: &str) -> Result<()> {
        let label = name(label)?;
        petsc!(DMCreateLabel(self.raw, label.as_ptr()))
    }

    /// The values that a label has on this rank. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn label_values(&self, label: &str) -> Result<Vec<Int>> {
        let label = name(label)?;
        let mut raw = null_mut();
        petsc!(DMGetLabelIdIS(self.raw, label.as_ptr(), &mut raw))?;
        index_list(raw)
    }

    /// This rank's points with a value, copies included. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn labelled(&self, label: &str, value: Int) -> Result<Vec<Int>> {
        let label = name(label)?;
        let mut raw = null_mut();
        petsc!(DMGetStratumIS(self.raw, label.as_ptr(), value, &mut raw))?;
        index_list(raw)
    }

    /// Marks the facets on the boundary (of an interpolated mesh): those with one cell, on all ranks
    /// together. Copies are marked too.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn mark_boundary(&mut self, label: &str, value: Int) -> Result<()> {
        self.create_label(label)?;
        // PETSc's own way takes facets between ranks for boundary ones, so cells are counted by owners.
        let forest = self.point_star_forest()?;
        let mut roots = 0;
        petsc!(PetscSFGetGraph(forest.raw, &mut roots, null_mut(), null_mut(), null_mut()))?;
        let mut copied = vec![false; self.chart()?.end as usize];
        if roots >= 0 {
            forest.graph()?.1.iter().for_each(|leaf| copied[leaf.local as usize] = true);
        }
        let mut cells = vec![0 as Int; copied.len()];
        for facet in self.height(1)? {
            cells[facet as usize] =
                self.support(facet)?.iter().filter(|&&cell| !copied[cell as usize]).count() as Int;
        }
        if roots >= 0 {
            let mine = cells.clone();
            forest.reduce(&mine, &mut cells, SystemOperation::sum())?;
            let all = cells.clone();
            forest.broadcast(&all, &mut cells)?;
        }
        self.height(1)?
            .filter(|&facet| cells[facet as usize] == 1)
            .try_for_each(|facet| self.set_label(label, facet, value))
    }
}

/// The entries of an index set that may be missing.
fn index_list(raw: IS) -> Result<Vec<Int>> {
    if raw.is_null() {
        return Ok(Vec::new());
    }
    let set = IndexSet::from_raw(raw)?;
    let list = set.indices()?.to_vec();
    Ok(list)
}
