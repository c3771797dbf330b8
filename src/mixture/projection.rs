//! Equations projected on a space of few functions.
use crate::parallel::Comm;
use petsc_rs::{Convergence, Error, KrylovSolver, Matrix, Result, Vector};

/// A factorisation (LDL^T of a symmetric matrix) that passes over pivots which are zero to round-off: experts may
/// have no free unknowns, or functions that depend on one another. Of the solutions that a consistent
/// singular system then has, any gives the same field. (ICNTL(24), (13) and CNTL(3) of MUMPS, users'
/// guide 5.5, section 5.12.)
const SINGULAR_DIRECT: &str =
    "-pc_factor_mat_solver_type mumps -mat_mumps_icntl_24 1 -mat_mumps_icntl_13 1 -mat_mumps_cntl_3 1e-11";

/// `K u = f` on the space of the columns of `X` (N x n, N unknowns, n functions over all experts), tested with the
/// columns of `T`: `u = X w`, `T^T K X w = T^T f`. Galerkin's projection has `T = X`; least squares of the residual in
/// the weights `W`, a diagonal, have `T = W K X`. See [`Mixture::galerkin`](super::Mixture::galerkin). The small
/// matrix (n x n, sparse, symmetric) is factorised once, when it is first needed.
pub struct Projection {
    /// `X`.
    pub x: Matrix,
    /// `K X`: zero but at the unknowns where gating functions change, or the equations are not satisfied.
    pub kx: Matrix,
    /// `T`, where it is not `X`.
    test: Option<Matrix>,
    comm: Comm,
    prefix: String,
    symmetric: bool,
    solver: Option<KrylovSolver>,
    /// Right-hand side and solution of the small problem.
    right: Vector,
    left: Vector,
}

impl Projection {
    /// Of a matrix; for least squares with the weights of its rows, 1 without them. Collective.
    pub(super) fn new(
        comm: &Comm,
        prefix: &str,
        matrix: &Matrix,
        x: Matrix,
        least_squares: Option<Option<&Vector>>,
    ) -> Result<Self> {
        let kx = matrix.mat_mult(&x)?;
        let mut test = None;
        if let Some(weights) = least_squares {
            let scaled: &mut Matrix = test.insert(kx.duplicate(true)?);
            if weights.is_some() {
                scaled.diagonal_scale(weights, None)?;
            }
        }
        let (right, left) = (x.vectors()?.0, x.vectors()?.0);
        Ok(Self {
            x,
            kx,
            test,
            comm: comm.clone(),
            prefix: prefix.into(),
            symmetric: true,
            solver: None,
            right,
            left,
        })
    }

    /// Of any matrix, tested with the space itself.
    pub(super) fn petrov(comm: &Comm, prefix: &str, matrix: &Matrix, x: Matrix) -> Result<Self> {
        Ok(Self { symmetric: false, ..Self::new(comm, prefix, matrix, x, None)? })
    }

    /// Factorises the small matrix unless that is done. Collective.
    ///
    /// # Errors
    /// When the factorisation fails.
    pub fn factorise(&mut self) -> Result<&mut KrylovSolver> {
        if self.solver.is_none() {
            let small = self.test.as_ref().unwrap_or(&self.x).transpose_mat_mult(&self.kx)?;
            self.solver = Some(factorised_small(&self.comm, &self.prefix, &small, self.symmetric)?);
        }
        Ok(self.solver.as_mut().expect("set above"))
    }

    /// `w = (T^T K X)^-1 right`, vectors of n entries. Collective.
    ///
    /// # Errors
    /// When the small solve fails.
    pub fn solve(&mut self, right: &Vector, w: &mut Vector) -> Result<()> {
        finished(self.factorise()?.solve(right, w)?)
    }

    /// `y = X (T^T K X)^-1 T^T f`: the field whose equations hold on the space. Collective.
    ///
    /// # Errors
    /// When the small solve fails.
    pub fn field(&mut self, f: &Vector, y: &mut Vector) -> Result<()> {
        self.test.as_ref().unwrap_or(&self.x).mult_transpose(f, &mut self.right)?;
        self.solve_own()?;
        self.x.mult(&self.left, y)
    }

    /// Takes out of a residual what the space sees of it, `r -= K y` with `y` the [field](Projection::field) of `r`.
    /// Collective.
    ///
    /// # Errors
    /// When the small solve fails.
    pub fn project_residual(&mut self, r: &mut Vector, y: &mut Vector) -> Result<()> {
        self.field(r, y)?;
        self.left.scale(-1.0)?;
        self.kx.mult_add(&self.left, r)
    }

    /// Takes out of a field its part in the space, `u -= X (X^T K X)^-1 X^T K u`: Galerkin's projection, transposed.
    /// Collective.
    ///
    /// # Errors
    /// When the small solve fails.
    pub fn project(&mut self, u: &mut Vector) -> Result<()> {
        self.kx.mult_transpose(u, &mut self.right)?;
        self.solve_own()?;
        self.left.scale(-1.0)?;
        self.x.mult_add(&self.left, u)
    }

    fn solve_own(&mut self) -> Result<()> {
        self.factorise()?;
        let Self { solver: Some(solver), right, left, .. } = self else { unreachable!("factorised") };
        finished(solver.solve(right, left)?)
    }
}

/// A direct solver of the small matrix of a projection, which passes over pivots that are zero to round-off; `prefix` names
/// PETSc's options. Collective.
///
/// # Errors
/// When the factorisation fails.
pub(crate) fn factorised_small(
    comm: &Comm,
    prefix: &str,
    small: &Matrix,
    symmetric: bool,
) -> Result<KrylovSolver> {
    let mut solver = KrylovSolver::new(comm.mpi())?;
    solver.set_prefix(prefix)?;
    // Functions that are zero everywhere, as where no unknown is free: what is solved for is zero as well, and MUMPS refuses
    // a matrix without entries.
    let factors = match (small.nonzeros()? == 0.0, symmetric) {
        (true, _) => "none",
        (false, true) => "cholesky",
        (false, false) => "lu",
    };
    solver.set_operators(small, small)?;
    solver.set_up_with(&format!("-ksp_type preonly -pc_type {factors} {SINGULAR_DIRECT}"), |_| Ok(()))?;
    Ok(solver)
}

/// PETSc's number for "solver did not converge" (`PETSC_ERR_NOT_CONVERGED`).
pub(crate) const INNER_FAILURE: i32 = 91;

/// An inner solve that must not fail.
pub(crate) fn finished(convergence: Convergence) -> Result<()> {
    match convergence.reason.converged() {
        true => Ok(()),
        false => Err(Error::new(INNER_FAILURE, format!("{UNFINISHED} ({})", convergence.reason))),
    }
}

/// One that failed on another rank.
pub(crate) fn unfinished() -> Error {
    Error::new(INNER_FAILURE, format!("{UNFINISHED} (on another rank)"))
}

const UNFINISHED: &str = "a small system was not solved: it is singular, or the equations have no finite values at the present state";
