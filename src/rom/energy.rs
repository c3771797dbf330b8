//! The inner products that reduced models are built in.
use crate::deck::{SolverMethod, SolverOptions};
use crate::fem::Essential;
use crate::mixture::{Columns, Euclidean, InnerProduct, MatrixProduct, rigid_body_modes};
use crate::physics::{Context, Problem};
use crate::solver::linear::defaults::may_be_replicated;
use crate::solver::{Cholesky, LinearSolver};
use crate::{Error, Result};
use petsc_rs::{Matrix, Vector};
use std::cell::RefCell;

/// Relative residual of the solves for representers, where they are iterative: what they leave out of
/// an error estimate must not show.
const REPRESENTER_TOLERANCE: f64 = 1e-12;
/// Steps that such a solve may take.
const REPRESENTER_ITERATIONS: usize = 10_000;
/// Relative residual above which a matrix counts as singular.
const SINGULAR: f64 = 1e-6;

/// Unknowns up to which an automatic choice factorises: one factorisation serves all representers.
const FACTORISED: u64 = 150_000;

/// The energy of a problem's bilinear form at fixed parameters, with a solver for Riesz representers.
/// Prescribed unknowns are left out: their rows are those of the identity.
pub struct Energy {
    /// The inner product.
    pub product: MatrixProduct,
    /// The prescribed unknowns, with values zero.
    pub essential: Essential,
    name: String,
    riesz: Riesz,
}

/// What solves for representers.
enum Riesz {
    /// Factors on every rank.
    Factors(Box<Cholesky>),
    /// A solver, its right-hand side and its solution.
    Solver(Box<RefCell<(LinearSolver, Vector, Vector)>>),
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
        let may_choose = matches!(options.method, SolverMethod::Auto | SolverMethod::Direct);
        let riesz = if may_choose && options.petsc.trim().is_empty() && may_be_replicated(space) {
            let factors = Cholesky::new(&space.mesh.comm, &matrix)?;
            Riesz::Factors(Box::new(factors.ok_or_else(|| not_definite(&problem.name))?))
        } else {
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
            Riesz::Solver(Box::new(RefCell::new((solver, x, y))))
        };
        Ok(Self { product: MatrixProduct::new(matrix)?, essential, name: problem.name.clone(), riesz })
    }

    /// The Riesz representer of a functional (its values on the basis functions of this rank's
    /// unknowns), zero on prescribed unknowns. Collective.
    ///
    /// # Errors
    /// When the solve does not converge, or the form is not positive definite to round-off.
    pub fn representer(&self, functional: &[f64]) -> Result<Vec<f64>> {
        let mut functional = functional.to_vec();
        self.essential.clear(&mut functional);
        let Riesz::Solver(work) = &self.riesz else { return self.solved(&functional) };
        let (solver, x, y) = &mut *work.borrow_mut();
        x.write()?.copy_from_slice(&functional);
        y.set(0.0)?;
        solver.solve(self.product.matrix(), x, &self.essential, y)?;
        Ok(y.read()?.to_vec())
    }

    /// By the factors.
    fn solved(&self, functional: &[f64]) -> Result<Vec<f64>> {
        let Riesz::Factors(factors) = &self.riesz else { unreachable!("asked for where there are some") };
        let comm = factors.comm();
        let mut right = Columns::new(comm, functional.len());
        right.push(functional);
        let representer = factors.solve(&right).column(0).to_vec();
        let image = self.product.image(&representer)?;
        let square = |list: &mut dyn Iterator<Item = f64>| comm.sum(list.map(|v| v * v).sum::<f64>());
        let missed = square(&mut functional.iter().zip(&image).map(|(f, i)| f - i));
        if missed.is_nan() || missed > SINGULAR * SINGULAR * square(&mut functional.iter().copied()) {
            return Err(not_definite(&self.name));
        }
        Ok(representer)
    }

    /// Columns whose [product](Energy::dual_product) is that of the representers of functionals, and so their
    /// lengths the dual norms: the representers themselves or, in half the time, the functionals before the inverse of the
    /// triangular factor. Collective.
    ///
    /// # Errors
    /// As [`Energy::representer`].
    pub fn dual(&self, functionals: &Columns) -> Result<Columns> {
        let mut result = functionals.clone();
        for j in 0..result.count() {
            self.essential.clear(result.column_mut(j));
        }
        match &self.riesz {
            Riesz::Factors(factors) => Ok(factors.half_solve(&result)),
            Riesz::Solver(_) => {
                for j in 0..result.count() {
                    let representer = self.representer(result.column(j))?;
                    result.column_mut(j).copy_from_slice(&representer);
                }
                Ok(result)
            }
        }
    }

    /// See [`Energy::dual`].
    pub fn dual_product(&self) -> &dyn InnerProduct {
        match &self.riesz {
            Riesz::Factors(_) => &Euclidean,
            Riesz::Solver(_) => &self.product,
        }
    }
}

fn not_definite(name: &str) -> Error {
    Error::Failed(format!(
        "{name}: the energy at the reference parameters is not positive definite: look for a missing support \
         (rigid-body motion, no reference value) or a negative coefficient"
    ))
}

/// The matrix of a problem's bilinear form at these parameters on all unknowns, prescribed ones included: its product
/// gives the energy norms of many fields. Collective.
///
/// # Errors
/// [`Error::Input`] for coefficients that no material can have.
pub fn assemble_energy(problem: &Problem, context: &Context, matrix: &mut Matrix) -> Result<()> {
    let none = Essential::new(&problem.space, []);
    problem.assemble(context, &none, matrix, &mut problem.space.field()?)
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
