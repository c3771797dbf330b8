//! The cells of each expert of a rank, alone or with a few layers of cells around them.
use super::local::Mesh;
use std::ops::{Index, Range};

/// Lists of local cells, one for each expert of this rank, in the order of [`Mesh::experts`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellLists {
    start: Vec<u32>,
    cells: Vec<u32>,
}

impl CellLists {
    /// Number of lists.
    pub fn len(&self) -> usize {
        self.start.len() - 1
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The lists, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        self.start.windows(2).map(|w| &self.cells[w[0] as usize..w[1] as usize])
    }
}

impl Index<usize> for CellLists {
    type Output = [u32];

    fn index(&self, list: usize) -> &[u32] {
        &self.cells[self.start[list] as usize..self.start[list + 1] as usize]
    }
}

impl Mesh {
    /// Numbers, over all ranks, of the experts of this rank.
    pub fn experts(&self) -> Range<u32> {
        let own = &self.cell_experts[..self.owned_cells];
        let first = own.iter().min().copied().unwrap_or(0);
        first..own.iter().max().map_or(first, |last| last + 1)
    }

    /// The owned cells of each expert of this rank, each list increasing.
    pub fn expert_cells(&self) -> CellLists {
        let experts = self.experts();
        let of = |cell: usize| (self.cell_experts[cell] - experts.start) as usize;
        let mut start = vec![0u32; experts.len() + 1];
        (0..self.owned_cells).for_each(|cell| start[of(cell) + 1] += 1);
        for i in 0..experts.len() {
            start[i + 1] += start[i];
        }
        let mut next = start.clone();
        let mut cells = vec![0; self.owned_cells];
        for cell in 0..self.owned_cells {
            let place = &mut next[of(cell)];
            cells[*place as usize] = cell as u32;
            *place += 1;
        }
        CellLists { start, cells }
    }

    /// The cells of each expert of this rank and `layers` layers around them, a layer being the cells that
    /// share a vertex with one before: first the expert's own cells, then layer by layer.
    ///
    /// Only local cells are there to be found, and a rank has one layer of ghosts. So the first layer is
    /// always whole; the others lack what lies beyond the ghosts.
    pub fn expert_overlap(&self, layers: usize) -> CellLists {
        let own = self.expert_cells();
        if layers == 0 {
            return own;
        }
        let (vertices, corners) = self.topology();
        let (vertices, nv) = (vertices.len(), self.cell_type.vertices());
        let (around, at) = cells_at_vertices(&corners, nv, vertices);
        let mut seen = vec![u32::MAX; self.local_cells()];
        let mut done = vec![u32::MAX; vertices];
        let mut lists = CellLists { start: vec![0], cells: Vec::with_capacity(2 * own.cells.len()) };
        for (expert, cells) in own.iter().enumerate() {
            let expert = expert as u32;
            let mut from = lists.cells.len();
            lists.cells.extend_from_slice(cells);
            cells.iter().for_each(|&cell| seen[cell as usize] = expert);
            for _ in 0..layers {
                let to = lists.cells.len();
                for place in from..to {
                    for &v in &corners[lists.cells[place] as usize * nv..][..nv] {
                        let v = v as usize;
                        if std::mem::replace(&mut done[v], expert) == expert {
                            continue;
                        }
                        for &cell in &around[at[v] as usize..at[v + 1] as usize] {
                            if std::mem::replace(&mut seen[cell as usize], expert) != expert {
                                lists.cells.push(cell);
                            }
                        }
                    }
                }
                from = to;
            }
            lists.start.push(lists.cells.len() as u32);
        }
        lists
    }
}

/// The cells at each of so many vertices, in compressed rows: the cells, and where each vertex's begin. `corners`
/// is `[cell, vertex]` with `nv` vertices a cell.
fn cells_at_vertices(corners: &[u32], nv: usize, vertices: usize) -> (Vec<u32>, Vec<u32>) {
    let mut start = vec![0u32; vertices + 1];
    corners.iter().for_each(|&v| start[v as usize + 1] += 1);
    for v in 0..vertices {
        start[v + 1] += start[v];
    }
    let mut next = start.clone();
    let mut around = vec![0; corners.len()];
    for (cell, list) in corners.chunks_exact(nv).enumerate() {
        for &v in list {
            let place = &mut next[v as usize];
            around[*place as usize] = cell as u32;
            *place += 1;
        }
    }
    (around, start)
}
