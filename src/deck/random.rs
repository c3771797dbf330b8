//! `[random.NAME]`: Gaussian random fields.
use indexmap::IndexMap;
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
    /// Smoothness nu, such as 0.5 for the covariance exp(-2 r / range); alpha = nu + dimension / 2 is at most 8. Best is an
    /// even alpha, one solve for two of it; others take about ten to fifteen solves more. If left out, that of alpha = 2:
    /// 1.5, 1, 0.5 in one, two and three dimensions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub smoothness: Option<f64>,
    /// Standard deviation.
    #[serde(default = "one")]
    #[schemars(range(min = 0.0))]
    pub deviation: f64,
    /// Cuts the Karhunen-Loeve expansion off after that many terms, those of largest variance; the dataset of a campaign
    /// keeps their coefficients. All that the mesh resolves if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4096))]
    pub terms: Option<usize>,
    /// Correlation with other random fields by name, at every wave length; fields of one kind, range and smoothness have it
    /// at every point as well.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub correlation: IndexMap<String, Correlation>,
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
    /// Cuts the Karhunen-Loeve expansion off after that many terms, those of largest variance; the dataset of a campaign
    /// keeps their coefficients. All that the mesh resolves if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4096))]
    pub terms: Option<usize>,
    /// Correlation with other random fields by name, at every wave length; fields of one kind, range and smoothness have it
    /// at every point as well.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub correlation: IndexMap<String, Correlation>,
    /// Seed of the draws.
    #[serde(default)]
    #[schemars(range(max = 9_223_372_036_854_775_807_u64))]
    pub seed: u64,
}

fn one() -> f64 {
    1.0
}

/// Correlation of two random fields.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Correlation(#[schemars(range(min = -1.0, max = 1.0))] pub f64);

impl RandomField {
    /// Its correlations with others.
    pub fn correlation(&self) -> &IndexMap<String, Correlation> {
        match self {
            Self::Matern(matern) => &matern.correlation,
            Self::Spectral(spectral) => &spectral.correlation,
        }
    }

    /// Seed of its draws.
    pub fn seed(&self) -> u64 {
        match self {
            Self::Matern(matern) => matern.seed,
            Self::Spectral(spectral) => spectral.seed,
        }
    }

    /// Terms of its Karhunen-Loeve expansion, if it is cut off.
    pub fn terms(&self) -> Option<usize> {
        match self {
            Self::Matern(matern) => matern.terms,
            Self::Spectral(spectral) => spectral.terms,
        }
    }
}

impl Matern {
    /// Smoothness nu, 2 - dimension / 2 if left out.
    pub fn smoothness(&self, dimension: usize) -> f64 {
        self.smoothness.unwrap_or(2.0 - 0.5 * dimension as f64)
    }

    /// Half of alpha = smoothness + dimension / 2: its whole part, how often the operator is solved, and the rest.
    pub fn power(&self, dimension: usize) -> (usize, f64) {
        let half = (self.smoothness(dimension) + 0.5 * dimension as f64) / 2.0;
        match half.round() {
            whole if (half - whole).abs() < 1e-9 => (whole as usize, 0.0),
            _ => (half.floor() as usize, half.fract()),
        }
    }
}

/// The lower triangular Cholesky factor of the correlations between fields, in their order; `None` when all are
/// independent.
///
/// # Errors
/// The number of the first field whose correlations contradict those of the fields before it.
pub fn correlation_factor(fields: &IndexMap<String, RandomField>) -> Result<Option<Vec<Vec<f64>>>, usize> {
    if fields.values().all(|field| field.correlation().is_empty()) {
        return Ok(None);
    }
    let given = |i: usize, j: usize| {
        let (name, _) = fields.get_index(j)?;
        fields[i].correlation().get(name).map(|c| c.0)
    };
    let mut factor: Vec<Vec<f64>> = Vec::new();
    for i in 0..fields.len() {
        let mut row: Vec<f64> = Vec::new();
        for j in 0..i {
            let inner: f64 = row.iter().zip(&factor[j]).map(|(a, b)| a * b).sum();
            let correlation = given(i, j).or_else(|| given(j, i)).unwrap_or(0.0);
            row.push((correlation - inner) / factor[j][j]);
        }
        let rest = 1.0 - row.iter().map(|a| a * a).sum::<f64>();
        if rest < 1e-12 {
            return Err(i);
        }
        row.push(rest.sqrt());
        factor.push(row);
    }
    Ok(Some(factor))
}
