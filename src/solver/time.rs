//! Time integration of `d/dt storage(u) + residual(u) = 0` with an adaptive step.
//!
//! Every scheme acts on the assembled storage `S(u)` and on the assembled rest `F(t, u)`, so that the sum of
//! S over all rows, the integral of what is conserved, changes by exactly what flows in. A stage solves
//! `sigma S(u) + F(t, u) + offset = 0`.
use super::newton::{NewtonOutcome, NewtonSolver};
use crate::Result;
use crate::deck::TimeScheme;
use crate::fem::Parts;
use crate::physics::Context;
use petsc_rs::Vector;
use std::collections::VecDeque;

/// A singly diagonally implicit Runge-Kutta method whose last stage is the solution.
struct Sdirk {
    gamma: f64,
    /// Rows of the strictly lower triangle.
    lower: &'static [&'static [f64]],
    /// Weights of the embedded method, one order lower.
    embedded: &'static [f64],
}

/// Alexander, SIAM J. Numer. Anal. 14 (1977), two stages, order 2, L-stable.
const SDIRK2: Sdirk = Sdirk {
    gamma: 1.0 - std::f64::consts::FRAC_1_SQRT_2,
    lower: &[&[], &[std::f64::consts::FRAC_1_SQRT_2]],
    embedded: &[0.5, 0.5],
};

/// Alexander's method of three stages, order 3, L-stable.
const SDIRK3: Sdirk = Sdirk {
    gamma: GAMMA3,
    lower: &[
        &[],
        &[(1.0 - GAMMA3) / 2.0],
        &[
            -(6.0 * GAMMA3 * GAMMA3 - 16.0 * GAMMA3 + 1.0) / 4.0,
            (6.0 * GAMMA3 * GAMMA3 - 20.0 * GAMMA3 + 5.0) / 4.0,
        ],
    ],
    embedded: &[1.0 - (1.0 - 2.0 * GAMMA3) / (1.0 - GAMMA3), (1.0 - 2.0 * GAMMA3) / (1.0 - GAMMA3), 0.0],
};

/// The root of `1/6 - 3/2 x + 3 x^2 - x^3` for which the method is L-stable.
const GAMMA3: f64 = 0.435_866_521_508_459;

impl Sdirk {
    fn abscissa(&self, stage: usize) -> f64 {
        self.gamma + self.lower[stage].iter().sum::<f64>()
    }
}

impl TimeScheme {
    /// Order of convergence with steps of one length.
    pub fn order(self) -> usize {
        match self {
            Self::Bdf1 => 1,
            Self::Bdf2 | Self::CrankNicolson | Self::Sdirk2 => 2,
            Self::Sdirk3 => 3,
        }
    }
}

/// An attempted step.
pub struct Trial {
    /// The solution at its end.
    pub solution: Vector,
    /// Estimate of the local error (Euclidean norm of nodal values, relative to the solution's); `None` while
    /// there are too few earlier steps.
    pub error: Option<f64>,
    /// What the Newton solves needed, added up.
    pub newton: NewtonOutcome,
    /// What flows out through essential boundaries, in conserved units a second (of the last stage).
    pub supplied: f64,
    /// What the equations of the free rows lack, times the step: the balance's error.
    pub imbalance: f64,
    /// The complete residual, `dS/dt + F`, at the end of the step (Crank-Nicolson: its mean over the step):
    /// on essential rows what the supports give.
    pub residual: Vector,
}

/// The state of the time integration: solutions and storages of the last steps, newest first.
pub struct TimeIntegrator {
    scheme: TimeScheme,
    solutions: VecDeque<(f64, Vector)>,
    storages: VecDeque<Vector>,
    /// `F` at the newest solution, for Crank-Nicolson.
    rest: Option<Vector>,
}

const STORAGE: Parts = Parts { storage: 1.0, residual: 0.0 };
const REST: Parts = Parts { storage: 0.0, residual: 1.0 };

impl TimeIntegrator {
    /// Starts from the initial state with the essential conditions of that time imposed on it. Collective.
    ///
    /// # Errors
    /// See [`NewtonSolver::set_time`].
    pub fn new(
        scheme: TimeScheme,
        newton: &mut NewtonSolver,
        context: &Context,
        initial: &Vector,
    ) -> Result<Self> {
        newton.set_time(context)?;
        let mut initial = initial.try_clone()?;
        newton.impose(&mut initial)?;
        let storage = newton.evaluate(STORAGE, &initial)?;
        Ok(Self {
            scheme,
            solutions: VecDeque::from([(context.time, initial)]),
            storages: VecDeque::from([storage]),
            rest: None,
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
    pub fn conserved(&self) -> Result<f64> {
        Ok(self.storages[0].sum()?)
    }

    /// Attempts a step of length `dt`; `context` gives the parameters. Nothing changes until
    /// [`TimeIntegrator::accept`]. Collective.
    ///
    /// # Errors
    /// See [`NewtonSolver::solve`].
    pub fn attempt(&self, newton: &mut NewtonSolver, context: &Context, dt: f64) -> Result<Trial> {
        match self.scheme {
            TimeScheme::Bdf1 => self.multistep(newton, context, dt),
            TimeScheme::Sdirk2 => self.sdirk(&SDIRK2, newton, context, dt),
            TimeScheme::Sdirk3 => self.sdirk(&SDIRK3, newton, context, dt),
            // One step of the same order gives the others their past and consistent algebraic unknowns.
            _ if self.solutions.len() < 2 => self.sdirk(&SDIRK2, newton, context, dt),
            _ => self.multistep(newton, context, dt),
        }
    }

    /// Makes an attempted step of length `dt` the newest. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn accept(&mut self, newton: &NewtonSolver, trial: &Trial, dt: f64) -> Result<()> {
        let time = self.time() + dt;
        self.storages.push_front(newton.evaluate(STORAGE, &trial.solution)?);
        self.storages.truncate(2);
        if self.scheme == TimeScheme::CrankNicolson {
            self.rest = Some(newton.evaluate(REST, &trial.solution)?);
        }
        self.solutions.push_front((time, trial.solution.try_clone()?));
        self.solutions.truncate(3);
        Ok(())
    }

    fn multistep(&self, newton: &mut NewtonSolver, context: &Context, dt: f64) -> Result<Trial> {
        let (sigma, offset) = self.formula(dt)?;
        let mut solution = self.extrapolate(dt)?;
        let predicted = solution.try_clone()?;
        let at = Context { time: self.time() + dt, ..context.clone() };
        let parts = Parts { storage: sigma, residual: 1.0 };
        let outcome = newton.solve(&at, parts, Some(offset.try_clone()?), &mut solution)?;
        let mut residual = complete(newton, parts, &offset, &solution)?;
        // Crank-Nicolson's equation is the sum of those at both ends.
        let ends = if self.scheme == TimeScheme::CrankNicolson { 2.0 } else { 1.0 };
        residual.scale(1.0 / ends)?;
        let (supplied, imbalance) = balance(newton, &residual)?;
        let error = match self.error_constant(dt) {
            Some(constant) if outcome.failure.is_none() => {
                let mut difference = solution.try_clone()?;
                difference.axpy(-1.0, &predicted)?;
                Some(constant * relative(&difference, &solution)?)
            }
            _ => None,
        };
        let imbalance = imbalance * ends / sigma;
        Ok(Trial { solution, error, newton: outcome, supplied, imbalance, residual })
    }

    /// `sigma` and offset of the multistep formula.
    fn formula(&self, dt: f64) -> Result<(f64, Vector)> {
        let mut offset = self.storages[0].try_clone()?;
        let previous = self.storages.get(1);
        let sigma = match (self.scheme, previous) {
            (TimeScheme::CrankNicolson, _) => {
                offset.scale(-2.0 / dt)?;
                if let Some(rest) = &self.rest {
                    offset.axpy(1.0, rest)?;
                }
                2.0 / dt
            }
            (TimeScheme::Bdf2, Some(previous)) => {
                let ratio = dt / (self.time() - self.solutions[1].0);
                offset.scale(-(1.0 + ratio) / dt)?;
                offset.axpy(ratio * ratio / (1.0 + ratio) / dt, previous)?;
                (1.0 + 2.0 * ratio) / (1.0 + ratio) / dt
            }
            _ => {
                offset.scale(-1.0 / dt)?;
                1.0 / dt
            }
        };
        Ok((sigma, offset))
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

    fn sdirk(&self, method: &Sdirk, newton: &mut NewtonSolver, context: &Context, dt: f64) -> Result<Trial> {
        let (start, first) = &self.solutions[0];
        let sigma = 1.0 / (method.gamma * dt);
        let parts = Parts { storage: sigma, residual: 1.0 };
        let mut total = NewtonOutcome::default();
        let mut rests: Vec<Vector> = Vec::new();
        // Slopes of u itself, for the estimate.
        let mut slopes: Vec<Vector> = Vec::new();
        let mut residuals: Vec<Vector> = Vec::new();
        let mut solution = first.try_clone()?;
        let (mut supplied, mut imbalance) = (0.0, 0.0);
        for stage in 0..method.lower.len() {
            let mut offset = self.storages[0].try_clone()?;
            offset.scale(-sigma)?;
            let mut base = first.try_clone()?;
            for (j, &a) in method.lower[stage].iter().enumerate() {
                offset.axpy(a / method.gamma, &rests[j])?;
                base.axpy(dt * a, &slopes[j])?;
            }
            let at = Context { time: start + method.abscissa(stage) * dt, ..context.clone() };
            let outcome = newton.solve(&at, parts, Some(offset.try_clone()?), &mut solution)?;
            total.iterations += outcome.iterations;
            total.linear_iterations += outcome.linear_iterations;
            total.history = outcome.history;
            total.failure = outcome.failure;
            let mut residual = complete(newton, parts, &offset, &solution)?;
            // The stage's equation also holds those of the stages before it.
            for (&a, earlier) in method.lower[stage].iter().zip(&residuals) {
                residual.axpy(-a / method.gamma, earlier)?;
            }
            (supplied, imbalance) = balance(newton, &residual)?;
            residuals.push(residual);
            if total.failure.is_some() {
                break;
            }
            rests.push(newton.evaluate(REST, &solution)?);
            let mut slope = solution.try_clone()?;
            slope.axpy(-1.0, &base)?;
            slope.scale(sigma)?;
            slopes.push(slope);
        }
        let residual = residuals.pop().expect("a method has stages");
        if total.failure.is_some() {
            return Ok(Trial { solution, error: None, newton: total, supplied, imbalance, residual });
        }
        let last = method.lower.len() - 1;
        let mut difference = solution.duplicate()?;
        for (j, slope) in slopes.iter().enumerate() {
            let weight = if j == last { method.gamma } else { method.lower[last][j] };
            difference.axpy(dt * (weight - method.embedded[j]), slope)?;
        }
        let error = Some(relative(&difference, &solution)?);
        Ok(Trial { solution, error, newton: total, supplied, imbalance: imbalance / sigma, residual })
    }
}

/// The residual with its essential rows.
fn complete(newton: &NewtonSolver, parts: Parts, offset: &Vector, solution: &Vector) -> Result<Vector> {
    let mut full = newton.evaluate(parts, solution)?;
    full.axpy(1.0, offset)?;
    Ok(full)
}

/// Sums of a complete residual over essential rows and over free rows.
fn balance(newton: &NewtonSolver, full: &Vector) -> Result<(f64, f64)> {
    let essential = newton.essential();
    let (mut fixed, mut free) = (0.0, 0.0);
    for (value, &is_fixed) in full.read()?.iter().zip(&essential.fixed) {
        *if is_fixed { &mut fixed } else { &mut free } += value;
    }
    Ok((newton.comm().sum(fixed), newton.comm().sum(free)))
}

fn relative(difference: &Vector, solution: &Vector) -> Result<f64> {
    let scale = solution.norm(petsc_rs::Norm::Two)?.max(f64::MIN_POSITIVE.sqrt());
    Ok(difference.norm(petsc_rs::Norm::Two)? / scale)
}

/// Chooses steps so that the estimated local error stays below a tolerance, and meets given times exactly.
#[derive(Debug, Clone)]
pub struct StepControl {
    /// Relative local error aimed at; `None` for steps of one length.
    pub tolerance: Option<f64>,
    /// Order of the scheme; the error of a step goes with the power one higher.
    pub order: usize,
    /// Shortest step, s: below it the run fails.
    pub shortest: f64,
    /// Longest step, s.
    pub longest: f64,
    /// The step that accuracy asks for, s.
    pub step: f64,
}

impl StepControl {
    /// The next step from `time`, so that no time of the ascending list `stops` is passed over.
    pub fn next(&self, time: f64, stops: &[f64]) -> f64 {
        let step = self.step.min(self.longest);
        let slack = 1e-9 * step;
        let Some(stop) = stops.iter().find(|&&stop| stop > time + slack) else { return step };
        let left = stop - time;
        if left <= step + slack {
            left
        } else if left < 2.0 * step && self.tolerance.is_some() {
            // Two equal steps rather than a long and a short one.
            left / 2.0
        } else {
            step
        }
    }

    /// Whether a step of this length may still be shortened.
    pub fn is_shortest(&self, dt: f64) -> bool {
        dt <= self.shortest * (1.0 + 1e-9)
    }

    /// Judges a step of length `dt` and sets the next length. Hairer and Wanner, *Solving Ordinary
    /// Differential Equations II*, section IV.8.
    pub fn accepts(&mut self, error: Option<f64>, dt: f64) -> bool {
        let (Some(tolerance), Some(error)) = (self.tolerance, error) else { return true };
        let ratio = error / tolerance;
        let factor = 0.9 * ratio.max(1e-10).powf(-1.0 / (self.order + 1) as f64);
        let accepted = ratio <= 1.0;
        // A step cut short by a stop does not make the step forget its length.
        if !accepted || dt > 0.5 * self.step || factor < 1.0 {
            self.step = (dt * factor.clamp(0.2, 2.0)).clamp(self.shortest, self.longest);
        }
        accepted
    }

    /// Shortens the step after a failed solve; `false` when it is too short already.
    pub fn cut(&mut self, dt: f64) -> bool {
        self.step = dt / 4.0;
        self.step >= self.shortest
    }
}
