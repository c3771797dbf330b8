//! `[random.NAME]`: Gaussian random fields.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Gaussian random field. Expressions of coefficients, boundary values and initial values use it by its name:
/// "exp(g)" is log-normal, "if(g > 0, 12, 3)" binary. A campaign draws it anew for every sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RandomField {
    /// Matern covariance on any mesh.
    Matern(Matern),
    /// Covariance (-Laplacian + tau^2)^(-alpha) on a box.
    Spectral(Spectral),
}

/// A field with Matern's covariance of mean 0, as the solution of (kappa^2 - Laplacian)^(alpha/2) g = white noise,
/// with alpha = smoothness + dimension / 2 (Lindgren, Rue, Lindstrom, J. R. Stat. Soc. B 73 (2011) 423).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Matern {
    /// Distance at which the correlation has fallen to about 0.14; kappa = sqrt(8 smoothness) / range.
    #[schemars(range(min = 1e-12), extend("x-unit" = "m"))]
    pub range: f64,
    /// Smoothness nu: alpha = nu + dimension / 2 must be 2, 4, 6 or 8. If left out, that of alpha = 2: 1.5, 1, 0.5 in one,
    /// two and three dimensions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smoothness: Option<f64>,
    /// Standard deviation.
    #[serde(default = "one")]
    #[schemars(range(min = 0.0))]
    pub deviation: f64,
    /// Seed of the draws.
    #[serde(default)]
    #[schemars(range(max = 9_223_372_036_854_775_807_u64))]
    pub seed: u64,
}

/// A field of mean 0 with the covariance scale^2 (-Laplacian + tau^2)^(-alpha) without its constant part, by its
/// eigenfunctions on a box: cosines (no flux through the sides), along periodic directions sines and cosines. On the unit
/// square with tau = 3, alpha = 2 this is the field behind the Darcy data of Li et al. (ICLR 2021).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spectral {
    /// Inverse length.
    #[schemars(range(min = 0.0), extend("x-unit" = "1/m"))]
    pub tau: f64,
    /// Decay of the spectrum; more than half the dimension.
    #[schemars(range(min = 0.0))]
    pub alpha: f64,
    /// Factor; tau^(alpha - dimension/2) if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// Number of wave numbers along each direction; that of the box's cells there if left out, but no more than 1024, 256 and 64 in
    /// one, two and three dimensions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4096))]
    pub modes: Option<usize>,
    /// Seed of the draws.
    #[serde(default)]
    #[schemars(range(max = 9_223_372_036_854_775_807_u64))]
    pub seed: u64,
}

fn one() -> f64 {
    1.0
}

impl Matern {
    /// Half of alpha = smoothness + dimension / 2, if that is a small whole number: how often the operator is solved.
    pub fn solves(&self, dimension: usize) -> Option<usize> {
        let half = match self.smoothness {
            None => 1.0,
            Some(smoothness) => (smoothness + 0.5 * dimension as f64) / 2.0,
        };
        [1, 2, 3, 4].into_iter().find(|&n| (half - n as f64).abs() < 1e-9)
    }
}
