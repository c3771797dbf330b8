//! Some cells of a mesh as a mesh of their own, which every rank holds: the surroundings of sampled points.
use super::cell::CellType;
use super::local::Mesh;
use super::partition::{PartitionMethod, PartitionOptions};
use super::raw::{RawMesh, compact};
use crate::parallel::Comm;
use crate::storage::File;
use crate::{Error, Result};
use mpi::topology::SimpleCommunicator;

/// Cells that were chosen, their vertices, and the facets with a marker that are seen from them; the same on every rank.
#[derive(Debug, Clone, PartialEq)]
pub struct MeshPart {
    /// Shape of every cell.
    pub cell_type: CellType,
    /// Canonical numbers of the cells in the whole mesh, ascending.
    pub cell_ids: Vec<u64>,
    /// Vertices of the cells by their place in `coordinates`, `[cell, vertex]`.
    pub cells: Vec<u64>,
    /// Index into `region_names` of each cell.
    pub regions: Vec<u16>,
    /// Those of the whole mesh.
    pub region_names: Vec<String>,
    /// `[vertex, dimension]`, metres.
    pub coordinates: Vec<f64>,
    /// Vertices of the facets, `[facet, vertex]`.
    pub facets: Vec<u64>,
    /// Index into `facet_names` of each facet.
    pub facet_markers: Vec<u16>,
    /// Those of the whole mesh.
    pub facet_names: Vec<String>,
}

impl Mesh {
    /// The part of the mesh that consists of some cells, by their canonical numbers. Sides of a periodic mesh are not
    /// joined in it. Collective.
    pub fn part(&self, cells: &[u64]) -> MeshPart {
        let (nv, width) = (self.cell_type.vertices(), self.cell_type.vertices_per_facet());
        let mut cell_ids = cells.to_vec();
        cell_ids.sort_unstable();
        cell_ids.dedup();
        let place = |cell: usize| cell_ids.binary_search(&self.cell_ids[cell]).ok();
        let mut numbers: Vec<u64> = Vec::new();
        let mut points = Vec::new();
        for cell in (0..self.owned_cells).filter(|&cell| place(cell).is_some()) {
            numbers.extend([self.cell_ids[cell], u64::from(self.cell_regions[cell])]);
            for &vertex in self.cell_vertices(cell) {
                numbers.push(self.vertex_ids[vertex as usize]);
                points.extend_from_slice(self.vertex(vertex as usize));
            }
        }
        let mut marked: Vec<u64> = Vec::new();
        for (facet, &cell) in self.facets.cell.iter().enumerate() {
            let (cell, marker) = (cell as usize, self.facets.marker[facet]);
            if cell >= self.owned_cells || marker == u16::MAX || place(cell).is_none() {
                continue;
            }
            let local = self.facets.local[facet];
            marked.extend([self.cell_ids[cell], u64::from(local), u64::from(marker)]);
            let start = marked.len();
            marked.extend(self.facet_vertices(cell, local as usize).map(|v| self.vertex_ids[v as usize]));
            if !self.facets.outward[facet] {
                marked[start..].reverse();
            }
        }
        let numbers = self.comm.all_gather_varied(&numbers);
        let points = self.comm.all_gather_varied(&points);
        let marked = self.comm.all_gather_varied(&marked);

        let d = self.dimension;
        let mut records: Vec<(&[u64], &[f64])> =
            numbers.chunks_exact(nv + 2).zip(points.chunks_exact(nv * d)).collect();
        records.sort_unstable_by_key(|record| record.0[0]);
        let vertices: Vec<u64> = records.iter().flat_map(|record| record.0[2..].iter().copied()).collect();
        let (unique, places) = compact(&vertices);
        let mut coordinates = vec![0.0; unique.len() * d];
        for (&place, point) in places.iter().zip(records.iter().flat_map(|record| record.1.chunks_exact(d))) {
            coordinates[place as usize * d..][..d].copy_from_slice(point);
        }
        let mut facets: Vec<&[u64]> = marked.chunks_exact(width + 3).collect();
        facets.sort_unstable();
        let known = |vertex: &u64| unique.partition_point(|other| other < vertex) as u64;
        MeshPart {
            cell_type: self.cell_type,
            cells: places.iter().map(|&place| u64::from(place)).collect(),
            regions: records.iter().map(|record| record.0[1] as u16).collect(),
            region_names: self.region_names.clone(),
            coordinates,
            facets: facets.iter().flat_map(|facet| facet[3..].iter().map(known)).collect(),
            facet_markers: facets.iter().map(|facet| facet[2] as u16).collect(),
            facet_names: self.facets.names.clone(),
            cell_ids,
        }
    }
}

impl MeshPart {
    /// The mesh of these cells on this rank alone, numbered in their order. Local.
    ///
    /// # Errors
    /// [`Error::Input`] when the arrays do not fit together.
    pub fn mesh(&self) -> Result<Mesh> {
        let comm = Comm::new(SimpleCommunicator::self_comm());
        let mut raw = RawMesh::new("the model's sampled cells", self.cell_type);
        raw.global_cells = self.cell_ids.len() as u64;
        raw.global_vertices = (self.coordinates.len() / self.cell_type.dimension()) as u64;
        raw.cells.clone_from(&self.cells);
        raw.regions.clone_from(&self.regions);
        raw.region_names.clone_from(&self.region_names);
        raw.coordinates.clone_from(&self.coordinates);
        raw.facets.clone_from(&self.facets);
        raw.facet_markers.clone_from(&self.facet_markers);
        raw.facet_names.clone_from(&self.facet_names);
        let method = PartitionMethod::Simple;
        Mesh::from_raw(&comm, raw, &PartitionOptions { method, ..PartitionOptions::default() })
    }

    /// Writes it to a group of a file. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when HDF5 or the file system refuses.
    pub fn write(&self, file: &File, group: &str) -> Result<()> {
        let (nv, width) = (self.cell_type.vertices(), self.cell_type.vertices_per_facet());
        let d = self.cell_type.dimension();
        let (count, facets) = (self.cell_ids.len() as u64, self.facet_markers.len() as u64);
        file.create_group(group)?;
        file.set(group, "meaning", "the cells that hold the sampled points, and what surrounds them")?;
        file.set(group, "cell_type", self.cell_type.name())?;
        file.set(group, "region_names", self.region_names.clone())?;
        file.set(group, "facet_names", self.facet_names.clone())?;
        let path = |name: &str| format!("{group}/{name}");
        let wide = |list: &[u16]| list.iter().map(|&v| i32::from(v)).collect::<Vec<_>>();
        file.write_array(&path("cell_ids"), &[count], &self.cell_ids)?;
        file.write_array(&path("cells"), &[count, nv as u64], &self.cells)?;
        file.write_array(&path("regions"), &[count], &wide(&self.regions))?;
        let points = (self.coordinates.len() / d) as u64;
        file.write_array(&path("coordinates"), &[points, d as u64], &self.coordinates)?;
        file.write_array(&path("facets"), &[facets, width as u64], &self.facets)?;
        file.write_array(&path("facet_markers"), &[facets], &wide(&self.facet_markers))
    }

    /// Reads what [`MeshPart::write`] wrote. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when the group does not hold what it should.
    pub fn read(file: &File, group: &str) -> Result<Self> {
        let path = |name: &str| format!("{group}/{name}");
        let broken = |what: String| Error::storage(format!("{}: {group}: {what}", file.label()));
        let kind = file.text(group, "cell_type")?;
        let cell_type =
            CellType::from_name(&kind).ok_or_else(|| broken(format!("\"{kind}\" is no shape of cells")))?;
        let (region_names, facet_names) =
            (file.texts(group, "region_names")?, file.texts(group, "facet_names")?);
        let narrow = |name: &str, names: &[String]| -> Result<Vec<u16>> {
            let (_, list) = file.read_array::<i32>(&path(name))?;
            let one = |&v: &i32| u16::try_from(v).ok().filter(|&v| usize::from(v) < names.len());
            list.iter().map(one).collect::<Option<_>>().ok_or_else(|| broken(format!("{name} name nothing")))
        };
        let part = Self {
            cell_type,
            cell_ids: file.read_array(&path("cell_ids"))?.1,
            cells: file.read_array(&path("cells"))?.1,
            regions: narrow("regions", &region_names)?,
            coordinates: file.read_array(&path("coordinates"))?.1,
            facets: file.read_array(&path("facets"))?.1,
            facet_markers: narrow("facet_markers", &facet_names)?,
            region_names,
            facet_names,
        };
        let (nv, width) = (cell_type.vertices(), cell_type.vertices_per_facet());
        let vertices = part.coordinates.len() / cell_type.dimension();
        let counts = part.cells.len() == part.cell_ids.len() * nv
            && part.regions.len() == part.cell_ids.len()
            && part.facets.len() == part.facet_markers.len() * width
            && part.cell_ids.is_sorted_by(|a, b| a < b);
        if !counts || part.cells.iter().chain(&part.facets).any(|&v| v as usize >= vertices) {
            return Err(broken("its arrays do not fit together".into()));
        }
        Ok(part)
    }
}
