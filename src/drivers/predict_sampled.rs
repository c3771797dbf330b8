//! `tessera predict` with a reduced model whose integrals are sampled: problems in time and nonlinear ones.
use super::clusters;
use super::correct::Corrections;
use super::output;
use super::points::{FILE, PredictOptions, contexts, points, warn_outside};
use super::predict_fields::Fields;
use super::predict_results::{
    Found, describe, print, write_bounds, write_corrected, write_quantities, write_truths,
};
use super::uncertainty::sampled::{self, SampledModels};
use super::uncertainty::{self, Ensemble};
use super::verify::Verification;
use crate::deck::{ConstraintLevel, Deck};
use crate::parallel::Comm;
use crate::physics::Context;
use crate::report::Report;
use crate::rom::sampled::{Bounds, Dictionary, Prediction, Target};
use crate::simulation::step_control;
use crate::storage::{File, ResultFile, write_xdmf};
use crate::{Error, Result};
use std::path::Path;
use std::time::Instant;

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
    options.end.map_or(Ok(()), |end| until(&mut deck, end))?;
    let points = points(comm, &deck, &options.points)?;
    let contexts = contexts(&points, &options.points);
    warn_outside(report, &deck, &points);
    let (mut model, bounds) = report.phase("model", || -> Result<_> {
        // Errors were measured until the end of the training.
        let bounds = options.end.map_or_else(|| Bounds::read(&file), |_| Ok(None))?;
        Ok((Dictionary::read(comm, &file, &deck)?, bounds.unwrap_or_default()))
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
    let corrections = |accept| Corrections::new(accept, path, &deck, &model);
    let mut corrections = options.accept.map(corrections).transpose()?;
    let (mut found, mut truths) = (Vec::new(), Vec::<String>::new());
    let file_of_results = ResultFile::create(comm, &target)?;
    let mut written = vec![target.clone()];
    let mut verification = Verification::default();
    if with_fields {
        let mut fields = Fields::new(comm, path, &file, &deck, clusters)?;
        truths = fields.fields.iter().map(|field| format!("fields/{}", field.name)).collect();
        truths.extend(deck.quantity.iter().map(|q| format!("quantities/{}", q.name)));
        fields.create(&file_of_results, &points, &frames, options, path)?;
        for (number, context) in contexts.iter().enumerate() {
            let start = Instant::now();
            let prediction = report.phase("reduced run", || comm.agree(model.predict(context, &frames)));
            let seconds = start.elapsed().as_secs_f64();
            // Alike on all ranks.
            let refused = |own: &&mut Corrections| comm.max(u8::from(own.refuses(&model, &prediction))) == 1;
            if let Some(corrections) = corrections.as_mut().filter(refused) {
                let room = Some((&file_of_results, (number, points.len())));
                let bounds = prediction.map_or_else(|_| bounds.unknown(), |found| bounds_of(&model, &found));
                let one = report
                    .phase("corrections", || corrected(corrections, &mut fields, room, (context, &frames)))?;
                found.push(Found { bounds, ..one });
                continue;
            }
            let prediction = prediction?;
            let mut verifier = fields.verifier(options.verify, context, &prediction)?;
            let quantities = report.phase("fields", || {
                let place = (number, points.len());
                fields.write(&file_of_results, place, context, &prediction, &mut verifier)
            })?;
            found.push(of(quantities, &prediction, bounds_of(&model, &prediction), seconds));
            if options.truth {
                let truth = report.phase("full run", || {
                    fields.truth(context, &prediction, seconds, report, &mut verifier)
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
        for (number, context) in contexts.iter().enumerate() {
            if number % comm.size() != comm.rank() {
                continue;
            }
            let start = Instant::now();
            let prediction = model.predict(context, &frames);
            let refused = corrections.as_ref().is_some_and(|own| own.refuses(&model, &prediction));
            let one = match prediction {
                Ok(prediction) => {
                    let frames = prediction.moments.iter().filter(|moment| moment.on_frame);
                    let rows = frames.map(|moment| moment.quantities.clone()).collect();
                    let bounds = bounds_of(&model, &prediction);
                    of(rows, &prediction, bounds, start.elapsed().as_secs_f64())
                }
                Err(_) if refused => {
                    let rows = vec![vec![f64::NAN; deck.quantity.len()]; frames.len()];
                    of(rows, &Prediction::default(), bounds.unknown(), start.elapsed().as_secs_f64())
                }
                Err(error) => {
                    fault = Err(Error::Failed(format!("prediction {number}: {error}")));
                    break;
                }
            };
            let [steps, iterations, cluster] = [one.steps, one.iterations, one.cluster].map(|n| n as f64);
            mine.extend([
                number as f64,
                one.seconds,
                steps,
                iterations,
                cluster,
                f64::from(u8::from(refused)),
            ]);
            mine.extend(one.quantities.iter().flatten());
            mine.extend(&one.bounds);
            (0..comm.size()).for_each(|_| progress.advance(""));
        }
        comm.agree(fault)?;
        drop(progress);
        let values = frames.len() * deck.quantity.len();
        let width = 6 + values + bounds.targets.len();
        let all = comm.all_gather_varied(&mine);
        let mut rows: Vec<&[f64]> = all.chunks_exact(width).collect();
        rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
        let of_row = |row: &&[f64]| Found {
            quantities: row[6..6 + values].chunks(deck.quantity.len().max(1)).map(<[f64]>::to_vec).collect(),
            truth: Vec::new(),
            bounds: row[6 + values..].to_vec(),
            seconds: row[1],
            steps: row[2] as usize,
            iterations: row[3] as usize,
            cluster: row[4] as usize,
            corrected: row[5] == 1.0,
        };
        found = rows.iter().map(of_row).collect();
        if let Some(corrections) = corrections.as_mut().filter(|_| found.iter().any(|one| one.corrected)) {
            let mut fields = Fields::new(comm, path, &file, &deck, clusters)?;
            for (one, context) in found.iter_mut().zip(&contexts).filter(|(one, _)| one.corrected) {
                let at = (context, &frames[..]);
                let run = report.phase("corrections", || corrected(corrections, &mut fields, None, at))?;
                *one = Found { bounds: std::mem::take(&mut one.bounds), ..run };
            }
        }
    }
    let trained = uncertainty::trained(&file)?;
    file.close()?;
    write_quantities(&file_of_results, model.simulation(), &frames, &found)?;
    write_bounds(&file_of_results, model.simulation(), &bounds, &found)?;
    if options.truth {
        write_truths(&file_of_results, &truths, &found)?;
    }
    if let Some(corrections) = &corrections {
        write_corrected(&file_of_results, corrections.accept(), &found)?;
        corrections.print(report, found.len());
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

/// Sets another end, with frames as dense and steps as long as before.
fn until(deck: &mut Deck, end: f64) -> Result<()> {
    let fault = |text: String| Err(Error::input("--end", text));
    let Some(time) = deck.time.as_mut() else {
        return fault("the model is of a steady problem".into());
    };
    if !(end > time.start && end.is_finite()) {
        return fault(format!("expected a time after the start {} s, found {end}", time.start));
    }
    let share = (end - time.start) / (time.end - time.start);
    deck.output.frames = ((deck.output.frames as f64 * share).round() as usize).max(1);
    time.longest = Some(step_control(time).longest);
    time.stops.retain(|&stop| stop <= end);
    time.end = end;
    Ok(())
}

fn of(quantities: Vec<Vec<f64>>, prediction: &Prediction, bounds: Vec<f64>, seconds: f64) -> Found {
    let (steps, iterations) = (prediction.moments.len().saturating_sub(1), prediction.iterations);
    let cluster = prediction.cluster;
    Found { quantities, truth: Vec::new(), bounds, seconds, steps, iterations, cluster, corrected: false }
}

/// A run of the full model in the place of a prediction. Collective.
fn corrected(
    corrections: &mut Corrections,
    fields: &mut Fields,
    room: Option<(&ResultFile, (usize, usize))>,
    at: (&Context, &[f64]),
) -> Result<Found> {
    let start = Instant::now();
    let (quantities, steps) = corrections.run(fields, room, at)?;
    let seconds = start.elapsed().as_secs_f64();
    let (truth, bounds) = (Vec::new(), Vec::new());
    Ok(Found { quantities, truth, bounds, seconds, steps, iterations: 0, cluster: 0, corrected: true })
}
