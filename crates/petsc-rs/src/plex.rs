//! Unstructured meshes.
use crate::error::{Error, Result};
use crate::session::{agree, int, name, text, truth};
use crate::{IndexSet, Int, Partitioner, Section, StarForest, Vector};
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
#[allow(missing_docs)]
pub enum CellKind {
    Point,
    Segment,
    Triangle,
    Quadrilateral,
    Tetrahedron,
    Hexahedron,
    Prism,
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

    /// Dimension of the cells and of the space they are in.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn dimensions(&self) -> Result<(usize, usize)> {
        let (mut cells, mut space) = (0, 0);
        petsc!(DMGetDimension(self.raw, &mut cells))?;
        petsc!(DMGetCoordinateDim(self.raw, &mut space))?;
        Ok((cells as usize, space as usize))
    }

    /// All points of this rank, copies included.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn chart(&self) -> Result<Range<Int>> {
        let (mut start, mut end) = (0, 0);
        petsc!(DMPlexGetChart(self.raw, &mut start, &mut end))?;
        Ok(start..end)
    }

    /// Points by distance from the cells: 0 are the cells, 1 the facets.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn height(&self, height: usize) -> Result<Range<Int>> {
        let (mut start, mut end) = (0, 0);
        petsc!(DMPlexGetHeightStratum(self.raw, int(height)?, &mut start, &mut end))?;
        Ok(start..end)
    }

    /// Points by distance from the vertices: 0 are the vertices, 1 the edges (of an interpolated mesh).
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn depth(&self, depth: usize) -> Result<Range<Int>> {
        let (mut start, mut end) = (0, 0);
        petsc!(DMPlexGetDepthStratum(self.raw, int(depth)?, &mut start, &mut end))?;
        Ok(start..end)
    }

    /// The points that bound a point.
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

    /// The points that a point bounds.
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

    /// A point, and all that bounds it down to the vertices, each with its orientation.
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

    /// The shape of a point.
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

    /// Coordinates of this rank's vertices, in the order of `depth(0)`.
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

/// Labels: named sets of marked points.
impl DmPlex {
    /// Names of the labels; PETSc's own ("depth", "celltype") too.
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

    /// The values that a label has on this rank.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn label_values(&self, label: &str) -> Result<Vec<Int>> {
        let label = name(label)?;
        let mut raw = null_mut();
        petsc!(DMGetLabelIdIS(self.raw, label.as_ptr(), &mut raw))?;
        index_list(raw)
    }

    /// This rank's points with a value, copies included.
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

/// The entries of an index set that may be missing.
fn index_list(raw: IS) -> Result<Vec<Int>> {
    if raw.is_null() {
        return Ok(Vec::new());
    }
    let set = IndexSet::from_raw(raw)?;
    let list = set.indices()?.to_vec();
    Ok(list)
}
