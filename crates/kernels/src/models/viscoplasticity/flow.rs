//! The scalar equation of viscoplastic flow at a point: how much plastic strain a step brings.
use crate::lanes::{LANES, Lanes};

/// The equation for the increment of p over a step, of eight points at a time.
pub(super) struct Flow {
    /// 1 over the step.
    pub rate: f64,
    pub shear: Lanes,
    pub limit: Lanes,
    pub drag: Lanes,
    pub exponent: Lanes,
    pub kinematic: Lanes,
    pub recall: Lanes,
    pub saturation: Lanes,
    pub speed: Lanes,
    pub accumulated: Lanes,
    /// `J^2` of trial deviator, of `2/3 C a`, and their product, times 3/2.
    pub trial: [Lanes; 3],
}

/// What a step brings.
pub(super) struct Increment {
    /// Of p; zero where nothing flows.
    pub value: Lanes,
    /// `1 / J(xi)`; zero where nothing flows.
    pub inverse: Lanes,
    /// Derivative of the increment by `J` of the trial stress; zero where nothing flows.
    pub slope: Lanes,
}

/// What the equation is made of at some increment.
struct Terms {
    increment: Lanes,
    /// `J(xi)` and its derivative by the increment.
    equivalent: Lanes,
    equivalent_slope: Lanes,
    /// Derivative of the hardening by the increment, without the viscous part.
    hardening: Lanes,
    /// Residual, and its derivative by y.
    value: Lanes,
    slope: Lanes,
}

const ITERATIONS: usize = 60;

impl Flow {
    /// The equation for `y = (p')^(1/n)`, in which it is smooth, at increment `y^n / rate`.
    #[inline(always)]
    fn terms(&self, y: Lanes) -> Terms {
        let one = Lanes::splat(1.0);
        let tiny = Lanes::splat(1e-300);
        let power = ((self.exponent - one) * y.max(tiny).ln()).exp() * (1.0 / self.rate);
        let (increment, increment_slope) = (power * y, self.exponent * power);
        let theta = one / (one + self.recall * increment);
        let [ss, sa, aa] = self.trial;
        let equivalent = (ss - theta * sa * 2.0 + theta * theta * aa).max(Lanes::ZERO).sqrt();
        let equivalent_slope = -self.recall * theta * theta * (theta * aa - sa) / equivalent.max(tiny);
        let decay = self.saturation * (-self.speed * (self.accumulated + increment)).exp();
        let hard = self.shear * 3.0 + self.kinematic * theta;
        let value = equivalent - hard * increment - (self.saturation - decay) - self.limit - self.drag * y;
        let hardening = hard - self.kinematic * self.recall * theta * theta * increment + self.speed * decay;
        let slope = (equivalent_slope - hardening) * increment_slope - self.drag;
        Terms { increment, equivalent, equivalent_slope, hardening, value, slope }
    }

    /// Solves it by Newton's method inside a bracket. A lane that has converged changes no more, so that no
    /// point's result depends on the others.
    #[inline(always)]
    pub fn solve(&self) -> Increment {
        let one = Lanes::splat(1.0);
        let over = self.terms(Lanes::ZERO).value;
        if !over.0.iter().any(|&over| over > 0.0) {
            return Increment { value: Lanes::ZERO, inverse: Lanes::ZERO, slope: Lanes::ZERO };
        }
        // Lanes where nothing flows solve some other equation, whose solution is not used.
        let flows = over;
        let over = self.limit.replaced_where_positive(flows, over);
        // Either viscosity alone or elastic unloading alone would take up all of it.
        let free = ((over / (self.shear * 3.0) * self.rate).ln() / self.exponent).exp();
        let mut high = free.min(over / self.drag);
        let mut low = Lanes::ZERO;
        for _ in 0..ITERATIONS {
            let value = self.terms(high).value;
            if !(0..LANES).any(|l| flows.0[l] > 0.0 && value.0[l] > 0.0) {
                break;
            }
            low = low.replaced_where_positive(value, high);
            high = high.replaced_where_positive(value, high * 2.0);
        }
        let mut y = high;
        let mut open = flows;
        for _ in 0..ITERATIONS {
            let Terms { value, slope, .. } = self.terms(y);
            low = low.replaced_where_positive(value, y);
            high = y.replaced_where_positive(value, high);
            let newton = y - value / slope;
            // Outside the bracket, and where it is no number, its middle is taken.
            let next = ((low + high) * 0.5).replaced_where_positive(newton - low, newton);
            let next = ((low + high) * 0.5).replaced_where_positive(high - next, next);
            // After a step this small another would change nothing.
            let close = y * 1e-9 - (newton - y).abs();
            y = y.replaced_where_positive(open, next.replaced_where_positive(close, newton));
            open = open.replaced_where_positive(close, Lanes::ZERO);
            if !open.0.iter().any(|&open| open > 0.0) {
                break;
            }
        }
        let terms = self.terms(y);
        let increment = terms.increment;
        let viscous = self.drag * y / (self.exponent * increment);
        let slope = one / (terms.hardening + viscous - terms.equivalent_slope);
        let only = |value: Lanes| Lanes::ZERO.replaced_where_positive(flows, value);
        Increment { value: only(increment), inverse: only(one / terms.equivalent), slope: only(slope) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(trial: [f64; LANES]) -> Flow {
        let all = Lanes::splat;
        Flow {
            rate: 10.0,
            shear: all(80e9),
            limit: all(100e6),
            drag: all(200e6),
            exponent: all(7.0),
            kinematic: all(50e9),
            recall: all(300.0),
            saturation: all(40e6),
            speed: all(20.0),
            accumulated: all(0.01),
            trial: [Lanes(trial.map(|t| t * t)), Lanes(trial.map(|t| 0.2e7 * t)), all(1e14)],
        }
    }

    const TRIAL: [f64; LANES] = [50e6, 150e6, 400e6, 3e9, 120e6, 0.0, 1e9, 2e8];

    #[test]
    fn the_increment_solves_its_equation() {
        let flow = flow(TRIAL);
        let Increment { value, .. } = flow.solve();
        let y = Lanes(value.0.map(|dp| (dp * flow.rate).powf(1.0 / 7.0)));
        let left = flow.terms(y).value;
        for (l, trial) in TRIAL.into_iter().enumerate() {
            if trial < 110e6 {
                assert_eq!(value.0[l], 0.0, "{trial}");
            } else {
                assert!(value.0[l] > 0.0 && left.0[l].abs() < 1e-9 * trial, "{trial}: {}", value.0[l]);
            }
        }
    }

    #[test]
    fn the_slope_is_the_derivative() {
        let base = flow(TRIAL).solve();
        let moved = |factor: f64| {
            // J of the trial state grows; its product with the back stress is kept.
            let mut flow = flow(TRIAL);
            let j = flow.terms(Lanes::splat(1e-300)).equivalent;
            let grown = j * factor;
            flow.trial[0] = flow.trial[0] + grown * grown - j * j;
            (flow.solve().value, j)
        };
        let h = 1e-6;
        let ((up, j), (down, _)) = (moved(1.0 + h), moved(1.0 - h));
        for l in [1, 2, 3, 4, 6, 7] {
            let difference = (up.0[l] - down.0[l]) / (2.0 * h * j.0[l]);
            // J at the end of the step, by which `slope` is meant, moves as J of the trial state does over J's ratio.
            let exact = base.slope.0[l] * j.0[l] * base.inverse.0[l];
            assert!((difference / exact - 1.0).abs() < 1e-5, "lane {l}: {difference} {exact}");
        }
    }

    #[test]
    fn lanes_do_not_depend_on_each_other() {
        let together = flow(TRIAL).solve().value;
        for (l, trial) in TRIAL.into_iter().enumerate() {
            assert_eq!(flow([trial; LANES]).solve().value.0[0].to_bits(), together.0[l].to_bits());
        }
    }
}
