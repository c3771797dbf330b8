//! What a nonlinear or time-dependent model says at a quadrature point, eight cells at a time.
use super::lanes::Lanes;
use super::weak_form::{Point, Shape};

/// The state at a quadrature point.
#[derive(Clone, Copy)]
pub struct State<const D: usize, const C: usize> {
    /// Values of the components.
    pub value: [Lanes; C],
    /// Their gradients, `[component][coordinate]`, 1/m.
    pub gradient: [[Lanes; D]; C],
}

/// What is integrated against a test function v: `sum_i source[i] v_i + flux[i] . grad v_i`.
#[derive(Clone, Copy)]
pub struct Density<const D: usize, const C: usize> {
    /// Factor of the test function.
    pub source: [Lanes; C],
    /// Factor of its gradient.
    pub flux: [[Lanes; D]; C],
}

impl<const D: usize, const C: usize> Density<D, C> {
    /// Nothing.
    pub const ZERO: Self = Self { source: [Lanes::ZERO; C], flux: [[Lanes::ZERO; D]; C] };

    /// Adds a multiple of another one.
    #[inline(always)]
    pub(super) fn add(&mut self, factor: f64, other: &Self) {
        for i in 0..C {
            self.source[i] += other.source[i] * factor;
            for d in 0..D {
                self.flux[i][d] += other.flux[i][d] * factor;
            }
        }
    }
}

/// The semilinear form of `d/dt storage(u) + residual(u) = 0` in `D` dimensions for `C` components, with
/// its exact linearisation. Time schemes act on the storage as a whole, so that what it integrates to is
/// conserved whatever the nonlinearity.
pub trait Form<const D: usize, const C: usize>: Sync {
    /// Number of coefficients at a point.
    const COEFFICIENTS: usize;
    /// Whether storage and residual are linear in the coefficients taken together.
    const LINEAR_IN_COEFFICIENTS: bool = true;
    /// Components that are interpolated with degree 1 on the vertices of cells of degree 2 (the pressure
    /// of the Taylor-Hood element).
    const LINEAR: [bool; C] = [false; C];
    /// Whether source `i` of a slope in direction `j` may be other than zero, `[i][j]`; the kernel leaves out
    /// the others.
    const SOURCES: [[bool; C]; C] = [[true; C]; C];
    /// The same for fluxes.
    const FLUXES: [[bool; C]; C] = [[true; C]; C];
    /// Whether the first coordinate is the radius of a body of revolution: integrals then go around the axis, with the
    /// measure `2 pi r`, and [`Point::position`] is known.
    const AXISYMMETRIC: bool = false;
    /// Whether this is a form on facets: of so little work that one kernel serves all elements.
    const SURFACE: bool = false;
    /// Whether it reads [`Point::inverse`], as stabilisation does.
    const CELL_SIZE: bool = false;
    /// Whether gradients are those of the interpolated [`Form::potential`] instead of the field's own.
    const POTENTIAL: bool = false;

    /// Degrees of the elements that the model allows; no others are compiled.
    const DEGREES: [bool; 2] = [true, true];
    /// Internal variables at a quadrature point.
    const HISTORY: usize = 0;
    /// Numbers that [`Form::prepare`] keeps at a quadrature point.
    const LOCAL: usize = 0;

    /// Computes once at a point what residual and slope read from [`Point::local`]: the integration of
    /// internal variables over the step.
    #[inline(always)]
    fn prepare(&self, _point: &Point<D>, _state: &State<D, C>, _local: &mut [Lanes]) {}

    /// The internal variables at the end of the step; `point.local` is prepared.
    #[inline(always)]
    fn update(&self, _point: &Point<D>, _state: &State<D, C>, _next: &mut [Lanes]) {}

    /// A function of a nodal value and its derivative, for fluxes that are the gradient of such a function
    /// (Kirchhoff's transformation): interpolated at the nodes it keeps a scheme monotone.
    #[inline(always)]
    fn potential(&self, _point: &Point<D>, value: Lanes) -> (Lanes, Lanes) {
        (value, Lanes::splat(1.0))
    }

    /// What the time derivative acts on.
    #[inline(always)]
    fn storage(&self, _point: &Point<D>, _state: &State<D, C>) -> Density<D, C> {
        Density::ZERO
    }

    /// Derivative of the storage in the direction `trial e_j`.
    #[inline(always)]
    fn storage_slope(
        &self,
        _point: &Point<D>,
        _state: &State<D, C>,
        _trial: &Shape<D>,
        _j: usize,
    ) -> Density<D, C> {
        Density::ZERO
    }

    /// Everything else.
    fn residual(&self, point: &Point<D>, state: &State<D, C>) -> Density<D, C>;

    /// Derivative of the residual in the direction `trial e_j`.
    fn slope(&self, point: &Point<D>, state: &State<D, C>, trial: &Shape<D>, j: usize) -> Density<D, C>;
}
