//! Fields of predictions of reduced models with sampled integrals, and full runs beside them.
use super::output;
use super::points::PredictOptions;
use crate::campaign::named;
use crate::deck::Deck;
use crate::format::duration;
use crate::mesh::{Mesh, MeshSource};
use crate::mixture::Columns;
use crate::parallel::Comm;
use crate::physics::Context;
use crate::report::{Report, Table};
use crate::rom::sampled::verify::Verifier;
use crate::rom::sampled::{Combined, Prediction, Visit, Visited, file, replay_with_pressures};
use crate::simulation::{Evolution, FieldInfo, Simulation};
use crate::storage::{File, ResultFile, Schema};
use crate::{Error, Result};
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

/// The whole mesh, on which predictions become fields.
pub(super) struct Fields {
    pub simulation: Simulation,
    /// By cluster and physics.
    functions: Vec<Vec<Columns>>,
    pub fields: Vec<FieldInfo>,
}

impl Fields {
    pub fn new(comm: &Comm, path: &Path, file: &File, deck: &Deck, clusters: usize) -> Result<Self> {
        let source = MeshSource::File { path: path.to_path_buf(), scale: 1.0 };
        let mesh = Mesh::build(comm, &source, &deck.partition_options())?;
        let simulation = Simulation::on_mesh(deck, Rc::new(mesh))?;
        let fields = output::wanted(&simulation)?;
        let of = |cluster: usize| {
            simulation.stages.iter().map(|stage| file::functions(file, cluster, &stage.problem)).collect()
        };
        let functions = (0..clusters).map(of).collect::<Result<_>>()?;
        Ok(Self { simulation, functions, fields })
    }

    /// What judges a prediction by its residuals, if it is asked for. Collective.
    pub fn verifier(
        &mut self,
        asked: bool,
        context: &Context,
        prediction: &Prediction,
    ) -> Result<Option<Verifier>> {
        let Self { simulation, functions, .. } = self;
        let functions = &functions[prediction.cluster][..];
        let trajectory = Trajectory::of(functions, prediction);
        let verifier = asked.then(|| Verifier::new(simulation, &trajectory.path(functions), context));
        verifier.transpose()
    }

    /// Room for the fields: all frames of one prediction, the ends of several. Collective.
    pub fn create(
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
    pub fn write(
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
            Self::write_frame(fields, file, (simulation, context), row)
        };
        let mut visit =
            |visited: Visited| verifier.as_mut().map_or(Ok(()), |verifier| verifier.visit(&visited));
        let functions = &functions[prediction.cluster][..];
        follow(simulation, functions, context, prediction, &mut visit, &mut reached)?;
        Ok(quantities)
    }

    /// Writes the present fields to a row of a file. Collective.
    pub fn write_frame(
        fields: &[FieldInfo],
        file: &ResultFile,
        (simulation, context): (&Simulation, &Context),
        row: usize,
    ) -> Result<()> {
        for field in fields {
            let plan = simulation.stages[field.stage].space().canonical();
            let values = simulation.field_values(field, context)?;
            file.write_field(&field.name, row as u64, &plan, &values.read()?)?;
        }
        Ok(())
    }

    /// Runs the full model at the same steps and says how far away it is. Collective.
    pub fn truth(
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
        let functions = &functions[prediction.cluster][..];
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

/// Follows a prediction on the whole mesh, with the pressures of flows at the frames. Collective.
fn follow(
    simulation: &mut Simulation,
    functions: &[Columns],
    context: &Context,
    prediction: &Prediction,
    visit: &mut Visit,
    reached: &mut dyn FnMut(&Simulation, &Context, usize) -> Result<()>,
) -> Result<()> {
    let trajectory = Trajectory::of(functions, prediction);
    let pressures = |moment: usize| prediction.moments[moment].on_frame;
    replay_with_pressures(simulation, &trajectory.path(functions), context, visit, reached, &pressures)
}
