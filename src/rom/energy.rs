//! The inner products that reduced models are built in.
use crate::Result;
use crate::deck::{SolverMethod, SolverOptions};
use crate::fem::Essential;
use crate::mixture::{MatrixProduct, rigid_body_modes};
use crate::physics::{Context, Problem};
use crate::solver::LinearSolver;
use petsc_rs::Vector;
use std::cell::RefCell;

/// Relative residual of the solves for representers, where they are iterative: what they leave out of
/// an error estimate must not show.
const REPRESENTER_TOLERANCE: f64 = 1e-12;
/// Steps that such a solve may take.
const REPRESENTER_ITERATIONS: usize = 10_000;

/// Unknowns up to which an automatic choice factorises: one factorisation serves all representers.
const FACTORISED: u64 = 150_000;

/// The energy of a problem's bilinear form at fixed parameters, with a solver for Riesz representers.
/// Prescribed unknowns are left out: their rows are those of the identity.
pub struct Energy {
    /// The inner product.
    pub product: MatrixProduct,
    /// The prescribed unknowns, with values zero.
    pub essential: Essential,
    /// The solver, its right-hand side and its solution.
    work: RefCell<(LinearSolver, Vector, Vector)>,
}

impl Energy {
    /// Assembles and prepares the solver. Collective.
    ///
    /// # Errors
    /// When the form is not positive definite at these parameters.
    pub fn new(problem: &Problem, context: &Context, options: &SolverOptions) -> Result<Self> {
        let space = &problem.space;
        let mut essential = problem.essential(context)?;
        essential.values.fill(0.0);
        let mut matrix = problem.new_matrix()?;
        let (mut x, y) = (space.field()?, space.field()?);
        problem.assemble(context, &essential, &mut matrix, &mut x)?;
        if problem.is_solid() {
            matrix.set_near_null_space(rigid_body_modes(space)?)?;
        }
        let mut options = SolverOptions {
            tolerance: REPRESENTER_TOLERANCE,
            max_iterations: options.max_iterations.max(REPRESENTER_ITERATIONS),
            ..options.clone()
        };
        if options.method == SolverMethod::Auto && space.global_dofs() <= FACTORISED {
            options.method = SolverMethod::Direct;
        }
        let mut solver = LinearSolver::new(space, &problem.name, &options)?;
        solver.set_matrix(&matrix)?;
        let product = MatrixProduct::new(matrix)?;
        Ok(Self { product, essential, work: RefCell::new((solver, x, y)) })
    }

    /// The Riesz representer of a functional (its values on the basis functions of this rank's
    /// unknowns), zero on prescribed unknowns. Collective.
    ///
    /// # Errors
    /// When the solve does not converge.
    pub fn representer(&self, functional: &[f64]) -> Result<Vec<f64>> {
        let essential = &self.essential;
        let (solver, x, y) = &mut *self.work.borrow_mut();
        {
            let mut values = x.write()?;
            values.copy_from_slice(functional);
            essential.clear(&mut values);
        }
        y.set(0.0)?;
        solver.solve(self.product.matrix(), x, essential, y)?;
        Ok(y.read()?.to_vec())
    }
}

/// Energy norm of a field (this rank's unknowns) at these parameters. Collective.
///
/// # Errors
/// When PETSc fails.
pub fn energy_norm(problem: &Problem, context: &Context, values: &[f64]) -> Result<f64> {
    let mut field = problem.space.field()?;
    field.write()?.copy_from_slice(values);
    field.ghost_update()?;
    let state = field.local_read()?;
    Ok((2.0 * problem.energy(context, &state)?.max(0.0)).sqrt())
}

/// Energy norms of a field's error and of the exact field, as [`energy_norm`]. Collective.
///
/// # Errors
/// When PETSc fails.
pub fn energy_error(
    problem: &Problem,
    context: &Context,
    exact: &[f64],
    found: &[f64],
) -> Result<(f64, f64)> {
    let difference: Vec<f64> = exact.iter().zip(found).map(|(a, b)| a - b).collect();
    Ok((energy_norm(problem, context, &difference)?, energy_norm(problem, context, exact)?))
}
