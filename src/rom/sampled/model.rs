//! A reduced model with sampled integrals, ready to predict: on one rank, without the mesh.
use super::data::{ProblemData, SampledPart};
use super::observe::Observation;
use super::replay::is_close;
use super::system::ReducedProblem;
use crate::deck::{Deck, InitialValue, SolverMethod, SolverOptions, TimeSection};
use crate::fem::Parts;
use crate::physics::Context;
use crate::simulation::{Attempt, Evolution, Progress, Simulation, Step, Systems};
use crate::solver::{StepEquation, TimeIntegrator, TimeSystem, Trial};
use crate::{Error, Result};
use petsc_rs::Vector;
use std::rc::Rc;

/// The physics of a deck on the sampled cells, reduced.
pub struct SampledModel {
    deck: Deck,
    /// The problems on the sampled cells: their initial values, and the fields that later ones read.
    simulation: Simulation,
    /// In the order of the deck.
    pub problems: Vec<ReducedProblem>,
    pasts: Vec<Option<TimeIntegrator>>,
    states: Vec<Vector>,
    residuals: Vec<f64>,
    observations: Vec<Observation>,
    cell_ids: Vec<u64>,
}

/// A predicted state.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// Time, s.
    pub time: f64,
    /// Whether a frame stands there.
    pub on_frame: bool,
    /// By physics: factors of the liftings, then of the modes.
    pub coefficients: Vec<Vec<f64>>,
    /// Quantities of interest, where a frame stands and the model observes them; not a number for those that need fields.
    pub quantities: Vec<f64>,
    /// By physics: norm of the residual on the functions that it is tested with; 0 without an indicator.
    pub residuals: Vec<f64>,
    /// By physics: see [`ReducedProblem::stiffness`]; not a number where it was not looked at.
    pub stiffness: Vec<f64>,
}

/// A predicted trajectory, or the one state of a steady problem.
#[derive(Debug, Clone, Default)]
pub struct Prediction {
    /// The start, and the ends of the steps.
    pub moments: Vec<Moment>,
    /// Newton iterations of all steps.
    pub iterations: usize,
    /// Steps that were not accepted.
    pub rejected: usize,
    /// The cluster whose model it is of.
    pub cluster: usize,
}

impl SampledModel {
    /// From its parts. Local.
    ///
    /// # Errors
    /// When they do not fit the deck.
    pub fn new(deck: &Deck, part: &SampledPart, data: &[ProblemData]) -> Result<Self> {
        // What solves on the sampled cells is never asked to.
        let idle = |_| SolverOptions { method: SolverMethod::Direct, ..SolverOptions::default() };
        let mesh = Rc::new(part.mesh.mesh()?);
        // Initial values that come from a file are there, at the few places where they are read.
        let mut own = deck.clone();
        own.initial.retain(|initial| matches!(initial.value, InitialValue::Formulas(_)));
        let (simulation, part) =
            (Simulation::on_part(&own, mesh, |mesh| part.random_fields(&own, mesh), idle)?, &part.mesh);
        if simulation.stages.len() != data.len() {
            return Err(Error::Failed(format!(
                "{} physics instead of {}",
                data.len(),
                simulation.stages.len()
            )));
        }
        let mut problems = Vec::new();
        for (index, (stage, data)) in simulation.stages.iter().zip(data).enumerate() {
            data.check(&stage.problem, part.cell_ids.len())?;
            let mut data = data.clone();
            data.lifting.locate(&stage.problem, &part.cell_ids);
            data.initial.locate(&stage.problem, &part.cell_ids);
            let options = deck.solver_options(index);
            problems.push(ReducedProblem::new(&stage.problem, &data, &part.cell_ids, &options)?);
        }
        let states = problems.iter().map(ReducedProblem::zero).collect::<Result<_>>()?;
        let pasts = problems.iter().map(|_| None).collect();
        let residuals = vec![0.0; problems.len()];
        Ok(Self {
            deck: deck.clone(),
            simulation,
            problems,
            pasts,
            states,
            residuals,
            observations: Vec::new(),
            cell_ids: part.cell_ids.clone(),
        })
    }

    /// Has it read the deck's quantities of interest at frames. Local.
    ///
    /// # Errors
    /// [`Error::Storage`] when one reads a node that is not there.
    pub fn observe(&mut self, observations: Vec<Observation>) -> Result<()> {
        for (quantity, observation) in self.deck.quantity.iter().zip(&observations) {
            let around = self.simulation.measured(quantity)?.1.space().element.functions() as u64;
            if !observation
                .nodes()
                .iter()
                .all(|s| s.node < around && self.cell_ids.binary_search(&s.cell).is_ok())
            {
                return Err(Error::storage(format!(
                    "the quantity \"{}\" reads a node that is not there",
                    quantity.name
                )));
            }
        }
        self.observations = observations;
        Ok(())
    }

    /// Number of sampled cells.
    pub fn cells(&self) -> usize {
        self.simulation.mesh.owned_cells
    }

    /// The problems on the sampled cells.
    pub fn simulation(&self) -> &Simulation {
        &self.simulation
    }

    /// Predicts for parameters; frames stand at `frames`. Local.
    ///
    /// # Errors
    /// [`Error::Failed`] when Newton's method fails however short a step is.
    pub fn predict(&mut self, context: &Context, frames: &[f64]) -> Result<Prediction> {
        match self.deck.time.clone() {
            Some(time) => self.integrate(&time, context, frames),
            None => {
                self.simulation.random.draw(context.sample)?;
                self.problems.iter_mut().for_each(ReducedProblem::forget);
                for stage in 0..self.problems.len() {
                    self.states[stage] = self.problems[stage].start(&self.point(context))?;
                }
                let iterations = self.solve_steady(context)?;
                Ok(Prediction {
                    moments: vec![self.moment(context, true, true)?],
                    iterations,
                    ..Prediction::default()
                })
            }
        }
    }

    /// Predicts with steps that end at given times, the first of which is the start. Local.
    ///
    /// # Errors
    /// [`Error::Failed`] when Newton's method fails.
    pub fn follow(&mut self, context: &Context, times: &[f64]) -> Result<Prediction> {
        let Some(time) = self.deck.time.clone() else { return self.predict(context, &[]) };
        let mut evolution = self.begin(&time, context)?;
        let mut iterations = self.solve_steady(&evolution.context)?;
        let mut moments = vec![self.moment(&evolution.context, true, true)?];
        for (moment, &end) in times.iter().enumerate().skip(1) {
            let step = evolution.follow_on(self, end)?;
            iterations += step.newton + self.solve_steady(&evolution.context)?;
            moments.push(self.moment(&evolution.context, true, is_close(moment, times.len()))?);
        }
        Ok(Prediction { moments, iterations, ..Prediction::default() })
    }

    /// Largest norm of the residual over the moments, on the functions that it is tested with, over the stiffness and relative
    /// to the largest norm of the state: by physics; not a number without an indicator. Local.
    pub fn indicators(&self, moments: &[Moment]) -> Vec<f64> {
        let one = |stage: usize| {
            let largest = |of: &dyn Fn(&Moment) -> f64| moments.iter().map(of).fold(0.0, f64::max);
            let residual = largest(&|moment| moment.residuals[stage]);
            let size = largest(&|moment| self.problems[stage].energy(&moment.coefficients[stage]));
            residual / (stiffness(moments, stage) * size)
        };
        (0..self.problems.len()).map(one).collect()
    }

    /// Parameters, and the coefficients of the random fields.
    fn point(&self, context: &Context) -> Vec<f64> {
        [&context.parameters[..], &self.simulation.random.point(context.sample)].concat()
    }

    /// Goes to the start.
    fn begin(&mut self, time: &TimeSection, context: &Context) -> Result<Evolution> {
        let context = Context { time: time.start, ..context.clone() };
        self.simulation.reset(&context)?;
        let point = self.point(&context);
        // The start has no residual; that of the last prediction's end is none of this one's.
        self.residuals.fill(0.0);
        for stage in 0..self.problems.len() {
            let problem = &mut self.problems[stage];
            problem.forget();
            self.pasts[stage] = None;
            if !problem.problem.evolves() {
                self.states[stage] = problem.start(&point)?;
                continue;
            }
            problem.set_time(&context)?;
            let values = self.simulation.stages[stage].solution().local_read()?.to_vec();
            let initial = problem.initial(&values)?;
            let scheme = match problem.problem.new_history() {
                Some(_) => crate::deck::TimeScheme::Bdf1,
                None => time.scheme,
            };
            let past = TimeIntegrator::new(scheme, problem, &context, &initial)?;
            self.states[stage].copy_from(past.solution())?;
            self.pasts[stage] = Some(past);
            self.publish(stage)?;
        }
        Ok(Evolution::new(time, context))
    }

    fn integrate(&mut self, time: &TimeSection, context: &Context, frames: &[f64]) -> Result<Prediction> {
        let mut evolution = self.begin(time, context)?;
        evolution.stop_at(&frames.iter().copied().filter(|&frame| frame > time.start).collect::<Vec<_>>());
        let mut iterations = self.solve_steady(&evolution.context)?;
        let mut moments = vec![self.moment(&evolution.context, frames.contains(&time.start), true)?];
        while !evolution.is_over() {
            match evolution.advance_on(self)? {
                Progress::Accepted(step, on_frame) => {
                    iterations += step.newton + self.solve_steady(&evolution.context)?;
                    moments.push(self.moment(&evolution.context, on_frame, on_frame)?);
                }
                Progress::Rejected | Progress::Cut(..) => {}
                Progress::Failed(why) => {
                    let time = evolution.context.time;
                    return Err(Error::Failed(format!("{why}, at t = {time:.6e} s")));
                }
            }
        }
        Ok(Prediction { moments, iterations, rejected: evolution.rejected, cluster: 0 })
    }

    /// Solves the problems without a time derivative; the iterations.
    fn solve_steady(&mut self, context: &Context) -> Result<usize> {
        let mut iterations = 0;
        for stage in 0..self.problems.len() {
            if self.pasts[stage].is_some() {
                continue;
            }
            let offset = self.problems[stage].zero()?;
            let equation =
                StepEquation { context: context.clone(), parts: Parts::REST, terms: Vec::new(), offset };
            let outcome = self.problems[stage].solve(&equation, &mut self.states[stage])?;
            if let Some(failure) = outcome.failure {
                return Err(Error::Failed(failure));
            }
            iterations += outcome.iterations;
            let problem = &self.problems[stage];
            self.residuals[stage] = norm(&problem.tested(&self.states[stage].read()?[..problem.functions()]));
            self.publish(stage)?;
        }
        Ok(iterations)
    }

    /// The present moment, with quantities on frames; close ones with the stiffness.
    fn moment(&mut self, context: &Context, on_frame: bool, close: bool) -> Result<Moment> {
        let of =
            |(state, problem): (&Vector, &ReducedProblem)| Ok(state.read()?[..problem.functions()].to_vec());
        let coefficients: Vec<Vec<f64>> =
            self.states.iter().zip(&self.problems).map(of).collect::<Result<_>>()?;
        let mut quantities = Vec::new();
        if on_frame && !self.observations.is_empty() {
            if self.observations.iter().any(|o| matches!(o, Observation::Nodes { .. })) {
                for (stage, problem) in self.problems.iter().enumerate() {
                    let own = &mut self.simulation.stages[stage];
                    own.set_solution(&problem.nodal(&coefficients[stage]))?;
                    if let (Some(history), Some(newton)) = (problem.followed(), own.newton()) {
                        newton.set_history(history);
                    }
                }
            }
            for (quantity, observation) in self.deck.quantity.iter().zip(&self.observations) {
                let at = (&self.simulation, context);
                quantities.push(observation.value(quantity, &coefficients, at, &self.cell_ids)?);
            }
        }
        let duration = self.deck.time.as_ref().map_or(1.0, |time| time.end - time.start);
        let of = |(problem, own): (&ReducedProblem, &Vec<f64>)| match close {
            true => problem.stiffness(duration, own),
            false => f64::NAN,
        };
        let stiffness = self.problems.iter().zip(&coefficients).map(of).collect();
        Ok(Moment {
            time: context.time,
            on_frame,
            coefficients,
            quantities,
            residuals: self.residuals.clone(),
            stiffness,
        })
    }

    /// Has later problems read the present state of one.
    fn publish(&mut self, stage: usize) -> Result<()> {
        if self.simulation.stages[stage].input().is_some() && stage + 1 < self.problems.len() {
            let problem = &self.problems[stage];
            let nodal = problem.nodal(&self.states[stage].read()?[..problem.functions()]);
            self.simulation.stages[stage].set_solution(&nodal)?;
        }
        Ok(())
    }

    /// Goes back to the newest accepted states.
    fn fall_back(&mut self) -> Result<()> {
        for stage in 0..self.problems.len() {
            if let Some(past) = &self.pasts[stage] {
                self.states[stage].copy_from(past.solution())?;
                self.publish(stage)?;
            }
        }
        Ok(())
    }
}

/// Mean stiffness of a physics over the time between the moments where it is known; 1 where it is nowhere.
fn stiffness(moments: &[Moment], stage: usize) -> f64 {
    let known: Vec<[f64; 2]> = moments
        .iter()
        .map(|moment| [moment.time, moment.stiffness[stage]])
        .filter(|[_, own]| !own.is_nan())
        .collect();
    let (Some(first), Some(last)) = (known.first(), known.last()) else { return 1.0 };
    if last[0] <= first[0] {
        return last[1];
    }
    let sum: f64 =
        known.windows(2).map(|pair| 0.5 * (pair[0][1] + pair[1][1]) * (pair[1][0] - pair[0][0])).sum();
    sum / (last[0] - first[0])
}

/// Euclidean norm.
fn norm(list: &[f64]) -> f64 {
    list.iter().map(|v| v * v).sum::<f64>().sqrt()
}

impl Systems for SampledModel {
    fn attempt(
        &mut self,
        context: &Context,
        dt: f64,
        judge: &mut dyn FnMut(Option<f64>) -> bool,
    ) -> Result<Attempt> {
        let mut trials: Vec<Option<Trial>> = Vec::new();
        let mut step = Step { length: dt, ..Step::default() };
        for stage in 0..self.problems.len() {
            let Some(past) = &self.pasts[stage] else {
                trials.push(None);
                continue;
            };
            let solve = &mut |problem: &mut ReducedProblem, equation: &StepEquation, state: &mut Vector| {
                problem.solve(equation, state)
            };
            let trial = past.attempt(&mut self.problems[stage], context, dt, solve)?;
            step.newton += trial.newton.iterations;
            if let Some(failure) = trial.newton.failure.clone() {
                self.fall_back()?;
                return Ok(Attempt::Failed(failure));
            }
            self.states[stage].copy_from(&trial.solution)?;
            self.publish(stage)?;
            trials.push(Some(trial));
        }
        let error = trials.iter().flatten().filter_map(|trial| trial.error).reduce(f64::max);
        if !judge(error) {
            self.fall_back()?;
            return Ok(Attempt::Inaccurate);
        }
        step.error = error.unwrap_or(f64::NAN);
        for (stage, trial) in trials.into_iter().enumerate() {
            if let (Some(trial), Some(past)) = (trial, &mut self.pasts[stage]) {
                past.accept(&self.problems[stage], &trial, dt)?;
                self.residuals[stage] = norm(&trial.residual.read()?[self.problems[stage].functions()..]);
            }
        }
        Ok(Attempt::Good(step))
    }

    fn restart(&mut self) {
        self.pasts.iter_mut().flatten().for_each(TimeIntegrator::restart);
    }
}
