//! Functions that a user brings: columns of an HDF5 file.
use super::file::read_local;
use super::local_columns;
use crate::fem::Space;
use crate::mixture::{Columns, Gating, Pod};
use crate::storage::File;
use crate::{Error, Result};
use std::path::Path;

/// What is left of a column after projection on those before it, relative to the column, below which it depends on them.
const DEPENDENT: f64 = 1e-10;

/// The functions of each of this rank's experts, at the nodes of [`Gating::support`], from a file: a dataset
/// `[column, node, component]` in the canonical order of nodes, of which each expert takes its parts (those that do not
/// depend on others there), or a group of functions of each expert laid out as `/bases/<field>/experts` of our own files.
/// Values where `essential` holds (this rank's unknowns) are set to zero. Collective.
///
/// # Errors
/// [`Error::Input`] when there is no such dataset, its shape does not fit, a number is not finite, or a column vanishes or
/// depends on those before it.
pub fn read_columns(
    path: &Path,
    place: &str,
    space: &Space,
    essential: &[bool],
    gating: &Gating,
) -> Result<Vec<Columns>> {
    let comm = &space.mesh.comm;
    let file = File::open(comm, path)?;
    let fault = |text: String| Error::input(file.label(), text);
    if !file.exists(place) {
        return Err(fault(format!("there is no {place}")));
    }
    if file.exists(&format!("{place}/modes")) {
        let fixed: Vec<u8> = essential.iter().map(|&fixed| u8::from(fixed)).collect();
        let fixed = gating.restrict(comm, &fixed, space.components);
        let mut found = read_local(&file, place, space, gating, 1)?;
        let checked = found.iter_mut().zip(&fixed).enumerate().try_for_each(|(number, (pod, fixed))| {
            let expert = gating.experts.start as usize + number;
            check_local(&mut pod.modes, fixed)
                .map_err(|what| fault(format!("{place}: expert {expert}: {what}")))
        });
        comm.agree(checked)?;
        file.close()?;
        return Ok(found.into_iter().map(|Pod { modes, .. }| modes).collect());
    }
    let (plan, c) = (space.canonical(), space.components);
    let (shape, wanted) = (file.shape(place)?, [plan.total(), c as u64]);
    if shape.len() != 3 || shape[1..] != wanted || shape[0] == 0 {
        let [nodes, components] = wanted;
        let text = format!(
            "{place} has the shape {shape:?}; expected [columns, {nodes} nodes, {components} components]"
        );
        return Err(fault(text));
    }
    let mut columns = Columns::new(comm, space.owned_dofs());
    let mut basis = columns.clone();
    for number in 0..shape[0] {
        let mut column = file.read_field_at(place, number, &plan)?;
        if comm.min(u8::from(column.iter().all(|v| v.is_finite()))) == 0 {
            return Err(fault(format!("{place}: column {number} holds a number that is not finite")));
        }
        column.iter_mut().zip(essential).filter(|(_, fixed)| **fixed).for_each(|(v, _)| *v = 0.0);
        columns.push(&column);
        add(&mut basis, column).map_err(|what| fault(format!("{place}: column {number} {what}")))?;
    }
    file.close()?;
    parts(&columns, essential, space, gating).map_err(|expert| {
        Error::input(path.display().to_string(), format!("{place}: every column vanishes on expert {expert}"))
    })
}

/// Adds a column to an orthonormal basis; why not, if it does not fit. Collective over the columns.
fn add(basis: &mut Columns, mut column: Vec<f64>) -> std::result::Result<(), &'static str> {
    let mut length = Columns::new(&basis.comm, basis.rows());
    length.push(&column);
    let size = length.lengths()[0];
    if size == 0.0 {
        return Err("vanishes, at least where values are not prescribed");
    }
    column.iter_mut().for_each(|v| *v /= size);
    basis.remove_from(&mut column);
    length.truncate(0);
    length.push(&column);
    let left = length.lengths()[0];
    if left < DEPENDENT {
        return Err("depends on those before it");
    }
    column.iter_mut().for_each(|v| *v /= left);
    basis.push(&column);
    Ok(())
}

/// Clears what is prescribed and checks the functions of an expert. Local.
fn check_local(modes: &mut Columns, fixed: &[u8]) -> std::result::Result<(), String> {
    if modes.count() == 0 && fixed.contains(&0) {
        return Err("it has no column".into());
    }
    let mut basis = local_columns(modes.rows());
    for number in 0..modes.count() {
        let column = modes.column_mut(number);
        column.iter_mut().zip(fixed).filter(|(_, fixed)| **fixed == 1).for_each(|(v, _)| *v = 0.0);
        if !column.iter().all(|v| v.is_finite()) {
            return Err(format!("column {number} holds a number that is not finite"));
        }
        add(&mut basis, column.to_vec()).map_err(|what| format!("column {number} {what}"))?;
    }
    Ok(())
}

/// Each expert's parts of global columns; the number of an expert that has none. Collective.
fn parts(
    columns: &Columns,
    essential: &[bool],
    space: &Space,
    gating: &Gating,
) -> std::result::Result<Vec<Columns>, u32> {
    let (comm, c) = (&columns.comm, space.components);
    let fixed: Vec<u8> = essential.iter().map(|&fixed| u8::from(fixed)).collect();
    let fixed = gating.restrict(comm, &fixed, c);
    let mut found: Vec<Columns> = fixed.iter().map(|part| local_columns(part.len())).collect();
    let mut bases = found.clone();
    for column in columns.iter() {
        for (expert, part) in gating.restrict(comm, column, c).into_iter().enumerate() {
            if add(&mut bases[expert], part.clone()).is_ok() {
                found[expert].push(&part);
            }
        }
    }
    // One whose values are all prescribed needs none.
    let empty =
        found.iter().zip(&fixed).position(|(columns, fixed)| columns.count() == 0 && fixed.contains(&0));
    let number = empty.map_or(u32::MAX, |place| gating.experts.start + place as u32);
    match comm.min(number) {
        u32::MAX => Ok(found),
        expert => Err(expert),
    }
}
