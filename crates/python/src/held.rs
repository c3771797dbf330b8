//! What the session frees at the end.

/// What the session knows of a slot.
pub trait Held {
    /// Frees what is in it; nothing happens the second time. Collective.
    fn close(&self);

    /// Whether Python has dropped the object. Local.
    fn is_dropped(&self) -> bool;
}
