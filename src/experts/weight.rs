//! The norm in which a repaired state is nearest to its prediction.
use super::balance::Balance;
use crate::Result;
use crate::deck::Norm;
use crate::fem::{Essential, Space};
use crate::mixture::{direct, finished};
use crate::parallel::Comm;
use crate::physics::mass::mass_matrix;
use petsc_rs::{KrylovSolver, Matrix, Vector};

/// Steps of the iteration for multipliers in the mass norm; it converges in a few dozen.
const MULTIPLIER_ITERATIONS: usize = 200;
/// Relative residual of the multipliers; refinement of the correction does the rest.
const MULTIPLIER_TOLERANCE: f64 = 1e-12;
/// The mass matrix is well conditioned: CG and its diagonal reach round-off in a few dozen steps.
const MASS: &str = "-ksp_type cg -pc_type jacobi -ksp_rtol 1e-14 -ksp_max_it 1000";

/// Corrects a state so that the balances hold, `u + W^-1 B^T (B W^-1 B^T)^-1 (b - B u)`.
pub enum Weight {
    /// `W = K`: the correction is the Galerkin one in the coarse space, `Z (Z^T K Z)^-1 Z^T (f - K u)`.
    Energy(KrylovSolver),
    /// `W` the mass matrix. The multipliers come from conjugate gradients, preconditioned by the same
    /// system with the diagonal of `W` in its place, which is sparse and spectrally equivalent.
    Mass {
        /// Solves with the mass matrix.
        mass: Box<Mass>,
        /// The factorised system with the diagonal.
        nearby: KrylovSolver,
    },
    /// `W = I`.
    Euclidean(KrylovSolver),
}

/// A mass matrix with its solver.
pub struct Mass {
    /// The matrix, the identity on essential unknowns.
    pub matrix: Matrix,
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
        Ok(Self { matrix, solver })
    }

    /// `y = W^-1 x`.
    fn solve(&mut self, x: &Vector, y: &mut Vector) -> Result<()> {
        Ok(finished(self.solver.solve(x, y)?)?)
    }
}

impl Weight {
    /// Prepares the correction; the mass norm needs `mass`. Collective.
    pub fn new(
        norm: Norm,
        comm: &Comm,
        name: &str,
        balance: &Balance,
        mass: Option<Box<Mass>>,
    ) -> Result<Self> {
        let prefix = format!("{name}_balance_");
        Ok(match (norm, mass) {
            (Norm::Euclidean, _) => {
                let system = balance.kz.transpose_mat_mult(balance.kz)?;
                Self::Euclidean(direct(comm, &prefix, &system)?)
            }
            (Norm::Mass, Some(mass)) => {
                let (mut diagonal, _) = mass.matrix.vectors()?;
                mass.matrix.diagonal(&mut diagonal)?;
                diagonal.reciprocal()?;
                let mut scaled = balance.kz.duplicate(true)?;
                scaled.diagonal_scale(Some(&diagonal), None)?;
                let system = balance.kz.transpose_mat_mult(&scaled)?;
                Self::Mass { mass, nearby: direct(comm, &prefix, &system)? }
            }
            (Norm::Energy | Norm::Mass, _) => {
                let system = balance.z.transpose_mat_mult(balance.kz)?;
                Self::Energy(direct(comm, &prefix, &system)?)
            }
        })
    }

    /// Adds to `state` the least correction that balances the experts, where `residual` is `f - K u`;
    /// returns the iterations that the multipliers took. Collective.
    pub fn correct(&mut self, balance: &Balance, residual: &Vector, state: &mut Vector) -> Result<usize> {
        let (mut wanted, _) = balance.z.vectors()?;
        balance.z.mult_transpose(residual, &mut wanted)?;
        let mut multiplier = wanted.duplicate()?;
        match self {
            Self::Energy(solver) => {
                finished(solver.solve(&wanted, &mut multiplier)?)?;
                balance.z.mult_add(&multiplier, state)?;
                Ok(1)
            }
            Self::Euclidean(solver) => {
                finished(solver.solve(&wanted, &mut multiplier)?)?;
                balance.kz.mult_add(&multiplier, state)?;
                Ok(1)
            }
            Self::Mass { mass, nearby } => {
                let (multiplier, iterations) = multipliers(balance, mass, nearby, wanted)?;
                let (mut right, mut change) = (residual.duplicate()?, residual.duplicate()?);
                balance.kz.mult(&multiplier, &mut right)?;
                mass.solve(&right, &mut change)?;
                state.axpy(1.0, &change)?;
                Ok(iterations)
            }
        }
    }
}

/// Solves `B M^-1 B^T y = residual` by preconditioned conjugate gradients (Hestenes and Stiefel 1952;
/// the matrix is never formed). Collective.
fn multipliers(
    balance: &Balance,
    mass: &mut Mass,
    nearby: &mut KrylovSolver,
    mut residual: Vector,
) -> Result<(Vector, usize)> {
    let mut y = residual.duplicate()?;
    let mut z = residual.duplicate()?;
    finished(nearby.solve(&residual, &mut z)?)?;
    let mut direction = z.try_clone()?;
    let mut image = residual.duplicate()?;
    let (mut right, mut change) = mass.matrix.vectors()?;
    let mut energy = residual.dot(&z)?;
    let target = MULTIPLIER_TOLERANCE * energy.max(0.0).sqrt();
    for iteration in 0..MULTIPLIER_ITERATIONS {
        if energy <= 0.0 || energy.sqrt() <= target {
            return Ok((y, iteration));
        }
        balance.kz.mult(&direction, &mut right)?;
        mass.solve(&right, &mut change)?;
        balance.kz.mult_transpose(&change, &mut image)?;
        let curvature = direction.dot(&image)?;
        if curvature <= 0.0 {
            return Ok((y, iteration));
        }
        let step = energy / curvature;
        y.axpy(step, &direction)?;
        residual.axpy(-step, &image)?;
        finished(nearby.solve(&residual, &mut z)?)?;
        let next = residual.dot(&z)?;
        direction.aypx(next / energy, &z)?;
        energy = next;
    }
    Ok((y, MULTIPLIER_ITERATIONS))
}
