//! Predictions of runs in time, repaired step by step from the deck's initial state on.
use super::estimates::Estimate;
use super::header::Place;
use super::results::Sample;
use super::truth::{Truth, errors};
use super::work::Work;
use crate::deck::ConstraintLevel;
use crate::experts::{Frames, Repair, by_repair};
use crate::physics::Context;
use crate::simulation::{Evolution, Progress, Simulation, Stage};
use crate::solver::{NewtonOutcome, NewtonSolver, StepEquation, by_newton};
use crate::storage::File;
use crate::{Error, Result};
use petsc_rs::Vector;
use std::time::Instant;

/// The run itself at the times of the frames: states of all problems and quantities of each, and the seconds it took.
struct Run {
    states: Vec<Vec<Vector>>,
    quantities: Vec<Vec<f64>>,
    seconds: f64,
}

/// Between two frames, lines between the predictions of each problem, and between their variances where they are updated.
struct Between {
    predictions: Vec<Frames>,
    variances: Vec<Option<Frames>>,
}

/// What is predicted for a frame, by problem: states, and variances where they are updated.
#[derive(Default)]
struct Predicted {
    states: Vec<Vector>,
    variances: Vec<Option<Vector>>,
}

impl Work<'_> {
    /// Repairs a run in time and writes each of its frames. Problems without a time derivative are repaired at the frames.
    /// Collective over the group.
    ///
    /// # Errors
    /// As [`Work::sample`].
    pub fn trajectory(&mut self, file: &File, number: usize, context: &Context) -> Result<()> {
        let of_run = |error| match error {
            Error::Failed(why) => {
                Error::Failed(format!("the full solution (--truth), with steps from frame to frame: {why}"))
            }
            other => other,
        };
        let truth = if self.results.truth { Some(self.run(context).map_err(of_run)?) } else { None };
        let mut windows = match self.simulation.deck.constraint.windows {
            Some(_) => Some(self.windows(number, context)?),
            None => None,
        };
        let mut evolution = self.start(context)?;
        if self.simulation.deck.constraint.level != ConstraintLevel::Exact {
            evolution.control.tolerance = None;
        }
        let mut before = Predicted { states: states(self.simulation)?, variances: Vec::new() };
        for frame in 0..self.header.frames() {
            let place = Place { sample: number, frame };
            let predicted = self.predicted(place)?;
            let problems = self.simulation.stages.len();
            let mut sample = Sample::new(problems);
            if let (Some(windows), true) = (&mut windows, frame > 0) {
                sample.repairs[0] = Some(self.follow_window(windows, &mut evolution, frame)?);
            } else if frame > 0 {
                let times = [self.header.times[frame - 1], self.header.times[frame]];
                let between = Between::new(times, &before, &predicted)?;
                sample.repairs = self.advance(&mut evolution, times[1], &between)?;
            }
            let now = evolution.context.clone();
            for index in 0..problems {
                let Self { simulation, layers, .. } = self;
                if simulation.stages[index].evolves() {
                    continue;
                }
                let variance = predicted.variances[index].as_ref().map(Vector::try_clone).transpose()?;
                simulation.stages[index].set_solution(&predicted.states[index].read()?)?;
                sample.repairs[index] = Some(layers.repair(simulation, index, &now, variance)?);
            }
            let Self { simulation, layers, header, results, .. } = self;
            for index in 0..problems {
                if sample.repairs[index].is_none() {
                    continue;
                }
                sample.known[index] = layers.known_values(index, &now);
                if results.updates(index) {
                    sample.variances[index] = Some(layers.updated_variance(index)?);
                }
                sample.estimates[index] =
                    layers.take_estimate(index).map(|e| Estimate::of(simulation, index, &e)).transpose()?;
            }
            sample.quantities = simulation.quantities(&now)?;
            if let Some(run) = &truth {
                let exact: Vec<&Vector> = run.states[frame].iter().collect();
                let errors = errors(simulation, &now, [&predicted.states, &states(simulation)?], &exact)?;
                let (quantities, steps) = (run.quantities[frame].clone(), header.frames() as f64);
                sample.truth = Some(Truth { errors, quantities, seconds: run.seconds / steps });
            }
            let row = header.row(place);
            results.write_fields(file, simulation, row, &now)?;
            results.write(file, simulation, layers, (row, &sample))?;
            // The deck's initial state is no prediction.
            before = Predicted {
                states: if frame == 0 { states(self.simulation)? } else { predicted.states },
                ..predicted
            };
        }
        Ok(())
    }

    fn predicted(&self, place: Place) -> Result<Predicted> {
        let Self { simulation, predictions, results, .. } = self;
        let mut predicted = Predicted::default();
        for stage in 0..simulation.stages.len() {
            predicted.states.push(predictions.state(simulation, stage, place)?);
            predicted.variances.push(match results.updates(stage) {
                true => predictions.variance(simulation, stage, place)?,
                false => None,
            });
        }
        Ok(predicted)
    }

    /// Repairs the steps to the next frame; the worst of each problem's repairs, with what they took together. One step
    /// without `time.tolerance`; else as many as the step control asks for, but no other level than `exact` has an estimate of
    /// the error in time: the nearest state changes with the length of the step. There steps double up to the longest, and
    /// are cut where a repair fails.
    fn advance(
        &mut self,
        evolution: &mut Evolution,
        end: f64,
        between: &Between,
    ) -> Result<Vec<Option<Repair>>> {
        let Self { simulation, layers, .. } = self;
        let adaptive = simulation.deck.time.as_ref().is_some_and(|time| time.tolerance.is_some());
        let mut kept: Vec<Option<Repair>> = simulation.stages.iter().map(|_| None).collect();
        loop {
            let mut repairs = Vec::new();
            let solve = &mut |number: usize,
                              newton: &mut NewtonSolver,
                              equation: &StepEquation,
                              state: &mut Vector| {
                let repaired = by_repair(newton, equation, state, &mut |context, equations, state| {
                    let (prediction, variance) = between.at(number, context.time, state)?;
                    let guess = state.try_clone()?;
                    state.copy_from(&prediction)?;
                    layers.repair_equations(number, context, (equations, variance, Some(&guess)), state)
                });
                match repaired {
                    Ok(repair) => {
                        let outcome =
                            NewtonOutcome { iterations: repair.iterations, ..NewtonOutcome::default() };
                        repairs.push((number, repair));
                        Ok(outcome)
                    }
                    // A shorter step may be possible.
                    Err(Error::Failed(why)) if adaptive => {
                        Ok(NewtonOutcome { failure: Some(why), ..NewtonOutcome::default() })
                    }
                    Err(error) => Err(error),
                }
            };
            let arrived = match adaptive {
                false => evolution.follow(simulation, end, solve).map(|_| true)?,
                true => match evolution.advance_with(simulation, solve)? {
                    Progress::Accepted(_, on_frame) => on_frame,
                    Progress::Rejected | Progress::Cut(..) => continue,
                    Progress::Failed(why) => return Err(Error::Failed(why)),
                },
            };
            repairs.into_iter().for_each(|(problem, repair)| join(&mut kept[problem], repair));
            if arrived {
                return Ok(kept);
            }
        }
    }

    /// The deck's initial state.
    pub(super) fn start(&mut self, context: &Context) -> Result<Evolution> {
        let time = self.simulation.deck.time.clone().expect("a run in time");
        let context = Context { time: time.start, ..context.clone() };
        self.simulation.reset(&context)?;
        let mut evolution = Evolution::start(self.simulation, &time, context)?;
        evolution.stop_at(&self.header.times[1..]);
        Ok(evolution)
    }

    /// Solves it all, with steps as those of the repair.
    fn run(&mut self, context: &Context) -> Result<Run> {
        let comm = self.simulation.mesh.comm.clone();
        let begin = Instant::now();
        let mut evolution = self.start(context)?;
        let mut run = Run { states: Vec::new(), quantities: Vec::new(), seconds: 0.0 };
        let solve = &mut |_: usize,
                          newton: &mut NewtonSolver,
                          equation: &StepEquation,
                          state: &mut Vector| { by_newton(newton, equation, state) };
        let deck = &self.simulation.deck;
        let adaptive = deck.time.as_ref().is_some_and(|time| time.tolerance.is_some())
            && deck.constraint.windows.is_none();
        for (frame, time) in self.header.times.iter().enumerate() {
            if frame > 0 && adaptive {
                loop {
                    match evolution.advance(self.simulation)? {
                        Progress::Accepted(_, true) => break,
                        Progress::Failed(why) => return Err(Error::Failed(why)),
                        _ => {}
                    }
                }
            } else if frame > 0 {
                evolution.follow(self.simulation, *time, solve)?;
            }
            self.simulation.solve_steady(&evolution.context)?;
            run.states.push(states(self.simulation)?);
            run.quantities.push(self.simulation.quantities(&evolution.context)?);
        }
        run.seconds = comm.max(begin.elapsed().as_secs_f64());
        Ok(run)
    }
}

impl Between {
    fn new(times: [f64; 2], before: &Predicted, after: &Predicted) -> Result<Self> {
        let line = |a: &Vector, b: &Vector| -> Result<Frames> {
            Ok(Frames { times: times.to_vec(), states: vec![a.try_clone()?, b.try_clone()?] })
        };
        let states = before.states.iter().zip(&after.states);
        let predictions = states.map(|(a, b)| line(a, b)).collect::<Result<_>>()?;
        let variances = after.variances.iter().enumerate().map(|(stage, b)| {
            let Some(b) = b else { return Ok(None) };
            // The initial state has none: those of the first frame count from there.
            let a = before.variances.get(stage).and_then(Option::as_ref).unwrap_or(b);
            line(a, b).map(Some)
        });
        Ok(Self { predictions, variances: variances.collect::<Result<_>>()? })
    }

    fn at(&self, problem: usize, time: f64, like: &Vector) -> Result<(Vector, Option<Vector>)> {
        let read = |frames: &Frames| -> Result<Vector> {
            let mut field = like.try_clone()?;
            frames.at(time, &mut field)?;
            field.ghost_update()?;
            Ok(field)
        };
        Ok((read(&self.predictions[problem])?, self.variances[problem].as_ref().map(read).transpose()?))
    }
}

fn states(simulation: &Simulation) -> Result<Vec<Vector>> {
    simulation.stages.iter().map(|stage: &Stage| Ok(stage.solution().try_clone()?)).collect()
}

/// Adds a repair to those before it: the last, with the worst of all and what they took together.
fn join(kept: &mut Option<Repair>, mut repair: Repair) {
    if let Some(before) = kept.take() {
        repair.worst_before = repair.worst_before.max(before.worst_before);
        repair.worst_after = repair.worst_after.max(before.worst_after);
        repair.iterations += before.iterations;
        repair.anew += before.anew;
        repair.seconds += before.seconds;
    }
    *kept = Some(repair);
}
