//! The functions of level `coupled`, orthonormal within each expert: modes of a whole field may all but depend on one another
//! on the part of an expert, and the small systems of such functions have no digits.
use super::constraint::Constraint;
use super::equations::Equations;
use crate::mixture::whiten;
use crate::{Error, Result};
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
            let mut block = faer::Mat::<f64>::zeros(n, n);
            for i in 0..n {
                let entries = gram.row(start + i)?.into_iter().filter(|e| (start..start + n).contains(&e.0));
                entries.for_each(|(j, value)| block[(i, j - start)] = value);
            }
            let (change, due) = whiten(block.as_ref());
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
        let space = &self.basis.fields;
        let fixed = &equations.essential.fixed[..space.owned_dofs()];
        for (number, column) in self.basis.columns.iter().enumerate() {
            let largest = column
                .iter()
                .zip(fixed)
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
