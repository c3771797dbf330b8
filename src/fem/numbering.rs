//! Numbers of the nodes of a mesh: who owns a node, its canonical number, and its number for PETSc.
use super::element::Element;
use crate::mesh::Mesh;
use crate::parallel::{Comm, block_owner};
use std::borrow::Cow;

/// A mesh entity that carries a node, by what all ranks know of it: `[kind, vertex, vertex, vertex]`
/// with kind 0 vertex, 1 edge, 2 face, 3 cell and the lowest canonical vertex numbers ascending.
pub(super) type Key = [u64; 4];

/// What [`Mesh::topology`] gives.
pub(super) type Topology<'a> = (Cow<'a, [u64]>, Cow<'a, [u32]>);

/// Every entity of the local cells that carries a node, and the cells' nodes as indices into it.
pub(super) fn entities(
    mesh: &Mesh,
    element: &Element,
    (vertex_ids, corners): &Topology,
) -> (Vec<Key>, Vec<u32>) {
    let cell_type = mesh.cell_type;
    let nv = cell_type.vertices();
    let cells = mesh.cell_ids.len();
    let functions = element.functions();
    let (edges, faces, interior) = element.interior_nodes();
    let mut nodes = vec![0u32; cells * functions];
    for (cell, vertices) in corners.chunks_exact(nv).enumerate() {
        nodes[cell * functions..][..nv].copy_from_slice(vertices);
    }
    let mut distinct = Distinct::new(vertex_ids);
    let mut place = nv;
    if edges > 0 {
        for (cell, vertices) in corners.chunks_exact(nv).enumerate() {
            for (e, &[i, j]) in cell_type.edge_vertices().iter().enumerate() {
                let [i, j] = [i, j].map(|v| vertices[v as usize]);
                let (a, b) = (vertex_ids[i as usize], vertex_ids[j as usize]);
                let (low, key) = if a < b { (i, [1, a, b, 0]) } else { (j, [1, b, a, 0]) };
                nodes[cell * functions + place + e] = distinct.number(low, key);
            }
        }
        place += edges;
    }
    if faces > 0 {
        for (cell, vertices) in corners.chunks_exact(nv).enumerate() {
            for f in 0..faces {
                let (low, key) = face_key(vertex_ids, vertices, cell_type.facet_vertices(f));
                nodes[cell * functions + place + f] = distinct.number(low, key);
            }
        }
        place += faces;
    }
    let mut keys = distinct.keys;
    if interior > 0 {
        for (cell, &id) in mesh.cell_ids.iter().enumerate() {
            nodes[cell * functions + place] = keys.len() as u32;
            keys.push([3, id, 0, 0]);
        }
    }
    (keys, nodes)
}

/// The three lowest canonical vertex numbers of a face name it on every rank; the local number of the lowest vertex.
fn face_key(vertex_ids: &[u64], vertices: &[u32], face: &[u8]) -> (u32, Key) {
    let mut corners: Vec<(u64, u32)> =
        face.iter().map(|&v| vertices[v as usize]).map(|v| (vertex_ids[v as usize], v)).collect();
    corners.sort_unstable();
    (corners[0].1, [2, corners[0].0, corners[1].0, corners[2].0])
}

/// Distinct entities in the order in which they are first met. Those with the same lowest vertex hang on one chain, which
/// is as short as the vertex has neighbours.
struct Distinct {
    keys: Vec<Key>,
    /// Newest entity of each local vertex; the end of a chain is [`Distinct::END`].
    newest: Vec<u32>,
    /// The one before it.
    before: Vec<u32>,
}

impl Distinct {
    const END: u32 = u32::MAX;

    /// Begins with the vertices.
    fn new(vertex_ids: &[u64]) -> Self {
        let keys = vertex_ids.iter().map(|&id| [0, id, 0, 0]).collect();
        let ends = vec![Self::END; vertex_ids.len()];
        Self { keys, newest: ends.clone(), before: ends }
    }

    /// The number of an entity whose lowest vertex is `low`.
    fn number(&mut self, low: u32, key: Key) -> u32 {
        let mut at = self.newest[low as usize];
        while at != Self::END {
            if self.keys[at as usize] == key {
                return at;
            }
            at = self.before[at as usize];
        }
        let number = self.keys.len() as u32;
        self.keys.push(key);
        self.before.push(std::mem::replace(&mut self.newest[low as usize], number));
        number
    }
}

/// Canonical and PETSc numbers of the local entities.
pub(super) struct Numbering {
    pub canonical: Vec<u64>,
    pub numbers: Vec<u64>,
    pub range: std::ops::Range<u64>,
    pub total: u64,
}

impl Numbering {
    /// Each entity is registered at a home rank (by its lowest vertex, or its cell), which finds the
    /// owner and the canonical number; owners then number what they own and homes pass that on.
    pub fn new(mesh: &Mesh, entities: &[Key], cell_nodes: &[u32], element: &Element) -> Self {
        let comm = &mesh.comm;
        let size = comm.size();
        let functions = element.functions();
        let touched = touched_by_owned_cells(mesh, entities.len(), cell_nodes, functions);
        let home = |key: &Key| match key[0] {
            3 => block_owner(mesh.global_cells, size, key[1]),
            _ => block_owner(mesh.global_vertices, size, key[1]),
        };
        // Queries: every local entity, with whether an owned cell touches it.
        let mut by_home: Vec<Vec<u32>> = vec![Vec::new(); size];
        for (e, key) in entities.iter().enumerate() {
            by_home[home(key)].push(e as u32);
        }
        let message: Vec<Vec<u64>> = by_home
            .iter()
            .map(|list| {
                list.iter()
                    .flat_map(|&e| {
                        let [kind, a, b, c] = entities[e as usize];
                        [kind | u64::from(touched[e as usize]) << 8, a, b, c]
                    })
                    .collect()
            })
            .collect();
        let received = comm.exchange(&message);
        let (canonical, owners, index) = Registry::number(comm, mesh, &received);

        // Back to the askers: canonical number and owner.
        let replies: Vec<Vec<u64>> = index
            .iter()
            .map(|list| list.iter().flat_map(|&i| [canonical[i as usize], owners[i as usize]]).collect())
            .collect();
        let answers = comm.exchange(&replies);
        let mut ids = vec![0u64; entities.len()];
        let mut owner = vec![0u64; entities.len()];
        for (list, answer) in by_home.iter().zip(&answers) {
            for (&e, pair) in list.iter().zip(answer.chunks_exact(2)) {
                (ids[e as usize], owner[e as usize]) = (pair[0], pair[1]);
            }
        }
        // PETSc numbers of owned nodes in local order, told to the homes and from there to all.
        let rank = comm.rank() as u64;
        let owned = owner.iter().filter(|&&o| o == rank).count() as u64;
        let first = comm.exclusive_sum(owned);
        let mut numbers = vec![u64::MAX; entities.len()];
        let mut next = first;
        for e in visit_order(entities.len(), cell_nodes) {
            if owner[e as usize] == rank {
                numbers[e as usize] = next;
                next += 1;
            }
        }
        let told: Vec<Vec<u64>> =
            by_home.iter().map(|list| list.iter().map(|&e| numbers[e as usize]).collect()).collect();
        let told = comm.exchange(&told);
        let mut at_home = vec![u64::MAX; canonical.len()];
        for (list, values) in index.iter().zip(&told) {
            for (&i, &number) in list.iter().zip(values) {
                if number != u64::MAX {
                    at_home[i as usize] = number;
                }
            }
        }
        let replies: Vec<Vec<u64>> =
            index.iter().map(|list| list.iter().map(|&i| at_home[i as usize]).collect()).collect();
        for (list, answer) in by_home.iter().zip(&comm.exchange(&replies)) {
            for (&e, &number) in list.iter().zip(answer) {
                numbers[e as usize] = number;
            }
        }
        Self { canonical: ids, numbers, range: first..first + owned, total: comm.sum(owned) }
    }
}

/// What a home rank knows after all have registered.
struct Registry;

impl Registry {
    /// Canonical number and owner of each distinct entity registered here, and for every message
    /// the index of each entity in it.
    #[allow(clippy::type_complexity)]
    fn number(comm: &Comm, mesh: &Mesh, received: &[Vec<u64>]) -> (Vec<u64>, Vec<u64>, Vec<Vec<u32>>) {
        // (key, source rank if an owned cell touches it, source, position)
        let mut all: Vec<(Key, u64, u32, u32)> = Vec::new();
        for (source, list) in received.iter().enumerate() {
            for (position, k) in list.chunks_exact(4).enumerate() {
                let claim = if k[0] >> 8 == 1 { source as u64 } else { u64::MAX };
                all.push(([k[0] & 0xff, k[1], k[2], k[3]], claim, source as u32, position as u32));
            }
        }
        all.sort_unstable();
        let mut index: Vec<Vec<u32>> = received.iter().map(|list| vec![0; list.len() / 4]).collect();
        let mut owners = Vec::new();
        let mut kinds: Vec<(u64, u64)> = Vec::new();
        let mut before: Option<Key> = None;
        for (key, claim, source, position) in all {
            if before != Some(key) {
                owners.push(claim);
                kinds.push((key[0], key[1]));
                before = Some(key);
            }
            index[source as usize][position as usize] = owners.len() as u32 - 1;
        }
        // Edges and faces are counted in the order of (home rank, key), which is the global key order
        // because homes hold ascending blocks of lowest vertices.
        let count = |kind| kinds.iter().filter(|k| k.0 == kind).count() as u64;
        let (edges, faces) = (count(1), count(2));
        let first_edge = mesh.global_vertices + comm.exclusive_sum(edges);
        let all_edges = comm.sum(edges);
        let first_face = mesh.global_vertices + all_edges + comm.exclusive_sum(faces);
        let first_cell = mesh.global_vertices + all_edges + comm.sum(faces);
        let (mut edge, mut face) = (first_edge, first_face);
        let canonical = kinds
            .iter()
            .map(|&(kind, id)| match kind {
                0 => id,
                1 => {
                    edge += 1;
                    edge - 1
                }
                2 => {
                    face += 1;
                    face - 1
                }
                _ => first_cell + id,
            })
            .collect();
        (canonical, owners, index)
    }
}

fn touched_by_owned_cells(mesh: &Mesh, entities: usize, cell_nodes: &[u32], functions: usize) -> Vec<bool> {
    let mut touched = vec![false; entities];
    for &node in &cell_nodes[..mesh.owned_cells * functions] {
        touched[node as usize] = true;
    }
    touched
}

/// Entities in the order in which the cells first meet them: close in space, close in memory.
fn visit_order(entities: usize, cell_nodes: &[u32]) -> Vec<u32> {
    let mut seen = vec![false; entities];
    let mut order = Vec::with_capacity(entities);
    for &node in cell_nodes {
        if !std::mem::replace(&mut seen[node as usize], true) {
            order.push(node);
        }
    }
    order
}
