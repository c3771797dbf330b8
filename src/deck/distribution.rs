//! How likely the values of a parameter are.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

/// So many standard deviations away from its mean a normal distribution without a range ends.
const REACH: f64 = 4.0;
/// A range that holds less of a distribution is a slip of the pen.
const LEAST: f64 = 1e-6;

/// How likely the values of a parameter are; all of them are cut off at the ends of its range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(tag = "distribution", rename_all = "snake_case")]
pub enum Distribution {
    /// All values alike.
    #[default]
    Uniform,
    /// The logarithm is uniform.
    LogUniform,
    /// Gauss' distribution.
    Normal {
        /// Its mean, in the parameter's unit.
        mean: f64,
        /// Its standard deviation, in the parameter's unit.
        deviation: f64,
    },
    /// The logarithm is normal.
    Lognormal {
        /// Mean of the parameter, not of its logarithm, in its unit.
        mean: f64,
        /// Standard deviation of the parameter, not of its logarithm, in its unit.
        deviation: f64,
    },
}

/// The same in the words of a deck.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// All values alike.
    Uniform,
    /// The logarithm is uniform, between bounds above zero.
    LogUniform,
    /// Gauss' distribution, of `mean` and `deviation`.
    Normal,
    /// The logarithm is normal; `mean` and `deviation` are those of the parameter itself.
    Lognormal,
}

impl Distribution {
    /// What a deck says, checked; in words what is wrong with it.
    pub(super) fn of(kind: Kind, mean: Option<f64>, deviation: Option<f64>) -> Result<Self, String> {
        let (mean, deviation) = match (kind, mean, deviation) {
            (Kind::Uniform, None, None) => return Ok(Self::Uniform),
            (Kind::LogUniform, None, None) => return Ok(Self::LogUniform),
            (Kind::Uniform | Kind::LogUniform, ..) => {
                return Err(
                    "`mean` and `deviation` are for the distributions \"normal\" and \"lognormal\"".into()
                );
            }
            (_, Some(mean), Some(deviation)) => (mean, deviation),
            _ => return Err("this distribution needs `mean` and `deviation`".into()),
        };
        if !(deviation > 0.0 && deviation.is_finite() && mean.is_finite()) {
            return Err(format!("expected a mean and a deviation above zero, found {mean} and {deviation}"));
        }
        match kind {
            Kind::Normal => Ok(Self::Normal { mean, deviation }),
            _ if mean > 0.0 => Ok(Self::Lognormal { mean, deviation }),
            _ => Err(format!("a lognormal distribution has a mean above zero, not {mean}")),
        }
    }

    /// Whether all values are alike.
    pub fn is_uniform(&self) -> bool {
        *self == Self::Uniform
    }

    /// In words, such as "normal, mean 2, deviation 0.1".
    pub fn words(&self) -> String {
        match self {
            Self::Uniform => "uniform".into(),
            Self::LogUniform => "log-uniform".into(),
            Self::Normal { mean, deviation } => format!("normal, mean {mean}, deviation {deviation}"),
            Self::Lognormal { mean, deviation } => format!("lognormal, mean {mean}, deviation {deviation}"),
        }
    }

    /// The range of a parameter that has none: four standard deviations to either side, of the logarithm of a lognormal one.
    pub(super) fn reach(&self) -> Option<[f64; 2]> {
        let (mean, deviation) = self.normal()?;
        Some([-REACH, REACH].map(|z| self.back(mean + z * deviation)))
    }

    /// What is wrong with a range, in words.
    pub(super) fn check(&self, [low, high]: [f64; 2]) -> Result<(), String> {
        if self.in_logarithm() && low <= 0.0 {
            return Err(format!(
                "a distribution of logarithms needs a range above zero, found [{low}, {high}]"
            ));
        }
        let [from, to] = self.tails([low, high]).1;
        let part = (to - from).abs();
        if self.normal().is_some() && low < high && part < LEAST {
            return Err(format!(
                "the range [{low}, {high}] holds {part:.0e} of the distribution, too little"
            ));
        }
        Ok(())
    }

    /// The value below which the part `u` (0 to 1) of the distribution within a range lies.
    pub fn quantile(&self, range: [f64; 2], u: f64) -> f64 {
        let Some((mean, deviation)) = self.normal() else { return self.spread(range, u) };
        let (sign, [from, to]) = self.tails(range);
        let z = sign * Normal::standard().inverse_cdf(from + u * (to - from));
        self.back(mean + z * deviation).clamp(range[0], range[1])
    }

    /// A place in a range by a number between 0 and 1 that covers it whatever is likely, evenly in the logarithm where the
    /// distribution is one of logarithms.
    pub fn spread(&self, [low, high]: [f64; 2], u: f64) -> f64 {
        if self.in_logarithm() {
            return (low.ln() + u * (high.ln() - low.ln())).exp().clamp(low, high);
        }
        low + u * (high - low)
    }

    /// Mean and deviation of the normal number behind it: the parameter or its logarithm.
    fn normal(&self) -> Option<(f64, f64)> {
        match *self {
            Self::Uniform | Self::LogUniform => None,
            Self::Normal { mean, deviation } => Some((mean, deviation)),
            Self::Lognormal { mean, deviation } => {
                let square = (deviation / mean).powi(2).ln_1p();
                Some((mean.ln() - square / 2.0, square.sqrt()))
            }
        }
    }

    fn in_logarithm(&self) -> bool {
        matches!(self, Self::LogUniform | Self::Lognormal { .. })
    }

    fn back(&self, number: f64) -> f64 {
        if self.in_logarithm() { number.exp() } else { number }
    }

    /// Parts of the distribution below both ends of a range; above them with the sign -1 where both lie above the middle,
    /// as numbers near one are coarse.
    fn tails(&self, range: [f64; 2]) -> (f64, [f64; 2]) {
        let (mean, deviation) = self.normal().unwrap_or((0.0, 1.0));
        let ends = range.map(|x| ((if self.in_logarithm() { x.ln() } else { x }) - mean) / deviation);
        let sign = if ends[0] > 0.0 { -1.0 } else { 1.0 };
        (sign, ends.map(|z| Normal::standard().cdf(sign * z)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [f64; 2] = [-1e300, 1e300];

    #[test]
    fn quantiles_are_those_of_tables() {
        let normal = Distribution::Normal { mean: 10.0, deviation: 2.0 };
        for (u, z) in
            [(0.5, 0.0), (0.975, 1.959963984540054), (0.05, -1.6448536269514722), (0.001, -3.090232306167813)]
        {
            assert!((normal.quantile(ALL, u) - (10.0 + 2.0 * z)).abs() < 1e-12, "{u}");
        }
        // A mean of e^(1/8) and a variance of (e^(1/4) - 1) e^(1/4): the logarithm has mean 0 and deviation 1/2.
        let (mean, variance) = (0.125f64.exp(), (0.25f64.exp() - 1.0) * 0.25f64.exp());
        let lognormal = Distribution::Lognormal { mean, deviation: variance.sqrt() };
        assert!((lognormal.quantile([1e-300, 1e300], 0.975).ln() - 0.5 * 1.959963984540054).abs() < 1e-12);
        assert!((lognormal.quantile([1e-300, 1e300], 0.5) - 1.0).abs() < 1e-12);
        let [low, high] = lognormal.reach().unwrap();
        assert!((low * high - 1.0).abs() < 1e-12 && (high.ln() - 2.0).abs() < 1e-12);
        assert!((Distribution::LogUniform.quantile([0.01, 100.0], 0.25) - 0.1).abs() < 1e-15);
        assert_eq!(Distribution::Uniform.quantile([1.0, 5.0], 0.75), 4.0);
    }

    #[test]
    fn ranges_cut_off() {
        // Far out in the tails: the density falls like exp(-7 z), from 7 to either side.
        for (range, sign) in [([7.0, 9.0], 1.0), ([-9.0, -7.0], -1.0)] {
            let normal = Distribution::Normal { mean: 0.0, deviation: 1.0 };
            let middle = sign * normal.quantile(range, 0.5);
            assert!((middle - 7.097).abs() < 1e-3, "{middle}");
            let ends = [0.0, 1.0].map(|u| normal.quantile(range, u));
            assert!((ends[0] - range[0]).abs() < 1e-6 && (ends[1] - range[1]).abs() < 0.2, "{ends:?}");
        }
        // Half of the normal distribution: its quantiles are those of |z|.
        let half = Distribution::Normal { mean: 0.0, deviation: 1.0 };
        assert!((half.quantile([0.0, 1e300], 0.95) - 1.959963984540054).abs() < 1e-12);
    }
}
