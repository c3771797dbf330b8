//! `burgers`: `du/dt + u . grad u - div(nu grad u) = f` for a velocity u with one component a dimension.
use crate::fem::form::{Density, Form, State};
use crate::fem::lanes::dot;
use crate::fem::weak_form::{Point, Shape};

/// Coefficients: viscosity `nu` (m2/s), source `f` (`D` entries).
pub struct Burgers;

impl<const D: usize> Form<D, D> for Burgers {
    const COEFFICIENTS: usize = D + 1;

    #[inline(always)]
    fn storage(&self, _: &Point<D>, state: &State<D, D>) -> Density<D, D> {
        Density { source: state.value, ..Density::ZERO }
    }

    #[inline(always)]
    fn storage_slope(&self, _: &Point<D>, _: &State<D, D>, trial: &Shape<D>, j: usize) -> Density<D, D> {
        let mut density = Density::ZERO;
        density.source[j] = trial.value;
        density
    }

    #[inline(always)]
    fn residual(&self, point: &Point<D>, state: &State<D, D>) -> Density<D, D> {
        let k = point.coefficients;
        Density {
            source: std::array::from_fn(|i| dot(&state.value, &state.gradient[i]) - k[1 + i]),
            flux: std::array::from_fn(|i| state.gradient[i].map(|g| k[0] * g)),
        }
    }

    #[inline(always)]
    fn slope(&self, point: &Point<D>, state: &State<D, D>, trial: &Shape<D>, j: usize) -> Density<D, D> {
        let mut density = Density::ZERO;
        for i in 0..D {
            density.source[i] = state.gradient[i][j] * trial.value;
        }
        density.source[j] += dot(&state.value, &trial.gradient);
        density.flux[j] = trial.gradient.map(|g| point.coefficients[0] * g);
        density
    }
}

/// Natural conditions: inward flux of momentum (`D` entries). For one dimension see
/// [`ScalarSurface`](super::transient_diffusion::ScalarSurface).
pub struct Natural;

impl<const D: usize> Form<D, D> for Natural {
    const COEFFICIENTS: usize = D;

    #[inline(always)]
    fn residual(&self, point: &Point<D>, _: &State<D, D>) -> Density<D, D> {
        Density { source: std::array::from_fn(|i| -point.coefficients[i]), ..Density::ZERO }
    }

    #[inline(always)]
    fn slope(&self, _: &Point<D>, _: &State<D, D>, _: &Shape<D>, _j: usize) -> Density<D, D> {
        Density::ZERO
    }
}
