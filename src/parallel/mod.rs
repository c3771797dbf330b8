//! The few collective operations that everything else is written with.
//!
//! Every function here is collective over the communicator unless it says otherwise.
mod comm;
mod redistribution;

pub use comm::{Comm, block, block_owner, initialize};
pub use redistribution::Redistribution;
