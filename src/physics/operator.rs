//! The one way to a residual and its derivatives, for every model: [`Problem::at`] parameters and a time.
use super::coefficient::Context;
use super::problem::{Place, Problem};
use crate::Result;
use crate::fem::assembly::job_at;
use crate::fem::{
    self, Data, Domain, Essential, History, Parts, Restriction, Target, Values, update_history,
};
use petsc_rs::{Matrix, Vector};
use std::cell::{Ref, RefCell};
use std::rc::Rc;

/// Coefficients by integral, group and coefficient, as from [`Problem::evaluate`].
pub type Evaluated = Vec<Vec<Vec<Values>>>;

/// A problem at parameters and a time: its coefficients and prescribed values, evaluated once. The discrete equation is
/// `parts.storage * storage(u) + parts.residual * residual(u) = 0` for the unknowns without a prescribed value; a steady
/// linear problem has `residual(u) = K u - f`.
pub struct Prepared {
    problem: Rc<Problem>,
    context: Context,
    coefficients: RefCell<Evaluated>,
    /// The prescribed values.
    pub essential: Essential,
}

/// Where a form is evaluated.
#[derive(Clone, Copy)]
pub struct FormState<'a> {
    /// All local unknowns, ghosts updated.
    pub state: &'a [f64],
    /// Internal variables at the start of the step, for models that have them.
    pub history: Option<&'a History>,
    /// Factors of the forms; of the storage 1 over the step where internal variables are integrated.
    pub parts: Parts,
}

/// The state of a problem whose exchange is asked for: values at owned and ghost unknowns, and where its coefficients hold.
#[derive(Clone, Copy)]
pub struct At<'a> {
    /// Parameters and time.
    pub context: &'a Context,
    /// All local unknowns, ghosts updated.
    pub state: &'a [f64],
    /// Internal variables there, for models that have them.
    pub history: Option<&'a History>,
}

impl<'a> FormState<'a> {
    /// A steady state.
    pub fn steady(state: &'a [f64]) -> Self {
        Self { state, history: None, parts: Parts::REST }
    }
}

impl Problem {
    /// The problem at these parameters: evaluates and checks its coefficients and prescribed values. Collective.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) for values that are not finite or have the wrong sign.
    pub fn at(self: &Rc<Self>, context: &Context) -> Result<Prepared> {
        let coefficients = self.evaluate(context);
        self.check_given(&coefficients)?;
        let essential = self.essential(context)?;
        Ok(Prepared {
            problem: self.clone(),
            context: context.clone(),
            coefficients: coefficients.into(),
            essential,
        })
    }

    /// Matrix and load of a linear system at these parameters: essential unknowns are eliminated symmetrically, with a
    /// [diagonal](Problem::essential_diagonal) alone and the prescribed value on the right-hand side. Collective.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) when a coefficient is not finite or has the wrong sign.
    ///
    /// # Panics
    /// When it is [no linear system](Problem::is_linear_system).
    pub fn assemble(
        &self,
        context: &Context,
        essential: &Essential,
        matrix: &mut Matrix,
        load: &mut Vector,
    ) -> Result<()> {
        let coefficients = self.evaluate(context);
        self.check(&coefficients)?;
        matrix.zero()?;
        {
            let arrays = matrix.arrays_mut()?;
            let mut values = load.write()?;
            values.fill(0.0);
            let mut target = Target {
                matrix: Some((arrays.diagonal, arrays.off_diagonal)),
                load: &mut values,
                state: None,
            };
            self.add_all(&coefficients, Some(essential), (None, Parts::REST), &mut target);
            let (diagonal, _) = target.matrix.expect("set above");
            let unit = self.set_essential_diagonal(diagonal, essential);
            self.finish_load(target.load, essential, unit);
        }
        matrix.assemble()?;
        Ok(())
    }

    /// The load alone, with the lifting of essential values; the matrix must not depend on what
    /// changed. Collective only through its inputs.
    ///
    /// # Errors
    /// When PETSc fails.
    ///
    /// # Panics
    /// As [`Problem::assemble`].
    pub fn assemble_load(&self, context: &Context, essential: &Essential, load: &mut Vector) -> Result<()> {
        let mut values = load.write()?;
        values.fill(0.0);
        let mut target = Target { matrix: None, load: &mut values, state: None };
        self.add_all(&self.evaluate(context), Some(essential), (None, Parts::REST), &mut target);
        self.finish_load(target.load, essential, self.essential_diagonal());
        Ok(())
    }

    /// From the residual at the prescribed values to the load.
    fn finish_load(&self, load: &mut [f64], essential: &Essential, unit: f64) {
        load.iter_mut().for_each(|value| *value = -*value);
        essential.impose_times(unit, load);
    }

    /// Minus the residual of a steady state, without elimination and without a matrix: on essential unknowns it is minus
    /// the reaction. `state` holds all local unknowns, ghosts updated. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn residual(&self, context: &Context, state: &[f64], residual: &mut Vector) -> Result<()> {
        self.set_own(state);
        self.apply(&self.evaluate(context), state, residual)
    }

    /// As [`Problem::residual`] with coefficients of the caller's choice, as from
    /// [`Problem::evaluate`]. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn apply(&self, coefficients: &Evaluated, state: &[f64], residual: &mut Vector) -> Result<()> {
        let history = self.new_history();
        self.add_to(
            coefficients,
            FormState { history: history.as_ref(), ..FormState::steady(state) },
            residual,
        )?;
        Ok(residual.scale(-1.0)?)
    }

    /// A form into a vector.
    fn add_to(&self, coefficients: &Evaluated, at: FormState, result: &mut Vector) -> Result<()> {
        let mut values = result.write()?;
        values.fill(0.0);
        let mut target = Target { matrix: None, load: &mut values, state: Some(at.state) };
        self.add_all(coefficients, None, (at.history, at.parts), &mut target);
        Ok(())
    }

    /// Adds all integrals.
    fn add_all(
        &self,
        coefficients: &Evaluated,
        essential: Option<&Essential>,
        (history, parts): (Option<&History>, Parts),
        target: &mut Target,
    ) {
        for (integral, groups) in self.integrals.iter().zip(coefficients) {
            for (group, coefficients) in integral.groups.iter().zip(groups) {
                let data = Data { coefficients, essential, history, parts };
                self.add(integral.place, &group.domain(), data, target);
            }
        }
    }

    /// Whether its law has internal variables.
    pub fn has_history(&self) -> bool {
        self.form(Place::Volume).history() > 0
    }

    /// Room for the internal variables of the volume form, all zero; `None` for models without any.
    pub fn new_history(&self) -> Option<History> {
        let width = self.form(Place::Volume).history();
        let points = self.integrals[0].groups[0].rule.weights.len();
        let values = vec![0.0; if width > 0 { self.space.mesh.local_cells() * points * width } else { 0 }];
        (width > 0).then_some(History { width, points, values })
    }
}

impl Prepared {
    /// The problem.
    pub fn problem(&self) -> &Rc<Problem> {
        &self.problem
    }

    /// Parameters, time and draw that it holds for.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The coefficients at a state. Local.
    pub fn coefficients(&self, state: &[f64]) -> Ref<'_, Evaluated> {
        if self.problem.depends_on_itself() {
            self.problem.set_own(state);
            *self.coefficients.borrow_mut() = self.problem.evaluate(&self.context);
        }
        self.coefficients.borrow()
    }

    /// Whether its coefficients are those of another one, at the same state if they depend on it. Local.
    pub fn has_coefficients_of(&self, other: &Self) -> bool {
        !self.problem.depends_on_itself() && *self.coefficients.borrow() == *other.coefficients.borrow()
    }

    /// `parts.storage * storage(u) + parts.residual * residual(u)` tested with every basis function, without
    /// essential conditions, into `result`. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn residual(&self, at: FormState, result: &mut Vector) -> Result<()> {
        self.problem.add_to(&self.coefficients(at.state), at, result)
    }

    /// [`Prepared::residual`] of a form without internal variables, as a new vector. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn form(&self, parts: Parts, state: &[f64]) -> Result<Vector> {
        let mut result = self.problem.space.field()?;
        self.residual(FormState { state, history: None, parts }, &mut result)?;
        Ok(result)
    }

    /// The derivative of [`Prepared::residual`] with respect to the state, with a
    /// [diagonal](Problem::essential_diagonal) alone at the unknowns of `essential`. Its transpose is that of the matrix,
    /// see [`Matrix::mult_transpose`]. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn tangent(&self, at: FormState, essential: &Essential, matrix: &mut Matrix) -> Result<()> {
        let problem = &self.problem;
        matrix.zero()?;
        {
            let arrays = matrix.arrays_mut()?;
            // The kernel computes the residual on the way; it is not wanted here.
            let mut unused = vec![0.0; problem.space.owned_dofs()];
            let mut target = Target {
                matrix: Some((arrays.diagonal, arrays.off_diagonal)),
                load: &mut unused,
                state: Some(at.state),
            };
            problem.add_all(
                &self.coefficients(at.state),
                Some(essential),
                (at.history, at.parts),
                &mut target,
            );
            let (diagonal, _) = target.matrix.expect("set above");
            problem.set_essential_diagonal(diagonal, essential);
        }
        matrix.assemble()?;
        Ok(())
    }

    /// The derivative of [`Prepared::residual`] with respect to parameter number `parameter` of the deck at a fixed state,
    /// with fields of other problems as they are. Exact where the forms are linear in their coefficients; else a central
    /// difference of fourth order of the forms along the exact derivative of the coefficients, right to about 1e-11.
    /// Local.
    ///
    /// # Errors
    /// When PETSc fails, or a formula has no derivative.
    pub fn slope(&self, parameter: usize, at: FormState, result: &mut Vector) -> Result<()> {
        let problem = &self.problem;
        problem.set_own(at.state);
        let coefficients = self.coefficients(at.state);
        let mut values = result.write()?;
        values.fill(0.0);
        let mut work = vec![0.0; problem.space.owned_dofs()];
        for (integral, groups) in problem.integrals.iter().zip(&*coefficients) {
            let rates = integral.coefficients.derivative(parameter)?;
            let form = problem.form(integral.place);
            for (group, coefficients) in integral.groups.iter().zip(groups) {
                let domain = group.domain();
                let rates = rates.evaluate(&self.context, &problem.space, &domain, integral.entities);
                // The parts stay as they are: history laws read the step off them.
                let mut add = |coefficients: &[Values], factor: f64| {
                    work.fill(0.0);
                    let data = Data { coefficients, essential: None, history: at.history, parts: at.parts };
                    let mut target = Target { matrix: None, load: &mut work, state: Some(at.state) };
                    problem.add(integral.place, &domain, data, &mut target);
                    values.iter_mut().zip(&work).for_each(|(sum, value)| *sum += factor * value);
                };
                if rates.iter().all(Values::is_zero) {
                    continue;
                }
                if form.is_linear_in_coefficients() {
                    // A form without coefficients is what does not depend on them.
                    let none: Vec<Values> = rates.iter().map(|_| Values::Uniform(0.0)).collect();
                    add(&rates, 1.0);
                    add(&none, -1.0);
                    continue;
                }
                let step = STEP / largest_ratio(&rates, coefficients);
                for (places, weight) in [(1.0, 8.0), (-1.0, -8.0), (2.0, -1.0), (-2.0, 1.0)] {
                    add(&moved(coefficients, &rates, places * step), weight / (12.0 * step));
                }
            }
        }
        Ok(())
    }

    /// Calls `visit` with every integral of the forms at a state over what a restriction leaves of it, to be put into one
    /// of the [sinks](crate::fem::sink): an expert's own system, products with columns, a product with the tangent or its
    /// transpose, cell by cell. With `essential` rows and columns of these unknowns are left out of element matrices; with
    /// `owned` every cell is there once over all ranks. Local.
    pub fn visit(
        &self,
        at: FormState,
        restriction: Restriction,
        essential: Option<&Essential>,
        owned: bool,
        mut visit: impl FnMut(&fem::Integral),
    ) {
        let problem = &self.problem;
        let own = problem.depends_on_itself();
        if own {
            problem.set_own(at.state);
        }
        let known = self.coefficients.borrow();
        for (integral, groups) in problem.integrals.iter().zip(&*known) {
            for (group, known) in integral.groups.iter().zip(groups) {
                let domain = group.domain();
                let selection = restriction.select(&problem.space, &domain, owned);
                // Those that depend on the state are evaluated there alone.
                let here = own.then(|| {
                    let part = Domain { rule: domain.rule, entities: &selection.entities };
                    integral.coefficients.evaluate(&self.context, &problem.space, &part, integral.entities)
                });
                let coefficients = here.as_ref().unwrap_or(known);
                let data = Data { coefficients, essential, history: at.history, parts: at.parts };
                let kernel = problem.form(integral.place);
                visit(&selection.integral(kernel, &domain, |domain| {
                    job_at(&problem.space, domain, data, Some(at.state))
                }));
            }
        }
    }

    /// The internal variables at the end of a step from `history` to the solution `at.state`. Local.
    pub fn next_history(&self, at: FormState, history: &History) -> History {
        let mut next = history.clone();
        let problem = &self.problem;
        let (space, group) = (&problem.space, &problem.integrals[0].groups[0]);
        let domain: Domain = group.domain();
        let coefficients = self.coefficients(at.state);
        let form = problem.form(Place::Volume);
        update_history(
            form,
            space,
            &domain,
            &coefficients[0][0],
            (history, &mut next),
            at.parts.storage,
            at.state,
        );
        next
    }
}

/// Relative change of coefficients in differences: its fourth power and the rounding over it are alike.
pub(super) const STEP: f64 = 1e-3;

/// The largest rate of change relative to the largest value of its coefficient.
pub(super) fn largest_ratio(rates: &[Values], coefficients: &[Values]) -> f64 {
    let largest = |values: &Values| match values {
        Values::Uniform(value) => value.abs(),
        Values::ByRegion(list) | Values::ByPoint(list) => list.iter().fold(0.0, |m: f64, v| m.max(v.abs())),
    };
    let ratio = |(rate, value): (&Values, &Values)| match (largest(rate), largest(value)) {
        (0.0, _) => 0.0,
        (rate, 0.0) => rate,
        (rate, value) => rate / value,
    };
    rates.iter().zip(coefficients).map(ratio).fold(f64::MIN_POSITIVE, f64::max)
}

/// Coefficients plus a multiple of others.
pub(super) fn moved(coefficients: &[Values], rates: &[Values], step: f64) -> Vec<Values> {
    let sum = |a: &[f64], b: &dyn Fn(usize) -> f64| -> Vec<f64> {
        a.iter().enumerate().map(|(i, a)| a + step * b(i)).collect()
    };
    let one = |(value, rate): (&Values, &Values)| match (value, rate) {
        (Values::Uniform(a), Values::Uniform(b)) => Values::Uniform(a + step * b),
        (Values::Uniform(a), Values::ByRegion(b)) => {
            Values::ByRegion(b.iter().map(|b| a + step * b).collect())
        }
        (Values::Uniform(a), Values::ByPoint(b)) => Values::ByPoint(b.iter().map(|b| a + step * b).collect()),
        (Values::ByRegion(a), Values::Uniform(b)) => Values::ByRegion(sum(a, &|_| *b)),
        (Values::ByPoint(a), Values::Uniform(b)) => Values::ByPoint(sum(a, &|_| *b)),
        (Values::ByRegion(a), Values::ByRegion(b)) => Values::ByRegion(sum(a, &|i| b[i])),
        (Values::ByPoint(a), Values::ByPoint(b)) => Values::ByPoint(sum(a, &|i| b[i])),
        // Both follow from the same inputs.
        (Values::ByRegion(_), Values::ByPoint(_)) | (Values::ByPoint(_), Values::ByRegion(_)) => {
            value.clone()
        }
    };
    coefficients.iter().zip(rates).map(one).collect()
}
