//! `[constraint]`.
use super::value::Scalar;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Hard constraint that repairs predictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConstraintSection {
    /// What the repaired field satisfies exactly.
    pub level: ConstraintLevel,
    /// Norm in which the repaired field is nearest to the prediction; if left out "variance" where a prediction comes with
    /// variances, else "energy" where the model has one (linear and symmetric), else "mass".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<Norm>,
    /// Quantities whose values are known, which the levels "boundary" and "conservation" satisfy too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<KnownQuantity>,
    /// What the experts of the level "residual" make least, and of the level "coupled" with ports.
    #[serde(skip_serializing_if = "LeastSquares::is_default")]
    pub least_squares: LeastSquares,
    /// Level "coupled": gives every expert a field of its own, which minimises the residual of its rows under its balances and
    /// what holds at the ports, where experts meet. Left out, fields are blended. In time step by step, or in several windows,
    /// only "strong".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Ports>,
    /// Ports "weak": number of modes of the jump at each port that vanish; 1 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub port_modes: Option<usize>,
    /// Runs in time at the levels "residual", and "coupled" with ports: repairs the steps of a run at once, cut into so many
    /// windows of steps, with functions in space and time (`tessera constrain --basis` of a model trained with the same
    /// `rom.windows`). One step goes to every frame of the prediction. Left out, steps are repaired one after the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub windows: Option<usize>,
}

/// What holds where two experts meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ports {
    /// Fields agree.
    Strong,
    /// A few modes of the jump vanish, and what flows out of one expert flows into the other.
    Weak,
    /// What flows out of one expert flows into the other.
    Flux,
}

impl Default for ConstraintSection {
    fn default() -> Self {
        Self {
            level: ConstraintLevel::None,
            weight: None,
            known: Vec::new(),
            least_squares: LeastSquares::default(),
            ports: None,
            port_modes: None,
            windows: None,
        }
    }
}

/// The objective of the level "residual" and of ports: of each expert `1/2 |W r|^2 + ridge/2 |w|^2` over its own rows `r`, with the
/// coefficients `w` of its functions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LeastSquares {
    /// Price of the coefficients, in the unit of the objective; 0 for none. It keeps an expert near the prediction.
    #[schemars(range(min = 0.0))]
    pub ridge: f64,
    /// Of each component, the size of a residual (per volume) that counts as 1, in the unit of the load; 1 for all if left
    /// out. Where the equations of the components have different units, what is least depends on it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scales: Vec<f64>,
    /// Share of the rows that count, each with one over it as the weight: drawn for each node by its number in the mesh, and
    /// so the same on any number of ranks.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub fraction: f64,
    /// Of steps in time, the price of what an expert's rows come to in every step, its balance, relative to that of the rows: a
    /// mean residual counts as so many times the same in every row. 0 for none.
    #[schemars(range(min = 0.0))]
    pub balances: f64,
    /// Seed of that draw.
    #[schemars(range(max = 9_223_372_036_854_775_807_u64))]
    pub seed: u64,
}

impl Default for LeastSquares {
    fn default() -> Self {
        Self { ridge: 0.0, scales: Vec::new(), fraction: 1.0, balances: 0.0, seed: 0 }
    }
}

impl LeastSquares {
    /// Whether it says nothing.
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A quantity whose value is known: a total mass, a mean, a measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownQuantity {
    /// Name of a quantity of the deck that is linear in a solution: an average, an integral or a value at a point.
    pub quantity: String,
    /// Its value: a number or an expression of the parameters, and of t in runs in time, in the unit of the quantity.
    pub value: Scalar,
}

/// Levels of constraint. One is greater than another where it includes it: "residual" includes "boundary", but neither
/// includes "conservation" nor "coupled" nor is included by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConstraintLevel {
    /// Leave predictions as they are.
    None,
    /// Essential conditions.
    Boundary,
    /// The balance of every expert.
    Conservation,
    /// Essential conditions, and for every expert by itself the least residual of its rows.
    Residual,
    /// Galerkin's equations on the experts' functions.
    Coupled,
    /// The discrete equations.
    Exact,
}

impl PartialOrd for ConstraintLevel {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let apart = |level: Self| matches!(level, Self::Conservation | Self::Coupled);
        match (*self, *other) {
            (Self::Residual, level) | (level, Self::Residual) if apart(level) => None,
            (level, other) => (level as u8).partial_cmp(&(other as u8)),
        }
    }
}

/// Inner products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// That of the model's bilinear form at the default parameters.
    Energy,
    /// L2.
    Mass,
    /// Of nodal values.
    Euclidean,
    /// Of nodal values, each over the predicted variance.
    Variance,
}
