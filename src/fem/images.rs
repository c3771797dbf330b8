//! Nodes of a periodic mesh that are images of others.
use super::space::Space;

/// The nodes of a periodic mesh cut open along its seams.
pub(super) struct Images {
    /// The space of the mesh that is cut open, on the same cells.
    pub open: Box<Space>,
    /// Canonical numbers of the images of the owned nodes in that space, increasing.
    pub(super) ids: Vec<u64>,
    /// The owned node that each is an image of.
    pub(super) nodes: Vec<u32>,
}
