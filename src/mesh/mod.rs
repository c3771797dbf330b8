//! The distributed mesh: sources, partition, subdomains, markers, canonical numbering.
//!
//! Every rank holds the cells it *owns* and a layer of *ghost* cells: all cells of other ranks that
//! share a vertex with an owned one. Local numbers are `u32`; canonical numbers are `u64`, follow the
//! order of the input and do not depend on the ranks.
use crate::parallel::Comm;

/// Shape of the cells. A mesh has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellType {
    /// Two vertices.
    Interval,
    /// Three vertices.
    Triangle,
    /// Four vertices, counter-clockwise.
    Quadrilateral,
    /// Four vertices.
    Tetrahedron,
    /// Eight vertices: bottom face counter-clockwise seen from above, then the top face.
    Hexahedron,
}

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
}

/// Facets (points, edges or faces that bound a cell) of the local cells that lie on the boundary of
/// the domain or carry a marker. A marked facet inside the domain appears once for its first cell
/// (the one with the lower canonical number).
#[derive(Default)]
pub struct Facets {
    /// Local cell of each facet.
    pub cell: Vec<u32>,
    /// Which facet of the cell, see [`CellType::facet_vertices`].
    pub local: Vec<u8>,
    /// Index into `names`; `u16::MAX` where the facet has no marker.
    pub marker: Vec<u16>,
    /// Names of the facet markers (physical groups).
    pub names: Vec<String>,
}
