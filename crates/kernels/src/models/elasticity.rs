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
use super::Forms;
use crate::Values;
use crate::lanes::{Lanes, dot};
use crate::linear::Linear;
use crate::weak_form::{Point, Shape, WeakForm};

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

/// How two-dimensional elasticity stands for a solid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// Three dimensions, plane strain or axisymmetric: the full law.
    Full,
    /// Plane stress: no stress out of the plane.
    PlaneStress,
    /// One dimension: a bar with free lateral contraction.
    Bar,
}

/// Lame's constants (Pa) as they enter the form, from Young's modulus and Poisson's ratio.
pub fn lame(reduction: Reduction, young: f64, poisson: f64) -> (f64, f64) {
    let mu = young / (2.0 * (1.0 + poisson));
    match reduction {
        Reduction::Full => (young * poisson / ((1.0 + poisson) * (1.0 - 2.0 * poisson)), mu),
        Reduction::PlaneStress => (young * poisson / (1.0 - poisson * poisson), mu),
        Reduction::Bar => (0.0, 0.5 * young),
    }
}

/// Stress per unit of held-back thermal strain (Pa).
pub fn thermal_modulus(reduction: Reduction, young: f64, poisson: f64) -> f64 {
    match reduction {
        Reduction::Full => young / (1.0 - 2.0 * poisson),
        Reduction::PlaneStress => young / (1.0 - poisson),
        Reduction::Bar => young,
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
