//! Campaigns: designs of experiments and the many solves that follow from them.
mod adaptive;
mod attempts;
mod dataset;
pub mod design;
mod fields;
mod groups;
mod guard_file;
mod hand_out;
mod leader;
pub mod memory;
mod observer;
pub mod order;
mod part;
mod run;
mod same;
mod samples;
mod solutions;
mod transient;
mod tuning;
mod work;

pub use adaptive::{Adaptive, Choice};
pub use attempts::Attempts;
pub use design::{Design, Variable};
pub use fields::{describe, wanted};
pub use groups::Groups;
pub use hand_out::HandOut;
pub use leader::{Leader, Retrained};
pub use observer::{Failures, SampleObserver, SampleReport, failure};
pub use part::{Part, Selection, datasets};
pub use run::Campaign;
pub use same::{same_for_learning, same_for_training};
pub use samples::{
    campaign_samples, complete, covering_samples, design_samples, held, named, read_table, variables,
};
pub use solutions::Solution;
pub use transient::{Integrated, integrate, solve_once, times};
pub use work::{Done, Work};
