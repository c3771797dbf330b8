//! Linear forms with constant coefficients as matrices: in time they are evaluated several times a step.
use crate::Result;
use crate::fem::{Essential, Parts};
use crate::physics::{FormState, Prepared};
use petsc_rs::{Matrix, Vector};
use std::cell::RefCell;

/// `storage(u) = S u` and `residual(u) = K u - f`, no conditions applied.
pub(super) struct LinearForm {
    storage: Matrix,
    rest: Matrix,
    load: Vector,
    /// `parts.storage * S + parts.residual * K`.
    sum: RefCell<Option<(Parts, Matrix)>>,
}

impl LinearForm {
    /// The form of a prepared problem with the history of `at`; its state and parts do not matter. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn new(prepared: &Prepared, at: FormState) -> Result<Self> {
        let problem = prepared.problem();
        let space = &problem.space;
        let (free, state) = (Essential::new(space, []), vec![0.0; at.state.len()]);
        let at = FormState { state: &state, ..at };
        let [mut storage, mut rest] = [problem.new_matrix()?, problem.new_matrix()?];
        prepared.tangent(FormState { parts: Parts::STORAGE, ..at }, &free, &mut storage)?;
        prepared.tangent(FormState { parts: Parts::REST, ..at }, &free, &mut rest)?;
        let mut load = space.field()?;
        prepared.residual(FormState { parts: Parts::REST, ..at }, &mut load)?;
        load.scale(-1.0)?;
        Ok(Self { storage, rest, load, sum: RefCell::default() })
    }

    /// `parts.storage * S u + parts.residual * (K u - f)`. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn evaluate(&self, parts: Parts, u: &Vector, result: &mut Vector) -> Result<()> {
        match parts {
            Parts::STORAGE => self.storage.mult(u, result)?,
            Parts::REST => self.rest.mult(u, result)?,
            _ => {
                let mut sum = self.sum.borrow_mut();
                if sum.as_ref().is_none_or(|(last, _)| *last != parts) {
                    let mut matrix = match sum.take() {
                        Some((_, matrix)) => matrix,
                        None => self.rest.duplicate(false)?,
                    };
                    matrix.copy_from(&self.rest)?;
                    matrix.scale(parts.residual)?;
                    matrix.axpy(parts.storage, &self.storage, true)?;
                    *sum = Some((parts, matrix));
                }
                if let Some((_, matrix)) = &*sum {
                    matrix.mult(u, result)?;
                }
            }
        }
        Ok(result.axpy(-parts.residual, &self.load)?)
    }
}
