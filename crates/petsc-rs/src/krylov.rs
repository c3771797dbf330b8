//! Linear solvers.
use crate::closure::{attach, attached, borrow, callback, detach};
use crate::convergence::{Convergence, ConvergenceReason};
use crate::error::{Error, Result};
use crate::session::{int, name, text, truth};
use crate::{Matrix, Options, Preconditioner, Vector};
use mpi::topology::SimpleCommunicator;
use mpi::traits::AsRaw;
use petsc_sys::*;
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_void};
use std::ptr::{null, null_mut};
use std::vec::Vec;

handle!(
    /// A Krylov (or direct) solver for `A x = b` (`KSP`).
    ///
    /// Each solver made by [`KrylovSolver::new`] has its own options prefix, so that
    /// [`KrylovSolver::set_options`] reaches no other.
    KrylovSolver,
    KSP,
    KSPDestroy
);

/// The norm that the convergence test sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormType {
    /// None: a fixed number of iterations.
    None,
    /// `|M^-1 r|`.
    Preconditioned,
    /// `|r|`.
    Unpreconditioned,
    /// `sqrt(r^T M^-1 r)`; for CG: an estimate of the energy norm of the error.
    Natural,
}

thread_local! {
    static COUNTER: Cell<u64> = const { Cell::new(0) };
}

type Monitor = dyn FnMut(usize, f64);
type Monitors = RefCell<Vec<Box<Monitor>>>;
const MONITORS: &CStr = c"petsc_rs_monitors";

impl KrylovSolver {
    /// A solver with a prefix of its own ("solver1_", "solver2_", ...).
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn new(comm: &SimpleCommunicator) -> Result<Self> {
        let mut raw = null_mut();
        petsc!(KSPCreate(comm.as_raw(), &mut raw))?;
        let mut solver = Self::from_raw(raw)?;
        COUNTER.set(COUNTER.get() + 1);
        solver.set_prefix(&format!("solver{}_", COUNTER.get()))?;
        Ok(solver)
    }

    /// Names this solver's options: with "heat_", `-heat_ksp_type cg` on the command line is this one's.
    ///
    /// # Errors
    /// When the prefix starts with a dash.
    pub fn set_prefix(&mut self, prefix: &str) -> Result<()> {
        let prefix = name(prefix)?;
        petsc!(KSPSetOptionsPrefix(self.raw, prefix.as_ptr()))
    }

    /// The options prefix. Local.
    pub fn prefix(&self) -> String {
        let mut prefix: *const c_char = null();
        // SAFETY: the handle is live; PETSc lends its string.
        unsafe { KSPGetOptionsPrefix(self.raw, &mut prefix) };
        text(prefix)
    }

    /// Applies options written without prefix, such as `-ksp_type cg -pc_type gamg`. What the
    /// database already holds for this prefix (from the command line) wins. The options stay in the
    /// database, because inner solvers read theirs at set-up; the full names of those that were added are
    /// returned, for [`Options::clear`].
    ///
    /// # Errors
    /// When an option is malformed or has a wrong value.
    pub fn set_options(&mut self, line: &str) -> Result<Vec<String>> {
        let mut options = Options::global()?;
        let added = options.insert(&self.prefix(), line, false)?;
        match petsc!(KSPSetFromOptions(self.raw)) {
            Ok(()) => Ok(added),
            Err(error) => {
                // A refused value must not meet the next reader.
                added.iter().try_for_each(|option| options.clear(option))?;
                Err(error)
            }
        }
    }

    /// Sets the solver up with options as [`KrylovSolver::set_options`] takes them, after `prepare`, and takes them out of
    /// the database again: another solver of the same prefix must not meet them, whose matrix may be of another kind.
    ///
    /// # Errors
    /// When an option is malformed, `prepare` fails, or the set-up does.
    pub fn set_up_with(&mut self, line: &str, prepare: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let added = self.set_options(line)?;
        let result = prepare(self).and_then(|()| self.set_up());
        let mut options = Options::global()?;
        added.iter().try_for_each(|option| options.clear(option))?;
        result
    }

    /// Sets the matrix and the one that the preconditioner is built from (often the same). PETSc shares
    /// them: later changes of their values are seen at the next solve.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn set_operators(&mut self, a: &Matrix, preconditioning: &Matrix) -> Result<()> {
        petsc!(KSPSetOperators(self.raw, a.raw, preconditioning.raw))
    }

    /// Keeps (`true`) or rebuilds the preconditioner when the matrix changes.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn set_reuse_preconditioner(&mut self, reuse: bool) -> Result<()> {
        petsc!(KSPSetReusePreconditioner(self.raw, truth(reuse)))
    }

    /// Whether the preconditioner is kept when the matrix changes. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn reuses_preconditioner(&self) -> Result<bool> {
        let mut reuse = truth(false);
        petsc!(KSPGetReusePreconditioner(self.raw, &mut reuse))?;
        Ok(reuse == truth(true))
    }

    /// The matrix, shared with the solver. Local.
    ///
    /// # Errors
    /// When none is set.
    pub fn operator(&self) -> Result<Matrix> {
        let mut a = null_mut();
        petsc!(KSPGetOperators(self.raw, &mut a, null_mut()))?;
        Matrix::share(a)
    }

    /// Sets the method by PETSc's name ("cg", "gmres", "preonly", ...).
    ///
    /// # Errors
    /// When there is no such method.
    pub fn set_type(&mut self, kind: &str) -> Result<()> {
        let kind = name(kind)?;
        petsc!(KSPSetType(self.raw, kind.as_ptr()))
    }

    /// The method's name, empty before one is chosen. Local.
    pub fn kind(&self) -> String {
        let mut kind: *const c_char = null();
        // SAFETY: the handle is live; PETSc lends its string.
        unsafe { KSPGetType(self.raw, &mut kind) };
        text(kind)
    }

    /// Relative and absolute tolerance and the largest number of iterations.
    ///
    /// # Errors
    /// When a value is negative.
    pub fn set_tolerances(&mut self, relative: f64, absolute: f64, iterations: usize) -> Result<()> {
        petsc!(KSPSetTolerances(self.raw, relative, absolute, PETSC_DEFAULT as f64, int(iterations)?))
    }

    /// Relative and absolute tolerance and the largest number of iterations. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn tolerances(&self) -> Result<(f64, f64, usize)> {
        let (mut relative, mut absolute, mut iterations) = (0.0, 0.0, 0);
        petsc!(KSPGetTolerances(self.raw, &mut relative, &mut absolute, null_mut(), &mut iterations))?;
        Ok((relative, absolute, iterations.max(0) as usize))
    }

    /// Damping of Richardson's method: `x += scale * M^-1 (b - A x)`. Other methods ignore it.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn set_richardson_scale(&mut self, scale: f64) -> Result<()> {
        petsc!(KSPRichardsonSetScale(self.raw, scale))
    }

    /// Chooses the norm of the convergence test.
    ///
    /// # Errors
    /// When PETSc fails; a method that does not offer the norm complains at set-up.
    pub fn set_norm_type(&mut self, norm: NormType) -> Result<()> {
        let norm = match norm {
            NormType::None => KSPNormType_KSP_NORM_NONE,
            NormType::Preconditioned => KSPNormType_KSP_NORM_PRECONDITIONED,
            NormType::Unpreconditioned => KSPNormType_KSP_NORM_UNPRECONDITIONED,
            NormType::Natural => KSPNormType_KSP_NORM_NATURAL,
        };
        petsc!(KSPSetNormType(self.raw, norm))
    }

    /// Whether `x` at the call of [`KrylovSolver::solve`] is the first guess (else zero is).
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn set_initial_guess_nonzero(&mut self, nonzero: bool) -> Result<()> {
        petsc!(KSPSetInitialGuessNonzero(self.raw, truth(nonzero)))
    }

    /// Calls `monitor(iteration, residual)` in every iteration.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn add_monitor(&mut self, monitor: impl FnMut(usize, f64) + 'static) -> Result<()> {
        let object = self.raw as PetscObject;
        let boxed: Box<Monitor> = Box::new(monitor);
        // SAFETY: this key holds this type.
        if let Some(monitors) = unsafe { attached::<Monitors>(object, MONITORS)? } {
            let mut list =
                monitors.try_borrow_mut().map_err(|_| Error::argument("a monitor adds a monitor"))?;
            list.push(boxed);
            return Ok(());
        }
        let context = attach::<Monitors>(object, MONITORS, RefCell::new(vec![boxed]))?;
        petsc!(KSPMonitorSet(self.raw, Some(run_monitors), context, None))
    }

    /// Removes all monitors.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn clear_monitors(&mut self) -> Result<()> {
        petsc!(KSPMonitorCancel(self.raw))?;
        detach(self.raw as PetscObject, MONITORS)
    }

    /// Keeps the residual norms of up to `length` iterations of each solve.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn keep_history(&mut self, length: usize) -> Result<()> {
        petsc!(KSPSetResidualHistory(self.raw, null_mut(), length as _, truth(true)))
    }

    /// Residual norms of the last solve; empty without [`KrylovSolver::keep_history`]. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn history(&self) -> Result<Vec<f64>> {
        let (mut values, mut count) = (null(), 0);
        petsc!(KSPGetResidualHistory(self.raw, &mut values, &mut count))?;
        if values.is_null() {
            return Ok(Vec::new());
        }
        // SAFETY: PETSc keeps `count` values until the next solve.
        Ok(unsafe { std::slice::from_raw_parts(values, count as usize) }.to_vec())
    }

    /// Builds the preconditioner now (else the first solve does).
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn set_up(&mut self) -> Result<()> {
        petsc!(KSPSetUp(self.raw))?;
        petsc!(KSPSetUpOnBlocks(self.raw))
    }

    /// Solves `A x = b`. Divergence is not an error here: look at the reason.
    ///
    /// # Errors
    /// When no matrix is set, sizes differ, or PETSc fails inside.
    pub fn solve(&mut self, b: &Vector, x: &mut Vector) -> Result<Convergence> {
        self.check_sizes(b, x)?;
        petsc!(KSPSolve(self.raw, b.raw, x.raw))?;
        self.convergence()
    }

    /// Solves `A^T x = b`.
    ///
    /// # Errors
    /// As [`KrylovSolver::solve`].
    pub fn solve_transpose(&mut self, b: &Vector, x: &mut Vector) -> Result<Convergence> {
        self.check_sizes(x, b)?;
        petsc!(KSPSolveTranspose(self.raw, b.raw, x.raw))?;
        self.convergence()
    }

    fn check_sizes(&self, b: &Vector, x: &Vector) -> Result<()> {
        let (mut is_set, mut unused) = (truth(false), truth(false));
        petsc!(KSPGetOperatorsSet(self.raw, &mut is_set, &mut unused))?;
        if is_set == truth(false) {
            return Err(Error::argument("the solver has no matrix"));
        }
        let mut a = null_mut();
        petsc!(KSPGetOperators(self.raw, &mut a, null_mut()))?;
        let a = Matrix::share(a)?;
        a.check_fit(x, b)
    }

    /// How the last solve ended. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn convergence(&self) -> Result<Convergence> {
        let (mut reason, mut iterations, mut residual) = (KSPConvergedReason_KSP_CONVERGED_ITERATING, 0, 0.0);
        petsc!(KSPGetConvergedReason(self.raw, &mut reason))?;
        petsc!(KSPGetIterationNumber(self.raw, &mut iterations))?;
        petsc!(KSPGetResidualNorm(self.raw, &mut residual))?;
        Ok(Convergence {
            reason: ConvergenceReason::from_raw(reason),
            iterations: iterations.max(0) as usize,
            residual,
        })
    }

    /// Estimates of the largest and smallest eigenvalue of the preconditioned matrix from the last CG
    /// solve; needs the option `-ksp_compute_singularvalues`.
    ///
    /// # Errors
    /// When the option was not set before the solve.
    pub fn extreme_singular_values(&self) -> Result<(f64, f64)> {
        let (mut largest, mut smallest) = (0.0, 0.0);
        petsc!(KSPComputeExtremeSingularValues(self.raw, &mut largest, &mut smallest))?;
        Ok((largest, smallest))
    }

    /// The preconditioner, shared with the solver.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn preconditioner(&self) -> Result<Preconditioner> {
        let mut raw = null_mut();
        petsc!(KSPGetPC(self.raw, &mut raw))?;
        Preconditioner::share(raw)
    }
}

unsafe extern "C" fn run_monitors(
    _ksp: KSP,
    iteration: PetscInt,
    residual: PetscReal,
    context: *mut c_void,
) -> PetscErrorCode {
    callback(|| {
        // SAFETY: attached in `add_monitor`.
        let monitors = unsafe { borrow::<Monitors>(context) };
        let mut list =
            monitors.try_borrow_mut().map_err(|_| Error::argument("a monitor runs its own solver"))?;
        list.iter_mut().for_each(|monitor| monitor(iteration.max(0) as usize, residual));
        Ok(())
    })
}
