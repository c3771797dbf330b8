//! Campaigns: designs of experiments and the many solves that follow from them.
pub mod design;
pub mod guess;
mod part;
mod run;
mod samples;

pub use design::{Design, Variable};
pub use part::{Part, Selection, datasets};
pub use run::{Campaign, SampleReport};
pub use samples::{campaign_samples, design_samples, named, read_table, variables};
