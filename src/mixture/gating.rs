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
use super::reach::{Reach, check, ends_of_ranks};
use crate::Result;
use crate::fem::Space;
use crate::parallel::Comm;
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
    /// The expert of each local cell.
    pub cell_experts: Vec<u32>,
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
        Self::with_experts(space, layers, &space.mesh.cell_experts, &ends_of_ranks(&space.mesh))
    }

    /// As [`Gating::new`] with experts of the caller's choice: the expert of each local cell (ghosts
    /// too), and for each rank the number one above its last expert. Experts need not stay inside
    /// their rank. Collective.
    ///
    /// # Errors
    /// When `layers` is 0, or an expert belongs to no rank.
    pub fn with_experts(space: &Space, layers: u32, cell_experts: &[u32], ends: &[u32]) -> Result<Self> {
        let comm = &space.mesh.comm;
        let total = check(space, layers, cell_experts, ends)?;
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
            cell_experts: cell_experts.to_vec(),
            arrivals: Vec::new(),
        };
        gating.exchange_supports(space);
        Ok(gating)
    }

    /// The same experts with every node the first one's that has a cell at it: functions that are 1 there and 0 elsewhere,
    /// for fields that jump between experts. Collective.
    pub fn divided(&self, space: &Space) -> Self {
        let reach = Reach::new(space, &self.cell_experts, 1);
        let first = |node| reach.of(node).first().expect("every node has an expert").0;
        let mut gating = Self {
            layers: 1,
            experts: self.experts.clone(),
            global_experts: self.global_experts,
            start: (0..=space.owned_nodes as u32).collect(),
            entries: (0..space.owned_nodes).map(|node| (first(node), 1.0)).collect(),
            support: Vec::new(),
            ends: self.ends.clone(),
            cell_experts: self.cell_experts.clone(),
            arrivals: Vec::new(),
        };
        gating.exchange_supports(space);
        gating
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
    pub fn owner(&self, expert: u32) -> usize {
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
