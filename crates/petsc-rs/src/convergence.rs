//! How an iteration ended.
use petsc_sys::*;
use std::fmt;

/// Why an iteration stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConvergenceReason {
    /// Residual below the relative tolerance.
    RelativeTolerance,
    /// Residual below the absolute tolerance.
    AbsoluteTolerance,
    /// The number of iterations that was asked for, without a test.
    Iterations,
    /// The Krylov space holds the solution.
    HappyBreakdown,
    /// Another of PETSc's positive reasons.
    Converged(i32),
    /// Still iterating.
    Iterating,
    /// Out of iterations.
    DivergedIterations,
    /// The residual grew beyond the divergence tolerance.
    DivergedTolerance,
    /// The method broke down.
    DivergedBreakdown,
    /// The method needs a symmetric matrix or preconditioner.
    DivergedNonsymmetric,
    /// The preconditioner is not positive definite.
    DivergedIndefinitePreconditioner,
    /// Not-a-number or infinity appeared.
    DivergedNan,
    /// The matrix is not positive definite.
    DivergedIndefiniteMatrix,
    /// The preconditioner could not be built or applied (zero pivot, out of memory, ...).
    DivergedPreconditionerFailed,
    /// Another of PETSc's negative reasons.
    Diverged(i32),
}

impl ConvergenceReason {
    /// From PETSc's number; the positive ones moved between versions.
    pub(crate) fn from_raw(reason: KSPConvergedReason) -> Self {
        // SAFETY: reads an enumeration of four bytes.
        let code = unsafe { std::mem::transmute::<KSPConvergedReason, i32>(reason) };
        match code {
            0 => Self::Iterating,
            2 => Self::RelativeTolerance,
            3 => Self::AbsoluteTolerance,
            4 => Self::Iterations,
            _ if reason == KSPConvergedReason_KSP_CONVERGED_HAPPY_BREAKDOWN => Self::HappyBreakdown,
            1.. => Self::Converged(code),
            -3 => Self::DivergedIterations,
            -4 => Self::DivergedTolerance,
            -5 | -6 => Self::DivergedBreakdown,
            -7 => Self::DivergedNonsymmetric,
            -8 => Self::DivergedIndefinitePreconditioner,
            -9 => Self::DivergedNan,
            -10 => Self::DivergedIndefiniteMatrix,
            -11 => Self::DivergedPreconditionerFailed,
            _ => Self::Diverged(code),
        }
    }

    /// Whether the solution meets what was asked for.
    pub fn converged(self) -> bool {
        matches!(
            self,
            Self::RelativeTolerance
                | Self::AbsoluteTolerance
                | Self::Iterations
                | Self::HappyBreakdown
                | Self::Converged(_)
        )
    }
}

impl fmt::Display for ConvergenceReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::RelativeTolerance => "relative tolerance reached",
            Self::AbsoluteTolerance => "absolute tolerance reached",
            Self::Iterations => "the iterations asked for were done",
            Self::HappyBreakdown => "the Krylov space holds the solution",
            Self::Converged(code) => return write!(f, "converged (PETSc's reason {code})"),
            Self::Iterating => "still iterating",
            Self::DivergedIterations => "the iteration limit was reached",
            Self::DivergedTolerance => "the residual grew beyond the divergence tolerance",
            Self::DivergedBreakdown => "the Krylov method broke down",
            Self::DivergedNonsymmetric => "the matrix or preconditioner is not symmetric",
            Self::DivergedIndefinitePreconditioner => "the preconditioner is not positive definite",
            Self::DivergedNan => "not-a-number or infinity appeared",
            Self::DivergedIndefiniteMatrix => "the matrix is not positive definite",
            Self::DivergedPreconditionerFailed => "the preconditioner could not be built or applied",
            Self::Diverged(code) => return write!(f, "diverged (PETSc's reason {code})"),
        };
        f.write_str(words)
    }
}

/// How a solve ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Convergence {
    /// Why it stopped.
    pub reason: ConvergenceReason,
    /// Iterations done.
    pub iterations: usize,
    /// Last residual norm, in the solver's norm.
    pub residual: f64,
}
