//! `diffusion` in time: `capacity du/dt - div(K grad u) + c u = f`, and the boundary form that all scalar
//! models share.
use super::Forms;
use crate::form::{Density, Form, State};
use crate::lanes::{Lanes, vector};
use crate::nonlinear::Nonlinear;
use crate::weak_form::{Point, Shape};

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

/// Natural and Robin conditions of scalar models. Coefficients: inward flux `q`, transfer coefficient `h`
/// and the product `h u_ambient`.
pub struct ScalarSurface<const AXISYMMETRIC: bool>;

impl<const D: usize, const AXISYMMETRIC: bool> Form<D, 1> for ScalarSurface<AXISYMMETRIC> {
    const COEFFICIENTS: usize = 3;
    const SURFACE: bool = true;
    const AXISYMMETRIC: bool = AXISYMMETRIC;

    #[inline(always)]
    fn residual(&self, point: &Point<D>, state: &State<D, 1>) -> Density<D, 1> {
        let k = point.coefficients;
        Density { source: [k[1] * state.value[0] - k[0] - k[2]], ..Density::ZERO }
    }

    #[inline(always)]
    fn slope(&self, point: &Point<D>, _: &State<D, 1>, trial: &Shape<D>, _j: usize) -> Density<D, 1> {
        Density { source: [point.coefficients[1] * trial.value], ..Density::ZERO }
    }
}

/// Kernels for a scalar conductivity.
pub static ISOTROPIC: Forms = Forms::NONE
    .form(&Nonlinear::<1, 1, _>(TransientDiffusion::<false, false>), &Nonlinear(ScalarSurface::<false>))
    .form(&Nonlinear::<2, 1, _>(TransientDiffusion::<false, false>), &Nonlinear(ScalarSurface::<false>))
    .form(&Nonlinear::<3, 1, _>(TransientDiffusion::<false, false>), &Nonlinear(ScalarSurface::<false>));

/// Kernels for a conductivity tensor.
pub static ANISOTROPIC: Forms = Forms::NONE
    .form(&Nonlinear::<1, 1, _>(TransientDiffusion::<true, false>), &Nonlinear(ScalarSurface::<false>))
    .form(&Nonlinear::<2, 1, _>(TransientDiffusion::<true, false>), &Nonlinear(ScalarSurface::<false>))
    .form(&Nonlinear::<3, 1, _>(TransientDiffusion::<true, false>), &Nonlinear(ScalarSurface::<false>));

/// Kernels for a scalar conductivity and bodies of revolution.
pub static ISOTROPIC_AXISYMMETRIC: Forms = Forms::NONE
    .form(&Nonlinear::<2, 1, _>(TransientDiffusion::<false, true>), &Nonlinear(ScalarSurface::<true>));

/// Kernels for a conductivity tensor and bodies of revolution.
pub static ANISOTROPIC_AXISYMMETRIC: Forms = Forms::NONE
    .form(&Nonlinear::<2, 1, _>(TransientDiffusion::<true, true>), &Nonlinear(ScalarSurface::<true>));
