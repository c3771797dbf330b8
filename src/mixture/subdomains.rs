//! The experts' subdomains as restricted Schwarz methods take them.
//!
//! With `n` layers of overlap the subdomain of expert `k` are its own cells and `n` layers around them. Its nodes are
//! those at a distance of at most `n` (see [`Gating`](super::Gating)); those at exactly `n` are the rim, which the
//! artificial boundary lies on. Every node is owned by the first expert that has it among the nodes of its own cells: as
//! experts are numbered rank by rank and nodes belong to the lowest rank around, it is one of the node's rank.
use super::reach::{Reach, check, ends_of_ranks};
use crate::fem::Space;
use crate::{Error, Result};
use petsc_rs::IndexSet;
use std::ops::Range;

/// Widened subdomains with rims: what the ranks of nodes and cells know of them, and what the ranks of the experts do.
pub struct Subdomains {
    /// Layers of cells by which each expert reaches beyond its own cells.
    pub layers: u32,
    /// Experts of this rank.
    pub experts: Range<u32>,
    /// Experts over all ranks.
    pub global_experts: u32,
    ends: Vec<u32>,
    /// Of all local nodes, ghosts included.
    reach: Reach,
    /// PETSc numbers of the nodes of each expert of this rank, ascending, with what they are to it.
    nodes: Vec<Vec<(i32, Kind)>>,
    /// Width of every expert (m): the length of the side of a cube as large as its own cells.
    widths: Vec<f64>,
}

/// What a node is to a subdomain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rim,
    Inner,
    /// An inner one that the expert owns.
    Own,
}

/// Nodes of a subdomain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All, the rim included.
    Closed,
    /// All but the rim.
    Open,
    /// Those that the expert owns: every node once over all experts.
    Own,
}

impl Subdomains {
    /// Those of the mesh's experts; `measures` are the areas or volumes of the local cells. Collective.
    ///
    /// # Errors
    /// When `layers` is 0: subdomains must overlap.
    pub fn new(space: &Space, layers: u32, measures: &[f64]) -> Result<Self> {
        let mesh = &space.mesh;
        Self::with_experts(space, layers, measures, &mesh.cell_experts, &ends_of_ranks(mesh))
    }

    /// As [`Subdomains::new`] with experts of the caller's choice, as for
    /// [`Gating::with_experts`](super::Gating::with_experts). Collective.
    ///
    /// # Errors
    /// When `layers` is 0, an expert belongs to no rank, or cells of another one are its own.
    pub fn with_experts(
        space: &Space,
        layers: u32,
        measures: &[f64],
        cell_experts: &[u32],
        ends: &[u32],
    ) -> Result<Self> {
        let comm = &space.mesh.comm;
        let total = check(space, layers, cell_experts, ends)?;
        let mine = if comm.rank() == 0 { 0 } else { ends[comm.rank() - 1] }..ends[comm.rank()];
        let mut widths = vec![0.0; total as usize];
        let own = space.mesh.owned_cells;
        for (&expert, measure) in cell_experts[..own].iter().zip(measures) {
            widths[expert as usize] += measure;
        }
        comm.sum_into(&mut widths);
        let power = 1.0 / space.mesh.dimension as f64;
        widths.iter_mut().for_each(|width| *width = width.powf(power));
        let reach = Reach::new(space, cell_experts, layers + 1);
        let nodes = vec![Vec::new(); mine.len()];
        let mut subdomains = Self {
            layers,
            experts: mine,
            global_experts: total,
            ends: ends.to_vec(),
            reach: reach.with_ghosts(space),
            nodes,
            widths,
        };
        subdomains.exchange_nodes(space)?;
        Ok(subdomains)
    }

    /// The rank of an expert.
    pub fn rank_of(&self, expert: u32) -> usize {
        self.ends.partition_point(|&end| end <= expert)
    }

    /// Width of an expert without its overlap, m.
    pub fn width(&self, expert: u32) -> f64 {
        self.widths[expert as usize]
    }

    /// Whether a local node belongs to a subdomain.
    pub fn has(&self, expert: u32, node: u32) -> bool {
        self.reach.of(node as usize).binary_search_by_key(&expert, |entry| entry.0).is_ok()
    }

    /// The experts that have some of a cell's nodes, ascending, each with whether the cell is in its subdomain.
    pub fn of_cell(&self, nodes: &[u32], list: &mut Vec<(u32, bool)>) {
        list.clear();
        let entries = nodes.iter().flat_map(|&node| self.reach.of(node as usize));
        list.extend(entries.map(|&(expert, distance)| (expert, distance < self.layers)));
        // Where one node is inside the cell is.
        list.sort_unstable_by_key(|&(expert, inside)| (expert, !inside));
        list.dedup_by_key(|entry| entry.0);
    }

    /// The place of a node among all of the subdomain of this rank's expert number `local`.
    pub fn place(&self, local: usize, number: i32) -> Option<usize> {
        self.nodes[local].binary_search_by_key(&number, |node| node.0).ok()
    }

    /// The unknowns of a part of each subdomain of this rank with `components` to a node.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn index_sets(&self, part: Part, components: usize) -> petsc_rs::Result<Vec<IndexSet>> {
        let me = mpi::topology::SimpleCommunicator::self_comm();
        let c = components as i32;
        let wanted = |kind: Kind| match part {
            Part::Closed => true,
            Part::Open => kind != Kind::Rim,
            Part::Own => kind == Kind::Own,
        };
        let set = |nodes: &Vec<(i32, Kind)>| {
            let chosen = nodes.iter().filter(|node| wanted(node.1));
            let dofs: Vec<i32> = chosen.flat_map(|node| (0..c).map(move |i| node.0 * c + i)).collect();
            IndexSet::new(&me, &dofs)
        };
        self.nodes.iter().map(set).collect()
    }

    /// Tells every expert's rank the nodes of the expert. Collective.
    fn exchange_nodes(&mut self, space: &Space) -> Result<()> {
        let comm = &space.mesh.comm;
        let mut fault = Ok(());
        let mut messages: Vec<Vec<i32>> = vec![Vec::new(); comm.size()];
        for node in 0..space.owned_nodes {
            let list = self.reach.of(node);
            let owner = list.iter().find(|entry| entry.1 == 0).map(|entry| entry.0);
            // PETSc takes the values of a rank's nodes from its own subdomains.
            if owner.is_none_or(|owner| self.rank_of(owner) != comm.rank()) {
                fault = Err(Error::Failed("an expert of this method must lie whole on its rank".into()));
            }
            for &(expert, distance) in list {
                let kind = match distance < self.layers {
                    true if owner == Some(expert) => 2,
                    inside => i32::from(inside),
                };
                let message = &mut messages[self.rank_of(expert)];
                message.extend([expert as i32, space.number(node as u32), kind]);
            }
        }
        // Ranks own ascending numbers, so the lists come out ascending.
        for entry in comm.exchange(&messages).iter().flat_map(|part| part.chunks_exact(3)) {
            let kind = [Kind::Rim, Kind::Inner, Kind::Own][entry[2] as usize];
            self.nodes[entry[0] as usize - self.experts.start as usize].push((entry[1], kind));
        }
        comm.agree(fault)
    }
}
