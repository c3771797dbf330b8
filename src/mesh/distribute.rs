//! From blocks of cells to owners: every rank receives the cells it owns and all cells that share a
//! vertex with one of them.
use super::facets::FacetMark;
use super::raw::{RawMesh, compact};
use super::vertices::VertexDirectory;
use crate::error::{Error, Result};
use crate::parallel::{Comm, Redistribution, block};

/// Cells on the rank that needs them, owned ones first, each kind by increasing canonical number.
pub(super) struct LocalCells {
    /// Number of owned cells.
    pub owned: usize,
    /// Canonical cell numbers.
    pub ids: Vec<u64>,
    /// Owning rank.
    pub owners: Vec<u32>,
    /// Index into the region names.
    pub regions: Vec<u16>,
    /// Places in `vertex_ids`, `[cell, vertex]`.
    pub cells: Vec<u32>,
    /// Canonical numbers of the vertices of these cells, increasing.
    pub vertex_ids: Vec<u64>,
    /// Lowest rank that owns a cell at each vertex.
    pub vertex_owners: Vec<u32>,
    /// Coordinates, `[vertex, dimension]`.
    pub coordinates: Vec<f64>,
    /// Of a periodic mesh: the canonical number of the vertex that each is identified with.
    pub identified: Option<Vec<u64>>,
    /// Boundary and marked facets of these cells, sorted by canonical cell.
    pub marks: Vec<FacetMark>,
}

/// Sends each cell of the block, whose vertices are [identified](RawMesh::identify), to `parts[cell]` and, as a
/// ghost, wherever it is needed. Collective.
///
/// # Errors
/// [`Error::Input`] naming a vertex without cells.
pub(super) fn distribute(
    comm: &Comm,
    raw: &RawMesh,
    marks: &[FacetMark],
    parts: &[i32],
) -> Result<LocalCells> {
    let nv = raw.cell_type.vertices();
    let periodic = raw.identified.is_some();
    let first = block(raw.global_cells, comm.size(), comm.rank()).start;
    let (unique, places) = compact(&raw.cells);

    // Neighbouring cells mostly go to the same rank: naming a vertex only when its rank changes keeps
    // the list short; the directory removes what is left of repetition.
    let mut pairs = Vec::with_capacity(unique.len());
    let mut name = |unique: &[u64], places: &[u32]| {
        let mut last = vec![u32::MAX; unique.len()];
        for (cell, &part) in places.chunks_exact(nv).zip(parts) {
            for &v in cell {
                if last[v as usize] != part as u32 {
                    last[v as usize] = part as u32;
                    pairs.push((unique[v as usize], part as u32));
                }
            }
        }
    };
    name(&unique, &places);
    if periodic {
        // A vertex that others are identified with belongs to the lowest rank at any of them, which has all
        // their cells at least as ghosts.
        let (unique, places) = compact(&raw.corners);
        name(&unique, &places);
    }
    let directory = VertexDirectory::new(comm, raw.global_vertices, pairs.into_iter());
    let (start, ranks) = directory.shared(&unique);
    let lowest = directory.lowest();
    drop(directory);
    let loose = lowest.iter().position(|&rank| rank == u32::MAX);
    comm.agree(loose.map_or(Ok(()), |i| {
        let vertex = block(raw.global_vertices, comm.size(), comm.rank()).start + i as u64;
        Err(Error::input(&raw.source, format!("vertex {vertex} (counted from 0) belongs to no cell")))
    }))?;

    let destinations = |cell: usize, list: &mut Vec<u32>| {
        list.clear();
        list.push(parts[cell] as u32);
        for &v in &places[cell * nv..(cell + 1) * nv] {
            list.extend_from_slice(&ranks[start[v as usize] as usize..start[v as usize + 1] as usize]);
        }
        if list.len() > 1 {
            list.sort_unstable();
            list.dedup();
        }
    };
    let sent = if periodic { &raw.corners } else { &raw.cells };
    let mut list = Vec::new();
    let stride = nv + 2;
    let mut sizes = vec![0usize; comm.size()];
    for cell in 0..parts.len() {
        destinations(cell, &mut list);
        list.iter().for_each(|&rank| sizes[rank as usize] += stride);
    }
    let mut messages: Vec<Vec<u64>> = sizes.into_iter().map(Vec::with_capacity).collect();
    let mut mark_messages: Vec<Vec<u64>> = vec![Vec::new(); comm.size()];
    let mut rest = marks;
    for (cell, &part) in parts.iter().enumerate() {
        destinations(cell, &mut list);
        let id = first + cell as u64;
        let (mine, others) = rest.split_at(rest.iter().take_while(|mark| mark.cell == id).count());
        rest = others;
        for &rank in &list {
            let message = &mut messages[rank as usize];
            message.extend([id, part as u64 | u64::from(raw.regions[cell]) << 32]);
            message.extend_from_slice(&sent[cell * nv..(cell + 1) * nv]);
            for mark in mine {
                mark_messages[rank as usize].extend([
                    id,
                    u64::from(mark.outward) << 24 | u64::from(mark.local) << 16 | u64::from(mark.marker),
                ]);
            }
        }
    }
    drop((places, start, ranks, unique));

    let received = comm.exchange(&messages);
    drop(messages);
    let marks = comm
        .exchange(&mark_messages)
        .iter()
        .flat_map(|part| part.chunks_exact(2))
        .map(|m| FacetMark {
            cell: m[0],
            local: (m[1] >> 16) as u8,
            marker: m[1] as u16,
            outward: m[1] >> 24 == 1,
        })
        .collect();

    // Blocks arrive in rank order, so the cells are already in canonical order.
    let rank = comm.rank() as u32;
    let total: usize = received.iter().map(Vec::len).sum::<usize>() / stride;
    let records = || received.iter().flat_map(|part| part.chunks_exact(stride));
    let mut local = LocalCells {
        owned: 0,
        ids: Vec::with_capacity(total),
        owners: Vec::with_capacity(total),
        regions: Vec::with_capacity(total),
        cells: Vec::new(),
        vertex_ids: Vec::new(),
        vertex_owners: Vec::new(),
        coordinates: Vec::new(),
        identified: None,
        marks,
    };
    let mut corners: Vec<u64> = Vec::with_capacity(total * nv);
    for own in [true, false] {
        for record in records().filter(|record| (record[1] as u32 == rank) == own) {
            local.ids.push(record[0]);
            local.owners.push(record[1] as u32);
            local.regions.push((record[1] >> 32) as u16);
            corners.extend_from_slice(&record[2..]);
        }
        if own {
            local.owned = local.ids.len();
        }
    }
    drop(received);
    (local.vertex_ids, local.cells) = compact(&corners);
    drop(corners);
    let plan = Redistribution::new(comm, &local.vertex_ids, raw.global_vertices);
    local.coordinates = plan.from_canonical(&raw.coordinates, raw.cell_type.dimension());
    local.vertex_owners = plan.from_canonical(&lowest, 1);
    local.identified = raw.identified.as_ref().map(|identified| plan.from_canonical(identified, 1));
    Ok(local)
}
