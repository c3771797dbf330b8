//! The norm in which a repaired state is nearest to its prediction.
use super::balance::Balance;
use crate::Result;
use crate::deck::Norm;
use crate::fem::{Essential, Space};
use crate::mixture::{MatrixProduct, Mixture, Projection, finished};
use crate::physics::mass::mass_matrix;
use petsc_rs::{KrylovSolver, Matrix, Vector};

/// Steps of the iteration for multipliers in the mass norm; it converges in a few dozen.
const MULTIPLIER_ITERATIONS: usize = 200;
/// Relative residual of the multipliers; refinement of the correction does the rest.
const MULTIPLIER_TOLERANCE: f64 = 1e-12;
/// The mass matrix is well conditioned: CG and its diagonal reach round-off in a few dozen steps.
const MASS: &str = "-ksp_type cg -pc_type jacobi -ksp_rtol 1e-14 -ksp_max_it 1000";

/// A mass matrix with its solver.
pub struct Mass {
    /// The product of the matrix, the identity on essential unknowns.
    pub product: MatrixProduct,
    solver: KrylovSolver,
}

impl Mass {
    /// Assembles it. Collective.
    pub fn new(name: &str, space: &Space, essential: &Essential) -> Result<Self> {
        let matrix = mass_matrix(space, essential)?;
        let mut solver = KrylovSolver::new(space.mesh.comm.mpi())?;
        solver.set_prefix(&format!("{name}_mass_"))?;
        solver.set_options(MASS)?;
        solver.set_operators(&matrix, &matrix)?;
        Ok(Self { product: MatrixProduct::new(matrix)?, solver })
    }

    /// `y = W^-1 x`.
    fn solve(&mut self, x: &Vector, y: &mut Vector) -> Result<()> {
        Ok(finished(self.solver.solve(x, y)?)?)
    }
}

/// The norm with what it needs.
pub struct Weight {
    pub norm: Norm,
    /// Of the mass norm, for the unknowns that are prescribed at present.
    pub mass: Option<Mass>,
}

impl Weight {
    /// The projection on the balances' functions whose small problem the weight needs. Of the mass that is the one
    /// with its diagonal in its place, which is sparse and spectrally equivalent. Collective.
    pub fn project(
        &self,
        prefix: &str,
        balances: &Mixture,
        matrix: &Matrix,
        free: &[bool],
    ) -> Result<Projection> {
        Ok(match (self.norm, &self.mass) {
            (Norm::Euclidean, _) => balances.least_squares(prefix, matrix, free, None)?,
            (Norm::Mass, Some(mass)) => {
                let (mut diagonal, _) = matrix.vectors()?;
                mass.product.matrix().diagonal(&mut diagonal)?;
                diagonal.reciprocal()?;
                balances.least_squares(prefix, matrix, free, Some(&diagonal))?
            }
            _ => balances.galerkin(prefix, matrix, free)?,
        })
    }

    /// Adds to `state` the least correction that balances the experts, `u + W^-1 B^T (B W^-1 B^T)^-1 (b - B u)`, where
    /// `residual` is `f - K u`; returns the iterations that the multipliers took. With `W = K` it is Galerkin's
    /// correction `Z (Z^T K Z)^-1 Z^T (f - K u)`. In the mass the multipliers come from conjugate gradients,
    /// preconditioned by the balance's small problem. Collective.
    pub fn correct(&mut self, balance: &mut Balance, residual: &Vector, state: &mut Vector) -> Result<usize> {
        let projection = &mut balance.0;
        let (mut wanted, _) = projection.x.vectors()?;
        projection.x.mult_transpose(residual, &mut wanted)?;
        if let Some(mass) = &mut self.mass {
            let (multiplier, iterations) = multipliers(projection, mass, wanted)?;
            let (mut right, mut change) = (residual.duplicate()?, residual.duplicate()?);
            projection.kx.mult(&multiplier, &mut right)?;
            mass.solve(&right, &mut change)?;
            state.axpy(1.0, &change)?;
            return Ok(iterations);
        }
        let mut multiplier = wanted.duplicate()?;
        projection.solve(&wanted, &mut multiplier)?;
        let along = if self.norm == Norm::Euclidean { &projection.kx } else { &projection.x };
        along.mult_add(&multiplier, state)?;
        Ok(1)
    }
}

/// Solves `B M^-1 B^T y = residual` by preconditioned conjugate gradients (Hestenes and Stiefel 1952;
/// the matrix is never formed). Collective.
fn multipliers(
    projection: &mut Projection,
    mass: &mut Mass,
    mut residual: Vector,
) -> Result<(Vector, usize)> {
    let mut y = residual.duplicate()?;
    let mut z = residual.duplicate()?;
    projection.solve(&residual, &mut z)?;
    let mut direction = z.try_clone()?;
    let mut image = residual.duplicate()?;
    let (mut right, mut change) = mass.product.matrix().vectors()?;
    let mut energy = residual.dot(&z)?;
    let target = MULTIPLIER_TOLERANCE * energy.max(0.0).sqrt();
    for iteration in 0..MULTIPLIER_ITERATIONS {
        if energy <= 0.0 || energy.sqrt() <= target {
            return Ok((y, iteration));
        }
        projection.kx.mult(&direction, &mut right)?;
        mass.solve(&right, &mut change)?;
        projection.kx.mult_transpose(&change, &mut image)?;
        let curvature = direction.dot(&image)?;
        if curvature <= 0.0 {
            return Ok((y, iteration));
        }
        let step = energy / curvature;
        y.axpy(step, &direction)?;
        residual.axpy(-step, &image)?;
        projection.solve(&residual, &mut z)?;
        let next = residual.dot(&z)?;
        direction.aypx(next / energy, &z)?;
        energy = next;
    }
    Ok((y, MULTIPLIER_ITERATIONS))
}
