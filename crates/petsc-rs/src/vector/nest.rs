//! Vectors of vectors.
use super::Vector;
use crate::error::Result;
use crate::session::int;
use mpi::topology::SimpleCommunicator;
use mpi::traits::AsRaw;
use petsc_sys::{Vec as RawVec, *};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::null_mut;
use std::vec::Vec;

impl Vector {
    /// A vector made of others, without copying (`VecNest`). They belong to it from now on; reach them
    /// through [`Vector::nested`] and [`Vector::nested_mut`]. For block systems, with `Matrix::nest`.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn nest(comm: &SimpleCommunicator, parts: Vec<Vector>) -> Result<Self> {
        let mut list: Vec<RawVec> = parts.iter().map(|v| v.raw).collect();
        let mut raw = null_mut();
        petsc!(VecCreateNest(comm.as_raw(), int(list.len())?, null_mut(), list.as_mut_ptr(), &mut raw))?;
        Self::from_raw(raw)
    }

    /// Part `i` of a nested vector. Local.
    ///
    /// # Errors
    /// When the vector is not nested, or has no such part.
    pub fn nested(&self, i: usize) -> Result<Part<'_>> {
        Ok(Part { vector: self.part(i)?, _nest: PhantomData })
    }

    /// Part `i` of a nested vector, for writing. Local.
    ///
    /// # Errors
    /// As [`Vector::nested`].
    pub fn nested_mut(&mut self, i: usize) -> Result<PartMut<'_>> {
        Ok(PartMut { vector: self.part(i)?, _nest: PhantomData })
    }

    fn part(&self, i: usize) -> Result<Vector> {
        let mut count = 0;
        petsc!(VecNestGetSize(self.raw, &mut count))?;
        if i >= count as usize {
            return Err(crate::Error::argument(format!("part {i} of {count}")));
        }
        let mut raw = null_mut();
        petsc!(VecNestGetSubVec(self.raw, int(i)?, &mut raw))?;
        Vector::share(raw)
    }
}

/// A part of a nested vector; see [`Vector::nested`].
pub struct Part<'a> {
    vector: Vector,
    _nest: PhantomData<&'a Vector>,
}

impl Deref for Part<'_> {
    type Target = Vector;
    fn deref(&self) -> &Vector {
        &self.vector
    }
}

/// A part of a nested vector, for writing; see [`Vector::nested_mut`].
pub struct PartMut<'a> {
    vector: Vector,
    _nest: PhantomData<&'a mut Vector>,
}

impl Deref for PartMut<'_> {
    type Target = Vector;
    fn deref(&self) -> &Vector {
        &self.vector
    }
}

impl DerefMut for PartMut<'_> {
    fn deref_mut(&mut self) -> &mut Vector {
        &mut self.vector
    }
}
