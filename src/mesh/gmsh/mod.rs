//! Gmsh meshes: read and checked on rank 0, dealt out in equal blocks.
//!
//! What is used of a file: the elements of the highest dimension are the cells; those one dimension
//! lower with a physical group are the marked facets; all else is left aside. A cell has one region,
//! the name of its physical group ("domain" where it has none); a facet may have several markers.
//! Canonical numbers count cells and their nodes in the order of the file, from 0.
mod checks;
mod content;
mod input;
mod kind;
mod parts;
mod read;
mod whole;

use super::cell::CellType;
use super::raw::RawMesh;
use crate::parallel::{Comm, block};
use crate::{Error, Result};
use mpi::traits::*;
use serde::{Deserialize, Serialize};
use std::path::Path;
use whole::Whole;

/// Entries of one message: below the largest count that MPI takes.
const MESSAGE: usize = 1 << 26;

/// What all ranks know of the file.
#[derive(Serialize, Deserialize)]
struct Summary {
    cell: String,
    cells: u64,
    vertices: u64,
    facets: u64,
    regions: Vec<String>,
    markers: Vec<String>,
    notes: Vec<String>,
}

/// This rank's share of the mesh in a file. Collective.
///
/// # Errors
/// [`Error::Input`] naming the line (ASCII) or byte (binary), or the elements and nodes by their tags.
pub(super) fn read(comm: &Comm, path: &Path) -> Result<RawMesh> {
    let name = path.display().to_string();
    let whole = if comm.rank() == 0 {
        Some(read::read(path).and_then(|(content, input)| Whole::new(content, &input)))
    } else {
        None
    };
    let whole = comm.agree(whole.transpose())?;
    let mut bytes = Vec::new();
    if let Some(whole) = &whole {
        let summary = Summary {
            cell: whole.cell_type.name().into(),
            cells: whole.regions.len() as u64,
            vertices: (whole.coordinates.len() / whole.cell_type.dimension()) as u64,
            facets: whole.facet_markers.len() as u64,
            regions: whole.region_names.clone(),
            markers: whole.facet_names.clone(),
            notes: whole.notes.clone(),
        };
        bytes = serde_json::to_vec(&summary).unwrap_or_default();
    }
    comm.broadcast_bytes(0, &mut bytes);
    let damaged = || Error::Failed(format!("{name}: the summary of the mesh did not arrive"));
    let summary: Summary = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
    let cell_type = CellType::from_name(&summary.cell).ok_or_else(damaged)?;

    let mut raw = RawMesh::new(name, cell_type);
    let (vertices, regions, coordinates, facets, markers) = match whole {
        Some(w) => (w.cells, w.regions, w.coordinates, w.facets, w.facet_markers),
        None => Default::default(),
    };
    raw.cells = deal(comm, vertices, summary.cells, cell_type.vertices());
    raw.regions = deal(comm, regions, summary.cells, 1);
    raw.coordinates = deal(comm, coordinates, summary.vertices, cell_type.dimension());
    raw.facets = deal(comm, facets, summary.facets, cell_type.vertices_per_facet());
    raw.facet_markers = deal(comm, markers, summary.facets, 1);
    raw.global_cells = summary.cells;
    raw.global_vertices = summary.vertices;
    raw.region_names = summary.regions;
    raw.facet_names = summary.markers;
    raw.notes = summary.notes;
    Ok(raw)
}

/// Deals out rank 0's `values` (`width` to each of `total` things) in equal blocks.
fn deal<T: Equivalence + Copy + Default>(
    comm: &Comm,
    mut values: Vec<T>,
    total: u64,
    width: usize,
) -> Vec<T> {
    let share = |rank: usize| {
        let share = block(total, comm.size(), rank);
        share.start as usize * width..share.end as usize * width
    };
    let mine = share(comm.rank());
    if comm.rank() == 0 {
        for rank in 1..comm.size() {
            let process = comm.mpi().process_at_rank(rank as i32);
            values[share(rank)].chunks(MESSAGE).for_each(|chunk| process.send(chunk));
        }
        values.truncate(mine.len());
        values.shrink_to_fit();
    } else {
        values = vec![T::default(); mine.len()];
        let root = comm.mpi().process_at_rank(0);
        for chunk in values.chunks_mut(MESSAGE) {
            root.receive_into(chunk);
        }
    }
    values
}
