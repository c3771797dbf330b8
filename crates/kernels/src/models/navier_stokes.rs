//! `navier_stokes`: incompressible flow with Taylor-Hood elements.
//!
//! `rho (du/dt + u . grad u) - div(mu (grad u + grad u^T)) + grad p = f`, `div u = 0`; velocity of degree 2, pressure of
//! degree 1 (Taylor and Hood, Computers and Fluids 1 (1973)). The stress is the true one, so that a viscosity may vary
//! and a fluid that turns rigidly exerts no shear. On open boundaries, those without a condition or with a pressure P,
//! `mu grad u^T n` is given back: they are the usual "do nothing" outflow `mu du/dn = (p - P) n` (Heywood, Rannacher,
//! Turek, IJNMF 22 (1996)), which lets a fully developed flow pass. The components are the velocities and then the
//! pressure; the continuity equation is negated, which makes Stokes' problem symmetric.
use super::scalar;
use crate::form::{Density, Form, State};
use crate::forms::Forms;
use crate::kinds::Nonlinear;
use crate::lanes::{Lanes, dot, vector};
use crate::model::{
    Choice, Coefficient, Components, Degree, Derived, Facts, Input, Kind, Law, Local, Model, Motions, Origin,
    Role, Sign, Time, Trial,
};
use crate::weak_form::{Point, Shape};

/// What decks, files and solvers know of it.
pub const MODEL: Model = Model {
    name: "navier_stokes",
    about: "Incompressible flow.",
    field: "velocity",
    unit: "m/s",
    degree: Degree {
        about: "Polynomial degree of the elements of the velocity; that of the pressure is one less.",
        ..Degree::only(2)
    },
    least_dimension: 2,
    components: |dimension| dimension + 1,
    time: Time::Optional,
    inputs: &[
        Input {
            doubtful: Some(("1 kg/m3", "the fluid's")),
            ..Input::coefficient("density", "kg/m3", "Density.").or(1.0).with(Sign::Positive)
        },
        Input::coefficient("viscosity", "Pa s", "Dynamic viscosity.").with(Sign::Positive),
        Input::new("body_force", Kind::Vector, "N/m3", "Force for each volume, one entry a dimension.")
            .optional(0.0),
    ],
    one_of: &[],
    planes: None,
    conditions: &["value", "traction", "pressure"],
    boundary: scalar::CLOSED,
    derived: &[
        Derived {
            name: "pressure",
            components: Components::Scalar,
            unit: "Pa",
            meaning: "pressure",
            from: Origin::Component,
        },
        Derived {
            name: "vorticity",
            components: Components::Axial,
            unit: "1/s",
            meaning: "curl of the velocity",
            from: Origin::Point(vorticity),
        },
    ],
    law,
    trials: &[
        Trial::in_time(
            "density = \"1 + a\"\nviscosity = \"0.1*a + x\"\nbody_force = VECTOR",
            "pressure = \"3*a\"",
        ),
        Trial::steady("viscosity = \"a\"\nbody_force = VECTOR", "traction = VECTOR"),
    ],
};

fn law(choice: &Choice) -> Law {
    use Role::{Load, Stiffness};
    let d = choice.dimension;
    let mut coefficients = vec![
        Coefficient::new("density", Sign::Positive, Stiffness),
        Coefficient::new("viscosity", Sign::Positive, Stiffness),
    ];
    let local = coefficients.len();
    coefficients.extend(Coefficient::vector("body_force", d, Load));
    let mut surface = vec![Coefficient::new("pressure", Sign::Any, Load)];
    surface.extend(Coefficient::vector("traction", d, Load));
    surface.push(Coefficient::new("viscosity", Sign::NotNegative, Stiffness));
    let facts = Facts {
        symmetric: false,
        linear: false,
        cubic: true,
        motions: Motions::Velocity,
        pressure: true,
        ..Facts::ELLIPTIC
    };
    Law { coefficients, local, surface, open: &["viscosity"], facts, ..Law::new(&FORMS, conormal) }
}

fn vorticity(at: &Local, result: &mut [f64]) {
    let curl = |i: usize, j: usize| at.gradient[j][i] - at.gradient[i][j];
    match at.dimension {
        2 => result[0] = curl(0, 1),
        _ => result.copy_from_slice(&[curl(1, 2), curl(2, 0), curl(0, 1)]),
    }
}

fn conormal(at: &Local, n: &[f64; 3], result: &mut [f64]) {
    let dimension = at.dimension;
    for i in 0..dimension {
        let turned: f64 = (0..dimension).map(|d| at.gradient[d][i] * n[d]).sum();
        result[i] = (at.k)(1) * (at.along(i, n) + turned) - at.value[dimension] * n[i];
    }
    result[dimension] = 0.0;
}

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
