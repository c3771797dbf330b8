//! The coarse space of the experts, and corrections in it.
use super::gating::Gating;
use crate::fem::Space;
use crate::parallel::Comm;
use crate::physics::{Model, Problem};
use petsc_rs::{Error, KrylovSolver, Matrix, Result, Vector};

/// Which functions of each expert, times its gating function, span the coarse space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoarseModes {
    /// A constant for each component: what a Laplacian leaves alone (R. A. Nicolaides, *Deflation of
    /// conjugate gradients with applications to boundary value problems*, SIAM J. Numer. Anal. 24 (1987)),
    /// and what a balance of mass, heat or force is tested with.
    Constants,
    /// Translations and rotations: what elasticity leaves alone.
    RigidBody,
}

impl CoarseModes {
    /// Those of a model: what it leaves alone in the middle of the body.
    pub fn of(problem: &Problem) -> Self {
        match problem.model {
            Model::Elasticity { .. } if !problem.space.axisymmetric => Self::RigidBody,
            _ => Self::Constants,
        }
    }

    /// Functions of each expert for fields with `components` components.
    pub fn count(self, components: usize) -> usize {
        match self {
            Self::Constants => components,
            Self::RigidBody => components * (components + 1) / 2,
        }
    }

    /// Value of each function in `component` at `x`, where it is not zero by definition.
    fn values(self, components: usize, component: usize, x: &[f64; 3]) -> impl Iterator<Item = (usize, f64)> {
        let mut list = [None; 3];
        match self {
            Self::Constants => list[0] = Some((component, 1.0)),
            Self::RigidBody => {
                list[0] = Some((component, 1.0));
                let rotations = [(0, 1), (1, 2), (2, 0)];
                let used = components * (components - 1) / 2;
                for (r, &(i, j)) in rotations.iter().enumerate().take(used) {
                    let value = match component {
                        c if c == i => -x[j],
                        c if c == j => x[i],
                        _ => continue,
                    };
                    list[1 + usize::from(list[1].is_some())] = Some((components + r, value));
                }
            }
        }
        list.into_iter().flatten()
    }
}

/// The matrix `Z` whose columns are `chi_k e`, for every expert `k` and each of its functions `e`
/// (column `k * count + function`, on the expert's rank), at the unknowns that are `free` (owned ones)
/// and zero at the others. The functions are `modes`, then the fields `solutions` (owned unknowns). Collective.
///
/// # Errors
/// When PETSc fails.
pub fn coarse_space(
    space: &Space,
    gating: &Gating,
    free: &[bool],
    modes: CoarseModes,
    solutions: &[Vec<f64>],
) -> Result<Matrix> {
    let c = space.components;
    let (own, comm) = (modes.count(c), &space.mesh.comm);
    let count = own + solutions.len();
    // As large as the other functions.
    let largest = |field: &Vec<f64>| comm.max(field.iter().fold(f64::MIN_POSITIVE, |m, v| m.max(v.abs())));
    let scales: Vec<f64> = solutions.iter().map(|field| 1.0 / largest(field)).collect();
    let (centre, size) = extent(space);
    let mut row_pointers = vec![0i32];
    let (mut columns, mut values) = (Vec::new(), Vec::new());
    for node in 0..space.owned_nodes {
        let point = space.point(node);
        // Rotations about the middle, as large as translations.
        let x = std::array::from_fn(|i| (point[i] - centre[i]) / size);
        for component in 0..c {
            if free[node * c + component] {
                for &(expert, chi) in gating.of(node) {
                    for (mode, value) in modes.values(c, component, &x) {
                        columns.push((expert as usize * count + mode) as i32);
                        values.push(chi * value);
                    }
                    for (number, (field, scale)) in solutions.iter().zip(&scales).enumerate() {
                        columns.push((expert as usize * count + own + number) as i32);
                        values.push(chi * scale * field[node * c + component]);
                    }
                }
            }
            row_pointers.push(columns.len() as i32);
        }
    }
    Matrix::from_csr_values(comm.mpi(), 1, &row_pointers, &columns, &values, gating.experts.len() * count)
}

/// Middle and half the longest side of the box around all nodes. Collective.
fn extent(space: &Space) -> ([f64; 3], f64) {
    let (mut lower, mut upper) = ([f64::MAX; 3], [f64::MIN; 3]);
    for node in 0..space.owned_nodes {
        for (i, x) in space.point(node).into_iter().enumerate() {
            (lower[i], upper[i]) = (lower[i].min(x), upper[i].max(x));
        }
    }
    let comm = &space.mesh.comm;
    let lower = lower.map(|x| comm.min(x));
    let upper = upper.map(|x| comm.max(x));
    let size = (0..3).map(|i| (upper[i] - lower[i]) / 2.0).fold(0.0, f64::max);
    (std::array::from_fn(|i| (lower[i] + upper[i]) / 2.0), if size > 0.0 { size } else { 1.0 })
}

/// A symmetric LDL^T factorisation that passes over pivots which are zero to round-off: experts may
/// have no free unknowns, or functions that depend on one another. Of the solutions that a consistent
/// singular system then has, any gives the same field. (ICNTL(24), (13) and CNTL(3) of MUMPS, users'
/// guide 5.5, section 5.12.)
pub(crate) const SINGULAR_DIRECT: &str = "-ksp_type preonly -pc_type cholesky -pc_factor_mat_solver_type mumps \
     -mat_mumps_icntl_24 1 -mat_mumps_icntl_13 1 -mat_mumps_cntl_3 1e-11";

/// The Galerkin correction `Q = Z (Z^T K Z)^-1 Z^T` in the coarse space.
pub struct Coarse {
    /// The space's functions, see [`coarse_space`].
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
