//! physics.
