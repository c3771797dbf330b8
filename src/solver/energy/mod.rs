//! Symmetric positive definite matrices that measure states and residuals.
mod product;

pub use product::StateProduct;

use crate::fem::Space;
use crate::mixture::finished;
use crate::parallel::Comm;
use crate::{Error, Result};
use petsc_rs::{KrylovSolver, Matrix, MatrixOption, Vector};

/// A factorisation serves all solves.
const ENERGY: &str = "-ksp_type preonly -pc_type cholesky -pc_factor_mat_solver_type mumps";

/// A symmetric positive definite matrix with the means to solve with it.
pub struct FactorisedEnergy {
    comm: Comm,
    matrix: Matrix,
    solver: Option<KrylovSolver>,
}

impl FactorisedEnergy {
    /// The ranks that share it.
    pub fn comm(&self) -> &Comm {
        &self.comm
    }

    /// Of a copy: the caller may write other numbers into the matrix. Collective.
    ///
    /// # Errors
    /// When PETSc is out of memory.
    pub fn new(comm: &Comm, matrix: &Matrix) -> Result<Self> {
        Ok(Self { comm: comm.clone(), matrix: matrix.duplicate(true)?, solver: None })
    }

    /// `y = W^-1 x`. Collective.
    ///
    /// # Errors
    /// When it is not positive definite.
    pub fn solve(&mut self, x: &Vector, y: &mut Vector) -> Result<()> {
        if self.solver.is_none() {
            let mut solver = KrylovSolver::new(self.comm.mpi())?;
            solver.set_prefix("energy_norm_")?;
            solver.set_operators(&self.matrix, &self.matrix)?;
            solver.set_up_with(ENERGY, |_| Ok(()))?;
            self.solver = Some(solver);
        }
        let solver = self.solver.as_mut().expect("set above");
        let failed = |error| Error::Failed(format!("the energy norm cannot be inverted: {error}"));
        finished(solver.solve(x, y)?).map_err(failed)
    }

    /// `y = W x`. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn apply(&self, x: &Vector, y: &mut Vector) -> Result<()> {
        Ok(self.matrix.mult(x, y)?)
    }
}

/// The product of a flow from its tangent at rest: of velocities its symmetric part, of pressures a diagonal like that of their
/// Schur complement. Collective.
///
/// # Errors
/// When PETSc fails.
pub fn flow_product(space: &Space, tangent: &Matrix) -> Result<Matrix> {
    let c = space.components;
    let pressure = |dof: usize| dof % c == c - 1;
    let symmetric = symmetric_part(tangent)?;
    let comm = space.mesh.comm.mpi();
    // The squares of B, to be multiplied by the inverse diagonal of A.
    let (mut pointers, mut columns, mut values) = (vec![0i32], Vec::new(), Vec::new());
    for row in tangent.row_range() {
        if pressure(row) {
            let mut entries = tangent.row(row)?;
            entries.retain(|entry| !pressure(entry.0));
            entries.sort_unstable_by_key(|entry| entry.0);
            columns.extend(entries.iter().map(|entry| entry.0 as i32));
            values.extend(entries.iter().map(|entry| entry.1 * entry.1));
        }
        pointers.push(columns.len() as i32);
    }
    let squares = Matrix::from_csr_values(comm, 1, &pointers, &columns, &values, space.owned_dofs())?;
    let (mut inverse, mut diagonal) = symmetric.vectors()?;
    symmetric.diagonal(&mut inverse)?;
    let own = inverse.try_clone()?;
    inverse.write()?.iter_mut().for_each(|v| *v = if *v > 0.0 { 1.0 / *v } else { 0.0 });
    squares.mult(&inverse, &mut diagonal)?;
    let (own, diagonal) = (own.read()?, diagonal.read()?);
    let (mut pointers, mut columns, mut values) = (vec![0i32], Vec::new(), Vec::new());
    for (i, row) in symmetric.row_range().enumerate() {
        if pressure(row) {
            columns.push(row as i32);
            let stand_in = if own[i] > 0.0 { own[i] } else { 1.0 };
            values.push(if diagonal[i] > 0.0 { diagonal[i] } else { stand_in });
        } else {
            let mut entries = symmetric.row(row)?;
            entries.retain(|entry| !pressure(entry.0));
            entries.sort_unstable_by_key(|entry| entry.0);
            columns.extend(entries.iter().map(|entry| entry.0 as i32));
            values.extend(entries.iter().map(|entry| entry.1));
        }
        pointers.push(columns.len() as i32);
    }
    let mut matrix = Matrix::from_csr_values(comm, 1, &pointers, &columns, &values, space.owned_dofs())?;
    matrix.set_option(MatrixOption::PositiveDefinite, true)?;
    Ok(matrix)
}

/// `(J + J^T)/2`. Collective.
///
/// # Errors
/// When PETSc fails.
pub fn symmetric_part(matrix: &Matrix) -> Result<Matrix> {
    let mut sum = matrix.transpose()?;
    sum.axpy(1.0, matrix, true)?;
    sum.scale(0.5)?;
    Ok(sum)
}
