//! `tessera predict`: fields and quantities of interest from a reduced model, with error estimates, or from a network.
use super::output;
use super::points::{FILE, points, warn_outside};
use super::prediction::{Prediction, Truth, print_results, write_results};
use super::repair::Layers;
use super::uncertainty::{self, Bound, Ensemble, Models};
use crate::campaign::named;
use crate::deck::{ConstraintLevel, Deck, Norm};
use crate::experts::Repair;
use crate::mesh::{Mesh, MeshSource};
use crate::mixture::bases::BASES;
use crate::parallel::{Comm, Redistribution, block};
use crate::physics::Context;
use crate::report::Report;
use crate::rom::sampled::file::SAMPLED;
use crate::rom::theta::Inputs;
use crate::rom::{Functional, ReducedModel, Solution, energy_error};
use crate::simulation::{FieldInfo, Simulation};
use crate::storage::{File, ModelFile, ResultFile, Schema, write_xdmf};
use crate::{Error, Result};
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

pub use super::points::{Points, PredictOptions};

/// `--verify` is for models with sampled integrals alone.
fn expect_sampled(options: &PredictOptions, path: &Path) -> Result<()> {
    if options.accept.is_some() {
        let text =
            "--accept is for reduced models in time or of nonlinear problems: bounds of others are proven";
        return Err(Error::input("--accept", text));
    }
    if options.end.is_some() {
        let text = "it is no reduced model of a problem in time, which alone can be predicted to another end";
        return Err(Error::input("--end", format!("{}: {text}", path.display())));
    }
    if options.verify {
        let text = "--verify residual is for reduced models in time or of nonlinear problems: others come with their bounds, \
                    and a network's predictions are compared by --truth";
        return Err(Error::input(path.display().to_string(), text));
    }
    Ok(())
}

/// Predicts with a reduced model. Collective.
///
/// # Errors
/// When the model cannot be read or the parameters do not fit it.
pub fn run(comm: &Comm, path: &Path, options: &PredictOptions) -> Result<()> {
    let report = Report::new(comm, options.run.level);
    if is_network(comm, path)? {
        if options.uncertainty.asked() {
            let text = "a network gives no statistics of its predictions yet: they need a reduced model";
            return Err(Error::input(path.display().to_string(), text));
        }
        expect_sampled(options, path)?;
        return super::predict_learned::run(comm, path, options, &report);
    }
    let file = ModelFile::open(comm, path)?;
    if file.exists(SAMPLED) {
        let deck = Deck::parse(&file.text("/", "deck")?, &file.text("/", "deck_name")?, &[])?;
        return super::predict_sampled::run(comm, path, file, deck, options, &report);
    }
    expect_sampled(options, path)?;
    if !file.exists("/reduced") && file.exists(BASES) {
        let text = "it holds bases and no model that predicts: a problem in time needs a campaign with frames = \"steps\"";
        return Err(Error::input(file.label(), text));
    }
    let mut deck = Deck::parse(&file.text("/", "deck")?, &file.text("/", "deck_name")?, &[])?;
    if let Some(folder) = &options.output {
        deck.output.directory = folder.clone();
    }
    deck.constraint.level = options.constraint.unwrap_or(deck.constraint.level);
    deck.constraint.weight = options.weight.or(deck.constraint.weight);
    let (level, weight) = (deck.constraint.level, deck.constraint.weight);
    report.banner(&deck.title);
    let target = deck.output.directory.join(FILE);
    output::expect_writable(comm, &deck, &target)?;
    uncertainty::check(&deck, &options.uncertainty, options.draws().map(|draws| draws.0))?;
    let points = points(comm, &deck, &options.points)?;
    warn_outside(&report, &deck, &points);
    let mut simulation = report.phase("set-up", || -> Result<Simulation> {
        let source = MeshSource::File { path: path.to_path_buf(), scale: 1.0 };
        let mesh = Mesh::build(comm, &source, &deck.partition_options())?;
        Simulation::on_mesh(&deck, Rc::new(mesh))
    })?;
    let model = report.phase("model", || ReducedModel::read(&file, &simulation))?;
    let trained = uncertainty::trained(&file)?;
    file.close()?;
    let fields = if options.writes_fields() { output::wanted(&simulation)? } else { Vec::new() };
    let mut written = vec![target.clone()];
    let file = ResultFile::create(comm, &target)?;
    file.describe(Schema::Run, &output::provenance(&simulation, &options.run.petsc))?;
    file.set("/", "model", path.display().to_string())?;
    file.write_parameters(&named(&deck, &points))?;
    file.write_times(&(0..points.len()).map(|i| i as f64).collect::<Vec<_>>())?;
    file.set("/time", "meaning", "number of the prediction")?;
    file.set("/time", "unit", "1")?;
    if options.writes_fields() {
        output::write_mesh(&file, &simulation)?;
    }
    if level != ConstraintLevel::Conservation && weight.is_some_and(|weight| weight != Norm::Energy) {
        report.warn("constraint.weight has no effect: only the level \"conservation\" has a norm to choose");
    }
    let mut layers = report.phase("constraints", || match level {
        ConstraintLevel::None => Ok(None),
        _ => Layers::new(&simulation, level, |_| weight).map(Some),
    })?;
    if matches!(level, ConstraintLevel::Coupled | ConstraintLevel::Residual) {
        layers.iter_mut().for_each(|layers| layers.set_modes(&model, options.modes));
    }
    let plans: Vec<_> = simulation.stages.iter().map(|s| s.problem.space.canonical()).collect();
    for field in &fields {
        let room = output::describe(&simulation, field, &plans[field.stage]);
        file.create_field(&room, points.len() as u64)?;
    }
    // Without fields linear quantities follow from the coefficients, at a cost that does not depend on the mesh.
    let online = match options.writes_fields() || options.truth || layers.is_some() {
        true => None,
        false => model.functionals(&simulation)?,
    };
    let modes = options.modes.unwrap_or(usize::MAX);
    let (repaired, simulation) = (layers.is_some(), &mut simulation);
    let mut predictor = Predictor { simulation, model: &model, file: &file, plans, layers, online, modes };
    let mut results = Vec::with_capacity(points.len());
    let progress = report.progress("predictions", points.len());
    for (number, parameters) in points.iter().enumerate() {
        let context = Context::steady(parameters.clone());
        let start = Instant::now();
        let solutions = report.phase("reduced solve", || predictor.solve(&context))?;
        let seconds = start.elapsed().as_secs_f64();
        for solution in &solutions {
            if let Some(doubt) = &solution.doubt {
                report.warn(doubt);
            }
        }
        let (repairs, quantities) = if let Some(functionals) = &predictor.online {
            (Vec::new(), functionals.iter().map(|functional| functional.value(&solutions)).collect())
        } else {
            let repairs = report.phase("constraints", || predictor.set(&solutions, &context))?;
            (repairs, report.phase("fields", || predictor.write(number, &fields, &context))?)
        };
        let bounds = model.quantity_estimates(&solutions);
        let mut result = Prediction { solutions, repairs, quantities, bounds, seconds, truth: None };
        if options.truth {
            result.truth = Some(report.phase("full solve", || predictor.truth(&result, &context))?);
        }
        results.push(result);
        progress.advance("");
    }
    drop(progress);
    write_results(&file, predictor.simulation, &results)?;
    print_results(&report, predictor.simulation, &results);
    if let Some((samples, seed)) = options.draws().filter(|draws| draws.0 > 1) {
        let values = results.iter().map(|r| &r.quantities[..]).collect();
        let bounds = (0..deck.quantity.len()).map(|q| bound(&results, q, repaired)).collect();
        let ensemble = Ensemble { comm, points: &points[..samples], seed, values, bounds, trained };
        uncertainty::run(&report, &file, &deck, &ensemble, &options.uncertainty, &mut predictor)?;
    }
    report.write_log(&file)?;
    file.finish()?;
    if deck.output.xdmf && options.writes_fields() {
        written.extend(write_xdmf(comm, &target)?);
    }
    report.finish(&written);
    Ok(())
}

/// Whether a file holds a network, not a reduced model. Collective.
fn is_network(comm: &Comm, path: &Path) -> Result<bool> {
    let file = File::open(comm, path)?;
    let schema = file.text("/", "schema")?;
    file.close()?;
    Ok(schema == Schema::Network.name())
}

struct Predictor<'a> {
    simulation: &'a mut Simulation,
    model: &'a ReducedModel,
    file: &'a File,
    plans: Vec<Redistribution>,
    layers: Option<Layers>,
    /// The quantities by coefficients, where that is all they need.
    online: Option<Vec<Functional>>,
    modes: usize,
}

/// What is known of the errors of a quantity; bounds are those before a repair.
fn bound(results: &[Prediction], quantity: usize, repaired: bool) -> Bound {
    let values: Option<Vec<f64>> = results.iter().map(|r| r.bounds[quantity]).collect();
    let doubtful = || results.iter().flat_map(|r| &r.solutions).any(|s| s.doubt.is_some());
    match values {
        Some(values) if !repaired && doubtful() => Bound::Estimate(values),
        Some(values) if !repaired => Bound::Proven(values),
        _ => Bound::Unknown,
    }
}

impl Models for Predictor<'_> {
    fn simulation(&self) -> &Simulation {
        self.simulation
    }

    fn reduced(&mut self, points: &[Context]) -> Result<Vec<[Vec<f64>; 2]>> {
        let bounds = |model: &ReducedModel, solutions: &[Solution]| -> Vec<f64> {
            model.quantity_estimates(solutions).into_iter().map(|bound| bound.unwrap_or(f64::NAN)).collect()
        };
        let Some(functionals) = &self.online else {
            let predicted = |context: &Context| {
                let solutions = self.solve(context)?;
                self.set(&solutions, context)?;
                Ok([self.simulation.quantities(context)?, bounds(self.model, &solutions)])
            };
            return points.iter().map(predicted).collect();
        };
        // Each rank a block of points.
        let comm = &self.simulation.mesh.comm;
        let mine = block(points.len() as u64, comm.size(), comm.rank());
        let mut values = Vec::new();
        let solved = points[mine.start as usize..mine.end as usize].iter().try_for_each(|point| {
            let solutions = self.solve(point)?;
            values.extend(functionals.iter().map(|functional| functional.value(&solutions)));
            values.extend(bounds(self.model, &solutions));
            Ok(())
        });
        comm.agree(solved)?;
        let (all, count) = (comm.all_gather_varied(&values), functionals.len());
        Ok(all.chunks_exact(2 * count).map(|row| [row[..count].to_vec(), row[count..].to_vec()]).collect())
    }

    fn full(&mut self, point: &[f64]) -> Result<Vec<f64>> {
        let context = Context::steady(point.to_vec());
        for stage in &mut self.simulation.stages {
            stage.forget_solution()?;
        }
        self.simulation.solve(&context)?;
        self.simulation.quantities(&context)
    }
}

impl Predictor<'_> {
    fn solve(&self, context: &Context) -> Result<Vec<Solution>> {
        let inputs: Vec<&dyn Inputs> =
            self.simulation.stages.iter().map(|s| &*s.problem as &dyn Inputs).collect();
        self.model.solve(&inputs, context, self.modes)
    }

    /// Makes the predicted fields, repaired where that is wanted, the simulation's solutions.
    fn set(&mut self, solutions: &[Solution], context: &Context) -> Result<Vec<Repair>> {
        let mut repairs = Vec::new();
        for (index, solution) in solutions.iter().enumerate() {
            let field = self.model.field(index, solution);
            let stage = &mut self.simulation.stages[index];
            stage.set_solution(&field)?;
            match &mut self.layers {
                None => stage.set_conditions(context)?,
                Some(layers) => repairs.push(layers.repair(self.simulation, index, context, None)?),
            }
        }
        Ok(repairs)
    }

    /// Writes the fields; gives the quantities.
    fn write(&self, number: usize, fields: &[FieldInfo], context: &Context) -> Result<Vec<f64>> {
        for field in fields {
            let values = self.simulation.field_values(field, context)?;
            self.file.write_field(&field.name, number as u64, &self.plans[field.stage], &values.read()?)?;
        }
        self.simulation.quantities(context)
    }

    fn truth(&mut self, prediction: &Prediction, context: &Context) -> Result<Truth> {
        let mut predicted = Vec::new();
        for stage in &mut self.simulation.stages {
            predicted.push(stage.solution().read()?.to_vec());
            stage.forget_solution()?;
        }
        let start = Instant::now();
        self.simulation.solve(context)?;
        let seconds = start.elapsed().as_secs_f64();
        let mut truth = Truth { errors: Vec::new(), repaired: Vec::new(), quantities: Vec::new(), seconds };
        for (index, stage) in self.simulation.stages.iter().enumerate() {
            let exact = stage.solution().read()?.to_vec();
            let reduced = self.model.field(index, &prediction.solutions[index]);
            truth.errors.push(energy_error(&stage.problem, context, &exact, &reduced)?);
            truth.repaired.push(energy_error(&stage.problem, context, &exact, &predicted[index])?.0);
        }
        truth.quantities = self.simulation.quantities(context)?;
        Ok(truth)
    }
}
