//! Pairing of facets by their vertices: inside a rank by a bucket sort, over the ranks by meeting at
//! the rank that keeps the facet's highest vertex.
use super::cell::CellType;
use super::raw::{RawMesh, compact};
use super::vertices::VertexDirectory;
use crate::error::{Error, Result};
use crate::parallel::{Comm, block, block_owner};

/// No cell on the other side.
pub(super) const NONE: u64 = u64::MAX;

/// One facet in the sort: its vertices in decreasing order without the highest (which is the
/// bucket), and the place `cell * facets + local`, or beyond these for a marked facet.
type Record = ([u32; 3], u32);

/// Groups of equal facets of `cells` (`[cell, vertex]`, vertices below `vertices`) and of the vertex
/// tuples `marked`. Calls `group` with the places of each group: first those of cells, then
/// `cells * facets + i` for tuple i.
pub(super) fn group_facets(
    cell_type: CellType,
    cells: &[u32],
    marked: &[u32],
    vertices: usize,
    mut group: impl FnMut(&[Record]),
) {
    let (nv, nf, width) = (cell_type.vertices(), cell_type.facets(), cell_type.vertices_per_facet());
    let mut start = vec![0u32; vertices + 1];
    let for_each = |visit: &mut dyn FnMut(usize, Record)| {
        let mut place = 0;
        for cell in cells.chunks_exact(nv) {
            for local in 0..nf {
                let mut key = [0u32; 4];
                for (k, &v) in key.iter_mut().zip(cell_type.facet_vertices(local)) {
                    *k = cell[v as usize] + 1;
                }
                let key = descending(key);
                visit(key[0] as usize - 1, ([key[1], key[2], key[3]], place));
                place += 1;
            }
        }
        for tuple in marked.chunks_exact(width) {
            let mut key = [0u32; 4];
            key.iter_mut().zip(tuple).for_each(|(k, &v)| *k = v + 1);
            let key = descending(key);
            visit(key[0] as usize - 1, ([key[1], key[2], key[3]], place));
            place += 1;
        }
    };
    for_each(&mut |bucket, _| start[bucket + 1] += 1);
    for v in 0..vertices {
        start[v + 1] += start[v];
    }
    let mut records: Vec<Record> = vec![([0; 3], 0); start[vertices] as usize];
    let mut next = start.clone();
    for_each(&mut |bucket, record| {
        records[next[bucket] as usize] = record;
        next[bucket] += 1;
    });
    for v in 0..vertices {
        let bucket = &mut records[start[v] as usize..start[v + 1] as usize];
        bucket.sort_unstable();
        bucket.chunk_by(|a, b| a.0 == b.0).for_each(&mut group);
    }
}

/// Sorts four numbers, greatest first.
fn descending([mut a, mut b, mut c, mut d]: [u32; 4]) -> [u32; 4] {
    let order = |x: &mut u32, y: &mut u32| (*x, *y) = ((*x).max(*y), (*x).min(*y));
    order(&mut a, &mut b);
    order(&mut c, &mut d);
    order(&mut a, &mut c);
    order(&mut b, &mut d);
    order(&mut b, &mut c);
    [a, b, c, d]
}

/// Neighbours through facets inside one set of cells: `[cell, facet]` gives the other cell or
/// `u32::MAX`. More than two cells at a facet are an error of an earlier check; here the first two pair.
pub(super) fn local_neighbours(cell_type: CellType, cells: &[u32], vertices: usize) -> Vec<u32> {
    let nf = cell_type.facets() as u32;
    let mut neighbours = vec![u32::MAX; cells.len() / cell_type.vertices() * nf as usize];
    group_facets(cell_type, cells, &[], vertices, |group| {
        if let [a, b, ..] = group {
            neighbours[a.1 as usize] = b.1 / nf;
            neighbours[b.1 as usize] = a.1 / nf;
        }
    });
    neighbours
}

/// A facet of a cell on the boundary or with a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FacetMark {
    /// Canonical cell.
    pub cell: u64,
    /// Facet of the cell.
    pub local: u8,
    /// Marker, or `u16::MAX`.
    pub marker: u16,
    /// Of a facet inside the domain: whether its own normal points out of the cell.
    pub outward: bool,
}

/// How the cells of a source hang together.
pub(super) struct DualGraph {
    /// Canonical number of the cell behind each facet of this rank's block of cells, `[cell, facet]`,
    /// or [`NONE`].
    pub neighbours: Vec<u64>,
    /// Boundary and marked facets of this rank's block of cells, sorted.
    pub marks: Vec<FacetMark>,
}

/// Finds neighbours and boundary of the cells of `raw`, and the cells of its marked facets. Collective.
///
/// # Errors
/// [`Error::Input`] where more than two cells meet in a facet, two cells coincide, or a marked facet
/// bounds no cell.
pub(super) fn dual_graph(comm: &Comm, raw: &RawMesh) -> Result<DualGraph> {
    let cell_type = raw.cell_type;
    let (nf, width) = (cell_type.facets(), cell_type.vertices_per_facet());
    let first = block(raw.global_cells, comm.size(), comm.rank()).start;
    let (unique, places) = compact(&raw.cells);
    let count = raw.regions.len();
    if count * nf > u32::MAX as usize / 2 {
        let message = format!("{count} cells on one rank are too many: use more ranks");
        return comm.agree(Err(Error::Failed(message)));
    }
    comm.agree(Ok(()))?;
    let directory =
        VertexDirectory::new(comm, raw.global_vertices, unique.iter().map(|&v| (v, comm.rank() as u32)));
    let candidates = Candidates::collect(comm, raw, &directory, &unique);

    let slots = (count * nf) as u32;
    let mut neighbours = vec![NONE; count * nf];
    let mut open: Vec<u32> = Vec::new();
    // (place, number of the candidate, whether its normal points out): a marked facet found at a facet of this
    // rank's cells.
    let mut found: Vec<(u32, u32, bool)> = Vec::new();
    let mut crowded: Option<u64> = None;
    group_facets(cell_type, &places, &candidates.vertices, unique.len(), |group| {
        let cells = group.partition_point(|r| r.1 < slots);
        match &group[..cells] {
            [] => return,
            [a] => open.push(a.1),
            [a, b] => {
                neighbours[a.1 as usize] = first + u64::from(b.1) / nf as u64;
                neighbours[b.1 as usize] = first + u64::from(a.1) / nf as u64;
            }
            [a, ..] => crowded = Some(first + u64::from(a.1) / nf as u64),
        }
        found.extend(group[cells..].iter().map(|mark| {
            let (place, candidate) = (group[0].1 as usize, (mark.1 - slots) as usize);
            let (cell, local) = (place / nf, place % nf);
            let corners = &places[cell * cell_type.vertices()..];
            let facet = cell_type.facet_vertices(local).iter().map(|&v| corners[v as usize]);
            let own = &candidates.vertices[candidate * width..][..width];
            let outward = if width == 1 { local == 1 } else { same_sense(&facet.collect::<Vec<_>>(), own) };
            (group[0].1, candidate as u32, outward)
        }));
    });
    drop(places);
    let crowded = match meet(comm, raw, first, &open, &mut neighbours) {
        Some(cell) => Some(cell),
        None => crowded,
    };
    let check = match crowded {
        Some(cell) => Err(Error::input(
            &raw.source,
            format!(
                "more than two cells share a facet of cell {cell} (cells are counted from 0 in the order of the mesh)"
            ),
        )),
        None => coincidence(raw, first, &neighbours, nf),
    };
    comm.agree(check)?;

    // The cell with the lower number reports the marked facet.
    let mut marks: Vec<FacetMark> = Vec::new();
    let mut seen = vec![Vec::new(); comm.size()];
    let mut marked = vec![false; neighbours.len()];
    for (place, candidate, outward) in found {
        let (cell, neighbour) = (first + u64::from(place) / nf as u64, neighbours[place as usize]);
        if cell < neighbour {
            let (id, marker) = candidates.origin[candidate as usize];
            marked[place as usize] = true;
            marks.push(FacetMark { cell, local: (place as usize % nf) as u8, marker, outward });
            seen[(id >> 40) as usize].push(id & ((1 << 40) - 1));
        }
    }
    for (place, &neighbour) in neighbours.iter().enumerate() {
        if neighbour == NONE && !marked[place] {
            let cell = first + (place / nf) as u64;
            marks.push(FacetMark { cell, local: (place % nf) as u8, marker: u16::MAX, outward: true });
        }
    }
    marks.sort_unstable();
    marks.dedup_by_key(|mark| (mark.cell, mark.local, mark.marker));

    let mut missing = vec![true; raw.facet_markers.len()];
    comm.exchange(&seen).iter().flatten().for_each(|&i| missing[i as usize] = false);
    let lost = missing.iter().filter(|&&m| m).count();
    let result = match missing.iter().position(|&m| m) {
        None => Ok(()),
        Some(i) => Err(Error::input(
            &raw.source,
            format!(
                "{lost} facets with a marker bound no cell; the first has the marker \"{}\" and the vertices {:?} (counted from 0 in the order of the mesh)",
                raw.facet_names[raw.facet_markers[i] as usize],
                &raw.facets[i * width..(i + 1) * width]
            ),
        )),
    };
    comm.agree(result)?;
    Ok(DualGraph { neighbours, marks })
}

/// Whether two lists of the same vertices go around in the same sense.
fn same_sense(a: &[u32], b: &[u32]) -> bool {
    let n = a.len();
    let first = a.iter().position(|v| *v == b[0]).unwrap_or(0);
    match n {
        2 => first == 0,
        _ => a[(first + 1) % n] == b[1],
    }
}

/// Marked facets that may belong to cells of this rank.
struct Candidates {
    /// Compact local vertex numbers, `[candidate, vertex]`.
    vertices: Vec<u32>,
    /// Where each comes from (rank in the bits from 40, place in that rank's list) and its marker.
    origin: Vec<(u64, u16)>,
}

impl Candidates {
    /// Sends every marked facet by way of the directory to the ranks that hold its highest vertex.
    fn collect(comm: &Comm, raw: &RawMesh, directory: &VertexDirectory, unique: &[u64]) -> Self {
        let width = raw.cell_type.vertices_per_facet();
        let stride = width + 2;
        let mut parts = vec![Vec::new(); comm.size()];
        for (i, (tuple, &marker)) in raw.facets.chunks_exact(width).zip(&raw.facet_markers).enumerate() {
            let highest = tuple.iter().copied().max().unwrap_or(0);
            let part = &mut parts[block_owner(raw.global_vertices, comm.size(), highest)];
            part.extend_from_slice(tuple);
            part.extend([(comm.rank() as u64) << 40 | i as u64, u64::from(marker)]);
        }
        let arrived = comm.exchange(&parts);
        parts.iter_mut().for_each(Vec::clear);
        for record in arrived.iter().flat_map(|part| part.chunks_exact(stride)) {
            let highest = record[..width].iter().copied().max().unwrap_or(0);
            directory
                .ranks_of(highest)
                .iter()
                .for_each(|&rank| parts[rank as usize].extend_from_slice(record));
        }
        let mut candidates = Self { vertices: Vec::new(), origin: Vec::new() };
        for record in comm.exchange(&parts).iter().flat_map(|part| part.chunks_exact(stride)) {
            let places: Vec<u32> = record[..width]
                .iter()
                .filter_map(|v| unique.binary_search(v).ok())
                .map(|i| i as u32)
                .collect();
            if places.len() == width {
                candidates.vertices.extend(places);
                candidates.origin.push((record[width], record[width + 1] as u16));
            }
        }
        candidates
    }
}

/// Pairs the facets that found no partner on their own rank. Returns a cell of a crowded facet.
fn meet(comm: &Comm, raw: &RawMesh, first: u64, open: &[u32], neighbours: &mut [u64]) -> Option<u64> {
    if comm.size() == 1 {
        return None;
    }
    let cell_type = raw.cell_type;
    let (nv, nf, width) = (cell_type.vertices(), cell_type.facets(), cell_type.vertices_per_facet());
    let mut parts = vec![Vec::new(); comm.size()];
    for &place in open {
        let (cell, local) = (place as usize / nf, place as usize % nf);
        let mut tuple = [NONE; 4];
        for (t, &v) in tuple.iter_mut().zip(cell_type.facet_vertices(local)) {
            *t = raw.cells[cell * nv + v as usize];
        }
        tuple.sort_unstable();
        let to = block_owner(raw.global_vertices, comm.size(), tuple[width - 1]);
        parts[to].extend(tuple);
        parts[to].push(first * nf as u64 + u64::from(place));
    }
    let arrived = comm.exchange(&parts).concat();
    drop(parts);
    let mut records: Vec<[u64; 5]> =
        arrived.chunks_exact(5).map(|r| [r[0], r[1], r[2], r[3], r[4]]).collect();
    drop(arrived);
    records.sort_unstable();
    let mut crowded = None;
    let mut replies = vec![Vec::new(); comm.size()];
    let owner = |place: u64| block_owner(raw.global_cells, comm.size(), place / nf as u64);
    for group in records.chunk_by(|a, b| a[..4] == b[..4]) {
        match group {
            [_] => {}
            [a, b] => {
                replies[owner(a[4])].extend([a[4], b[4] / nf as u64]);
                replies[owner(b[4])].extend([b[4], a[4] / nf as u64]);
            }
            [a, ..] => crowded = Some(a[4] / nf as u64),
            [] => {}
        }
    }
    for reply in comm.exchange(&replies).iter().flat_map(|part| part.chunks_exact(2)) {
        neighbours[(reply[0] - first * nf as u64) as usize] = reply[1];
    }
    crowded
}

/// Two cells with more than one facet in common are the same cell twice, or folded onto each other.
fn coincidence(raw: &RawMesh, first: u64, neighbours: &[u64], nf: usize) -> Result<()> {
    for (cell, around) in neighbours.chunks_exact(nf).enumerate() {
        for (i, &neighbour) in around.iter().enumerate() {
            if neighbour != NONE && around[..i].contains(&neighbour) {
                let message = format!(
                    "cells {} and {neighbour} have more than one facet in common: the same cell twice? (cells are counted from 0 in the order of the mesh)",
                    first + cell as u64
                );
                return Err(Error::input(&raw.source, message));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_triangles_share_one_edge() {
        let neighbours = local_neighbours(CellType::Triangle, &[0, 1, 3, 0, 3, 2], 4);
        let none = u32::MAX;
        assert_eq!(neighbours, [none, 1, none, none, none, 0]);
    }

    #[test]
    fn sorting_network_sorts() {
        for a in 0..256u32 {
            let v = [a & 3, a >> 2 & 3, a >> 4 & 3, a >> 6];
            let mut expected = v;
            expected.sort_unstable_by(|x, y| y.cmp(x));
            assert_eq!(descending(v), expected);
        }
    }
}
