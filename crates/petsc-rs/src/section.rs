//! Layouts of data on points.
use crate::Int;
use crate::error::{Error, Result};
use crate::session::{int, name, text};
use mpi::topology::SimpleCommunicator;
use mpi::traits::AsRaw;
use petsc_sys::*;
use std::ops::Range;
use std::ptr::{null, null_mut};
use std::vec::Vec;

handle!(
    /// How many values each point (of a mesh, say) carries, and where they start in an array
    /// (`PetscSection`). Local to each rank, and unchangeable once made.
    Section,
    PetscSection,
    PetscSectionDestroy
);

impl Section {
    /// `dofs[i]` values on the point `first + i`, stored in that order.
    ///
    /// # Errors
    /// When a number is negative.
    pub fn new(comm: &SimpleCommunicator, first: Int, dofs: &[Int]) -> Result<Self> {
        Self::on(comm.as_raw(), first, dofs)
    }

    pub(crate) fn on(comm: MPI_Comm, first: Int, dofs: &[Int]) -> Result<Self> {
        let end = check_points(first, dofs)?;
        let mut raw = null_mut();
        petsc!(PetscSectionCreate(comm, &mut raw))?;
        let section = Self::from_raw(raw)?;
        petsc!(PetscSectionSetChart(raw, first, end))?;
        for (point, &dof) in (first..end).zip(dofs) {
            petsc!(PetscSectionSetDof(raw, point, dof))?;
        }
        petsc!(PetscSectionSetUp(raw))?;
        Ok(section)
    }

    /// Several fields: each has a name, its number of components, and its values on each point. A point's
    /// values are stored field after field.
    ///
    /// # Errors
    /// When the fields have different numbers of points, or a number is negative.
    pub fn with_fields(
        comm: &SimpleCommunicator,
        first: Int,
        fields: &[(&str, usize, &[Int])],
    ) -> Result<Self> {
        Self::fields_on(comm.as_raw(), first, fields)
    }

    pub(crate) fn fields_on(comm: MPI_Comm, first: Int, fields: &[(&str, usize, &[Int])]) -> Result<Self> {
        let points = fields.first().map_or(0, |f| f.2.len());
        if fields.iter().any(|f| f.2.len() != points) {
            return Err(Error::argument("every field needs a number for every point"));
        }
        fields.iter().try_for_each(|f| check_points(first, f.2).map(drop))?;
        let mut raw = null_mut();
        petsc!(PetscSectionCreate(comm, &mut raw))?;
        let section = Self::from_raw(raw)?;
        petsc!(PetscSectionSetNumFields(raw, int(fields.len())?))?;
        petsc!(PetscSectionSetChart(raw, first, first + int(points)?))?;
        for (f, &(title, components, dofs)) in (0..).zip(fields) {
            let title = name(title)?;
            petsc!(PetscSectionSetFieldName(raw, f, title.as_ptr()))?;
            petsc!(PetscSectionSetFieldComponents(raw, f, int(components)?))?;
            for (point, &dof) in (first..).zip(dofs) {
                petsc!(PetscSectionSetFieldDof(raw, point, f, dof))?;
                petsc!(PetscSectionAddDof(raw, point, dof))?;
            }
        }
        petsc!(PetscSectionSetUp(raw))?;
        Ok(section)
    }

    /// The points.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn chart(&self) -> Result<Range<Int>> {
        let (mut start, mut end) = (0, 0);
        petsc!(PetscSectionGetChart(self.raw, &mut start, &mut end))?;
        Ok(start..end)
    }

    /// Values on a point. In a global section, the points of other ranks have `-(n + 1)`.
    ///
    /// # Errors
    /// When the point does not exist.
    pub fn dof(&self, point: Int) -> Result<Int> {
        self.check_point(point)?;
        let mut dof = 0;
        petsc!(PetscSectionGetDof(self.raw, point, &mut dof))?;
        Ok(dof)
    }

    /// Where the values of a point start. In a global section, the points of other ranks have
    /// `-(offset + 1)`.
    ///
    /// # Errors
    /// When the point does not exist.
    pub fn offset(&self, point: Int) -> Result<Int> {
        self.check_point(point)?;
        let mut offset = 0;
        petsc!(PetscSectionGetOffset(self.raw, point, &mut offset))?;
        Ok(offset)
    }

    /// Names of the fields; empty without fields.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn fields(&self) -> Result<Vec<String>> {
        (0..self.field_count()?)
            .map(|field| {
                let mut title = null();
                petsc!(PetscSectionGetFieldName(self.raw, field, &mut title))?;
                Ok(text(title))
            })
            .collect()
    }

    /// Number of values of a field on a point, and where they start.
    ///
    /// # Errors
    /// When the point or the field does not exist.
    pub fn field(&self, point: Int, field: usize) -> Result<(Int, Int)> {
        self.check_point(point)?;
        let field = int(field)?;
        if field >= self.field_count()? {
            return Err(Error::argument(format!("the section has no field {field}")));
        }
        let (mut dof, mut offset) = (0, 0);
        petsc!(PetscSectionGetFieldDof(self.raw, point, field, &mut dof))?;
        petsc!(PetscSectionGetFieldOffset(self.raw, point, field, &mut offset))?;
        Ok((dof, offset))
    }

    /// Number of values on all points.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn storage_size(&self) -> Result<usize> {
        let mut size = 0;
        petsc!(PetscSectionGetStorageSize(self.raw, &mut size))?;
        Ok(size.max(0) as usize)
    }

    fn field_count(&self) -> Result<Int> {
        let mut count = 0;
        petsc!(PetscSectionGetNumFields(self.raw, &mut count))?;
        Ok(count)
    }

    fn check_point(&self, point: Int) -> Result<()> {
        let chart = self.chart()?;
        match chart.contains(&point) {
            true => Ok(()),
            false => Err(Error::argument(format!("point {point} is not in {chart:?}"))),
        }
    }
}

/// One past the last point.
fn check_points(first: Int, dofs: &[Int]) -> Result<Int> {
    if let Some(i) = dofs.iter().position(|&d| d < 0) {
        return Err(Error::argument(format!("a negative number of values ({}) on a point", dofs[i])));
    }
    first.checked_add(int(dofs.len())?).ok_or_else(|| Error::argument("too many points"))
}
