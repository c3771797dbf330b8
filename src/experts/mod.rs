//! experts.
