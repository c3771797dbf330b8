//! Campaigns: designs of experiments and the many solves that follow from them.
mod adaptive;
mod attempts;
pub mod design;
mod fields;
mod groups;
pub mod guess;
mod hand_out;
pub mod order;
mod part;
mod run;
mod same;
mod samples;
mod transient;
mod tuning;
mod work;

pub use adaptive::{Adaptive, Choice};
pub use attempts::Attempts;
pub use design::{Design, Variable};
pub use fields::{describe, wanted};
pub use groups::Groups;
pub use hand_out::HandOut;
pub use part::{Part, Selection, datasets};
pub use run::{Campaign, SampleReport};
pub use same::same_for_training;
pub use samples::{campaign_samples, design_samples, named, read_table, variables};
pub use transient::solve_once;
pub use work::{Done, Work};
