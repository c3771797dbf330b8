//! Words that stand for one of a few things.
use crate::errors::wrong;
use tessera::Result;
use tessera::deck::{ConstraintLevel, Norm, either};
use tessera::sensitivity::Method;

pub const LEVELS: &[(&str, ConstraintLevel)] = &[
    ("none", ConstraintLevel::None),
    ("boundary", ConstraintLevel::Boundary),
    ("conservation", ConstraintLevel::Conservation),
    ("residual", ConstraintLevel::Residual),
    ("coupled", ConstraintLevel::Coupled),
    ("exact", ConstraintLevel::Exact),
];

pub const NORMS: &[(&str, Norm)] = &[
    ("energy", Norm::Energy),
    ("mass", Norm::Mass),
    ("euclidean", Norm::Euclidean),
    ("variance", Norm::Variance),
];

pub const METHODS: &[(&str, Method)] = &[("adjoint", Method::Adjoint), ("tangent", Method::Tangent)];

/// What a word stands for.
///
/// # Errors
/// For other words.
pub fn chosen<T: Copy>(what: &str, word: &str, choices: &[(&str, T)]) -> Result<T> {
    choices.iter().find(|(name, _)| *name == word).map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        wrong(format!("{what}: expected {}, found \"{word}\"", either(&names)))
    })
}
