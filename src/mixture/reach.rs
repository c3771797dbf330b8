//! How far the nodes are from the experts, in layers of cells.
use crate::fem::Space;
use crate::mesh::Mesh;
use crate::{Error, Result};

/// For each rank the number one above its last expert: experts are numbered rank by rank; a rank without cells has none.
/// Collective.
pub(super) fn ends_of_ranks(mesh: &Mesh) -> Vec<u32> {
    let highest = mesh.cell_experts[..mesh.owned_cells].iter().max();
    let mut end = 0;
    let mut ends = mesh.comm.all_gather(highest.map_or(0, |&e| e + 1));
    for rank in &mut ends {
        end = end.max(*rank);
        *rank = end;
    }
    ends
}

/// The number of experts. Collective.
///
/// # Errors
/// When `layers` is 0, or an expert belongs to no rank.
pub(super) fn check(space: &Space, layers: u32, cell_experts: &[u32], ends: &[u32]) -> Result<u32> {
    let total = ends.last().copied().unwrap_or(0);
    let fault = if layers == 0 {
        Err(Error::input("partition.overlap", "experts must overlap by at least one layer of cells"))
    } else if cell_experts.len() != space.mesh.local_cells() || cell_experts.iter().any(|&e| e >= total) {
        Err(Error::Failed("a cell has no expert, or an expert no rank".into()))
    } else {
        Ok(())
    };
    space.mesh.comm.agree(fault)?;
    Ok(total)
}

/// For every owned or local node the experts closer than some number of layers, with their distances.
pub(super) struct Reach {
    start: Vec<u32>,
    /// Expert and distance, experts ascending.
    pub entries: Vec<(u32, u32)>,
}

impl Reach {
    /// Those of the owned nodes. Collective unless `layers` is 1.
    pub fn new(space: &Space, cell_experts: &[u32], layers: u32) -> Self {
        let owned = space.owned_nodes;
        let functions = space.element.functions();
        let mut found: Vec<(u32, u32, u32)> = Vec::new();
        let mut last = vec![u32::MAX; owned];
        for (nodes, &expert) in space.cell_nodes.chunks_exact(functions).zip(cell_experts) {
            for &node in nodes.iter().filter(|&&n| (n as usize) < owned) {
                if std::mem::replace(&mut last[node as usize], expert) != expert {
                    found.push((node, expert, 0));
                }
            }
        }
        let mut reach = Self::collect(owned, found);
        if layers == 1 {
            return reach;
        }
        let ghosts = Ghosts::new(space);
        for distance in 1..layers {
            let with_ghosts = ghosts.append(&reach);
            reach = with_ghosts.widen(space, distance);
        }
        reach
    }

    /// From `(node, expert, distance)` in any order; the smallest distance counts.
    fn collect(nodes: usize, mut found: Vec<(u32, u32, u32)>) -> Self {
        found.sort_unstable();
        found.dedup_by_key(|f| (f.0, f.1));
        let mut start = vec![0u32; nodes + 1];
        found.iter().for_each(|f| start[f.0 as usize + 1] += 1);
        for node in 0..nodes {
            start[node + 1] += start[node];
        }
        Self { start, entries: found.into_iter().map(|f| (f.1, f.2)).collect() }
    }

    /// The same with those of the ghosts after them. Collective.
    pub fn with_ghosts(&self, space: &Space) -> Self {
        Ghosts::new(space).append(self)
    }

    /// Experts at a node, ascending, with their distances.
    pub fn of(&self, node: usize) -> &[(u32, u32)] {
        &self.entries[self.start[node] as usize..self.start[node + 1] as usize]
    }

    /// Every expert at a node of a cell reaches the cell's other nodes at `distance`, unless it
    /// was there before. Keeps owned nodes only: all cells around them are local.
    fn widen(&self, space: &Space, distance: u32) -> Self {
        let owned = space.owned_nodes;
        let mut found: Vec<(u32, u32, u32)> = (0..owned)
            .flat_map(|node| self.of(node).iter().map(move |&(expert, d)| (node as u32, expert, d)))
            .collect();
        let mut experts: Vec<u32> = Vec::new();
        for nodes in space.cell_nodes.chunks_exact(space.element.functions()) {
            experts.clear();
            experts.extend(nodes.iter().flat_map(|&n| self.of(n as usize)).map(|e| e.0));
            experts.sort_unstable();
            experts.dedup();
            for &node in nodes.iter().filter(|&&n| (n as usize) < owned) {
                let here = self.of(node as usize);
                if here.len() < experts.len() {
                    let new = experts.iter().filter(|&&e| here.binary_search_by_key(&e, |h| h.0).is_err());
                    found.extend(new.map(|&expert| (node, expert, distance)));
                }
            }
        }
        Self::collect(owned, found)
    }
}

/// Which owned nodes other ranks hold as ghosts, by rank.
struct Ghosts<'a> {
    space: &'a Space,
    wanted: Vec<Vec<u32>>,
}

impl<'a> Ghosts<'a> {
    fn new(space: &'a Space) -> Self {
        let comm = &space.mesh.comm;
        let firsts = comm.all_gather(space.first);
        let mut questions = vec![Vec::new(); comm.size()];
        for &ghost in &space.ghosts {
            // A rank without nodes starts where the next one does: the last such rank owns.
            let owner = firsts.partition_point(|&first| first <= ghost as u64) - 1;
            questions[owner].push((ghost as u64 - firsts[owner]) as u32);
        }
        Self { space, wanted: comm.exchange(&questions) }
    }

    /// The lists of owned nodes, followed by those of the ghosts. Collective.
    fn append(&self, owned: &Reach) -> Reach {
        let answers: Vec<Vec<u32>> = self
            .wanted
            .iter()
            .map(|nodes| {
                let mut message = Vec::new();
                for &node in nodes {
                    let list = owned.of(node as usize);
                    message.push(list.len() as u32);
                    list.iter().for_each(|&(expert, distance)| message.extend([expert, distance]));
                }
                message
            })
            .collect();
        let (mut start, mut entries) = (owned.start.clone(), owned.entries.clone());
        // Ghosts ascend by PETSc number and so by owner.
        for answer in self.space.mesh.comm.exchange(&answers) {
            let mut rest = &answer[..];
            while let [count, tail @ ..] = rest {
                let (list, tail) = tail.split_at(2 * *count as usize);
                entries.extend(list.chunks_exact(2).map(|pair| (pair[0], pair[1])));
                start.push(entries.len() as u32);
                rest = tail;
            }
        }
        Reach { start, entries }
    }
}
