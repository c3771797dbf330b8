//! `porous_medium`: `du/dt = div(k(u) grad u) + f` with a conductivity that vanishes with u, `k = u^m`, or
//! jumps, `k = k_max` from `u*` on and `k_min` below it (Stefan's problem in one phase and two).
//!
//! The flux is the gradient of `Phi(u) = int_0^u k` (Kirchhoff's transformation), interpolated at the nodes,
//! and the storage is lumped: on cells without obtuse angles the scheme is then monotone with implicit
//! Euler, so that u keeps its sign (Eymard, Gallouet, Herbin, Handbook of Numerical Analysis VII (2000)).
use super::Forms;
use super::transient_diffusion::ScalarSurface;
use crate::form::{Density, Form, State};
use crate::lanes::Lanes;
use crate::nonlinear::Nonlinear;
use crate::weak_form::{Point, Shape};

/// Power law. Coefficients: exponent `m` (uniform), source `f`.
pub struct PowerLaw;

/// Stefan's problem. Coefficients: `k_min`, `k_max`, threshold `u*` (all uniform), source `f`.
pub struct Stefan;

macro_rules! degenerate {
    ($form:ident, $coefficients:literal, $potential:item) => {
        impl<const D: usize> Form<D, 1> for $form {
            const COEFFICIENTS: usize = $coefficients;
            const LINEAR_IN_COEFFICIENTS: bool = false;
            const POTENTIAL: bool = true;
            const DEGREES: [bool; 2] = [true, false];

            #[inline(always)]
            $potential

            #[inline(always)]
            fn storage(&self, _: &Point<D>, state: &State<D, 1>) -> Density<D, 1> {
                Density { source: state.value, ..Density::ZERO }
            }

            #[inline(always)]
            fn storage_slope(
                &self,
                _: &Point<D>,
                _: &State<D, 1>,
                trial: &Shape<D>,
                _j: usize,
            ) -> Density<D, 1> {
                Density { source: [trial.value], ..Density::ZERO }
            }

            #[inline(always)]
            fn residual(&self, point: &Point<D>, state: &State<D, 1>) -> Density<D, 1> {
                Density { source: [-point.coefficients[$coefficients - 1]], flux: state.gradient }
            }

            #[inline(always)]
            fn slope(&self, _: &Point<D>, _: &State<D, 1>, trial: &Shape<D>, _j: usize) -> Density<D, 1> {
                Density { flux: [trial.gradient], ..Density::ZERO }
            }
        }
    };
}

degenerate!(
    PowerLaw,
    2,
    fn potential(&self, point: &Point<D>, u: Lanes) -> (Lanes, Lanes) {
        let m = point.coefficients[0].0[0];
        let slope = u.apply(|u| u.abs().powf(m));
        (u * slope * (1.0 / (m + 1.0)), slope)
    }
);

degenerate!(
    Stefan,
    4,
    fn potential(&self, point: &Point<D>, u: Lanes) -> (Lanes, Lanes) {
        let k = point.coefficients;
        let (low, high, threshold) = (k[0].0[0], k[1].0[0], k[2].0[0]);
        let slope = u.apply(|u| if u >= threshold { high } else { low });
        (u.apply(|u| low * u.min(threshold) + high * (u - threshold).max(0.0)), slope)
    }
);

/// Kernels of the power law.
pub static POWER_LAW: Forms = Forms::NONE
    .form(&Nonlinear::<1, 1, _>(PowerLaw), &Nonlinear(ScalarSurface::<false>))
    .form(&Nonlinear::<2, 1, _>(PowerLaw), &Nonlinear(ScalarSurface::<false>))
    .form(&Nonlinear::<3, 1, _>(PowerLaw), &Nonlinear(ScalarSurface::<false>));

/// Kernels of Stefan's problem.
pub static STEFAN: Forms = Forms::NONE
    .form(&Nonlinear::<1, 1, _>(Stefan), &Nonlinear(ScalarSurface::<false>))
    .form(&Nonlinear::<2, 1, _>(Stefan), &Nonlinear(ScalarSurface::<false>))
    .form(&Nonlinear::<3, 1, _>(Stefan), &Nonlinear(ScalarSurface::<false>));
