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
use super::elasticity::circumference;
use crate::fem::form::{Density, Form, State};
use crate::fem::lanes::{LANES, Lanes};
use crate::fem::weak_form::{Point, Shape};

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

/// The scalar problem of one point: the increment of p over a step.
struct Flow {
    rate: f64,
    shear: f64,
    limit: f64,
    drag: f64,
    exponent: f64,
    kinematic: f64,
    recall: f64,
    saturation: f64,
    speed: f64,
    accumulated: f64,
    /// `J^2` of trial deviator, of `2/3 C a`, and their product, times 3/2.
    trial: [f64; 3],
}

impl Flow {
    /// `J(xi)` of the trial state for an increment, and its derivative.
    fn equivalent(&self, increment: f64) -> (f64, f64) {
        let theta = 1.0 / (1.0 + self.recall * increment);
        let [ss, sa, aa] = self.trial;
        let j = (ss - 2.0 * theta * sa + theta * theta * aa).max(0.0).sqrt();
        let slope = -self.recall * theta * theta * (theta * aa - sa) / j.max(f64::MIN_POSITIVE);
        (j, slope)
    }

    /// Residual in `y = (p' )^(1/n)` and its derivative by y.
    fn residual(&self, y: f64) -> (f64, f64) {
        let power = y.powf(self.exponent - 1.0) / self.rate;
        let (increment, slope) = (power * y, self.exponent * power);
        let theta = 1.0 / (1.0 + self.recall * increment);
        let (j, j_slope) = self.equivalent(increment);
        let decay = self.saturation * (-self.speed * (self.accumulated + increment)).exp();
        let hard = 3.0 * self.shear + self.kinematic * theta;
        let value = j - hard * increment - (self.saturation - decay) - self.limit - self.drag * y;
        let hardening = hard - self.kinematic * self.recall * theta * theta * increment + self.speed * decay;
        (value, (j_slope - hardening) * slope - self.drag)
    }

    /// The increment, zero below the yield limit. Newton's method inside a bracket.
    fn increment(&self) -> f64 {
        let overstress = self.residual(0.0).0;
        if overstress.is_nan() || overstress <= 0.0 {
            return 0.0;
        }
        // Either viscosity alone or elastic unloading alone would take up all of it.
        let free = (overstress / (3.0 * self.shear) * self.rate).powf(1.0 / self.exponent);
        let (mut low, mut high) = (0.0, free.min(overstress / self.drag).max(f64::MIN_POSITIVE));
        while self.residual(high).0 > 0.0 {
            low = high;
            high *= 2.0;
        }
        let mut y = high;
        for _ in 0..100 {
            let (value, slope) = self.residual(y);
            let step = value / slope;
            if step.abs() <= 1e-15 * y {
                break;
            }
            if value > 0.0 {
                low = y;
            } else {
                high = y;
            }
            let next = y - step;
            y = if next > low && next < high { next } else { 0.5 * (low + high) };
        }
        y.powf(self.exponent) / self.rate
    }

    /// Derivative of the residual by the increment, with the sign changed.
    fn hardening(&self, increment: f64) -> f64 {
        let theta = 1.0 / (1.0 + self.recall * increment);
        let decay = self.saturation * (-self.speed * (self.accumulated + increment)).exp();
        let viscous =
            self.drag / self.exponent * (increment * self.rate).powf(1.0 / self.exponent) / increment;
        3.0 * self.shear + self.kinematic * theta - self.kinematic * self.recall * theta * theta * increment
            + self.speed * decay
            + viscous
    }
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
    const POSITION: bool = AXISYMMETRIC;
    const HISTORY: usize = WIDTH;
    const LOCAL: usize = FACTORS + 4;

    #[inline(always)]
    fn measure(&self, point: &Point<D>) -> Lanes {
        circumference::<D, AXISYMMETRIC>(point)
    }

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
        trial = trial.map(|e| e * shear * 2.0);
        let back: Tensor = std::array::from_fn(|i| old[BACK + i] * k[6] * (2.0 / 3.0));
        let (ss, sa, aa) = (double_dot(&trial, &trial), double_dot(&trial, &back), double_dot(&back, &back));
        let mut increment = Lanes::ZERO;
        let (mut theta, mut inverse) = (Lanes::splat(1.0), Lanes::ZERO);
        let mut slope = Lanes::ZERO;
        // A step of no length, as at the start, is elastic.
        if point.rate > 0.0 {
            for l in 0..LANES {
                let flow = Flow {
                    rate: point.rate,
                    shear: shear.0[l],
                    limit: k[3].0[l],
                    drag: k[4].0[l],
                    exponent: k[5].0[l],
                    kinematic: k[6].0[l],
                    recall: k[7].0[l],
                    saturation: k[8].0[l],
                    speed: k[9].0[l],
                    accumulated: old[ACCUMULATED].0[l],
                    trial: [1.5 * ss.0[l], 1.5 * sa.0[l], 1.5 * aa.0[l]],
                };
                let dp = flow.increment();
                increment.0[l] = dp;
                theta.0[l] = 1.0 / (1.0 + flow.recall * dp);
                if dp > 0.0 {
                    let (j, j_slope) = flow.equivalent(dp);
                    inverse.0[l] = 1.0 / j;
                    slope.0[l] = 1.0 / (flow.hardening(dp) - j_slope);
                }
            }
        }
        // xi of the trial state over its J; zero where nothing flows.
        let direction: Tensor = std::array::from_fn(|i| (trial[i] - back[i] * theta) * inverse);
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
        let change = deviatoric.map(|e| e * shear * 2.0);
        let direction: Tensor = std::array::from_fn(|i| local[DIRECTION + i]);
        let back: Tensor = std::array::from_fn(|i| local[BACK_TRIAL + i]);
        let (increment, inverse, slope) = (local[FACTORS], local[FACTORS + 1], local[FACTORS + 2]);
        let dp = double_dot(&direction, &change) * 1.5 * slope;
        // Change of xi, and of its direction.
        let xi: Tensor = std::array::from_fn(|i| change[i] + back[i] * dp);
        let along = double_dot(&direction, &xi) * 1.5;
        let mut stress: Tensor = std::array::from_fn(|i| {
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
    const POSITION: bool = AXISYMMETRIC;

    #[inline(always)]
    fn measure(&self, point: &Point<D>) -> Lanes {
        circumference::<D, AXISYMMETRIC>(point)
    }

    #[inline(always)]
    fn residual(&self, point: &Point<D>, state: &State<D, D>) -> Density<D, D> {
        let k = point.coefficients;
        let mut along = Lanes::ZERO;
        for i in 0..D {
            along += state.value[i] * point.normal[i];
        }
        let normal = k[0] + k[1] * along;
        Density { source: std::array::from_fn(|i| normal * point.normal[i] - k[2 + i]), ..Density::ZERO }
    }

    #[inline(always)]
    fn slope(&self, point: &Point<D>, _: &State<D, D>, trial: &Shape<D>, j: usize) -> Density<D, D> {
        let along = point.coefficients[1] * trial.value * point.normal[j];
        Density { source: point.normal.map(|n| along * n), ..Density::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(trial: f64) -> Flow {
        Flow {
            rate: 10.0,
            shear: 80e9,
            limit: 100e6,
            drag: 200e6,
            exponent: 7.0,
            kinematic: 50e9,
            recall: 300.0,
            saturation: 40e6,
            speed: 20.0,
            accumulated: 0.01,
            trial: [trial * trial, 0.2 * trial * 1e7, 1e14],
        }
    }

    #[test]
    fn the_increment_solves_its_equation_and_has_the_derivative() {
        assert_eq!(flow(50e6).increment(), 0.0);
        for trial in [150e6, 400e6, 3e9] {
            let flow = flow(trial);
            let dp = flow.increment();
            let y = (dp * flow.rate).powf(1.0 / flow.exponent);
            assert!(dp > 0.0 && flow.residual(y).0.abs() < 1e-9 * trial, "{trial}: {dp}");
            let at = |dp: f64| flow.residual((dp * flow.rate).powf(1.0 / flow.exponent)).0;
            let h = 1e-6 * dp;
            let difference = (at(dp + h) - at(dp - h)) / (2.0 * h);
            let exact = flow.equivalent(dp).1 - flow.hardening(dp);
            assert!((difference / exact - 1.0).abs() < 1e-6, "{difference} {exact}");
        }
    }
}
