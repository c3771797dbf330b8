//! The tangent of a solved problem, factorised.
use crate::fem::Essential;
use crate::physics::{Context, FormState, Prepared, Side};
use crate::simulation::Stage;
use crate::{Error, Result};
use petsc_rs::{KrylovSolver, Matrix, Norm, Vector};

/// Exact for any sparse matrix, and for its transpose.
const FACTORISED: &str =
    "-ksp_type preonly -pc_type lu -pc_factor_mat_solver_type mumps -mat_mumps_icntl_14 100";

/// Relative residual above which a tangent counts as singular.
const SINGULAR: f64 = 1e-6;

/// The tangent of a problem at its present solution, for its free unknowns.
pub(super) struct Linearised {
    pub prepared: Prepared,
    /// All local unknowns.
    pub state: Vec<f64>,
    matrix: Matrix,
    krylov: KrylovSolver,
}

impl Linearised {
    /// Assembles and factorises. Collective.
    ///
    /// # Errors
    /// [`Error::Failed`] where there is no derivative: in models with internal variables, and where a motion is free.
    pub fn new(stage: &Stage, context: &Context) -> Result<Self> {
        let problem = &stage.problem;
        let name = &problem.name;
        if stage.history().is_some() {
            let text = format!("{name}: derivatives of problems with internal variables are not available");
            return Err(Error::Failed(text));
        }
        if stage.is_partly_free() {
            let text =
                format!("{name}: a motion is free, so the solution has no derivative; hold it somewhere");
            return Err(Error::Failed(text));
        }
        let prepared = problem.at(context)?;
        let state = stage.solution().local_read()?.to_vec();
        let mut matrix = problem.new_matrix()?;
        prepared.tangent(FormState::steady(&state), &prepared.essential, &mut matrix)?;
        let mut krylov = KrylovSolver::new(problem.space.mesh.comm.mpi())?;
        krylov.set_prefix(&format!("{name}_sensitivity_"))?;
        krylov.set_operators(&matrix, &matrix)?;
        krylov.set_up_with(FACTORISED, |_| Ok(()))?;
        Ok(Self { prepared, state, matrix, krylov })
    }

    /// The prescribed unknowns.
    pub fn essential(&self) -> &Essential {
        &self.prepared.essential
    }

    /// Solves for the free unknowns; the others of the solution are zero, those of the right-hand side are not looked at.
    /// Its ghosts are up to date. Collective.
    ///
    /// # Errors
    /// [`Error::Failed`] when the tangent is singular.
    pub fn solve(&mut self, side: Side, rhs: &Vector) -> Result<Vector> {
        let mut rhs = rhs.try_clone()?;
        self.essential().clear(&mut rhs.write()?);
        let size = rhs.norm(Norm::Two)?;
        let (mut solution, mut residual) = (rhs.duplicate()?, rhs.try_clone()?);
        if size == 0.0 {
            return Ok(solution);
        }
        let mut left = 1.0;
        // The second solve takes out what rounding has left of the first.
        for _ in 0..2 {
            let mut correction = rhs.duplicate()?;
            match side {
                Side::Plain => self.krylov.solve(&residual, &mut correction)?,
                Side::Transposed => self.krylov.solve_transpose(&residual, &mut correction)?,
            };
            solution.axpy(1.0, &correction)?;
            match side {
                Side::Plain => self.matrix.mult(&solution, &mut residual)?,
                Side::Transposed => self.matrix.mult_transpose(&solution, &mut residual)?,
            }
            residual.aypx(-1.0, &rhs)?;
            left = residual.norm(Norm::Two)? / size;
        }
        if left.is_nan() || left > SINGULAR {
            let name = &self.prepared.problem().name;
            return Err(Error::Failed(format!(
                "{name}: the tangent at the solution is singular or nearly so (relative residual {left:.1e}): the \
                 solution has no derivative there"
            )));
        }
        solution.ghost_update()?;
        Ok(solution)
    }

    /// `J x` or `J^T x` with all rows and columns, nothing eliminated; `x` with up-to-date ghosts. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn product(&self, side: Side, x: &Vector) -> Result<Vector> {
        self.prepared.product(FormState::steady(&self.state), side, x)
    }
}
