//! What a model's forms are to whoever assembles them: not generic, so that their code is generated in this crate.
use super::job::{Job, Part};

/// The kernels of one form in some dimension, for every element. Residuals are those of
/// `d/dt storage(u) + residual(u) = 0`; of a linear form `residual(u) = K u - f`.
pub trait Kernel: Sync {
    /// Unknowns at a node.
    fn components(&self) -> usize;

    /// Coefficients at a point.
    fn coefficients(&self) -> usize;

    /// Whether it is linear, with blocks of its own for pairs of functions: it then needs no state, which without one is
    /// that of the prescribed values.
    fn is_linear(&self) -> bool {
        false
    }

    /// Whether residual and storage are linear in the coefficients taken together, so that their derivatives with respect
    /// to a parameter are those of the coefficients put in place of these.
    fn is_linear_in_coefficients(&self) -> bool;

    /// Internal variables at a quadrature point, see [`Form::HISTORY`](super::form::Form::HISTORY).
    fn history(&self) -> usize {
        0
    }

    /// Adds `parts.storage * storage + parts.residual * residual` at the job's state to the load, and the derivative to
    /// the matrix without rows and columns of prescribed unknowns.
    ///
    /// # Panics
    /// When a nonlinear form has no state, or the job's arrays do not fit together.
    fn add(&self, job: &Job, part: Part);

    /// What [`Kernel::add`] does on a machine without the vector instructions that it is compiled for: the same to
    /// rounding.
    ///
    /// # Panics
    /// As [`Kernel::add`].
    fn add_portably(&self, job: &Job, part: Part);

    /// The internal variables of the job's entities at the end of the step, `next[entity, point, variable]`, as
    /// [`Form::update`](super::form::Form::update) gives them at the job's state. Forms without any do nothing.
    ///
    /// # Panics
    /// As [`Kernel::add`].
    fn update(&self, _job: &Job, _next: &mut [f64]) {}
}
