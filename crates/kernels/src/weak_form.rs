//! What a model says at a quadrature point, eight cells at a time.
use super::Values;
use super::lanes::Lanes;

/// A basis function at a quadrature point.
#[derive(Clone, Copy)]
pub struct Shape<const D: usize> {
    /// Value.
    pub value: Lanes,
    /// Gradient in physical coordinates, 1/m.
    pub gradient: [Lanes; D],
}

/// A quadrature point.
pub struct Point<'a, const D: usize> {
    /// The form's coefficients, in its own order.
    pub coefficients: &'a [Lanes],
    /// Position in metres (only where [`WeakForm::AXISYMMETRIC`] asks for it).
    pub position: [Lanes; D],
    /// Outward unit normal (on facets only).
    pub normal: [Lanes; D],
    /// Gradients of the reference coordinates, `[reference coordinate][coordinate]`, 1/m: the cell's size.
    pub inverse: &'a [[Lanes; D]; D],
    /// Internal variables at the last time step, in the form's order.
    pub history: &'a [Lanes],
    /// What [`Form::prepare`](super::form::Form::prepare) computed here.
    pub local: &'a [Lanes],
    /// Factor of the storage, which is 1 over the step for implicit Euler; 0 for steady problems.
    pub rate: f64,
}

/// A bilinear and a linear form in `D` dimensions for `C` unknowns at a node, written per pair of
/// basis functions.
///
/// Both must be linear in the test function. They must also be linear in the coefficients taken
/// together: that is what lets a reduced model split them into parameter-dependent factors times
/// fixed matrices.
pub trait WeakForm<const D: usize, const C: usize>: Sync {
    /// Number of coefficients at a point.
    const COEFFICIENTS: usize;
    /// Whether `tangent(test, trial)` is the transpose of `tangent(trial, test)`.
    const SYMMETRIC: bool = true;
    /// Whether the first coordinate is the radius of a body of revolution: integrals then go around the axis, with the
    /// measure `2 pi r`, and [`Point::position`] is known.
    const AXISYMMETRIC: bool = false;
    /// Whether this is a form on facets: of so little work that one kernel serves all elements.
    const SURFACE: bool = false;

    /// Whether the bilinear form of these coefficients is the same at all points of a cell on which gradients are
    /// constant; one point then stands for all.
    fn is_constant(_coefficients: &[Values]) -> bool {
        false
    }

    /// The bilinear form for `test e_i` and `trial e_j`, at `[i][j]`.
    fn tangent(&self, point: &Point<D>, test: &Shape<D>, trial: &Shape<D>) -> [[Lanes; C]; C];

    /// The linear form for `test e_i`, at `[i]`.
    fn load(&self, point: &Point<D>, test: &Shape<D>) -> [Lanes; C];
}
