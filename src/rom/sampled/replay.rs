//! Trajectories of coefficients once more on the whole mesh: what the laws say along them, without a solve.
use super::reduction::{Reduction, Samples};
use crate::Result;
use crate::mixture::Columns;
use crate::physics::{Context, FormState, Prepared};
use crate::simulation::{Evolution, Simulation};
use crate::solver::{NewtonOutcome, NewtonSolver, StepEquation};
use petsc_rs::Vector;

/// The coefficients of a trajectory, by physics.
pub struct Trajectory<'a> {
    /// Start and ends of steps, s; one time of a steady problem.
    pub times: &'a [f64],
    /// `[physics][moment]`.
    pub coefficients: Vec<&'a [Vec<f64>]>,
}

/// What sees a problem at the states of its equations: the physics, the problem there, the state, and the number of the moment
/// whose step it belongs to.
pub type Visit<'a> = dyn FnMut(usize, &Prepared, FormState, usize) -> Result<()> + 'a;

impl Trajectory<'_> {
    /// Coefficients at a time within the step that ends at a moment.
    fn at(&self, stage: usize, moment: usize, time: f64) -> Vec<f64> {
        let own = self.coefficients[stage];
        let (before, after) = (&own[moment.saturating_sub(1)], &own[moment]);
        let (t0, t1) = (self.times[moment.saturating_sub(1)], self.times[moment]);
        let share = if t1 > t0 { ((time - t0) / (t1 - t0)).clamp(0.0, 1.0) } else { 1.0 };
        if (1.0 - share).abs() < 1e-9 {
            return after.clone();
        }
        before.iter().zip(after).map(|(a, b)| a + share * (b - a)).collect()
    }
}

/// Follows a trajectory with the deck's own scheme: internal variables are those of its states. `visit` sees every equation,
/// `reached` the simulation at every moment. Collective.
///
/// # Errors
/// When a law has no value at a state; those of `visit` and `reached`.
pub fn replay(
    simulation: &mut Simulation,
    functions: &[&Columns],
    context: &Context,
    trajectory: &Trajectory,
    visit: &mut Visit,
    reached: &mut dyn FnMut(&Simulation, &Context, usize) -> Result<()>,
) -> Result<()> {
    let comm = simulation.mesh.comm.clone();
    let set = |simulation: &mut Simulation, stage: usize, moment: usize| -> Result<()> {
        let coefficients = &trajectory.coefficients[stage][moment];
        simulation.stages[stage].set_solution(&combined(functions[stage], coefficients))
    };
    // Problems without a time derivative.
    let steady =
        |simulation: &mut Simulation, context: &Context, moment: usize, visit: &mut Visit| -> Result<()> {
            for stage in 0..simulation.stages.len() {
                if simulation.stages[stage].evolves() {
                    continue;
                }
                set(simulation, stage, moment)?;
                let own = &simulation.stages[stage];
                let prepared = comm.agree(own.problem.at(context))?;
                let state = own.solution().local_read()?;
                let history = own.problem.new_history();
                let at = FormState { history: history.as_ref(), ..FormState::steady(&state) };
                visit(stage, &prepared, at, moment)?;
            }
            Ok(())
        };
    let Some(time) = simulation.deck.time.clone() else {
        steady(simulation, context, 0, visit)?;
        return reached(simulation, context, 0);
    };
    let context = Context { time: trajectory.times[0], ..context.clone() };
    comm.agree(simulation.reset(&context))?;
    for stage in 0..simulation.stages.len() {
        set(simulation, stage, 0)?;
    }
    let mut evolution = comm.agree(Evolution::start(simulation, &time, context))?;
    steady(simulation, &evolution.context, 0, visit)?;
    reached(simulation, &evolution.context, 0)?;
    for (moment, &end) in trajectory.times.iter().enumerate().skip(1) {
        let mut follow =
            |stage: usize, newton: &mut NewtonSolver, equation: &StepEquation, state: &mut Vector| {
                newton.set_equation(&equation.context, equation.parts, Some(equation.offset.try_clone()?))?;
                let coefficients = trajectory.at(stage, moment, equation.context.time);
                state.write()?.copy_from_slice(&combined(functions[stage], &coefficients));
                state.ghost_update()?;
                let (prepared, history) = (newton.prepared()?, newton.history());
                let local = state.local_read()?;
                let at = FormState { state: &local, history: history.as_deref(), parts: equation.parts };
                visit(stage, &prepared, at, moment)?;
                Ok(NewtonOutcome::default())
            };
        evolution.follow(simulation, end, &mut follow)?;
        steady(simulation, &evolution.context, moment, visit)?;
        reached(simulation, &evolution.context, moment)?;
    }
    Ok(())
}

/// A combination of functions.
fn combined(functions: &Columns, coefficients: &[f64]) -> Vec<f64> {
    let mut state = vec![0.0; functions.rows()];
    functions.add_to(coefficients, &mut state);
    state
}

/// Follows the projected states of a training sample. Collective.
///
/// # Errors
/// As [`replay`].
pub(super) fn replay_sample(
    simulation: &mut Simulation,
    reductions: &[Reduction],
    samples: Samples,
    number: usize,
    visit: &mut Visit,
) -> Result<()> {
    let sample = samples.which[number];
    let times = samples.times(sample)?;
    let coefficients = reductions.iter().map(|reduction| &reduction.coefficients[number][..]).collect();
    let trajectory = Trajectory { times: &times, coefficients };
    let context = samples.context(sample, times[0]);
    let functions: Vec<&Columns> = reductions.iter().map(|reduction| &reduction.functions).collect();
    replay(simulation, &functions, &context, &trajectory, visit, &mut |_, _, _| Ok(()))
}
