//! What steps in time are taken of.
use crate::Result;
use crate::fem::Parts;
use crate::physics::Context;
use crate::solver::nonlinear::{FormParts, NewtonSolver};
use petsc_rs::{Norm, Vector};

/// A system `d/dt storage(u) + residual(u) = 0` with prescribed values: of nodal values, or of the coefficients of a reduced
/// basis.
pub trait TimeSystem {
    /// Coefficients and prescribed values at a time and parameters. Collective.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) for coefficients that no material can have.
    fn set_time(&mut self, context: &Context) -> Result<()>;

    /// Sets the prescribed values of a state to those of the last [`TimeSystem::set_time`]. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    fn impose(&self, state: &mut Vector) -> Result<()>;

    /// Parts of the form at a state, nothing prescribed. Collective.
    ///
    /// # Errors
    /// When PETSc fails, or no parameters are set yet.
    fn evaluate(&self, parts: Parts, state: &Vector) -> Result<Vector>;

    /// The form at a state, and its parts one by one. Collective.
    ///
    /// # Errors
    /// As [`TimeSystem::evaluate`].
    fn evaluate_all(&self, parts: Parts, state: &Vector) -> Result<FormParts>;

    /// Takes the internal variables at the end of the step whose solution is `state`. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    fn commit(&self, state: &Vector) -> Result<()>;

    /// Sum of a complete residual over the rows of prescribed values: what these supply. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    fn supply(&self, residual: &Vector) -> Result<f64>;

    /// Euclidean norm of the nodal values of a state, or of a difference of states. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    fn norm(&self, state: &Vector) -> Result<f64>;
}

impl TimeSystem for NewtonSolver {
    fn set_time(&mut self, context: &Context) -> Result<()> {
        Self::set_time(self, context)
    }

    fn impose(&self, state: &mut Vector) -> Result<()> {
        Self::impose(self, state)
    }

    fn evaluate(&self, parts: Parts, state: &Vector) -> Result<Vector> {
        Self::evaluate(self, parts, state)
    }

    fn evaluate_all(&self, parts: Parts, state: &Vector) -> Result<FormParts> {
        Self::evaluate_all(self, parts, state)
    }

    fn commit(&self, state: &Vector) -> Result<()> {
        Self::commit(self, state)
    }

    fn supply(&self, residual: &Vector) -> Result<f64> {
        let (essential, values) = (self.essential(), residual.read()?);
        let fixed = values.iter().zip(&essential.fixed).filter(|(_, fixed)| **fixed);
        Ok(self.comm().sum(fixed.map(|(value, _)| value).sum::<f64>()))
    }

    fn norm(&self, state: &Vector) -> Result<f64> {
        Ok(state.norm(Norm::Two)?)
    }
}
