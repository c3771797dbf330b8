//! Coefficients from HDF5 files in canonical order.
use super::coefficient::{NodalField, Source};
use crate::fem::Space;
use crate::mesh::Mesh;
use crate::parallel::Redistribution;
use crate::storage::File;
use crate::{Error, Result};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

/// Reads a scalar dataset with one value a cell or one a vertex, in the canonical order of the mesh:
/// `[entity]`, `[entity, 1]`, or `[step, entity, 1]`, of which the last step counts. Collective.
///
/// # Errors
/// [`Error::Input`] when the dataset is missing, its length fits neither cells nor vertices, or a value
/// is not finite, or not positive where it must be.
pub fn read(mesh: &Rc<Mesh>, path: &Path, dataset: &str, positive: bool) -> Result<Source> {
    let comm = &mesh.comm;
    let file = File::open(comm, path)?;
    let fault = |message: String| Error::input(path.display().to_string(), message);
    if !file.exists(dataset) {
        return Err(fault(format!("there is no dataset \"{dataset}\"")));
    }
    let shape = file.shape(dataset)?;
    let (count, stepped) = match shape[..] {
        [count] | [count, 1] => (count, None),
        [steps, count, 1] if steps > 0 => (count, Some(steps - 1)),
        _ => (0, None),
    };
    let by_cell = count == mesh.global_cells;
    if !by_cell && count != mesh.global_vertices {
        return Err(fault(format!(
            "{dataset} has the shape {shape:?}; expected one value for each of the {} cells or {} vertices of {}",
            mesh.global_cells, mesh.global_vertices, mesh.source
        )));
    }
    let space = if by_cell { None } else { Some(Rc::new(Space::new(mesh.clone(), 1, 1)?)) };
    let ids: &[u64] = space.as_ref().map_or(&mesh.cell_ids, |space| &space.node_ids);
    let plan = Redistribution::new(comm, ids, count);
    let block: Vec<f64> = match stepped {
        Some(step) => file.read_step(dataset, step, plan.range())?,
        None => file.read_rows(dataset, plan.range())?,
    };
    let good = |value: &f64| value.is_finite() && (!positive || *value > 0.0);
    comm.agree(match block.iter().position(|value| !good(value)) {
        Some(i) => {
            let wanted = if positive { "positive numbers" } else { "finite numbers" };
            Err(fault(format!(
                "{dataset} holds {} at {}; expected {wanted}",
                block[i],
                plan.range().start + i as u64
            )))
        }
        None => Ok(()),
    })?;
    let values = plan.from_canonical(&block, 1);
    file.close()?;
    Ok(match space {
        Some(space) => Source::Nodal(Rc::new(NodalField { space, values: RefCell::new(values) })),
        None => Source::Cellwise(Rc::new(values)),
    })
}
