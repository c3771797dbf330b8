//! Equations of Newton's solver that somebody else solves, or begins to solve.
use super::newton::NewtonSolver;
use crate::Result;
use crate::fem::{Integral, Parts, Restriction};
use crate::physics::Context;
use petsc_rs::Vector;

impl NewtonSolver {
    /// Takes the equation of [`NewtonSolver::solve`] that somebody else solves: what is evaluated and committed afterwards
    /// belongs to it. Collective.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) for coefficients that no material can have.
    pub fn set_equation(&mut self, context: &Context, parts: Parts, offset: Option<Vector>) -> Result<()> {
        self.set_time(context)?;
        let inner = &mut *self.system.inner.borrow_mut();
        (inner.parts, inner.offset) = (parts, offset);
        Ok(())
    }

    /// The residual of that equation at a state, zero at essential unknowns. Collective.
    ///
    /// # Errors
    /// When PETSc fails, or there is no equation yet.
    pub fn residual(&self, state: &Vector) -> Result<Vector> {
        let mut residual = state.duplicate()?;
        self.system.residual(state, true, &mut residual)?;
        Ok(residual)
    }

    /// Calls `visit` with every integral of that equation at a state, whose ghosts are up to date, over the cells that this
    /// rank owns; its offset is left out, and essential unknowns are not treated. Local.
    ///
    /// # Errors
    /// As [`NewtonSolver::residual`].
    pub fn visit(&self, state: &Vector, visit: impl FnMut(&Integral)) -> Result<()> {
        let inner = self.system.inner.borrow();
        let state = state.local_read()?;
        inner.prepared()?.visit(inner.at(&state), Restriction::All, None, true, visit);
        Ok(())
    }

    /// Compares later residuals with that of a first guess of the equation, as if it had been solved from there. Collective.
    ///
    /// # Errors
    /// As [`NewtonSolver::residual`].
    pub fn compare_with(&mut self, guess: &Vector) -> Result<()> {
        let norm = self.residual(guess)?.norm(petsc_rs::Norm::Two)?;
        let storage = self.system.inner.borrow().parts.storage;
        let scale = if storage > 0.0 { storage } else { 1.0 };
        // Not a number is no measure.
        self.reference = self.reference.max(norm / scale);
        Ok(())
    }
}
