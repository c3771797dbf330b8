//! Preconditioners.
use crate::closure::{Slot, attach, borrow, call, callback};
use crate::error::{Error, Result};
use crate::session::{int, name, text, truth};
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

/// How a two-level method joins its coarse solve and its smoother.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TwoLevel {
    /// The sum of both: symmetric when the smoother is.
    Additive,
    /// A V cycle, smoother before and after the coarse solve. Symmetric when the smoother is; positive only
    /// while the smoother contracts, so scale an additive Schwarz smoother or put Chebyshev around it.
    Multiplicative,
}

type Apply = dyn FnMut(&Vector, &mut Vector) -> Result<()>;
type Modify = dyn FnMut(&mut [Matrix]) -> Result<()>;

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

    /// The kind's name, empty before one is chosen. Local.
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

    /// Marks the last application as failed (`true`) or good: a failure ends the solve that it is part of
    /// with [`crate::ConvergenceReason::DivergedPreconditionerFailed`], which is no error. For shells.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn set_failed(&mut self, failed: bool) -> Result<()> {
        let reason = if failed { PCFailedReason_PC_SUBPC_ERROR } else { PCFailedReason_PC_NOERROR };
        petsc!(PCSetFailedReason(self.raw, reason))
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
        // PETSc wants one of every rank at least.
        let none = IndexSet::new(&SimpleCommunicator::self_comm(), &[])?;
        let raw = |list: &[IndexSet]| -> Vec<IS> {
            if list.is_empty() { vec![none.raw] } else { list.iter().map(|set| set.raw).collect() }
        };
        let mut sets = raw(overlapping);
        let mut own = own.map(raw);
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

    /// Additive Schwarz: the solvers of this rank's subdomains, after set-up. Local.
    ///
    /// # Errors
    /// Before set-up.
    pub fn asm_sub_solvers(&self) -> Result<Vec<KrylovSolver>> {
        let (mut count, mut first, mut list) = (0, 0, null_mut());
        petsc!(PCASMGetSubKSP(self.raw, &mut count, &mut first, &mut list))?;
        // SAFETY: PETSc lends `count` handles.
        (0..count as usize).map(|i| KrylovSolver::share(unsafe { *list.add(i) })).collect()
    }

    /// Additive Schwarz: `modify` may change the values of this rank's subdomain matrices at each set-up, before they are
    /// factorised, such as to give them other conditions on the artificial boundaries (optimised Schwarz methods). Rows and
    /// columns are numbered as in the lists of [`Preconditioner::asm_set_subdomains`]. An error or panic in the closure
    /// comes out of the set-up as an error.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn set_modify_submatrices(
        &mut self,
        modify: impl FnMut(&mut [Matrix]) -> Result<()> + 'static,
    ) -> Result<()> {
        let slot = Slot::<Modify>::new(Box::new(modify));
        let context = attach(self.raw as PetscObject, c"petsc_rs_modify", slot)?;
        petsc!(PCSetModifySubMatrices(self.raw, Some(run_modify), context))
    }

    /// Two-level multigrid ("mg") with the coarse space spanned by the columns of `interpolation`, and the
    /// Galerkin coarse matrix. Set the solvers of both levels next ([`Preconditioner::mg_coarse_solver`],
    /// [`Preconditioner::mg_smoother`] of level 1).
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn mg_two_level(&mut self, interpolation: &Matrix, kind: TwoLevel) -> Result<()> {
        self.set_type("mg")?;
        let kind = match kind {
            TwoLevel::Additive => PCMGType_PC_MG_ADDITIVE,
            TwoLevel::Multiplicative => PCMGType_PC_MG_MULTIPLICATIVE,
        };
        petsc!(PCMGSetLevels(self.raw, 2, null_mut()))?;
        petsc!(PCMGSetType(self.raw, kind))?;
        petsc!(PCMGSetInterpolation(self.raw, 1, interpolation.raw))?;
        petsc!(PCMGSetGalerkin(self.raw, PCMGGalerkinType_PC_MG_GALERKIN_BOTH))
    }

    /// Multigrid ("mg") with one level more than there are interpolations, the first of them from the coarsest level, and
    /// Galerkin products as coarse matrices, which each set-up computes from the matrix for preconditioning; the other one
    /// takes no part.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn mg_galerkin(&mut self, interpolations: &[Matrix]) -> Result<()> {
        self.set_type("mg")?;
        petsc!(PCSetUseAmat(self.raw, truth(false)))?;
        petsc!(PCMGSetLevels(self.raw, int(interpolations.len() + 1)?, null_mut()))?;
        for (level, interpolation) in interpolations.iter().enumerate() {
            petsc!(PCMGSetInterpolation(self.raw, int(level + 1)?, interpolation.raw))?;
        }
        petsc!(PCMGSetGalerkin(self.raw, PCMGGalerkinType_PC_MG_GALERKIN_BOTH))
    }

    /// Takes the interpolations out of BoomerAMG (or copies of them out of PETSc's multigrid), the first of them from the
    /// coarsest level. BoomerAMG cannot be applied until it is set up again.
    ///
    /// # Errors
    /// For other preconditioners, and before set-up.
    pub fn take_interpolations(&mut self) -> Result<Vec<Matrix>> {
        let (mut levels, mut list) = (0, null_mut());
        petsc!(PCGetInterpolations(self.raw, &mut levels, &mut list))?;
        // SAFETY: PETSc hands over `levels - 1` matrices in an array that is the caller's.
        let matrices = (1..levels as usize).map(|i| Matrix::from_raw(unsafe { *list.add(i - 1) })).collect();
        petsc!(petsc_shim_free(list.cast()))?;
        matrices
    }

    /// Coarse solve alone ("galerkin"): `P A_c^-1 P^T` with the columns of `interpolation` and
    /// `coarse` (`P^T A P`). Returns the coarse solver. As the first part of a symmetric multiplicative
    /// composite with a Schwarz method it makes the balancing two-level method, which is symmetric positive
    /// definite whatever the scaling of the smoother (Mandel 1993).
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn galerkin(&mut self, interpolation: &Matrix, coarse: &Matrix) -> Result<KrylovSolver> {
        self.set_type("galerkin")?;
        petsc!(PCGalerkinSetInterpolation(self.raw, interpolation.raw))?;
        let mut raw = null_mut();
        petsc!(PCGalerkinGetKSP(self.raw, &mut raw))?;
        let mut solver = KrylovSolver::share(raw)?;
        solver.set_operators(coarse, coarse)?;
        Ok(solver)
    }

    /// Multigrid whose levels are there ([`Preconditioner::mg_two_level`] or `-pc_mg_levels`): the matrix of a
    /// level above 0, for smoothing and residuals, and the interpolation to it from the level below, whose
    /// transpose restricts. They may be replaced later.
    ///
    /// # Errors
    /// When there is no such level.
    pub fn mg_set_level(&mut self, level: usize, matrix: &Matrix, interpolation: &Matrix) -> Result<()> {
        if level == 0 {
            return Err(Error::argument("nothing interpolates to the coarsest level"));
        }
        self.mg_smoother(level)?.set_operators(matrix, matrix)?;
        // At the first set-up PETSc keeps what it takes for residual and restriction, so that a second matrix
        // or interpolation must be told to each of them.
        petsc!(PCMGSetResidual(self.raw, int(level)?, None, matrix.raw))?;
        petsc!(PCMGSetInterpolation(self.raw, int(level)?, interpolation.raw))?;
        petsc!(PCMGSetRestriction(self.raw, int(level)?, interpolation.raw))
    }

    /// Multigrid: the number of levels, 0 before they are set and for other kinds. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn mg_levels(&self) -> Result<usize> {
        let mut levels = 0;
        // PETSc does not look at the kind.
        if ["mg", "gamg"].contains(&self.kind().as_str()) {
            petsc!(PCMGGetLevels(self.raw, &mut levels))?;
        }
        Ok(levels as usize)
    }

    /// PETSc does not look at the number of levels.
    fn mg_check(&self, level: usize) -> Result<()> {
        let levels = self.mg_levels()?;
        match level < levels {
            true => Ok(()),
            false => {
                Err(Error::argument(format!("level {level} of {levels} multigrid levels does not exist")))
            }
        }
    }

    /// Multigrid: the solver of the coarsest level (0). Local.
    ///
    /// # Errors
    /// Before the levels are set.
    pub fn mg_coarse_solver(&self) -> Result<KrylovSolver> {
        self.mg_check(0)?;
        let mut raw = null_mut();
        petsc!(PCMGGetCoarseSolve(self.raw, &mut raw))?;
        KrylovSolver::share(raw)
    }

    /// Multigrid: the smoother of a level above 0. Local.
    ///
    /// # Errors
    /// When there is no such level.
    pub fn mg_smoother(&self, level: usize) -> Result<KrylovSolver> {
        self.mg_check(level)?;
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

    /// Field split of two blocks by block elimination; `inverse` is what the Schur complement's own solver is
    /// preconditioned from. With its preconditioner "mat", PETSc applies `inverse` itself, which can then be a
    /// shell around any approximation of the inverse.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn field_split_schur(&mut self, inverse: &Matrix) -> Result<()> {
        petsc!(PCFieldSplitSetType(self.raw, PCCompositeType_PC_COMPOSITE_SCHUR))?;
        let kind = PCFieldSplitSchurPreType_PC_FIELDSPLIT_SCHUR_PRE_USER;
        petsc!(PCFieldSplitSetSchurPre(self.raw, kind, inverse.raw))
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
        // A second shell starts from scratch.
        petsc!(PCSetType(self.raw, c"none".as_ptr()))?;
        petsc!(PCSetType(self.raw, c"shell".as_ptr()))?;
        let slot = Slot::<Apply>::new(Box::new(apply));
        petsc!(PCShellSetContext(self.raw, attach(self.raw as PetscObject, c"petsc_rs_apply", slot)?))?;
        petsc!(PCShellSetApply(self.raw, Some(run_shell)))?;
        if symmetric {
            petsc!(PCShellSetApplyTranspose(self.raw, Some(run_shell)))?;
        }
        Ok(())
    }
}

unsafe extern "C" fn run_shell(pc: PC, x: petsc_sys::Vec, y: petsc_sys::Vec) -> PetscErrorCode {
    callback(|| {
        let mut context: *mut c_void = null_mut();
        petsc!(PCShellGetContext(pc, (&raw mut context).cast()))?;
        // SAFETY: attached in `set_shell`.
        let slot = unsafe { borrow::<Slot<Apply>>(context) };
        let (x, mut y) = (Vector::share(x)?, Vector::share(y)?);
        call(&slot, |apply| apply(&x, &mut y))
    })
}

unsafe extern "C" fn run_modify(
    pc: PC,
    _count: PetscInt,
    _rows: *const IS,
    _columns: *const IS,
    matrices: *mut Mat,
    context: *mut c_void,
) -> PetscErrorCode {
    callback(|| {
        // SAFETY: attached in `set_modify_submatrices`.
        let slot = unsafe { borrow::<Slot<Modify>>(context) };
        // What PETSc counts here are the most subdomains of any rank.
        let mut count = 0;
        petsc!(PCASMGetLocalSubdomains(pc, &mut count, null_mut(), null_mut()))?;
        // SAFETY: PETSc lends as many handles as this rank has subdomains.
        let list = (0..count as usize).map(|i| Matrix::share(unsafe { *matrices.add(i) }));
        let mut list = list.collect::<Result<Vec<_>>>()?;
        call(&slot, |modify| modify(&mut list))
    })
}
