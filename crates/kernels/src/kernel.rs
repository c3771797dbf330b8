//! What a model's forms are to whoever assembles them: not generic, so that their code is generated in this crate.
use super::job::{Job, Part};
use super::points::{Densities, Needs, Points};

/// The kernels of one form in some dimension, for every element. Residuals are those of
/// `d/dt storage(u) + residual(u) = 0`; of a linear form `residual(u) = K u - f`.
pub trait Kernel: Sync {
    /// Coordinates of a point.
    fn dimension(&self) -> usize;

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

    /// What it reads at points that belong to no mesh.
    fn needs(&self) -> Needs;

    /// Density, derivative and internal variables at points that belong to no mesh; nothing is allocated for a point.
    ///
    /// # Panics
    /// When the lists do not fit together, or one that the form needs is empty.
    fn evaluate(&self, points: &Points, into: Densities);

    /// Potentials and their slopes at nodal values, in any order, see [`Form::potential`](super::form::Form::potential);
    /// `coefficients` are those of one point, the potential's being uniform. A form without has the values themselves.
    ///
    /// With [`Needs::potential`] the gradient of the state at a point is `sum_a potential(u_a) grad N_a`, and that of its
    /// derivative by `u_a` is `slope(u_a) grad N_a`.
    ///
    /// # Panics
    /// When the lists do not fit together.
    fn potential(&self, coefficients: &[f64], values: &[f64], potentials: &mut [f64], slopes: &mut [f64]);
}
