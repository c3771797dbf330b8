//! Array views of a vector's entries.
use super::Vector;
use crate::error::{Error, Result};
use petsc_sys::{Vec as RawVec, *};
use std::ops::{Deref, DerefMut};
use std::ptr::null_mut;

impl Vector {
    /// The own entries, for reading. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn read(&self) -> Result<VectorRead<'_>> {
        let size = self.local_size();
        VectorRead::new(self, None, size)
    }

    /// The own entries, for writing. Ghosts are stale afterwards until [`Vector::ghost_update`].
    ///
    /// Call it on every rank, even where nothing changes: PETSc remembers norms until a vector is written
    /// to, so ranks that did not write would skip the next norm's reduction.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn write(&mut self) -> Result<VectorWrite<'_>> {
        let size = self.local_size();
        VectorWrite::new(self, None, size)
    }

    /// Own entries, then ghosts, for reading. Local.
    ///
    /// # Errors
    /// When the vector is not ghosted.
    pub fn local_read(&self) -> Result<VectorRead<'_>> {
        let (form, size) = self.local_form()?;
        VectorRead::new(self, Some(form), size)
    }

    /// Own entries, then ghosts, for writing. Call it on every rank, as [`Vector::write`].
    ///
    /// # Errors
    /// When the vector is not ghosted.
    pub fn local_write(&mut self) -> Result<VectorWrite<'_>> {
        let (form, size) = self.local_form()?;
        VectorWrite::new(self, Some(form), size)
    }

    fn local_form(&self) -> Result<(RawVec, usize)> {
        let mut form = null_mut();
        petsc!(VecGhostGetLocalForm(self.raw, &mut form))?;
        if form.is_null() {
            return Err(Error::argument("the vector has no ghosts"));
        }
        let mut size = 0;
        petsc!(VecGetLocalSize(form, &mut size))?;
        Ok((form, size as usize))
    }
}

/// Read access to a vector's entries.
pub struct VectorRead<'a> {
    vector: &'a Vector,
    form: Option<RawVec>,
    pointer: *const f64,
    size: usize,
}

impl<'a> VectorRead<'a> {
    fn new(vector: &'a Vector, form: Option<RawVec>, size: usize) -> Result<Self> {
        let mut pointer = std::ptr::null();
        petsc!(VecGetArrayRead(form.unwrap_or(vector.raw), &mut pointer))?;
        Ok(Self { vector, form, pointer, size })
    }
}

impl Deref for VectorRead<'_> {
    type Target = [f64];
    fn deref(&self) -> &[f64] {
        if self.size == 0 {
            return &[];
        }
        // SAFETY: PETSc lends `size` entries until they are restored in `drop`; the shared borrow of the
        // vector keeps writers out.
        unsafe { std::slice::from_raw_parts(self.pointer, self.size) }
    }
}

impl Drop for VectorRead<'_> {
    fn drop(&mut self) {
        // SAFETY: pairs with the calls that made this view; local operations.
        unsafe {
            VecRestoreArrayRead(self.form.unwrap_or(self.vector.raw), &mut self.pointer);
            if let Some(form) = &mut self.form {
                VecGhostRestoreLocalForm(self.vector.raw, form);
            }
        }
    }
}

/// Write access to a vector's entries.
pub struct VectorWrite<'a> {
    vector: &'a mut Vector,
    form: Option<RawVec>,
    pointer: *mut f64,
    size: usize,
}

impl<'a> VectorWrite<'a> {
    fn new(vector: &'a mut Vector, form: Option<RawVec>, size: usize) -> Result<Self> {
        let mut pointer = null_mut();
        petsc!(VecGetArray(form.unwrap_or(vector.raw), &mut pointer))?;
        Ok(Self { vector, form, pointer, size })
    }
}

impl Deref for VectorWrite<'_> {
    type Target = [f64];
    fn deref(&self) -> &[f64] {
        if self.size == 0 {
            return &[];
        }
        // SAFETY: as for `VectorRead`, with an exclusive borrow.
        unsafe { std::slice::from_raw_parts(self.pointer, self.size) }
    }
}

impl DerefMut for VectorWrite<'_> {
    fn deref_mut(&mut self) -> &mut [f64] {
        if self.size == 0 {
            return &mut [];
        }
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.pointer, self.size) }
    }
}

impl Drop for VectorWrite<'_> {
    fn drop(&mut self) {
        // SAFETY: pairs with the calls that made this view; local operations.
        unsafe {
            VecRestoreArray(self.form.unwrap_or(self.vector.raw), &mut self.pointer);
            if let Some(form) = &mut self.form {
                VecGhostRestoreLocalForm(self.vector.raw, form);
            }
        }
    }
}
