//! Unstructured meshes.
mod data;
mod labels;

use crate::error::{Error, Result};
use crate::session::{agree, int, name, truth};
use crate::{Int, Partitioner, Section, StarForest, Vector};
use mpi::collective::SystemOperation;
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use petsc_sys::*;
use std::ops::Range;
use std::path::Path;
use std::ptr::{null, null_mut};
use std::vec::Vec;

handle!(
    /// A distributed unstructured mesh (`DMPlex`): points (cells, facets, edges, vertices) with a local
    /// number each, joined by who bounds whom.
    DmPlex,
    DM,
    DMDestroy
);

/// Shape of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    /// A vertex.
    Point,
    /// An edge, between 2 vertices.
    Segment,
    /// 3 vertices.
    Triangle,
    /// 4 vertices.
    Quadrilateral,
    /// 4 vertices, 4 triangles.
    Tetrahedron,
    /// 8 vertices, 6 quadrilaterals.
    Hexahedron,
    /// 6 vertices, 2 triangles and 3 quadrilaterals.
    Prism,
    /// 5 vertices, 4 triangles and a quadrilateral.
    Pyramid,
    /// Another of PETSc's.
    Other,
}

impl DmPlex {
    /// Reads a Gmsh file (on rank 0, where all cells are until [`DmPlex::distribute`]). Physical groups
    /// become the labels "Cell Sets" and "Face Sets". With `interpolate`, facets and edges are made too.
    ///
    /// # Errors
    /// When rank 0 cannot read the file (all ranks get an error then).
    pub fn from_gmsh(comm: &SimpleCommunicator, file: &Path, interpolate: bool) -> Result<Self> {
        let text = file.to_str().ok_or_else(|| Error::argument("the file's name is not UTF-8"))?;
        let path = name(text)?;
        let read = |comm| {
            let mut raw = null_mut();
            petsc!(DMPlexCreateGmshFromFile(comm, path.as_ptr(), truth(interpolate), &mut raw))?;
            Self::from_raw(raw)
        };
        // Only rank 0 meets the errors of a bad file, so it tries alone first.
        let trial = if comm.rank() == 0 && comm.size() > 1 {
            read(SimpleCommunicator::self_comm().as_raw()).map(drop)
        } else {
            Ok(())
        };
        agree(comm.as_raw(), trial)?;
        read(comm.as_raw())
    }

    /// A mesh from this rank's cells, each of `corners` global vertex numbers in PETSc's order, and this
    /// rank's block of vertices (numbered through the ranks) with `space` coordinates each.
    ///
    /// # Errors
    /// When the arrays do not fit together on some rank (all ranks get an error then), or PETSc does not
    /// know such cells.
    pub fn from_cells(
        comm: &SimpleCommunicator,
        dimension: usize,
        corners: usize,
        cells: &[Int],
        space: usize,
        coordinates: &[f64],
        interpolate: bool,
    ) -> Result<Self> {
        let vertices = coordinates.len() / space.max(1);
        let mut total = 0;
        comm.all_reduce_into(&vertices, &mut total, SystemOperation::sum());
        let whole = |length: usize, part: usize| part.checked_sub(1).is_some() && length.is_multiple_of(part);
        let fits = if !whole(cells.len(), corners) || !whole(coordinates.len(), space) || space < dimension {
            Err(Error::argument("cells and coordinates are not whole"))
        } else if let Some(bad) = cells.iter().find(|&&v| v < 0 || v as usize >= total) {
            Err(Error::argument(format!("vertex {bad} of {total} does not exist")))
        } else {
            Ok(())
        };
        agree(comm.as_raw(), fits)?;
        let mut raw = null_mut();
        petsc!(DMPlexCreateFromCellListParallelPetsc(
            comm.as_raw(),
            int(dimension)?,
            int(cells.len() / corners)?,
            int(vertices)?,
            int(total)?,
            int(corners)?,
            truth(interpolate),
            cells.as_ptr(),
            int(space)?,
            coordinates.as_ptr(),
            null_mut(),
            null_mut(),
            &mut raw
        ))?;
        Self::from_raw(raw)
    }

    /// Chooses how [`DmPlex::distribute`] divides the cells.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn set_partitioner(&mut self, partitioner: &Partitioner) -> Result<()> {
        petsc!(DMPlexSetPartitioner(self.raw, partitioner.raw))
    }

    /// The mesh spread over the ranks with `overlap` layers of copied cells, and the star forest from its
    /// points to those of `self`; `None` on one rank.
    ///
    /// # Errors
    /// When the partitioner fails.
    pub fn distribute(&self, overlap: usize) -> Result<Option<(Self, StarForest)>> {
        let (mut forest, mut raw) = (null_mut(), null_mut());
        crate::scotch::restart();
        petsc!(DMPlexDistribute(self.raw, int(overlap)?, &mut forest, &mut raw))?;
        match raw.is_null() {
            true => Ok(None),
            false => Ok(Some((Self::from_raw(raw)?, StarForest::from_raw(forest)?))),
        }
    }

    /// A distributed mesh with more layers of copied cells; see [`DmPlex::distribute`].
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn add_overlap(&self, layers: usize) -> Result<Option<(Self, StarForest)>> {
        let (mut forest, mut raw) = (null_mut(), null_mut());
        petsc!(DMPlexDistributeOverlap(self.raw, int(layers)?, &mut forest, &mut raw))?;
        match raw.is_null() {
            true => Ok(None),
            false => Ok(Some((Self::from_raw(raw)?, StarForest::from_raw(forest)?))),
        }
    }

    /// Dimension of the cells and of the space they are in. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn dimensions(&self) -> Result<(usize, usize)> {
        let (mut cells, mut space) = (0, 0);
        petsc!(DMGetDimension(self.raw, &mut cells))?;
        petsc!(DMGetCoordinateDim(self.raw, &mut space))?;
        Ok((cells as usize, space as usize))
    }

    /// All points of this rank, copies included. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn chart(&self) -> Result<Range<Int>> {
        let (mut start, mut end) = (0, 0);
        petsc!(DMPlexGetChart(self.raw, &mut start, &mut end))?;
        Ok(start..end)
    }

    /// Points by distance from the cells: 0 are the cells, 1 the facets. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn height(&self, height: usize) -> Result<Range<Int>> {
        let (mut start, mut end) = (0, 0);
        petsc!(DMPlexGetHeightStratum(self.raw, int(height)?, &mut start, &mut end))?;
        Ok(start..end)
    }

    /// Points by distance from the vertices: 0 are the vertices, 1 the edges (of an interpolated mesh). Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn depth(&self, depth: usize) -> Result<Range<Int>> {
        let (mut start, mut end) = (0, 0);
        petsc!(DMPlexGetDepthStratum(self.raw, int(depth)?, &mut start, &mut end))?;
        Ok(start..end)
    }

    /// The points that bound a point. Local.
    ///
    /// # Errors
    /// When the point does not exist.
    pub fn cone(&self, point: Int) -> Result<Vec<Int>> {
        self.check_point(point)?;
        let (mut size, mut list) = (0, null());
        petsc!(DMPlexGetConeSize(self.raw, point, &mut size))?;
        petsc!(DMPlexGetCone(self.raw, point, &mut list))?;
        // SAFETY: PETSc lends `size` entries.
        Ok((0..size as usize).map(|i| unsafe { *list.add(i) }).collect())
    }

    /// The points that a point bounds. Local.
    ///
    /// # Errors
    /// When the point does not exist.
    pub fn support(&self, point: Int) -> Result<Vec<Int>> {
        self.check_point(point)?;
        let (mut size, mut list) = (0, null());
        petsc!(DMPlexGetSupportSize(self.raw, point, &mut size))?;
        petsc!(DMPlexGetSupport(self.raw, point, &mut list))?;
        // SAFETY: as in `cone`.
        Ok((0..size as usize).map(|i| unsafe { *list.add(i) }).collect())
    }

    /// A point, and all that bounds it down to the vertices, each with its orientation. Local.
    ///
    /// # Errors
    /// When the point does not exist.
    pub fn closure(&self, point: Int) -> Result<Vec<(Int, Int)>> {
        self.check_point(point)?;
        let (mut size, mut list) = (0, null_mut());
        petsc!(DMPlexGetTransitiveClosure(self.raw, point, truth(true), &mut size, &mut list))?;
        // SAFETY: PETSc lends `size` pairs.
        let pairs = (0..size as usize).map(|i| unsafe { (*list.add(2 * i), *list.add(2 * i + 1)) }).collect();
        petsc!(DMPlexRestoreTransitiveClosure(self.raw, point, truth(true), &mut size, &mut list))?;
        Ok(pairs)
    }

    /// The shape of a point. Local.
    ///
    /// # Errors
    /// When the point does not exist.
    pub fn cell_kind(&self, point: Int) -> Result<CellKind> {
        self.check_point(point)?;
        let mut kind = DMPolytopeType_DM_POLYTOPE_UNKNOWN;
        petsc!(DMPlexGetCellType(self.raw, point, &mut kind))?;
        Ok(match kind {
            k if k == DMPolytopeType_DM_POLYTOPE_POINT => CellKind::Point,
            k if k == DMPolytopeType_DM_POLYTOPE_SEGMENT => CellKind::Segment,
            k if k == DMPolytopeType_DM_POLYTOPE_TRIANGLE => CellKind::Triangle,
            k if k == DMPolytopeType_DM_POLYTOPE_QUADRILATERAL => CellKind::Quadrilateral,
            k if k == DMPolytopeType_DM_POLYTOPE_TETRAHEDRON => CellKind::Tetrahedron,
            k if k == DMPolytopeType_DM_POLYTOPE_HEXAHEDRON => CellKind::Hexahedron,
            k if k == DMPolytopeType_DM_POLYTOPE_TRI_PRISM => CellKind::Prism,
            k if k == DMPolytopeType_DM_POLYTOPE_PYRAMID => CellKind::Pyramid,
            _ => CellKind::Other,
        })
    }

    /// Coordinates of this rank's vertices, as many for each as the space has dimensions, in the order of
    /// `depth(0)`.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn vertex_coordinates(&self) -> Result<Vec<f64>> {
        let (mut vector, mut section) = (null_mut(), null_mut());
        petsc!(DMGetCoordinatesLocal(self.raw, &mut vector))?;
        petsc!(DMGetCoordinateSection(self.raw, &mut section))?;
        let (vector, section) = (Vector::share(vector)?, Section::share(section)?);
        let (values, (_, space)) = (vector.read()?, self.dimensions()?);
        let mut coordinates = Vec::new();
        for vertex in self.depth(0)? {
            let offset = section.offset(vertex)? as usize;
            coordinates.extend_from_slice(&values[offset..offset + space]);
        }
        Ok(coordinates)
    }

    /// From the points that are copies (leaves) to their owners (roots).
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn point_star_forest(&self) -> Result<StarForest> {
        let mut raw = null_mut();
        petsc!(DMGetPointSF(self.raw, &mut raw))?;
        StarForest::share(raw)
    }

    fn check_point(&self, point: Int) -> Result<()> {
        let chart = self.chart()?;
        match chart.contains(&point) {
            true => Ok(()),
            false => Err(Error::argument(format!("point {point} is not in {chart:?}"))),
        }
    }
}
