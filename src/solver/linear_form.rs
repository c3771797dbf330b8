//! Linear forms with constant coefficients as matrices: in time they are evaluated several times a step.
use crate::Result;
use crate::fem::{Essential, Parts};
use crate::physics::{FormState, Problem};
use petsc_rs::{Matrix, Vector};
use std::cell::RefCell;

/// `storage(u) = S u` and `residual(u) = K u - f`, no conditions applied.
pub(super) struct LinearForm {
    storage: Matrix,
    rest: Matrix,
    load: Vector,
    work: RefCell<Vector>,
}

impl LinearForm {
    /// The form with the coefficients of `at`; its state and parts do not matter. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn new(problem: &Problem, at: FormState) -> Result<Self> {
        let space = &problem.space;
        let (free, state) = (Essential::new(space, []), vec![0.0; at.state.len()]);
        let at = FormState { state: &state, ..at };
        let [mut storage, mut rest] = [problem.new_matrix()?, problem.new_matrix()?];
        problem.tangent(FormState { parts: Parts::STORAGE, ..at }, &free, &mut storage)?;
        problem.tangent(FormState { parts: Parts::REST, ..at }, &free, &mut rest)?;
        let mut load = space.field()?;
        problem.form(FormState { parts: Parts::REST, ..at }, &mut load)?;
        load.scale(-1.0)?;
        Ok(Self { storage, rest, load, work: RefCell::new(space.field()?) })
    }

    /// `parts.storage * S u + parts.residual * (K u - f)`. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn evaluate(&self, parts: Parts, u: &Vector, result: &mut Vector) -> Result<()> {
        result.set(0.0)?;
        let work = &mut *self.work.borrow_mut();
        if parts.storage != 0.0 {
            self.storage.mult(u, work)?;
            result.axpy(parts.storage, work)?;
        }
        if parts.residual != 0.0 {
            self.rest.mult(u, work)?;
            work.axpy(-1.0, &self.load)?;
            result.axpy(parts.residual, work)?;
        }
        Ok(())
    }
}
