//! `tessera train` of problems in time and of nonlinear ones: bases of the fields of a campaign.
use super::output;
use super::shared::RunOptions;
use super::snapshots::{Snapshots, decomposition, list};
use crate::deck::Norm;
use crate::fem::Space;
use crate::mixture::Gating;
use crate::mixture::bases::{BASES, Bases, PARTITION};
use crate::physics::Context;
use crate::report::{Report, Table};
use crate::rom::{PodOptions, Trajectories, pod_bases, sampled};
use crate::simulation::{FieldInfo, Simulation};
use crate::storage::{Field, File, ModelFile};
use crate::{Error, Result};
use std::path::PathBuf;

/// Makes the bases of every field of the datasets and writes them; the file's path. Collective.
///
/// # Errors
/// When the datasets do not fit the deck, or no field varies.
pub(super) fn write(
    simulation: &mut Simulation,
    paths: &[PathBuf],
    options: &RunOptions,
    report: &Report,
) -> Result<PathBuf> {
    let snapshots = report.phase("datasets", || Snapshots::open(simulation, paths, report))?;
    if let Some(why) = simulation.deck.why_not_certified().filter(|_| simulation.deck.time.is_none()) {
        report.detail(format!("note       no certified reduced model: {why}"));
    }
    let model = match super::sampled::why_not(simulation, &snapshots)? {
        None => Some(super::sampled::train(simulation, &snapshots, report)?),
        Some(why) => {
            report.line(format!("note       bases without a model that predicts: {why}"));
            None
        }
    };
    let simulation = &*simulation;
    let (deck, comm) = (&simulation.deck, &simulation.mesh.comm);
    let count = snapshots.parameters.len();
    report.line(format!("{count} samples from {}", list(paths)));
    if deck.rom.inner_product != Norm::Mass && deck.says("rom.inner_product") {
        report.warn("rom.inner_product has no effect: bases of problems in time and of nonlinear ones are orthonormal in L2");
    }
    let (algorithm, truncation) = decomposition(&deck.rom);
    let how = PodOptions { algorithm, truncation, windows: deck.rom.windows };
    // The first sample's last moment: which values are prescribed does not depend on it.
    let time = snapshots.times(0)?.last().copied().unwrap_or(0.0);
    let context = Context { time, ..Context::steady(snapshots.parameters[0].clone()) };
    let path = deck.output.directory.join(&deck.rom.file);
    let file = ModelFile::create(comm, &path, &output::provenance(simulation, &options.petsc))?;
    file.set("/", "deck_name", deck.name())?;
    file.write_parameters(&crate::campaign::named(deck, &snapshots.parameters))?;
    output::write_mesh(&file, simulation)?;
    let local = deck.partition.experts.is_some();
    describe(&file, &snapshots, local.then_some(deck.partition.overlap), how)?;
    let mut table =
        Table::new(&["field", "modes", "energy left out", "experts", "modes of an expert", "first value"]);
    let mut found = 0;
    for field in fields(simulation, &snapshots)? {
        let space = space_of(simulation, &field)?;
        let essential = essential(simulation, &field, &space, &context)?;
        let gating = local.then(|| Gating::new(&space, deck.partition.overlap)).transpose()?;
        let plan = space.canonical();
        let mut about = output::describe(simulation, &field, &plan);
        if about.components < space.components {
            about = about
                .meaning("velocity and pressure of a flow in one, with the pressure (Pa) as last component");
            about.component_names.push("pressure".into());
        }
        let about = Field { components: space.components, ..about };
        for window in 0..how.windows.unwrap_or(1) {
            let bases = report.phase("decomposition", || {
                let essential = essential.clone();
                pod_bases(&field.name, &space, essential, gating.as_ref(), (&snapshots, window), how)
            });
            let bases = bases.map_err(|error| deck.locate(error))?;
            if bases.global.modes.count() > 0 {
                table.row(&row(&bases, gating.as_ref(), &space));
                found += 1;
            } else {
                let name = name(&bases);
                report.warn(format!("{name}: the snapshots do not vary: there is no basis of them"));
                if how.windows.is_none() {
                    continue;
                }
            }
            report.phase("file", || bases.write(&file, &about, &space, gating.as_ref()))?;
        }
    }
    if found == 0 {
        return Err(Error::input(
            list(paths),
            "no field varies over samples and steps: there is nothing to train on",
        ));
    }
    report.table(&table);
    // The last samples are held out.
    let held =
        model.as_ref().and_then(|model| model.bounds.as_ref()).map_or(0, |bounds| bounds.samples.len());
    if let Some(super::sampled::Trained { clusters, models, bounds }) = model {
        sampled::dictionary::write(&file, &models, &clusters, &snapshots.parameters)?;
        bounds.map_or(Ok(()), |bounds| bounds.write(&file))?;
    }
    let names: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
    file.create_group("/training")?;
    file.set("/training", "datasets", names)?;
    file.set("/training", "snapshots", count)?;
    let trained = ..count - held;
    super::uncertainty::write_trained(&file, &snapshots.parameters[trained], &snapshots.draws[trained])?;
    report.write_log(&file)?;
    file.finish()?;
    snapshots.close()?;
    Ok(path)
}

/// What the file says of all bases.
fn describe(file: &File, snapshots: &Snapshots, overlap: Option<u32>, how: PodOptions) -> Result<()> {
    file.create_group(BASES)?;
    let what = if how.windows.is_some() { "space and time" } else { "space" };
    let meaning = format!("bases in {what} of the fields of a campaign by proper orthogonal decomposition");
    file.set(BASES, "meaning", meaning)?;
    file.set(BASES, "inner_product", "mass")?;
    file.set(BASES, "tolerance", how.truncation.tolerance)?;
    let mut steps = 0;
    for sample in 0..snapshots.count() {
        steps += snapshots.times(sample)?.len().max(1);
    }
    file.set(BASES, "snapshots", if how.windows.is_some() { snapshots.count() } else { steps })?;
    overlap.map_or(Ok(()), |layers| file.set(PARTITION, "overlap", layers))
}

/// The fields that all datasets have; of a solution the first one stands for all of it.
fn fields(simulation: &Simulation, snapshots: &Snapshots) -> Result<Vec<FieldInfo>> {
    let there = |field: &FieldInfo| {
        field.random.is_none()
            && (!field.is_solution() || is_solution(simulation, field))
            && snapshots.files.iter().all(|file| file.file().fields().contains(&field.name))
    };
    let found: Vec<FieldInfo> = simulation.fields().into_iter().filter(there).collect();
    match found.is_empty() {
        true => Err(Error::Failed("the datasets have no field of the deck in common".into())),
        false => Ok(found),
    }
}

/// The unknowns of a basis: solutions have all of theirs, a pressure among them.
fn space_of(simulation: &Simulation, field: &FieldInfo) -> Result<Space> {
    let space = simulation.stages[field.stage].space();
    space.with_components(if is_solution(simulation, field) { space.components } else { field.components })
}

fn is_solution(simulation: &Simulation, field: &FieldInfo) -> bool {
    simulation.stages[field.stage].problem.field == field.name
}

/// Which of this rank's unknowns are prescribed; none of a derived field's. Collective.
fn essential(
    simulation: &Simulation,
    field: &FieldInfo,
    space: &Space,
    context: &Context,
) -> Result<Vec<bool>> {
    if !is_solution(simulation, field) {
        return Ok(vec![false; space.owned_dofs()]);
    }
    let problem = &simulation.stages[field.stage].problem;
    let essential = space.mesh.comm.agree(problem.essential(context))?;
    Ok(essential.fixed[..space.owned_dofs()].to_vec())
}

fn name(bases: &Bases) -> String {
    bases.window.map_or(bases.field.clone(), |window| format!("{}, window {window}", bases.field))
}

/// A line of the table. Collective.
fn row(bases: &Bases, gating: Option<&Gating>, space: &Space) -> [String; 6] {
    let comm = &space.mesh.comm;
    let (pod, modes) = (&bases.global, bases.global.modes.count());
    let (experts, sizes) = match gating {
        None => ("-".into(), "-".into()),
        Some(gating) => {
            let counts = bases.local.iter().map(|pod| pod.modes.count() as u64);
            let (least, most) = (counts.clone().min().unwrap_or(u64::MAX), counts.clone().max().unwrap_or(0));
            let mean = comm.sum(counts.sum::<u64>()) as f64 / f64::from(gating.global_experts);
            let sizes = format!("{} to {}, mean {mean:.1}", comm.min(least), comm.max(most));
            (gating.global_experts.to_string(), sizes)
        }
    };
    let left = format!("{:.1e}", pod.energy_left(modes));
    let first = format!("{:.3e}", pod.singular_values[0]);
    [name(bases), modes.to_string(), left, experts, sizes, first]
}
