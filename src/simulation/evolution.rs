//! A deck's problems in time: all of them step together, and a step is cut when one of them fails.
use super::problems::Simulation;
use super::stage::Stage;
use super::step::Step;
use crate::deck::TimeSection;
use crate::memory::{Entry, Kept, Memory};
use crate::physics::Context;
use crate::solver::{
    NewtonOutcome, NewtonSolver, StepControl, StepEquation, TimeIntegrator, Trial, by_newton,
};
use crate::{Error, Result};
use petsc_rs::Vector;

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

/// What finds the states of equations of the problems, by their numbers; see
/// [`StepSolve`](crate::solver::StepSolve).
pub type EquationSolve<'a> =
    dyn FnMut(usize, &mut NewtonSolver, &StepEquation, &mut Vector) -> Result<NewtonOutcome> + 'a;

/// The state of a run in time between two steps.
pub struct Evolution {
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
        let mut evolving = stages.iter_mut().filter(|stage| stage.problem.evolves());
        evolving
            .try_for_each(|stage| stage.begin(time.scheme, &context))
            .map_err(|error| deck.locate(error))?;
        Ok(Self::new(time, context))
    }

    /// At the start of systems that have begun already. Local.
    pub fn new(time: &TimeSection, context: Context) -> Self {
        let (time, control) = (time.clone(), step_control(time));
        Self { control, context, rejected: 0, time, frames: Vec::new(), stops: Vec::new() }
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
        let solve =
            &mut |_: usize, newton: &mut NewtonSolver, equation: &StepEquation, solution: &mut Vector| {
                by_newton(newton, equation, solution)
            };
        self.advance_with(simulation, solve)
    }

    /// As [`Evolution::advance`]; `solve` finds the states of the equations of each problem, by its number. Collective.
    ///
    /// # Errors
    /// Those of `solve`.
    pub fn advance_with(
        &mut self,
        simulation: &mut Simulation,
        solve: &mut EquationSolve,
    ) -> Result<Progress> {
        self.advance_on(&mut Solved { simulation, solve })
    }

    /// As [`Evolution::advance`], of other systems than a simulation's. Collective over their ranks.
    ///
    /// # Errors
    /// Those of the systems.
    pub fn advance_on(&mut self, systems: &mut dyn Systems) -> Result<Progress> {
        let dt = self.control.next(self.context.time, &self.stops);
        let (end, slack) = (self.context.time + dt, 1e-9 * self.time.step.max(dt));
        let reached = |stop: &&f64| (end - **stop).abs() <= slack;
        let control = &mut self.control;
        let mut judge = |error| control.accepts(error, dt);
        Ok(match systems.attempt(&self.context, dt, &mut judge)? {
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
                let on_frame = self.frames.iter().find(reached).copied();
                step.time = on_frame.unwrap_or(end);
                self.arrive(systems, step.time, slack);
                Progress::Accepted(step, on_frame.is_some())
            }
        })
    }

    /// What comes after an accepted step to the time `end`.
    fn arrive(&mut self, systems: &mut dyn Systems, end: f64, slack: f64) {
        self.context.time = end;
        if self.time.stops.iter().any(|stop| (end - *stop).abs() <= slack) {
            systems.restart();
            // Without a past there may be no estimate of the error either.
            self.control.step = self.control.step.min(self.time.step);
        }
    }

    /// A step of all problems to the time `end` that is kept however accurate it is; `solve` finds the states of the
    /// equations of each problem, by its number. Collective.
    ///
    /// # Errors
    /// Those of `solve`, and [`Error::Failed`] when `end` is not later than the present time.
    pub fn follow(
        &mut self,
        simulation: &mut Simulation,
        end: f64,
        solve: &mut EquationSolve,
    ) -> Result<Step> {
        self.follow_on(&mut Solved { simulation, solve }, end)
    }

    /// As [`Evolution::follow`], of other systems than a simulation's. Collective over their ranks.
    ///
    /// # Errors
    /// Those of the systems, and [`Error::Failed`] when `end` is not later than the present time.
    pub fn follow_on(&mut self, systems: &mut dyn Systems, end: f64) -> Result<Step> {
        let dt = end - self.context.time;
        if dt.is_nan() || dt <= 0.0 {
            let now = self.context.time;
            return Err(Error::Failed(format!("a step from {now:.9e} s to {end:.9e} s does not go forward")));
        }
        match systems.attempt(&self.context, dt, &mut |_| true)? {
            Attempt::Good(step) => {
                self.arrive(systems, end, 1e-9 * self.time.step.max(dt));
                Ok(Step { time: end, ..step })
            }
            Attempt::Failed(why) => Err(Error::Failed(why)),
            Attempt::Inaccurate => unreachable!("not judged"),
        }
    }
}

/// Systems that step in time together.
pub trait Systems {
    /// A step of all from `context.time` on, which is kept if all are good: `judge` gets the estimated error. Collective.
    ///
    /// # Errors
    /// Those of their solves.
    fn attempt(
        &mut self,
        context: &Context,
        dt: f64,
        judge: &mut dyn FnMut(Option<f64>) -> bool,
    ) -> Result<Attempt>;

    /// Forgets the steps before the newest, see [`TimeIntegrator::restart`].
    fn restart(&mut self);
}

/// The problems of a simulation, and what solves their equations.
struct Solved<'a, 'b> {
    simulation: &'a mut Simulation,
    solve: &'a mut EquationSolve<'b>,
}

impl Systems for Solved<'_, '_> {
    fn attempt(
        &mut self,
        context: &Context,
        dt: f64,
        judge: &mut dyn FnMut(Option<f64>) -> bool,
    ) -> Result<Attempt> {
        let Self { simulation, solve } = self;
        let mut trials: Vec<Trial> = Vec::new();
        let mut step = Step { length: dt, ..Step::default() };
        let all = simulation.stages.iter_mut().enumerate().filter(|(_, s)| s.evolves());
        let (numbers, mut evolving): (Vec<usize>, Vec<&mut Stage>) = all.unzip();
        for (stage, number) in evolving.iter_mut().zip(numbers) {
            if stage.history().is_some() {
                // A solid without inertia rests on its supports at all times.
                let end = Context { time: context.time + dt, ..context.clone() };
                if let Err(error) = stage.check_support(&end) {
                    return Ok(Attempt::Failed(error.to_string()));
                }
            }
            let solve = &mut |newton: &mut NewtonSolver, equation: &StepEquation, solution: &mut Vector| {
                solve(number, newton, equation, solution)
            };
            let Some(trial) = stage.attempt(context, dt, solve)? else { continue };
            step.newton += trial.newton.iterations;
            step.linear += trial.newton.linear_iterations;
            step.full += trial.newton.full;
            if let Some(failure) = &trial.newton.failure {
                let failure = failure.clone();
                evolving.iter_mut().take(trials.len()).try_for_each(|stage| stage.fall_back())?;
                return Ok(Attempt::Failed(failure));
            }
            trials.push(trial);
        }
        let error = trials.iter().filter_map(|t| t.error).reduce(f64::max);
        if !judge(error) {
            evolving.iter_mut().try_for_each(|stage| stage.fall_back())?;
            return Ok(Attempt::Inaccurate);
        }
        step.error = error.unwrap_or(f64::NAN);
        for (number, (stage, trial)) in evolving.into_iter().zip(trials).enumerate() {
            let flow = trial.flow;
            let change = stage.keep(trial, context, dt)?;
            // The balance is that of the first problem.
            if let (0, Some(change)) = (number, change) {
                (step.conserved, step.imbalance) = (change.conserved, change.imbalance);
                (step.supplied, step.inflow) = (flow.supplied, flow.natural);
            }
        }
        Ok(Attempt::Good(step))
    }

    fn restart(&mut self) {
        let pasts = self.simulation.stages.iter_mut().filter_map(|stage| stage.past.as_mut());
        pasts.for_each(TimeIntegrator::restart);
    }
}

/// What became of a step of systems.
pub enum Attempt {
    /// It is kept.
    Good(Step),
    /// It was judged not to be accurate.
    Inaccurate,
    /// Why an equation was not solved.
    Failed(String),
}

impl Memory for Evolution {
    fn remembered(&self) -> Vec<Entry<'_>> {
        let mut list = self.control.remembered();
        list.push(Entry::numbers("time", [self.context.time]));
        list.push(Entry::numbers("rejected", [self.rejected as f64]));
        list
    }

    fn restore(&mut self, kept: &dyn Kept) -> Result<()> {
        self.context.time = kept.number("time")?;
        self.rejected = kept.number("rejected")? as usize;
        self.control.restore(kept)
    }
}

/// The control of the steps that a deck asks for.
pub fn step_control(time: &TimeSection) -> StepControl {
    let one_length = time.tolerance.is_none() && time.growth == 1.0;
    let longest = time.longest.unwrap_or(match one_length {
        true => time.step,
        false => (time.end - time.start) / 10.0,
    });
    StepControl {
        tolerance: time.tolerance,
        growth: time.growth,
        order: time.scheme.order_of_estimate(),
        shortest: time.shortest.unwrap_or(1e-6 * time.step),
        longest: if one_length { longest.min(time.step) } else { longest },
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
        self.stages.iter_mut().try_for_each(Stage::reset)?;
        self.set_initial(context)
    }

    /// Solves the problems without a time derivative at the present time of the others. Collective.
    ///
    /// # Errors
    /// As [`Simulation::solve`].
    pub fn solve_steady(&mut self, context: &Context) -> Result<()> {
        let Self { deck, stages, .. } = self;
        let mut steady = stages.iter_mut().filter(|stage| !stage.evolves());
        steady.try_for_each(|stage| stage.solve(context)).map_err(|error| deck.locate(error))
    }
}
