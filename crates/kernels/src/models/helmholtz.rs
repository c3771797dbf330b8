//! `helmholtz`: time-harmonic waves, `-lap u - k^2 u = f` for a complex amplitude u.
//!
//! The components are real and imaginary part. On an absorbing boundary `du/dn - i k u = g`, which lets
//! plane waves of normal incidence out (time factor `exp(-i omega t)`) and sends in those that g drives.
//!
//! The imaginary part's equation is taken with the opposite sign. So the matrix is symmetric, as the complex one is, and
//! a factorisation takes two thirds of the time and half of the memory.
use super::scalar;
use crate::form::{Density, Form, State};
use crate::forms::Forms;
use crate::kinds::Nonlinear;
use crate::lanes::vector;
use crate::model::{Coefficient, Degree, Facts, Input, Law, Local, Model, Outside, Role, Sign, Time, Trial};
use crate::weak_form::{Point, Shape};

/// What decks, files and solvers know of it.
pub const MODEL: Model = Model {
    name: "helmholtz",
    about: "Time-harmonic waves.",
    field: "u",
    unit: "",
    degree: Degree::any(2),
    least_dimension: 1,
    components: |_| 2,
    time: Time::Never,
    inputs: &[
        Input::coefficient("wave_number", "1/m", "Wave number k.").with(Sign::NotNegative),
        Input::coefficient("source", "1/m2", "Source, real part.").or(0.0),
        Input::coefficient("source_imaginary", "1/m2", "Source, imaginary part.").or(0.0),
    ],
    one_of: &[],
    planes: None,
    conditions: &["value", "absorbing"],
    boundary: scalar::CLOSED,
    derived: &[],
    law: |_| {
        use Role::{Holds, Load};
        let mut surface = vec![Coefficient::new("absorbing", Sign::NotNegative, Holds)];
        surface.extend(Coefficient::vector("incoming", 2, Load));
        Law {
            coefficients: vec![
                Coefficient::new("wave_number", Sign::NotNegative, Holds),
                Coefficient::new("source", Sign::Any, Load),
                Coefficient::new("source_imaginary", Sign::Any, Load),
            ],
            local: 1,
            surface,
            facts: Facts { symmetric: false, complex: true, ..Facts::ELLIPTIC },
            interface: Some(impedance),
            ..Law::new(&FORMS, |at, n, result| (result[0], result[1]) = (at.along(0, n), -at.along(1, n)))
        }
    },
    trials: &[Trial::steady(
        "wave_number = \"3*a + x\"\nsource = \"a\"\nsource_imaginary = \"x\"",
        "absorbing = \"2*a\"\nincoming = [1, \"a\"]",
    )],
};

/// Waves leave through an artificial boundary as through an absorbing one, `du/dn - i k u = 0`. Where even those of the number
/// `p` along it fall off behind it, like `exp(-a x)` with `a = (p^2 - k^2)^(1/2)`, that is added: `du/dn + (a - i k) u = 0`,
/// which becomes the condition of Laplace's equation as `k` vanishes.
fn impedance(at: &Local, _: &[f64; 3], outside: &Outside, result: &mut [f64]) {
    let k = (at.k)(0);
    let a = (outside.wave.powi(2) - k * k).max(0.0).sqrt();
    result.copy_from_slice(&[a, k, k, -a]);
}

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
