//! The two-level Schwarz method of the experts as a preconditioner.
//!
//! One level: every expert solves its own problem on its widened subdomain, and the solutions are
//! added, `M_1 = sum_k R_k^T K_k^-1 R_k`. Its condition number grows like `1 / (H n h)` with the
//! diameter `H` of the subdomains, since news travels one subdomain an iteration. The second level
//! adds the coarse space `Z = [chi_k Phi_k]` of the [`Mixture`], with `Q = Z (Z^T K Z)^-1 Z^T`,
//! balanced: `M = Q + (I - Q K) M_1 (I - K Q)`. Then the bound is `C (1 + H / (n h))`, whatever the
//! number of experts (Toselli and Widlund 2005, theorem 3.13; J. Mandel, *Balancing domain decomposition*,
//! Comm. Numer. Methods Eng. 9 (1993); the projected form is "BNN" in Tang, Nabben, Vuik, Erlangga,
//! J. Sci. Comput. 39 (2009)).
use crate::mixture::{CoarseModes, Mixture, Projection, coupled, finished, unfinished};
use crate::physics::Problem;
use petsc_rs::{KrylovSolver, Matrix, Result, SchwarzType, Vector};

impl CoarseModes {
    /// Those of a model: what it leaves alone in the middle of the body.
    pub fn of(problem: &Problem) -> Self {
        match problem.is_solid() && !problem.space.axisymmetric {
            true => Self::RigidBody,
            false => Self::Constants,
        }
    }
}

/// Exact solves in every subdomain, whatever else the options say of it: a Cholesky factorisation.
const FACTORS: &str = "-sub_pc_type cholesky -sub_pc_factor_mat_ordering_type nd";

/// The sum of the experts' own solutions, `M_1`, with these options of their factorisations. Collective.
///
/// # Errors
/// When a factorisation fails, on all ranks.
pub(crate) fn of_experts(
    name: &str,
    mixture: &Mixture,
    matrix: &Matrix,
    factors: &str,
) -> Result<KrylovSolver> {
    let Mixture { fields, gating, .. } = mixture;
    let comm = &fields.mesh.comm;
    let mut local = KrylovSolver::new(comm.mpi())?;
    local.set_prefix(&format!("{name}_experts_"))?;
    local.set_operators(matrix, matrix)?;
    // A rank may have no expert: MUMPS refuses an empty matrix.
    let factors = if gating.experts.is_empty() { "-sub_pc_type none" } else { factors };
    let options = format!("-ksp_type preonly -pc_type asm -sub_ksp_type preonly {factors}");
    local.set_up_with(&options, |local| {
        let mut asm = local.preconditioner()?;
        asm.asm_set_subdomains(&gating.index_sets(fields.components)?, None)?;
        asm.asm_set_type(SchwarzType::Basic)
    })?;
    // PETSc factorises at the first solve, and tells of a failure nobody but the rank of the expert.
    let (zero, mut nothing) = matrix.vectors()?;
    let done = local.solve(&zero, &mut nothing).and_then(finished);
    match comm.min(u8::from(done.is_ok())) {
        1 => Ok(local),
        _ => Err(done.err().unwrap_or_else(unfinished)),
    }
}

/// The preconditioner for one matrix.
pub struct Schwarz {
    local: KrylovSolver,
    coarse: Option<Projection>,
    /// The residual without its coarse part, and its coarse correction.
    residual: Vector,
    correction: Vector,
}

impl Schwarz {
    /// Factorises the experts' problems and the coarse one. PETSc's options of the experts carry the prefix
    /// `<name>_experts_` (`sub_` for each subdomain), those of the coarse solver `<name>_coarse_`. Essential unknowns
    /// of `matrix` must be eliminated. Experts without functions make a method of one level. Collective.
    ///
    /// # Errors
    /// When a factorisation fails.
    pub fn new(name: &str, mixture: &Mixture, matrix: &Matrix) -> Result<Self> {
        let local = of_experts(name, mixture, matrix, FACTORS)?;
        let (residual, correction) = matrix.vectors()?;
        let coarse = match mixture.functions() {
            0 => None,
            _ => {
                let mut coarse = mixture.galerkin(&format!("{name}_coarse_"), matrix, &coupled(matrix)?)?;
                coarse.factorise()?;
                Some(coarse)
            }
        };
        Ok(Self { local, coarse, residual, correction })
    }

    /// `y = M x`. Collective.
    ///
    /// # Errors
    /// When a local or coarse solve fails.
    pub fn apply(&mut self, x: &Vector, y: &mut Vector) -> Result<()> {
        let Some(coarse) = &mut self.coarse else { return finished(self.local.solve(x, y)?) };
        self.residual.copy_from(x)?;
        coarse.project_residual(&mut self.residual, &mut self.correction)?;
        finished(self.local.solve(&self.residual, y)?)?;
        coarse.project(y)?;
        y.axpy(1.0, &self.correction)
    }

    /// Makes it the preconditioner of a solver.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn attach(mut self, solver: &KrylovSolver) -> Result<()> {
        solver.preconditioner()?.set_shell(true, move |x, y| self.apply(x, y))
    }
}
