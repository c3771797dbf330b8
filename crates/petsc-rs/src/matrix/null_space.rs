//! Null spaces and near null spaces.
use super::Matrix;
use crate::Vector;
use crate::error::Result;
use crate::session::{int, truth};
use crate::vector::Norm;
use petsc_sys::*;
use std::ptr::{null, null_mut};
use std::vec::Vec;

impl Matrix {
    /// Gives multigrid the vectors that smoothing reduces slowest (rigid-body motions in elasticity); they
    /// are orthonormalised here, and left out where they depend on earlier ones.
    ///
    /// # Errors
    /// When the layouts differ.
    pub fn set_near_null_space(&mut self, vectors: Vec<Vector>) -> Result<()> {
        let space = self.null_space(vectors)?;
        petsc!(MatSetNearNullSpace(self.raw, space.raw))
    }

    /// Shares the near null space of another matrix, if it has one. From PETSc 3.22 on its vectors cannot be changed any
    /// more, so they are no input of [`Matrix::set_near_null_space`].
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn share_near_null_space(&mut self, other: &Matrix) -> Result<()> {
        let mut space = null_mut();
        petsc!(MatGetNearNullSpace(other.raw, &mut space))?;
        if space.is_null() { Ok(()) } else { petsc!(MatSetNearNullSpace(self.raw, space)) }
    }

    /// The vectors of [`Matrix::set_near_null_space`], orthonormal; none when there are none. They are
    /// read-only: the matrix owns them.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn near_null_space(&self) -> Result<Vec<Vector>> {
        let mut space = null_mut();
        petsc!(MatGetNearNullSpace(self.raw, &mut space))?;
        if space.is_null() {
            return Ok(Vec::new());
        }
        let (mut constant, mut count, mut list) = (truth(false), 0, null());
        petsc!(MatNullSpaceGetVecs(space, &mut constant, &mut count, &mut list))?;
        // SAFETY: PETSc lends `count` handles.
        (0..count as usize).map(|i| Vector::share(unsafe { *list.add(i) })).collect()
    }

    /// States the null space of a singular matrix, as in [`Matrix::set_near_null_space`]; solvers remove it.
    ///
    /// # Errors
    /// When the layouts differ.
    pub fn set_null_space(&mut self, vectors: Vec<Vector>) -> Result<()> {
        let space = self.null_space(vectors)?;
        petsc!(MatSetNullSpace(self.raw, space.raw))
    }

    fn null_space(&self, vectors: Vec<Vector>) -> Result<NullSpace> {
        const DEPENDENT: f64 = 1e-10;
        let mut basis: Vec<Vector> = Vec::new();
        for mut vector in vectors {
            let before = vector.norm(Norm::Two)?;
            // Gram-Schmidt twice is enough (Giraud, Langou, Rozloznik 2005).
            for _ in 0..2 {
                let list: Vec<&Vector> = basis.iter().collect();
                let factors: Vec<f64> = vector.dots(&list)?.iter().map(|f| -f).collect();
                vector.maxpy(&factors, &list)?;
            }
            let after = vector.norm(Norm::Two)?;
            if after > DEPENDENT * before {
                vector.scale(1.0 / after)?;
                basis.push(vector);
            }
        }
        let list: Vec<petsc_sys::Vec> = basis.iter().map(|v| v.raw).collect();
        let comm = self.mpi_comm()?;
        let mut raw = null_mut();
        petsc!(MatNullSpaceCreate(comm, truth(false), int(list.len())?, list.as_ptr(), &mut raw))?;
        NullSpace::from_raw(raw)
    }
}

handle!(
    /// A matrix's null space, shared with the matrix.
    NullSpace,
    MatNullSpace,
    MatNullSpaceDestroy
);
