//! Which rows are whose, which cells an expert sees, and where two of them meet.
use crate::experts::residual::rows::{Colour, coloured};
use crate::experts::residual::shares::Shares;
use crate::fem::Space;
use crate::mixture::Gating;

/// The experts as this rank sees them. It evaluates all contributions to the rows of its own nodes, at the states of all
/// experts that have to do with them.
pub(super) struct Regions {
    /// The experts of this rank's nodes and of the cells around them.
    pub shares: Shares,
    /// Of each owned node the place of its expert.
    pub owner: Vec<u32>,
    /// Of each local cell the place of its expert; `NOBODY` where no node of it is owned.
    pub cell: Vec<u32>,
    /// Groups of experts with the cells that each sees.
    pub colours: Vec<Colour>,
    /// Pairs of experts over all ranks, ascending: the expert of a node, and that of a cell around it.
    pub ports: Vec<(u32, u32)>,
    /// Of each place the places of its neighbours of that kind, with the numbers of the ports.
    ports_of: Vec<Vec<(u32, u32)>>,
}

/// No place.
pub(super) const NOBODY: u32 = u32::MAX;

impl Regions {
    /// Of divided experts; with `both` an expert sees its own cells at the nodes of others as well. Collective.
    pub fn new(space: &Space, gating: &Gating, both: bool) -> Self {
        let comm = &space.mesh.comm;
        let owned = space.owned_nodes;
        let mut around = Vec::new();
        let own_nodes = |cell: usize| space.nodes_of(cell).iter().filter(|&&node| (node as usize) < owned);
        for cell in 0..space.mesh.local_cells() {
            if own_nodes(cell).next().is_some() {
                around.push(cell as u32);
            }
        }
        let of_cells = around.iter().map(|&cell| gating.cell_experts[cell as usize]);
        let of_nodes = (0..owned).map(|node| gating.of(node)[0].0);
        let shares = Shares::of(comm, gating, of_cells.chain(of_nodes));
        let owner: Vec<u32> = (0..owned).map(|node| shares.place(gating.of(node)[0].0) as u32).collect();
        let mut cell_place = vec![NOBODY; space.mesh.local_cells()];
        let (mut seen, mut pairs) = (Vec::new(), Vec::new());
        for &cell in &around {
            let place = shares.place(gating.cell_experts[cell as usize]) as u32;
            cell_place[cell as usize] = place;
            for &node in own_nodes(cell as usize) {
                let its = owner[node as usize];
                seen.push((its, cell));
                if its != place {
                    pairs.push((its, place));
                    if both {
                        seen.push((place, cell));
                    }
                }
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        let key = |&(a, b): &(u32, u32)| {
            (u64::from(shares.experts[a as usize]) << 32) | u64::from(shares.experts[b as usize])
        };
        let mut keys = comm.all_gather_varied(&pairs.iter().map(key).collect::<Vec<u64>>());
        keys.sort_unstable();
        keys.dedup();
        let mut ports_of = vec![Vec::new(); shares.experts.len()];
        for pair in &pairs {
            let port = keys.binary_search(&key(pair)).expect("gathered above") as u32;
            ports_of[pair.0 as usize].push((pair.1, port));
        }
        let ports = keys.into_iter().map(|key| ((key >> 32) as u32, key as u32)).collect();
        let (colours, _) = coloured(space, seen, shares.experts.len());
        Self { shares, owner, cell: cell_place, colours, ports, ports_of }
    }

    /// The port of the expert of a node with that of a cell around it.
    pub fn port(&self, owner: u32, of_cell: u32) -> usize {
        let port = self.ports_of[owner as usize].iter().find(|entry| entry.0 == of_cell);
        port.expect("every pair has one").1 as usize
    }

    /// Calls `each` with every port, for every local node of its cells; a node comes once for each owned node of the first
    /// expert and cell of the second that see it, so that over all ranks every such triple is there once.
    pub fn traces(&self, space: &Space, mut each: impl FnMut(usize, usize)) {
        for (cell, &place) in self.cell.iter().enumerate().filter(|(_, place)| **place != NOBODY) {
            let nodes = space.nodes_of(cell);
            for &node in nodes.iter().filter(|&&node| (node as usize) < space.owned_nodes) {
                let owner = self.owner[node as usize];
                if owner != place {
                    let port = self.port(owner, place);
                    nodes.iter().for_each(|&other| each(port, other as usize));
                }
            }
        }
    }
}
