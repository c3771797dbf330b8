//! What a deck's problems need of memory, from the sizes of mesh and spaces, and what the machine has.
//!
//! The estimates were fitted to runs of PETSc 3.18 on boxes and files (see the test); they hold within a factor of
//! about one and a half. Only what is needed for sure, the mesh and the matrices, refuses a deck.
use crate::Result;
use crate::deck::{Deck, Physics};
use crate::format::bytes;
use crate::mesh::{CellType, MeshSource};
use crate::parallel::Comm;
use crate::simulation::Simulation;

/// Bytes of a matrix entry: the number and its column.
const ENTRY: f64 = 12.0;
/// A process with its libraries.
const PROCESS: f64 = 60e6;
/// Vectors of a solve and of what is written after it.
const VECTORS: f64 = 12.0;

/// Numbers of cells and vertices over all ranks; large boxes have more than an integer counts.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    cell: CellType,
    cells: f64,
    vertices: f64,
}

/// One problem's sizes.
struct Space {
    nodes: f64,
    components: f64,
    entries: f64,
}

/// Refuses a box that this machine, or this PETSc, cannot hold, before it is made. Collective.
///
/// # Errors
/// [`Error::Input`](crate::Error::Input) with the sizes.
pub fn refuse_large_box(comm: &Comm, deck: &Deck) -> Result<()> {
    let MeshSource::Box(source) = deck.mesh_source() else { return Ok(()) };
    let parts: f64 = source.cells.iter().map(|&n| n as f64).product();
    let points: f64 = source.cells.iter().map(|&n| n as f64 + 1.0).product();
    let pieces = match source.cell {
        CellType::Triangle => 2.0,
        CellType::Tetrahedron => 6.0,
        _ => 1.0,
    };
    let sizes = Sizes { cell: source.cell, cells: pieces * parts, vertices: points };
    refuse(comm, deck, sizes, "mesh.box.cells")
}

/// The same for a mesh that is there, before its matrices are made. Collective.
///
/// # Errors
/// As there.
pub fn refuse_large_mesh(comm: &Comm, deck: &Deck, mesh: &crate::mesh::Mesh) -> Result<()> {
    let (cells, vertices) = (mesh.global_cells as f64, mesh.global_vertices as f64);
    refuse(comm, deck, Sizes { cell: mesh.cell_type, cells, vertices }, "mesh")
}

fn refuse(comm: &Comm, deck: &Deck, sizes: Sizes, key: &str) -> Result<()> {
    let spaces: Vec<Space> = deck.physics.iter().map(|physics| sizes.space(physics)).collect();
    let need = sizes.mesh() + spaces.iter().map(|space| sizes.matrix(space)).sum::<f64>();
    let ranks = comm.size() as f64;
    let cells = format!("{:.4e} {} cells", sizes.cells, sizes.cell.name());
    let message = match comm.share_of_memory().map(|share| share as f64) {
        Some(share) if need / ranks > share => format!(
            "a mesh of {cells} and its matrices take at least {}, {} a rank, but a rank's share of the free memory is {}: \
             take fewer cells, or more machines",
            bytes(need),
            bytes(need / ranks),
            bytes(share)
        ),
        _ => {
            // Nodes are estimated, so that numbers near the limit are left to those who count.
            let most = spaces.iter().map(|space| space.nodes * space.components).fold(0.0, f64::max);
            if most < 1.1 * f64::from(petsc_rs::Int::MAX) {
                return Ok(());
            }
            format!(
                "{most:.4e} unknowns on {cells} are more than this PETSc counts, whose integers have 32 bits"
            )
        }
    };
    // The memory that is free changes all the time: all ranks say what rank 0 says.
    comm.agree(Err(deck.fault(key, message)))
}

/// What a simulation will need and what there is, in words. Collective.
///
/// # Errors
/// When PETSc fails.
pub fn expected(simulation: &Simulation) -> Result<String> {
    let (mesh, comm) = (&simulation.mesh, &simulation.mesh.comm);
    let sizes = Sizes {
        cell: mesh.cell_type,
        cells: mesh.global_cells as f64,
        vertices: mesh.global_vertices as f64,
    };
    let (mut matrices, mut entries, mut vectors, mut solvers) = (0.0, 0.0, 0.0, 0.0);
    for stage in &simulation.stages {
        let space = stage.space();
        let components = space.components as f64;
        let nodes = space.global_nodes as f64;
        let own = Space { nodes, components, entries: stage.assembled().matrix.nonzeros()? };
        matrices += sizes.matrix(&own);
        entries += own.entries;
        vectors += VECTORS * 8.0 * nodes * components;
        solvers += solver(stage.options(), &own, mesh.dimension, comm.size());
    }
    let ranks = comm.size() as f64;
    let whole = sizes.mesh() + matrices + vectors + solvers + PROCESS * ranks;
    let free = comm
        .share_of_memory()
        .map(|bytes| bytes as f64)
        .map(|share| format!("; free for a rank: {}", bytes(share)));
    Ok(format!(
        "about {} a rank, {} in all: mesh {}, matrices {} ({entries:.3e} entries), vectors {}, solvers {}, programs {}{}",
        bytes(whole / ranks),
        bytes(whole),
        bytes(sizes.mesh()),
        bytes(matrices),
        bytes(vectors),
        bytes(solvers),
        bytes(PROCESS * ranks),
        free.unwrap_or_default()
    ))
}

impl Sizes {
    /// Local and canonical numbers of the cells' vertices, owners, regions; coordinates.
    fn mesh(&self) -> f64 {
        let (corners, d) = (self.cell.vertices() as f64, self.cell.dimension() as f64);
        self.cells * (12.0 * corners + 22.0) + self.vertices * (16.0 * d + 12.0)
    }

    /// Nodes, and entries of a row, as on a large box.
    fn space(&self, physics: &Physics) -> Space {
        let (d, degree) = (self.cell.dimension(), physics.degree());
        let width = match (self.cell, degree) {
            (CellType::Triangle, 1) => 7.0,
            (CellType::Triangle, _) => 11.5,
            (CellType::Tetrahedron, 1) => 15.0,
            (CellType::Tetrahedron, _) => 28.0,
            (_, 1) => 3f64.powi(d as i32),
            (_, _) => 4f64.powi(d as i32),
        };
        let nodes = self.vertices * (degree as f64).powi(d as i32);
        let components = physics.components(d) as f64;
        Space { nodes, components, entries: nodes * width * components * components }
    }

    /// Entries, and the sparsity by nodes with the places of each cell's blocks.
    fn matrix(&self, space: &Space) -> f64 {
        let blocks = space.entries / (space.components * space.components);
        ENTRY * space.entries + 4.0 * blocks + 2.0 * self.cells * (self.cell.vertices() as f64).powi(2)
    }
}

/// Factors, or the levels of multigrid.
fn solver(options: &str, space: &Space, dimension: usize, ranks: usize) -> f64 {
    let has = |word: &str| options.split_whitespace().any(|other| other == word);
    let n = space.nodes.max(2.0);
    let factor = match dimension {
        1 => 6.0 * n,
        // Nested dissection (A. George, SIAM J. Numer. Anal. 10 (1973)), constants measured with MUMPS.
        2 => 7.5 * n * n.log2(),
        _ => 16.0 * n.powf(4.0 / 3.0),
    } * space.components.powi(2);
    let copies = if has("redundant") { ranks as f64 } else { 1.0 };
    match (has("preonly"), has("lu") || options.contains("_pc_type lu")) {
        (true, true) => 16.0 * factor * copies,
        (true, false) => 8.0 * factor * copies,
        // Of degree 2 multigrid keeps the matrix of degree 1 only.
        _ if has("mg") => 0.2 * ENTRY * space.entries,
        _ => 1.5 * ENTRY * space.entries,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_near_what_runs_took() {
        let deck = |text: &str| {
            Deck::parse(
                &format!("mesh.box = {{ cell = \"triangle\", cells = [2, 2] }}\n[[physics]]\n{text}"),
                "",
                &[],
            )
            .unwrap_or_else(|e| panic!("{e}"))
        };
        let heat = deck("model = \"diffusion\"\nreaction = 1");
        // Peak memory of `tessera run` on one rank, in MB, the process with its libraries left out.
        let amg = "-ksp_type cg -pc_type hypre";
        let direct = "-ksp_type preonly -pc_type cholesky";
        for (cell, along, options, measured) in [
            (CellType::Hexahedron, 80.0f64, amg, 820.0),
            (CellType::Hexahedron, 40.0, direct, 430.0),
            (CellType::Tetrahedron, 50.0, direct, 1060.0),
            (CellType::Triangle, 400.0, direct, 223.0),
            (CellType::Quadrilateral, 800.0, direct, 863.0),
        ] {
            let d = cell.dimension();
            let pieces = if d == 3 { 6.0 } else { 2.0 };
            let pieces = if cell.is_simplex() { pieces } else { 1.0 };
            let sizes =
                Sizes { cell, cells: pieces * along.powi(d as i32), vertices: (along + 1.0).powi(d as i32) };
            let space = sizes.space(&heat.physics[0]);
            let vectors = 8.0 * VECTORS * space.nodes;
            let whole = sizes.mesh() + sizes.matrix(&space) + vectors + solver(options, &space, d, 1);
            let ratio = whole / 1e6 / measured;
            assert!((0.67..1.5).contains(&ratio), "{} {along}: {ratio} of {measured} MB", cell.name());
        }
    }
}
