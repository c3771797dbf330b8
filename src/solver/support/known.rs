//! What is known of the supports of a problem between solves.
use super::pieces::{FreeMotions, Pieces};

/// What is known of the supports of a problem.
pub(crate) struct Support {
    pub(crate) pieces: Pieces,
    /// For which essential unknowns.
    pub(crate) fixed: Vec<bool>,
    /// Whether they hold everything.
    pub(crate) always: bool,
    pub(crate) free: Option<FreeMotions>,
}
