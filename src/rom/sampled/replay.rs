//! Trajectories of coefficients once more on the whole mesh: what the laws say along them, without a solve.
use super::reduction::{Reduction, Samples};
use crate::deck::TimeScheme;
use crate::fem::Parts;
use crate::mixture::Columns;
use crate::parallel::Redistribution;
use crate::physics::{Context, FormState, Prepared};
use crate::simulation::{Evolution, Simulation};
use crate::solver::{NewtonOutcome, NewtonSolver, StepEquation, by_newton};
use crate::{Error, Result};
use petsc_rs::Vector;

/// Moments of a sample that are looked at closely, at most.
pub(super) const MOMENTS: usize = 24;

/// Whether a moment of so many is looked at closely: the last one is, and others at even distances before it.
pub(super) fn is_close(moment: usize, count: usize) -> bool {
    (count - 1 - moment).is_multiple_of(count.div_ceil(MOMENTS))
}

/// States at moments.
pub trait Path {
    /// Start and ends of steps, s; one time of a steady problem.
    fn times(&self) -> &[f64];

    /// The state of a physics at a time within the step that ends at a moment: this rank's unknowns. Collective.
    ///
    /// # Errors
    /// When it cannot be read.
    fn state(&self, stage: usize, moment: usize, time: f64) -> Result<Vec<f64>>;

    /// Which part of the step that ends at a moment lies before a time.
    fn share(&self, moment: usize, time: f64) -> f64 {
        let (t0, t1) = (self.times()[moment.saturating_sub(1)], self.times()[moment]);
        let share = if t1 > t0 { ((time - t0) / (t1 - t0)).clamp(0.0, 1.0) } else { 1.0 };
        if (1.0 - share).abs() < 1e-9 { 1.0 } else { share }
    }
}

/// Combinations of functions.
pub struct Combined<'a> {
    /// See [`Path::times`].
    pub times: &'a [f64],
    /// By physics.
    pub functions: Vec<&'a Columns>,
    /// `[physics][moment]`.
    pub coefficients: Vec<&'a [Vec<f64>]>,
}

impl Path for Combined<'_> {
    fn times(&self) -> &[f64] {
        self.times
    }

    fn state(&self, stage: usize, moment: usize, time: f64) -> Result<Vec<f64>> {
        let own = self.coefficients[stage];
        let (before, after, share) = (&own[moment.saturating_sub(1)], &own[moment], self.share(moment, time));
        let coefficients: Vec<f64> = before.iter().zip(after).map(|(a, b)| a + share * (b - a)).collect();
        let functions = self.functions[stage];
        let mut state = vec![0.0; functions.rows()];
        functions.add_to(if share == 1.0 { after } else { &coefficients }, &mut state);
        Ok(state)
    }
}

/// The states of a sample as they were stored.
pub struct Stored<'a> {
    /// See [`Path::times`].
    pub times: &'a [f64],
    /// Where they are.
    pub samples: Samples<'a>,
    /// Which one.
    pub sample: usize,
    /// Names of the solutions with the order of their files.
    pub fields: Vec<(String, Redistribution)>,
}

impl Path for Stored<'_> {
    fn times(&self) -> &[f64] {
        self.times
    }

    fn state(&self, stage: usize, moment: usize, time: f64) -> Result<Vec<f64>> {
        let (field, plan) = &self.fields[stage];
        let read = |moment| self.samples.source.read(self.sample, moment, field, plan);
        let (mut state, share) = (read(moment)?, self.share(moment, time));
        if share < 1.0 {
            let before = read(moment.saturating_sub(1))?;
            state.iter_mut().zip(before).for_each(|(v, a)| *v = a + share * (*v - a));
        }
        Ok(state)
    }
}

/// An equation at the state of a trajectory.
pub struct Visited<'a> {
    /// The physics.
    pub stage: usize,
    /// The problem at its parameters and time.
    pub prepared: &'a Prepared,
    /// The state.
    pub at: FormState<'a>,
    /// What stands in the equation beside the form; nothing in steady ones.
    pub offset: Option<&'a Vector>,
    /// Number of the moment whose step it belongs to.
    pub moment: usize,
}

impl Visited<'_> {
    /// The residual of the equation, zero at prescribed unknowns. Collective.
    ///
    /// # Errors
    /// When it cannot be assembled.
    pub(super) fn residual(&self) -> Result<Vector> {
        let mut residual = self.prepared.problem().space.field()?;
        self.prepared.residual(self.at, &mut residual)?;
        self.offset.map_or(Ok(()), |offset| residual.axpy(1.0, offset))?;
        self.prepared.essential.clear(&mut residual.write()?);
        Ok(residual)
    }
}

/// What sees the equations.
pub type Visit<'a> = dyn FnMut(Visited) -> Result<()> + 'a;

/// Follows a trajectory with the deck's own scheme: internal variables are those of its states. `visit` sees every equation,
/// `reached` the simulation at every moment. Collective.
///
/// # Errors
/// When a law has no value at a state; those of `visit` and `reached`.
pub fn replay(
    simulation: &mut Simulation,
    path: &dyn Path,
    context: &Context,
    visit: &mut Visit,
    reached: &mut dyn FnMut(&Simulation, &Context, usize) -> Result<()>,
) -> Result<()> {
    replay_with_pressures(simulation, path, context, visit, reached, &|_| false)
}

/// As [`replay`]; at the moments of `pressures` the pressures of flows, which modes of velocities do not determine, follow from a
/// solve of the moment's equation, of which the velocity is not kept. Collective.
///
/// # Errors
/// As there, and when such a solve fails.
pub fn replay_with_pressures(
    simulation: &mut Simulation,
    path: &dyn Path,
    context: &Context,
    visit: &mut Visit,
    reached: &mut dyn FnMut(&Simulation, &Context, usize) -> Result<()>,
    pressures: &dyn Fn(usize) -> bool,
) -> Result<()> {
    let comm = simulation.mesh.comm.clone();
    let set = |simulation: &mut Simulation, stage: usize, moment: usize| -> Result<()> {
        let state = path.state(stage, moment, path.times()[moment])?;
        simulation.stages[stage].set_solution(&state)
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
                visit(Visited { stage, prepared: &prepared, at, offset: None, moment })?;
                drop(state);
                drop(prepared);
                let own = &mut simulation.stages[stage];
                if own.problem.facts().pressure && pressures(moment) {
                    let mut state = own.solution().try_clone()?;
                    if let Some(newton) = own.newton() {
                        let offset = state.duplicate()?;
                        let equation = StepEquation {
                            context: context.clone(),
                            parts: Parts::REST,
                            terms: Vec::new(),
                            offset,
                        };
                        set_pressure(newton, &equation, &mut state)?;
                    }
                    let values = state.read()?;
                    own.set_solution(&values)?;
                }
            }
            Ok(())
        };
    simulation.random.draw(context.sample)?;
    let Some(time) = simulation.deck.time.clone() else {
        steady(simulation, context, 0, visit)?;
        return reached(simulation, context, 0);
    };
    let context = Context { time: path.times()[0], ..context.clone() };
    comm.agree(simulation.reset(&context))?;
    for stage in 0..simulation.stages.len() {
        set(simulation, stage, 0)?;
    }
    let mut evolution = comm.agree(Evolution::start(simulation, &time, context))?;
    let wants = (0..path.times().len()).any(pressures);
    steady(simulation, &evolution.context, 0, visit)?;
    reached(simulation, &evolution.context, 0)?;
    for (moment, &end) in path.times().iter().enumerate().skip(1) {
        let mut follow =
            |stage: usize, newton: &mut NewtonSolver, equation: &StepEquation, state: &mut Vector| {
                newton.set_equation(&equation.context, equation.parts, Some(equation.offset.try_clone()?))?;
                state.write()?.copy_from_slice(&path.state(stage, moment, equation.context.time)?);
                state.ghost_update()?;
                let (prepared, history) = (newton.prepared()?, newton.history());
                let local = state.local_read()?;
                let at = FormState { state: &local, history: history.as_deref(), parts: equation.parts };
                visit(Visited { stage, prepared: &prepared, at, offset: Some(&equation.offset), moment })?;
                drop((local, prepared, history));
                // A trapezoidal rule hands pressures on from step to step.
                let all = time.scheme == TimeScheme::CrankNicolson;
                if newton.problem().facts().pressure && (all && wants || pressures(moment)) {
                    set_pressure(newton, equation, state)?;
                }
                Ok(NewtonOutcome::default())
            };
        evolution.follow(simulation, end, &mut follow)?;
        steady(simulation, &evolution.context, moment, visit)?;
        reached(simulation, &evolution.context, moment)?;
    }
    Ok(())
}

/// Gives a flow's state the pressure that goes with its velocity. Collective.
fn set_pressure(newton: &mut NewtonSolver, equation: &StepEquation, state: &mut Vector) -> Result<()> {
    let c = newton.problem().space.components;
    let mut solved = state.try_clone()?;
    solved.ghost_update()?;
    if let Some(why) = by_newton(newton, equation, &mut solved)?.failure {
        return Err(Error::Failed(format!("the pressure of a prediction: {why}")));
    }
    {
        let (mut own, solved) = (state.write()?, solved.read()?);
        let pressures = own.iter_mut().zip(solved.iter()).skip(c - 1).step_by(c);
        pressures.for_each(|(value, found)| *value = *found);
    }
    Ok(state.ghost_update()?)
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
    reached: &mut dyn FnMut(&Simulation, &Context, usize) -> Result<()>,
) -> Result<()> {
    let sample = samples.which[number];
    let times = samples.times(sample)?;
    let functions = reductions.iter().map(|reduction| &reduction.functions).collect();
    let coefficients = reductions.iter().map(|reduction| &reduction.coefficients[number][..]).collect();
    let path = Combined { times: &times, functions, coefficients };
    replay(simulation, &path, &samples.context(sample, times[0]), visit, reached)
}
