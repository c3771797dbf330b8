//! Checkpoints: where they lie, when they are due, and whether a deck may go on from one.
//!
//! What stands in them is the business of those who remember it, see [`crate::memory`].
mod archive;
mod compare;
mod control;
mod folder;
mod schedule;
mod signals;

pub use archive::{Place, Saved, size};
pub use compare::{compare, differences};
pub use control::Requests;
pub use folder::{Folder, Restart};
pub use schedule::Schedule;
pub use signals::Signals;
