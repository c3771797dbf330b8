//! Preconditioners.
use crate::error::{Error, Result, callback};
use crate::session::{int, name, text};
use crate::{IndexSet, KrylovSolver, Matrix, Vector};
use mpi::topology::SimpleCommunicator;
use mpi::traits::AsRaw;
use petsc_sys::*;
use std::ffi::{c_char, c_void};
use std::ptr::{null, null_mut};
use std::vec::Vec;

handle!(
    /// A preconditioner (`PC`): of a [`KrylovSolver`], or by itself.
    Preconditioner,
    PC,
    PCDestroy
);

/// How a Schwarz method combines its subdomains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchwarzType {
    /// Sum over the overlap: symmetric, so valid in CG.
    Basic,
    /// Restrict with overlap, add without: fewer iterations, not symmetric.
    Restricted,
}

type Apply = Box<dyn FnMut(&Vector, &mut Vector) -> Result<()>>;

impl Preconditioner {
    /// A preconditioner without a solver.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn new(comm: &SimpleCommunicator) -> Result<Self> {
        let mut raw = null_mut();
        petsc!(PCCreate(comm.as_raw(), &mut raw))?;
        Self::from_raw(raw)
    }

    /// Sets the kind by PETSc's name ("gamg", "hypre", "asm", "mg", ...).
    ///
    /// # Errors
    /// When PETSc was built without it.
    pub fn set_type(&mut self, kind: &str) -> Result<()> {
        let kind = name(kind)?;
        petsc!(PCSetType(self.raw, kind.as_ptr()))
    }

    /// The kind's name, empty before one is chosen.
    pub fn kind(&self) -> String {
        let mut kind: *const c_char = null();
        // SAFETY: the handle is live; PETSc lends its string.
        unsafe { PCGetType(self.raw, &mut kind) };
        text(kind)
    }

    /// Sets the matrices; a solver's preconditioner takes them from its solver.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn set_operators(&mut self, a: &Matrix, preconditioning: &Matrix) -> Result<()> {
        petsc!(PCSetOperators(self.raw, a.raw, preconditioning.raw))
    }

    /// Reads the options database.
    ///
    /// # Errors
    /// When an option has a wrong value.
    pub fn set_from_options(&mut self) -> Result<()> {
        petsc!(PCSetFromOptions(self.raw))
    }

    /// Builds it.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn set_up(&mut self) -> Result<()> {
        petsc!(PCSetUp(self.raw))
    }

    /// `y = M^-1 x`.
    ///
    /// # Errors
    /// When sizes differ, or it cannot be built.
    pub fn apply(&self, x: &Vector, y: &mut Vector) -> Result<()> {
        petsc!(PCApply(self.raw, x.raw, y.raw))
    }

    /// What failed inside, in words; `None` when nothing did.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn failure(&self) -> Result<Option<&'static str>> {
        let mut reason = PCFailedReason_PC_NOERROR;
        petsc!(PCGetFailedReason(self.raw, &mut reason))?;
        Ok(match reason {
            r if r == PCFailedReason_PC_NOERROR => None,
            r if r == PCFailedReason_PC_FACTOR_STRUCT_ZEROPIVOT => {
                Some("a row or column without entries makes the factorisation singular")
            }
            r if r == PCFailedReason_PC_FACTOR_NUMERIC_ZEROPIVOT => {
                Some("a zero pivot appeared in the factorisation")
            }
            r if r == PCFailedReason_PC_FACTOR_OUTMEMORY => Some("the factorisation ran out of memory"),
            r if r == PCFailedReason_PC_FACTOR_OTHER => Some("the factorisation failed"),
            r if r == PCFailedReason_PC_SUBPC_ERROR => Some("an inner solver failed"),
            _ => Some("the set-up failed"),
        })
    }

    /// Additive Schwarz ("asm"): the subdomains of this rank by global dof numbers, with overlap and, if
    /// given, without it (as the restricted kind needs).
    ///
    /// # Errors
    /// When the lists differ in length.
    pub fn asm_set_subdomains(&mut self, overlapping: &[IndexSet], own: Option<&[IndexSet]>) -> Result<()> {
        if own.is_some_and(|own| own.len() != overlapping.len()) {
            return Err(Error::argument("as many own as overlapping subdomains are needed"));
        }
        let mut sets: Vec<IS> = overlapping.iter().map(|s| s.raw).collect();
        let mut own: Option<Vec<IS>> = own.map(|list| list.iter().map(|s| s.raw).collect());
        let own = own.as_mut().map_or(null_mut(), |list| list.as_mut_ptr());
        petsc!(PCASMSetLocalSubdomains(self.raw, int(sets.len())?, sets.as_mut_ptr(), own))?;
        // The sets are complete: PETSc must not widen them.
        petsc!(PCASMSetOverlap(self.raw, 0))
    }

    /// Additive Schwarz: how the subdomains are combined.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn asm_set_type(&mut self, kind: SchwarzType) -> Result<()> {
        let kind = match kind {
            SchwarzType::Basic => PCASMType_PC_ASM_BASIC,
            SchwarzType::Restricted => PCASMType_PC_ASM_RESTRICT,
        };
        petsc!(PCASMSetType(self.raw, kind))
    }

    /// Additive Schwarz: the solvers of this rank's subdomains, after set-up.
    ///
    /// # Errors
    /// Before set-up.
    pub fn asm_sub_solvers(&self) -> Result<Vec<KrylovSolver>> {
        let (mut count, mut first, mut list) = (0, 0, null_mut());
        petsc!(PCASMGetSubKSP(self.raw, &mut count, &mut first, &mut list))?;
        // SAFETY: PETSc lends `count` handles.
        (0..count as usize).map(|i| KrylovSolver::share(unsafe { *list.add(i) })).collect()
    }

    /// Two-level multigrid ("mg") with the coarse space spanned by the columns of `interpolation`, and the
    /// Galerkin coarse matrix.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn mg_two_level(&mut self, interpolation: &Matrix, additive: bool) -> Result<()> {
        self.set_type("mg")?;
        let kind = if additive { PCMGType_PC_MG_ADDITIVE } else { PCMGType_PC_MG_MULTIPLICATIVE };
        petsc!(PCMGSetLevels(self.raw, 2, null_mut()))?;
        petsc!(PCMGSetType(self.raw, kind))?;
        petsc!(PCMGSetInterpolation(self.raw, 1, interpolation.raw))?;
        petsc!(PCMGSetGalerkin(self.raw, PCMGGalerkinType_PC_MG_GALERKIN_BOTH))
    }

    /// Multigrid: the solver of the coarsest level (0).
    ///
    /// # Errors
    /// Before the levels are set.
    pub fn mg_coarse_solver(&self) -> Result<KrylovSolver> {
        let mut raw = null_mut();
        petsc!(PCMGGetCoarseSolve(self.raw, &mut raw))?;
        KrylovSolver::share(raw)
    }

    /// Multigrid: the smoother of a level above 0.
    ///
    /// # Errors
    /// When there is no such level.
    pub fn mg_smoother(&self, level: usize) -> Result<KrylovSolver> {
        let mut raw = null_mut();
        petsc!(PCMGGetSmoother(self.raw, int(level)?, &mut raw))?;
        KrylovSolver::share(raw)
    }

    /// Field split: one named block of dofs.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn field_split(&mut self, block: &str, set: &IndexSet) -> Result<()> {
        let block = name(block)?;
        petsc!(PCFieldSplitSetIS(self.raw, block.as_ptr(), set.raw))
    }

    /// Composite: adds a part of the given kind and returns it.
    ///
    /// # Errors
    /// When PETSc was built without the kind.
    pub fn composite_add(&mut self, kind: &str) -> Result<Preconditioner> {
        let kind = name(kind)?;
        let (mut count, mut raw) = (0, null_mut());
        petsc!(PCCompositeAddPCType(self.raw, kind.as_ptr()))?;
        petsc!(PCCompositeGetNumberPC(self.raw, &mut count))?;
        petsc!(PCCompositeGetPC(self.raw, count - 1, &mut raw))?;
        Self::share(raw)
    }

    /// Composite: parts summed (`false`) or one after the other forwards and backwards, which keeps a
    /// symmetric preconditioner symmetric (`true`).
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn composite_symmetric_multiplicative(&mut self, multiplicative: bool) -> Result<()> {
        let kind = match multiplicative {
            true => PCCompositeType_PC_COMPOSITE_SYMMETRIC_MULTIPLICATIVE,
            false => PCCompositeType_PC_COMPOSITE_ADDITIVE,
        };
        petsc!(PCCompositeSetType(self.raw, kind))
    }

    /// The preconditioner becomes the closure `apply(x, y)`, `y = M^-1 x`; `symmetric` promises that it is
    /// its own transpose. An error or panic in the closure comes out of the solve as an error.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn set_shell(
        &mut self,
        symmetric: bool,
        apply: impl FnMut(&Vector, &mut Vector) -> Result<()> + 'static,
    ) -> Result<()> {
        // A second shell on the same object would leak the first closure.
        petsc!(PCSetType(self.raw, c"none".as_ptr()))?;
        petsc!(PCSetType(self.raw, c"shell".as_ptr()))?;
        let boxed: Box<Apply> = Box::new(Box::new(apply));
        petsc!(PCShellSetContext(self.raw, Box::into_raw(boxed) as *mut c_void))?;
        petsc!(PCShellSetDestroy(self.raw, Some(drop_shell)))?;
        petsc!(PCShellSetApply(self.raw, Some(run_shell)))?;
        if symmetric {
            petsc!(PCShellSetApplyTranspose(self.raw, Some(run_shell)))?;
        }
        Ok(())
    }
}

unsafe extern "C" fn run_shell(pc: PC, x: petsc_sys::Vec, y: petsc_sys::Vec) -> PetscErrorCode {
    callback(|| {
        let context = shell_context(pc)?;
        let (x, mut y) = (Vector::share(x)?, Vector::share(y)?);
        // SAFETY: the box made in `set_shell`, alive until `drop_shell`; PETSc does not re-enter it.
        unsafe { (*context)(&x, &mut y) }
    })
}

unsafe extern "C" fn drop_shell(pc: PC) -> PetscErrorCode {
    callback(|| {
        // SAFETY: called once, with the box made in `set_shell`.
        drop(unsafe { Box::from_raw(shell_context(pc)?) });
        Ok(())
    })
}

fn shell_context(pc: PC) -> Result<*mut Apply> {
    let mut context: *mut c_void = null_mut();
    petsc!(PCShellGetContext(pc, (&raw mut context).cast()))?;
    Ok(context as *mut Apply)
}
