//! A deck's problems in time: all of them step together, and a step is cut when one of them fails.
use super::problems::Simulation;
use super::stage::StageSolver;
use crate::Result;
use crate::deck::{TimeScheme, TimeSection};
use crate::physics::Context;
use crate::solver::{NewtonOutcome, StepControl, TimeIntegrator, Trial};

/// A problem that evolves.
pub struct Evolving {
    /// Its number in the simulation.
    pub stage: usize,
    /// Its past.
    pub integrator: TimeIntegrator,
}

/// One accepted step.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Time at its end, s.
    pub time: f64,
    /// Its length, s.
    pub length: f64,
    /// Newton iterations of all problems.
    pub newton: usize,
    /// Krylov iterations of all problems.
    pub linear: usize,
    /// Estimated relative local error, the largest of all problems.
    pub error: f64,
    /// Integral of what the first problem conserves.
    pub conserved: f64,
    /// What came in through essential boundaries, a second.
    pub supplied: f64,
    /// What came in otherwise, a second.
    pub inflow: f64,
    /// What the change of `conserved` lacks.
    pub imbalance: f64,
    /// Quantities of interest at its end, as far as its owner wants them.
    pub quantities: Vec<f64>,
}

/// What became of an attempted step.
pub enum Progress {
    /// It was good; whether a frame stands at its end.
    Accepted(Step, bool),
    /// It was not accurate enough; the next one is shorter.
    Rejected,
    /// A solve failed for this reason; the next step has this length (s).
    Cut(String, f64),
    /// It failed for this reason, and no shorter one is allowed.
    Failed(String),
}

/// The state of a run in time between two steps.
pub struct Evolution {
    /// The problems with a time derivative, in the order of the deck.
    pub problems: Vec<Evolving>,
    /// Chooses the lengths of steps.
    pub control: StepControl,
    /// Parameters and time.
    pub context: Context,
    /// Steps not accepted so far.
    pub rejected: usize,
    time: TimeSection,
    frames: Vec<f64>,
    /// Ascending times that no step may pass over.
    stops: Vec<f64>,
}

impl TimeSection {
    /// The times of so many equal intervals, start and end included.
    pub fn frames(&self, intervals: usize) -> Vec<f64> {
        let time = |k: usize| self.start + (self.end - self.start) * k as f64 / intervals as f64;
        (0..=intervals).map(time).collect()
    }
}

impl Evolution {
    /// Starts all problems with a time derivative from their present solutions at `context.time`. Collective.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) when a coefficient cannot be evaluated.
    pub fn start(simulation: &mut Simulation, time: &TimeSection, context: Context) -> Result<Self> {
        let Simulation { deck, stages, .. } = simulation;
        let mut problems = Vec::new();
        for (stage, s) in stages.iter_mut().enumerate() {
            if let StageSolver::Newton(newton) = &mut s.solver {
                let history = newton.history().is_some();
                let scheme = if history { TimeScheme::Bdf1 } else { time.scheme };
                let integrator = TimeIntegrator::new(scheme, newton, &context, &s.solution)
                    .map_err(|error| deck.locate(error))?;
                s.essential = newton.essential().clone();
                s.starts = s.residual.is_none();
                s.restore(&integrator)?;
                problems.push(Evolving { stage, integrator });
            }
        }
        let control = step_control(time);
        let (time, frames, stops) = (time.clone(), Vec::new(), Vec::new());
        Ok(Self { problems, control, context, rejected: 0, time, frames, stops })
    }

    /// Steps will end exactly at these ascending times.
    pub fn stop_at(&mut self, frames: &[f64]) {
        self.frames = frames.to_vec();
        self.stops = frames.iter().chain(&self.time.stops).copied().collect();
        self.stops.sort_by(f64::total_cmp);
    }

    /// Whether the end is reached.
    pub fn is_over(&self) -> bool {
        self.context.time >= self.time.end - 1e-9 * self.time.step
    }

    /// Attempts a step of all problems, in the order of the deck, and keeps it if all are good. Collective.
    ///
    /// # Errors
    /// See [`NewtonSolver::solve`](crate::solver::NewtonSolver::solve).
    pub fn advance(&mut self, simulation: &mut Simulation) -> Result<Progress> {
        let dt = self.control.next(self.context.time, &self.stops);
        let (end, slack) = (self.context.time + dt, 1e-9 * self.time.step.max(dt));
        let reached = |stop: &&f64| (end - **stop).abs() <= slack;
        Ok(match self.attempt(simulation, dt)? {
            Attempt::Inaccurate if self.control.is_shortest(dt) => Progress::Failed(format!(
                "a step of {dt:.3e} s, the shortest allowed, is not accurate to time.tolerance"
            )),
            Attempt::Inaccurate => {
                self.rejected += 1;
                Progress::Rejected
            }
            Attempt::Failed(why) => {
                self.rejected += 1;
                match self.control.cut(dt) {
                    true => Progress::Cut(why, dt / 4.0),
                    false => {
                        let shortest = self.control.shortest;
                        Progress::Failed(format!("{why}. The step cannot be shorter than {shortest:.3e} s"))
                    }
                }
            }
            Attempt::Good(mut step) => {
                let on_stop = self.time.stops.iter().any(|stop| reached(&stop));
                let on_frame = self.frames.iter().find(reached).copied();
                self.context.time = on_frame.unwrap_or(end);
                step.time = self.context.time;
                if on_stop {
                    self.problems.iter_mut().for_each(|problem| problem.integrator.restart());
                    // Without a past there may be no estimate of the error either.
                    self.control.step = self.control.step.min(self.time.step);
                }
                Progress::Accepted(step, on_frame.is_some())
            }
        })
    }

    fn attempt(&mut self, simulation: &mut Simulation, dt: f64) -> Result<Attempt> {
        let mut trials: Vec<Trial> = Vec::new();
        let mut step = Step { length: dt, ..Step::default() };
        for problem in &self.problems {
            let stage = &mut simulation.stages[problem.stage];
            if stage.solver.history().is_some() {
                // A solid without inertia rests on its supports at all times.
                let end = Context { time: self.context.time + dt, ..self.context.clone() };
                if let Err(error) = stage.check_support(&end) {
                    return Ok(Attempt::Failed(error.to_string()));
                }
            }
            let StageSolver::Newton(newton) = &mut stage.solver else { continue };
            let trial = problem.integrator.attempt(newton, &self.context, dt)?;
            let NewtonOutcome { iterations, linear_iterations, failure, .. } = &trial.newton;
            step.newton += iterations;
            step.linear += linear_iterations;
            if let Some(failure) = failure {
                for done in self.problems.iter().take(trials.len()) {
                    simulation.stages[done.stage].restore(&done.integrator)?;
                }
                return Ok(Attempt::Failed(failure.clone()));
            }
            // Later problems read this one's field at the end of the step.
            stage.solution.copy_from(&trial.solution)?;
            stage.publish()?;
            trials.push(trial);
        }
        let error = trials.iter().filter_map(|t| t.error).reduce(f64::max);
        if !self.control.accepts(error, dt) {
            for problem in &self.problems {
                simulation.stages[problem.stage].restore(&problem.integrator)?;
            }
            return Ok(Attempt::Inaccurate);
        }
        step.error = error.unwrap_or(f64::NAN);
        // The balance is that of the first problem.
        let first = self.problems.first().map_or(0, |problem| problem.stage);
        for (problem, trial) in self.problems.iter_mut().zip(trials) {
            let stage = &mut simulation.stages[problem.stage];
            let StageSolver::Newton(newton) = &stage.solver else { continue };
            let before = problem.integrator.conserved()?;
            stage.before = match trial.mean {
                true => Some((self.context.clone(), problem.integrator.solution().try_clone()?)),
                false => None,
            };
            if let Some((_, start)) = &mut stage.before {
                start.ghost_update()?;
            }
            problem.integrator.accept(newton, &trial, dt)?;
            stage.essential = newton.essential().clone();
            stage.solution.ghost_update()?;
            if problem.stage == first {
                step.conserved = problem.integrator.conserved()?;
                (step.supplied, step.inflow) = (trial.flow.supplied, trial.flow.natural);
                step.imbalance = step.conserved - before - dt * trial.flow.total();
            }
            stage.residual = Some(trial.residual);
            stage.starts = false;
        }
        Ok(Attempt::Good(step))
    }
}

enum Attempt {
    Good(Step),
    Inaccurate,
    Failed(String),
}

fn step_control(time: &TimeSection) -> StepControl {
    StepControl {
        tolerance: time.tolerance,
        order: time.scheme.order_of_estimate(),
        shortest: time.shortest.unwrap_or(1e-6 * time.step),
        longest: time.longest.unwrap_or(match time.tolerance {
            Some(_) => (time.end - time.start) / 10.0,
            None => time.step,
        }),
        step: time.step,
    }
}

impl Simulation {
    /// Goes back to the start of a run in time: draws the random fields of the sample, forgets what the solvers remember,
    /// and sets the initial values. Collective.
    ///
    /// # Errors
    /// As [`Simulation::set_initial`].
    pub fn reset(&mut self, context: &Context) -> Result<()> {
        self.random.draw(context.sample)?;
        for stage in &mut self.stages {
            stage.solution.set(0.0)?;
            stage.residual = None;
            stage.before = None;
            stage.publish()?;
            if let StageSolver::Newton(newton) = &mut stage.solver {
                newton.resume(0.0, stage.problem.new_history());
            }
        }
        self.set_initial(context)
    }

    /// Solves the problems without a time derivative at the present time of the others. Collective.
    ///
    /// # Errors
    /// As [`Simulation::solve`].
    pub fn solve_steady(&mut self, context: &Context) -> Result<()> {
        let Self { deck, stages, .. } = self;
        let mut steady = stages.iter_mut().filter(|stage| !matches!(stage.solver, StageSolver::Newton(_)));
        steady.try_for_each(|stage| stage.solve(context)).map_err(|error| deck.locate(error))
    }
}
