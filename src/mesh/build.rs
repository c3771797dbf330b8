//! From a source to the distributed mesh.
use super::boxes::{self, BoxSource};
use super::distribute::{LocalCells, distribute};
use super::experts::{Graph, to_ghosts};
use super::facets::{FacetMark, dual_graph, local_neighbours};
use super::local::{Facets, Mesh, by_name};
use super::order::{breadth_first, first_use};
use super::partition::{PartitionMethod, PartitionOptions, experts, join_pieces, ranks_of_cells};
use super::pieces::pieces;
use super::raw::{RawMesh, topology};
use super::shapes::check_shapes;
use super::shared::Shared;
use super::{gmsh, hdf5};
use crate::parallel::{Comm, block};
use crate::{Error, Result};
use std::path::PathBuf;

/// Where a mesh comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum MeshSource {
    /// A file: `.msh` (Gmsh) or `.h5` (Tessera).
    File {
        /// Path, relative to the working directory.
        path: PathBuf,
        /// Factor from the file's unit of length to metres.
        scale: f64,
    },
    /// A structured box.
    Box(BoxSource),
}

impl From<BoxSource> for MeshSource {
    fn from(source: BoxSource) -> Self {
        Self::Box(source)
    }
}

/// Partitions are redistributed at most so often to make each rank's cells hang together.
const JOIN_ROUNDS: u32 = 4;

impl Mesh {
    /// Reads or generates a mesh and distributes it. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] for a fault in the source, naming the cells or nodes; the same on all ranks.
    pub fn build(comm: &Comm, source: &MeshSource, options: &PartitionOptions) -> Result<Self> {
        let mut raw = match source {
            MeshSource::Box(source) => comm.agree(boxes::generate(comm, source))?,
            MeshSource::File { path, .. } => match path.extension().and_then(|e| e.to_str()) {
                Some("msh") => gmsh::read(comm, path)?,
                Some("h5") => hdf5::read(comm, path)?,
                _ => {
                    let known = "a mesh file must end in .msh (Gmsh) or .h5 (Tessera)";
                    return Err(Error::input(path.display().to_string(), known));
                }
            },
        };
        if let MeshSource::File { path, scale } = source {
            if !(scale.is_finite() && *scale > 0.0) {
                let message = format!("`scale` is {scale}; it must be a positive number");
                return Err(Error::input(path.display().to_string(), message));
            }
            raw.coordinates.iter_mut().for_each(|x| *x *= scale);
        }
        Self::from_raw(comm, raw, options)
    }

    pub(super) fn from_raw(comm: &Comm, mut raw: RawMesh, options: &PartitionOptions) -> Result<Self> {
        let (size, cell_type) = (comm.size(), raw.cell_type);
        if raw.global_cells < size as u64 {
            let message =
                format!("{} cells cannot be shared by {size} ranks: use fewer ranks", raw.global_cells);
            return Err(Error::input(&raw.source, message));
        }
        let first = block(raw.global_cells, size, comm.rank()).start;
        comm.agree(raw.check(first))?;
        if raw.identified.is_some() {
            let identified = raw.identify(comm);
            comm.agree(identified)?;
            comm.agree(raw.check(first))?;
        }
        let graph = dual_graph(comm, &raw)?;
        let nf = cell_type.facets();
        let mut parts = ranks_of_cells(comm, &raw, &graph.neighbours, options.method)?;
        drop(graph.neighbours);

        let nv = cell_type.vertices();
        let mut rounds = 0;
        let (local, around, inside, cut) = loop {
            let local = distribute(comm, &raw, &graph.marks, &parts)?;
            let owned = local.owned as u32;
            let around = match &local.identified {
                None => local_neighbours(cell_type, &local.cells, local.vertex_ids.len()),
                Some(identified) => {
                    let (vertices, cells) = topology(&local.cells, identified);
                    local_neighbours(cell_type, &cells, vertices.len())
                }
            };
            let own = &around[..local.owned * nf];
            let inside: Vec<u32> = own.iter().map(|&n| if n < owned { n } else { u32::MAX }).collect();
            let cut = own.iter().filter(|&&n| n != u32::MAX && n >= owned).count();
            rounds += 1;
            let again = options.method == PartitionMethod::PtScotch
                && rounds < JOIN_ROUNDS
                && join_pieces(comm, &local, &around, &inside, nf, raw.global_cells, &mut parts);
            if !again {
                break (local, around, inside, cut);
            }
        };
        let RawMesh { source, region_names, facet_names, global_cells, global_vertices, notes, .. } = raw;
        drop((graph.marks, parts));
        comm.agree(check_shapes(&source, cell_type, &local))?;

        // Local order: owned cells by breadth-first search, ghosts by canonical number.
        let owned = local.owned;
        let mut order = breadth_first(&inside, nf);
        let mut place = vec![0u32; owned];
        order.iter().enumerate().for_each(|(new, &old)| place[old as usize] = new as u32);
        let neighbours: Vec<u32> = order
            .iter()
            .flat_map(|&old| &inside[old as usize * nf..(old as usize + 1) * nf])
            .map(|&n| if n == u32::MAX { n } else { place[n as usize] })
            .collect();
        drop(inside);
        let ranks = by_name(&region_names);
        let facets = local_facets(&local, &around, (nf, &ranks), &place, facet_names);
        let (pieces, global_pieces) = pieces(comm, &around, (&local.ids, &local.owners), owned);
        drop(around);
        order.extend(owned as u32..local.ids.len() as u32);

        let mut cells: Vec<u32> = order
            .iter()
            .flat_map(|&old| &local.cells[old as usize * nv..(old as usize + 1) * nv])
            .copied()
            .collect();
        let vertex_place = first_use(&cells, local.vertex_ids.len());
        cells.iter_mut().for_each(|v| *v = vertex_place[*v as usize]);
        let dimension = cell_type.dimension();
        let mut coordinates = vec![0.0; local.coordinates.len()];
        let mut vertex_ids = vec![0; vertex_place.len()];
        let mut vertex_owners = vec![0; vertex_place.len()];
        let mut identified = local.identified.clone();
        for (old, &new) in vertex_place.iter().enumerate() {
            let new = new as usize;
            coordinates[new * dimension..(new + 1) * dimension]
                .copy_from_slice(&local.coordinates[old * dimension..(old + 1) * dimension]);
            vertex_ids[new] = local.vertex_ids[old];
            vertex_owners[new] = local.vertex_owners[old];
            if let (Some(to), Some(from)) = (&mut identified, &local.identified) {
                to[new] = from[old];
            }
        }
        let cell_ids: Vec<u64> = order.iter().map(|&old| local.ids[old as usize]).collect();
        let cell_regions = order.iter().map(|&old| local.regions[old as usize]).collect();
        let cell_pieces = order.iter().map(|&old| pieces[old as usize]).collect();
        let cell_owners: Vec<u32> = order.iter().map(|&old| local.owners[old as usize]).collect();
        drop(local);

        let (own_experts, global_experts) =
            experts(comm, &Graph { neighbours: &neighbours, facets: nf }, options)?;
        let cell_experts = to_ghosts(comm, &cell_ids, &cell_owners, owned, &own_experts);
        Ok(Self {
            comm: comm.clone(),
            source,
            cell_type,
            dimension,
            owned_cells: owned,
            cells,
            cell_ids,
            cell_regions,
            region_names,
            cell_owners,
            coordinates,
            vertex_ids,
            vertex_owners,
            identified,
            facets,
            global_cells,
            global_vertices,
            cell_experts,
            global_experts,
            cell_pieces,
            global_pieces,
            notes,
            cut_facets: cut as u64,
            shared: Shared::default(),
        })
    }
}

/// Boundary and marked facets with local cell numbers; `ranks` gives the order of regions, `around` are the neighbours of local cells, `[cell, facet]`, and
/// `place` gives the new number of owned cells.
fn local_facets(
    local: &LocalCells,
    around: &[u32],
    (nf, ranks): (usize, &[u16]),
    place: &[u32],
    names: Vec<String>,
) -> Facets {
    let (own, ghost) = local.ids.split_at(local.owned);
    let find = |id: u64| match own.binary_search(&id) {
        Ok(i) => Some(i),
        Err(_) => ghost.binary_search(&id).ok().map(|i| local.owned + i),
    };
    let new = |cell: usize| place.get(cell).copied().unwrap_or(cell as u32);
    let entry = |mark: &FacetMark| {
        let cell = find(mark.cell)?;
        let other = around[cell * nf + mark.local as usize];
        let (region, beyond) = (local.regions[cell], local.regions.get(other as usize).copied());
        let outward = match beyond {
            Some(beyond) if beyond != region => ranks[region as usize] < ranks[beyond as usize],
            Some(_) => mark.outward,
            None => true,
        };
        let behind = if other == u32::MAX { other } else { new(other as usize) };
        Some((new(cell), mark.local, mark.marker, behind, outward))
    };
    let mut list: Vec<_> = local.marks.iter().filter_map(entry).collect();
    list.sort_unstable();
    Facets {
        cell: list.iter().map(|f| f.0).collect(),
        local: list.iter().map(|f| f.1).collect(),
        marker: list.iter().map(|f| f.2).collect(),
        behind: list.iter().map(|f| f.3).collect(),
        outward: list.iter().map(|f| f.4).collect(),
        names,
    }
}
