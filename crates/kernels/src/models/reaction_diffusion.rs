//! `reaction_diffusion`: a species that spreads and is used up, `du/dt - div(D grad u) + k u^m = f`.
//!
//! A reaction of order m at the rate k (Levenspiel, *Chemical Reaction Engineering*, chapter 3). Below zero, where Newton's
//! method may pass, the reaction is `k u |u|^(m - 1)`, which leads back. Find u with `u = g` on the essential boundary and
//! `D du/dn = q + h (u_ambient - u)` on the rest; in weak form, for every test function v:
//!
//! `int d/dt u v + D grad u . grad v + k u |u|^(m - 1) v dx + int h u v ds = int f v dx + int (q + h u_ambient) v ds`.
use super::scalar::{self, ScalarSurface};
use crate::form::{Density, Form, State};
use crate::forms::Forms;
use crate::kinds::Nonlinear;
use crate::lanes::{Lanes, vector};
use crate::model::{Coefficient, Degree, Facts, Input, Kind, Law, Model, Role, Sign, Time, Trial};
use crate::weak_form::{Point, Shape};

/// What decks, files and solvers know of it.
pub const MODEL: Model = Model {
    name: "reaction_diffusion",
    about: "du/dt - div(diffusivity grad u) + rate u^order = source: a species that spreads and is used up.",
    field: "concentration",
    unit: "",
    degree: Degree::any(1),
    least_dimension: 1,
    components: |_| 1,
    time: Time::Optional,
    inputs: &[
        Input::coefficient("diffusivity", "m2/s", "Diffusivity.").with(Sign::Positive),
        Input::coefficient("rate", "1/s for order 1", "Rate of the reaction, not negative.")
            .with(Sign::NotNegative),
        Input::new("order", Kind::Scalar, "1", "Order of the reaction, at least 1.")
            .or(2.0)
            .with(Sign::AtLeastOne),
        Input::coefficient("source", "1/s", "Source for each volume.").or(0.0),
    ],
    one_of: &[],
    planes: None,
    conditions: scalar::CONDITIONS,
    boundary: scalar::CLOSED,
    derived: &[],
    law: |_| Law {
        coefficients: vec![
            Coefficient::new("diffusivity", Sign::Positive, Role::Stiffness),
            Coefficient::new("rate", Sign::NotNegative, Role::Holds),
            Coefficient::new("order", Sign::AtLeastOne, Role::Stiffness),
            Coefficient::new("source", Sign::Any, Role::Load),
        ],
        local: 1,
        surface: scalar::surface(),
        facts: Facts { linear: false, ..Facts::ELLIPTIC },
        ..Law::new(&FORMS, scalar::conormal)
    },
    trials: &[
        Trial::steady(
            "diffusivity = \"a + x\"\nrate = \"1 + a\"\norder = \"2.5*a\"\nsource = \"a*x\"",
            "coefficient = \"a\"\nambient = 3",
        ),
        Trial::in_time("diffusivity = 0.1\nrate = \"3*a\"", "flux = \"a\""),
    ],
};

/// Volume form. Coefficients: diffusivity `D`, rate `k`, order `m`, source `f`.
pub struct ReactionDiffusion;

/// The reaction for each rate, `u |u|^(m - 1)`, and its slope.
#[inline(always)]
fn reaction(u: Lanes, order: Lanes) -> (Lanes, Lanes) {
    let (mut value, mut slope) = (Lanes::ZERO, Lanes::ZERO);
    for l in 0..u.0.len() {
        let power = u.0[l].abs().powf(order.0[l] - 1.0);
        (value.0[l], slope.0[l]) = (u.0[l] * power, order.0[l] * power);
    }
    (value, slope)
}

impl<const D: usize> Form<D, 1> for ReactionDiffusion {
    const COEFFICIENTS: usize = 4;
    const LINEAR_IN_COEFFICIENTS: bool = false;

    #[inline(always)]
    fn storage(&self, _: &Point<D>, state: &State<D, 1>) -> Density<D, 1> {
        Density { source: state.value, ..Density::ZERO }
    }

    #[inline(always)]
    fn storage_slope(&self, _: &Point<D>, _: &State<D, 1>, trial: &Shape<D>, _j: usize) -> Density<D, 1> {
        Density { source: [trial.value], ..Density::ZERO }
    }

    #[inline(always)]
    fn residual(&self, point: &Point<D>, state: &State<D, 1>) -> Density<D, 1> {
        let k = point.coefficients;
        let used = k[1] * reaction(state.value[0], k[2]).0;
        Density { source: [used - k[3]], flux: [vector(|d| k[0] * state.gradient[0][d])] }
    }

    #[inline(always)]
    fn slope(&self, point: &Point<D>, state: &State<D, 1>, trial: &Shape<D>, _j: usize) -> Density<D, 1> {
        let k = point.coefficients;
        let slope = k[1] * reaction(state.value[0], k[2]).1;
        Density { source: [slope * trial.value], flux: [vector(|d| k[0] * trial.gradient[d])] }
    }
}

/// Kernels.
pub static FORMS: Forms = Forms::NONE
    .form(&Nonlinear::<1, 1, _>(ReactionDiffusion), &Nonlinear(ScalarSurface::<false>))
    .form(&Nonlinear::<2, 1, _>(ReactionDiffusion), &Nonlinear(ScalarSurface::<false>))
    .form(&Nonlinear::<3, 1, _>(ReactionDiffusion), &Nonlinear(ScalarSurface::<false>));
