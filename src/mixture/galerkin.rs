//! Galerkin corrections in the coarse space of the experts.
use crate::parallel::Comm;
use petsc_rs::{Error, KrylovSolver, Matrix, Result, Vector};

/// A symmetric LDL^T factorisation that passes over pivots which are zero to round-off: experts may
/// have no free unknowns, or functions that depend on one another. Of the solutions that a consistent
/// singular system then has, any gives the same field. (ICNTL(24), (13) and CNTL(3) of MUMPS, users'
/// guide 5.5, section 5.12.)
pub(crate) const SINGULAR_DIRECT: &str = "-ksp_type preonly -pc_type cholesky -pc_factor_mat_solver_type mumps \
     -mat_mumps_icntl_24 1 -mat_mumps_icntl_13 1 -mat_mumps_cntl_3 1e-11";

/// The Galerkin correction `Q = Z (Z^T K Z)^-1 Z^T` in the coarse space.
pub struct Coarse {
    /// The space's functions, see [`coarse_space`](crate::mixture::coarse_space).
    pub z: Matrix,
    /// `K Z`: zero but at the unknowns where gating functions change.
    pub kz: Matrix,
    solver: KrylovSolver,
    /// Right-hand side and solution of the coarse problem.
    right: Vector,
    left: Vector,
}

impl Coarse {
    /// Forms and factorises `Z^T K Z`. `prefix` names the solver's options. Collective.
    ///
    /// # Errors
    /// When the factorisation fails.
    pub fn new(comm: &Comm, prefix: &str, matrix: &Matrix, z: Matrix) -> Result<Self> {
        let kz = matrix.mat_mult(&z)?;
        let galerkin = z.transpose_mat_mult(&kz)?;
        let (left, _) = z.vectors()?;
        let right = left.duplicate()?;
        let solver = direct(comm, prefix, &galerkin)?;
        Ok(Self { z, kz, solver, right, left })
    }

    /// `y = Q x`. Collective.
    ///
    /// # Errors
    /// When the coarse solve fails.
    pub fn correction(&mut self, x: &Vector, y: &mut Vector) -> Result<()> {
        self.solve(x)?;
        self.z.mult(&self.left, y)
    }

    /// Takes out of `x` what the coarse space sees of it, `x -= K Q x`, and returns `y = Q x`. Collective.
    ///
    /// # Errors
    /// When the coarse solve fails.
    pub fn project_residual(&mut self, x: &mut Vector, y: &mut Vector) -> Result<()> {
        self.correction(x, y)?;
        self.left.scale(-1.0)?;
        self.kz.mult_add(&self.left, x)
    }

    /// `x -= Q K x`. Collective.
    ///
    /// # Errors
    /// When the coarse solve fails.
    pub fn project(&mut self, x: &mut Vector) -> Result<()> {
        self.kz.mult_transpose(x, &mut self.right)?;
        finished(self.solver.solve(&self.right, &mut self.left)?)?;
        self.left.scale(-1.0)?;
        self.z.mult_add(&self.left, x)
    }

    fn solve(&mut self, x: &Vector) -> Result<()> {
        self.z.mult_transpose(x, &mut self.right)?;
        finished(self.solver.solve(&self.right, &mut self.left)?)
    }
}

/// A factorised symmetric, possibly singular matrix over all ranks. Collective.
pub(crate) fn direct(comm: &Comm, prefix: &str, matrix: &Matrix) -> Result<KrylovSolver> {
    let mut solver = KrylovSolver::new(comm.mpi())?;
    solver.set_prefix(prefix)?;
    solver.set_options(SINGULAR_DIRECT)?;
    solver.set_operators(matrix, matrix)?;
    solver.set_up()?;
    Ok(solver)
}

/// PETSc's number for "solver did not converge" (`PETSC_ERR_NOT_CONVERGED`).
const INNER_FAILURE: i32 = 91;

/// An inner solve that must not fail.
pub(crate) fn finished(convergence: petsc_rs::Convergence) -> Result<()> {
    match convergence.reason.converged() {
        true => Ok(()),
        false => Err(Error::new(INNER_FAILURE, format!("an inner solve failed: {}", convergence.reason))),
    }
}
