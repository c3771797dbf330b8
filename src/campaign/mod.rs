//! Campaigns: designs of experiments and the many solves that follow from them.
mod adaptive;
pub mod design;
pub mod order;
mod part;
mod run;
mod samples;
mod transient;

pub use adaptive::{Adaptive, Choice};
pub use design::{Design, Variable};
pub use part::{Part, Selection, datasets};
pub use run::{Campaign, SampleReport};
pub use samples::{campaign_samples, design_samples, named, read_table, variables};
