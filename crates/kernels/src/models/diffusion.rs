//! `diffusion`: Poisson, heat conduction, Darcy flow.
//!
//! Find u with `-div(K grad u) + c u = f` in the domain, `u = g` on the essential boundary and
//! `K grad u . n = q + h (u_ambient - u)` on the rest. In weak form, for every test function v:
//!
//! `int K grad u . grad v + c u v dx + int h u v ds = int f v dx + int (q + h u_ambient) v ds`.
//!
//! On the half section of a body of revolution integrals go around the axis, with the measure `2 pi r`.
use super::Forms;
use crate::Values;
use crate::lanes::{Lanes, dot};
use crate::linear::Linear;
use crate::weak_form::{Point, Shape, WeakForm};

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
