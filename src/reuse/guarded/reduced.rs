//! Newton's method on the functions of a basis, with all cells.
use crate::Result;
use crate::fem::sink::Projected;
use crate::mixture::Columns;
use crate::solver::{NewtonSolver, StepEquation};
use faer::linalg::solvers::Solve;
use faer::{Mat, MatRef};
use petsc_rs::Vector;

/// Most iterations.
const ITERATIONS: usize = 12;
/// The next step is expected to be below this share of what changes the verdict.
const CLOSE: f64 = 1e-2;

/// What became of a reduced solve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reduced {
    /// There are no functions yet.
    Nothing,
    /// It found no state.
    Failed,
    /// The state that it found is not good enough, but a first guess.
    Refused,
    /// It is the solution.
    Accepted,
}

/// Solves `V^T r(u) = 0` on the first guess plus the space of the columns V, which are orthonormal, given at the owned
/// unknowns and at the local ones, `[node, component, column]`. Steps much smaller than `close` need not be taken. Whether it
/// came to an end; the guess has the essential values. Collective.
///
/// # Errors
/// When PETSc fails.
pub(super) fn solve_reduced(
    newton: &NewtonSolver,
    equation: &StepEquation,
    (columns, local): (&Columns, &[f64]),
    close: f64,
    solution: &mut Vector,
) -> Result<bool> {
    let n = columns.count();
    let offset = columns.coefficients(&equation.offset.read()?);
    let linear = newton.problem().facts().linear && !newton.problem().depends_on_itself();
    let mut last = None;
    for _ in 0..ITERATIONS {
        let mut projected = Projected::new(n, true);
        newton.visit(solution, |integral| projected.add(integral, local))?;
        let mut sums = [projected.vector, projected.matrix].concat();
        columns.comm.sum_into(&mut sums);
        // The first rank's solution is that of all: factorisations of the same numbers may differ in their last bits, and ranks
        // that stop at different steps would wait for one another for ever.
        let mut step = Vec::new();
        if columns.comm.rank() == 0 {
            let (vector, matrix) = sums.split_at(n);
            let right = Mat::from_fn(n, 1, |i, _| -vector[i] - offset[i]);
            let found = MatRef::from_row_major_slice(matrix, n, n).partial_piv_lu().solve(&right);
            step.extend(found.col(0).iter().copied());
            step.push(close);
        }
        let mut step = columns.comm.all_gather_varied(&step);
        let close = step.pop().unwrap_or(0.0);
        let length = step.iter().map(|v| v * v).sum::<f64>().sqrt();
        if !length.is_finite() {
            return Ok(false);
        }
        columns.add_to(&step, &mut solution.write()?);
        solution.ghost_update()?;
        // The next step will be smaller than this one at least as this one is than the last.
        let shrinks = last.map_or(1.0, |last: f64| (length / last).min(1.0));
        if linear || length * shrinks <= CLOSE * close {
            return Ok(true);
        }
        last = Some(length);
    }
    Ok(false)
}
