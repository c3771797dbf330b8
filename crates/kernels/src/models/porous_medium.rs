//! `porous_medium`: `du/dt = div(k(u) grad u) + f` with a conductivity that vanishes with u, `k = u^m`, or
//! jumps, `k = k_max` from `u*` on and `k_min` below it (Stefan's problem in one phase and two).
//!
//! The flux is the gradient of `Phi(u) = int_0^u k` (Kirchhoff's transformation), interpolated at the nodes,
//! and the storage is lumped: on cells without obtuse angles the scheme is then monotone with implicit
//! Euler, so that u keeps its sign (Eymard, Gallouet, Herbin, Handbook of Numerical Analysis VII (2000)).
use super::scalar::{self, ScalarSurface};
use crate::form::{Density, Form, State};
use crate::forms::Forms;
use crate::kinds::Nonlinear;
use crate::lanes::Lanes;
use crate::model::{
    Choice, Coefficient, Conormal, Degree, Facts, Input, Kind, Law, Model, Role, Sign, Time, Trial,
};
use crate::weak_form::{Point, Shape};

/// What decks, files and solvers know of it.
pub const MODEL: Model = Model {
    name: "porous_medium",
    about: "The porous medium equation and Stefan's problem.",
    field: "u",
    unit: "",
    degree: Degree::only(1),
    least_dimension: 1,
    components: |_| 1,
    time: Time::Always,
    inputs: &[
        Input::new("exponent", Kind::Scalar, "1", "Exponent m of the power law k = u^m.")
            .optional(1.0)
            .with(Sign::NotNegative),
        Input::new(
            "stefan",
            Kind::Table(
                &[
                    Input::new(
                        "below",
                        Kind::Scalar,
                        "m2/s",
                        "Conductivity below the threshold, not negative.",
                    )
                    .with(Sign::NotNegative),
                    Input::new("above", Kind::Scalar, "m2/s", "Conductivity from the threshold on.")
                        .with(Sign::Positive),
                    Input::new("threshold", Kind::Scalar, "", "The threshold."),
                ],
                "A conductivity that jumps where the solution reaches a threshold.",
            ),
            "",
            "Stefan's law instead of the power law.",
        )
        .optional(0.0),
        Input::coefficient("source", "1/s", "Source for each volume.").or(0.0),
    ],
    one_of: &["exponent", "stefan"],
    planes: None,
    conditions: scalar::CONDITIONS,
    boundary: scalar::CLOSED,
    derived: &[],
    law,
    trials: &[
        Trial::in_time("exponent = \"1.5 + a\"\nsource = \"a\"", "coefficient = \"1 + a\"\nambient = 3"),
        Trial::in_time(
            "stefan = { below = 0.1, above = \"2*a\", threshold = 0.5 }",
            "coefficient = \"1 + a\"\nambient = 3",
        ),
    ],
};

fn law(choice: &Choice) -> Law {
    use Role::{Load, Stiffness};
    let stefan = (choice.given)("stefan");
    let mut coefficients = match stefan {
        true => vec![
            Coefficient::of("stefan.below", "stefan_below", Sign::NotNegative, Stiffness),
            Coefficient::of("stefan.above", "stefan_above", Sign::Positive, Stiffness),
            Coefficient::of("stefan.threshold", "stefan_threshold", Sign::Any, Stiffness),
        ],
        false => vec![Coefficient::new("exponent", Sign::NotNegative, Stiffness)],
    };
    let local = coefficients.len();
    coefficients.push(Coefficient::new("source", Sign::Any, Load));
    let facts = Facts { symmetric: false, linear: false, lumped: true, ..Facts::ELLIPTIC };
    let (forms, conormal): (_, Conormal) = match stefan {
        true => (&STEFAN, |at, n, result| {
            let u = at.value[0];
            result[0] = (at.k)(usize::from(u >= (at.k)(2))) * at.along(0, n);
        }),
        false => (&POWER_LAW, |at, n, result| result[0] = at.value[0].abs().powf((at.k)(0)) * at.along(0, n)),
    };
    Law { coefficients, local, surface: scalar::surface(), facts, ..Law::new(forms, conormal) }
}

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
