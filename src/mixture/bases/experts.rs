//! The experts of a file, whatever ranks made it.
use super::PARTITION;
use super::rows::Rows;
use crate::fem::Space;
use crate::mixture::Gating;
use crate::parallel::{Redistribution, block};
use crate::storage::{File, Value};
use crate::{Error, Result};

/// The cells' experts in files.
const CELLS: &str = "/partition/expert";

/// Writes the experts of a space to a group: their nodes, and the values of their gating functions. Collective.
///
/// # Errors
/// [`Error::Storage`] when HDF5 or the file system refuses.
pub fn write_experts(file: &File, group: &str, space: &Space, gating: &Gating) -> Result<()> {
    Rows::new(space, gating).write(file, group, gating)?;
    file.set(PARTITION, "overlap", gating.layers)
}

/// The experts of a file (of bases, or of points for them), on any number of ranks; none when it says of none. They lie on the
/// ranks of their cells where the mesh is divided as it was then, and in equal shares otherwise. Collective.
///
/// # Errors
/// [`Error::Input`] when the file's experts are not those of this mesh.
pub fn experts(file: &File, space: &Space) -> Result<Option<Gating>> {
    let (mesh, comm) = (&space.mesh, &space.mesh.comm);
    let layers = match file.get(PARTITION, "overlap")? {
        Some(Value::Integer(layers @ 1..)) => layers as u32,
        _ => return Ok(None),
    };
    if file.shape(CELLS)? != [mesh.global_cells] {
        let text = format!("{CELLS} has the experts of another mesh");
        return Err(Error::input(file.label(), text));
    }
    let plan = Redistribution::new(comm, &mesh.cell_ids, mesh.global_cells);
    let cells = plan.from_canonical(&file.read_rows::<u32>(CELLS, plan.range())?, 1);
    if comm.min(u8::from(cells == mesh.cell_experts)) == 1 {
        return Gating::new(space, layers).map(Some);
    }
    let total = u64::from(comm.max(cells.iter().max().map_or(0, |&expert| expert + 1)));
    let ends: Vec<u32> = (0..comm.size()).map(|rank| block(total, comm.size(), rank).end as u32).collect();
    Gating::with_experts(space, layers, &cells, &ends).map(Some)
}
