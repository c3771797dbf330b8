//! What models of one scalar share: their conditions on the boundary.
use crate::form::{Density, Form, State};
use crate::model::{Coefficient, Conormal, Local, Outside, Role, Sign};
use crate::weak_form::{Point, Shape};

/// Keys of the conditions.
pub const CONDITIONS: &[&str] = &["value", "flux", "coefficient"];
/// What a boundary without one is.
pub const CLOSED: &str = "Boundary conditions; a facet without one has no flux.";

/// Coefficients of [`ScalarSurface`].
pub fn surface() -> Vec<Coefficient> {
    vec![
        Coefficient::new("flux", Sign::Any, Role::Load),
        Coefficient::new("coefficient", Sign::NotNegative, Role::Holds),
        Coefficient::of("ambient", "coefficient*ambient", Sign::Any, Role::Load),
    ]
}

/// What flows through a surface where the first coefficient is the conductivity.
pub fn conormal(at: &Local, n: &[f64; 3], result: &mut [f64]) {
    result[0] = (at.k)(0) * at.along(0, n);
}

/// Robin's condition at an artificial boundary for a `conormal`: behind it a wave of the number `p` falls off like
/// `exp(-p x)`, so that `n . K grad u + p (n . K n) u = 0`.
pub fn robin(conormal: Conormal, at: &Local, n: &[f64; 3], outside: &Outside, result: &mut [f64]) {
    conormal(&Local { gradient: &[*n], ..*at }, n, result);
    result[0] *= outside.wave;
}

/// Natural and Robin conditions of scalar models. Coefficients: inward flux `q`, transfer coefficient `h`
/// and the product `h u_ambient`.
pub struct ScalarSurface<const AXISYMMETRIC: bool>;

impl<const D: usize, const AXISYMMETRIC: bool> Form<D, 1> for ScalarSurface<AXISYMMETRIC> {
    const COEFFICIENTS: usize = 3;
    const SURFACE: bool = true;
    const AXISYMMETRIC: bool = AXISYMMETRIC;

    #[inline(always)]
    fn residual(&self, point: &Point<D>, state: &State<D, 1>) -> Density<D, 1> {
        let k = point.coefficients;
        Density { source: [k[1] * state.value[0] - k[0] - k[2]], ..Density::ZERO }
    }

    #[inline(always)]
    fn slope(&self, point: &Point<D>, _: &State<D, 1>, trial: &Shape<D>, _j: usize) -> Density<D, 1> {
        Density { source: [point.coefficients[1] * trial.value], ..Density::ZERO }
    }
}

/// Constant of Stefan and Boltzmann, W/(m2 K4) (CODATA 2018).
pub const STEFAN_BOLTZMANN: f64 = 5.670374419e-8;

/// Coefficients of [`Radiating`].
pub fn radiating() -> Vec<Coefficient> {
    let mut list = surface();
    list.push(Coefficient::of(
        "emissivity",
        format!("{STEFAN_BOLTZMANN:e}*emissivity"),
        Sign::NotNegative,
        Role::Holds,
    ));
    list.push(Coefficient::of(
        "ambient",
        format!("{STEFAN_BOLTZMANN:e}*emissivity*ambient^4"),
        Sign::NotNegative,
        Role::Load,
    ));
    list
}

/// The same with radiation to surroundings, `emissivity sigma (ambient^4 - u^4)` into the domain for an absolute
/// temperature u. Further coefficients: the factor of `u^4`, and what comes from the surroundings.
pub struct Radiating<const AXISYMMETRIC: bool>;

impl<const D: usize, const AXISYMMETRIC: bool> Form<D, 1> for Radiating<AXISYMMETRIC> {
    const COEFFICIENTS: usize = 5;
    const SURFACE: bool = true;
    const AXISYMMETRIC: bool = AXISYMMETRIC;

    #[inline(always)]
    fn residual(&self, point: &Point<D>, state: &State<D, 1>) -> Density<D, 1> {
        let (k, u) = (point.coefficients, state.value[0]);
        // Odd in u, so that a step of Newton's method below zero is led back.
        let power = u * u * u * u.apply(f64::abs);
        Density { source: [k[1] * u - k[0] - k[2] + k[3] * power - k[4]], ..Density::ZERO }
    }

    #[inline(always)]
    fn slope(&self, point: &Point<D>, state: &State<D, 1>, trial: &Shape<D>, _j: usize) -> Density<D, 1> {
        let (k, u) = (point.coefficients, state.value[0]);
        let power = u * u * u.apply(f64::abs) * 4.0;
        Density { source: [(k[1] + k[3] * power) * trial.value], ..Density::ZERO }
    }
}
