//! What training makes small of a run in time: the residuals of its steps, each of the field that the level `coupled` finds
//! on the functions, from such a field at the end of the step before.
use super::basis::{Functions, LearnedBasis};
use super::residual::{factorised_energy, fill, means};
use crate::deck::{ConstraintLevel, Norm};
use crate::experts::{Constraint, ConstraintOptions, Cotangents, Equations, Tape, repair_step};
use crate::fem::Parts;
use crate::mixture::{CoarseModes, Gating, finished};
use crate::physics::{Context, FormState, Problem};
use crate::simulation::{Evolution, Simulation};
use crate::{Error, Result};
use petsc_rs::{KrylovSolver, Vector};
use std::rc::Rc;

/// The sum `sum_n dt_n r_n^T E^-1 r_n` over the equations of a run on a network's functions, over the same sum of a run that
/// stays where it begins.
///
/// `E` is the symmetric part of the tangent of one step as long as the whole run, at the default parameters in a uniform field:
/// residuals are measured as functionals on fields of finite energy, as the estimate of the error of parabolic equations
/// wants it, whatever the steps are. Of flows and waves, whose tangents are not positive, it is the identity.
pub struct StepLoss {
    /// The problem, on the mesh of the training.
    pub simulation: Simulation,
    constraint: Constraint,
    /// Factorised, once it is needed.
    energy: Option<KrylovSolver>,
    /// Ends of the steps (s).
    ends: Vec<f64>,
}

/// A run at some parameters.
pub struct CoupledRun {
    /// Its squared residual, over that of a run that stays where it begins.
    pub loss: f64,
    /// Largest imbalance of an expert in any step, relative to what it exchanges.
    pub worst: f64,
    tape: Tape,
    functions: Functions,
    parameters: Vec<f64>,
    /// `dL/dr` of every equation.
    cotangents: Vec<Vector>,
}

impl StepLoss {
    /// For the only problem of a deck, with steps that end at these times. Collective.
    ///
    /// # Errors
    /// When the experts do not overlap.
    pub fn new(simulation: Simulation, ends: Vec<f64>) -> Result<Self> {
        let (deck, problem) = (&simulation.deck, &simulation.stages[0].problem);
        let space = &problem.space;
        let gating = Rc::new(Gating::new(space, deck.partition.overlap)?);
        let options = ConstraintOptions {
            level: ConstraintLevel::Coupled,
            weight: Norm::Euclidean,
            modes: CoarseModes::of(problem),
            tolerance: deck.solver_options(0).tolerance,
            max_iterations: 1,
        };
        let constraint = Constraint::new(&problem.name, space.clone(), gating, options);
        Ok(Self { simulation, constraint, energy: None, ends })
    }

    /// The run on the functions of a network, with its residual. Collective.
    ///
    /// # Errors
    /// When the equations of a step cannot be solved on the functions.
    pub fn field(&mut self, basis: &LearnedBasis, parameters: &[f64]) -> Result<CoupledRun> {
        let mut tape = Tape::following();
        let functions = basis.functions(parameters)?;
        let worst = self.go(&functions, parameters, Some(&mut tape), |_, _| Ok(()))?;
        let problem = self.simulation.stages[0].problem.clone();
        let start = self.simulation.deck.time.as_ref().map_or(0.0, |time| time.start);
        let resting = Context { time: start, ..Context::steady(parameters.to_vec()) };
        self.simulation.reset(&resting)?;
        let initial = self.simulation.stages[0].solution().try_clone()?;
        let (mut sum, mut scale) = (0.0, 0.0);
        let mut cotangents = Vec::new();
        for (time, parts, residual) in tape.residuals(&problem)? {
            let weight = 1.0 / parts.storage;
            let mut weighted = residual.duplicate()?;
            sum += weight * self.square(&problem, &residual, &mut weighted)?;
            weighted.scale(2.0 * weight)?;
            cotangents.push(weighted);
            let prepared = problem.at(&Context { time, ..resting.clone() })?;
            let equations = Equations::step(&prepared, Parts { storage: 0.0, ..parts }, None, None);
            let mut state = initial.try_clone()?;
            equations.impose(&problem.space, &mut state)?;
            let (mut residual, mut weighted) = (state.duplicate()?, state.duplicate()?);
            equations.residual(&state, &mut residual)?;
            scale += weight * self.square(&problem, &residual, &mut weighted)?;
        }
        if scale <= 0.0 || !scale.is_finite() {
            let text = format!(
                "{}: a run that stays where it begins leaves {scale:.1e}: nothing to learn",
                problem.name
            );
            return Err(Error::Failed(text));
        }
        cotangents.iter_mut().try_for_each(|cotangent| cotangent.scale(1.0 / scale))?;
        let parameters = parameters.to_vec();
        Ok(CoupledRun { loss: sum / scale, worst, tape, functions, parameters, cotangents })
    }

    /// A run on the functions of a network: `visit` sees the problem at the start and at the end of every step. Gives the
    /// largest relative imbalance. Collective.
    ///
    /// # Errors
    /// As [`StepLoss::field`], and those of `visit`.
    pub fn follow(
        &mut self,
        basis: &LearnedBasis,
        parameters: &[f64],
        visit: impl FnMut(&Simulation, &Context) -> Result<()>,
    ) -> Result<f64> {
        self.go(&basis.functions(parameters)?, parameters, None, visit)
    }

    fn go(
        &mut self,
        functions: &Functions,
        parameters: &[f64],
        mut tape: Option<&mut Tape>,
        mut visit: impl FnMut(&Simulation, &Context) -> Result<()>,
    ) -> Result<f64> {
        self.constraint.set_columns(functions.columns.clone());
        let simulation = &mut self.simulation;
        let time = simulation.deck.time.clone().expect("a deck with [time]");
        let start = Context { time: time.start, ..Context::steady(parameters.to_vec()) };
        simulation.reset(&start)?;
        let mut evolution = Evolution::start(simulation, &time, start)?;
        visit(simulation, &evolution.context)?;
        let mut worst: f64 = 0.0;
        for end in &self.ends {
            let before = simulation.stages[0].solution().try_clone()?;
            let predict = &mut |_: usize, _: f64, field: &mut Vector| Ok(field.copy_from(&before)?);
            let layers = std::slice::from_mut(&mut self.constraint);
            let tapes = tape.as_deref_mut().map(std::slice::from_mut);
            let (_, repairs) = repair_step(simulation, &mut evolution, layers, *end, predict, tapes)?;
            worst = repairs.iter().map(|(_, repair)| repair.worst_after).fold(worst, f64::max);
            visit(simulation, &evolution.context)?;
        }
        Ok(worst)
    }

    /// This rank's part of the loss's gradient with respect to the weights, of the last run. Collective.
    ///
    /// # Errors
    /// When a solve fails.
    pub fn gradient(&mut self, basis: &LearnedBasis, of: &mut CoupledRun) -> Result<Vec<f64>> {
        let CoupledRun { tape, functions, parameters, cotangents, .. } = of;
        let problem = self.simulation.stages[0].problem.clone();
        let states: Vec<Vector> = (0..tape.steps()).map(|_| problem.space.field()).collect::<Result<_>>()?;
        let said = Cotangents { initial: None, states: &states, residuals: Some(cotangents) };
        self.constraint.set_columns(functions.columns.clone());
        let pulled = tape.pull_back_all(&mut self.constraint, &problem, &said)?;
        basis.pull_back(parameters, functions, &pulled.columns)
    }

    /// `r^T E^-1 r`, with `E^-1 r`. Collective.
    fn square(&mut self, problem: &Rc<Problem>, residual: &Vector, weighted: &mut Vector) -> Result<f64> {
        if problem.facts().pressure || problem.facts().complex {
            weighted.copy_from(residual)?;
            return Ok(residual.dot(weighted)?);
        }
        if self.energy.is_none() {
            self.energy = Some(self.energy(problem)?);
        }
        let energy = self.energy.as_mut().expect("set above");
        finished(energy.solve(residual, weighted)?)?;
        Ok(residual.dot(weighted)?)
    }

    fn energy(&self, problem: &Rc<Problem>) -> Result<KrylovSolver> {
        let deck = &self.simulation.deck;
        let time = deck.time.as_ref().map_or(0.0, |time| time.start);
        let length = self.ends.last().map_or(1.0, |end| end - time);
        let parts = Parts { storage: 1.0 / length, residual: 1.0 };
        let prepared = problem.at(&Context { time, ..Context::steady(deck.default_parameters()) })?;
        let mut state = problem.space.field()?;
        fill(&mut state, &means(&problem.space, &prepared.essential))?;
        let local = state.local_read()?;
        factorised_energy(&prepared, FormState { parts, ..FormState::steady(&local) })
    }
}
