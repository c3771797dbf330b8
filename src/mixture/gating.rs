//! Gating: the partition of unity that blends the experts.
//!
//! Expert `k` owns the cells of a subdomain. With `d_k` the distance of a node from that subdomain,
//! counted in layers of cells (0 on its own nodes), and `n` layers of overlap,
//!
//! `chi_k = w_k / sum_l w_l`, `w_k = max(n - d_k, 0)`.
//!
//! So `chi_k` is 1 where no other expert comes near, falls linearly with the layers across the
//! overlap and vanishes on the rim of the subdomain widened by `n` layers, as the partition of unity
//! of a Schwarz method must (Toselli and Widlund, *Domain Decomposition Methods*, Springer 2005, section 3.2).
//! Two nodes are neighbours when a cell has both, which is the graph of the assembled matrix: for a
//! conforming mesh its distances count layers of vertex-connected cells, for every degree.
use crate::fem::Space;
use crate::parallel::Comm;
use crate::{Error, Result};
use mpi::traits::Equivalence;
use petsc_rs::IndexSet;
use std::ops::Range;

/// The gating functions at the nodes of a space, distributed like the nodes, and the nodes of each
/// expert, distributed like the experts.
pub struct Gating {
    /// Layers of cells by which each expert reaches beyond its own cells.
    pub layers: u32,
    /// Experts of this rank.
    pub experts: Range<u32>,
    /// Experts over all ranks.
    pub global_experts: u32,
    /// `start[node]..start[node + 1]` of `entries` belong to an owned node.
    start: Vec<u32>,
    /// Expert and value of its gating function, experts ascending.
    entries: Vec<(u32, f64)>,
    /// For each expert of this rank the PETSc numbers of the nodes where its function is positive.
    support: Vec<Vec<i32>>,
    /// For each rank the number one above its last expert.
    ends: Vec<u32>,
    /// For each rank, in the order in which it lists its nodes and the experts of each, the places among this rank's
    /// experts of those that are this rank's.
    pub(super) arrivals: Vec<Vec<u32>>,
}

impl Gating {
    /// The gating functions of the mesh's experts. Collective.
    ///
    /// # Errors
    /// When `layers` is 0: neighbouring functions need a layer of cells to fall to zero.
    pub fn new(space: &Space, layers: u32) -> Result<Self> {
        let mesh = &space.mesh;
        let highest = mesh.cell_experts[..mesh.owned_cells].iter().max();
        // Experts are numbered rank by rank; a rank without cells has none.
        let ends: Vec<u32> = mesh
            .comm
            .all_gather(highest.map_or(0, |&e| e + 1))
            .iter()
            .scan(0, |end, &e| {
                *end = e.max(*end);
                Some(*end)
            })
            .collect();
        Self::with_experts(space, layers, &mesh.cell_experts, &ends)
    }

    /// As [`Gating::new`] with experts of the caller's choice: the expert of each local cell (ghosts
    /// too), and for each rank the number one above its last expert. Experts need not stay inside
    /// their rank. Collective.
    ///
    /// # Errors
    /// When `layers` is 0, or an expert belongs to no rank.
    pub fn with_experts(space: &Space, layers: u32, cell_experts: &[u32], ends: &[u32]) -> Result<Self> {
        let comm = &space.mesh.comm;
        let total = ends.last().copied().unwrap_or(0);
        let fault = if layers == 0 {
            Err(Error::input("partition.overlap", "experts must overlap by at least one layer of cells"))
        } else if cell_experts.len() != space.mesh.local_cells() || cell_experts.iter().any(|&e| e >= total) {
            Err(Error::Failed("a cell has no expert, or an expert no rank".into()))
        } else {
            Ok(())
        };
        comm.agree(fault)?;
        let reach = Reach::new(space, cell_experts, layers);
        let mut entries = Vec::with_capacity(reach.entries.len());
        let mut start = vec![0u32];
        for node in 0..space.owned_nodes {
            let list = reach.of(node);
            let sum: f64 = list.iter().map(|e| f64::from(layers - e.1)).sum();
            entries
                .extend(list.iter().map(|&(expert, distance)| (expert, f64::from(layers - distance) / sum)));
            start.push(entries.len() as u32);
        }
        let mine = if comm.rank() == 0 { 0 } else { ends[comm.rank() - 1] }..ends[comm.rank()];
        let mut gating = Self {
            layers,
            experts: mine,
            global_experts: total,
            start,
            entries,
            support: Vec::new(),
            ends: ends.to_vec(),
            arrivals: Vec::new(),
        };
        gating.exchange_supports(space);
        Ok(gating)
    }

    /// One expert for the whole body, on rank 0: `chi = 1`. Collective.
    pub fn whole(space: &Space) -> Self {
        let ends = vec![1; space.mesh.comm.size()];
        let gating = Self::with_experts(space, 1, &vec![0; space.mesh.local_cells()], &ends);
        gating.expect("a layer, and an expert on a rank")
    }

    /// Experts that reach an owned node, ascending, with the values of their functions: they are
    /// positive and sum to 1.
    pub fn of(&self, node: usize) -> &[(u32, f64)] {
        &self.entries[self.start[node] as usize..self.start[node + 1] as usize]
    }

    /// PETSc numbers of the nodes where the function of this rank's expert number `local` is
    /// positive, ascending; other ranks' nodes among them.
    pub fn support(&self, local: usize) -> &[i32] {
        &self.support[local]
    }

    /// The experts' parts of values at the owned nodes, `width` at each: for each expert of this rank the values at the
    /// nodes of [`Gating::support`]. For all at once, since other ranks have values of them. Collective.
    pub fn restrict<T: Equivalence + Copy + Default>(
        &self,
        comm: &Comm,
        values: &[T],
        width: usize,
    ) -> Vec<Vec<T>> {
        self.gather(comm, width, |node, _, message| {
            message.extend_from_slice(&values[node * width..][..width])
        })
    }

    /// The values of the gating functions at the nodes of [`Gating::support`], for each expert of this rank. Collective.
    pub fn values(&self, comm: &Comm) -> Vec<Vec<f64>> {
        self.gather(comm, 1, |_, chi, message| message.push(chi))
    }

    /// What `put` says of each owned node and expert that reaches it, from the value of the expert's function there:
    /// `width` values for each node of each expert of this rank. Collective.
    fn gather<T: Equivalence + Copy + Default>(
        &self,
        comm: &Comm,
        width: usize,
        put: impl Fn(usize, f64, &mut Vec<T>),
    ) -> Vec<Vec<T>> {
        let mut messages: Vec<Vec<T>> = vec![Vec::new(); comm.size()];
        for node in 0..self.start.len() - 1 {
            for &(expert, chi) in self.of(node) {
                put(node, chi, &mut messages[self.owner(expert)]);
            }
        }
        let mut parts = vec![Vec::new(); self.experts.len()];
        for (values, places) in comm.exchange(&messages).iter().zip(&self.arrivals) {
            for (&place, values) in places.iter().zip(values.chunks_exact(width)) {
                parts[place as usize].extend_from_slice(values);
            }
        }
        parts
    }

    /// The rank of an expert.
    pub(super) fn owner(&self, expert: u32) -> usize {
        self.ends.partition_point(|&end| end <= expert)
    }

    /// Tells every expert's rank the nodes of the expert. Collective.
    fn exchange_supports(&mut self, space: &Space) {
        let comm = &space.mesh.comm;
        let mut messages: Vec<Vec<i32>> = vec![Vec::new(); comm.size()];
        for node in 0..space.owned_nodes {
            for &(expert, _) in self.of(node) {
                messages[self.owner(expert)].extend([expert as i32, (space.first + node as u64) as i32]);
            }
        }
        self.support = vec![Vec::new(); self.experts.len()];
        // Ranks own ascending numbers, so the lists come out ascending.
        for part in comm.exchange(&messages) {
            let mut places = Vec::with_capacity(part.len() / 2);
            for pair in part.chunks_exact(2) {
                let place = pair[0] as u32 - self.experts.start;
                self.support[place as usize].push(pair[1]);
                places.push(place);
            }
            self.arrivals.push(places);
        }
    }

    /// The unknowns of each of this rank's experts with `components` to a node, as Schwarz
    /// methods take them.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn index_sets(&self, components: usize) -> petsc_rs::Result<Vec<IndexSet>> {
        let me = mpi::topology::SimpleCommunicator::self_comm();
        let c = components as i32;
        self.support
            .iter()
            .map(|nodes| {
                let dofs: Vec<i32> = nodes.iter().flat_map(|&n| (0..c).map(move |i| n * c + i)).collect();
                IndexSet::new(&me, &dofs)
            })
            .collect()
    }
}

/// For every local node the experts closer than some number of layers, with their distances.
struct Reach {
    start: Vec<u32>,
    /// Expert and distance, experts ascending.
    entries: Vec<(u32, u32)>,
}

impl Reach {
    fn new(space: &Space, cell_experts: &[u32], layers: u32) -> Self {
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

    fn of(&self, node: usize) -> &[(u32, u32)] {
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
