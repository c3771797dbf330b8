//! `tessera predict` with a reduced model whose integrals are sampled: problems in time and nonlinear ones.
use super::clusters;
use super::output;
use super::points::{FILE, PredictOptions, points, warn_outside};
use super::predict_fields::Fields;
use super::uncertainty::sampled::{self, SampledModels};
use super::uncertainty::{self, Ensemble};
use super::verify::Verification;
use crate::campaign::named;
use crate::deck::{ConstraintLevel, Deck};
use crate::format::duration;
use crate::parallel::Comm;
use crate::physics::Context;
use crate::report::{Report, Table};
use crate::rom::Calibration;
use crate::rom::sampled::{Bounds, Dictionary, Prediction, Target};
use crate::storage::{File, ResultFile, Schema, write_xdmf};
use crate::{Error, Result};
use std::path::Path;
use std::time::Instant;

/// What is known of a point.
struct Found {
    /// `[frame][quantity]`.
    quantities: Vec<Vec<f64>>,
    /// Largest relative errors over the frames against the full model, fields then quantities, if it was asked.
    truth: Vec<f64>,
    /// Of the errors, by target of the model; none without calibration.
    bounds: Vec<f64>,
    seconds: f64,
    steps: usize,
    iterations: usize,
    /// Whose model it is of.
    cluster: usize,
}

/// Predicts with the model of a file. Collective.
pub(super) fn run(
    comm: &Comm,
    path: &Path,
    file: File,
    mut deck: Deck,
    options: &PredictOptions,
    report: &Report,
) -> Result<()> {
    if let Some(folder) = &options.output {
        deck.output.directory.clone_from(folder);
    }
    report.banner(&deck.title);
    if options.constraint.unwrap_or(deck.constraint.level) != ConstraintLevel::None {
        report.line("note       predictions of a model with sampled integrals are not repaired: `tessera constrain` takes their file");
    }
    if options.modes.is_some() {
        return Err(Error::input(
            "--modes",
            "the points of a model with sampled integrals belong to all of its modes",
        ));
    }
    let target = deck.output.directory.join(FILE);
    output::expect_writable(comm, &deck, &target)?;
    uncertainty::check(&deck, &options.uncertainty, options.draws().map(|draws| draws.0))?;
    if options.uncertainty.full_solves > 0 {
        let text = "means of models with sampled integrals are corrected by the full runs of a dataset: --dataset FILE";
        return Err(Error::input("--full-solves", text));
    }
    let points = points(comm, &deck, &options.points)?;
    warn_outside(report, &deck, &points);
    let (mut model, bounds) = report.phase("model", || -> Result<_> {
        Ok((Dictionary::read(comm, &file, &deck)?, Bounds::read(&file)?.unwrap_or_default()))
    })?;
    let clusters = model.clusters();
    let several = if clusters > 1 { format!(" of {clusters} clusters") } else { String::new() };
    report.line(format!("{} sampled points in {} cells{several}", model.points(), model.cells()));
    let frames = deck.time.as_ref().map_or(vec![0.0], |time| time.frames(deck.output.frames));
    let needs_fields = model.needs_fields().contains(&true);
    let with_fields = options.writes_fields() || options.truth || options.verify;
    if needs_fields && !with_fields {
        let left: Vec<&str> = deck
            .quantity
            .iter()
            .zip(model.needs_fields())
            .filter(|(_, needs)| **needs)
            .map(|(q, _)| q.name.as_str())
            .collect();
        report.warn(format!(
            "{} follow from fields alone: they are left out without --fields",
            left.join(", ")
        ));
    }
    if needs_fields && options.uncertainty.sobol {
        let text = "some quantities follow from fields alone, of which there are no indices";
        return Err(Error::input("--sobol", text));
    }
    let fits = |target: &Target| target.indicator.is_none_or(|stage| stage < deck.physics.len());
    if !bounds.targets.iter().all(fits) {
        return Err(Error::storage(format!("{}: its bounds do not fit the deck", file.label())));
    }
    let bounds_of = |model: &Dictionary, prediction: &Prediction| bounds.of(&model.indicators(prediction));
    let (mut found, mut truths) = (Vec::new(), Vec::<String>::new());
    let file_of_results = ResultFile::create(comm, &target)?;
    let mut written = vec![target.clone()];
    let mut verification = Verification::default();
    if with_fields {
        let mut fields = Fields::new(comm, path, &file, &deck, clusters)?;
        truths = fields.fields.iter().map(|field| format!("fields/{}", field.name)).collect();
        truths.extend(deck.quantity.iter().map(|q| format!("quantities/{}", q.name)));
        fields.create(&file_of_results, &points, &frames, options, path)?;
        for (number, parameters) in points.iter().enumerate() {
            let context = Context::steady(parameters.clone());
            let start = Instant::now();
            let prediction = report.phase("reduced run", || comm.agree(model.predict(&context, &frames)))?;
            let seconds = start.elapsed().as_secs_f64();
            let mut verifier = fields.verifier(options.verify, &context, &prediction)?;
            let quantities = report.phase("fields", || {
                let place = (number, points.len());
                fields.write(&file_of_results, place, &context, &prediction, &mut verifier)
            })?;
            found.push(of(quantities, &prediction, bounds_of(&model, &prediction), seconds));
            if options.truth {
                let truth = report.phase("full run", || {
                    fields.truth(&context, &prediction, seconds, report, &mut verifier)
                })?;
                found.last_mut().expect("pushed above").truth = truth;
            }
            if let Some(verifier) = verifier {
                let times = prediction.moments.iter().map(|moment| moment.time).collect();
                verification.push(times, verifier.finish());
            }
        }
    } else {
        describe(&file_of_results, &deck, &model, &points, path, options)?;
        let progress = report.progress("predictions", points.len());
        let mut mine: Vec<f64> = Vec::new();
        let mut fault = Ok(());
        for (number, parameters) in points.iter().enumerate() {
            if number % comm.size() != comm.rank() {
                continue;
            }
            let start = Instant::now();
            match model.predict(&Context::steady(parameters.clone()), &frames) {
                Ok(prediction) => {
                    let frames = prediction.moments.iter().filter(|moment| moment.on_frame);
                    let rows = frames.map(|moment| moment.quantities.clone()).collect();
                    let bounds = bounds_of(&model, &prediction);
                    let one = of(rows, &prediction, bounds, start.elapsed().as_secs_f64());
                    mine.extend([
                        number as f64,
                        one.seconds,
                        one.steps as f64,
                        one.iterations as f64,
                        one.cluster as f64,
                    ]);
                    mine.extend(one.quantities.iter().flatten());
                    mine.extend(&one.bounds);
                }
                Err(error) => {
                    fault = Err(Error::Failed(format!("prediction {number}: {error}")));
                    break;
                }
            }
            (0..comm.size()).for_each(|_| progress.advance(""));
        }
        comm.agree(fault)?;
        drop(progress);
        let values = frames.len() * deck.quantity.len();
        let width = 5 + values + bounds.targets.len();
        let all = comm.all_gather_varied(&mine);
        let mut rows: Vec<&[f64]> = all.chunks_exact(width).collect();
        rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
        let of_row = |row: &&[f64]| Found {
            quantities: row[5..5 + values].chunks(deck.quantity.len().max(1)).map(<[f64]>::to_vec).collect(),
            truth: Vec::new(),
            bounds: row[5 + values..].to_vec(),
            seconds: row[1],
            steps: row[2] as usize,
            iterations: row[3] as usize,
            cluster: row[4] as usize,
        };
        found = rows.iter().map(of_row).collect();
    }
    let trained = uncertainty::trained(&file)?;
    file.close()?;
    write_quantities(&file_of_results, &deck, &frames, &found)?;
    write_bounds(&file_of_results, &bounds, &found)?;
    if options.truth {
        write_truths(&file_of_results, &truths, &found)?;
    }
    let chosen: Vec<usize> = found.iter().map(|one| one.cluster).collect();
    clusters::tell(report, &file_of_results, clusters, &chosen)?;
    print(report, &deck, &bounds, &found);
    verification.write(&file_of_results)?;
    verification.print(report);
    if let Some((_, seed)) = options.draws().filter(|draws| draws.0 > 1) {
        let values = found.iter().map(|one| one.quantities.last().map_or(&[][..], Vec::as_slice)).collect();
        let targets = sampled::targets(&deck, &bounds);
        let known =
            |target: &Option<usize>| sampled::known(&bounds, *target, found.iter().map(|f| &f.bounds));
        let known = targets.iter().map(known).collect();
        let ensemble = Ensemble { comm, points: &points, seed, values, bounds: known, trained };
        let (model, bounds) = (&mut model, &bounds);
        let frames = &frames[..];
        let mut models = SampledModels { comm, model, bounds, frames, targets };
        uncertainty::run(report, &file_of_results, &deck, &ensemble, &options.uncertainty, &mut models)?;
    }
    report.write_log(&file_of_results)?;
    file_of_results.finish()?;
    if deck.output.xdmf && with_fields {
        written.extend(write_xdmf(comm, &target)?);
    }
    report.finish(&written);
    Ok(())
}

fn of(quantities: Vec<Vec<f64>>, prediction: &Prediction, bounds: Vec<f64>, seconds: f64) -> Found {
    let (steps, iterations) = (prediction.moments.len() - 1, prediction.iterations);
    Found { quantities, truth: Vec::new(), bounds, seconds, steps, iterations, cluster: prediction.cluster }
}

/// Errors of all predictions against the full model. Collective.
fn write_truths(file: &ResultFile, names: &[String], found: &[Found]) -> Result<()> {
    for (k, name) in names.iter().enumerate() {
        let path = format!("/truth/{name}");
        let values: Vec<f64> = found.iter().map(|one| one.truth[k]).collect();
        file.write_array(&path, &[values.len() as u64], &values)?;
        let meaning = "error against the full model at the same steps, largest over the frames (fields: of nodal values), over \
                       the largest of these of the full model";
        file.set(&path, "meaning", meaning)?;
    }
    Ok(())
}

/// Bounds of all predictions. Collective.
fn write_bounds(file: &ResultFile, bounds: &Bounds, found: &[Found]) -> Result<()> {
    for (k, target) in bounds.targets.iter().enumerate() {
        let kind = if target.field { "fields" } else { "quantities" };
        let path = format!("/estimate/{kind}/{}", target.name);
        let values: Vec<f64> = found.iter().map(|one| one.bounds[k]).collect();
        file.write_array(&path, &[values.len() as u64], &values)?;
        let of = if target.field {
            "relative to the field's largest norm over time, of nodal values"
        } else {
            "in its unit"
        };
        let Calibration { level, samples, .. } = target.calibration;
        let meaning = format!(
            "bound of the largest error over time, {of}, that holds with a probability of {level} over the training's design, \
             calibrated on {samples} held-out samples; not proven"
        );
        file.set(&path, "meaning", meaning)?;
    }
    Ok(())
}

/// What stands in a file of predictions without fields. Collective.
fn describe(
    file: &ResultFile,
    deck: &Deck,
    model: &Dictionary,
    points: &[Vec<f64>],
    path: &Path,
    options: &PredictOptions,
) -> Result<()> {
    file.describe(Schema::Run, &output::provenance(model.simulation(), &options.run.petsc))?;
    file.set("/", "model", path.display().to_string())?;
    file.write_parameters(&named(deck, points))?;
    file.write_times(&(0..points.len()).map(|i| i as f64).collect::<Vec<_>>())?;
    file.set("/time", "meaning", "number of the prediction")?;
    file.set("/time", "unit", "1")
}

/// The quantities of all predictions: at the end, and at the frames. Collective.
fn write_quantities(file: &ResultFile, deck: &Deck, frames: &[f64], found: &[Found]) -> Result<()> {
    let in_time = deck.time.is_some();
    if in_time && !deck.quantity.is_empty() {
        file.create_group("/history")?;
        file.write_array("/history/time", &[frames.len() as u64], frames)?;
        file.set("/history/time", "unit", "s")?;
    }
    for (i, quantity) in deck.quantity.iter().enumerate() {
        let ends: Vec<f64> = found.iter().filter_map(|one| one.quantities.last()).map(|row| row[i]).collect();
        file.write_quantity(&quantity.name, "", "predicted, at the end", &ends)?;
        if in_time {
            let path = format!("/history/{}", quantity.name);
            let values: Vec<f64> =
                found.iter().flat_map(|one| one.quantities.iter().map(|row| row[i])).collect();
            file.write_array(&path, &[found.len() as u64, frames.len() as u64], &values)?;
            file.set(&path, "meaning", "predicted, [prediction, frame]; times are those of /history/time")?;
        }
    }
    Ok(())
}

fn print(report: &Report, deck: &Deck, bounds: &Bounds, found: &[Found]) {
    let worst = |name: &str, field: bool| {
        let place = bounds.targets.iter().position(|target| target.name == name && target.field == field)?;
        found.iter().map(|one| one.bounds[place]).reduce(f64::max)
    };
    let words = |bound: Option<f64>| bound.map_or("-".into(), |bound| format!("{bound:.1e}"));
    let mut table = Table::new(&["quantity", "least", "mean", "largest", "error at most"]);
    for (i, quantity) in deck.quantity.iter().enumerate() {
        let ends: Vec<f64> = found.iter().filter_map(|one| one.quantities.last()).map(|row| row[i]).collect();
        let mean = ends.iter().sum::<f64>() / ends.len().max(1) as f64;
        let least = ends.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = ends.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        table.row(&[
            quantity.name.clone(),
            format!("{least:.6e}"),
            format!("{mean:.6e}"),
            format!("{largest:.6e}"),
            words(worst(&quantity.name, false)),
        ]);
    }
    if !deck.quantity.is_empty() {
        report.line("quantities of interest at the end; errors over all steps");
        report.table(&table);
    }
    let fields = bounds.targets.iter().filter(|target| target.field);
    let list: Vec<String> =
        fields.map(|target| format!("{} {}", target.name, words(worst(&target.name, true)))).collect();
    if let Some(target) = bounds.targets.first() {
        report.line(format!("relative errors of fields at most: {}", list.join(", ")));
        let Calibration { level, samples, .. } = target.calibration;
        report.line(format!(
            "bounds hold with a probability of {level} over the design's distribution, calibrated on {samples} held-out samples; \
             they are not proven"
        ));
    }
    let seconds: f64 = found.iter().map(|one| one.seconds).sum();
    let steps: usize = found.iter().map(|one| one.steps).sum();
    let iterations: usize = found.iter().map(|one| one.iterations).sum();
    let count = found.len().max(1) as f64;
    report.line(format!(
        "reduced run {} on one core, {:.0} steps, {:.1} Newton iterations each (means)",
        duration(seconds / count),
        steps as f64 / count,
        iterations as f64 / steps.max(1) as f64
    ));
}
