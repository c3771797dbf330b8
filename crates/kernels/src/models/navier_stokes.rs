//! `navier_stokes`: incompressible flow with Taylor-Hood elements.
//!
//! `rho (du/dt + u . grad u) - div(mu (grad u + grad u^T)) + grad p = f`, `div u = 0`; velocity of degree 2, pressure of
//! degree 1 (Taylor and Hood, Computers and Fluids 1 (1973)). The stress is the true one, so that a viscosity may vary
//! and a fluid that turns rigidly exerts no shear. On open boundaries, those without a condition or with a pressure P,
//! `mu grad u^T n` is given back: they are the usual "do nothing" outflow `mu du/dn = (p - P) n` (Heywood, Rannacher,
//! Turek, IJNMF 22 (1996)), which lets a fully developed flow pass. The components are the velocities and then the
//! pressure; the continuity equation is negated, which makes Stokes' problem symmetric.
use super::Forms;
use crate::form::{Density, Form, State};
use crate::lanes::{Lanes, dot, vector};
use crate::nonlinear::Nonlinear;
use crate::weak_form::{Point, Shape};

/// Volume form. Coefficients: density `rho` (kg/m3), viscosity `mu` (Pa s), body force `f` (`D` entries, N/m3).
pub struct NavierStokes;

/// Traction on a boundary. Coefficients: pressure against the outer normal (Pa), traction (`D` entries, Pa), and the
/// viscosity `mu` (Pa s) where the boundary is open, zero elsewhere.
pub struct Traction;

// One implementation for two and three dimensions: a constant of a type cannot be `D + 1`.
macro_rules! in_dimension {
    ($d:literal, $c:literal) => {
        impl Form<$d, $c> for NavierStokes {
            const COEFFICIENTS: usize = $d + 2;
            const DEGREES: [bool; 2] = [false, true];
            const LINEAR: [bool; $c] = {
                let mut linear = [false; $c];
                linear[$d] = true;
                linear
            };
            // The pressure is under a divergence; continuity is a source.
            const SOURCES: [[bool; $c]; $c] = {
                let mut sources = [[true; $c]; $c];
                let mut i = 0;
                while i < $c {
                    sources[i][$d] = false;
                    i += 1;
                }
                sources
            };
            const FLUXES: [[bool; $c]; $c] = {
                let mut fluxes = [[false; $c]; $c];
                let mut i = 0;
                while i < $d {
                    let mut j = 0;
                    while j < $c {
                        fluxes[i][j] = true;
                        j += 1;
                    }
                    i += 1;
                }
                fluxes
            };

            #[inline(always)]
            fn storage(&self, point: &Point<$d>, state: &State<$d, $c>) -> Density<$d, $c> {
                let mut density = Density::ZERO;
                for i in 0..$d {
                    density.source[i] = point.coefficients[0] * state.value[i];
                }
                density
            }

            #[inline(always)]
            fn storage_slope(
                &self,
                point: &Point<$d>,
                _: &State<$d, $c>,
                trial: &Shape<$d>,
                j: usize,
            ) -> Density<$d, $c> {
                let mut density = Density::ZERO;
                if j < $d {
                    density.source[j] = point.coefficients[0] * trial.value;
                }
                density
            }

            #[inline(always)]
            fn residual(&self, point: &Point<$d>, state: &State<$d, $c>) -> Density<$d, $c> {
                let k = point.coefficients;
                let u: [Lanes; $d] = vector(|i| state.value[i]);
                let mut density = Density::ZERO;
                for i in 0..$d {
                    density.source[i] = k[0] * dot(&u, &state.gradient[i]) - k[2 + i];
                    density.flux[i] = vector(|d| k[1] * (state.gradient[i][d] + state.gradient[d][i]));
                    density.flux[i][i] += -state.value[$d];
                    density.source[$d] += -state.gradient[i][i];
                }
                density
            }

            #[inline(always)]
            fn slope(
                &self,
                point: &Point<$d>,
                state: &State<$d, $c>,
                trial: &Shape<$d>,
                j: usize,
            ) -> Density<$d, $c> {
                let k = point.coefficients;
                let mut density = Density::ZERO;
                if j == $d {
                    for i in 0..$d {
                        density.flux[i][i] = -trial.value;
                    }
                    return density;
                }
                let u: [Lanes; $d] = vector(|i| state.value[i]);
                for i in 0..$d {
                    density.source[i] = k[0] * state.gradient[i][j] * trial.value;
                }
                density.source[j] += k[0] * dot(&u, &trial.gradient);
                let friction: [Lanes; $d] = vector(|d| k[1] * trial.gradient[d]);
                density.flux[j] = friction;
                for i in 0..$d {
                    density.flux[i][j] += friction[i];
                }
                density.source[$d] = -trial.gradient[j];
                density
            }
        }

        impl Form<$d, $c> for Traction {
            const COEFFICIENTS: usize = $d + 2;
            const SURFACE: bool = true;
            const DEGREES: [bool; 2] = [false, true];

            #[inline(always)]
            fn residual(&self, point: &Point<$d>, state: &State<$d, $c>) -> Density<$d, $c> {
                let k = point.coefficients;
                let mut density = Density::ZERO;
                for i in 0..$d {
                    let turned: [Lanes; $d] = vector(|d| state.gradient[d][i]);
                    let open = k[1 + $d] * dot(&turned, &point.normal);
                    density.source[i] = k[0] * point.normal[i] - k[1 + i] - open;
                }
                density
            }

            #[inline(always)]
            fn slope(
                &self,
                point: &Point<$d>,
                _: &State<$d, $c>,
                trial: &Shape<$d>,
                j: usize,
            ) -> Density<$d, $c> {
                let mut density = Density::ZERO;
                if j < $d {
                    let along = point.coefficients[1 + $d] * point.normal[j];
                    for i in 0..$d {
                        density.source[i] = -(along * trial.gradient[i]);
                    }
                }
                density
            }
        }
    };
}

in_dimension!(2, 3);
in_dimension!(3, 4);

/// Kernels by dimension.
pub static FORMS: Forms = Forms::NONE
    .form(&Nonlinear::<2, 3, _>(NavierStokes), &Nonlinear(Traction))
    .form(&Nonlinear::<3, 4, _>(NavierStokes), &Nonlinear(Traction));
