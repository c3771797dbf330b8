//! A Krylov method for operators that are closures.
use crate::{Error, Result};
use petsc_rs::Vector;

/// Its steps at most.
const MOST_STEPS: usize = 100;

/// GMRES without a restart (Saad and Schultz 1986) for an operator that borrows what it needs.
/// Collective.
///
/// # Errors
/// When the operator fails, or [`MOST_STEPS`] were not enough.
pub(super) fn gmres(
    right: &Vector,
    tolerance: f64,
    mut apply: impl FnMut(&Vector, &mut Vector) -> Result<()>,
) -> Result<Vector> {
    let length = right.norm(petsc_rs::Norm::Two)?;
    let mut solution = right.duplicate()?;
    if length == 0.0 {
        return Ok(solution);
    }
    let mut first = right.try_clone()?;
    first.scale(1.0 / length)?;
    let mut basis = vec![first];
    // Columns of Hessenberg's matrix.
    let mut columns: Vec<Vec<f64>> = Vec::new();
    loop {
        let k = columns.len();
        let mut next = right.duplicate()?;
        apply(&basis[k], &mut next)?;
        let mut column = vec![0.0; k + 1];
        for _ in 0..2 {
            for (entry, vector) in column.iter_mut().zip(&basis) {
                let part = next.dot(vector)?;
                next.axpy(-part, vector)?;
                *entry += part;
            }
        }
        let rest = next.norm(petsc_rs::Norm::Two)?;
        column.push(rest);
        columns.push(column);
        let (y, lacking) = least_squares(&columns, length);
        if lacking <= tolerance * length || rest <= 1e-14 * length {
            for (factor, vector) in y.iter().zip(&basis) {
                solution.axpy(*factor, vector)?;
            }
            return Ok(solution);
        }
        if columns.len() == MOST_STEPS {
            return Err(Error::Failed(format!(
                "the exact system of the nearest state was solved to {:.1e} in {MOST_STEPS} steps only",
                lacking / length
            )));
        }
        next.scale(1.0 / rest)?;
        basis.push(next);
    }
}

/// The least residual of Hessenberg's system with `length` in the first row.
fn least_squares(columns: &[Vec<f64>], length: f64) -> (Vec<f64>, f64) {
    use faer::linalg::solvers::SolveLstsq;
    let n = columns.len();
    let matrix = faer::Mat::from_fn(n + 1, n, |i, j| columns[j].get(i).copied().unwrap_or(0.0));
    let right = faer::Mat::from_fn(n + 1, 1, |i, _| if i == 0 { length } else { 0.0 });
    let y = matrix.qr().solve_lstsq(&right);
    let y = y.subrows(0, n).to_owned();
    let rest = &right - &matrix * &y;
    ((0..n).map(|i| y[(i, 0)]).collect(), rest.norm_l2())
}
