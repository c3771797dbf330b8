//! What a deck says of recycled Krylov spaces.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Memory of the linear solver from one system to the next: samples of a campaign, time steps, Newton steps. The
/// few directions that were slow in one system are solved for beforehand in the next. Worth it where the matrices
/// are similar and an iteration is expensive or iterations are many. It takes the place of PETSc's Krylov method; the
/// preconditioner stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RecycleOptions {
    /// Which method.
    pub method: RecycleKind,
    /// Vectors that are remembered; 0 remembers nothing.
    #[schemars(range(max = 1000))]
    pub dimension: usize,
    /// Vectors of a cycle, the remembered ones among them; more than `dimension`. GCRO-DR restarts after it, deflated
    /// CG chooses what to remember.
    #[schemars(range(min = 1, max = 10_000))]
    pub restart: usize,
}

impl Default for RecycleOptions {
    fn default() -> Self {
        Self { method: RecycleKind::Off, dimension: 20, restart: 40 }
    }
}

impl RecycleOptions {
    /// Whether anything is recycled.
    pub fn is_on(&self) -> bool {
        self.method != RecycleKind::Off
    }

    /// For decks that say nothing of it.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Kinds of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecycleKind {
    /// PETSc's Krylov method, without memory.
    Off,
    /// `"cg"` for symmetric problems, else `"gcro_dr"`.
    Auto,
    /// GCRO-DR, for any matrix and preconditioner.
    GcroDr,
    /// Deflated conjugate gradients, for symmetric positive definite matrices and preconditioners.
    Cg,
}
