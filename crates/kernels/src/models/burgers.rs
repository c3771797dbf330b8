//! `burgers`: `du/dt + u . grad u - div(nu grad u) = f` for a velocity u with one component a dimension.
use super::scalar::{self, ScalarSurface};
use crate::form::{Density, Form, State};
use crate::forms::Forms;
use crate::kinds::Nonlinear;
use crate::lanes::{Lanes, dot, vector};
use crate::model::{
    Choice, Coefficient, Degree, Facts, Input, Kind, Law, Local, Model, Role, Sign, Time, Trial,
};
use crate::weak_form::{Point, Shape};

/// What decks, files and solvers know of it.
pub const MODEL: Model = Model {
    name: "burgers",
    about: "Burgers' equation.",
    field: "velocity",
    unit: "m/s",
    degree: Degree::any(1),
    least_dimension: 1,
    components: |dimension| dimension,
    time: Time::Optional,
    inputs: &[
        Input::coefficient("viscosity", "m2/s", "Viscosity.").with(Sign::Positive),
        Input::new("source", Kind::Vector, "m/s2", "Source, one entry a dimension.").optional(0.0),
    ],
    one_of: &[],
    planes: None,
    conditions: &["value"],
    boundary: scalar::CLOSED,
    derived: &[],
    law,
    trials: &[
        Trial::in_time("viscosity = \"0.1*a + x\"\nsource = VECTOR", "value = 0"),
        Trial::steady("viscosity = \"0.1 + x\"\nsource = VECTOR", "value = 0"),
    ],
};

fn law(choice: &Choice) -> Law {
    let mut coefficients = vec![Coefficient::new("viscosity", Sign::Positive, Role::Stiffness)];
    coefficients.extend(Coefficient::vector("source", choice.dimension, Role::Load));
    let surface = match choice.dimension {
        1 => scalar::surface(),
        d => Coefficient::vector("traction", d, Role::Load).collect(),
    };
    let facts = Facts { symmetric: false, linear: false, cubic: true, ..Facts::ELLIPTIC };
    let local = coefficients.len();
    Law { coefficients, local, surface, facts, ..Law::new(&FORMS, conormal) }
}

fn conormal(at: &Local, n: &[f64; 3], result: &mut [f64]) {
    (0..at.dimension).for_each(|i| result[i] = (at.k)(0) * at.along(i, n));
}

/// Coefficients: viscosity `nu` (m2/s), source `f` (`D` entries).
pub struct Burgers;

/// A multiple of a tensor; a loop for the reason that [`vector`] gives.
#[inline(always)]
fn scaled<const D: usize>(factor: Lanes, tensor: &[[Lanes; D]; D]) -> [[Lanes; D]; D] {
    let mut result = *tensor;
    for row in &mut result {
        *row = vector(|d| factor * row[d]);
    }
    result
}

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
            source: vector(|i| dot(&state.value, &state.gradient[i]) - k[1 + i]),
            flux: scaled(k[0], &state.gradient),
        }
    }

    #[inline(always)]
    fn slope(&self, point: &Point<D>, state: &State<D, D>, trial: &Shape<D>, j: usize) -> Density<D, D> {
        let mut density = Density::ZERO;
        for i in 0..D {
            density.source[i] = state.gradient[i][j] * trial.value;
        }
        density.source[j] += dot(&state.value, &trial.gradient);
        density.flux[j] = vector(|d| point.coefficients[0] * trial.gradient[d]);
        density
    }
}

/// Natural conditions: inward flux of momentum (`D` entries). For one dimension see
/// [`ScalarSurface`].
pub struct Natural;

impl<const D: usize> Form<D, D> for Natural {
    const COEFFICIENTS: usize = D;
    const SURFACE: bool = true;

    #[inline(always)]
    fn residual(&self, point: &Point<D>, _: &State<D, D>) -> Density<D, D> {
        Density { source: vector(|i| -point.coefficients[i]), ..Density::ZERO }
    }

    #[inline(always)]
    fn slope(&self, _: &Point<D>, _: &State<D, D>, _: &Shape<D>, _j: usize) -> Density<D, D> {
        Density::ZERO
    }
}

/// Kernels by dimension.
pub static FORMS: Forms = Forms::NONE
    .form(&Nonlinear::<1, 1, _>(Burgers), &Nonlinear(ScalarSurface::<false>))
    .form(&Nonlinear::<2, 2, _>(Burgers), &Nonlinear(Natural))
    .form(&Nonlinear::<3, 3, _>(Burgers), &Nonlinear(Natural));
