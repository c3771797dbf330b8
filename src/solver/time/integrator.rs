//! Time integration of `d/dt storage(u) + residual(u) = 0` with an adaptive step.
//!
//! Every scheme acts on the assembled storage `S(u)` and on the assembled rest `F(t, u)`, so that the sum of
//! S over all rows, the integral of what is conserved, changes by exactly what flows in. A stage solves
//! `sigma S(u) + F(t, u) + offset = 0`.
use super::equation::{Earlier, StepEquation, StepSolve, Term};
use super::scheme::{SDIRK2, SDIRK3, Sdirk};
use super::system::TimeSystem;
use crate::Result;
use crate::deck::TimeScheme;
use crate::fem::Parts;
use crate::memory::{Entry, Kept, Memory};
use crate::physics::Context;
use crate::solver::nonlinear::{FormParts, NewtonOutcome};
use petsc_rs::Vector;
use std::collections::VecDeque;

/// An attempted step.
pub struct Trial {
    /// The solution at its end.
    pub solution: Vector,
    /// Estimate of the local error (Euclidean norm of nodal values, relative to the solution's); `None` while
    /// there are too few earlier steps.
    pub error: Option<f64>,
    /// What the Newton solves needed, added up.
    pub newton: NewtonOutcome,
    /// What came in during the step.
    pub flow: Flow,
    /// The complete residual, `dS/dt + F`, at the end of the step (Crank-Nicolson: its mean over the step): on
    /// essential rows what the supports give.
    pub residual: Vector,
    /// Whether that is a mean over the step.
    pub mean: bool,
    /// What is stored at the end of the step, and the rest there.
    storage: Vector,
    rest: Vector,
}

/// What comes into the domain, in conserved units a second on average over a step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Flow {
    /// Through essential boundaries.
    pub supplied: f64,
    /// Through natural boundaries and from sources.
    pub natural: f64,
}

impl Flow {
    /// All of it.
    pub fn total(self) -> f64 {
        self.supplied + self.natural
    }

    /// `factor * (self + weight * other)`.
    fn combine(self, factor: f64, weight: f64, other: Self) -> Self {
        Self {
            supplied: factor * (self.supplied + weight * other.supplied),
            natural: factor * (self.natural + weight * other.natural),
        }
    }
}

/// The state of the time integration: solutions and storages of the last steps, newest first.
pub struct TimeIntegrator {
    scheme: TimeScheme,
    /// Times (s) and solutions; their ghosts are up to date.
    solutions: VecDeque<(f64, Vector)>,
    storages: VecDeque<Vector>,
    /// `F` at the newest solution, for Crank-Nicolson.
    rest: Option<Vector>,
    /// What came in during the newest step.
    flow: Flow,
}

impl TimeIntegrator {
    /// Starts from the initial state with the essential conditions of that time imposed on it. Collective.
    ///
    /// # Errors
    /// See [`TimeSystem::set_time`].
    pub fn new(
        scheme: TimeScheme,
        system: &mut impl TimeSystem,
        context: &Context,
        initial: &Vector,
    ) -> Result<Self> {
        system.set_time(context)?;
        let mut initial = initial.try_clone()?;
        system.impose(&mut initial)?;
        let storage = system.evaluate(Parts::STORAGE, &initial)?;
        Ok(Self {
            scheme,
            solutions: VecDeque::from([(context.time, initial)]),
            storages: VecDeque::from([storage]),
            rest: None,
            flow: Flow::default(),
        })
    }

    /// Time of the newest solution.
    pub fn time(&self) -> f64 {
        self.solutions[0].0
    }

    /// The newest solution.
    pub fn solution(&self) -> &Vector {
        &self.solutions[0].1
    }

    /// Sum over all rows of the storage: the integral of what is conserved. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn conserved(&self) -> Result<f64> {
        Ok(self.storages[0].sum()?)
    }

    /// Forgets the steps before the newest: the next one starts anew, as after a jump of the loads, which no
    /// formula through earlier steps may look across.
    pub fn restart(&mut self) {
        self.solutions.truncate(1);
        self.storages.truncate(1);
        self.rest = None;
    }

    /// Estimates are relative to the solution: while there is none they say nothing.
    fn starts_from_nothing(&self, system: &impl TimeSystem) -> Result<bool> {
        Ok(system.norm(self.solution())? == 0.0)
    }

    /// Attempts a step of length `dt`; `context` gives the parameters, `solve` finds the states of its equations
    /// (see [`by_newton`](super::by_newton)). Nothing changes until [`TimeIntegrator::accept`]. Collective.
    ///
    /// # Errors
    /// Those of `solve`.
    pub fn attempt<S: TimeSystem>(
        &self,
        system: &mut S,
        context: &Context,
        dt: f64,
        solve: &mut StepSolve<S>,
    ) -> Result<Trial> {
        let mut trial = match self.scheme {
            TimeScheme::Bdf1 => self.multistep(system, context, dt, solve),
            TimeScheme::Sdirk2 => self.sdirk(&SDIRK2, system, context, dt, solve),
            TimeScheme::Sdirk3 => self.sdirk(&SDIRK3, system, context, dt, solve),
            // One step of the same order gives the others their past and consistent algebraic unknowns.
            _ if self.solutions.len() < 2 => self.sdirk(&SDIRK2, system, context, dt, solve),
            _ => self.multistep(system, context, dt, solve),
        }?;
        if self.starts_from_nothing(system)? {
            trial.error = None;
        }
        Ok(trial)
    }

    /// Makes an attempted step of length `dt` the newest. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn accept(&mut self, system: &impl TimeSystem, trial: &Trial, dt: f64) -> Result<()> {
        let time = self.time() + dt;
        system.commit(&trial.solution)?;
        self.storages.push_front(trial.storage.try_clone()?);
        self.storages.truncate(2);
        if self.scheme == TimeScheme::CrankNicolson {
            self.rest = Some(trial.rest.try_clone()?);
        }
        self.solutions.push_front((time, trial.solution.try_clone()?));
        self.solutions.truncate(3);
        self.flow = trial.flow;
        Ok(())
    }

    fn multistep<S: TimeSystem>(
        &self,
        system: &mut S,
        context: &Context,
        dt: f64,
        solve: &mut StepSolve<S>,
    ) -> Result<Trial> {
        let (sigma, terms) = self.formula(dt);
        let mut solution = self.extrapolate(dt)?;
        let predicted = solution.try_clone()?;
        let at = Context { time: self.time() + dt, ..context.clone() };
        let parts = Parts { storage: sigma, residual: 1.0 };
        let equation = StepEquation { context: at, parts, offset: self.offset(&terms, &[])?, terms };
        let outcome = solve(system, &equation, &mut solution)?;
        let FormParts { storage, rest, full: mut residual } = system.evaluate_all(parts, &solution)?;
        residual.axpy(1.0, &equation.offset)?;
        let flow = self.multistep_flow(dt, system.supply(&residual)?, &rest)?;
        // Crank-Nicolson's equation is the sum of those at both ends.
        let mean = self.scheme == TimeScheme::CrankNicolson && self.rest.is_some();
        if self.scheme == TimeScheme::CrankNicolson {
            residual.scale(0.5)?;
        }
        let error = match self.error_constant(dt) {
            Some(constant) if outcome.failure.is_none() => {
                let mut difference = solution.try_clone()?;
                difference.axpy(-1.0, &predicted)?;
                Some(constant * relative(system, &difference, &solution)?)
            }
            _ => None,
        };
        Ok(Trial { solution, error, newton: outcome, flow, residual, mean, storage, rest })
    }

    /// The mean flow over a step that satisfies the formula with the residual `supplied` on essential rows.
    /// Formulas are linear in storages, so they hold for what came in as they hold for what is stored.
    fn multistep_flow(&self, dt: f64, supplied: f64, rest: &Vector) -> Result<Flow> {
        let now = Flow { supplied, natural: -rest.sum()? };
        Ok(match (self.scheme, &self.rest, self.storages.len()) {
            (TimeScheme::CrankNicolson, Some(last), _) => {
                now.combine(0.5, 1.0, Flow { supplied: 0.0, natural: -last.sum()? })
            }
            (TimeScheme::Bdf2, _, 2) => {
                // With mean flows q over steps of ratio r: (1 + 2 r) q_1 - r q_0 = (1 + r) F.
                let r = self.ratio(dt);
                now.combine((1.0 + r) / (1.0 + 2.0 * r), r / (1.0 + r), self.flow)
            }
            _ => now,
        })
    }

    /// The length of a step in units of the last one: 1 if the difference is one of rounding, so that the factors of a
    /// tangent stay.
    fn ratio(&self, dt: f64) -> f64 {
        let ratio = dt / (self.time() - self.solutions[1].0);
        if (ratio - 1.0).abs() < 1e-9 { 1.0 } else { ratio }
    }

    /// `sigma` of the multistep formula, and what its offset is the sum of.
    fn formula(&self, dt: f64) -> (f64, Vec<Term>) {
        let stored = |back, storage| Term { of: Earlier::Accepted(back), storage, rest: 0.0 };
        match self.scheme {
            TimeScheme::CrankNicolson => {
                let rest = if self.rest.is_some() { 1.0 } else { 0.0 };
                (2.0 / dt, vec![Term { rest, ..stored(0, -2.0 / dt) }])
            }
            TimeScheme::Bdf2 if self.storages.len() > 1 => {
                let ratio = self.ratio(dt);
                let terms =
                    vec![stored(0, -(1.0 + ratio) / dt), stored(1, ratio * ratio / (1.0 + ratio) / dt)];
                ((1.0 + 2.0 * ratio) / (1.0 + ratio) / dt, terms)
            }
            _ => (1.0 / dt, vec![stored(0, -1.0 / dt)]),
        }
    }

    /// The sum of terms, with the rests at the stages of the step so far. Collective.
    fn offset(&self, terms: &[Term], rests: &[Vector]) -> Result<Vector> {
        let mut offset = self.storages[0].duplicate()?;
        for term in terms {
            match term.of {
                Earlier::Accepted(back) => {
                    offset.axpy(term.storage, &self.storages[back])?;
                    if term.rest != 0.0 {
                        let rest = self.rest.as_ref().expect("a term of Crank-Nicolson's formula");
                        offset.axpy(term.rest, rest)?;
                    }
                }
                Earlier::Stage(stage) => offset.axpy(term.rest, &rests[stage])?,
            }
        }
        Ok(offset)
    }

    /// Extrapolation through as many solutions as the order and one more: first guess and predictor.
    fn extrapolate(&self, dt: f64) -> Result<Vector> {
        let count = self.solutions.len().min(self.scheme.order() + 1);
        let target = self.time() + dt;
        let mut guess = self.solutions[0].1.duplicate()?;
        for i in 0..count {
            let others = (0..count).filter(|&j| j != i);
            let weight: f64 = others
                .map(|j| (target - self.solutions[j].0) / (self.solutions[i].0 - self.solutions[j].0))
                .product();
            guess.axpy(weight, &self.solutions[i].1)?;
        }
        guess.ghost_update()?;
        Ok(guess)
    }

    /// The local error as a multiple of corrector minus predictor (Milne's device: Hairer, Norsett, Wanner,
    /// *Solving Ordinary Differential Equations I*, section III.7). With exact past values the predictor
    /// misses the solution by P times a derivative of it and the corrector by -C times the same one; the
    /// factor is C / (P + C).
    fn error_constant(&self, dt: f64) -> Option<f64> {
        let times: Vec<f64> = self.solutions.iter().map(|s| self.time() + dt - s.0).collect();
        let (corrector, order) = match self.scheme {
            TimeScheme::Bdf1 => (dt * dt / 2.0, 1),
            TimeScheme::CrankNicolson => (dt.powi(3) / 12.0, 2),
            _ => {
                let back = *times.get(1)?;
                // With a variable step h after h_1: h^2 (h + h_1)^2 / (6 (2 h + h_1)).
                (dt * dt * back * back / (6.0 * (dt + back)), 2)
            }
        };
        if times.len() <= order {
            return None;
        }
        let factorial: f64 = (1..=order + 1).map(|i| i as f64).product();
        let predictor = times[..=order].iter().product::<f64>() / factorial;
        Some(corrector / (predictor + corrector))
    }

    fn sdirk<S: TimeSystem>(
        &self,
        method: &Sdirk,
        system: &mut S,
        context: &Context,
        dt: f64,
        solve: &mut StepSolve<S>,
    ) -> Result<Trial> {
        let (start, first) = &self.solutions[0];
        let sigma = 1.0 / (method.gamma * dt);
        let parts = Parts { storage: sigma, residual: 1.0 };
        let mut total = NewtonOutcome::default();
        let mut rests: Vec<Vector> = Vec::new();
        // Slopes of u itself, for the estimate.
        let mut slopes: Vec<Vector> = Vec::new();
        let mut residuals: Vec<Vector> = Vec::new();
        let mut stored = None;
        let mut solution = first.try_clone()?;
        let mut flow = Flow::default();
        for stage in 0..method.lower.len() {
            let mut terms = vec![Term { of: Earlier::Accepted(0), storage: -sigma, rest: 0.0 }];
            let mut base = first.try_clone()?;
            for (j, &a) in method.lower[stage].iter().enumerate() {
                terms.push(Term { of: Earlier::Stage(j), storage: 0.0, rest: a / method.gamma });
                base.axpy(dt * a, &slopes[j])?;
            }
            let context = Context { time: start + method.abscissa(stage) * dt, ..context.clone() };
            let offset = self.offset(&terms, &rests)?;
            let equation = StepEquation { context, parts, terms, offset };
            let outcome = solve(system, &equation, &mut solution)?;
            total.iterations += outcome.iterations;
            total.linear_iterations += outcome.linear_iterations;
            total.full += outcome.full;
            total.history = outcome.history;
            total.failure = outcome.failure;
            let FormParts { storage, rest, full: mut residual } = system.evaluate_all(parts, &solution)?;
            residual.axpy(1.0, &equation.offset)?;
            flow.supplied = method.gamma * system.supply(&residual)?;
            // The stage's equation also holds those of the stages before it.
            for (&a, earlier) in method.lower[stage].iter().zip(&residuals) {
                residual.axpy(-a / method.gamma, earlier)?;
            }
            if total.failure.is_some() {
                return Ok(Trial {
                    solution,
                    error: None,
                    newton: total,
                    flow,
                    residual,
                    mean: false,
                    storage,
                    rest,
                });
            }
            residuals.push(residual);
            rests.push(rest);
            stored = Some(storage);
            let mut slope = solution.try_clone()?;
            slope.axpy(-1.0, &base)?;
            slope.scale(sigma)?;
            slopes.push(slope);
        }
        let last = method.lower.len() - 1;
        let mut difference = solution.duplicate()?;
        for (j, slope) in slopes.iter().enumerate() {
            let weight = if j == last { method.gamma } else { method.lower[last][j] };
            difference.axpy(dt * (weight - method.embedded[j]), slope)?;
            flow.natural -= weight * rests[j].sum()?;
        }
        let error = Some(relative(system, &difference, &solution)?);
        let ends = residuals.pop().zip(rests.pop()).zip(stored);
        let ((residual, rest), storage) = ends.expect("a method has stages");
        Ok(Trial { solution, error, newton: total, flow, residual, mean: false, storage, rest })
    }
}

impl Memory for TimeIntegrator {
    fn remembered(&self) -> Vec<Entry<'_>> {
        let times: Vec<f64> = self.solutions.iter().map(|solution| solution.0).collect();
        let Flow { supplied, natural } = self.flow;
        let mut list = vec![Entry::numbers("times", times), Entry::numbers("flow", [supplied, natural])];
        list.extend(Entry::fields("solution", self.solutions.iter().map(|solution| &solution.1)));
        list.extend(Entry::fields("storage", &self.storages));
        list.extend(self.rest.as_ref().map(|rest| Entry::field("rest", rest)));
        list
    }

    fn restore(&mut self, kept: &dyn Kept) -> Result<()> {
        let times = kept.numbers("times")?.ok_or_else(|| kept.missing("times"))?;
        let (solutions, storages) = (kept.fields("solution")?, kept.fields("storage")?);
        if solutions.len() != times.len() || solutions.is_empty() {
            return Err(kept.missing(&format!("solution_{}", solutions.len())));
        }
        if storages.is_empty() {
            return Err(kept.missing("storage_0"));
        }
        self.solutions = times.into_iter().zip(solutions).collect();
        self.storages = storages.into();
        self.rest = kept.field("rest")?;
        if let Some([supplied, natural]) = kept.numbers("flow")?.as_deref() {
            self.flow = Flow { supplied: *supplied, natural: *natural };
        }
        Ok(())
    }
}

fn relative(system: &impl TimeSystem, difference: &Vector, solution: &Vector) -> Result<f64> {
    let scale = system.norm(solution)?.max(f64::MIN_POSITIVE.sqrt());
    Ok(system.norm(difference)? / scale)
}
