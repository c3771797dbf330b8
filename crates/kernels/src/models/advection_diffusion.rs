//! `advection_diffusion`: transport by a given velocity.
//!
//! `du/dt + b . grad u - div(k grad u) + c u = f`, stabilised along the streamlines (SUPG: Brooks and
//! Hughes, CMAME 32 (1982)): the test function v becomes `v + tau b . grad v`, in the storage as well, so
//! that the method stays consistent in time. Second derivatives of u inside a cell are left out of the
//! stabilisation; they vanish for degree 1. `tau = h/(2 |b|) (1 - 1/Pe)` where the cell Peclet number
//! `Pe = |b| h/(2 k)` is above 1, otherwise zero (Elman, Silvester, Wathen, *Finite Elements and Fast
//! Iterative Solvers*, 2nd ed. (2014), eq. 6.44): the least that keeps P1 free of oscillations in one
//! dimension, and nothing where the mesh resolves the solution, so that P2 keeps its order. The length h
//! along b comes from the metric `G = 4 J^-T J^-1` of the cell: `2 |b|/h = (b . G b)^(1/2)`.
use super::scalar::{self, ScalarSurface};
use crate::form::{Density, Form, State};
use crate::forms::Forms;
use crate::kinds::Nonlinear;
use crate::lanes::{Lanes, dot, vector};
use crate::model::{
    Choice, Coefficient, Degree, Facts, Input, Kind, Law, Local, Model, Outside, Role, Sign, Time, Trial,
};
use crate::weak_form::{Point, Shape};

/// What decks, files and solvers know of it.
pub const MODEL: Model = Model {
    name: "advection_diffusion",
    about: "Transport by a given velocity.",
    field: "u",
    unit: "",
    degree: Degree::any(1),
    least_dimension: 1,
    components: |_| 1,
    time: Time::Optional,
    inputs: &[
        Input::coefficient("diffusivity", "m2/s", "Diffusivity, not negative.").with(Sign::NotNegative),
        Input::new("velocity", Kind::Vector, "m/s", "Velocity, one entry a dimension."),
        Input::coefficient("reaction", "1/s", "Reaction coefficient, not negative.")
            .or(0.0)
            .with(Sign::NotNegative),
        Input::coefficient("source", "1/s", "Source for each volume.").or(0.0),
    ],
    one_of: &[],
    planes: None,
    conditions: scalar::CONDITIONS,
    boundary: scalar::CLOSED,
    derived: &[],
    law,
    trials: &[
        Trial::steady(
            "diffusivity = \"0.01*a\"\nvelocity = VECTOR\nreaction = \"0.5*a\"\nsource = \"a\"",
            "coefficient = \"1 + a\"\nambient = 3",
        ),
        Trial::in_time(
            "diffusivity = 0.01\nvelocity = VECTOR\nreaction = 0.5",
            "coefficient = \"1 + a\"\nambient = 3",
        ),
    ],
};

fn law(choice: &Choice) -> Law {
    let mut coefficients = vec![Coefficient::new("diffusivity", Sign::NotNegative, Role::Stiffness)];
    coefficients.extend(Coefficient::vector("velocity", choice.dimension, Role::Stiffness));
    coefficients.push(Coefficient::new("reaction", Sign::NotNegative, Role::Holds));
    coefficients.push(Coefficient::new("source", Sign::Any, Role::Load));
    let facts = Facts { symmetric: false, ..Facts::ELLIPTIC };
    let local = coefficients.len();
    Law {
        coefficients,
        local,
        surface: scalar::surface(),
        facts,
        interface: Some(interface),
        ..Law::new(&FORMS, scalar::conormal)
    }
}

/// Behind the boundary `u = exp(-a x / k)` with the normal velocity `b` solves the equation for waves of the number p along
/// it when `a = ((b^2 + 4 k c + 4 k^2 p^2)^(1/2) - b) / 2`, `c` with what storage adds (Japhet, Nataf, Rogier, *The optimized
/// order 2 method*, Future Gener. Comput. Syst. 18 (2001), section 2): nearly nothing where the fluid leaves, the velocity
/// where it enters.
fn interface(at: &Local, n: &[f64; 3], outside: &Outside, result: &mut [f64]) {
    let d = at.dimension;
    let (k, c) = ((at.k)(0), (at.k)(1 + d) + outside.rate);
    let b: f64 = (0..d).map(|i| (at.k)(1 + i) * n[i]).sum();
    let root = (b * b + 4.0 * k * c + (2.0 * k * outside.wave).powi(2)).sqrt();
    result[0] = 0.5 * (root - b);
}

/// Coefficients: diffusivity `k` (m2/s), velocity `b` (`D` entries, m/s), reaction `c` (1/s), source `f`.
pub struct AdvectionDiffusion;

impl AdvectionDiffusion {
    #[inline(always)]
    fn velocity<const D: usize>(point: &Point<D>) -> [Lanes; D] {
        vector(|d| point.coefficients[1 + d])
    }

    /// `tau b`.
    #[inline(always)]
    fn stabilisation<const D: usize>(point: &Point<D>) -> [Lanes; D] {
        let (k, b) = (point.coefficients[0], Self::velocity(point));
        // Tiny numbers keep a fluid at rest and a body without diffusion from dividing by zero.
        let mut along = Lanes::splat(1e-200);
        for row in point.inverse {
            let part = dot(row, &b);
            along += part * part * 4.0;
        }
        let rate = along.sqrt();
        // 1/Pe = k (2 |b|/h) / |b|^2
        let inverse = k * rate / (dot(&b, &b) + Lanes::splat(1e-200));
        let tau = (Lanes::splat(1.0) - inverse).apply(|x| x.max(0.0)) / rate;
        vector(|d| b[d] * tau)
    }
}

impl<const D: usize> Form<D, 1> for AdvectionDiffusion {
    const COEFFICIENTS: usize = D + 3;
    const LINEAR_IN_COEFFICIENTS: bool = false;
    const CELL_SIZE: bool = true;

    #[inline(always)]
    fn storage(&self, point: &Point<D>, state: &State<D, 1>) -> Density<D, 1> {
        let (u, along) = (state.value[0], Self::stabilisation(point));
        Density { source: [u], flux: [vector(|d| along[d] * u)] }
    }

    #[inline(always)]
    fn storage_slope(
        &self,
        point: &Point<D>,
        _state: &State<D, 1>,
        trial: &Shape<D>,
        _j: usize,
    ) -> Density<D, 1> {
        let (u, along) = (trial.value, Self::stabilisation(point));
        Density { source: [u], flux: [vector(|d| along[d] * u)] }
    }

    #[inline(always)]
    fn residual(&self, point: &Point<D>, state: &State<D, 1>) -> Density<D, 1> {
        let k = point.coefficients;
        let transport =
            dot(&Self::velocity(point), &state.gradient[0]) + k[1 + D] * state.value[0] - k[2 + D];
        let along = Self::stabilisation(point);
        Density {
            source: [transport],
            flux: [vector(|d| k[0] * state.gradient[0][d] + along[d] * transport)],
        }
    }

    #[inline(always)]
    fn slope(&self, point: &Point<D>, _: &State<D, 1>, trial: &Shape<D>, _j: usize) -> Density<D, 1> {
        let k = point.coefficients;
        let transport = dot(&Self::velocity(point), &trial.gradient) + k[1 + D] * trial.value;
        let along = Self::stabilisation(point);
        Density { source: [transport], flux: [vector(|d| k[0] * trial.gradient[d] + along[d] * transport)] }
    }
}

/// Kernels by dimension.
pub static FORMS: Forms = Forms::NONE
    .form(&Nonlinear::<1, 1, _>(AdvectionDiffusion), &Nonlinear(ScalarSurface::<false>))
    .form(&Nonlinear::<2, 1, _>(AdvectionDiffusion), &Nonlinear(ScalarSurface::<false>))
    .form(&Nonlinear::<3, 1, _>(AdvectionDiffusion), &Nonlinear(ScalarSurface::<false>));
