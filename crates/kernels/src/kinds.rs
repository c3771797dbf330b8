//! The two kinds of forms as kernels.

/// The kernels of a [`WeakForm`](super::weak_form::WeakForm) in `D` dimensions with `C` unknowns at a node: assembly of its matrix and load in all
/// elements.
pub struct Linear<const D: usize, const C: usize, F>(pub F);

/// The kernels of a [`Form`](super::form::Form) in `D` dimensions with `C` unknowns at a node, four at most: assembly of its residual and
/// tangent in all elements.
pub struct Nonlinear<const D: usize, const C: usize, F>(pub F);
