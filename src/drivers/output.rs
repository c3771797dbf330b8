//! What every file of a simulation has: where it comes from, the mesh, the spaces, fields.
use crate::Result;
pub use crate::campaign::{describe, wanted};
use crate::deck::Deck;
use crate::parallel::{Comm, Redistribution};
use crate::physics::Context;
use crate::simulation::Simulation;
use crate::storage::{File, Provenance, ResultFile, Samples, Schema, obstacle, write_xdmf};
use std::path::{Path, PathBuf};

/// Finds out whether a file of a deck's can be written, before anything takes time. Collective.
///
/// # Errors
/// [`Error::Input`](crate::Error::Input) that says why not.
pub fn expect_writable(comm: &Comm, deck: &Deck, path: &Path) -> Result<()> {
    let obstacle = if comm.rank() == 0 { obstacle(path) } else { None };
    comm.agree(obstacle.map_or(Ok(()), |why| Err(deck.fault("output.directory", why))))
}

/// Where a file of this simulation comes from.
pub fn provenance(simulation: &Simulation, petsc_options: &[String]) -> Provenance {
    let (major, minor, patch) = petsc_rs::Petsc::version();
    Provenance {
        title: simulation.deck.title.clone(),
        deck: simulation.deck.to_toml(),
        experts: simulation.mesh.global_experts.into(),
        petsc_version: format!("{major}.{minor}.{patch}"),
        petsc_options: petsc_options.join(" "),
    }
}

/// Parameters of one run, one row.
pub fn parameters(deck: &Deck, context: &Context) -> Samples {
    Samples {
        count: 1,
        names: deck.parameters.keys().cloned().collect(),
        units: deck.parameters.values().map(|p| p.unit.clone()).collect(),
        values: context.parameters.clone(),
    }
}

/// What stands in the file of a run before its results: where it comes from, parameters, mesh. Collective.
///
/// # Errors
/// [`Error::Storage`](crate::Error::Storage) when HDF5 or the file system refuses.
pub fn write_header(
    file: &File,
    schema: Schema,
    simulation: &Simulation,
    context: &Context,
    petsc_options: &[String],
) -> Result<()> {
    file.describe(schema, &provenance(simulation, petsc_options))?;
    file.write_parameters(&parameters(&simulation.deck, context))?;
    write_mesh(file, simulation)
}

/// Writes the quantities of interest, `values[time][quantity]`. Collective.
///
/// # Errors
/// [`Error::Storage`](crate::Error::Storage) when HDF5 or the file system refuses.
pub fn write_quantities(file: &File, simulation: &Simulation, values: &[Vec<f64>]) -> Result<()> {
    for (q, quantity) in simulation.deck.quantity.iter().enumerate() {
        let column: Vec<f64> = values.iter().map(|row| row[q]).collect();
        let unit = simulation.quantity_unit(quantity);
        file.write_quantity(&quantity.name, &unit, &simulation.quantity_meaning(quantity), &column)?;
    }
    Ok(())
}

/// Writes the mesh, the nodes of spaces of degree 2, and the partition. Collective.
///
/// # Errors
/// [`Error::Storage`](crate::Error::Storage) when HDF5 or the file system refuses.
pub fn write_mesh(file: &File, simulation: &Simulation) -> Result<()> {
    let mesh = &simulation.mesh;
    mesh.write(file)?;
    let cells = mesh.cell_redistribution();
    file.write_partition(&cells, &mesh.cell_experts[..mesh.owned_cells])?;
    simulation.stages.iter().try_for_each(|stage| stage.space().write(file))
}

/// Writes the present state to a file: fields, quantities of interest, and `more`. Returns the files written. Collective.
///
/// # Errors
/// [`Error::Storage`](crate::Error::Storage) when the disk is full.
pub fn write_state(
    path: &Path,
    simulation: &Simulation,
    context: &Context,
    quantities: Vec<f64>,
    petsc_options: &[String],
    more: impl FnOnce(&File) -> Result<()>,
) -> Result<Vec<PathBuf>> {
    let comm = &simulation.mesh.comm;
    let file = ResultFile::create(comm, path)?;
    write_header(&file, Schema::Run, simulation, context, petsc_options)?;
    file.write_times(&[context.time])?;
    save_fields(&file, simulation, context)?;
    write_quantities(&file, simulation, &[quantities])?;
    more(&file)?;
    file.finish()?;
    let mut written = vec![path.to_path_buf()];
    if simulation.deck.output.xdmf {
        written.extend(write_xdmf(comm, path)?);
    }
    Ok(written)
}

/// Computes the wanted fields from the present solutions and writes them as one step. Collective.
fn save_fields(file: &File, simulation: &Simulation, context: &Context) -> Result<()> {
    let fields = wanted(simulation)?;
    let plans: Vec<Redistribution> = simulation.stages.iter().map(|s| s.space().canonical()).collect();
    for field in &fields {
        let plan = &plans[field.stage];
        let values = simulation.field_values(field, context)?;
        file.save_field(&describe(simulation, field, plan), plan, &values.read()?)?;
    }
    Ok(())
}
