//! Predictions of runs in time, repaired step by step from the deck's initial state on.
use super::header::Place;
use super::input::Predictions;
use super::results::Sample;
use super::truth::{Truth, errors};
use super::work::Work;
use crate::experts::{Frames, Repair, repair_step};
use crate::physics::Context;
use crate::simulation::{Evolution, Simulation, Stage};
use crate::solver::{NewtonSolver, StepEquation, by_newton};
use crate::storage::File;
use crate::{Error, Result};
use petsc_rs::Vector;
use std::time::Instant;

/// Names what a repair step by step does not take.
///
/// # Errors
/// [`Error::Input`] for a problem without a time derivative, and for variances.
pub fn refuse(simulation: &Simulation, predictions: &Predictions) -> Result<()> {
    for (index, stage) in simulation.stages.iter().enumerate() {
        if !stage.problem.evolves() {
            let name = &stage.problem.name;
            let text = format!(
                "{name} has no time derivative: runs in time are repaired if all of their problems evolve"
            );
            return Err(simulation.deck.fault(&format!("physics.{name}"), text));
        }
        if predictions.has_variance(index) {
            let text = "/variance has no meaning step by step: leave it out";
            return Err(Error::input("", text));
        }
    }
    Ok(())
}

/// The run itself at the times of the frames: states of all problems and quantities of each, and the seconds it took.
struct Run {
    states: Vec<Vec<Vector>>,
    quantities: Vec<Vec<f64>>,
    seconds: f64,
}

impl Work<'_> {
    /// Repairs a run in time and writes each of its frames. Collective over the group.
    ///
    /// # Errors
    /// As [`Work::sample`].
    pub fn trajectory(&mut self, file: &File, number: usize, context: &Context) -> Result<()> {
        let truth = if self.results.truth { Some(self.run(context)?) } else { None };
        let mut evolution = self.start(context)?;
        let Self { simulation, layers, header, predictions, results } = self;
        let mut before = states(simulation)?;
        for frame in 0..header.frames() {
            let place = Place { sample: number, frame };
            let stages = 0..simulation.stages.len();
            let predicted: Vec<Vector> =
                stages.map(|stage| predictions.state(simulation, stage, place)).collect::<Result<_>>()?;
            let mut sample = Sample::default();
            if frame > 0 {
                let times = [header.times[frame - 1], header.times[frame]];
                // Inside of a step lines are drawn between the predictions.
                let lines: Vec<Frames> = before
                    .iter()
                    .zip(&predicted)
                    .map(|(a, b)| {
                        Ok(Frames { times: times.to_vec(), states: vec![a.try_clone()?, b.try_clone()?] })
                    })
                    .collect::<Result<_>>()?;
                let predict = &mut |stage: usize, time: f64, field: &mut Vector| lines[stage].at(time, field);
                let (_, repairs) =
                    repair_step(simulation, &mut evolution, layers.constraints(), times[1], predict, None)?;
                sample.repairs = of_step(repairs, simulation.stages.len());
                sample.known = vec![Vec::new(); simulation.stages.len()];
                sample.variances = simulation.stages.iter().map(|_| None).collect();
            }
            let now = evolution.context.clone();
            sample.quantities = simulation.quantities(&now)?;
            if let Some(run) = &truth {
                let exact: Vec<&Vector> = run.states[frame].iter().collect();
                let errors = errors(simulation, &now, [&predicted, &states(simulation)?], &exact)?;
                let (quantities, steps) = (run.quantities[frame].clone(), header.frames() as f64);
                sample.truth = Some(Truth { errors, quantities, seconds: run.seconds / steps });
            }
            let row = header.row(place);
            results.write_fields(file, simulation, row, &now)?;
            match frame {
                0 => results.write_start(file, simulation, row, &sample)?,
                _ => results.write(file, simulation, layers, (row, &sample))?,
            }
            before = predicted;
        }
        Ok(())
    }

    /// The deck's initial state.
    fn start(&mut self, context: &Context) -> Result<Evolution> {
        let time = self.simulation.deck.time.clone().expect("a run in time");
        let context = Context { time: time.start, ..context.clone() };
        self.simulation.reset(&context)?;
        Evolution::start(self.simulation, &time, context)
    }

    /// Solves it all, with steps from frame to frame.
    fn run(&mut self, context: &Context) -> Result<Run> {
        let comm = self.simulation.mesh.comm.clone();
        let begin = Instant::now();
        let mut evolution = self.start(context)?;
        let mut run = Run { states: Vec::new(), quantities: Vec::new(), seconds: 0.0 };
        let solve = &mut |_: usize,
                          newton: &mut NewtonSolver,
                          equation: &StepEquation,
                          state: &mut Vector| { by_newton(newton, equation, state) };
        for (frame, time) in self.header.times.iter().enumerate() {
            if frame > 0 {
                evolution.follow(self.simulation, *time, solve)?;
            }
            run.states.push(states(self.simulation)?);
            run.quantities.push(self.simulation.quantities(&evolution.context)?);
        }
        run.seconds = comm.max(begin.elapsed().as_secs_f64());
        Ok(run)
    }
}

fn states(simulation: &Simulation) -> Result<Vec<Vector>> {
    simulation.stages.iter().map(|stage: &Stage| Ok(stage.solution().try_clone()?)).collect()
}

/// The repairs of a step's equations, one for each problem: the last, with the worst of all and what they took together.
fn of_step(repairs: Vec<(usize, Repair)>, problems: usize) -> Vec<Repair> {
    let mut steps: Vec<Option<Repair>> = vec![None; problems];
    for (problem, mut repair) in repairs {
        if let Some(before) = &steps[problem] {
            repair.worst_before = repair.worst_before.max(before.worst_before);
            repair.worst_after = repair.worst_after.max(before.worst_after);
            repair.iterations += before.iterations;
            repair.seconds += before.seconds;
        }
        steps[problem] = Some(repair);
    }
    steps.into_iter().flatten().collect()
}
