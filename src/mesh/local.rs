//! One rank's part of the mesh.
use super::cell::CellType;
use super::facets::local_neighbours;
use super::raw;
use super::shared::Shared;
use crate::parallel::Comm;
use std::borrow::Cow;

/// One rank's part of the mesh.
pub struct Mesh {
    /// The ranks that share the mesh.
    pub comm: Comm,
    /// Where it came from, for messages: a file name or "box".
    pub source: String,
    /// Shape of every cell.
    pub cell_type: CellType,
    /// Number of coordinates of a vertex: 1, 2 or 3 (equal to the cells' dimension).
    pub dimension: usize,
    /// Number of owned cells; they come first in every cell array.
    pub owned_cells: usize,
    /// Local vertex numbers of local cells, `[cell, vertex]`, in Gmsh's (= VTK's) vertex order,
    /// positively oriented.
    pub cells: Vec<u32>,
    /// Canonical number of each local cell.
    pub cell_ids: Vec<u64>,
    /// Index into `region_names` of each local cell.
    pub cell_regions: Vec<u16>,
    /// Names of the cell markers (physical groups); a mesh without any has one, "domain".
    pub region_names: Vec<String>,
    /// Rank that owns each local cell (this rank for the first `owned_cells`).
    pub cell_owners: Vec<u32>,
    /// Coordinates of local vertices, `[vertex, dimension]`, in metres after the deck's scale.
    pub coordinates: Vec<f64>,
    /// Canonical number of each local vertex.
    pub vertex_ids: Vec<u64>,
    /// Owner of each local vertex: the lowest rank that owns a cell at it (or at one identified with it).
    pub vertex_owners: Vec<u32>,
    /// Of a periodic mesh (and then on every rank): the canonical number of the vertex that each local vertex
    /// is identified with, its own where it stands for itself. Cells keep their vertices' places in space;
    /// only [`Mesh::topology`] and what follows from it joins the sides.
    pub identified: Option<Vec<u64>>,
    /// Marked facets (and all boundary facets) of local cells.
    pub facets: Facets,
    /// Number of cells over all ranks.
    pub global_cells: u64,
    /// Number of vertices over all ranks.
    pub global_vertices: u64,
    /// Expert of each local cell (owned and ghost), numbered over all ranks: those of rank 0 first.
    pub cell_experts: Vec<u32>,
    /// Number of experts over all ranks.
    pub global_experts: u32,
    /// Piece of each local cell: cells that hang together by facets, numbered over all ranks by their first cells.
    pub cell_pieces: Vec<u32>,
    /// Number of pieces over all ranks.
    pub global_pieces: u32,
    /// What the user should know about the source (the same on every rank), such as nodes left out.
    pub notes: Vec<String>,
    /// Facets between owned cells and cells of other ranks.
    pub(crate) cut_facets: u64,
    /// What follows from the mesh and several use, such as numbers of nodes.
    pub shared: Shared,
}

/// Facets (points, edges or faces that bound a cell) of the local cells that lie on the boundary of
/// the domain or carry a marker. A marked facet inside the domain appears once for its first cell
/// (the one with the lower canonical number); a facet with several markers appears once for each.
/// Sorted by local cell, so those of owned cells come first.
#[derive(Debug, Clone, Default)]
pub struct Facets {
    /// Local cell of each facet.
    pub cell: Vec<u32>,
    /// Which facet of the cell, see [`CellType::facet_vertices`].
    pub local: Vec<u8>,
    /// Index into `names`; `u16::MAX` where the facet has no marker.
    pub marker: Vec<u16>,
    /// Local cell on the other side; `u32::MAX` on the boundary (and where neither cell is owned).
    pub behind: Vec<u32>,
    /// Whether the facet's normal points out of `cell`, as on the boundary it does. Inside the domain it points from
    /// the region whose name comes first in the alphabet to the other one, and within a region as the facet's
    /// vertices in the source say: to the right of an edge, by the right-hand rule for a face.
    pub outward: Vec<bool>,
    /// Names of the facet markers (physical groups).
    pub names: Vec<String>,
}

impl Mesh {
    /// Number of local cells, owned and ghost.
    pub fn local_cells(&self) -> usize {
        self.cell_ids.len()
    }

    /// Number of vertices of the local cells. Those of owned cells come first.
    pub fn local_vertices(&self) -> usize {
        self.vertex_ids.len()
    }

    /// Local vertices of a local cell.
    pub fn cell_vertices(&self, cell: usize) -> &[u32] {
        let n = self.cell_type.vertices();
        &self.cells[cell * n..(cell + 1) * n]
    }

    /// Local vertices of facet `local` of a local cell, in the order of [`CellType::facet_vertices`].
    pub fn facet_vertices(&self, cell: usize, local: usize) -> impl Iterator<Item = u32> {
        let vertices = self.cell_vertices(cell);
        self.cell_type.facet_vertices(local).iter().map(move |&v| vertices[v as usize])
    }

    /// The cells by identified vertices: the canonical numbers of the vertices, and places among them,
    /// `[cell, vertex]`. Unless the mesh is periodic these are `vertex_ids` and `cells`.
    pub fn topology(&self) -> (Cow<'_, [u64]>, Cow<'_, [u32]>) {
        match &self.identified {
            None => (Cow::Borrowed(&self.vertex_ids), Cow::Borrowed(&self.cells)),
            Some(identified) => {
                let (vertices, cells) = raw::topology(&self.cells, identified);
                (Cow::Owned(vertices), Cow::Owned(cells))
            }
        }
    }

    /// The local cell behind each facet of the local cells, `[cell, facet]`; `u32::MAX` on the boundary of the domain and
    /// where a ghost's neighbour is not local.
    pub fn neighbours(&self) -> Vec<u32> {
        let (vertices, corners) = self.topology();
        local_neighbours(self.cell_type, &corners, vertices.len())
    }

    /// Coordinates of a local vertex, metres.
    pub fn vertex(&self, vertex: usize) -> &[f64] {
        &self.coordinates[vertex * self.dimension..(vertex + 1) * self.dimension]
    }

    /// Coordinates of a local vertex in space, metres: those beyond the mesh's dimension are 0.
    pub fn point(&self, vertex: usize) -> [f64; 3] {
        let mut point = [0.0; 3];
        point[..self.dimension].copy_from_slice(self.vertex(vertex));
        point
    }
}

/// The place of each name in the alphabet: an order of regions that the order of cells does not change.
pub(crate) fn by_name(names: &[String]) -> Vec<u16> {
    names.iter().map(|name| names.iter().filter(|other| *other < name).count() as u16).collect()
}

impl Facets {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.cell.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cell.is_empty()
    }

    /// Whether a facet lies inside the domain.
    pub fn is_inner(&self, facet: usize) -> bool {
        self.behind[facet] != u32::MAX
    }

    /// Every facet that carries one of the chosen markers once, whatever the number of its entries: the first entry of
    /// each, ascending.
    pub fn distinct(&self, chosen: impl Fn(u16) -> bool) -> Vec<u32> {
        let mut list: Vec<u32> = Vec::new();
        let mut first = 0;
        for facet in 0..self.len() {
            if (self.cell[facet], self.local[facet]) != (self.cell[first], self.local[first]) {
                first = facet;
            }
            if chosen(self.marker[facet]) && list.last() != Some(&(first as u32)) {
                list.push(first as u32);
            }
        }
        list
    }

    /// The facets of the boundary, each once, as [`Facets::distinct`].
    pub fn boundary(&self) -> Vec<u32> {
        self.distinct(|_| true).into_iter().filter(|&f| !self.is_inner(f as usize)).collect()
    }

    /// Index of a marker's name.
    pub fn marker(&self, name: &str) -> Option<u16> {
        self.names.iter().position(|n| n == name).map(|i| i as u16)
    }
}
