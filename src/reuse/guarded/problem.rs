//! One problem of a guarded run: each equation is solved on the solutions so far, checked, and solved in full where that is
//! not good enough.
use super::reduced::{Reduced, solve_reduced};
use crate::fem::Essential;
use crate::memory::{Entry, Kept};
use crate::mixture::{Columns, InnerProduct, spread};
use crate::physics::{Context, Problem};
use crate::reuse::SolutionBasis;
use crate::solver::StateProduct;
use crate::solver::{NewtonOutcome, NewtonSolver, StepEquation, by_newton};
use crate::{Error, Result};
use petsc_rs::Vector;
use std::rc::Rc;
use std::time::Instant;

/// What a problem has cost: equations of accepted steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Whose reduced solution was accepted.
    pub reduced: usize,
    /// That were solved in full.
    pub full: usize,
}

/// The memory of a problem.
pub(super) struct GuardedProblem {
    problem: Rc<Problem>,
    accept: f64,
    product: StateProduct,
    basis: SolutionBasis,
    /// The basis at the local unknowns, `[node, component, function]`, for so many functions; none yet where it has changed.
    local: Option<Vec<f64>>,
    /// What solutions are measured from: values of the components.
    middle: Vec<f64>,
    /// The largest solution of the run so far, and with those of the step that is being attempted.
    reference: f64,
    trial: f64,
    /// Equations of the step that is being attempted.
    pub attempted: Counts,
    /// Of all accepted steps, in all runs.
    pub counts: Counts,
    /// Seconds for reduced solves and their checks, for full solves, and to enlarge the basis.
    pub seconds: [f64; 3],
}

impl GuardedProblem {
    /// Nothing learnt yet. Collective.
    ///
    /// # Errors
    /// When a coefficient cannot be evaluated at the initial state.
    pub fn new(
        problem: &Rc<Problem>,
        (context, initial, duration): (&Context, &Vector, f64),
        (accept, most, tolerance): (f64, usize, f64),
    ) -> Result<Self> {
        let middle = middle(problem, initial)?;
        let product = StateProduct::new(problem, context, &middle, duration)?;
        let comm = &problem.space.mesh.comm;
        let basis = SolutionBasis::new(comm, product.whole.matrix(), initial, most, tolerance)?;
        Ok(Self {
            problem: problem.clone(),
            accept,
            product,
            basis,
            local: None,
            middle,
            reference: 0.0,
            trial: 0.0,
            attempted: Counts::default(),
            counts: Counts::default(),
            seconds: [0.0; 3],
        })
    }

    /// Number of functions.
    pub fn modes(&self) -> usize {
        self.basis.count()
    }

    /// Begins a run at its initial state, with the values that are prescribed there. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn begin(&mut self, initial: &Vector, essential: &Essential) -> Result<()> {
        self.middle = middle(&self.problem, initial)?;
        (self.reference, self.trial) = (0.0, 0.0);
        self.add_constant(essential)?;
        self.append(initial, essential)
    }

    /// Whether these unknowns are those that are prescribed. Local.
    pub fn fits(&self, essential: &Essential) -> bool {
        self.product.fixed == essential.fixed
    }

    /// Takes a field, owned unknowns, into the basis. Collective.
    ///
    /// # Errors
    /// When it is not finite.
    pub fn learn(&mut self, values: &[f64], essential: &Essential) -> Result<()> {
        let mut field = self.problem.space.field()?;
        field.write()?.copy_from_slice(values);
        self.append(&field, essential)
    }

    /// With a constant among the functions that equations are tested with, what is stored changes by what flows in.
    fn add_constant(&mut self, essential: &Essential) -> Result<()> {
        if self.problem.space.components == 1 && !self.problem.is_solid() {
            let mut one = self.problem.space.field()?;
            one.set(1.0)?;
            self.basis.append(&one, essential, None)?;
            self.local = None;
        }
        Ok(())
    }

    fn append(&mut self, solution: &Vector, essential: &Essential) -> Result<()> {
        let before = self.basis.count();
        let mut compressed = false;
        for part in self.product.parts(&self.problem, solution)? {
            let count = self.basis.count();
            self.basis.append(&part, essential, None)?;
            compressed |= self.basis.count() < count;
        }
        if compressed || self.basis.count() != before {
            self.local = None;
        }
        if compressed {
            // It may be lost.
            self.add_constant(essential)?;
        }
        Ok(())
    }

    /// Before a step is attempted. Local.
    pub fn begin_step(&mut self) {
        (self.attempted, self.trial) = (Counts::default(), self.reference);
    }

    /// The step that was attempted is accepted. Local.
    pub fn accept_step(&mut self) {
        self.reference = self.trial;
        self.counts.reduced += self.attempted.reduced;
        self.counts.full += self.attempted.full;
    }

    /// Finds the state of an equation from a first guess. Collective.
    ///
    /// # Errors
    /// As [`NewtonSolver::solve`].
    pub fn solve(
        &mut self,
        newton: &mut NewtonSolver,
        equation: &StepEquation,
        solution: &mut Vector,
    ) -> Result<NewtonOutcome> {
        let start = Instant::now();
        let guess = solution.try_clone()?;
        let found = match self.basis.count() {
            0 => Reduced::Nothing,
            _ => self.try_reduced(newton, equation, solution)?,
        };
        self.seconds[0] += start.elapsed().as_secs_f64();
        if found == Reduced::Accepted {
            self.attempted.reduced += 1;
            return Ok(NewtonOutcome::default());
        }
        let start = Instant::now();
        if found != Reduced::Nothing {
            let offset = equation.offset.try_clone()?;
            newton.set_equation(&equation.context, equation.parts, Some(offset))?;
            let mut first = guess.try_clone()?;
            newton.impose(&mut first)?;
            newton.compare_with(&first)?;
        }
        if found == Reduced::Failed {
            copy(&guess, solution)?;
        }
        let mut outcome = by_newton(newton, equation, solution)?;
        if outcome.failure.is_some() && found == Reduced::Refused {
            copy(&guess, solution)?;
            let first = outcome;
            outcome = by_newton(newton, equation, solution)?;
            outcome.iterations += first.iterations;
            outcome.linear_iterations += first.linear_iterations;
        }
        self.seconds[1] += start.elapsed().as_secs_f64();
        if outcome.failure.is_none() {
            let start = Instant::now();
            self.attempted.full += 1;
            self.trial = self.trial.max(self.size(solution)?);
            let essential = newton.essential().clone();
            self.append(solution, &essential)?;
            self.seconds[2] += start.elapsed().as_secs_f64();
        }
        Ok(outcome)
    }

    fn size(&self, state: &Vector) -> Result<f64> {
        self.product.distance(&self.problem, state, &self.middle)
    }

    /// The functions at the local unknowns. Collective.
    fn spread(&mut self) -> Result<()> {
        if self.local.is_none() {
            let (space, fixed) = (&self.problem.space, &self.product.fixed);
            let mut values = vec![0.0; fixed.len() * self.basis.count()];
            spread(space, self.basis.functions().iter(), fixed, (&mut values, 0))?;
            self.local = Some(values);
        }
        Ok(())
    }

    fn try_reduced(
        &mut self,
        newton: &mut NewtonSolver,
        equation: &StepEquation,
        solution: &mut Vector,
    ) -> Result<Reduced> {
        let comm = self.problem.space.mesh.comm.clone();
        newton.set_equation(&equation.context, equation.parts, Some(equation.offset.try_clone()?))?;
        newton.impose(solution)?;
        self.spread()?;
        let local = self.local.as_deref().expect("spread above");
        // Steps below this do not change the verdict.
        let close = self.accept * self.trial.max(self.size(solution)?);
        let columns = self.basis.functions();
        if !solve_reduced(newton, equation, (columns, local), close, solution)? {
            return Ok(Reduced::Failed);
        }
        self.problem.fill_unused(solution)?;
        let residual = newton.residual(solution)?;
        let (error, size) = (self.product.dual_norm(&residual)?, self.trial.max(self.size(solution)?));
        if comm.max(u8::from(error.is_nan())) == 1 {
            return Ok(Reduced::Failed);
        }
        if comm.min(u8::from(error <= self.accept * size)) == 0 {
            return Ok(Reduced::Refused);
        }
        if self.problem.depends_on_itself() {
            match self.problem.check_at(&equation.context, &solution.local_read()?) {
                Ok(()) => {}
                Err(Error::Input(_)) => return Ok(Reduced::Failed),
                Err(other) => return Err(other),
            }
        }
        self.trial = size;
        let mut free = solution.read()?.to_vec();
        newton.essential().clear(&mut free);
        let image = self.basis.energy().image(&free)?;
        let coefficients = self.basis.functions().coefficients(&image);
        self.basis.note_use(&coefficients);
        Ok(Reduced::Accepted)
    }

    /// What the next step depends on. Local.
    pub fn remembered(&self) -> Vec<Entry<'_>> {
        let Counts { reduced, full } = self.counts;
        let numbers = [self.reference, reduced as f64, full as f64, self.basis.count() as f64];
        let mut list = vec![Entry::numbers("guard", numbers)];
        if self.basis.count() > 0 && !self.basis.use_of().is_empty() {
            list.push(Entry("guard_use".into(), crate::memory::Value::Rows(self.basis.use_of())));
        }
        for (number, column) in self.basis.functions().iter().enumerate() {
            let field = self.problem.space.field().and_then(|mut field| {
                field.write()?.copy_from_slice(column);
                Ok(field)
            });
            // Without room for a vector there is no checkpoint, which says so itself.
            list.extend(
                field.ok().map(|field| Entry::field(format!("guard_mode_{number}"), Box::new(field))),
            );
        }
        list
    }

    /// Goes on from there; nothing where there is nothing. Collective.
    ///
    /// # Errors
    /// When something is missing or does not fit.
    pub fn restore(&mut self, kept: &dyn Kept) -> Result<()> {
        let Some(numbers) = kept.numbers("guard")? else { return Ok(()) };
        let &[reference, reduced, full, count] = &numbers[..] else { return Err(kept.missing("guard")) };
        (self.reference, self.trial) = (reference, reference);
        self.counts = Counts { reduced: reduced as usize, full: full as usize };
        let space = &self.problem.space;
        let mut columns = Columns::new(&space.mesh.comm, space.owned_dofs());
        let fields = kept.fields("guard_mode")?;
        if fields.len() != count as usize {
            return Err(kept.missing(&format!("guard_mode_{}", fields.len())));
        }
        for field in &fields {
            columns.push(&field.read()?);
        }
        let use_of = kept.rows("guard_use")?.unwrap_or_default();
        self.basis.restore(columns, use_of);
        self.local = None;
        Ok(())
    }
}

fn copy(from: &Vector, to: &mut Vector) -> Result<()> {
    to.copy_from(from)?;
    Ok(to.ghost_update()?)
}

/// Values of the components in the middle between the least and the largest of a state; of bodies zero. Collective.
fn middle(problem: &Problem, state: &Vector) -> Result<Vec<f64>> {
    let (c, comm) = (problem.space.components, &problem.space.mesh.comm);
    if problem.is_solid() {
        return Ok(vec![0.0; c]);
    }
    let values = state.read()?;
    let of = |component: usize| {
        let own = values.iter().enumerate().filter(|(dof, _)| dof % c == component && problem.is_used(*dof));
        let (least, most) =
            own.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, m), (_, v)| (l.min(*v), m.max(*v)));
        let (least, most) = (comm.min(least), comm.max(most));
        if least <= most { 0.5 * (least + most) } else { 0.0 }
    };
    Ok((0..c).map(of).collect())
}
