//! Windows of steps in time: the equations of many steps at once, with functions in space and time whose coefficients are
//! those of the experts. A scheme's own formulas are recorded along a prediction; states before a window count as known.
use super::window::{Piece, Row, State, Window};
use crate::deck::ConstraintLevel;
use crate::experts::constraint::Constraint;
use crate::experts::equations::Equations;
use crate::experts::port_condition::PortCondition;
use crate::fem::Parts;
use crate::mixture::{Columns, spread};
use crate::physics::{Context, FormState, Prepared, Problem};
use crate::simulation::{Evolution, Simulation};
use crate::solver::{Earlier, NewtonOutcome, NewtonSolver, StepEquation};
use crate::{Error, Result};
use petsc_rs::Vector;
use std::rc::Rc;
use std::time::Instant;

/// The equations of the steps of a run of one problem, by their numbers from 1 on; the states that they find have the same
/// numbers, and 0 is the initial one.
pub struct StepEquations {
    /// Parameters and time of every state.
    pub contexts: Vec<Context>,
    /// The formula of every step.
    formulas: Vec<Option<Formula>>,
}

/// `parts.storage S(u) + parts.residual F(u) + sum of terms = 0`.
struct Formula {
    parts: Parts,
    /// Numbers of earlier states with the factors of what is stored and of the rest.
    terms: Vec<(usize, f64, f64)>,
}

/// A repaired window.
pub struct WindowRepair {
    /// Predictions with the essential values.
    pub(super) starts: Vec<Vector>,
    /// `[expert, function]`, of all experts.
    pub(super) coefficients: Vec<f64>,
    /// Of each expert of this rank the length of its rows at the prediction and at its own states.
    pub least: Vec<[f64; 2]>,
    /// What the balance of each expert of this rank lacks over the whole window, `[expert, component]`: at the prediction and
    /// in the expert's own states.
    pub balances: [Vec<f64>; 2],
    /// The largest jump between two experts, in the unit of the field.
    pub jump: f64,
    /// Iterations.
    pub iterations: usize,
    /// Wall time on the slowest rank, s.
    pub seconds: f64,
}

impl StepEquations {
    /// Takes the steps that end at `times`, each with the state that `predict` fills in, and writes down what the scheme makes
    /// of them. Collective.
    ///
    /// # Errors
    /// [`Error::Failed`] for a model with internal variables, more than one problem, or when a coefficient has no value.
    pub fn record(
        simulation: &mut Simulation,
        evolution: &mut Evolution,
        times: &[f64],
        predict: &mut dyn FnMut(&StepEquation, &mut NewtonSolver, &mut Vector) -> Result<()>,
    ) -> Result<Self> {
        if simulation.stages.len() != 1 || simulation.stages[0].history().is_some() {
            let text = "windows of steps are for one problem without internal variables";
            return Err(Error::input("constraint.windows", text));
        }
        let mut recorded = Self { contexts: vec![evolution.context.clone()], formulas: Vec::new() };
        for time in times {
            let now = recorded.formulas.len();
            let mut equations = Vec::new();
            evolution.follow(
                simulation,
                *time,
                &mut |_: usize, newton: &mut NewtonSolver, equation, state| {
                    let term = |term: &crate::solver::Term| match term.of {
                        Earlier::Accepted(back) => Some((now - back, term.storage, term.rest)),
                        Earlier::Stage(_) => None,
                    };
                    let terms: Option<Vec<_>> = equation.terms.iter().map(term).collect();
                    equations.push((
                        equation.context.clone(),
                        terms.map(|terms| Formula { parts: equation.parts, terms }),
                    ));
                    predict(equation, newton, state)?;
                    Ok(NewtonOutcome::default())
                },
            )?;
            let last = equations.pop().expect("a step has an equation");
            recorded.contexts.push(last.0);
            recorded.formulas.push(last.1.filter(|_| equations.is_empty()));
        }
        Ok(recorded)
    }

    /// Number of steps.
    pub fn count(&self) -> usize {
        self.formulas.len()
    }

    /// Whether a step is one equation for the state at its end. Steps of several stages are not, nor is the first step of a
    /// multistep formula: they have to be taken.
    pub fn is_one_equation(&self, step: usize) -> bool {
        self.formulas[step - 1].is_some()
    }

    fn formula(&self, step: usize) -> &Formula {
        self.formulas[step - 1].as_ref().expect("a step of one equation")
    }

    fn duration(&self, step: usize) -> f64 {
        self.contexts[step].time - self.contexts[step - 1].time
    }
}

/// A window: the states `before + 1 ..= before + prepared.len()`, with the problem at their times.
pub(super) struct Steps<'a> {
    pub equations: &'a StepEquations,
    pub before: usize,
    /// `[state]`.
    pub prepared: &'a [Prepared],
    /// States up to `before`.
    pub known: &'a [Vector],
    /// Values of functions, `[state, owned unknown]` each.
    pub functions: &'a Columns,
}

impl Steps<'_> {
    /// Terms of a formula that are known.
    pub fn known_terms(&self, step: usize) -> impl Iterator<Item = (usize, f64, f64)> {
        self.equations.formula(step).terms.iter().copied().filter(|term| term.0 <= self.before)
    }

    /// What known states leave in the equations. Collective.
    fn offsets(&self, problem: &Rc<Problem>) -> Result<Vec<Vec<f64>>> {
        let mut offsets = Vec::with_capacity(self.prepared.len());
        for step in self.before + 1..=self.before + self.prepared.len() {
            let mut sum = problem.space.field()?;
            let mut any = false;
            for (state, storage, rest) in self.known_terms(step) {
                let prepared = problem.at(&self.equations.contexts[state])?;
                let local = self.known[state].local_read()?;
                let mut part = sum.duplicate()?;
                for (parts, factor) in [(Parts::STORAGE, storage), (Parts::REST, rest)] {
                    if factor != 0.0 {
                        prepared.residual(FormState { parts, ..FormState::steady(&local) }, &mut part)?;
                        sum.axpy(factor, &part)?;
                        any = true;
                    }
                }
            }
            offsets.push(if any { sum.read()?.to_vec() } else { Vec::new() });
        }
        Ok(offsets)
    }

    /// The functions at the local unknowns of a state, `[unknown, function]`, zero where they are fixed. Collective.
    fn values(&self, problem: &Problem, state: usize) -> Result<Vec<f64>> {
        let (fixed, owned) = (&self.prepared[state].essential.fixed, problem.space.owned_dofs());
        let columns = self.functions.iter().map(|column| &column[state * owned..][..owned]);
        let mut values = vec![0.0; fixed.len() * self.functions.count()];
        spread(&problem.space, columns, fixed, (&mut values, 0))?;
        Ok(values)
    }

    /// The experts' rows about predictions that have the essential values. Collective.
    pub fn window(
        &self,
        layer: &Constraint,
        condition: PortCondition,
        problem: &Rc<Problem>,
        starts: &[Vector],
    ) -> Result<Window<'_>> {
        let (mut states, mut pieces, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        let offsets = self.offsets(problem)?;
        for (number, (start, offset)) in starts.iter().zip(offsets).enumerate() {
            let prepared = &self.prepared[number];
            states.push(State { start: start.local_read()?.to_vec(), phi: self.values(problem, number)? });
            for parts in [Parts::STORAGE, Parts::REST] {
                pieces.push(Piece { state: number, prepared, history: None, parts });
            }
            let step = self.before + 1 + number;
            let Formula { parts, terms } = self.equations.formula(step);
            let mut sum = vec![(2 * number, parts.storage), (2 * number + 1, parts.residual)];
            for &(state, storage, rest) in terms.iter().filter(|term| term.0 > self.before) {
                let piece = 2 * (state - self.before - 1);
                sum.extend([(piece, storage), (piece + 1, rest)].into_iter().filter(|term| term.1 != 0.0));
            }
            rows.push(Row { terms: sum, offset, duration: self.equations.duration(step) });
        }
        layer.window_of(condition, [self.functions.count(); 2], (states, pieces, rows))
    }
}

impl Constraint {
    /// Repairs a window of steps at once: from predictions of the states after number `known.len() - 1` to
    /// `states`, with the equations of all of these steps. Every expert has coefficients of `functions` (columns of owned
    /// unknowns, `[state, unknown]`), at the level `residual` by itself, at the level `coupled` with its neighbours at ports.
    /// Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when the level or what is asked of ports has no windows, [`Error::Failed`] when functions are not
    /// finite, conditions contradict one another, or the iteration does not converge.
    pub fn repair_steps(
        &mut self,
        problem: &Rc<Problem>,
        equations: &StepEquations,
        known: &[Vector],
        functions: &Columns,
        states: &mut [Vector],
    ) -> Result<WindowRepair> {
        let begin = Instant::now();
        let before = known.len() - 1;
        let condition = self.condition_of_steps(equations, before + states.len())?;
        if functions.count() == 0 {
            let text = "expected functions in space and time: name a --basis";
            return Err(Error::input("constraint.windows", text));
        }
        let prepared = self.prepared(problem, equations, before, states.len())?;
        self.check_functions(functions, &prepared[0].essential.fixed)?;
        let mut starts = Vec::with_capacity(states.len());
        for (state, prepared) in states.iter().zip(&prepared) {
            let mut start = state.try_clone()?;
            Equations::steady(prepared).impose(&problem.space, &mut start)?;
            if !start.norm(petsc_rs::Norm::Two)?.is_finite() {
                return Err(Error::Failed(format!("{}: the prediction is not finite", self.name)));
            }
            starts.push(start);
        }
        let steps = Steps { equations, before, prepared: &prepared, known, functions };
        let window = steps.window(self, condition, problem, &starts)?;
        let minimum = self.minimise(&window, condition)?;
        for (number, state) in states.iter_mut().enumerate() {
            state.copy_from(&starts[number])?;
            window.put_together(number, &minimum.at.w, state)?;
            problem.fill_unused(state)?;
            state.ghost_update()?;
        }
        let own = self.basis.gating.experts.start as usize..self.basis.gating.experts.end as usize;
        let balances = [&minimum.first, &minimum.at.evaluated]
            .map(|at| at.balances(window.layout(), own.clone()).collect());
        let least = minimum.lengths(&window, own);
        let seconds = problem.space.mesh.comm.max(begin.elapsed().as_secs_f64());
        drop(window);
        Ok(WindowRepair {
            starts,
            coefficients: minimum.at.w,
            least,
            balances,
            jump: minimum.jump,
            iterations: minimum.iterations,
            seconds,
        })
    }

    /// What holds between experts in a window that ends with a state of that number.
    pub(super) fn condition_of_steps(&self, equations: &StepEquations, last: usize) -> Result<PortCondition> {
        let fault = |key: &str, text: &str| Err(Error::input(key, format!("{}: {text}", self.name)));
        match (self.options.level, self.ports) {
            (ConstraintLevel::Residual, _) => Ok(PortCondition::Open),
            (ConstraintLevel::Coupled, Some(PortCondition::Weak(_) | PortCondition::Flux))
                if last < equations.count() =>
            {
                let text = "in several windows expected \"strong\": what is stored where experts do not agree is not known \
                            in the next window";
                fault("constraint.ports", text)
            }
            (ConstraintLevel::Coupled, Some(ports)) => Ok(ports),
            _ => fault("constraint.windows", "expected the level \"residual\", or \"coupled\" with ports"),
        }
    }

    /// The problem at the times of a window, where the same values are prescribed. Collective.
    pub(super) fn prepared(
        &self,
        problem: &Rc<Problem>,
        equations: &StepEquations,
        before: usize,
        count: usize,
    ) -> Result<Vec<Prepared>> {
        let contexts = &equations.contexts[before + 1..][..count];
        let prepared = contexts.iter().map(|context| problem.at(context)).collect::<Result<Vec<_>>>()?;
        let same = prepared.iter().all(|other| other.essential.fixed == prepared[0].essential.fixed);
        let comm = &problem.space.mesh.comm;
        match comm.min(u8::from(same)) {
            1 => Ok(prepared),
            _ => Err(Error::Failed(format!("{}: other values are prescribed within a window", self.name))),
        }
    }
}
