//! Checkpoints: where they lie, when they are due, and whether a deck may go on from one.
//!
//! What stands in them is the business of those who write them; see `drivers::evolve`.
mod compare;
mod folder;
mod schedule;
mod signals;

pub use compare::{compare, differences};
pub use folder::{Folder, Restart};
pub use schedule::Schedule;
pub use signals::Signals;
