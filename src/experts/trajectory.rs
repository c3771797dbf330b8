//! Repairs of predicted runs in time, step by step: the equations of a step hold the repaired states before it.
//!
//! The scheme of the deck stays what it is; where it would solve an equation, the layer repairs the prediction of the same
//! time. So a balance that holds for every equation holds for the step, with what is stored and what flows in, and level
//! `exact` gives the run itself.
use super::constraint::{Constraint, Last};
use super::equations::{Equations, pull_prescribed, pull_term};
use super::repair::Repair;
use crate::fem::{History, Parts};
use crate::mixture::Columns;
use crate::physics::{Context, FormState, Problem, Side};
use crate::simulation::{Evolution, Simulation, Step};
use crate::solver::{Earlier, NewtonOutcome, NewtonSolver, StepEquation};
use crate::{Error, Result};
use petsc_rs::Vector;
use std::rc::Rc;

/// States of one problem at ascending times, with straight lines between them.
pub struct Frames {
    /// Times (s).
    pub times: Vec<f64>,
    /// A field at each.
    pub states: Vec<Vector>,
}

impl Frames {
    /// The two frames about a time, with their weights.
    fn about(&self, time: f64) -> [(usize, f64); 2] {
        let last = self.times.len() - 1;
        let next = self.times.partition_point(|t| *t < time).clamp(usize::from(last > 0), last);
        let before = next.saturating_sub(1);
        let length = self.times[next] - self.times[before];
        let share = if length > 0.0 { ((time - self.times[before]) / length).clamp(0.0, 1.0) } else { 1.0 };
        [(before, 1.0 - share), (next, share)]
    }

    /// The field at a time; ghosts are not up to date. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn at(&self, time: f64, field: &mut Vector) -> Result<()> {
        field.set(0.0)?;
        for (frame, weight) in self.about(time) {
            field.axpy(weight, &self.states[frame])?;
        }
        Ok(())
    }

    /// The transpose of [`Frames::at`]: adds what is said of the field at a time to what is said of the frames.
    /// Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn pull_back(&self, time: f64, cotangent: &Vector, frames: &mut [Vector]) -> Result<()> {
        for (frame, weight) in self.about(time) {
            frames[frame].axpy(weight, cotangent)?;
        }
        Ok(())
    }
}

/// What a repaired run in time of one problem remembers for its derivative: every state that it found.
#[derive(Default)]
pub struct Tape {
    /// Where the run began, and when.
    initial: Option<(Context, Vector)>,
    solves: Vec<Solved>,
    /// States at the ends of accepted steps; 0 is the initial one, n the state of the n-th equation.
    accepted: Vec<usize>,
    /// Whether the prediction of every equation is the state at the end of the step before.
    follows: bool,
}

/// One equation with its repaired state.
struct Solved {
    context: Context,
    parts: Parts,
    offset: Vector,
    /// Internal variables at the start of the step.
    history: Option<History>,
    /// The state at the end of the step before.
    before: usize,
    /// States, with the factors of what is stored and of the rest.
    terms: Vec<(usize, f64, f64)>,
    last: Last,
}

/// What a scalar `L` says of a repaired run.
#[derive(Clone, Copy, Default)]
pub struct Cotangents<'a> {
    /// `dL/du` of the initial state.
    pub initial: Option<&'a Vector>,
    /// `dL/du` of the states at the ends of all steps.
    pub states: &'a [Vector],
    /// `dL/dr` of what all equations leave, in the order of [`Tape::residuals`]; zero where values are prescribed.
    pub residuals: Option<&'a [Vector]>,
}

/// What a scalar `L` of the repaired states says of the inputs of the run.
pub struct TrajectoryPullback {
    /// Time (s) of every equation, in their order, and `dL/du^` of its prediction; none where these are the states before.
    pub predictions: Vec<(f64, Vector)>,
    /// `dL/du` of the initial state, zero where its values are prescribed.
    pub initial: Vector,
    /// `dL/d mu` of every parameter of the deck, with the initial state and fields of other problems as they are.
    pub parameters: Vec<f64>,
    /// `dL/d Phi` of the columns of levels `residual` and `coupled`.
    pub columns: Columns,
}

/// What repairs the state of an equation of a step.
pub type StepRepair<'a> = dyn FnMut(&Context, &Equations, &mut Vector) -> Result<Repair> + 'a;

/// Finds the state of an equation of a step by a repair, which begins with the run's own first guess in its state.
/// Collective.
///
/// # Errors
/// Those of `repair`, with the time.
pub fn by_repair(
    newton: &mut NewtonSolver,
    equation: &StepEquation,
    state: &mut Vector,
    repair: &mut StepRepair,
) -> Result<Repair> {
    let StepEquation { context, parts, offset, .. } = equation;
    newton.set_equation(context, *parts, Some(offset.try_clone()?))?;
    let prepared = newton.problem().clone().at(context)?;
    let history = newton.history();
    let equations = Equations::step(&prepared, *parts, Some(offset), history.as_deref());
    let when = |error| match error {
        Error::Failed(text) => Error::Failed(format!("at {:.6e} s: {text}", context.time)),
        other => other,
    };
    repair(context, &equations, state).map_err(when)
}

/// Takes a step to the time `end`: every problem that evolves, by its number, has a layer and a prediction (`predict`
/// fills in its field at a time, ghosts need not be up to date). `tapes`, one for each problem, remember it for the
/// derivative. Gives the repairs with their problems, in the order of the equations. Collective.
///
/// # Errors
/// Those of [`Constraint::apply`] and of `predict`.
pub fn repair_step(
    simulation: &mut Simulation,
    evolution: &mut Evolution,
    layers: &mut [Constraint],
    end: f64,
    predict: &mut dyn FnMut(usize, f64, &mut Vector) -> Result<()>,
    mut tapes: Option<&mut [Tape]>,
) -> Result<(Step, Vec<(usize, Repair)>)> {
    if let Some(tapes) = &mut tapes {
        for (tape, stage) in tapes.iter_mut().zip(&simulation.stages) {
            tape.begin(&evolution.context, stage.solution())?;
        }
    }
    let mut repairs = Vec::new();
    let mut found: Vec<usize> = vec![0; layers.len()];
    let solve =
        &mut |number: usize, newton: &mut NewtonSolver, equation: &StepEquation, state: &mut Vector| {
            let StepEquation { context, parts, terms, offset } = equation;
            let layer = &mut layers[number];
            let repair = by_repair(newton, equation, state, &mut |context, equations, state| {
                let guess = state.try_clone()?;
                predict(number, context.time, state)?;
                layer.apply_or(equations, Some(&guess), state)
            })?;
            let outcome = NewtonOutcome { iterations: repair.iterations, ..NewtonOutcome::default() };
            repairs.push((number, repair));
            if let Some(tapes) = &mut tapes {
                let history = newton.history().map(|history| history.clone());
                if history.is_some() && layer.ports.is_some() {
                    let text =
                        "with ports a repaired run of a model with internal variables has no derivative";
                    return Err(Error::Failed(format!("{}: {text}", layer.name)));
                }
                let tape = &mut tapes[number];
                let place = |of| match of {
                    Earlier::Accepted(back) => tape.accepted[tape.accepted.len() - 1 - back],
                    Earlier::Stage(stage) => tape.solves.len() - found[number] + stage + 1,
                };
                let terms = terms.iter().map(|term| (place(term.of), term.storage, term.rest)).collect();
                let last = layer.last.take().expect("a repair leaves it");
                let (context, offset) = (context.clone(), offset.try_clone()?);
                let before = *tape.accepted.last().expect("set when it began");
                tape.solves.push(Solved { context, parts: *parts, offset, history, before, terms, last });
                found[number] += 1;
            }
            Ok(outcome)
        };
    let step = evolution.follow(simulation, end, solve)?;
    if let Some(tapes) = tapes {
        for tape in tapes.iter_mut() {
            tape.accepted.push(tape.solves.len());
        }
    }
    Ok((step, repairs))
}

impl Tape {
    /// For a run whose predictions are the states at the ends of the steps before: what is said of them is said of these.
    pub fn following() -> Self {
        Self { follows: true, ..Self::default() }
    }

    /// Where a run begins, unless that is known.
    pub(super) fn begin(&mut self, context: &Context, state: &Vector) -> Result<()> {
        if self.initial.is_none() {
            self.initial = Some((context.clone(), state.try_clone()?));
            self.accepted.push(0);
        }
        Ok(())
    }

    /// Steps so far.
    pub fn steps(&self) -> usize {
        self.accepted.len().saturating_sub(1)
    }

    /// What the repaired states leave of the equations, in their order: times (s), parts, and residuals at the free
    /// unknowns. Collective.
    ///
    /// # Errors
    /// When a coefficient cannot be evaluated, or PETSc fails.
    pub fn residuals(&self, problem: &Rc<Problem>) -> Result<Vec<(f64, Parts, Vector)>> {
        let of = |solved: &Solved| {
            let prepared = problem.at(&solved.context)?;
            let mut residual = solved.offset.duplicate()?;
            let (offset, history) = (Some(&solved.offset), solved.history.as_ref());
            let equations = Equations::step(&prepared, solved.parts, offset, history);
            equations.residual(&solved.last.state, &mut residual)?;
            Ok((solved.context.time, solved.parts, residual))
        };
        self.solves.iter().map(of).collect()
    }

    /// Pulls `dL/du` of the states at the ends of all steps, in their order, back through the run that the layer repaired.
    /// Collective.
    ///
    /// # Errors
    /// [`Error::Failed`] when there are more or fewer of them than steps, or a solve fails.
    pub fn pull_back(
        &mut self,
        layer: &mut Constraint,
        problem: &Rc<Problem>,
        states: &[Vector],
    ) -> Result<TrajectoryPullback> {
        self.pull_back_all(layer, problem, &Cotangents { states, ..Cotangents::default() })
    }

    /// As [`Tape::pull_back`] of all that is said of a run. Collective.
    ///
    /// # Errors
    /// As there.
    pub fn pull_back_all(
        &mut self,
        layer: &mut Constraint,
        problem: &Rc<Problem>,
        cotangents: &Cotangents,
    ) -> Result<TrajectoryPullback> {
        let Some((start, initial)) = &self.initial else {
            return Err(Error::Failed(format!("{}: nothing to derive", layer.name)));
        };
        let steps = self.accepted.len() - 1;
        for (count, wanted, what) in [
            (cotangents.states.len(), steps, "steps"),
            (cotangents.residuals.map_or(self.solves.len(), <[Vector]>::len), self.solves.len(), "equations"),
        ] {
            if count != wanted {
                let text = format!("{count} cotangents for {wanted} {what}");
                return Err(Error::Failed(format!("{}: {text}", layer.name)));
            }
        }
        let space = &problem.space;
        let mut said: Vec<Vector> = Vec::with_capacity(self.solves.len() + 1);
        for _ in 0..=self.solves.len() {
            said.push(space.field()?);
        }
        for (&state, cotangent) in self.accepted[1..].iter().zip(cotangents.states) {
            said[state].axpy(1.0, cotangent)?;
        }
        cotangents.initial.map_or(Ok(()), |cotangent| said[0].axpy(1.0, cotangent))?;
        let mut parameters = vec![0.0; start.parameters.len()];
        let mut columns: Option<Columns> = None;
        let mut predictions = Vec::with_capacity(self.solves.len());
        let mut image = space.field()?;
        let mut said_of_history: Option<History> = None;
        for number in (0..self.solves.len()).rev() {
            let mut said_of_it = said.pop().expect("one for each state");
            let solved = &mut self.solves[number];
            let prepared = problem.at(&solved.context)?;
            let history = solved.history.as_ref();
            let equations = Equations::step(&prepared, solved.parts, Some(&solved.offset), history);
            // What is said of the internal variables at the end of the step, it says of its state and of those at its start.
            let mut of_start: Option<History> = None;
            if let (Some(history), Some(end)) = (history, said_of_history.take()) {
                let local = solved.last.state.local_read()?;
                let form = FormState { state: &local, history: Some(history), parts: solved.parts };
                let (of_state, own) = prepared.pull_history(form, history, Some(&end), None)?;
                said_of_it.axpy(1.0, &of_state)?;
                for (parameter, sum) in parameters.iter_mut().enumerate() {
                    *sum += prepared.history_slope(parameter, form, history, &end)?;
                }
                of_start = Some(own);
            }
            let of_residual = cotangents.residuals.map(|all| all[number].try_clone()).transpose()?;
            if let Some(of_residual) = &of_residual {
                let mut of_residual = of_residual.try_clone()?;
                of_residual.ghost_update()?;
                let state = solved.last.state.local_read()?;
                let form = FormState { state: &state, history, parts: solved.parts };
                said_of_it.axpy(1.0, &prepared.product(form, Side::Transposed, &of_residual)?)?;
                for (parameter, sum) in parameters.iter_mut().enumerate() {
                    prepared.slope(parameter, form, &mut image)?;
                    *sum += image.dot(&of_residual)?;
                }
                if let Some(history) = history {
                    let own = prepared.pull_history(form, history, None, Some(&of_residual))?.1;
                    of_start = both(of_start, Some(own));
                }
            }
            let kept = layer.last.replace(solved.last.try_clone()?);
            let pulled = layer.pull_back(&equations, &said_of_it);
            layer.last = kept;
            let mut pulled = pulled?;
            said_of_history = both(of_start, pulled.history.take());
            parameters.iter_mut().zip(&pulled.parameters).for_each(|(sum, p)| *sum += p);
            match &mut columns {
                None => columns = Some(pulled.columns),
                Some(sum) => sum.add(&pulled.columns),
            }
            match self.follows {
                true => said[solved.before].axpy(1.0, &pulled.prediction)?,
                false => predictions.push((solved.context.time, pulled.prediction)),
            }
            let mut offset = pulled.offset;
            of_residual.map_or(Ok(()), |of_residual| offset.axpy(1.0, &of_residual))?;
            offset.ghost_update()?;
            for &(earlier, storage, rest) in &self.solves[number].terms {
                let (context, state) = match earlier {
                    0 => (start, initial),
                    n => (&self.solves[n - 1].context, &self.solves[n - 1].last.state),
                };
                let at = (&problem.at(context)?, state);
                pull_term(at, (storage, rest), &offset, &mut said[earlier], &mut parameters)?;
            }
        }
        predictions.reverse();
        let mut initial = said.pop().expect("the initial state's");
        problem.fold_unused(&mut initial)?;
        pull_prescribed(&problem.at(start)?, &mut initial, &mut parameters)?;
        let columns = columns.unwrap_or_else(|| Columns::new(&space.mesh.comm, space.owned_dofs()));
        Ok(TrajectoryPullback { predictions, initial, parameters, columns })
    }
}

/// The sum of what is said of internal variables.
fn both(one: Option<History>, other: Option<History>) -> Option<History> {
    match (one, other) {
        (Some(mut sum), Some(other)) => {
            sum.values.iter_mut().zip(&other.values).for_each(|(sum, v)| *sum += v);
            Some(sum)
        }
        (one, other) => one.or(other),
    }
}
