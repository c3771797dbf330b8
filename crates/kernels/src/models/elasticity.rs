//! `elasticity`: small strains of an isotropic solid.
//!
//! Find the displacement u with `-div sigma = b`, `sigma = lambda tr(eps) I + 2 mu eps - s I`, where
//! `eps = (grad u + grad u^T) / 2` and `s = (3 lambda + 2 mu) alpha (T - T0)` is the stress that holds
//! back thermal expansion; `sigma n = t - p n - k (u . n) n` on the loaded boundary (traction t,
//! pressure p, elastic foundation k). In weak form, for every test function v:
//!
//! `int lambda div u div v + 2 mu eps(u) : eps(v) dx + int k (u.n)(v.n) ds
//!   = int b . v + s div v dx + int t . v - p n . v ds`
//!
//! (Zienkiewicz and Taylor, *The Finite Element Method*, vol. 1, chapter 2). Plane strain, plane
//! stress and axisymmetric problems differ in `lambda` and `s` only, and in the hoop strain `u_r / r`.
use super::solid;
use crate::Values;
use crate::forms::Forms;
use crate::kinds::Linear;
use crate::lanes::{Lanes, dot};
use crate::model::{
    Choice, Coefficient, Components, Degree, Derived, Facts, Input, Law, Local, Model, Motions, Origin,
    Planes, Role, Sign, Time, Trial,
};
use crate::weak_form::{Point, Shape, WeakForm};

/// What decks, files and solvers know of it.
pub const MODEL: Model = Model {
    name: "elasticity",
    about: "Small-strain linear elasticity with thermal strain.",
    field: "displacement",
    unit: "m",
    degree: Degree::any(1),
    least_dimension: 1,
    components: |dimension| dimension,
    time: Time::Equilibrium,
    inputs: &[
        Input::coefficient("young", "Pa", "Young's modulus.").with(Sign::Positive),
        Input::coefficient("poisson", "", "Poisson's ratio, above -1 and below 0.5.").with(Sign::Poisson),
        solid::DENSITY,
        Input::coefficient("expansion", "1/K", "Coefficient of thermal expansion.").or(0.0),
        Input::coefficient("reference_temperature", "K", "Temperature without thermal strain.").or(0.0),
        Input::coefficient("temperature", "K", "Temperature; without one there is no thermal strain.")
            .optional(0.0),
        solid::BODY_FORCE,
        solid::ROTATION,
    ],
    one_of: &[],
    planes: Some(Planes {
        about: "What a two-dimensional mesh stands for; plane strain if left out.",
        known: &["strain", "stress", "axisymmetric"],
        others: "",
    }),
    conditions: solid::CONDITIONS,
    boundary: solid::FREE,
    derived: &[
        Derived {
            name: "stress",
            components: Components::Tensor,
            unit: "Pa",
            meaning: "Cauchy stress (axisymmetric: zz is the hoop component, yy the axial one), averaged at nodes over all regions",
            from: Origin::Point(|at, result| result.copy_from_slice(&strain_and_stress(at)[1])),
        },
        Derived {
            name: "strain",
            components: Components::Tensor,
            unit: "1",
            meaning: "total small strain, thermal part included (plane stress, bars: with what free contraction gives across), averaged at nodes over all regions",
            from: Origin::Point(|at, result| result.copy_from_slice(&strain_and_stress(at)[0])),
        },
        Derived {
            name: "von_mises",
            components: Components::Scalar,
            unit: "Pa",
            meaning: "equivalent stress of von Mises, from the averaged stress",
            from: Origin::VonMises("stress"),
        },
    ],
    law,
    trials: &[Trial::steady(
        "young = \"2 + a\"\npoisson = \"0.2 + 0.1*a\"\ndensity = 2\nexpansion = 0.3\ntemperature = \"a + x\"\nbody_force = VECTOR\nrotation = { speed = \"1 + a\" }",
        "foundation = \"a\"",
    )],
};

/// How one or two dimensions stand for a solid.
#[derive(Clone, Copy, PartialEq)]
enum Reduction {
    /// Three dimensions, plane strain or axisymmetric: the full law.
    Full,
    /// Plane stress: no stress out of the plane.
    PlaneStress,
    /// One dimension: a bar with free lateral contraction.
    Bar,
}

impl Reduction {
    fn of(dimension: usize, plane: Option<&str>) -> Self {
        match (dimension, plane) {
            (1, _) => Self::Bar,
            (2, Some("stress")) => Self::PlaneStress,
            _ => Self::Full,
        }
    }
}

fn law(choice: &Choice) -> Law {
    use Role::{Load, Stiffness};
    let reduction = Reduction::of(choice.dimension, choice.plane);
    // Lame's constants as they enter the form, and the stress for each held-back thermal strain.
    let [lambda, mu, thermal] = match reduction {
        Reduction::Full => [
            "young*poisson/((1 + poisson)*(1 - 2*poisson))",
            "young/(2*(1 + poisson))",
            "young/(1 - 2*poisson)",
        ],
        Reduction::PlaneStress => {
            ["young*poisson/(1 - poisson*poisson)", "young/(2*(1 + poisson))", "young/(1 - poisson)"]
        }
        Reduction::Bar => ["0", "0.5*young", "young"],
    };
    let held_back = match (choice.given)("temperature") {
        true => format!("{thermal}*expansion*(temperature - reference_temperature)"),
        false => "0".into(),
    };
    let mut coefficients = vec![
        Coefficient::of("poisson", lambda, Sign::Any, Stiffness),
        // Positive with Young's modulus.
        Coefficient::of("young", mu, Sign::Positive, Stiffness),
        Coefficient::of("temperature", held_back, Sign::Any, Load),
    ];
    let local = coefficients.len();
    coefficients.extend(solid::body_force(choice));
    let forms = if choice.is_axisymmetric() { &AXISYMMETRIC } else { &SOLID };
    // Of a bar the form does not need Poisson's ratio.
    let further = if reduction == Reduction::Bar { vec!["poisson"] } else { Vec::new() };
    let facts = Facts { motions: Motions::Rigid, ..Facts::ELLIPTIC };
    let surface = solid::surface(choice.dimension);
    Law { coefficients, local, further, surface, facts, energy: Some(energy), ..Law::new(forms, conormal) }
}

/// Strain and stress at a point.
fn strain_and_stress(at: &Local) -> [[f64; 6]; 2] {
    let (lambda, mu, held_back) = ((at.k)(0), (at.k)(1), (at.k)(2));
    let g = |i: usize, j: usize| if i < at.dimension { at.gradient[i][j] } else { 0.0 };
    let shear = |i, j| 0.5 * (g(i, j) + g(j, i));
    let mut strain = [g(0, 0), shear(0, 1), shear(0, 2), g(1, 1), shear(1, 2), g(2, 2)];
    if let Some(r) = at.radius {
        strain[5] = if r > 0.0 { at.value[0] / r } else { strain[0] };
    }
    let trace = strain[0] + strain[3] + strain[5];
    let mut stress = strain.map(|e| 2.0 * mu * e);
    for i in [0, 3, 5] {
        stress[i] += lambda * trace - held_back;
    }
    // Across a sheet or bar there is no stress, and the strain follows.
    match Reduction::of(at.dimension, at.plane) {
        Reduction::Full => {}
        Reduction::PlaneStress => {
            let thermal = held_back / (2.0 * (lambda + mu));
            strain[5] = thermal - 0.5 * lambda / mu * (trace - 2.0 * thermal);
            stress[5] = 0.0;
        }
        Reduction::Bar => {
            let thermal = held_back / (2.0 * mu);
            let across = thermal - (at.k)(3) * (strain[0] - thermal);
            (strain[3], strain[5]) = (across, across);
            (stress[3], stress[5]) = (0.0, 0.0);
        }
    }
    [strain, stress]
}

/// `1/2 sigma : (strain - thermal strain)`: zero for a body that expands freely.
fn energy(at: &Local) -> f64 {
    // Directions that thermal strain has in the plane of the law.
    let directions = match Reduction::of(at.dimension, at.plane) {
        Reduction::Full => 3.0,
        Reduction::PlaneStress => 2.0,
        Reduction::Bar => 1.0,
    };
    let [strain, stress] = strain_and_stress(at);
    let thermal = (at.k)(2) / (directions * (at.k)(0) + 2.0 * (at.k)(1));
    let normal: f64 = [0, 3, 5].iter().map(|&i| stress[i] * (strain[i] - thermal)).sum();
    let shear: f64 = [1, 2, 4].iter().map(|&i| 2.0 * stress[i] * strain[i]).sum();
    0.5 * (normal + shear)
}

fn conormal(at: &Local, n: &[f64; 3], result: &mut [f64]) {
    solid::traction(&strain_and_stress(at)[1], n, result);
}

/// Volume form. Coefficients: `lambda`, `mu`, `s` (Pa) and the body force (N/m3, one a dimension).
/// With `AXISYMMETRIC` the first coordinate is the radius and integrals go around the axis.
pub struct Solid<const AXISYMMETRIC: bool>;

impl<const AXISYMMETRIC: bool> Solid<AXISYMMETRIC> {
    /// `d(div v)/d(v_i)` of a basis function: its gradient, and `1/r` for the hoop strain.
    #[inline(always)]
    fn divergence<const D: usize>(point: &Point<D>, shape: &Shape<D>) -> [Lanes; D] {
        let mut divergence = shape.gradient;
        if AXISYMMETRIC {
            divergence[0] += shape.value / point.position[0];
        }
        divergence
    }
}

impl<const D: usize, const AXISYMMETRIC: bool> WeakForm<D, D> for Solid<AXISYMMETRIC> {
    const COEFFICIENTS: usize = 3 + D;
    const AXISYMMETRIC: bool = AXISYMMETRIC;

    fn is_constant(coefficients: &[Values]) -> bool {
        !AXISYMMETRIC && !coefficients[..2].iter().any(Values::is_by_point)
    }

    #[inline(always)]
    fn tangent(&self, point: &Point<D>, test: &Shape<D>, trial: &Shape<D>) -> [[Lanes; D]; D] {
        let (lambda, mu) = (point.coefficients[0], point.coefficients[1]);
        let (dv, du) = (Self::divergence(point, test), Self::divergence(point, trial));
        let (gv, gu) = (&test.gradient, &trial.gradient);
        let shear = mu * dot(gv, gu);
        let mut block = [[Lanes::ZERO; D]; D];
        for i in 0..D {
            let (l, m) = (lambda * dv[i], mu * gu[i]);
            for j in 0..D {
                block[i][j] = l * du[j] + m * gv[j];
            }
            block[i][i] += shear;
        }
        if AXISYMMETRIC {
            let r = point.position[0];
            block[0][0] += mu * test.value * trial.value / (r * r) * 2.0;
        }
        block
    }

    #[inline(always)]
    fn load(&self, point: &Point<D>, test: &Shape<D>) -> [Lanes; D] {
        let divergence = Self::divergence(point, test);
        let mut load = [Lanes::ZERO; D];
        for i in 0..D {
            load[i] = point.coefficients[2] * divergence[i] + point.coefficients[3 + i] * test.value;
        }
        load
    }
}

/// Boundary form. Coefficients: pressure `p` (Pa, compression positive), foundation `k` (Pa/m) and
/// the traction (Pa, one a dimension).
pub struct Surface<const AXISYMMETRIC: bool>;

impl<const D: usize, const AXISYMMETRIC: bool> WeakForm<D, D> for Surface<AXISYMMETRIC> {
    const COEFFICIENTS: usize = 2 + D;
    const SURFACE: bool = true;
    const AXISYMMETRIC: bool = AXISYMMETRIC;

    #[inline(always)]
    fn tangent(&self, point: &Point<D>, test: &Shape<D>, trial: &Shape<D>) -> [[Lanes; D]; D] {
        let stiffness = point.coefficients[1] * test.value * trial.value;
        let mut block = [[Lanes::ZERO; D]; D];
        for i in 0..D {
            for j in 0..D {
                block[i][j] = stiffness * point.normal[i] * point.normal[j];
            }
        }
        block
    }

    #[inline(always)]
    fn load(&self, point: &Point<D>, test: &Shape<D>) -> [Lanes; D] {
        let mut load = [Lanes::ZERO; D];
        for i in 0..D {
            load[i] = (point.coefficients[2 + i] - point.coefficients[0] * point.normal[i]) * test.value;
        }
        load
    }
}

/// Kernels in one, two (plane) and three dimensions.
pub static SOLID: Forms = Forms::NONE
    .linear(&Linear::<1, 1, _>(Solid::<false>), &Linear(Surface::<false>))
    .linear(&Linear::<2, 2, _>(Solid::<false>), &Linear(Surface::<false>))
    .linear(&Linear::<3, 3, _>(Solid::<false>), &Linear(Surface::<false>));

/// Kernels for bodies of revolution.
pub static AXISYMMETRIC: Forms =
    Forms::NONE.linear(&Linear::<2, 2, _>(Solid::<true>), &Linear(Surface::<true>));
