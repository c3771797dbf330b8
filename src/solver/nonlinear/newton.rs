//! Nonlinear systems by PETSc's Newton method with exact tangents.
use super::recycling::NewtonRecycling;
use super::system::{Inner, System};
use crate::deck::{SolverMethod, SolverOptions};
use crate::fem::{Essential, History, Parts};
use crate::memory::{Entry, Kept, Memory, Value};
use crate::physics::{Context, Prepared, Problem};
use crate::solver::flow::{Blocks, Schur};
use crate::solver::linear::{LinearSolver, OwnOptions, defaults};
use crate::solver::precondition::RestrictedSchwarz;
use crate::solver::recycle::Recycler;
use crate::solver::tuning::{self, Tuning};
use crate::{Error, Result};
use petsc_rs::{KrylovSolver, Matrix, NonlinearReason, NonlinearSolver, Vector};
use std::cell::{Ref, RefCell};
use std::rc::Rc;

/// How a nonlinear solve went.
#[derive(Debug, Clone, Default)]
pub struct NewtonOutcome {
    /// Newton iterations.
    pub iterations: usize,
    /// Linear iterations of all of them.
    pub linear_iterations: usize,
    /// Solves: 1 of an equation, so many of a step; 0 of one that somebody else solved.
    pub full: usize,
    /// Residual norms from the first guess on.
    pub history: Vec<f64>,
    /// Why it failed, in words; `None` when it converged.
    pub failure: Option<String>,
}

/// A form at a state.
pub struct FormParts {
    /// What is stored.
    pub storage: Vector,
    /// What is not a time derivative.
    pub rest: Vector,
    /// `parts.storage * storage + parts.residual * rest`.
    pub full: Vector,
}

/// Solves `parts.storage * storage(u) + parts.residual * residual(u) + offset = 0` for the free unknowns.
pub struct NewtonSolver {
    pub(super) solver: NonlinearSolver,
    pub(super) system: Rc<System>,
    pub(super) own: OwnOptions,
    flow: Option<(Blocks, Rc<RefCell<Schur>>)>,
    name: String,
    /// The PETSc options that define it.
    pub options: String,
    pub(super) tolerance: f64,
    max_iterations: usize,
    /// What chooses the linear solver of each solve, if anything does, and the arm in use.
    pub(crate) tuning: Option<Tuning>,
    pub(super) arm: Option<usize>,
    pub(super) linear_options: SolverOptions,
    /// Largest residual of a first guess so far, what later ones are compared with; in time as an amount of what is
    /// stored, so that steps of any length mean the same.
    pub(super) reference: f64,
    pub(super) history: Rc<RefCell<Vec<f64>>>,
    /// Our own linear solver, when the deck asks for it.
    recycling: Option<NewtonRecycling>,
}

impl NewtonSolver {
    /// A solver for `problem` with its `matrix`; the problem's `name` is the prefix of its options (`-<name>_snes_...`,
    /// `-<name>_ksp_...`). Collective.
    ///
    /// # Errors
    /// When PETSc refuses an option.
    pub fn new(problem: &Rc<Problem>, matrix: &Matrix, options: &SolverOptions) -> Result<Self> {
        let (space, facts) = (&problem.space, *problem.facts());
        let mut chosen = defaults::nonlinear(problem, options);
        let mut solver = NonlinearSolver::new(space.mesh.comm.mpi())?;
        let prefix = format!("{}_", problem.name);
        solver.set_prefix(&prefix)?;
        let system = Rc::new(System::new(problem)?);
        let outside = |error: Error| petsc_rs::Error::caused_by(error);
        let this = system.clone();
        solver.set_residual(&space.field()?, move |x, f| this.next_residual(x, f).map_err(outside))?;
        let this = system.clone();
        solver.set_jacobian(matrix, matrix, move |x, p| this.tangent(x, p).map_err(outside))?;
        let history = Rc::new(RefCell::new(Vec::new()));
        let record = history.clone();
        solver.set_monitor(move |_, norm| record.borrow_mut().push(norm))?;
        let recycles = options.recycle.is_on() && options.method != SolverMethod::Direct;
        let comm = &space.mesh.comm;
        let recycler = match recycles {
            true => Recycler::of(comm, &options.recycle, facts.symmetric)?,
            false => None,
        };
        // What holds the preconditioner.
        let mut linear = match &recycler {
            Some(_) => KrylovSolver::new(comm.mpi())?,
            None => solver.krylov()?,
        };
        let mut flow = None;
        if facts.pressure {
            let blocks = Blocks::new(problem);
            let mut preconditioner = linear.preconditioner()?;
            blocks.split(space, &mut preconditioner)?;
            if chosen.contains("schur_precondition user") {
                let (schur, matrix) = Schur::new(problem, &blocks)?;
                preconditioner.field_split_schur(&matrix)?;
                flow = Some((blocks, schur));
            }
        }
        let own = OwnOptions::new(prefix.clone(), || {
            let added = solver.set_options(&chosen)?;
            if recycler.is_some() {
                linear.set_prefix(&prefix)?;
                linear.set_operators(matrix, matrix)?;
                linear.set_options("")?;
            }
            Ok(added)
        })?;
        let mut recycling = None;
        if let Some(recycler) = recycler {
            if linear.kind() == "preonly" {
                let name = &problem.name;
                return Err(Error::Failed(format!("{name}: `-ksp_type preonly` leaves nothing to recycle")));
            }
            chosen = format!("{chosen} ({})", recycler.description());
            recycling = Some(NewtonRecycling::attach(&solver, linear, recycler, system.changed.clone())?);
        }
        Ok(Self {
            solver,
            system,
            own,
            flow,
            name: problem.name.clone(),
            options: chosen,
            tolerance: options.tolerance,
            max_iterations: 25,
            tuning: None,
            arm: None,
            linear_options: tuning::iterative(options),
            reference: 0.0,
            history,
            recycling,
        })
    }

    /// Preconditions by the Schwarz method of one level, which the options already ask for (`method = "schwarz"`). Before
    /// the first solve. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn use_restricted(&mut self, method: RestrictedSchwarz) -> Result<()> {
        let mut preconditioner = match &self.recycling {
            Some(recycling) => recycling.preconditioner()?,
            None => self.solver.krylov()?.preconditioner()?,
        };
        // A user may have chosen another one.
        if preconditioner.kind() == "asm" {
            method.attach(&mut preconditioner)?;
            *self.system.restricted.borrow_mut() = Some(method);
        }
        Ok(())
    }

    /// Solves from the first guess in `solution`, whose ghosts are up to date afterwards. A solve that does
    /// not converge is no error: look at [`NewtonOutcome::failure`]. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] for coefficients that no material can have.
    pub fn solve(
        &mut self,
        context: &Context,
        parts: Parts,
        offset: Option<Vector>,
        solution: &mut Vector,
    ) -> Result<NewtonOutcome> {
        self.set_equation(context, parts, offset)?;
        if parts.storage == 0.0 {
            self.begin(solution)?;
        }
        self.impose(solution)?;
        if let Some((blocks, schur)) = &self.flow {
            let inner = self.system.inner.borrow();
            schur.borrow_mut().prepare(blocks, inner.prepared()?, parts.storage)?;
        }
        let mut first = solution.duplicate()?;
        self.system.residual(solution, true, &mut first)?;
        let norm = first.norm(petsc_rs::Norm::Two)?;
        if !norm.is_finite() {
            let failure = Some(self.explain_nan(&first)?);
            return Ok(NewtonOutcome { failure, full: 1, ..NewtonOutcome::default() });
        }
        let in_time = parts.storage > 0.0;
        let scale = if in_time { parts.storage } else { 1.0 };
        // What these models store is to change by what flows in to twelve digits, in every stage of a step.
        let conserves = in_time && self.system.problem.facts().lumped;
        let tolerance = if conserves { 1e-2 * self.tolerance } else { self.tolerance };
        self.reference = self.reference.max(norm / scale);
        // A guess that is nearly right needs no full reduction of its own residual.
        let floor = (tolerance * 1e-3 * self.reference * scale).max(f64::MIN_POSITIVE);
        self.solver.set_tolerances(tolerance, floor, 1e-14, self.max_iterations)?;
        self.history.borrow_mut().clear();
        self.system.inner.borrow_mut().known = Some(first);
        let convergence = match self.tuning.take() {
            None => {
                self.own.activate()?;
                self.solver.solve(None, solution)?
            }
            Some(mut tuning) => {
                let result = self.solve_tuned(&mut tuning, context, solution);
                self.tuning = Some(tuning);
                result?
            }
        };
        self.system.inner.borrow_mut().known = None;
        solution.ghost_update()?;
        let failure = match convergence.reason.converged() {
            true => None,
            false => Some(self.explain(convergence.reason, solution)?),
        };
        let problem = &self.system.problem;
        problem.fill_unused(solution)?;
        if failure.is_none() && problem.depends_on_itself() {
            problem.check_at(context, &solution.local_read()?)?;
        }
        Ok(NewtonOutcome {
            iterations: convergence.iterations,
            linear_iterations: match &self.recycling {
                Some(recycling) => recycling.take_iterations(),
                None => convergence.linear_iterations,
            },
            full: 1,
            history: self.history.borrow().clone(),
            failure,
        })
    }

    /// Where coefficients depend on the solution, a guess that is zero begins at the mean of the prescribed values: a law
    /// may have no value at zero. Collective.
    fn begin(&self, solution: &mut Vector) -> Result<()> {
        let (inner, problem) = (self.system.inner.borrow(), &self.system.problem);
        if !problem.depends_on_itself() || solution.norm(petsc_rs::Norm::Infinity)? > 0.0 {
            return Ok(());
        }
        let (space, essential) = (&problem.space, inner.essential());
        let mut sums = [0.0; 2];
        for dof in essential.owned(space) {
            sums = [sums[0] + essential.values[dof], sums[1] + 1.0];
        }
        space.mesh.comm.sum_into(&mut sums);
        if sums[1] > 0.0 {
            solution.set(sums[0] / sums[1])?;
        }
        Ok(())
    }

    /// A solver for the systems of a linear form that keeps their factorisations, if it is by factorisation that they are
    /// solved. Collective.
    ///
    /// # Errors
    /// When PETSc refuses an option.
    pub fn kept_factorisation(&self, tolerance: f64) -> Result<Option<LinearSolver>> {
        let (problem, options) = (&self.system.problem, &self.linear_options);
        if self.tuning.is_some() || self.recycling.is_some() || !problem.facts().linear {
            return Ok(None);
        }
        let options = SolverOptions { tolerance, ..options.clone() };
        LinearSolver::kept_factorisation(&problem.space, &self.name, &options, &self.options)
    }

    /// Sets the essential unknowns of a state to their values at the last [`NewtonSolver::set_time`].
    /// Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn impose(&self, state: &mut Vector) -> Result<()> {
        let (inner, space) = (self.system.inner.borrow(), &self.system.problem.space);
        let used = |dof: &usize| self.system.problem.is_used(*dof);
        {
            let mut values = state.write()?;
            let essential = inner.essential();
            // Not `Essential::impose`: unused unknowns count as prescribed, but keep what is interpolated there.
            for dof in essential.owned(space).filter(used) {
                values[dof] = essential.values[dof];
            }
        }
        Ok(state.ghost_update()?)
    }

    /// Coefficients and essential conditions at a time and parameters. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] for coefficients that no material can have.
    pub fn set_time(&mut self, context: &Context) -> Result<()> {
        self.system.set_time(context)
    }

    /// Parts of the form at a state, with the coefficients of the last [`NewtonSolver::set_time`] or solve;
    /// essential unknowns are not treated. Collective.
    ///
    /// # Errors
    /// When PETSc fails, or no parameters are set yet.
    pub fn evaluate(&self, parts: Parts, state: &Vector) -> Result<Vector> {
        self.system.evaluate(parts, state)
    }

    /// The form at a state, and its parts one by one; see [`NewtonSolver::evaluate`]. Collective.
    ///
    /// # Errors
    /// As [`NewtonSolver::evaluate`].
    pub fn evaluate_all(&self, parts: Parts, state: &Vector) -> Result<FormParts> {
        let storage = self.evaluate(Parts::STORAGE, state)?;
        let rest = self.evaluate(Parts::REST, state)?;
        let full = match self.system.inner.borrow().linear {
            Some(_) => {
                let mut full = rest.try_clone()?;
                full.scale(parts.residual)?;
                full.axpy(parts.storage, &storage)?;
                full
            }
            // The stabilisation of others depends on the step.
            None => self.evaluate(parts, state)?,
        };
        Ok(FormParts { storage, rest, full })
    }

    /// Takes the internal variables at the end of the step whose solution is `state`, found with the last
    /// parts. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn commit(&self, state: &Vector) -> Result<()> {
        let inner = &mut *self.system.inner.borrow_mut();
        let Some(history) = &inner.history else { return Ok(()) };
        let state = state.local_read()?;
        let next = inner.prepared()?.next_history(inner.at(&state), history);
        inner.history = Some(next);
        Ok(())
    }

    /// The problem at the parameters of the last [`NewtonSolver::set_equation`] or solve.
    ///
    /// # Errors
    /// When there was none.
    pub fn prepared(&self) -> Result<Ref<'_, Prepared>> {
        let inner = self.system.inner.borrow();
        let missing = |_| Error::Failed("a form is evaluated before its parameters are set".into());
        Ref::filter_map(inner, |inner| inner.prepared.as_ref()).map_err(missing)
    }

    /// The internal variables at the last accepted step, if the model has any.
    pub fn history(&self) -> Option<Ref<'_, History>> {
        Ref::filter_map(self.system.inner.borrow(), |inner| inner.history.as_ref()).ok()
    }

    /// Takes internal variables as those at the last accepted step. Local.
    pub fn set_history(&mut self, history: History) {
        self.system.inner.borrow_mut().history = Some(history);
    }

    /// Forgets what it compared residuals with, and the internal variables. Local.
    pub fn forget(&mut self) {
        self.reference = 0.0;
        self.system.inner.borrow_mut().history = self.system.problem.new_history();
    }

    /// Whether the model has a time derivative.
    pub fn evolves(&self) -> bool {
        self.system.problem.evolves()
    }

    /// The problem.
    pub fn problem(&self) -> &Rc<Problem> {
        &self.system.problem
    }

    /// The ranks.
    pub fn comm(&self) -> &crate::parallel::Comm {
        &self.system.problem.space.mesh.comm
    }

    /// The essential conditions of the last solve.
    pub fn essential(&self) -> Ref<'_, Essential> {
        Ref::map(self.system.inner.borrow(), Inner::essential)
    }

    fn explain(&self, reason: NonlinearReason, solution: &Vector) -> Result<String> {
        let mut residual = self.system.problem.space.field()?;
        self.system.residual(solution, true, &mut residual)?;
        if !residual.norm(petsc_rs::Norm::Two)?.is_finite() {
            return self.explain_nan(&residual);
        }
        let history = self.history.borrow();
        let last: Vec<String> = history.iter().rev().take(4).rev().map(|r| format!("{r:.2e}")).collect();
        Ok(format!(
            "{}: Newton's method failed ({reason}) after {} iterations; last residuals {}",
            self.name,
            history.len().saturating_sub(1),
            last.join(", ")
        ))
    }

    /// Where the first number that is none stands.
    fn explain_nan(&self, residual: &Vector) -> Result<String> {
        let space = &self.system.problem.space;
        let values = residual.read()?;
        let mine = values.iter().position(|v| !v.is_finite());
        let comm = &space.mesh.comm;
        let holder = comm.min(if mine.is_some() { comm.rank() as u64 } else { u64::MAX });
        let mut at = vec![0.0; 4];
        if let (Some(dof), true) = (mine, holder == comm.rank() as u64) {
            at[..3].copy_from_slice(&space.point(dof / space.components));
            at[3] = (dof % space.components) as f64;
        }
        comm.sum_into(&mut at);
        Ok(format!(
            "{}: the residual of component {} is not a number at ({:.6}, {:.6}, {:.6}) on rank {holder}",
            self.name, at[3], at[0], at[1], at[2]
        ))
    }
}

impl Memory for NewtonSolver {
    fn remembered(&self) -> Vec<Entry<'_>> {
        let mut list = vec![Entry::numbers("reference", [self.reference])];
        if let Some(history) = self.history() {
            let width = history.points * history.width;
            let values = Ref::map(history, |history| &history.values[..]);
            list.push(Entry("internal".into(), Value::Cells(Box::new(values), width)));
        }
        list.extend(self.recycling.iter().flat_map(Memory::remembered));
        list.extend(self.tuning.iter().flat_map(Memory::remembered));
        list
    }

    fn restore(&mut self, kept: &dyn Kept) -> Result<()> {
        self.reference = kept.number("reference")?;
        if let Some(history) = &mut self.system.inner.borrow_mut().history {
            let values = kept.cells("internal", history.points * history.width)?;
            history.values = values.ok_or_else(|| kept.missing("internal"))?;
        }
        self.recycling.as_mut().map_or(Ok(()), |recycling| recycling.restore(kept))?;
        self.tuning.as_mut().map_or(Ok(()), |tuning| tuning.restore(kept))
    }
}
