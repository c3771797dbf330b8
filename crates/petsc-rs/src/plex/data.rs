//! Data on the points of a mesh.
use super::DmPlex;
use crate::error::{Error, Result};
use crate::session::agree;
use crate::{Int, Section, Vector};
use petsc_sys::*;
use std::ptr::null_mut;
use std::vec::Vec;

/// Data on the points.
impl DmPlex {
    /// A section with fields of `(name, components, values on a point of each depth)`: linear elements are
    /// `("u", 1, &[1])`, one value on the vertices.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn create_section(&self, fields: &[(&str, usize, &[Int])]) -> Result<Section> {
        let chart = self.chart()?;
        let mut dofs = vec![vec![0; chart.len()]; fields.len()];
        for (list, &(_, _, by_depth)) in dofs.iter_mut().zip(fields) {
            for (depth, &dof) in by_depth.iter().enumerate() {
                self.depth(depth)?.for_each(|point| list[(point - chart.start) as usize] = dof);
            }
        }
        let list: Vec<_> = fields.iter().zip(&dofs).map(|(f, d)| (f.0, f.1, d.as_slice())).collect();
        Section::fields_on(self.mpi_comm()?, chart.start, &list)
    }

    /// Lays data out by a section; [`DmPlex::vectors`] follow it.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn set_section(&mut self, section: &Section) -> Result<()> {
        petsc!(DMSetLocalSection(self.raw, section.raw))
    }

    /// The layout of the global vector, see [`Section::offset`].
    ///
    /// # Errors
    /// When no section is set.
    pub fn global_section(&self) -> Result<Section> {
        let mut raw = null_mut();
        petsc!(DMGetGlobalSection(self.raw, &mut raw))?;
        Section::share(raw)
    }

    /// A global vector (every value once) and a local one (this rank's points with their copies).
    ///
    /// # Errors
    /// When no section is set.
    pub fn vectors(&self) -> Result<(Vector, Vector)> {
        let (mut global, mut local) = (null_mut(), null_mut());
        petsc!(DMCreateGlobalVector(self.raw, &mut global))?;
        let mut global = Vector::from_raw(global)?;
        petsc!(DMCreateLocalVector(self.raw, &mut local))?;
        let mut local = Vector::from_raw(local)?;
        global.set(0.0)?;
        local.set(0.0)?;
        Ok((global, local))
    }

    /// Copies owners' values to all copies.
    ///
    /// # Errors
    /// When the vectors are not of the sizes of [`DmPlex::vectors`] on some rank.
    pub fn global_to_local(&self, global: &Vector, local: &mut Vector) -> Result<()> {
        self.check_vectors(global, local)?;
        petsc!(DMGlobalToLocal(self.raw, global.raw, InsertMode_INSERT_VALUES, local.raw))
    }

    /// Adds all copies to their owners' values.
    ///
    /// # Errors
    /// As [`DmPlex::global_to_local`].
    pub fn local_to_global_add(&self, local: &Vector, global: &mut Vector) -> Result<()> {
        self.check_vectors(global, local)?;
        petsc!(DMLocalToGlobal(self.raw, local.raw, InsertMode_ADD_VALUES, global.raw))
    }

    fn check_vectors(&self, global: &Vector, local: &Vector) -> Result<()> {
        let mut raw = null_mut();
        petsc!(DMGetLocalSection(self.raw, &mut raw))?;
        let mut own = 0;
        petsc!(PetscSectionGetConstrainedStorageSize(self.global_section()?.raw, &mut own))?;
        let fits = local.local_size() == Section::share(raw)?.storage_size()?
            && global.local_size() == own.max(0) as usize;
        let fits =
            if fits { Ok(()) } else { Err(Error::argument("the vectors do not fit the mesh's section")) };
        agree(self.mpi_comm()?, fits)
    }
}
