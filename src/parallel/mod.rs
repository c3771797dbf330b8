//! The few collective operations that everything else is written with.
//!
//! Every function here is collective over the communicator unless it says otherwise.
mod comm;
mod redistribution;
mod session;

pub use comm::{Comm, block, block_owner, initialize};
pub use redistribution::Redistribution;
pub use session::{abort_all_on_panic, print, run, set_threads, with_petsc};
