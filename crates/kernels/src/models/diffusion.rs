//! `diffusion`: Poisson, heat conduction, Darcy flow.
//!
//! Find u with `capacity du/dt - div(K grad u) + c u = f` in the domain, `u = g` on the essential boundary and
//! `K grad u . n = q + h (u_ambient - u) + emissivity sigma (u_ambient^4 - u^4)` on the rest. In weak form, for every test
//! function v:
//!
//! `int d/dt E(u) v + K grad u . grad v + c u v dx + int h u v ds = int f v dx + int (q + h u_ambient) v ds`,
//!
//! with what is stored `E(u) = int_0^u capacity`, so that it is conserved also where the capacity depends on u. On the half
//! section of a body of revolution integrals go around the axis, with the measure `2 pi r`.
//!
//! Steady problems whose coefficients do not depend on u have forms of their own, which are faster to assemble.
use super::scalar;
use super::scalar::{Radiating, ScalarSurface};
use crate::Values;
use crate::form::{Density, Form, State};
use crate::forms::Forms;
use crate::kinds::Linear;
use crate::kinds::Nonlinear;
use crate::lanes::{Lanes, dot, vector};
use crate::model::{
    Choice, Coefficient, Components, Degree, Derived, Facts, Input, Interface, Kind, Law, Local, Model,
    Origin, Planes, Role, Sign, Time, Trial,
};
use crate::weak_form::{Point, Shape, WeakForm};

/// What decks, files and solvers know of it.
pub const MODEL: Model = Model {
    name: "diffusion",
    about: "-div(K grad u) + c u = f: heat conduction, Darcy flow, Poisson's equation.",
    field: "u",
    unit: "",
    degree: Degree::any(1),
    least_dimension: 1,
    components: |_| 1,
    time: Time::Optional,
    inputs: &[
        Input {
            of_solution: true,
            doubtful: Some(("1 W/(m K)", "the material's")),
            ..Input::new(
                "conductivity",
                Kind::Tensor,
                "W/(m K), or as fits the field",
                "Conductivity, positive: a scalar or a symmetric, positive definite tensor.",
            )
            .or(1.0)
            .with(Sign::Positive)
        },
        Input::coefficient("source", "W/m3", "Source for each volume.").or(0.0),
        Input::coefficient("reaction", "W/(m3 K)", "Reaction coefficient, not negative.")
            .or(0.0)
            .with(Sign::NotNegative),
        Input {
            in_time: true,
            of_solution: true,
            doubtful: Some(("1 J/(m3 K)", "density times specific heat")),
            ..Input::coefficient(
                "capacity",
                "J/(m3 K)",
                "Capacity of runs with `[time]`: density times specific heat; 1 if left out.",
            )
            .optional(1.0)
            .with(Sign::Positive)
        },
    ],
    one_of: &[],
    planes: Some(Planes {
        about: "What a two-dimensional mesh stands for: \"axisymmetric\", or a plane section if left out.",
        known: &["strain", "axisymmetric"],
        others: "diffusion knows \"axisymmetric\" and \"strain\" (a plane section)",
    }),
    conditions: &["value", "flux", "coefficient", "emissivity"],
    boundary: scalar::CLOSED,
    derived: &[Derived {
        name: "flux",
        components: Components::Vector,
        unit: "",
        meaning: "flux -K grad u (W/m2 for heat, m/s for Darcy flow), gradients averaged at nodes over all regions",
        from: Origin::Point(flux),
    }],
    law,
    trials: &[
        Trial::steady(
            "conductivity = \"a + x\"\nreaction = \"2*a\"\nsource = \"1 + a*x\"",
            "coefficient = \"1 + a\"\nambient = 3",
        ),
        Trial::steady(
            "conductivity = \"1 + a*u^2\"\nsource = \"1 + a\"",
            "coefficient = \"1 + a\"\nambient = 3",
        ),
        Trial::steady(
            "conductivity = { temperature = [-4, 0, 4], value = [1, 3, 2] }\nreaction = \"a\"",
            "coefficient = \"1 + a\"\nambient = 3",
        ),
        Trial {
            size: 1e3,
            ..Trial::steady("unit = \"K\"\nconductivity = \"a\"", "emissivity = 0.5\nambient = \"1e3*a\"")
        },
        Trial::in_time(
            "conductivity = \"a + x\"\nreaction = 2\ncapacity = \"2*a + x\"",
            "coefficient = \"1 + a\"\nambient = 3",
        ),
        Trial::in_time(
            "conductivity = \"a + u\"\ncapacity = \"a*(2 + u^3)\"",
            "coefficient = \"1 + a\"\nambient = 3",
        ),
        Trial::in_time(
            "conductivity = \"1 + u*u\"\ncapacity = { temperature = [-4, 0.1, 4], value = [1, 3, 2] }",
            "flux = \"a\"",
        ),
    ],
};

fn law(choice: &Choice) -> Law {
    use Role::{Holds, Load, Stiffness};
    // Decks give no tensor that depends on the solution.
    let tensor = choice.tensor && !choice.of_solution;
    let of_solution = choice.of_solution || choice.radiates && !tensor;
    let axisymmetric = choice.is_axisymmetric();
    let d = choice.dimension;
    let conductivity = |i: usize, j: usize| {
        let sign = if i == j { Sign::Positive } else { Sign::Any };
        let axes = ["x", "y", "z"];
        Coefficient::of("conductivity", format!("conductivity_{}{}", axes[i], axes[j]), sign, Stiffness)
    };
    let mut coefficients: Vec<_> = match tensor {
        true => (0..d * d).map(|e| conductivity(e / d, e % d)).collect(),
        false => vec![Coefficient::new("conductivity", Sign::Positive, Stiffness)],
    };
    let local = coefficients.len();
    if of_solution {
        coefficients.push(Coefficient::of("conductivity", "conductivity_slope", Sign::Any, Stiffness));
    }
    coefficients.push(Coefficient::new("reaction", Sign::NotNegative, Holds));
    coefficients.push(Coefficient::new("source", Sign::Any, Load));
    if of_solution {
        coefficients.push(Coefficient::of("capacity", "capacity_integral", Sign::Any, Stiffness));
    }
    if of_solution || choice.in_time || choice.radiates {
        coefficients.push(Coefficient::new("capacity", Sign::Positive, Stiffness));
    }
    let forms = match (of_solution, choice.in_time, tensor, axisymmetric) {
        (true, _, _, false) => &OF_SOLUTION,
        (true, _, _, true) => &OF_SOLUTION_AXISYMMETRIC,
        (_, _, true, false) if choice.radiates => &ANISOTROPIC_RADIATING,
        (_, _, true, true) if choice.radiates => &ANISOTROPIC_RADIATING_AXISYMMETRIC,
        (false, false, false, false) => &ISOTROPIC,
        (false, false, true, false) => &ANISOTROPIC,
        (false, false, false, true) => &ISOTROPIC_AXISYMMETRIC,
        (false, false, true, true) => &ANISOTROPIC_AXISYMMETRIC,
        (false, true, false, false) => &IN_TIME,
        (false, true, true, false) => &ANISOTROPIC_IN_TIME,
        (false, true, false, true) => &IN_TIME_AXISYMMETRIC,
        (false, true, true, true) => &ANISOTROPIC_IN_TIME_AXISYMMETRIC,
    };
    let linear = !of_solution && !choice.radiates;
    let surface = if linear { scalar::surface() } else { scalar::radiating() };
    let facts = Facts { linear, symmetric: !choice.of_solution, ..Facts::ELLIPTIC };
    let conormal = if tensor { through } else { scalar::conormal };
    let interface: Option<Interface> = Some(match tensor {
        true => |at, n, outside, result| scalar::robin(through, at, n, outside, result),
        false => |at, n, outside, result| scalar::robin(scalar::conormal, at, n, outside, result),
    });
    Law { coefficients, local, surface, facts, interface, ..Law::new(forms, conormal) }
}

/// Minus `K grad u`, K a number or a tensor row by row: a tensor has further coefficients after so many, see [`law`].
fn flux(at: &Local, result: &mut [f64]) {
    let d = at.dimension;
    for i in 0..d {
        result[i] = match at.tensor {
            true => -(0..d).map(|j| (at.k)(i * d + j) * at.gradient[0][j]).sum::<f64>(),
            false => -(at.k)(0) * at.gradient[0][i],
        };
    }
}

fn through(at: &Local, n: &[f64; 3], result: &mut [f64]) {
    let mut inward = [0.0; 3];
    flux(at, &mut inward);
    result[0] = -(0..at.dimension).map(|d| inward[d] * n[d]).sum::<f64>();
}

/// Volume form with a scalar conductivity. Coefficients: `k` (W/(m K) for heat), reaction `c`
/// (W/(m3 K)), source `f` (W/m3).
pub struct Isotropic<const AXISYMMETRIC: bool>;

impl<const D: usize, const AXISYMMETRIC: bool> WeakForm<D, 1> for Isotropic<AXISYMMETRIC> {
    const COEFFICIENTS: usize = 3;
    const AXISYMMETRIC: bool = AXISYMMETRIC;

    fn is_constant(coefficients: &[Values]) -> bool {
        !AXISYMMETRIC && !coefficients[0].is_by_point() && coefficients[1].is_zero()
    }

    #[inline(always)]
    fn tangent(&self, point: &Point<D>, test: &Shape<D>, trial: &Shape<D>) -> [[Lanes; 1]; 1] {
        let k = point.coefficients;
        [[k[0] * dot(&test.gradient, &trial.gradient) + k[1] * test.value * trial.value]]
    }

    #[inline(always)]
    fn load(&self, point: &Point<D>, test: &Shape<D>) -> [Lanes; 1] {
        [point.coefficients[2] * test.value]
    }
}

/// Volume form with a symmetric conductivity tensor. Coefficients: `K` row by row (`D * D`),
/// reaction `c`, source `f`.
pub struct Anisotropic<const AXISYMMETRIC: bool>;

impl<const D: usize, const AXISYMMETRIC: bool> WeakForm<D, 1> for Anisotropic<AXISYMMETRIC> {
    const COEFFICIENTS: usize = D * D + 2;
    const AXISYMMETRIC: bool = AXISYMMETRIC;

    fn is_constant(coefficients: &[Values]) -> bool {
        !AXISYMMETRIC
            && !coefficients[..D * D].iter().any(Values::is_by_point)
            && coefficients[D * D].is_zero()
    }

    #[inline(always)]
    fn tangent(&self, point: &Point<D>, test: &Shape<D>, trial: &Shape<D>) -> [[Lanes; 1]; 1] {
        let k = point.coefficients;
        let mut sum = k[D * D] * test.value * trial.value;
        for i in 0..D {
            for j in 0..D {
                sum += k[i * D + j] * test.gradient[i] * trial.gradient[j];
            }
        }
        [[sum]]
    }

    #[inline(always)]
    fn load(&self, point: &Point<D>, test: &Shape<D>) -> [Lanes; 1] {
        [point.coefficients[D * D + 1] * test.value]
    }
}

/// Boundary form. Coefficients: inward flux `q` (W/m2), transfer coefficient `h` (W/(m2 K)) and the
/// product `h u_ambient` (W/m2).
pub struct Surface<const AXISYMMETRIC: bool>;

impl<const D: usize, const AXISYMMETRIC: bool> WeakForm<D, 1> for Surface<AXISYMMETRIC> {
    const COEFFICIENTS: usize = 3;
    const SURFACE: bool = true;
    const AXISYMMETRIC: bool = AXISYMMETRIC;

    #[inline(always)]
    fn tangent(&self, point: &Point<D>, test: &Shape<D>, trial: &Shape<D>) -> [[Lanes; 1]; 1] {
        [[point.coefficients[1] * test.value * trial.value]]
    }

    #[inline(always)]
    fn load(&self, point: &Point<D>, test: &Shape<D>) -> [Lanes; 1] {
        [(point.coefficients[0] + point.coefficients[2]) * test.value]
    }
}

/// Volume form with a scalar or tensor conductivity. Coefficients: `K` row by row (one entry, or `D * D`
/// when `ANISOTROPIC`), reaction `c`, source `f`, capacity (J/(m3 K) for heat).
pub struct TransientDiffusion<const ANISOTROPIC: bool, const AXISYMMETRIC: bool>;

impl<const ANISOTROPIC: bool, const AXISYMMETRIC: bool> TransientDiffusion<ANISOTROPIC, AXISYMMETRIC> {
    /// Number of conductivities in `d` dimensions.
    const fn entries(d: usize) -> usize {
        if ANISOTROPIC { d * d } else { 1 }
    }

    #[inline(always)]
    fn flux<const D: usize>(point: &Point<D>, gradient: &[Lanes; D]) -> [Lanes; D] {
        let k = point.coefficients;
        vector(|i| {
            if !ANISOTROPIC {
                return k[0] * gradient[i];
            }
            let mut sum = Lanes::ZERO;
            for j in 0..D {
                sum += k[i * D + j] * gradient[j];
            }
            sum
        })
    }
}

impl<const D: usize, const ANISOTROPIC: bool, const AXISYMMETRIC: bool> Form<D, 1>
    for TransientDiffusion<ANISOTROPIC, AXISYMMETRIC>
{
    const COEFFICIENTS: usize = Self::entries(D) + 3;
    const AXISYMMETRIC: bool = AXISYMMETRIC;

    #[inline(always)]
    fn storage(&self, point: &Point<D>, state: &State<D, 1>) -> Density<D, 1> {
        let capacity = point.coefficients[Self::entries(D) + 2];
        Density { source: [capacity * state.value[0]], ..Density::ZERO }
    }

    #[inline(always)]
    fn storage_slope(
        &self,
        point: &Point<D>,
        _state: &State<D, 1>,
        trial: &Shape<D>,
        _j: usize,
    ) -> Density<D, 1> {
        let capacity = point.coefficients[Self::entries(D) + 2];
        Density { source: [capacity * trial.value], ..Density::ZERO }
    }

    #[inline(always)]
    fn residual(&self, point: &Point<D>, state: &State<D, 1>) -> Density<D, 1> {
        let k = &point.coefficients[Self::entries(D)..];
        Density { source: [k[0] * state.value[0] - k[1]], flux: [Self::flux(point, &state.gradient[0])] }
    }

    #[inline(always)]
    fn slope(&self, point: &Point<D>, _: &State<D, 1>, trial: &Shape<D>, _j: usize) -> Density<D, 1> {
        let reaction = point.coefficients[Self::entries(D)];
        Density { source: [reaction * trial.value], flux: [Self::flux(point, &trial.gradient)] }
    }
}

/// Volume form with a conductivity and a capacity that depend on u. Coefficients, the values at u: conductivity `k`, its
/// slope `dk/du`, reaction `c`, source `f`, what is stored `E`, capacity `dE/du`.
pub struct OfSolution<const AXISYMMETRIC: bool>;

impl<const D: usize, const AXISYMMETRIC: bool> Form<D, 1> for OfSolution<AXISYMMETRIC> {
    const COEFFICIENTS: usize = 6;
    const AXISYMMETRIC: bool = AXISYMMETRIC;

    #[inline(always)]
    fn storage(&self, point: &Point<D>, _: &State<D, 1>) -> Density<D, 1> {
        Density { source: [point.coefficients[4]], ..Density::ZERO }
    }

    #[inline(always)]
    fn storage_slope(&self, point: &Point<D>, _: &State<D, 1>, trial: &Shape<D>, _j: usize) -> Density<D, 1> {
        Density { source: [point.coefficients[5] * trial.value], ..Density::ZERO }
    }

    #[inline(always)]
    fn residual(&self, point: &Point<D>, state: &State<D, 1>) -> Density<D, 1> {
        let k = point.coefficients;
        Density { source: [k[2] * state.value[0] - k[3]], flux: [vector(|d| k[0] * state.gradient[0][d])] }
    }

    #[inline(always)]
    fn slope(&self, point: &Point<D>, state: &State<D, 1>, trial: &Shape<D>, _j: usize) -> Density<D, 1> {
        let k = point.coefficients;
        let change = k[1] * trial.value;
        let flux = vector(|d| k[0] * trial.gradient[d] + change * state.gradient[0][d]);
        Density { source: [k[2] * trial.value], flux: [flux] }
    }
}

/// Kernels for a scalar conductivity.
pub static ISOTROPIC: Forms = Forms::NONE
    .linear(&Linear::<1, 1, _>(Isotropic::<false>), &Linear(Surface::<false>))
    .linear(&Linear::<2, 1, _>(Isotropic::<false>), &Linear(Surface::<false>))
    .linear(&Linear::<3, 1, _>(Isotropic::<false>), &Linear(Surface::<false>));

/// Kernels for a conductivity tensor.
pub static ANISOTROPIC: Forms = Forms::NONE
    .linear(&Linear::<1, 1, _>(Anisotropic::<false>), &Linear(Surface::<false>))
    .linear(&Linear::<2, 1, _>(Anisotropic::<false>), &Linear(Surface::<false>))
    .linear(&Linear::<3, 1, _>(Anisotropic::<false>), &Linear(Surface::<false>));

/// Kernels for a scalar conductivity and bodies of revolution.
pub static ISOTROPIC_AXISYMMETRIC: Forms =
    Forms::NONE.linear(&Linear::<2, 1, _>(Isotropic::<true>), &Linear(Surface::<true>));

/// Kernels for a conductivity tensor and bodies of revolution.
pub static ANISOTROPIC_AXISYMMETRIC: Forms =
    Forms::NONE.linear(&Linear::<2, 1, _>(Anisotropic::<true>), &Linear(Surface::<true>));

/// Kernels in time, for a scalar conductivity.
pub static IN_TIME: Forms = Forms::NONE
    .form(&Nonlinear::<1, 1, _>(TransientDiffusion::<false, false>), &Nonlinear(ScalarSurface::<false>))
    .form(&Nonlinear::<2, 1, _>(TransientDiffusion::<false, false>), &Nonlinear(ScalarSurface::<false>))
    .form(&Nonlinear::<3, 1, _>(TransientDiffusion::<false, false>), &Nonlinear(ScalarSurface::<false>));

/// Kernels in time, for a conductivity tensor.
pub static ANISOTROPIC_IN_TIME: Forms = Forms::NONE
    .form(&Nonlinear::<1, 1, _>(TransientDiffusion::<true, false>), &Nonlinear(ScalarSurface::<false>))
    .form(&Nonlinear::<2, 1, _>(TransientDiffusion::<true, false>), &Nonlinear(ScalarSurface::<false>))
    .form(&Nonlinear::<3, 1, _>(TransientDiffusion::<true, false>), &Nonlinear(ScalarSurface::<false>));

/// Kernels in time, for a scalar conductivity and bodies of revolution.
pub static IN_TIME_AXISYMMETRIC: Forms = Forms::NONE
    .form(&Nonlinear::<2, 1, _>(TransientDiffusion::<false, true>), &Nonlinear(ScalarSurface::<true>));

/// Kernels in time, for a conductivity tensor and bodies of revolution.
pub static ANISOTROPIC_IN_TIME_AXISYMMETRIC: Forms = Forms::NONE
    .form(&Nonlinear::<2, 1, _>(TransientDiffusion::<true, true>), &Nonlinear(ScalarSurface::<true>));

/// Kernels for coefficients that depend on u, and radiation.
pub static OF_SOLUTION: Forms = Forms::NONE
    .form(&Nonlinear::<1, 1, _>(OfSolution::<false>), &Nonlinear(Radiating::<false>))
    .form(&Nonlinear::<2, 1, _>(OfSolution::<false>), &Nonlinear(Radiating::<false>))
    .form(&Nonlinear::<3, 1, _>(OfSolution::<false>), &Nonlinear(Radiating::<false>));

/// The same for bodies of revolution.
pub static OF_SOLUTION_AXISYMMETRIC: Forms =
    Forms::NONE.form(&Nonlinear::<2, 1, _>(OfSolution::<true>), &Nonlinear(Radiating::<true>));

/// Kernels for a conductivity tensor, and radiation.
pub static ANISOTROPIC_RADIATING: Forms = Forms::NONE
    .form(&Nonlinear::<1, 1, _>(TransientDiffusion::<true, false>), &Nonlinear(Radiating::<false>))
    .form(&Nonlinear::<2, 1, _>(TransientDiffusion::<true, false>), &Nonlinear(Radiating::<false>))
    .form(&Nonlinear::<3, 1, _>(TransientDiffusion::<true, false>), &Nonlinear(Radiating::<false>));

/// The same for bodies of revolution.
pub static ANISOTROPIC_RADIATING_AXISYMMETRIC: Forms =
    Forms::NONE.form(&Nonlinear::<2, 1, _>(TransientDiffusion::<true, true>), &Nonlinear(Radiating::<true>));
