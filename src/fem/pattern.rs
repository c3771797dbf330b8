//! The sparsity of a space, and where every cell's blocks stand in it.
use super::space::Space;
use petsc_rs::Csr;
use rayon::prelude::*;
use std::ops::Range;
use std::rc::Rc;
use tessera_kernels::{OFF_DIAGONAL, Sparsity};

/// Node-level sparsity of the owned rows, split as PETSc splits an AIJ matrix: own columns (the
/// diagonal part) and ghost columns (the off-diagonal part), both ascending inside a row.
#[derive(Default)]
pub struct Pattern {
    /// Start of each owned node's row in the diagonal part, in blocks; one more entry than rows.
    pub diagonal_rows: Vec<u32>,
    /// The same for the off-diagonal part.
    pub off_diagonal_rows: Vec<u32>,
    /// Local node numbers of the columns, diagonal then off-diagonal inside each row.
    pub columns: Vec<u32>,
    /// `[cell, a, b]`: the place of column node `b` in the row of node `a`, counted in blocks from
    /// the start of the row's part; [`OFF_DIAGONAL`] marks the part. Unset where `a` is not owned.
    pub positions: Vec<u16>,
    /// Shares of the owned rows for threads, each with the local cells that touch it.
    pub shares: Vec<Share>,
}

/// A contiguous range of owned nodes and the cells that contribute to their rows. Cells that touch
/// two shares (or two ranks) are computed twice, so that nothing is sent and nobody waits.
pub struct Share {
    /// Owned nodes.
    pub rows: Range<usize>,
    /// Local cells, ascending.
    pub cells: Vec<u32>,
}

/// More columns than this in a row cannot be addressed by a position.
const LONGEST_ROW: usize = OFF_DIAGONAL as usize - 1;

impl Pattern {
    /// The sparsity of a space for the threads that there are: the one in use for its nodes already, or a new one. Local.
    ///
    /// # Errors
    /// See [`Pattern::new`].
    pub fn of(space: &Space) -> crate::Result<Rc<Self>> {
        let threads = rayon::current_num_threads();
        space.mesh.shared.get([space.element.degree, threads], || Self::new(space, threads))
    }

    /// Finds the sparsity in one sweep over the rows, without searching or hashing. Local.
    ///
    /// # Errors
    /// When a node couples to more than 32,766 others.
    pub fn new(space: &Space, threads: usize) -> crate::Result<Self> {
        let n = space.element.functions();
        let owned = space.owned_nodes;
        let node_cells = cells_of_nodes(space);
        let mut diagonal_rows = Vec::with_capacity(owned + 1);
        let mut off_diagonal_rows = Vec::with_capacity(owned + 1);
        diagonal_rows.push(0);
        off_diagonal_rows.push(0);
        let mut columns: Vec<u32> = Vec::with_capacity(node_cells.entries.len() * n / 3);
        let mut positions = vec![0u16; space.cell_nodes.len() * n];
        let mut seen = vec![u32::MAX; space.local_nodes()];
        let mut place = vec![0u16; space.local_nodes()];
        for row in 0..owned {
            let start = columns.len();
            for &entry in node_cells.of(row) {
                for &node in space.nodes_of(entry as usize / n) {
                    if seen[node as usize] != row as u32 {
                        seen[node as usize] = row as u32;
                        columns.push(node);
                    }
                }
            }
            let list = &mut columns[start..];
            list.sort_unstable();
            if list.len() > LONGEST_ROW {
                return Err(crate::Error::Failed(format!(
                    "a node couples to {} others, more than {LONGEST_ROW}",
                    list.len()
                )));
            }
            let own = list.partition_point(|&node| (node as usize) < owned);
            for (k, &node) in list.iter().enumerate() {
                place[node as usize] = if k < own { k as u16 } else { (k - own) as u16 | OFF_DIAGONAL };
            }
            diagonal_rows.push(diagonal_rows[row] + own as u32);
            off_diagonal_rows.push(off_diagonal_rows[row] + (list.len() - own) as u32);
            for &entry in node_cells.of(row) {
                let nodes = space.nodes_of(entry as usize / n);
                let target = &mut positions[entry as usize * n..][..n];
                for (position, &node) in target.iter_mut().zip(nodes) {
                    *position = place[node as usize];
                }
            }
        }
        let shares = shares(space, threads);
        Ok(Self { diagonal_rows, off_diagonal_rows, columns, positions, shares })
    }

    /// As kernels take it.
    pub fn sparsity(&self) -> Sparsity<'_> {
        Sparsity {
            diagonal_rows: &self.diagonal_rows,
            off_diagonal_rows: &self.off_diagonal_rows,
            positions: &self.positions,
        }
    }

    /// Where the diagonal entry of an owned unknown stands among the diagonal part's values.
    pub fn diagonal_entry(&self, space: &Space, dof: usize) -> usize {
        let c = space.components;
        let (node, i) = (dof / c, dof % c);
        let start = self.diagonal_rows[node] as usize;
        let length = self.diagonal_rows[node + 1] as usize - start;
        let first = start + self.off_diagonal_rows[node] as usize;
        let place = self.columns[first..first + length].partition_point(|&column| (column as usize) < node);
        start * c * c + (i * length + place) * c + i
    }

    /// The diagonal and the off-diagonal part of a zero matrix of the owned unknowns' rows, as
    /// [`petsc_rs::Matrix::from_parts`] takes them.
    pub fn expand(&self, space: &Space) -> [Csr; 2] {
        let c = space.components;
        let blocks = [&self.diagonal_rows, &self.off_diagonal_rows];
        let entries = |rows: &[u32]| *rows.last().unwrap_or(&0) as usize * c * c;
        let mut parts = blocks.map(|rows| Csr::with_capacity(space.owned_dofs(), entries(rows)));
        let ghost = |node: u32| space.ghosts[node as usize - space.owned_nodes];
        let mut start = 0;
        for row in 0..space.owned_nodes {
            let [own, others] = blocks.map(|rows| (rows[row + 1] - rows[row]) as usize);
            let (diagonal, off_diagonal) = self.columns[start..start + own + others].split_at(own);
            let [own_part, other_part] = &mut parts;
            append(own_part, c, diagonal.iter().map(|&node| node as i32));
            append(other_part, c, off_diagonal.iter().map(|&node| ghost(node)));
            start += own + others;
        }
        parts
    }
}

/// Appends the `c` rows of a node with these column nodes.
fn append(part: &mut Csr, c: usize, nodes: impl Iterator<Item = i32>) {
    let start = part.columns.len();
    for node in nodes {
        part.columns.extend((0..c as i32).map(|j| node * c as i32 + j));
    }
    let end = part.columns.len();
    part.row_ptr.push(end as i32);
    for _ in 1..c {
        part.columns.extend_from_within(start..end);
        part.row_ptr.push(part.columns.len() as i32);
    }
}

/// The cells around each owned node.
struct NodeCells {
    start: Vec<u32>,
    /// `cell * functions + place of the node in the cell`.
    entries: Vec<u32>,
}

impl NodeCells {
    fn of(&self, node: usize) -> &[u32] {
        &self.entries[self.start[node] as usize..self.start[node + 1] as usize]
    }
}

fn cells_of_nodes(space: &Space) -> NodeCells {
    let owned = space.owned_nodes;
    let mut start = vec![0u32; owned + 1];
    for &node in &space.cell_nodes {
        if (node as usize) < owned {
            start[node as usize + 1] += 1;
        }
    }
    for i in 0..owned {
        start[i + 1] += start[i];
    }
    let mut next = start.clone();
    let mut entries = vec![0u32; start[owned] as usize];
    for (entry, &node) in space.cell_nodes.iter().enumerate() {
        if (node as usize) < owned {
            entries[next[node as usize] as usize] = entry as u32;
            next[node as usize] += 1;
        }
    }
    NodeCells { start, entries }
}

fn shares(space: &Space, threads: usize) -> Vec<Share> {
    let n = space.element.functions();
    let owned = space.owned_nodes;
    let cells = space.mesh.cell_ids.len() as u32;
    let cell_nodes = &space.cell_nodes;
    let threads = threads.max(1);
    (0..threads)
        .into_par_iter()
        .map(|t| {
            let rows = owned * t / threads..owned * (t + 1) / threads;
            let cells = (0..cells)
                .filter(|&cell| {
                    let nodes = &cell_nodes[cell as usize * n..][..n];
                    nodes.iter().any(|&node| rows.contains(&(node as usize)))
                })
                .collect();
            Share { rows, cells }
        })
        .collect()
}
