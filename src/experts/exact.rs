//! Level `exact`: the discrete solution, by Newton's method with the experts' two-level Schwarz method.
use super::constraint::Constraint;
use super::equations::{Equations, Tangent};
use crate::mixture::{INNER_FAILURE, Mixture, Projection, finished};
use crate::solver::{Schwarz, of_experts};
use crate::{Error, Result};
use petsc_rs::{Convergence, KrylovSolver, Matrix, NormType, Vector};
use std::error::Error as _;

/// Newton steps at most.
const MOST_STEPS: usize = 40;
/// The shortest share of a step.
const SHORTEST: f64 = 1e-4;
/// Relative residual of the linear systems inside Newton's method.
const INNER: f64 = 1e-6;

impl Constraint {
    /// As [`Constraint::solve_exactly`]; where Newton's method does not find the solution from there, anew from `guess`, if
    /// there is one. Whether it did. Collective.
    pub(super) fn solve_from<'a>(
        &self,
        kept: &mut Option<KrylovSolver>,
        (equations, tangent): (&Equations<'a>, Tangent<'a>),
        guess: Option<&Vector>,
        state: &mut Vector,
    ) -> Result<(usize, bool)> {
        let (first, guess) = match (self.solve_exactly(kept, equations, tangent, state), guess) {
            (Err(Error::Failed(first)), Some(guess)) if !equations.is_linear() => (first, guess),
            (result, _) => return Ok((result?, false)),
        };
        state.copy_from(guess)?;
        equations.impose(&self.balances.fields, state)?;
        let tangent = equations.tangent(state, None)?;
        match self.solve_nonlinear(equations, tangent, state) {
            Err(Error::Failed(second)) => Err(Error::Failed(format!(
                "{first}; nor from what the run itself would begin with: {second}"
            ))),
            result => Ok((result?, true)),
        }
    }

    /// From `state`, which has the essential values, to the solution; iterations of the Schwarz method. `tangent` is that of
    /// `state`, `kept` the experts' solver of that matrix, if there is one. Collective.
    pub(super) fn solve_exactly<'a>(
        &self,
        kept: &mut Option<KrylovSolver>,
        equations: &Equations<'a>,
        tangent: Tangent<'a>,
        state: &mut Vector,
    ) -> Result<usize> {
        let positive = equations.is_symmetric();
        match (equations.load(), equations.is_linear() && positive) {
            (Some(load), true) => self.solve_linear(kept, equations, &tangent, load, state),
            _ => self.solve_nonlinear(equations, tangent, state),
        }
    }

    /// An assembled, symmetric and positive system by conjugate gradients.
    fn solve_linear(
        &self,
        kept: &mut Option<KrylovSolver>,
        equations: &Equations,
        matrix: &Matrix,
        load: &Vector,
        state: &mut Vector,
    ) -> Result<usize> {
        if kept.is_none() {
            *kept = Some(self.conjugate_gradients(matrix)?);
        }
        let solver = kept.as_mut().expect("set above");
        let mut free = load.try_clone()?;
        equations.essential.clear(&mut free.write()?);
        let target = self.options.tolerance * free.norm(petsc_rs::Norm::Two)?;
        solver.set_tolerances(0.0, target.max(f64::MIN_POSITIVE.sqrt()), self.options.max_iterations)?;
        let outcome = solver.solve(load, state).map_err(|error| self.unsolved(error))?;
        if !outcome.reason.converged() {
            return Err(self.stopped(&outcome));
        }
        equations.impose(&self.balances.fields, state)?;
        Ok(outcome.iterations)
    }

    /// Any other one.
    fn solve_nonlinear<'a>(
        &self,
        equations: &Equations<'a>,
        mut tangent: Tangent<'a>,
        state: &mut Vector,
    ) -> Result<usize> {
        let [mut residual, mut direction] = [state.duplicate()?, state.duplicate()?];
        equations.residual(state, &mut residual)?;
        let mut norm = residual.norm(petsc_rs::Norm::Two)?;
        // What the residual is a difference of.
        let mut inside = state.try_clone()?;
        equations.essential.clear(&mut inside.write()?);
        tangent.mult(&inside, &mut direction)?;
        let target = self.options.tolerance * norm.max(direction.norm(petsc_rs::Norm::Two)?);
        let mut iterations = 0;
        for step in 0..MOST_STEPS {
            if norm <= target {
                return Ok(iterations);
            }
            let mut solver = self.experts(&tangent, equations)?;
            let goal = (INNER * norm).max(0.1 * target);
            solver.set_tolerances(0.0, goal, self.options.max_iterations)?;
            direction.set(0.0)?;
            let outcome = solver.solve(&residual, &mut direction).map_err(|error| self.unsolved(error))?;
            iterations += outcome.iterations;
            if !outcome.reason.converged() {
                return Err(self.stopped(&outcome));
            }
            equations.essential.clear(&mut direction.write()?);
            let (mut share, mut next) = (1.0, state.duplicate()?);
            let then = loop {
                next.copy_from(state)?;
                next.axpy(-share, &direction)?;
                next.ghost_update()?;
                equations.residual(&next, &mut residual)?;
                let then = residual.norm(petsc_rs::Norm::Two)?;
                if then.is_finite() && (then < (1.0 - 1e-4 * share) * norm || then <= target) {
                    break then;
                }
                share *= 0.5;
                if share < SHORTEST {
                    return Err(Error::Failed(format!(
                        "{}: Newton's method came to a halt after {step} steps at a residual of {norm:.2e} where \
                         {target:.2e} was asked for; a run from the start may find the solution",
                        self.name
                    )));
                }
            };
            state.copy_from(&next)?;
            state.ghost_update()?;
            norm = then;
            if norm > target && !equations.is_linear() {
                tangent = equations.tangent(state, tangent.into_room())?;
            }
        }
        Err(Error::Failed(format!("{}: Newton's method took more than {MOST_STEPS} steps", self.name)))
    }

    fn stopped(&self, outcome: &Convergence) -> Error {
        Error::Failed(format!(
            "{}: the experts' iteration stopped after {} steps at a residual of {:.2e}: {}",
            self.name, outcome.iterations, outcome.residual, outcome.reason
        ))
    }

    /// What is singular is no fault of PETSc's.
    fn unsolved(&self, error: petsc_rs::Error) -> Error {
        if error.code != INNER_FAILURE {
            return error.into();
        }
        // That of the preconditioner has PETSc's calls around it.
        let inside = error.source().and_then(|source| source.downcast_ref::<petsc_rs::Error>());
        Error::Failed(format!("{}: {}", self.name, inside.unwrap_or(&error).message))
    }

    /// Conjugate gradients with the experts' two-level Schwarz method. Of a copy: the caller may write other numbers
    /// into the matrix.
    fn conjugate_gradients(&self, matrix: &Matrix) -> Result<KrylovSolver> {
        let matrix = matrix.duplicate(true)?;
        self.schwarz(&matrix, "-ksp_type cg", |solver| {
            Schwarz::new(&self.name, &self.basis, &matrix)?.attach(solver)
        })
    }

    /// A solver of a tangent by the experts: conjugate gradients, or GMRES where it is not positive. Of a flow by
    /// factorisation: one level of experts does not see the pressure of the others, and GMRES needs thousands of steps.
    pub(super) fn experts(&self, matrix: &Matrix, equations: &Equations) -> Result<KrylovSolver> {
        if equations.is_symmetric() {
            return self.conjugate_gradients(matrix);
        }
        let matrix = matrix.duplicate(true)?;
        if equations.problem().is_some_and(|problem| problem.facts().pressure) {
            let mut solver = KrylovSolver::new(self.balances.fields.mesh.comm.mpi())?;
            solver.set_prefix(&format!("{}_direct_", self.name))?;
            solver.set_operators(&matrix, &matrix)?;
            solver.set_up_with(DIRECT, |_| Ok(()))?;
            return Ok(solver);
        }
        self.schwarz(&matrix, "-ksp_type gmres -ksp_gmres_restart 200 -ksp_pc_side right", |solver| {
            let mut method = Nonsymmetric::new(&self.name, &self.basis, &matrix)?;
            solver.preconditioner()?.set_shell(false, move |x, y| method.apply(x, y))
        })
    }

    fn schwarz(
        &self,
        matrix: &Matrix,
        options: &str,
        attach: impl FnOnce(&KrylovSolver) -> petsc_rs::Result<()>,
    ) -> Result<KrylovSolver> {
        let mut solver = KrylovSolver::new(self.balances.fields.mesh.comm.mpi())?;
        solver.set_prefix(&format!("{}_", self.name))?;
        solver.set_operators(matrix, matrix)?;
        solver.set_up_with(options, |solver| attach(solver)).map_err(|error| self.unsolved(error))?;
        solver.set_norm_type(NormType::Unpreconditioned)?;
        solver.set_initial_guess_nonzero(true)?;
        Ok(solver)
    }
}

/// Restricted additive Schwarz with a coarse correction after it, `M = M_1 + Q (I - K M_1)`, for matrices that are not
/// positive ("A-DEF2" in Tang, Nabben, Vuik, Erlangga, J. Sci. Comput. 39 (2009)).
struct Nonsymmetric {
    matrix: Matrix,
    local: KrylovSolver,
    coarse: Projection,
    residual: Vector,
    correction: Vector,
}

/// Of flows.
const DIRECT: &str = "-ksp_type preonly -pc_type lu -pc_factor_mat_solver_type mumps -mat_mumps_icntl_14 100";

/// Exact solves in every subdomain.
const FACTORS: &str = "-sub_pc_type lu -sub_pc_factor_mat_solver_type mumps";

impl Nonsymmetric {
    fn new(name: &str, mixture: &Mixture, matrix: &Matrix) -> petsc_rs::Result<Self> {
        let matrix = matrix.duplicate(true)?;
        let local = of_experts(name, mixture, &matrix, FACTORS)?;
        let free = crate::mixture::coupled(&matrix)?;
        let mut coarse = mixture.petrov(&format!("{name}_coarse_"), &matrix, &free)?;
        coarse.factorise()?;
        let (residual, correction) = matrix.vectors()?;
        Ok(Self { matrix, local, coarse, residual, correction })
    }

    fn apply(&mut self, x: &Vector, y: &mut Vector) -> petsc_rs::Result<()> {
        finished(self.local.solve(x, y)?)?;
        self.matrix.residual(x, y, &mut self.residual)?;
        self.coarse.field(&self.residual, &mut self.correction)?;
        y.axpy(1.0, &self.correction)
    }
}
