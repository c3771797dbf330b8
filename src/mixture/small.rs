//! The small dense systems that projections lead to.
use crate::{Error, Result};
use faer::linalg::solvers::Solve;
use faer::{Mat, MatRef, Side};

/// The solution of `A x = b` by Cholesky's factorisation, which no scaling of the unknowns changes; `None` unless the
/// symmetric matrix is positive definite. Columns that may depend on one another go through [`whiten`] first.
pub fn solve(matrix: MatRef<'_, f64>, right: &[f64]) -> Option<Vec<f64>> {
    let right = Mat::from_fn(right.len(), 1, |i, _| right[i]);
    let solution = matrix.llt(Side::Lower).ok()?.solve(&right);
    Some((0..right.nrows()).map(|i| solution[(i, 0)]).collect())
}

/// Eigenvalues, descending, and eigenvectors of the symmetric part of a small matrix; `what` names it in the error.
///
/// # Errors
/// When the iteration does not converge, as for numbers that are not finite.
pub fn eigen(matrix: MatRef<'_, f64>, what: &str) -> Result<(Vec<f64>, Mat<f64>)> {
    let n = matrix.nrows();
    let symmetric = Mat::from_fn(n, n, |i, j| 0.5 * (matrix[(i, j)] + matrix[(j, i)]));
    let found = symmetric.self_adjoint_eigen(Side::Lower);
    let found = found.map_err(|e| Error::Failed(format!("{what}: eigenvalues were not found: {e:?}")))?;
    // faer sorts ascending.
    let values = (0..n).rev().map(|k| found.S().column_vector()[k]).collect();
    Ok((values, Mat::from_fn(n, n, |i, k| found.U()[(i, n - 1 - k)])))
}

/// A square matrix with a further row, whose last entry is the corner, and a further column.
pub fn bordered(inside: &Mat<f64>, row: &[f64], column: &[f64]) -> Mat<f64> {
    let n = inside.nrows();
    Mat::from_fn(n + 1, n + 1, |i, j| match (i < n, j < n) {
        (true, true) => inside[(i, j)],
        (true, false) => column[i],
        (false, _) => row[j],
    })
}

/// Columns whose part outside the others is smaller than this, relative to their length, are dropped.
const DEPENDENT: f64 = 1e-7;

/// Above this relative size of the smallest direction one pass of [`whiten`] is as good as two.
const WELL_CONDITIONED: f64 = 1e-2;

/// A matrix `T` (k x k', k' <= k) with `T^T gram T = I`, from a symmetric positive semidefinite `gram`: scaled to
/// a unit diagonal, directions of relative size below `DEPENDENT` are left out, and so are columns that are
/// zero, negative or no numbers. And whether a second pass is due, because round-off was amplified.
pub fn whiten(gram: MatRef<'_, f64>) -> (Mat<f64>, bool) {
    let usable: Vec<usize> = (0..gram.nrows())
        .filter(|&i| gram[(i, i)] > 0.0 && (0..gram.nrows()).all(|j| gram[(i, j)].is_finite()))
        .collect();
    let scale: Vec<f64> = usable.iter().map(|&i| 1.0 / gram[(i, i)].sqrt()).collect();
    let scaled = Mat::from_fn(usable.len(), usable.len(), |i, j| {
        let (p, q) = (usable[i], usable[j]);
        0.5 * (gram[(p, q)] + gram[(q, p)]) * scale[i] * scale[j]
    });
    let none = (Mat::zeros(gram.nrows(), 0), false);
    if usable.is_empty() {
        return none;
    }
    let Ok(eigen) = scaled.self_adjoint_eigen(Side::Lower) else { return none };
    let (values, vectors) = (eigen.S().column_vector(), eigen.U());
    let largest = values[values.nrows() - 1];
    let kept: Vec<usize> = (0..values.nrows())
        .filter(|&i| values[i] > DEPENDENT * DEPENDENT * largest && values[i] > 0.0)
        .collect();
    let mut result = Mat::zeros(gram.nrows(), kept.len());
    for (column, &j) in kept.iter().enumerate() {
        for (i, &p) in usable.iter().enumerate() {
            result[(p, column)] = vectors[(i, j)] * scale[i] / values[j].sqrt();
        }
    }
    let smallest = kept.first().map_or(largest, |&j| values[j]);
    (result, smallest < WELL_CONDITIONED * largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definite_systems_are_solved_and_others_refused() {
        let a = Mat::from_fn(3, 3, |i, j| 1.0 / (1 + i + j) as f64);
        let x = solve(a.as_ref(), &[1.0, 2.0, 3.0]).unwrap();
        for i in 0..3 {
            let row: f64 = (0..3).map(|j| a[(i, j)] * x[j]).sum();
            assert!((row - (i + 1) as f64).abs() < 1e-11, "{row}");
        }
        assert_eq!(solve(Mat::<f64>::zeros(0, 0).as_ref(), &[]), Some(Vec::new()));
        assert_eq!(solve(Mat::from_fn(2, 2, |i, j| (i + j) as f64).as_ref(), &[1.0, 1.0]), None);
    }

    #[test]
    fn dependent_and_broken_columns_are_dropped() {
        let v = Mat::from_fn(6, 5, |i, j| match j {
            0 => (i as f64).sin(),
            1 => 1.0,
            2 => 1e9 * (i as f64).cos(),
            3 => 3.0 - 2.0 * (i as f64).sin(),
            _ => 0.0,
        });
        let mut gram = v.transpose() * &v;
        let (t, _) = whiten(gram.as_ref());
        assert_eq!(t.ncols(), 3);
        let q = &v * &t;
        let identity = q.transpose() * &q;
        for i in 0..3 {
            for j in 0..3 {
                assert!((identity[(i, j)] - f64::from(u8::from(i == j))).abs() < 1e-7);
            }
        }
        for i in 0..5 {
            gram[(1, i)] = f64::NAN;
            gram[(i, 1)] = f64::NAN;
        }
        assert_eq!(whiten(gram.as_ref()).0.ncols(), 0);
    }
}
