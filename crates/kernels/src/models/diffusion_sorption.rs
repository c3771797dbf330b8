//! `diffusion_sorption`: diffusion retarded by sorption after Freundlich, as in PDEBench (Takamoto et al.,
//! NeurIPS 2022, section D.2).
//!
//! `R(u) du/dt = D lap u` with `R = 1 + (1 - phi)/phi rho_s k n u^(n - 1)`, solved as a conservation law:
//! `d/dt (u + beta u^n) = div(D grad u)` with `beta = (1 - phi)/phi rho_s k`, whose storage is conserved
//! exactly. As there, `u` is shifted by 1e-6 inside the power, which keeps the slope finite at zero.
use super::scalar::{self, ScalarSurface};
use crate::form::{Density, Form, State};
use crate::forms::Forms;
use crate::kinds::Nonlinear;
use crate::lanes::{Lanes, vector};
use crate::model::{Coefficient, Degree, Facts, Input, Kind, Law, Model, Role, Sign, Time, Trial};
use crate::weak_form::{Point, Shape};

/// What decks, files and solvers know of it. The numbers are PDEBench's (Takamoto et al., NeurIPS 2022), section D.2.
pub const MODEL: Model = Model {
    name: "diffusion_sorption",
    about: "Diffusion retarded by sorption.",
    field: "concentration",
    unit: "",
    degree: Degree::only(1),
    least_dimension: 1,
    components: |_| 1,
    time: Time::Always,
    inputs: &[
        Input::coefficient("diffusivity", "m2/s", "Effective diffusivity.").or(5e-4).with(Sign::Positive),
        Input::new("porosity", Kind::Scalar, "1", "Porosity, between 0 and 1.").or(0.29).with(Sign::Fraction),
        Input::new("density", Kind::Scalar, "kg/m3", "Density of the grains.")
            .or(2880.0)
            .with(Sign::Positive),
        Input::new("partition", Kind::Scalar, "", "Freundlich's parameter k.")
            .or(3.5e-4)
            .with(Sign::NotNegative),
        Input::coefficient("exponent", "1", "Freundlich's exponent.").or(0.874).with(Sign::Positive),
    ],
    one_of: &[],
    planes: None,
    conditions: scalar::CONDITIONS,
    boundary: scalar::CLOSED,
    derived: &[],
    law: |_| Law {
        coefficients: vec![
            Coefficient::new("diffusivity", Sign::Positive, Role::Stiffness),
            Coefficient::of(
                "partition",
                "(1 - porosity)/porosity*density*partition",
                Sign::NotNegative,
                Role::Stiffness,
            ),
            Coefficient::new("exponent", Sign::Positive, Role::Stiffness),
        ],
        local: 3,
        surface: scalar::surface(),
        facts: Facts { linear: false, lumped: true, ..Facts::ELLIPTIC },
        ..Law::new(&FORMS, scalar::conormal)
    },
    trials: &[
        Trial::in_time("", "coefficient = \"1 + a\"\nambient = 3"),
        Trial::in_time(
            "diffusivity = \"1e-3*a\"\npartition = \"4e-4*a\"\nexponent = \"0.8*a\"",
            "coefficient = \"1 + a\"\nambient = 3",
        ),
    ],
};

/// Coefficients: diffusivity `D` (m2/s), sorption factor `beta`, Freundlich exponent `n`.
pub struct DiffusionSorption;

/// Shift of the concentration in the power.
const SHIFT: f64 = 1e-6;

/// `u + beta ((u + s)^n - s^n)` and its derivative; below zero it goes on along the tangent.
#[inline(always)]
fn stored(u: f64, beta: f64, n: f64) -> (f64, f64) {
    let shifted = u.max(0.0) + SHIFT;
    let power = shifted.powf(n);
    let slope = 1.0 + beta * n * power / shifted;
    (u.max(0.0) + beta * (power - SHIFT.powf(n)) + slope * u.min(0.0), slope)
}

#[inline(always)]
fn lanes<const D: usize>(point: &Point<D>, u: Lanes) -> (Lanes, Lanes) {
    let (beta, n) = (point.coefficients[1], point.coefficients[2]);
    let (mut value, mut slope) = (Lanes::ZERO, Lanes::ZERO);
    for l in 0..u.0.len() {
        (value.0[l], slope.0[l]) = stored(u.0[l], beta.0[l], n.0[l]);
    }
    (value, slope)
}

impl<const D: usize> Form<D, 1> for DiffusionSorption {
    const COEFFICIENTS: usize = 3;
    const LINEAR_IN_COEFFICIENTS: bool = false;
    const DEGREES: [bool; 2] = [true, false];

    #[inline(always)]
    fn storage(&self, point: &Point<D>, state: &State<D, 1>) -> Density<D, 1> {
        Density { source: [lanes(point, state.value[0]).0], ..Density::ZERO }
    }

    #[inline(always)]
    fn storage_slope(
        &self,
        point: &Point<D>,
        state: &State<D, 1>,
        trial: &Shape<D>,
        _j: usize,
    ) -> Density<D, 1> {
        Density { source: [lanes(point, state.value[0]).1 * trial.value], ..Density::ZERO }
    }

    #[inline(always)]
    fn residual(&self, point: &Point<D>, state: &State<D, 1>) -> Density<D, 1> {
        Density { flux: [vector(|d| point.coefficients[0] * state.gradient[0][d])], ..Density::ZERO }
    }

    #[inline(always)]
    fn slope(&self, point: &Point<D>, _: &State<D, 1>, trial: &Shape<D>, _j: usize) -> Density<D, 1> {
        Density { flux: [vector(|d| point.coefficients[0] * trial.gradient[d])], ..Density::ZERO }
    }
}

/// Kernels by dimension.
pub static FORMS: Forms = Forms::NONE
    .form(&Nonlinear::<1, 1, _>(DiffusionSorption), &Nonlinear(ScalarSurface::<false>))
    .form(&Nonlinear::<2, 1, _>(DiffusionSorption), &Nonlinear(ScalarSurface::<false>))
    .form(&Nonlinear::<3, 1, _>(DiffusionSorption), &Nonlinear(ScalarSurface::<false>));
