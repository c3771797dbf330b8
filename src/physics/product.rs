//! Products with a tangent, without a matrix.
use super::operator::{FormState, Prepared};
use crate::Result;
use crate::fem::Restriction;
use crate::fem::sink::{add_product, add_transposed_product};
use petsc_rs::Vector;

/// A tangent or its transpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `J`.
    Plain,
    /// `J^T`.
    Transposed,
}

impl Prepared {
    /// The product of the tangent or of its transpose with a vector whose ghosts are up to date, nothing eliminated, without
    /// a matrix; its ghosts are not up to date. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn product(&self, at: FormState, side: Side, x: &Vector) -> Result<Vector> {
        let mut result = self.problem().space.field()?;
        {
            let x = x.local_read()?;
            let mut values = result.local_write()?;
            // By owned cells, so that each is there once; ghosts' rows go to their owners.
            self.visit(at, Restriction::All, None, true, |integral| match side {
                Side::Plain => add_product(integral, &x, &mut values),
                Side::Transposed => add_transposed_product(integral, &x, &mut values),
            });
        }
        result.ghost_accumulate()?;
        Ok(result)
    }
}
