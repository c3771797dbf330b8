//! Campaigns: designs of experiments and the many solves that follow from them.
pub mod design;

pub use design::{Design, Variable};
