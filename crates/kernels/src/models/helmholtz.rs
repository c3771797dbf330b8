//! `helmholtz`: time-harmonic waves, `-lap u - k^2 u = f` for a complex amplitude u.
//!
//! The components are real and imaginary part. On an absorbing boundary `du/dn - i k u = g`, which lets
//! plane waves of normal incidence out (time factor `exp(-i omega t)`) and sends in those that g drives.
//!
//! The imaginary part's equation is taken with the opposite sign. So the matrix is symmetric, as the complex one is, and
//! a factorisation takes two thirds of the time and half of the memory.
use super::Forms;
use crate::form::{Density, Form, State};
use crate::lanes::vector;
use crate::nonlinear::Nonlinear;
use crate::weak_form::{Point, Shape};

/// Volume form. Coefficients: wave number `k` (1/m), source (real and imaginary part).
pub struct Helmholtz;

/// Boundary form. Coefficients: wave number of the absorbing condition (1/m; 0 for none), incoming `g` or
/// normal derivative (real and imaginary part).
pub struct Absorbing;

impl<const D: usize> Form<D, 2> for Helmholtz {
    const COEFFICIENTS: usize = 3;
    const LINEAR_IN_COEFFICIENTS: bool = false;

    #[inline(always)]
    fn residual(&self, point: &Point<D>, state: &State<D, 2>) -> Density<D, 2> {
        let k = point.coefficients;
        let square = k[0] * k[0];
        let [re, im] = state.value;
        let [flux, rest] = state.gradient;
        Density { source: [-(square * re) - k[1], square * im + k[2]], flux: [flux, vector(|i| -rest[i])] }
    }

    #[inline(always)]
    fn slope(&self, point: &Point<D>, _: &State<D, 2>, trial: &Shape<D>, j: usize) -> Density<D, 2> {
        let k = point.coefficients[0];
        let mut density = Density::ZERO;
        let (source, flux) = (k * k * trial.value, trial.gradient);
        (density.source[j], density.flux[j]) =
            if j == 0 { (-source, flux) } else { (source, vector(|i| -flux[i])) };
        density
    }
}

impl<const D: usize> Form<D, 2> for Absorbing {
    const COEFFICIENTS: usize = 3;
    const SURFACE: bool = true;

    #[inline(always)]
    fn residual(&self, point: &Point<D>, state: &State<D, 2>) -> Density<D, 2> {
        let k = point.coefficients;
        Density { source: [k[0] * state.value[1] - k[1], k[0] * state.value[0] + k[2]], ..Density::ZERO }
    }

    #[inline(always)]
    fn slope(&self, point: &Point<D>, _: &State<D, 2>, trial: &Shape<D>, j: usize) -> Density<D, 2> {
        let k = point.coefficients[0];
        let mut density = Density::ZERO;
        density.source[1 - j] = k * trial.value;
        density
    }
}

/// Kernels by dimension.
pub static FORMS: Forms = Forms::NONE
    .form(&Nonlinear::<1, 2, _>(Helmholtz), &Nonlinear(Absorbing))
    .form(&Nonlinear::<2, 2, _>(Helmholtz), &Nonlinear(Absorbing))
    .form(&Nonlinear::<3, 2, _>(Helmholtz), &Nonlinear(Absorbing));
