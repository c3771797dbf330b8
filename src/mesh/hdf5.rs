//! Tessera's own mesh files: HDF5 in canonical order, written and read in parallel.
//!
//! ```text
//! /mesh                 attributes: cell_type, dimension, source
//! /mesh/geometry        [vertex, dimension] f64, metres
//! /mesh/identified      [vertex] u64, periodic meshes only: the vertex that each is identified with
//! /mesh/topology        [cell, vertex] u64, vertex order of VTK and Gmsh
//! /mesh/cell_markers    [cell] i32, index into the attribute `names`
//! /mesh/facet_topology  [facet, vertex] u64, the facets with a marker by their first cell
//! /mesh/facet_markers   [facet] i32, index into the attribute `names`
//! ```
//! A result file holds the same groups, so it can serve as a mesh.
use super::cell::CellType;
use super::local::Mesh;
use super::raw::RawMesh;
use crate::error::{Error, Result};
use crate::parallel::{Comm, Redistribution, block, block_owner};
use crate::storage::File;
use std::path::Path;

const GEOMETRY: &str = "/mesh/geometry";
const IDENTIFIED: &str = "/mesh/identified";
const TOPOLOGY: &str = "/mesh/topology";
const CELL_MARKERS: &str = "/mesh/cell_markers";
const FACET_TOPOLOGY: &str = "/mesh/facet_topology";
const FACET_MARKERS: &str = "/mesh/facet_markers";

impl Mesh {
    /// The plan that moves values of the owned cells to canonical order. Collective.
    pub fn cell_redistribution(&self) -> Redistribution {
        Redistribution::new(&self.comm, &self.cell_ids[..self.owned_cells], self.global_cells)
    }

    /// The local vertices that this rank owns, and the plan that moves their values, in this order, to
    /// canonical order. Collective.
    pub fn vertex_redistribution(&self) -> (Vec<u32>, Redistribution) {
        let rank = self.comm.rank() as u32;
        let owned: Vec<u32> =
            (0..self.local_vertices() as u32).filter(|&v| self.vertex_owners[v as usize] == rank).collect();
        let ids: Vec<u64> = owned.iter().map(|&v| self.vertex_ids[v as usize]).collect();
        let plan = Redistribution::new(&self.comm, &ids, self.global_vertices);
        (owned, plan)
    }

    /// Writes the mesh to the group `/mesh` of a file, in canonical order. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when the group is there already or the file system refuses.
    pub fn write(&self, file: &File) -> Result<()> {
        let (nv, dimension) = (self.cell_type.vertices(), self.dimension);
        file.create_group("/mesh")?;
        file.set("/mesh", "cell_type", self.cell_type.name())?;
        file.set("/mesh", "dimension", dimension)?;
        file.set("/mesh", "source", self.source.as_str())?;

        let (owned, plan) = self.vertex_redistribution();
        let points: Vec<f64> = owned.iter().flat_map(|&v| self.vertex(v as usize)).copied().collect();
        file.create_dataset::<f64>(GEOMETRY, &[self.global_vertices, dimension as u64])?;
        file.write_rows(GEOMETRY, plan.range().start, &plan.to_canonical(&points, dimension))?;
        file.set(GEOMETRY, "unit", "m")?;
        file.set(GEOMETRY, "meaning", "coordinates of the vertices")?;

        if let Some(identified) = &self.identified {
            let values: Vec<u64> = owned.iter().map(|&v| identified[v as usize]).collect();
            file.create_dataset::<u64>(IDENTIFIED, &[self.global_vertices])?;
            file.write_rows(IDENTIFIED, plan.range().start, &plan.to_canonical(&values, 1))?;
            file.set(
                IDENTIFIED,
                "meaning",
                "vertex that each vertex is identified with, the mesh being periodic",
            )?;
        }

        let plan = self.cell_redistribution();
        let corners: Vec<u64> =
            self.cells[..self.owned_cells * nv].iter().map(|&v| self.vertex_ids[v as usize]).collect();
        file.create_dataset::<u64>(TOPOLOGY, &[self.global_cells, nv as u64])?;
        file.write_rows(TOPOLOGY, plan.range().start, &plan.to_canonical(&corners, nv))?;
        file.set(TOPOLOGY, "meaning", "vertices of the cells, in the order of VTK and Gmsh")?;
        let regions: Vec<i32> = self.cell_regions[..self.owned_cells].iter().map(|&r| i32::from(r)).collect();
        file.create_dataset::<i32>(CELL_MARKERS, &[self.global_cells])?;
        file.write_rows(CELL_MARKERS, plan.range().start, &plan.to_canonical(&regions, 1))?;
        file.set(CELL_MARKERS, "names", self.region_names.clone())?;
        file.set(CELL_MARKERS, "meaning", "region of the cells, an index into names")?;

        let width = self.cell_type.vertices_per_facet();
        let (vertices, markers) = self.canonical_facets();
        let (first, count) =
            (self.comm.exclusive_sum(markers.len() as u64), self.comm.sum(markers.len() as u64));
        file.create_dataset::<u64>(FACET_TOPOLOGY, &[count, width as u64])?;
        file.write_rows(FACET_TOPOLOGY, first, &vertices)?;
        file.set(FACET_TOPOLOGY, "meaning", "vertices of the facets with a marker")?;
        file.create_dataset::<i32>(FACET_MARKERS, &[count])?;
        file.write_rows(FACET_MARKERS, first, &markers)?;
        file.set(FACET_MARKERS, "names", self.facets.names.clone())?;
        file.set(FACET_MARKERS, "meaning", "marker of the facets, an index into names")
    }

    /// Marked facets in the order of their first cells, those of the r-th block of cells on rank r:
    /// canonical vertices and markers.
    fn canonical_facets(&self) -> (Vec<u64>, Vec<i32>) {
        let width = self.cell_type.vertices_per_facet();
        let stride = width + 3;
        let mut parts = vec![Vec::new(); self.comm.size()];
        for (i, &cell) in self.facets.cell.iter().enumerate() {
            let (cell, marker) = (cell as usize, self.facets.marker[i]);
            if cell >= self.owned_cells || marker == u16::MAX {
                continue;
            }
            let id = self.cell_ids[cell];
            let local = self.facets.local[i];
            let part = &mut parts[block_owner(self.global_cells, self.comm.size(), id)];
            part.extend([id, u64::from(local), u64::from(marker)]);
            let start = part.len();
            part.extend(self.facet_vertices(cell, local as usize).map(|v| self.vertex_ids[v as usize]));
            if !self.facets.outward[i] {
                part[start..].reverse();
            }
        }
        let arrived = self.comm.exchange(&parts);
        let mut records: Vec<&[u64]> = arrived.iter().flat_map(|part| part.chunks_exact(stride)).collect();
        records.sort_unstable();
        let vertices = records.iter().flat_map(|r| r[3..].iter().copied()).collect();
        (vertices, records.iter().map(|r| r[2] as i32).collect())
    }
}

/// This rank's share of the mesh in a file. Collective.
///
/// # Errors
/// [`Error::Input`] when the file cannot be read, holds no mesh, or its arrays do not fit together.
pub(super) fn read(comm: &Comm, path: &Path) -> Result<RawMesh> {
    let name = path.display().to_string();
    let result = read_file(comm, path, &name).map_err(|error| match error {
        Error::Storage(text) => Error::input("", text.to_string()),
        other => other,
    });
    comm.agree(result)
}

fn read_file(comm: &Comm, path: &Path, name: &str) -> Result<RawMesh> {
    let fault = |message: String| Error::input(name, message);
    let file = File::open(comm, path)?;
    // Every rank sees the same file, so all take the same branch below.
    for needed in [GEOMETRY, TOPOLOGY] {
        if !file.exists(needed) {
            return Err(fault(format!("holds no mesh: there is no {needed}")));
        }
    }
    let kind = file.text("/mesh", "cell_type")?;
    let Some(cell_type) = CellType::from_name(&kind) else {
        return Err(fault(format!(
            "/mesh: the attribute cell_type is \"{kind}\", which is no shape of cells"
        )));
    };
    let shape = |dataset: &str, width: Option<u64>| -> Result<u64> {
        let shape = file.shape(dataset)?;
        let good = match (shape.as_slice(), width) {
            ([_], None) => true,
            ([_, columns], Some(width)) => *columns == width,
            _ => false,
        };
        if !good {
            let expected = width.map_or("[n]".into(), |width| format!("[n, {width}]"));
            return Err(fault(format!("{dataset} has the shape {shape:?}; expected {expected}")));
        }
        Ok(shape[0])
    };
    let (nv, width, dimension) =
        (cell_type.vertices(), cell_type.vertices_per_facet(), cell_type.dimension());
    let mut raw = RawMesh::new(name, cell_type);
    raw.global_vertices = shape(GEOMETRY, Some(dimension as u64))?;
    raw.global_cells = shape(TOPOLOGY, Some(nv as u64))?;
    let share = |total| block(total, comm.size(), comm.rank());
    raw.coordinates = file.read_rows(GEOMETRY, share(raw.global_vertices))?;
    if file.exists(IDENTIFIED) {
        if shape(IDENTIFIED, None)? != raw.global_vertices {
            return Err(fault(format!("{IDENTIFIED} and {GEOMETRY} differ in length")));
        }
        raw.identified = Some(file.read_rows(IDENTIFIED, share(raw.global_vertices))?);
    }
    raw.cells = file.read_rows(TOPOLOGY, share(raw.global_cells))?;
    let cells = raw.cells.len() / nv;
    if file.exists(CELL_MARKERS) {
        if shape(CELL_MARKERS, None)? != raw.global_cells {
            return Err(fault(format!("{CELL_MARKERS} and {TOPOLOGY} differ in length")));
        }
        raw.region_names = file.texts(CELL_MARKERS, "names")?;
        let values: Vec<i32> = file.read_rows(CELL_MARKERS, share(raw.global_cells))?;
        raw.regions = comm.agree(indices(&values, &raw.region_names, CELL_MARKERS, name))?;
    } else {
        raw.region_names = vec!["domain".into()];
        raw.regions = vec![0; cells];
    }
    if file.exists(FACET_TOPOLOGY) {
        let facets = shape(FACET_TOPOLOGY, Some(width as u64))?;
        if !file.exists(FACET_MARKERS) || shape(FACET_MARKERS, None)? != facets {
            return Err(fault(format!("{FACET_MARKERS} is missing or not as long as {FACET_TOPOLOGY}")));
        }
        raw.facet_names = file.texts(FACET_MARKERS, "names")?;
        raw.facets = file.read_rows(FACET_TOPOLOGY, share(facets))?;
        let values: Vec<i32> = file.read_rows(FACET_MARKERS, share(facets))?;
        raw.facet_markers = comm.agree(indices(&values, &raw.facet_names, FACET_MARKERS, name))?;
    }
    file.close()?;
    Ok(raw)
}

/// Marker values as indices into their names.
fn indices(values: &[i32], names: &[String], dataset: &str, file: &str) -> Result<Vec<u16>> {
    let good =
        |&value: &i32| u16::try_from(value).ok().filter(|&i| usize::from(i) < names.len() && i < u16::MAX);
    let found: Option<Vec<u16>> = values.iter().map(good).collect();
    found.ok_or_else(|| {
        let bad = values.iter().find(|v| good(v).is_none()).copied().unwrap_or_default();
        Error::input(
            file,
            format!("{dataset} holds {bad}, but its attribute names has {} entries", names.len()),
        )
    })
}
