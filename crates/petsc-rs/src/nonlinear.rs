//! Nonlinear solvers.
use crate::closure::{Slot, attach, borrow, call, callback};
use crate::error::{Error, Result};
use crate::session::{int, name, text};
use crate::{KrylovSolver, Matrix, Options, Vector};
use mpi::topology::SimpleCommunicator;
use mpi::traits::AsRaw;
use petsc_sys::*;
use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::fmt;
use std::ptr::{null, null_mut};
use std::vec::Vec;

handle!(
    /// A solver for `F(x) = b` (`SNES`): Newton's method with a line search unless the options say otherwise.
    ///
    /// Each solver has its own options prefix, as for [`KrylovSolver`].
    NonlinearSolver,
    SNES,
    SNESDestroy
);

/// Why a nonlinear iteration stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NonlinearReason {
    /// `|F|` below the absolute tolerance.
    AbsoluteTolerance,
    /// `|F|` below the relative tolerance times its first value.
    RelativeTolerance,
    /// The step is below the step tolerance times `|x|`.
    SmallStep,
    /// The number of iterations that was asked for, without a test.
    Iterations,
    /// Another of PETSc's positive reasons.
    Converged(i32),
    /// Still iterating.
    Iterating,
    /// `x` left the domain of `F`.
    DivergedDomain,
    /// Too many evaluations of `F`.
    DivergedEvaluations,
    /// The linear solver failed.
    DivergedLinearSolve,
    /// Not-a-number or infinity appeared.
    DivergedNan,
    /// Out of iterations.
    DivergedIterations,
    /// The line search found no decrease.
    DivergedLineSearch,
    /// Stuck in a minimum of `|F|` that is no root.
    DivergedLocalMinimum,
    /// `|F|` grew beyond the divergence tolerance.
    DivergedTolerance,
    /// Another of PETSc's negative reasons.
    Diverged(i32),
}

impl NonlinearReason {
    fn from_raw(reason: SNESConvergedReason) -> Self {
        // SAFETY: reads an enumeration of four bytes.
        match unsafe { std::mem::transmute::<SNESConvergedReason, i32>(reason) } {
            0 => Self::Iterating,
            2 => Self::AbsoluteTolerance,
            3 => Self::RelativeTolerance,
            4 => Self::SmallStep,
            5 => Self::Iterations,
            code @ 1.. => Self::Converged(code),
            -1 => Self::DivergedDomain,
            -2 => Self::DivergedEvaluations,
            -3 => Self::DivergedLinearSolve,
            -4 => Self::DivergedNan,
            -5 => Self::DivergedIterations,
            -6 => Self::DivergedLineSearch,
            -8 => Self::DivergedLocalMinimum,
            -9 => Self::DivergedTolerance,
            code => Self::Diverged(code),
        }
    }

    /// Whether the solution meets what was asked for.
    pub fn converged(self) -> bool {
        use NonlinearReason::*;
        matches!(self, AbsoluteTolerance | RelativeTolerance | SmallStep | Iterations | Converged(_))
    }
}

impl fmt::Display for NonlinearReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AbsoluteTolerance => "absolute tolerance reached",
            Self::RelativeTolerance => "relative tolerance reached",
            Self::SmallStep => "the step became small",
            Self::Iterations => "the iterations asked for were done",
            Self::Converged(code) => return write!(f, "converged (PETSc's reason {code})"),
            Self::Iterating => "still iterating",
            Self::DivergedDomain => "the iterate left the domain of the residual",
            Self::DivergedEvaluations => "the limit of residual evaluations was reached",
            Self::DivergedLinearSolve => "the linear solver failed",
            Self::DivergedNan => "not-a-number or infinity appeared",
            Self::DivergedIterations => "the iteration limit was reached",
            Self::DivergedLineSearch => "the line search found no decrease",
            Self::DivergedLocalMinimum => "stuck in a local minimum of the residual norm",
            Self::DivergedTolerance => "the residual grew beyond the divergence tolerance",
            Self::Diverged(code) => return write!(f, "diverged (PETSc's reason {code})"),
        })
    }
}

/// How a nonlinear solve ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NonlinearConvergence {
    /// Why it stopped.
    pub reason: NonlinearReason,
    /// Nonlinear iterations done.
    pub iterations: usize,
    /// Linear iterations done in all of them.
    pub linear_iterations: usize,
    /// Last norm of the residual.
    pub residual: f64,
}

type Residual = dyn FnMut(&Vector, &mut Vector) -> Result<()>;
type Jacobian = dyn FnMut(&Vector, &mut Matrix) -> Result<()>;
type Monitor = dyn FnMut(usize, f64);

thread_local! {
    static COUNTER: Cell<u64> = const { Cell::new(0) };
}

impl NonlinearSolver {
    /// A solver with a prefix of its own ("nonlinear1_", "nonlinear2_", ...).
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn new(comm: &SimpleCommunicator) -> Result<Self> {
        let mut raw = null_mut();
        petsc!(SNESCreate(comm.as_raw(), &mut raw))?;
        let mut solver = Self::from_raw(raw)?;
        COUNTER.set(COUNTER.get() + 1);
        solver.set_prefix(&format!("nonlinear{}_", COUNTER.get()))?;
        Ok(solver)
    }

    /// Names this solver's options, as [`KrylovSolver::set_prefix`].
    ///
    /// # Errors
    /// When the prefix starts with a dash.
    pub fn set_prefix(&mut self, prefix: &str) -> Result<()> {
        let prefix = name(prefix)?;
        petsc!(SNESSetOptionsPrefix(self.raw, prefix.as_ptr()))
    }

    /// The options prefix. Local.
    pub fn prefix(&self) -> String {
        let mut prefix: *const c_char = null();
        // SAFETY: the handle is live; PETSc lends its string.
        unsafe { SNESGetOptionsPrefix(self.raw, &mut prefix) };
        text(prefix)
    }

    /// Applies options written without prefix, such as `-snes_linesearch_type bt -ksp_type gmres`; see
    /// [`KrylovSolver::set_options`].
    ///
    /// # Errors
    /// When an option is malformed or has a wrong value.
    pub fn set_options(&mut self, line: &str) -> Result<Vec<String>> {
        let mut options = Options::global()?;
        let added = options.insert(&self.prefix(), line, false)?;
        match petsc!(SNESSetFromOptions(self.raw)) {
            Ok(()) => Ok(added),
            Err(error) => {
                added.iter().try_for_each(|option| options.clear(option))?;
                Err(error)
            }
        }
    }

    /// Sets `residual(x, f)`, which computes `f = F(x)`; `f` has the layout of `like`. Where `x` has no
    /// residual, fill `f` with not-a-number: the line search then takes a shorter step. An error or a panic
    /// ends the solve and comes out of it.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn set_residual(
        &mut self,
        like: &Vector,
        residual: impl FnMut(&Vector, &mut Vector) -> Result<()> + 'static,
    ) -> Result<()> {
        let work = like.duplicate()?;
        let slot = Slot::<Residual>::new(Box::new(residual));
        let context = attach(self.raw as PetscObject, c"petsc_rs_residual", slot)?;
        petsc!(SNESSetFunction(self.raw, work.raw, Some(run_residual), context))
    }

    /// Sets `jacobian(x, p)`, which fills and assembles the tangent at `x`. With two different matrices (`a`
    /// a shell, say) `p` is the one that the preconditioner is built from, and `a` must follow `x` by itself.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn set_jacobian(
        &mut self,
        a: &Matrix,
        preconditioning: &Matrix,
        jacobian: impl FnMut(&Vector, &mut Matrix) -> Result<()> + 'static,
    ) -> Result<()> {
        let slot = Slot::<Jacobian>::new(Box::new(jacobian));
        let context = attach(self.raw as PetscObject, c"petsc_rs_jacobian", slot)?;
        petsc!(SNESSetJacobian(self.raw, a.raw, preconditioning.raw, Some(run_jacobian), context))
    }

    /// Relative and absolute tolerance of `|F|`, relative tolerance of the step, and the largest number of
    /// iterations.
    ///
    /// # Errors
    /// When a value is negative.
    pub fn set_tolerances(
        &mut self,
        relative: f64,
        absolute: f64,
        step: f64,
        iterations: usize,
    ) -> Result<()> {
        // Evaluations are limited by iterations and line search already.
        const EVALUATIONS: crate::Int = 1_000_000;
        petsc!(SNESSetTolerances(self.raw, absolute, relative, step, int(iterations)?, EVALUATIONS))
    }

    /// Calls `monitor(iteration, |F|)` in every iteration, instead of an earlier monitor.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn set_monitor(&mut self, monitor: impl FnMut(usize, f64) + 'static) -> Result<()> {
        petsc!(SNESMonitorCancel(self.raw))?;
        let slot = Slot::<Monitor>::new(Box::new(monitor));
        let context = attach(self.raw as PetscObject, c"petsc_rs_monitor", slot)?;
        petsc!(SNESMonitorSet(self.raw, Some(run_monitor), context, None))
    }

    /// The linear solver inside, shared.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn krylov(&self) -> Result<KrylovSolver> {
        let mut raw = null_mut();
        petsc!(SNESGetKSP(self.raw, &mut raw))?;
        KrylovSolver::share(raw)
    }

    /// Solves `F(x) = b` (`F(x) = 0` without `b`) from the first guess in `x`. Divergence is not an error
    /// here: look at the reason.
    ///
    /// # Errors
    /// When no residual is set, a callback fails, or PETSc fails inside.
    pub fn solve(&mut self, b: Option<&Vector>, x: &mut Vector) -> Result<NonlinearConvergence> {
        let mut work = null_mut();
        petsc!(SNESGetFunction(self.raw, &mut work, null_mut(), null_mut()))?;
        if work.is_null() {
            return Err(Error::argument("the solver has no residual"));
        }
        let size = Vector::share(work)?.layout()?.to_vec();
        if x.layout()? != size || b.is_some_and(|b| b.layout().is_ok_and(|layout| layout != size)) {
            return Err(Error::argument("the vectors do not fit the residual"));
        }
        petsc!(SNESSolve(self.raw, b.map_or(null_mut(), |b| b.raw), x.raw))?;
        let (mut reason, mut residual) = (SNESConvergedReason_SNES_CONVERGED_ITERATING, 0.0);
        let (mut iterations, mut linear) = (0, 0);
        petsc!(SNESGetConvergedReason(self.raw, &mut reason))?;
        petsc!(SNESGetFunctionNorm(self.raw, &mut residual))?;
        petsc!(SNESGetIterationNumber(self.raw, &mut iterations))?;
        petsc!(SNESGetLinearSolveIterations(self.raw, &mut linear))?;
        Ok(NonlinearConvergence {
            reason: NonlinearReason::from_raw(reason),
            iterations: iterations.max(0) as usize,
            linear_iterations: linear.max(0) as usize,
            residual,
        })
    }
}

unsafe extern "C" fn run_residual(
    _snes: SNES,
    x: petsc_sys::Vec,
    f: petsc_sys::Vec,
    context: *mut c_void,
) -> PetscErrorCode {
    callback(|| {
        // SAFETY: attached in `set_residual`.
        let slot = unsafe { borrow::<Slot<Residual>>(context) };
        let (x, mut f) = (Vector::share(x)?, Vector::share(f)?);
        call(&slot, |residual| residual(&x, &mut f))
    })
}

unsafe extern "C" fn run_jacobian(
    _snes: SNES,
    x: petsc_sys::Vec,
    a: Mat,
    p: Mat,
    context: *mut c_void,
) -> PetscErrorCode {
    callback(|| {
        // SAFETY: attached in `set_jacobian`.
        let slot = unsafe { borrow::<Slot<Jacobian>>(context) };
        let (x, mut p) = (Vector::share(x)?, Matrix::share(p)?);
        call(&slot, |jacobian| jacobian(&x, &mut p))?;
        // Tells PETSc that a matrix which follows `x` by itself has changed.
        if a != p.raw { Matrix::share(a)?.assemble() } else { Ok(()) }
    })
}

unsafe extern "C" fn run_monitor(
    _snes: SNES,
    iteration: PetscInt,
    residual: PetscReal,
    context: *mut c_void,
) -> PetscErrorCode {
    callback(|| {
        // SAFETY: attached in `set_monitor`.
        let slot = unsafe { borrow::<Slot<Monitor>>(context) };
        call(&slot, |monitor| {
            monitor(iteration.max(0) as usize, residual);
            Ok(())
        })
    })
}
