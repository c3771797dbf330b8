//! Schemes in time: their orders, and the tables of Runge-Kutta methods.
use crate::deck::TimeScheme;

/// A singly diagonally implicit Runge-Kutta method whose last stage is the solution.
pub(super) struct Sdirk {
    pub gamma: f64,
    /// Rows of the strictly lower triangle.
    pub lower: &'static [&'static [f64]],
    /// Weights of the embedded method, one order lower.
    pub embedded: &'static [f64],
}

/// Alexander, SIAM J. Numer. Anal. 14 (1977), two stages, order 2, L-stable.
pub(super) const SDIRK2: Sdirk = Sdirk {
    gamma: 1.0 - std::f64::consts::FRAC_1_SQRT_2,
    lower: &[&[], &[std::f64::consts::FRAC_1_SQRT_2]],
    embedded: &[0.5, 0.5],
};

/// Alexander's method of three stages, order 3, L-stable.
pub(super) const SDIRK3: Sdirk = Sdirk {
    gamma: GAMMA3,
    lower: &[
        &[],
        &[(1.0 - GAMMA3) / 2.0],
        &[
            -(6.0 * GAMMA3 * GAMMA3 - 16.0 * GAMMA3 + 1.0) / 4.0,
            (6.0 * GAMMA3 * GAMMA3 - 20.0 * GAMMA3 + 5.0) / 4.0,
        ],
    ],
    embedded: &[1.0 - (1.0 - 2.0 * GAMMA3) / (1.0 - GAMMA3), (1.0 - 2.0 * GAMMA3) / (1.0 - GAMMA3), 0.0],
};

/// The root of `1/6 - 3/2 x + 3 x^2 - x^3` for which the method is L-stable.
const GAMMA3: f64 = 0.435_866_521_508_459;

impl Sdirk {
    /// When a stage stands, in parts of the step.
    pub fn abscissa(&self, stage: usize) -> f64 {
        self.gamma + self.lower[stage].iter().sum::<f64>()
    }
}

impl TimeScheme {
    /// Order of convergence with steps of one length.
    pub fn order(self) -> usize {
        match self {
            Self::Bdf1 => 1,
            Self::Bdf2 | Self::CrankNicolson | Self::Sdirk2 => 2,
            Self::Sdirk3 => 3,
        }
    }

    /// Order of the less accurate of the two formulas whose difference estimates the local error: it goes with the
    /// power one higher of the step.
    pub fn order_of_estimate(self) -> usize {
        match self {
            Self::Bdf1 | Self::Sdirk2 => 1,
            Self::Bdf2 | Self::CrankNicolson | Self::Sdirk3 => 2,
        }
    }
}
