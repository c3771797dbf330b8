//! `tessera predict` with a reduced model whose integrals are sampled: problems in time and nonlinear ones.
use super::output;
use super::points::{FILE, PredictOptions, points, warn_outside};
use super::uncertainty::sampled::{self, SampledModels};
use super::uncertainty::{self, Ensemble};
use super::verify::Verification;
use crate::campaign::named;
use crate::deck::{ConstraintLevel, Deck};
use crate::format::duration;
use crate::mesh::{Mesh, MeshSource};
use crate::mixture::Columns;
use crate::parallel::Comm;
use crate::physics::Context;
use crate::report::{Report, Table};
use crate::rom::Calibration;
use crate::rom::sampled::verify::Verifier;
use crate::rom::sampled::{
    Bounds, Combined, Observation, Prediction, SampledModel, Target, Visit, Visited, file, replay,
};
use crate::simulation::{Evolution, FieldInfo, Simulation};
use crate::storage::{File, ResultFile, Schema, write_xdmf};
use crate::{Error, Result};
use std::path::Path;
use std::rc::Rc;
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
    let names: Vec<&str> = deck.physics.iter().map(|physics| physics.name()).collect();
    let (mut model, observations, bounds) = report.phase("model", || -> Result<_> {
        let (part, data) = file::read(&file, &names)?;
        let functions: Vec<usize> = data.iter().map(|data| data.functions()).collect();
        let observations = Observation::read(&file, deck.quantity.len(), &functions)?;
        let bounds = Bounds::read(&file)?.unwrap_or_default();
        let mut model = comm.agree(SampledModel::new(&deck, &part, &data))?;
        model.observe(observations.clone());
        Ok((model, observations, bounds))
    })?;
    let count: usize = model.problems.iter().map(|problem| problem.points()).sum();
    report.line(format!("{} sampled points in {} cells", count, model.cells()));
    let frames = deck.time.as_ref().map_or(vec![0.0], |time| time.frames(deck.output.frames));
    let needs_fields = observations.iter().any(|o| o.needs_fields());
    let with_fields = options.writes_fields() || options.truth || options.verify;
    if needs_fields && !with_fields {
        let left: Vec<&str> = deck
            .quantity
            .iter()
            .zip(&observations)
            .filter(|(_, o)| o.needs_fields())
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
    let bounds_of =
        |model: &SampledModel, prediction: &Prediction| bounds.of(&model.indicators(&prediction.moments));
    let (mut found, mut truths) = (Vec::new(), Vec::<String>::new());
    let file_of_results = ResultFile::create(comm, &target)?;
    let mut written = vec![target.clone()];
    let mut verification = Verification::default();
    if with_fields {
        let mut fields = Fields::new(comm, path, &file, &deck)?;
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
                    mine.extend([number as f64, one.seconds, one.steps as f64, one.iterations as f64]);
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
        let values = frames.len() * observations.len();
        let width = 4 + values + bounds.targets.len();
        let all = comm.all_gather_varied(&mine);
        let mut rows: Vec<&[f64]> = all.chunks_exact(width).collect();
        rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
        let of_row = |row: &&[f64]| Found {
            quantities: row[4..4 + values].chunks(observations.len().max(1)).map(<[f64]>::to_vec).collect(),
            truth: Vec::new(),
            bounds: row[4 + values..].to_vec(),
            seconds: row[1],
            steps: row[2] as usize,
            iterations: row[3] as usize,
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
    Found { quantities, truth: Vec::new(), bounds, seconds, steps, iterations }
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
    model: &SampledModel,
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

/// The whole mesh, on which predictions become fields.
struct Fields {
    simulation: Simulation,
    functions: Vec<Columns>,
    fields: Vec<FieldInfo>,
}

impl Fields {
    fn new(comm: &Comm, path: &Path, file: &File, deck: &Deck) -> Result<Self> {
        let source = MeshSource::File { path: path.to_path_buf(), scale: 1.0 };
        let mesh = Mesh::build(comm, &source, &deck.partition_options())?;
        let simulation = Simulation::on_mesh(deck, Rc::new(mesh))?;
        let fields = output::wanted(&simulation)?;
        let functions = simulation
            .stages
            .iter()
            .map(|stage| file::functions(file, &stage.problem))
            .collect::<Result<_>>()?;
        Ok(Self { simulation, functions, fields })
    }

    /// What judges a prediction by its residuals, if it is asked for. Collective.
    fn verifier(
        &mut self,
        asked: bool,
        context: &Context,
        prediction: &Prediction,
    ) -> Result<Option<Verifier>> {
        let Self { simulation, functions, .. } = self;
        let trajectory = Trajectory::of(functions, prediction);
        let verifier = asked.then(|| Verifier::new(simulation, &trajectory.path(functions), context));
        verifier.transpose()
    }

    /// Room for the fields: all frames of one prediction, the ends of several. Collective.
    fn create(
        &self,
        file: &ResultFile,
        points: &[Vec<f64>],
        frames: &[f64],
        options: &PredictOptions,
        path: &Path,
    ) -> Result<()> {
        let simulation = &self.simulation;
        file.describe(Schema::Run, &output::provenance(simulation, &options.run.petsc))?;
        file.set("/", "model", path.display().to_string())?;
        file.write_parameters(&named(&simulation.deck, points))?;
        output::write_mesh(file, simulation)?;
        let rows = if points.len() == 1 {
            file.write_times(frames)?;
            frames.len()
        } else {
            file.write_times(&(0..points.len()).map(|i| i as f64).collect::<Vec<_>>())?;
            file.set("/time", "meaning", "number of the prediction")?;
            file.set("/time", "unit", "1")?;
            points.len()
        };
        for field in &self.fields {
            let plan = simulation.stages[field.stage].space().canonical();
            file.create_field(&output::describe(simulation, field, &plan), rows as u64)?;
        }
        Ok(())
    }

    /// Follows a prediction on the whole mesh and writes its fields; its quantities at the frames. Collective.
    fn write(
        &mut self,
        file: &ResultFile,
        (number, count): (usize, usize),
        context: &Context,
        prediction: &Prediction,
        verifier: &mut Option<Verifier>,
    ) -> Result<Vec<Vec<f64>>> {
        let Self { simulation, functions, fields } = self;
        let (mut quantities, mut frame) = (Vec::new(), 0);
        let frames = prediction.moments.iter().filter(|moment| moment.on_frame).count();
        let mut reached = |simulation: &Simulation, context: &Context, moment: usize| -> Result<()> {
            if !prediction.moments[moment].on_frame {
                return Ok(());
            }
            quantities.push(simulation.quantities(context)?);
            frame += 1;
            let row = match count {
                1 => frame - 1,
                _ if frame == frames => number,
                _ => return Ok(()),
            };
            for field in fields.iter() {
                let plan = simulation.stages[field.stage].space().canonical();
                let values = simulation.field_values(field, context)?;
                file.write_field(&field.name, row as u64, &plan, &values.read()?)?;
            }
            Ok(())
        };
        let mut visit =
            |visited: Visited| verifier.as_mut().map_or(Ok(()), |verifier| verifier.visit(&visited));
        follow(simulation, functions, context, prediction, &mut visit, &mut reached)?;
        Ok(quantities)
    }

    /// Runs the full model at the same steps and says how far away it is. Collective.
    fn truth(
        &mut self,
        context: &Context,
        prediction: &Prediction,
        seconds: f64,
        report: &Report,
        verifier: &mut Option<Verifier>,
    ) -> Result<Vec<f64>> {
        let Self { simulation, functions, fields } = self;
        let comm = simulation.mesh.comm.clone();
        // The predicted fields at all moments that are frames.
        let mut predicted: Vec<Vec<Vec<f64>>> = Vec::new();
        let mut quantities: Vec<Vec<f64>> = Vec::new();
        let of_fields = |simulation: &Simulation, context: &Context| -> Result<Vec<Vec<f64>>> {
            fields.iter().map(|field| Ok(simulation.field_values(field, context)?.read()?.to_vec())).collect()
        };
        follow(
            simulation,
            functions,
            context,
            prediction,
            &mut |_| Ok(()),
            &mut |simulation, context, moment| {
                if prediction.moments[moment].on_frame {
                    predicted.push(of_fields(simulation, context)?);
                    quantities.push(simulation.quantities(context)?);
                }
                Ok(())
            },
        )?;
        let start = Instant::now();
        let (mut errors, mut sizes) = (vec![0.0f64; fields.len()], vec![0.0f64; fields.len()]);
        let (mut wrong, mut large) =
            (vec![0.0f64; simulation.deck.quantity.len()], vec![0.0f64; simulation.deck.quantity.len()]);
        let mut frame = 0;
        let mut compare = |simulation: &Simulation, context: &Context| -> Result<()> {
            for (k, exact) in of_fields(simulation, context)?.into_iter().enumerate() {
                let square =
                    |list: &mut dyn Iterator<Item = f64>| comm.sum(list.map(|v| v * v).sum::<f64>()).sqrt();
                let apart = square(&mut exact.iter().zip(&predicted[frame][k]).map(|(a, b)| a - b));
                errors[k] = errors[k].max(apart);
                sizes[k] = sizes[k].max(square(&mut exact.iter().copied()));
            }
            for (k, exact) in simulation.quantities(context)?.into_iter().enumerate() {
                wrong[k] = wrong[k].max((exact - quantities[frame][k]).abs());
                large[k] = large[k].max(exact.abs());
            }
            frame += 1;
            Ok(())
        };
        let trajectory = Trajectory::of(functions, prediction);
        let path = trajectory.path(functions);
        let compare_steady =
            |verifier: &mut Option<Verifier>, simulation: &Simulation, context: &Context, moment: usize| {
                let Some(verifier) = verifier else { return Ok(()) };
                let steady = simulation.stages.iter().enumerate();
                for (number, stage) in steady.filter(|(_, s)| simulation.deck.time.is_none() || !s.evolves())
                {
                    let prepared = comm.agree(stage.problem.at(context))?;
                    verifier.compare(&path, (number, moment), &prepared, &stage.solution().read()?)?;
                }
                Ok::<(), Error>(())
            };
        match simulation.deck.time.clone() {
            None => {
                simulation.stages.iter_mut().try_for_each(|stage| stage.forget_solution())?;
                simulation.solve(context)?;
                compare_steady(verifier, simulation, context, 0)?;
                compare(simulation, context)?;
            }
            Some(time) => {
                let context = Context { time: time.start, ..context.clone() };
                comm.agree(simulation.reset(&context))?;
                let mut evolution = comm.agree(Evolution::start(simulation, &time, context))?;
                for (number, moment) in prediction.moments.iter().enumerate() {
                    if number > 0 {
                        evolution.follow(
                            simulation,
                            moment.time,
                            &mut |stage, newton, equation, state| {
                                let outcome = crate::solver::by_newton(newton, equation, state)?;
                                if let Some(verifier) = verifier.as_mut() {
                                    verifier.compare(
                                        &path,
                                        (stage, number),
                                        &*newton.prepared()?,
                                        &state.read()?,
                                    )?;
                                }
                                Ok(outcome)
                            },
                        )?;
                    }
                    simulation.solve_steady(&evolution.context)?;
                    compare_steady(verifier, simulation, &evolution.context, number)?;
                    if moment.on_frame {
                        compare(simulation, &evolution.context)?;
                    }
                }
            }
        }
        let full = start.elapsed().as_secs_f64();
        let mut table = Table::new(&["field or quantity", "largest error", "relative to the largest value"]);
        let names =
            fields.iter().map(|field| &field.name).chain(simulation.deck.quantity.iter().map(|q| &q.name));
        let pairs = errors.iter().zip(&sizes).chain(wrong.iter().zip(&large));
        let ratios =
            pairs.clone().map(|(error, size)| if *size > 0.0 { error / size } else { *error }).collect();
        for (name, (error, size)) in names.zip(pairs) {
            table.row(&[name.clone(), format!("{error:.3e}"), format!("{:.2e}", error / size)]);
        }
        report.line("against the full model at the same steps, nodal values, largest over the frames");
        report.table(&table);
        let cores = comm.size() as f64;
        report.line(format!(
            "reduced run {} on one core; full run {} on {} ranks: {:.0} times as much core time",
            duration(seconds),
            duration(full),
            comm.size(),
            full * cores / seconds
        ));
        Ok(ratios)
    }
}

/// A prediction as a path of states.
struct Trajectory {
    times: Vec<f64>,
    coefficients: Vec<Vec<Vec<f64>>>,
}

impl Trajectory {
    fn of(functions: &[Columns], prediction: &Prediction) -> Self {
        let times = prediction.moments.iter().map(|moment| moment.time).collect();
        let one = |stage: usize| {
            prediction.moments.iter().map(|moment| moment.coefficients[stage].clone()).collect()
        };
        Self { times, coefficients: (0..functions.len()).map(one).collect() }
    }

    fn path<'a>(&'a self, functions: &'a [Columns]) -> Combined<'a> {
        Combined {
            times: &self.times,
            functions: functions.iter().collect(),
            coefficients: self.coefficients.iter().map(|list| &list[..]).collect(),
        }
    }
}

/// Follows a prediction on the whole mesh. Collective.
fn follow(
    simulation: &mut Simulation,
    functions: &[Columns],
    context: &Context,
    prediction: &Prediction,
    visit: &mut Visit,
    reached: &mut dyn FnMut(&Simulation, &Context, usize) -> Result<()>,
) -> Result<()> {
    let trajectory = Trajectory::of(functions, prediction);
    replay(simulation, &trajectory.path(functions), context, visit, reached)
}
