//! `tessera train`: from datasets to a reduced model.
use super::output;
use super::shared::RunOptions;
use super::snapshots::{Snapshots, decomposition, list};
use crate::campaign::{self, Design, covering_samples};
use crate::deck::Deck;
use crate::mixture::{InnerProduct, MatrixProduct};
use crate::parallel::Comm;
use crate::physics::Context;
use crate::report::{Report, Table};
use crate::rom::theta::Inputs;
use crate::rom::{BasisOptions, Offline, ReducedModel, Training, assemble_energy};
use crate::simulation::Simulation;
use crate::storage::{File, ModelFile};
use crate::{Error, Result};
use std::path::PathBuf;

/// Parameters that coefficients are split over, and others that the splitting is checked on.
const SPLIT_SAMPLES: usize = 24;
const CHECK_SAMPLES: usize = 8;
/// Training samples that the errors by number of modes are taken over.
const ERROR_SAMPLES: usize = 4;

/// Trains the reduced model of a deck, or makes the bases of one that has no certified reduced model. Collective.
///
/// # Errors
/// When the datasets do not fit the deck, or its dependence on parameters cannot be split.
pub fn run(comm: &Comm, deck: &Deck, datasets: &[PathBuf], options: &RunOptions) -> Result<()> {
    let report = Report::new(comm, options.level);
    report.banner(&deck.title);
    output::expect_writable(comm, deck, &deck.output.directory.join(&deck.rom.file))?;
    let certified = deck.has_certified_model();
    if certified {
        deck.validate_reduced()?
    } else {
        deck.validate_bases()?
    }
    let mut simulation = super::shared::set_up(comm, deck, &report)?;
    let paths = match datasets {
        [] => campaign::datasets(comm, &deck.output.directory.join(&deck.campaign.file))?,
        given => given.to_vec(),
    };
    if !certified {
        let path = super::bases::write(&mut simulation, &paths, options, &report)?;
        report.finish(&[path]);
        return Ok(());
    }
    expect_held(&mut simulation)?;
    let offline = report
        .phase("training", || Offline::new(&simulation, &training(deck)?))
        .map_err(|error| deck.locate(error))?;
    let path = write(&simulation, &offline, &paths, options, &report)?;
    report.finish(&[path]);
    Ok(())
}

/// Whether a reduced model can be made of the problems: everything is held, and dependences can be split. Collective.
///
/// # Errors
/// With the reason why not.
pub(super) fn expect_reducible(simulation: &mut Simulation) -> Result<()> {
    expect_held(simulation)?;
    let deck = simulation.deck.clone();
    Offline::check(simulation, &training(&deck)?).map_err(|error| deck.locate(error))
}

fn expect_held(simulation: &mut Simulation) -> Result<()> {
    let context = simulation.default_context();
    for stage in &mut simulation.stages {
        if let Some(what) = stage.free_motions(&context)? {
            let name = &stage.problem.name;
            let message = "a reduced model needs it held by a `value` (displacement) or a `foundation`";
            return Err(Error::Failed(format!("physics `{name}`: {what}; {message}")));
        }
    }
    Ok(())
}

/// Trains on datasets and writes the model; its path. Collective.
pub(super) fn write(
    simulation: &Simulation,
    offline: &Offline,
    paths: &[PathBuf],
    options: &RunOptions,
    report: &Report,
) -> Result<PathBuf> {
    let (deck, comm) = (&simulation.deck, &simulation.mesh.comm);
    let snapshots = report.phase("datasets", || Snapshots::open(simulation, paths, report))?;
    let count = snapshots.parameters.len();
    report.line(format!("{count} snapshots from {}", list(paths)));

    let (algorithm, truncation) = decomposition(&deck.rom);
    let basis = BasisOptions { inner_product: deck.rom.inner_product, algorithm, truncation };
    let (model, reports) = report.phase("training", || {
        ReducedModel::from_snapshots(
            simulation,
            offline,
            &snapshots.parameters,
            |p| snapshots.columns(p),
            basis,
        )
    })?;
    for (reduced, found) in model.stages.iter().zip(&reports) {
        let d = &reduced.description;
        report.line(format!(
            "{}: {} matrices, {} loads, {} coupled loads, {} liftings; {} modes, {} residual directions",
            d.name,
            d.matrices.len(),
            d.loads.len(),
            d.coupled.len(),
            d.lifts.len(),
            d.modes,
            reduced.residual.nrows()
        ));
        for split in &found.splits {
            report.detail(format!(
                "  {}: {} terms, relative error {:.1e}",
                split.key, split.terms, split.error
            ));
        }
        let [split, energy, basis, projection] = found.seconds;
        report.detail(format!(
            "  split {split:.2} s, reference energy {energy:.2} s, basis {basis:.2} s, projection {projection:.2} s"
        ));
        if let Err(reason) = &d.coercivity {
            report.warn(format!("{}: {reason}; error estimates are indicators, no bounds", d.name));
        }
    }
    let path = deck.output.directory.join(&deck.rom.file);
    let file = ModelFile::create(comm, &path, &output::provenance(simulation, &options.petsc))?;
    file.set("/", "deck_name", deck.name())?;
    output::write_mesh(&file, simulation)?;
    model.write(&file, simulation)?;
    report.phase("errors", || errors(report, &file, simulation, &model, &snapshots))?;
    let names: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
    file.set("/training", "datasets", names)?;
    file.set("/training", "snapshots", count)?;
    super::uncertainty::write_trained(&file, &snapshots.parameters, &snapshots.draws)?;
    report.write_log(&file)?;
    file.finish()?;
    snapshots.close()?;
    Ok(path)
}

/// The parameters that expansions are found with.
pub(super) fn training(deck: &Deck) -> Result<Training> {
    let reference = deck.default_parameters();
    if !deck.parameters.values().any(|p| p.varies()) {
        return Ok(Training::steady(reference.clone(), vec![reference], Vec::new()));
    }
    Ok(Training::steady(
        reference,
        covering_samples(deck, &Design::Sobol { samples: SPLIT_SAMPLES, seed: 0 })?,
        covering_samples(deck, &Design::LatinHypercube { samples: CHECK_SAMPLES, seed: 1 })?,
    ))
}

/// Prints and stores singular values, estimates and true errors on training samples by number of modes.
fn errors(
    report: &Report,
    file: &File,
    simulation: &Simulation,
    model: &ReducedModel,
    snapshots: &Snapshots,
) -> Result<()> {
    let inputs: Vec<&dyn Inputs> = simulation.stages.iter().map(|s| &*s.problem as &dyn Inputs).collect();
    let count = snapshots.parameters.len();
    let chosen: Vec<usize> = (0..count).step_by(count.div_ceil(ERROR_SAMPLES)).collect();
    let most = model.stages.iter().map(|s| s.description.modes).max().unwrap_or(0);
    for (index, stage) in simulation.stages.iter().enumerate() {
        let problem = &stage.problem;
        let exact = snapshots.columns(problem)?;
        let singular = &model.bases[index].singular_values;
        let mut table =
            Table::new(&["modes", "singular value", "energy left out", "estimate", "error", "effectivity"]);
        let mut rows = Vec::new();
        // The worst estimate, error and effectivity by number of modes.
        let mut worst = vec![(0.0f64, 0.0f64, f64::NAN); model.stages[index].description.modes];
        let mut matrix = problem.new_matrix()?;
        for &sample in &chosen {
            let context = Context::steady(snapshots.parameters[sample].clone());
            assemble_energy(problem, &context, &mut matrix)?;
            let product = MatrixProduct::new(&matrix)?;
            let norm = |values: &[f64]| product.norm(&simulation.mesh.comm, values);
            let size = norm(exact.column(sample))?;
            for (modes, (estimate, error, ratio)) in (1..).zip(&mut worst) {
                // The fields that it reads have all their modes.
                let solutions =
                    model.solve_with(&inputs, &context, |i| if i == index { modes } else { most })?;
                let solution = &solutions[index];
                let mut difference = model.field(index, solution);
                difference.iter_mut().zip(exact.column(sample)).for_each(|(d, u)| *d -= u);
                let e = norm(&difference)?;
                *error = error.max(e / size);
                *estimate = estimate.max(solution.estimate / size);
                *ratio = ratio.max(solution.estimate / e);
            }
        }
        for (modes, (estimate, error, ratio)) in (1..).zip(worst) {
            let total: f64 = singular.iter().map(|s| s * s).sum();
            let left = singular.iter().skip(modes).map(|s| s * s).sum::<f64>() / total;
            let value = singular[modes - 1];
            rows.extend([modes as f64, value, left, estimate, error, ratio]);
            table.row(&[
                modes.to_string(),
                format!("{value:.3e}"),
                format!("{left:.2e}"),
                format!("{estimate:.2e}"),
                format!("{error:.2e}"),
                format!("{ratio:.2}"),
            ]);
        }
        report.line(format!(
            "{}: worst relative energy error over {} training samples",
            problem.name,
            chosen.len()
        ));
        report.table(&table);
        let path = format!("/training/{}", problem.field);
        file.write_array(&path, &[rows.len() as u64 / 6, 6], &rows)?;
        let columns = ["modes", "singular_value", "energy_left_out", "estimate", "error", "effectivity"];
        file.set(&path, "columns", &columns[..])?;
        file.set(&path, "meaning", "worst over training samples, relative to the solution's energy norm")?;
    }
    Ok(())
}
