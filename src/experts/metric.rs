//! The norm in which a repaired state is nearest to its prediction.
use crate::Result;
use crate::fem::{Essential, Space};
use crate::mixture::{InnerProduct, MatrixProduct, dot, finished};
use crate::parallel::Comm;
use crate::physics::mass::mass_matrix;
use crate::solver::FactorisedEnergy;
use petsc_rs::{KrylovSolver, Matrix, Vector};

/// Steps of the iteration for multipliers in the mass norm; it converges in a few dozen.
const MULTIPLIER_ITERATIONS: usize = 200;
/// Relative residual of the multipliers; refinement of the correction does the rest.
const MULTIPLIER_TOLERANCE: f64 = 1e-12;
/// The mass matrix is well conditioned: CG and its diagonal reach round-off in a few dozen steps.
const MASS: &str = "-ksp_type cg -pc_type jacobi -ksp_rtol 1e-14 -ksp_max_it 1000";
/// `W`, symmetric and positive definite on the free unknowns: the distance of two states is `(d^T W d)^(1/2)`.
pub(super) enum Metric {
    /// The tangent of a linear model, symmetric and positive definite.
    Energy(FactorisedEnergy),
    /// L2.
    Mass(Mass),
    /// The inverse of a diagonal: 1 for nodal values, or variances; unknowns with a zero do not move.
    Diagonal(Vector),
}

/// A mass matrix with its solver.
pub(super) struct Mass {
    /// The product of the matrix, the identity on essential unknowns.
    product: MatrixProduct,
    solver: KrylovSolver,
}

impl Mass {
    /// Assembles it, each component with a factor. Collective.
    pub fn new(name: &str, space: &Space, essential: &Essential, factors: &[f64]) -> Result<Self> {
        let mut matrix = mass_matrix(space, essential)?;
        if factors.iter().any(|factor| *factor != 1.0) {
            let mut scale = space.field()?;
            for (dof, v) in scale.write()?.iter_mut().enumerate() {
                *v = factors[dof % space.components];
            }
            matrix.diagonal_scale(Some(&scale), None)?;
        }
        let mut solver = KrylovSolver::new(space.mesh.comm.mpi())?;
        solver.set_prefix(&format!("{name}_mass_"))?;
        solver.set_operators(&matrix, &matrix)?;
        solver.set_up_with(MASS, |_| Ok(()))?;
        Ok(Self { product: MatrixProduct::new(matrix)?, solver })
    }

    /// `y = W^-1 x`. Collective.
    pub fn solve(&mut self, x: &Vector, y: &mut Vector) -> Result<()> {
        Ok(finished(self.solver.solve(x, y)?)?)
    }

    /// `y = W x`. Collective.
    pub fn apply(&self, x: &Vector, y: &mut Vector) -> Result<()> {
        self.product.apply(&x.read()?, &mut y.write()?)
    }
}

impl Metric {
    /// `W^-1 B^T` where it is sparse or small, or else something near to it. Collective.
    pub fn along(
        &mut self,
        rows: &Matrix,
        tested: Option<&Matrix>,
    ) -> Result<(Option<Matrix>, Option<Matrix>)> {
        Ok(match self {
            Self::Energy(energy) => match tested {
                // W^-1 (J^T Z) = Z.
                Some(tested) if rows.global_size().1 == tested.global_size().1 => {
                    (Some(tested.duplicate(true)?), None)
                }
                _ => {
                    let comm = energy.comm().clone();
                    (Some(solved(&comm, &mut |x, y| energy.solve(x, y), rows, tested)?), None)
                }
            },
            Self::Diagonal(inverse) => {
                let mut along = rows.duplicate(true)?;
                along.diagonal_scale(Some(inverse), None)?;
                (Some(along), None)
            }
            Self::Mass(mass) => {
                let (mut diagonal, _) = mass.product.matrix().vectors()?;
                mass.product.matrix().diagonal(&mut diagonal)?;
                diagonal.reciprocal()?;
                let mut near = rows.duplicate(true)?;
                near.diagonal_scale(Some(&diagonal), None)?;
                (None, Some(near))
            }
        })
    }

    /// `W^-1 B^T`, with a solve for each of the rows. Collective.
    pub fn solved(&mut self, comm: &Comm, rows: &Matrix) -> Result<Matrix> {
        solved(comm, &mut |x, y| self.solve(x, y), rows, None)
    }

    /// `y = W^-1 x`. Collective.
    pub fn solve(&mut self, x: &Vector, y: &mut Vector) -> Result<()> {
        match self {
            Self::Energy(energy) => energy.solve(x, y)?,
            Self::Mass(mass) => mass.solve(x, y)?,
            Self::Diagonal(inverse) => {
                let (x, inverse) = (x.read()?, inverse.read()?);
                let mut y = y.write()?;
                y.iter_mut().zip(x.iter()).zip(inverse.iter()).for_each(|((y, x), v)| *y = x * v);
            }
        }
        Ok(())
    }

    /// `y = W x`; of an unknown that does not move zero. Collective.
    pub fn apply(&self, x: &Vector, y: &mut Vector) -> Result<()> {
        match self {
            Self::Energy(energy) => energy.apply(x, y)?,
            Self::Mass(mass) => mass.apply(x, y)?,
            Self::Diagonal(inverse) => {
                let (x, inverse) = (x.read()?, inverse.read()?);
                let mut y = y.write()?;
                let all = y.iter_mut().zip(x.iter()).zip(inverse.iter());
                all.for_each(|((y, x), v)| *y = if *v > 0.0 { x / v } else { 0.0 });
            }
        }
        Ok(())
    }

    /// `(x^T W x)^(1/2)` of a vector that is zero on essential unknowns. Collective.
    pub fn norm(&self, space: &Space, x: &Vector) -> Result<f64> {
        let mut image = x.duplicate()?;
        self.apply(x, &mut image)?;
        Ok(space.mesh.comm.sum(dot(&x.read()?, &image.read()?)).max(0.0).sqrt())
    }

    /// Solves `B W^-1 B^T y = right` by conjugate gradients (Hestenes and Stiefel 1952; the matrix is never formed), with
    /// something near to it as the preconditioner; and the iterations. Collective.
    pub fn multipliers(
        &mut self,
        rows: &Matrix,
        near: &mut KrylovSolver,
        right: &Vector,
    ) -> Result<(Vector, usize)> {
        let mut residual = right.try_clone()?;
        let [mut y, mut z, mut image] = [residual.duplicate()?, residual.duplicate()?, residual.duplicate()?];
        finished(near.solve(&residual, &mut z)?)?;
        let mut direction = z.try_clone()?;
        let (_, mut field) = rows.vectors()?;
        let mut change = field.duplicate()?;
        let mut energy = residual.dot(&z)?;
        let target = MULTIPLIER_TOLERANCE * energy.max(0.0).sqrt();
        for iteration in 0..MULTIPLIER_ITERATIONS {
            if energy <= 0.0 || energy.sqrt() <= target {
                return Ok((y, iteration));
            }
            rows.mult(&direction, &mut field)?;
            self.solve(&field, &mut change)?;
            rows.mult_transpose(&change, &mut image)?;
            let curvature = direction.dot(&image)?;
            if curvature <= 0.0 {
                return Ok((y, iteration));
            }
            let step = energy / curvature;
            y.axpy(step, &direction)?;
            residual.axpy(-step, &image)?;
            finished(near.solve(&residual, &mut z)?)?;
            let next = residual.dot(&z)?;
            direction.aypx(next / energy, &z)?;
            energy = next;
        }
        Ok((y, MULTIPLIER_ITERATIONS))
    }
}

/// `[Z, K^-1 G^T]` from `[K Z, G^T]`: a solve for each known row. Collective.
fn solved(
    comm: &Comm,
    solve: &mut dyn FnMut(&Vector, &mut Vector) -> Result<()>,
    rows: &Matrix,
    tested: Option<&Matrix>,
) -> Result<Matrix> {
    let (m, n) = (tested.map_or(0, |tested| tested.global_size().1), rows.global_size().1);
    let (mut unit, mut row) = rows.vectors()?;
    let mut fields = Vec::new();
    for known in m..n {
        unit.set(0.0)?;
        let own = rows.column_range();
        if own.contains(&known) {
            unit.write()?[known - own.start] = 1.0;
        }
        rows.mult(&unit, &mut row)?;
        let mut field = row.duplicate()?;
        solve(&row, &mut field)?;
        fields.push(field.read()?.to_vec());
    }
    let (mut pointers, mut columns, mut values) = (vec![0i32], Vec::new(), Vec::new());
    for (local, row) in rows.row_range().enumerate() {
        let mut entries = tested.map_or(Ok(Vec::new()), |tested| tested.row(row))?;
        entries.sort_unstable_by_key(|entry| entry.0);
        entries.extend(fields.iter().enumerate().map(|(k, field)| (m + k, field[local])));
        columns.extend(entries.iter().map(|entry| entry.0 as i32));
        values.extend(entries.iter().map(|entry| entry.1));
        pointers.push(columns.len() as i32);
    }
    Ok(Matrix::from_csr_values(comm.mpi(), 1, &pointers, &columns, &values, rows.local_size().1)?)
}
