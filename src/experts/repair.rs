//! What a repair found and did.
use crate::deck::{ConstraintLevel, Norm};
use std::ops::Range;

/// What the layer found and did. Lists hold this rank's experts, `[expert, component]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Repair {
    /// The level that was asked for.
    pub level: ConstraintLevel,
    /// The norm of `distance`.
    pub weight: Norm,
    /// This rank's experts.
    pub experts: Range<u32>,
    /// Components of the field.
    pub components: usize,
    /// Imbalance of each expert and component before, in the unit of the load (W, N, kg/s).
    pub before: Vec<f64>,
    /// The same afterwards.
    pub after: Vec<f64>,
    /// Gross exchange of each expert and component, to which the imbalances are compared.
    pub exchange: Vec<f64>,
    /// Largest relative imbalance of any expert before.
    pub worst_before: f64,
    /// The same afterwards.
    pub worst_after: f64,
    /// What known rows lack before and after, in the unit of the row.
    pub known: Vec<[f64; 2]>,
    /// Multipliers of the balances, the prices at which their loads move the repaired state (level `conservation`).
    pub multipliers: Vec<f64>,
    /// Largest error of an essential value before, in the unit of the field.
    pub boundary_before: f64,
    /// The same afterwards.
    pub boundary_after: f64,
    /// Euclidean norm of the residual on the free unknowns before, with the essential values set, and afterwards.
    pub residual: [f64; 2],
    /// Of each expert the length of its weighted rows at the prediction and at its own state (level `residual`).
    pub least: Vec<[f64; 2]>,
    /// How far the free unknowns moved, in the chosen norm.
    pub distance: f64,
    /// The same relative to the norm of the repaired state.
    pub relative_distance: f64,
    /// The largest jump between two experts at a port, in the unit of the field (level `coupled` with ports).
    pub jump: f64,
    /// Of a window of steps: the imbalance of the worst expert over the whole window relative to what it exchanges meanwhile, before
    /// and afterwards.
    pub window: Option<[f64; 2]>,
    /// Iterations: of the multipliers, of Newton's method, of the slowest expert, or of the Schwarz method for level `exact`.
    pub iterations: usize,
    /// How many equations were solved from the run's own first guess, as Newton's method did not find their solution from
    /// the prediction (level `exact` in time).
    pub anew: usize,
    /// Wall time on the slowest rank, s.
    pub seconds: f64,
}
