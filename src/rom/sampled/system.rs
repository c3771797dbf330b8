//! A problem reduced to few coefficients, with sampled integrals: what steps in time and Newton's method see of it.
use super::data::{ProblemData, TestBlock, ValuesAt, at_nodes};
use super::exact::ExactSums;
use super::points::{ReducedState, SampledIntegral};
use crate::Result;
use crate::deck::SolverOptions;
use crate::fem::{History, Parts};
use crate::physics::{Context, Problem};
use crate::solver::{FormParts, NewtonOutcome, StepEquation, TimeSystem};
use faer::linalg::solvers::Solve;
use faer::{Col, Mat, MatRef};
use petsc_rs::Vector;
use std::cell::RefCell;
use std::rc::Rc;

/// Relative residual to which the few equations are solved at least.
const TOLERANCE: f64 = 1e-8;
/// A tangent that is softer than this multiple of the energy says nothing.
const SOFTEST: f64 = 1e-3;
/// Part of the largest first residual so far that counts as none.
const FLOOR: f64 = 1e-3;
const ITERATIONS: usize = 30;
/// A step is halved so often at most.
const HALVINGS: usize = 8;

/// One physics. Its unknowns are the factors of the liftings, which are prescribed, and then those of the modes.
pub struct ReducedProblem {
    /// The problem on the sampled cells.
    pub problem: Rc<Problem>,
    /// Liftings.
    pub lifts: usize,
    /// All functions at the nodes of the sampled cells, `[node, component, function]`.
    functions: Vec<f64>,
    /// The same where they act: without a flow's pressure, which no mode does work with.
    acting: Vec<f64>,
    integrals: RefCell<Vec<SampledIntegral>>,
    /// What residuals are tested with besides, by points of its own, and how many functions that are.
    residual: RefCell<Vec<SampledIntegral>>,
    tests: usize,
    /// Points where internal variables are followed without a weight, if any.
    followed: RefCell<Option<SampledIntegral>>,
    /// Where nothing is sampled.
    exact: Option<ExactSums>,
    energy: Mat<f64>,
    gram: Mat<f64>,
    lifting: ValuesAt,
    initial: ValuesAt,
    /// Where Newton's method begins in steady problems.
    start: Vec<f64>,
    /// Parameters of the samples whose ends these are, and how far they spread.
    parameters: Vec<f64>,
    spreads: Vec<f64>,
    tolerance: f64,
    prescribed: Vec<f64>,
    context: Context,
    parts: Parts,
    reference: f64,
}

impl ReducedProblem {
    /// A problem on the sampled cells, which are numbered in the order of `cell_ids`. Local.
    ///
    /// # Errors
    /// When a sampled point is not there.
    pub fn new(
        problem: &Rc<Problem>,
        data: &ProblemData,
        cell_ids: &[u64],
        options: &SolverOptions,
    ) -> Result<Self> {
        let b = data.functions();
        let functions = data.at_nodes(problem, cell_ids);
        let mut acting = functions.clone();
        if problem.facts().pressure {
            let c = problem.space.components;
            acting.chunks_exact_mut(b).skip(c - 1).step_by(c).for_each(|row| row.fill(0.0));
        }
        let basis = (&acting[..], b);
        let all = 0..problem.integrals.len();
        let one = |integral| SampledIntegral::new(problem, integral, &data.chosen, cell_ids, basis, None);
        let integrals = all.clone().map(one).collect::<Result<Vec<_>>>()?;
        let TestBlock { count: tests, chosen, nodal } = &data.residual;
        let functions_of_tests = at_nodes(nodal, *tests, &problem.space, cell_ids);
        let one = |integral| {
            let tests = Some((&functions_of_tests[..], *tests));
            SampledIntegral::new(problem, integral, chosen, cell_ids, basis, tests)
        };
        let residual = if *tests > 0 { all.map(one).collect::<Result<Vec<_>>>()? } else { Vec::new() };
        let followed = match data.followed.is_empty() {
            true => None,
            false => Some(SampledIntegral::new(problem, 0, &data.followed, cell_ids, basis, None)?),
        };
        Ok(Self {
            problem: problem.clone(),
            followed: followed.into(),
            lifts: data.lifts,
            functions,
            integrals: integrals.into(),
            residual: residual.into(),
            tests: *tests,
            exact: data.exact.clone().map(|form| ExactSums::new(form, b)),
            energy: MatRef::from_row_major_slice(
                &data.energy,
                b.min(data.energy.len()),
                b.min(data.energy.len()),
            )
            .to_owned(),
            gram: MatRef::from_row_major_slice(&data.gram, b, b).to_owned(),
            lifting: data.lifting.clone(),
            initial: data.initial.clone(),
            start: data.start.clone(),
            spreads: spreads(&data.parameters, data.start.len() / b.max(1)),
            parameters: data.parameters.clone(),
            tolerance: TOLERANCE.min(options.tolerance),
            prescribed: vec![0.0; data.lifts],
            context: Context::default(),
            parts: Parts::REST,
            reference: 0.0,
            acting,
        })
    }

    /// Number of functions.
    pub fn functions(&self) -> usize {
        self.gram.nrows()
    }

    /// Sampled points of all integrals.
    pub fn points(&self) -> usize {
        self.integrals.borrow().iter().map(SampledIntegral::count).sum()
    }

    /// Whether residuals are tested.
    pub fn has_indicator(&self) -> bool {
        self.tests > 0
    }

    /// No coefficients, and room for what residuals are tested with. Local.
    ///
    /// # Errors
    /// When PETSc is out of memory.
    pub fn zero(&self) -> Result<Vector> {
        Ok(Vector::new(self.problem.space.mesh.comm.mpi(), self.functions() + self.tests, 1)?)
    }

    /// The values at the nodes of the sampled cells, `[node, component]`. Local.
    pub fn nodal(&self, coefficients: &[f64]) -> Vec<f64> {
        nodal(&self.functions, coefficients)
    }

    /// Forgets internal variables and what residuals were compared with. Local.
    pub fn forget(&mut self) {
        self.reference = 0.0;
        let (mut own, mut tests) = (self.integrals.borrow_mut(), self.residual.borrow_mut());
        let mut followed = self.followed.borrow_mut();
        own.iter_mut().chain(tests.iter_mut()).chain(followed.iter_mut()).for_each(SampledIntegral::forget);
    }

    /// The coefficients of initial values at the nodes of the sampled cells, at the context of the last
    /// [`TimeSystem::set_time`]. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn initial(&self, values: &[f64]) -> Result<Vector> {
        let mut values = values.to_vec();
        let given = self.initial.dofs.iter().zip(&self.initial.given);
        given.for_each(|(&dof, value)| values[dof] = *value);
        let mut state = self.zero()?;
        {
            let mut c = state.write()?;
            let (lifts, modes) = c[..self.functions()].split_at_mut(self.lifts);
            lifts.copy_from_slice(&self.prescribed);
            let lifted = |dof: usize| -> f64 {
                let own = &self.functions[dof * self.functions()..];
                own.iter().zip(&self.prescribed).map(|(l, theta)| l * theta).sum()
            };
            modes.copy_from_slice(&self.initial.read(|dof| values[dof] - lifted(dof)));
        }
        Ok(state)
    }

    /// Where Newton's method begins in a steady problem: at the state of the training sample whose parameters and coefficients of
    /// random fields are nearest to these. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn start(&self, point: &[f64]) -> Result<Vector> {
        let mut state = self.zero()?;
        let (b, p) = (self.functions(), self.spreads.len());
        let distance = |sample: usize| -> f64 {
            let own = self.parameters[sample * p..][..p].iter().zip(point).zip(&self.spreads);
            own.map(|((a, b), spread)| ((a - b) / spread).powi(2)).sum()
        };
        let samples = 0..self.start.len() / b.max(1);
        if let Some(sample) = samples.min_by(|&i, &j| distance(i).total_cmp(&distance(j))) {
            state.write()?[..b].copy_from_slice(&self.start[sample * b..][..b]);
        }
        Ok(state)
    }

    /// The internal variables at all points of the sampled cells, right where they are followed; none of models without. Local.
    pub fn followed(&self) -> Option<History> {
        let mut history = self.problem.new_history()?;
        self.followed.borrow().as_ref()?.put_history(&mut history);
        Some(history)
    }

    /// Norm of a state in the energy in which residuals are measured; 0 without an indicator.
    pub fn energy(&self, coefficients: &[f64]) -> f64 {
        length(&self.energy, coefficients)
    }

    /// How stiff the problem is at the last context and a state, as a multiple of the energy in which residuals are measured:
    /// the mean, over directions of the modes, of the energy of the tangent with what is stored over `duration` (s). 1 without
    /// an indicator. Local.
    pub fn stiffness(&self, duration: f64, coefficients: &[f64]) -> f64 {
        let (q, n) = (self.lifts, self.functions() - self.lifts);
        if self.energy.nrows() == 0 || n == 0 {
            return 1.0;
        }
        // With internal variables a step of no length is elastic, as the energy is.
        let storage = if self.problem.has_history() { 0.0 } else { 1.0 / duration };
        let (_, tangent) = self.linearised(Parts { storage, residual: 1.0 }, coefficients);
        let of_modes =
            self.energy.submatrix(q, q, n, n).partial_piv_lu().solve(tangent.submatrix(q, q, n, n));
        let mean = (0..n).map(|i| of_modes[(i, i)]).sum::<f64>() / n as f64;
        // Also where it is not a number.
        mean.max(SOFTEST)
    }

    /// The residual of a steady problem as it is tested besides the modes, at the last context. Local.
    pub fn tested(&self, coefficients: &[f64]) -> Vec<f64> {
        self.form(Parts::REST, coefficients, None, true).split_off(self.functions())
    }

    /// The form at the last context, tested with all functions, and its derivative by their coefficients. Local.
    pub fn linearised(&self, parts: Parts, coefficients: &[f64]) -> (Vec<f64>, Mat<f64>) {
        let mut matrix = Mat::zeros(self.functions(), self.functions());
        let vector = self.form(parts, coefficients, Some(&mut matrix), false);
        (vector, matrix)
    }

    fn set_coefficients(&self) {
        let (mut own, mut tests) = (self.integrals.borrow_mut(), self.residual.borrow_mut());
        let mut followed = self.followed.borrow_mut();
        let all = own.iter_mut().chain(tests.iter_mut()).chain(followed.iter_mut());
        all.for_each(|integral| integral.set(&self.problem, &self.context));
    }

    /// The form tested with all functions, with its derivative if `matrix` is there; then with `tests` those besides the modes.
    fn form(&self, parts: Parts, c: &[f64], mut matrix: Option<&mut Mat<f64>>, tests: bool) -> Vec<f64> {
        let needs_nodal = self.problem.depends_on_itself() || self.problem.facts().lumped;
        let nodal = if needs_nodal { self.nodal(c) } else { Vec::new() };
        if self.problem.depends_on_itself() {
            self.problem.set_own(&nodal);
            let (mut own, mut residual) = (self.integrals.borrow_mut(), self.residual.borrow_mut());
            let needed = own.iter_mut().chain(residual.iter_mut().filter(|_| tests));
            needed.for_each(|integral| integral.set(&self.problem, &self.context));
        }
        let at = ReducedState { basis: c, nodal: &nodal, functions: &self.acting };
        let mut vector = vec![0.0; c.len()];
        for integral in self.integrals.borrow().iter() {
            integral.add(&self.problem, at, parts, &mut vector, matrix.as_deref_mut());
        }
        if let Some(exact) = &self.exact {
            exact.add(parts, c, 0, &mut vector, matrix);
        }
        vector[..self.lifts].fill(0.0);
        if tests && self.tests > 0 {
            let mut tested = vec![0.0; self.tests];
            for integral in self.residual.borrow().iter() {
                integral.add(&self.problem, at, parts, &mut tested, None);
            }
            if let Some(exact) = &self.exact {
                exact.add(parts, c, c.len(), &mut tested, None);
            }
            vector.extend(tested);
        }
        vector
    }

    /// Solves an equation by Newton's method from a first guess. Local.
    ///
    /// # Errors
    /// When PETSc fails, or a prescribed value is not finite.
    pub fn solve(&mut self, equation: &StepEquation, state: &mut Vector) -> Result<NewtonOutcome> {
        self.set_time(&equation.context)?;
        self.parts = equation.parts;
        self.impose(state)?;
        let offset = equation.offset.read()?.to_vec();
        let (b, q, parts) = (self.functions(), self.lifts, equation.parts);
        let mut c = state.read()?[..b].to_vec();
        let residual = |c: &[f64], matrix: Option<&mut Mat<f64>>| -> (Vec<f64>, f64) {
            let mut r = self.form(parts, c, matrix, false);
            r.iter_mut().zip(&offset).for_each(|(r, o)| *r += o);
            let norm = r[q..].iter().map(|v| v * v).sum::<f64>().sqrt();
            (r, norm)
        };
        let scale = if parts.storage > 0.0 { parts.storage } else { 1.0 };
        let mut matrix = Mat::zeros(b, b);
        let (mut r, mut norm) = residual(&c, Some(&mut matrix));
        let reference = self.reference.max(norm / scale);
        let aim = self.tolerance * norm.max(FLOOR * reference * scale);
        let mut outcome = NewtonOutcome { history: vec![norm], ..NewtonOutcome::default() };
        while norm > aim {
            if !norm.is_finite() || outcome.iterations == ITERATIONS {
                let last: Vec<String> =
                    outcome.history.iter().rev().take(4).rev().map(|r| format!("{r:.2e}")).collect();
                outcome.failure = Some(format!(
                    "{}: Newton's method of the reduced model failed after {} iterations; last residuals {}",
                    self.problem.name,
                    outcome.iterations,
                    last.join(", ")
                ));
                break;
            }
            let block = matrix.submatrix(q, q, b - q, b - q);
            let right = Col::from_fn(b - q, |i| -r[q + i]);
            let step = block.partial_piv_lu().solve(&right);
            outcome.iterations += 1;
            let (old, before) = (c.clone(), norm);
            let mut part = 1.0;
            for halving in 0.. {
                (q..b).for_each(|i| c[i] = old[i] + part * step[i - q]);
                matrix = Mat::zeros(b, b);
                (r, norm) = residual(&c, Some(&mut matrix));
                if norm < before || halving == HALVINGS {
                    break;
                }
                part *= 0.5;
            }
            outcome.history.push(norm);
            let change = step.norm_l2() * part;
            let size = c[q..].iter().map(|v| v * v).sum::<f64>().sqrt();
            if norm.is_finite() && change <= 1e-13 * size {
                // Nothing is left but rounding.
                break;
            }
        }
        self.reference = reference;
        state.write()?[..b].copy_from_slice(&c);
        Ok(outcome)
    }
}

impl TimeSystem for ReducedProblem {
    fn set_time(&mut self, context: &Context) -> Result<()> {
        self.context = context.clone();
        if self.lifts > 0 {
            let essential = self.problem.essential(context)?;
            self.prescribed = self.lifting.read(|dof| essential.values[dof]);
        }
        if !self.problem.depends_on_itself() {
            self.set_coefficients();
        }
        if let Some(exact) = &mut self.exact {
            exact.set(&self.problem, context);
        }
        Ok(())
    }

    fn impose(&self, state: &mut Vector) -> Result<()> {
        state.write()?[..self.lifts].copy_from_slice(&self.prescribed);
        Ok(())
    }

    fn evaluate(&self, parts: Parts, state: &Vector) -> Result<Vector> {
        let mut result = state.duplicate()?;
        let c = &state.read()?[..self.functions()];
        result.write()?.copy_from_slice(&self.form(parts, c, None, true));
        Ok(result)
    }

    fn evaluate_all(&self, parts: Parts, state: &Vector) -> Result<FormParts> {
        let one = |parts| self.evaluate(parts, state);
        if self.problem.has_history() {
            // What changes with time is in the law: nothing is stored, and implicit Euler does not read the rest.
            let none = state.duplicate()?;
            return Ok(FormParts { storage: none.try_clone()?, rest: none, full: one(parts)? });
        }
        Ok(FormParts { storage: one(Parts::STORAGE)?, rest: one(Parts::REST)?, full: one(parts)? })
    }

    fn commit(&self, state: &Vector) -> Result<()> {
        let c = &state.read()?[..self.functions()];
        let nodal = self.nodal(c);
        if self.problem.depends_on_itself() {
            self.problem.set_own(&nodal);
            self.set_coefficients();
        }
        let at = ReducedState { basis: c, nodal: &nodal, functions: &self.acting };
        let (mut own, mut tests) = (self.integrals.borrow_mut(), self.residual.borrow_mut());
        let mut followed = self.followed.borrow_mut();
        for integral in own.iter_mut().chain(tests.iter_mut()).chain(followed.iter_mut()) {
            let next = integral.next_history(&self.problem, at, self.parts);
            integral.set_history(next);
        }
        Ok(())
    }

    fn supply(&self, _residual: &Vector) -> Result<f64> {
        // Nobody tests with what is prescribed.
        Ok(f64::NAN)
    }

    fn norm(&self, state: &Vector) -> Result<f64> {
        Ok(length(&self.gram, &state.read()?[..self.functions()]))
    }
}

/// How far parameters `[sample, parameter]` of so many samples spread; 1 where they do not.
fn spreads(parameters: &[f64], samples: usize) -> Vec<f64> {
    let p = parameters.len() / samples.max(1);
    let spread = |k: usize| {
        let own = parameters.iter().skip(k).step_by(p);
        let (low, high) = own.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
        if high > low { high - low } else { 1.0 }
    };
    (0..p).map(spread).collect()
}

/// Norm of coefficients in the product of a Gram matrix.
fn length(gram: &Mat<f64>, c: &[f64]) -> f64 {
    let rows = (0..gram.nrows()).map(|i| c[i] * (0..gram.ncols()).map(|j| gram[(i, j)] * c[j]).sum::<f64>());
    rows.sum::<f64>().max(0.0).sqrt()
}

/// Values of functions `[place, function]` with coefficients.
pub(super) fn nodal(functions: &[f64], coefficients: &[f64]) -> Vec<f64> {
    let value = |row: &[f64]| row.iter().zip(coefficients).map(|(f, c)| f * c).sum();
    functions.chunks_exact(coefficients.len().max(1)).map(value).collect()
}
