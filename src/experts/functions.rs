//! The functions of level `coupled`, orthonormal within each expert: modes of a whole field may all but depend on one another
//! on the part of an expert, and the small systems of such functions have no digits.
use super::constraint::Constraint;
use super::equations::Equations;
use crate::mixture::{Columns, whiten};
use crate::{Error, Result};
use faer::{Mat, MatRef};
use petsc_rs::{Matrix, Vector};

/// `X = [chi_k Phi_k] T` at the free unknowns, with `T` of one block an expert; what depends on others is zero.
pub(super) struct Functions {
    pub x: Matrix,
    /// `T`; none where the functions are left as they are.
    change: Option<Matrix>,
}

impl Functions {
    /// The coefficients of the experts' own functions, `T w`. Collective.
    pub fn coefficients(&self, w: Vector) -> Result<Vector> {
        let Some(change) = &self.change else { return Ok(w) };
        let mut result = w.duplicate()?;
        change.mult(&w, &mut result)?;
        Ok(result)
    }
}

/// As [`whiten`] with the first `kept` functions, which balances are tested with, in the span to the last digit: the others are
/// made orthogonal to these, and what depends on others is left out among them alone. Columns that are left out are zero.
fn whiten_beside(gram: MatRef<'_, f64>, kept: usize) -> (Mat<f64>, bool) {
    let n = gram.nrows();
    let (first, mut due) = whiten(gram.submatrix(0, 0, kept, kept));
    // Coefficients of the others in the orthonormal ones of the first.
    let shares = first.transpose() * gram.submatrix(0, kept, kept, n - kept);
    let rest = gram.submatrix(kept, kept, n - kept, n - kept) - shares.transpose() * &shares;
    let (second, again) = whiten(rest.as_ref());
    due |= again;
    let lost = (0..n - kept).any(|j| rest[(j, j)] < 1e-2 * gram[(kept + j, kept + j)]);
    let beside = &first * &shares * &second;
    let mut result = Mat::zeros(n, n);
    for j in 0..first.ncols() {
        (0..kept).for_each(|i| result[(i, j)] = first[(i, j)]);
    }
    for j in 0..second.ncols() {
        (0..kept).for_each(|i| result[(i, kept + j)] = -beside[(i, j)]);
        (0..n - kept).for_each(|i| result[(kept + i, kept + j)] = second[(i, j)]);
    }
    (result, due || lost)
}

impl Constraint {
    /// The experts' functions; constants and rigid motions alone are left as they are. Collective.
    ///
    /// # Errors
    /// When a given one vanishes or is not finite.
    pub(super) fn functions(&self, equations: &Equations) -> Result<Functions> {
        self.check_columns(equations)?;
        let space = &self.basis.fields;
        let fixed = &equations.essential.fixed[..space.owned_dofs()];
        let x = self.basis.space(&fixed.iter().map(|fixed| !fixed).collect::<Vec<_>>())?;
        if self.basis.columns.count() == 0 {
            return Ok(Functions { x, change: None });
        }
        let (first, again) = self.orthonormal(&x)?;
        let mut result = Functions { x: x.mat_mult(&first)?, change: Some(first) };
        if again {
            let (second, _) = self.orthonormal(&result.x)?;
            let change = result.change.as_ref().expect("set above").mat_mult(&second)?;
            result = Functions { x: result.x.mat_mult(&second)?, change: Some(change) };
        }
        Ok(result)
    }

    /// Blocks that make the functions of each expert orthonormal, and whether to do it once more for round-off.
    fn orthonormal(&self, x: &Matrix) -> Result<(Matrix, bool)> {
        let (comm, n) = (&self.basis.fields.mesh.comm, self.basis.functions());
        let gram = x.transpose_mat_mult(x)?;
        let (mut pointers, mut columns, mut values) = (vec![0i32], Vec::new(), Vec::new());
        let (range, mut again) = (gram.row_range(), false);
        for start in range.clone().step_by(n) {
            let mut block = Mat::<f64>::zeros(n, n);
            for i in 0..n {
                let entries = gram.row(start + i)?.into_iter().filter(|e| (start..start + n).contains(&e.0));
                entries.for_each(|(j, value)| block[(i, j - start)] = value);
            }
            let (change, due) = whiten_beside(block.as_ref(), n - self.basis.columns.count());
            again |= due;
            for i in 0..n {
                for j in 0..change.ncols() {
                    columns.push((start + j) as i32);
                    values.push(change[(i, j)]);
                }
                pointers.push(columns.len() as i32);
            }
        }
        let local = range.len();
        let change = Matrix::from_csr_values(comm.mpi(), 1, &pointers, &columns, &values, local)?;
        Ok((change, comm.max(u8::from(again)) == 1))
    }

    /// Whether the given columns are functions. Collective.
    ///
    /// # Errors
    /// When one of them vanishes, or is not finite.
    pub(super) fn check_columns(&self, equations: &Equations) -> Result<()> {
        self.check_functions(&self.basis.columns, &equations.essential.fixed)
    }

    /// The same of any columns, `[state, owned unknown]`, with the unknowns that are fixed at all states. Collective.
    ///
    /// # Errors
    /// As [`Constraint::check_columns`].
    pub(super) fn check_functions(&self, columns: &Columns, fixed: &[bool]) -> Result<()> {
        let space = &self.basis.fields;
        let fixed = &fixed[..space.owned_dofs()];
        for (number, column) in columns.iter().enumerate() {
            let largest = column
                .iter()
                .zip(fixed.iter().cycle())
                .filter(|(_, fixed)| !**fixed)
                .fold(0.0, |m: f64, (v, _)| if v.is_nan() { f64::NAN } else { m.max(v.abs()) });
            // A rank may have none of it.
            let bad = space.mesh.comm.max(u8::from(!largest.is_finite()));
            if bad == 1 || space.mesh.comm.max(largest) == 0.0 {
                let what = if bad == 1 { "is not finite" } else { "vanishes at all free unknowns" };
                return Err(Error::Failed(format!("{}: function {number} of the basis {what}", self.name)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_functions_stay_in_the_span() {
        // Powers on an interval far from the origin: all but dependent. The constant is the first.
        let at = |i: usize| 10.0 + 0.1 * i as f64 / 40.0;
        let x = Mat::from_fn(41, 8, |i, j| at(i).powi(j as i32));
        let gram = |x: &Mat<f64>| x.transpose() * x;
        let (change, again) = whiten_beside(gram(&x).as_ref(), 1);
        assert!(again);
        let once = &x * &change;
        let (second, _) = whiten_beside(gram(&once).as_ref(), 1);
        let orthonormal = &once * &second;
        let product = gram(&orthonormal);
        let mut functions = 0;
        for i in 0..8 {
            functions += usize::from(product[(i, i)] > 0.5);
            for j in 0..8 {
                let expected = if i == j && product[(i, i)] > 0.5 { 1.0 } else { 0.0 };
                assert!((product[(i, j)] - expected).abs() < 1e-10, "{i} {j}: {}", product[(i, j)]);
            }
        }
        assert!(functions >= 3, "{functions}");
        // The first one is the constant to the last digit.
        let spread = (0..41)
            .map(|i| (orthonormal[(i, 0)] * 41f64.sqrt()).abs() - 1.0)
            .fold(0.0, |m: f64, d| m.max(d.abs()));
        assert!(spread < 1e-14, "{spread:e}");
    }
}
