//! `viscoplasticity`: small strains of a metal that creeps and yields.
//!
//! `sigma = C : (eps - eps_p - alpha (T - T0) I)`, Norton's flow `p' = <(J(s - X) - R - R0) / K>^n`,
//! `eps_p' = 3/2 p' (s - X) / J`, kinematic hardening after Armstrong and Frederick `X = 2/3 C a`,
//! `a' = eps_p' - gamma p' a`, isotropic hardening after Voce `R = Q (1 - exp(-b p))` (Lemaitre and
//! Chaboche, *Mechanics of Solid Materials*, sections 5.4 and 6.4). All coefficients may depend on the
//! temperature.
//!
//! The laws are integrated by implicit Euler: everything follows from the increment of p, which solves one
//! scalar equation (Chaboche and Cailletaud, CMAME 133 (1996)); the tangent is the exact derivative of that
//! update (Simo and Taylor, CMAME 48 (1985)).
mod flow;

use super::solid;
use crate::form::{Density, Form, State};
use crate::forms::Forms;
use crate::kinds::Nonlinear;
use crate::lanes::{Lanes, vector};
use crate::model::{
    Choice, Coefficient, Components, Conormal, Degree, Derived, Facts, Input, Kind, Law, Model, Motions,
    Origin, Planes, Role, Sign, Time, Trial,
};
use crate::weak_form::{Point, Shape};
use flow::{Flow, Increment};

/// What decks, files and solvers know of it.
pub const MODEL: Model = Model {
    name: "viscoplasticity",
    about: "Creep and plasticity of metals.",
    field: "displacement",
    unit: "m",
    degree: Degree::any(2),
    least_dimension: 2,
    components: |dimension| dimension,
    time: Time::Always,
    inputs: &[
        property("young", "Pa", "Young's modulus.").with(Sign::Positive),
        property("poisson", "", "Poisson's ratio, above -1 and below 0.5.").with(Sign::Poisson),
        property("yield_stress", "Pa", "Stress R0 from which it flows.").with(Sign::NotNegative),
        property("drag_stress", "Pa s^(1/n)", "Drag stress K of Norton's law.").with(Sign::Positive),
        property("rate_exponent", "1", "Exponent n of Norton's law, at least 1.").with(Sign::AtLeastOne),
        property("kinematic_modulus", "Pa", "Modulus C of kinematic hardening.")
            .or(0.0)
            .with(Sign::NotNegative),
        property("dynamic_recovery", "1", "Recall gamma of kinematic hardening (Armstrong and Frederick).")
            .or(0.0)
            .with(Sign::NotNegative),
        property("isotropic_saturation", "Pa", "Saturation Q of isotropic hardening (Voce).").or(0.0),
        property("isotropic_rate", "1", "Speed b at which isotropic hardening saturates.")
            .or(0.0)
            .with(Sign::NotNegative),
        property("expansion", "1/K", "Secant coefficient of thermal expansion.").or(0.0),
        Input::coefficient("temperature", "K", "Temperature; zero if left out.").or(0.0),
        Input::coefficient("reference_temperature", "K", "Temperature without thermal strain.").or(0.0),
        solid::DENSITY,
        solid::BODY_FORCE,
        solid::ROTATION,
    ],
    one_of: &[],
    planes: Some(Planes {
        about: "What a two-dimensional mesh stands for, \"strain\" (the default) or \"axisymmetric\".",
        known: &["strain", "axisymmetric"],
        others: "viscoplasticity knows \"strain\" and \"axisymmetric\"",
    }),
    conditions: solid::CONDITIONS,
    boundary: solid::FREE,
    derived: &[
        Derived {
            name: "stress",
            components: Components::Tensor,
            unit: "Pa",
            meaning: "Cauchy stress (axisymmetric: zz is the hoop component, yy the axial one)",
            from: Origin::History(STRESS),
        },
        Derived {
            name: "von_mises",
            components: Components::Scalar,
            unit: "Pa",
            meaning: "equivalent stress of von Mises, from the averaged stress",
            from: Origin::VonMises("stress"),
        },
        Derived {
            name: "plastic_strain",
            components: Components::Tensor,
            unit: "1",
            meaning: "plastic strain",
            from: Origin::History(PLASTIC),
        },
        Derived {
            name: "accumulated_plastic_strain",
            components: Components::Scalar,
            unit: "1",
            meaning: "accumulated plastic strain p",
            from: Origin::History(ACCUMULATED),
        },
    ],
    law,
    trials: &[Trial::in_time(
        "young = \"100*a\"\npoisson = 0.3\nyield_stress = \"5*a\"\ndrag_stress = 20\nrate_exponent = \"2 + a\"\nkinematic_modulus = 30\ndynamic_recovery = 2\nisotropic_saturation = 4\nisotropic_rate = \"3*a\"\nexpansion = 0.01\ntemperature = \"1 + a*x\"\nbody_force = VECTOR\ndensity = 2\nrotation = { speed = 3 }",
        "foundation = \"a\"",
    )],
};

const fn property(key: &'static str, unit: &'static str, about: &'static str) -> Input {
    Input::new(key, Kind::Property, unit, about)
}

fn law(choice: &Choice) -> Law {
    let stiffness = |key, formula: &str, sign| Coefficient::of(key, formula, sign, Role::Stiffness);
    let expansion = "young/(1 - 2*poisson)*expansion*(temperature - reference_temperature)";
    let mut coefficients = vec![
        stiffness("poisson", "young/(3*(1 - 2*poisson))", Sign::Positive),
        stiffness("young", "young/(2*(1 + poisson))", Sign::Positive),
        stiffness("temperature", expansion, Sign::Any),
        stiffness("yield_stress", "yield_stress", Sign::NotNegative),
        stiffness("drag_stress", "drag_stress", Sign::Positive),
        stiffness("rate_exponent", "rate_exponent", Sign::Positive),
        stiffness("kinematic_modulus", "kinematic_modulus", Sign::NotNegative),
        stiffness("dynamic_recovery", "dynamic_recovery", Sign::NotNegative),
        stiffness("isotropic_saturation", "isotropic_saturation", Sign::Any),
        stiffness("isotropic_rate", "isotropic_rate", Sign::NotNegative),
    ];
    coefficients.extend(solid::body_force(choice));
    let forms = if choice.is_axisymmetric() { &AXISYMMETRIC } else { &SOLID };
    let facts = Facts { symmetric: false, linear: false, motions: Motions::Rigid, ..Facts::ELLIPTIC };
    let surface = solid::surface(choice.dimension);
    let conormal: Conormal = |at, n, result| solid::traction(at.stress, n, result);
    Law { coefficients, surface, facts, ..Law::new(forms, conormal) }
}

/// Volume form. Coefficients: bulk modulus, shear modulus, thermal stress `3 kappa alpha (T - T0)` (Pa);
/// `R0`, `K` (Pa s^(1/n)), `n`, `C` (Pa), `gamma`, `Q` (Pa), `b`; body force (`D` entries). Internal
/// variables: plastic strain (6), back strain `a` (6), `p`, stress (6), tensors as xx, xy, xz, yy, yz, zz.
pub struct Viscoplasticity<const AXISYMMETRIC: bool>;

/// Loads on the boundary. Coefficients: pressure, foundation (Pa/m), traction (`D` entries, Pa).
pub struct Surface<const AXISYMMETRIC: bool>;

/// A symmetric tensor: xx, xy, xz, yy, yz, zz.
type Tensor = [Lanes; 6];

/// Where things stand among the internal variables.
pub const PLASTIC: usize = 0;
const BACK: usize = 6;
/// Accumulated plastic strain.
pub const ACCUMULATED: usize = 12;
/// Stress at the end of the step.
pub const STRESS: usize = 13;
/// Number of internal variables.
pub const WIDTH: usize = 19;

// What `prepare` keeps: stress, direction N = xi / J, factors of the tangent.
const DIRECTION: usize = 6;
const BACK_TRIAL: usize = 12;
const FACTORS: usize = 18;

const DOUBLE: [f64; 6] = [1.0, 2.0, 2.0, 1.0, 2.0, 1.0];
const NORMAL: [usize; 3] = [0, 3, 5];

/// From its entries; a loop, because the library's functions on arrays are not inlined into the kernels and then
/// do without vector instructions.
#[inline(always)]
fn tensor(entry: impl Fn(usize) -> Lanes) -> Tensor {
    let mut result = [Lanes::ZERO; 6];
    for i in 0..6 {
        result[i] = entry(i);
    }
    result
}

#[inline(always)]
fn double_dot(a: &Tensor, b: &Tensor) -> Lanes {
    let mut sum = Lanes::ZERO;
    for i in 0..6 {
        sum += a[i] * b[i] * DOUBLE[i];
    }
    sum
}

#[inline(always)]
fn deviator(a: &Tensor) -> (Tensor, Lanes) {
    let trace = a[0] + a[3] + a[5];
    let mut result = *a;
    for i in NORMAL {
        result[i] += trace * (-1.0 / 3.0);
    }
    (result, trace)
}

/// Strain of a displacement gradient; `hoop` is the strain around the axis.
#[inline(always)]
fn strain<const D: usize>(gradient: &[[Lanes; D]; D], hoop: Lanes) -> Tensor {
    let g = |i: usize, j: usize| if i < D && j < D { gradient[i][j] } else { Lanes::ZERO };
    let shear = |i, j| (g(i, j) + g(j, i)) * 0.5;
    let zz = if D == 3 { g(2, 2) } else { hoop };
    [g(0, 0), shear(0, 1), shear(0, 2), g(1, 1), shear(1, 2), zz]
}

impl<const AXISYMMETRIC: bool> Viscoplasticity<AXISYMMETRIC> {
    #[inline(always)]
    fn strain<const D: usize>(point: &Point<D>, state: &State<D, D>) -> Tensor {
        let hoop = if AXISYMMETRIC { state.value[0] / point.position[0] } else { Lanes::ZERO };
        strain(&state.gradient, hoop)
    }

    /// Stress as the density of virtual work.
    #[inline(always)]
    fn work<const D: usize>(point: &Point<D>, stress: &[Lanes]) -> Density<D, D> {
        const AT: [[usize; 3]; 3] = [[0, 1, 2], [1, 3, 4], [2, 4, 5]];
        let mut density = Density::ZERO;
        for i in 0..D {
            for j in 0..D {
                density.flux[i][j] = stress[AT[i][j]];
            }
        }
        if AXISYMMETRIC {
            density.source[0] = stress[5] / point.position[0];
        }
        density
    }
}

impl<const D: usize, const AXISYMMETRIC: bool> Form<D, D> for Viscoplasticity<AXISYMMETRIC> {
    const COEFFICIENTS: usize = 10 + D;
    const LINEAR_IN_COEFFICIENTS: bool = false;
    const AXISYMMETRIC: bool = AXISYMMETRIC;
    const HISTORY: usize = WIDTH;
    const LOCAL: usize = FACTORS + 4;

    #[inline(always)]
    fn prepare(&self, point: &Point<D>, state: &State<D, D>, local: &mut [Lanes]) {
        let (k, old) = (point.coefficients, point.history);
        let (bulk, shear, thermal) = (k[0], k[1], k[2]);
        let total = Self::strain(point, state);
        let mut elastic = total;
        for i in 0..6 {
            elastic[i] += -old[PLASTIC + i];
        }
        let (mut trial, _) = deviator(&elastic);
        trial = tensor(|i| trial[i] * shear * 2.0);
        let back = tensor(|i| old[BACK + i] * k[6] * (2.0 / 3.0));
        let (ss, sa, aa) = (double_dot(&trial, &trial), double_dot(&trial, &back), double_dot(&back, &back));
        let nothing = Lanes::ZERO;
        let mut flow = Increment { value: nothing, inverse: nothing, slope: nothing };
        // A step of no length, as at the start, is elastic.
        if point.rate > 0.0 {
            flow = Flow {
                rate: point.rate,
                shear,
                limit: k[3],
                drag: k[4],
                exponent: k[5],
                kinematic: k[6],
                recall: k[7],
                saturation: k[8],
                speed: k[9],
                accumulated: old[ACCUMULATED],
                trial: [ss * 1.5, sa * 1.5, aa * 1.5],
            }
            .solve();
        }
        let Increment { value: increment, inverse, slope } = flow;
        let one = Lanes::splat(1.0);
        let theta = one / (one + k[7] * increment);
        // xi of the trial state over its J; zero where nothing flows.
        let direction = tensor(|i| (trial[i] - back[i] * theta) * inverse);
        let trace = total[0] + total[3] + total[5];
        for i in 0..6 {
            local[i] = trial[i] - direction[i] * shear * increment * 3.0;
            local[DIRECTION + i] = direction[i];
            // Derivative of xi by the increment.
            local[BACK_TRIAL + i] = back[i] * k[7] * theta * theta;
        }
        for i in NORMAL {
            local[i] += bulk * trace - thermal;
        }
        local[FACTORS] = increment;
        local[FACTORS + 1] = inverse;
        local[FACTORS + 2] = slope;
        local[FACTORS + 3] = theta;
    }

    #[inline(always)]
    fn update(&self, point: &Point<D>, _: &State<D, D>, next: &mut [Lanes]) {
        let (local, old) = (point.local, point.history);
        let (increment, theta) = (local[FACTORS], local[FACTORS + 3]);
        for i in 0..6 {
            let flow = local[DIRECTION + i] * increment * 1.5;
            next[PLASTIC + i] = old[PLASTIC + i] + flow;
            next[BACK + i] = (old[BACK + i] + flow) * theta;
            next[STRESS + i] = local[i];
        }
        next[ACCUMULATED] = old[ACCUMULATED] + increment;
    }

    #[inline(always)]
    fn residual(&self, point: &Point<D>, _: &State<D, D>) -> Density<D, D> {
        let mut density = Self::work(point, &point.local[..6]);
        for i in 0..D {
            density.source[i] += -point.coefficients[10 + i];
        }
        density
    }

    #[inline(always)]
    fn slope(&self, point: &Point<D>, _: &State<D, D>, trial: &Shape<D>, j: usize) -> Density<D, D> {
        let (k, local) = (point.coefficients, point.local);
        let (bulk, shear) = (k[0], k[1]);
        let mut gradient = [[Lanes::ZERO; D]; D];
        gradient[j] = trial.gradient;
        let hoop = match AXISYMMETRIC && j == 0 {
            true => trial.value / point.position[0],
            false => Lanes::ZERO,
        };
        let (deviatoric, trace) = deviator(&strain(&gradient, hoop));
        let change = tensor(|i| deviatoric[i] * shear * 2.0);
        let direction = tensor(|i| local[DIRECTION + i]);
        let back = tensor(|i| local[BACK_TRIAL + i]);
        let (increment, inverse, slope) = (local[FACTORS], local[FACTORS + 1], local[FACTORS + 2]);
        let dp = double_dot(&direction, &change) * 1.5 * slope;
        // Change of xi, and of its direction.
        let xi = tensor(|i| change[i] + back[i] * dp);
        let along = double_dot(&direction, &xi) * 1.5;
        let mut stress = tensor(|i| {
            let turned = (xi[i] - direction[i] * along) * inverse;
            change[i] - (direction[i] * dp + turned * increment) * shear * 3.0
        });
        for i in NORMAL {
            stress[i] += bulk * trace;
        }
        Self::work(point, &stress)
    }
}

impl<const D: usize, const AXISYMMETRIC: bool> Form<D, D> for Surface<AXISYMMETRIC> {
    const COEFFICIENTS: usize = 2 + D;
    const SURFACE: bool = true;
    const AXISYMMETRIC: bool = AXISYMMETRIC;

    #[inline(always)]
    fn residual(&self, point: &Point<D>, state: &State<D, D>) -> Density<D, D> {
        let k = point.coefficients;
        let mut along = Lanes::ZERO;
        for i in 0..D {
            along += state.value[i] * point.normal[i];
        }
        let normal = k[0] + k[1] * along;
        Density { source: vector(|i| normal * point.normal[i] - k[2 + i]), ..Density::ZERO }
    }

    #[inline(always)]
    fn slope(&self, point: &Point<D>, _: &State<D, D>, trial: &Shape<D>, j: usize) -> Density<D, D> {
        let along = point.coefficients[1] * trial.value * point.normal[j];
        Density { source: vector(|i| along * point.normal[i]), ..Density::ZERO }
    }
}

/// Kernels in two (plane strain) and three dimensions.
pub static SOLID: Forms = Forms::NONE
    .form(&Nonlinear::<2, 2, _>(Viscoplasticity::<false>), &Nonlinear(Surface::<false>))
    .form(&Nonlinear::<3, 3, _>(Viscoplasticity::<false>), &Nonlinear(Surface::<false>));

/// Kernels for bodies of revolution.
pub static AXISYMMETRIC: Forms =
    Forms::NONE.form(&Nonlinear::<2, 2, _>(Viscoplasticity::<true>), &Nonlinear(Surface::<true>));
