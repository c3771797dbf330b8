//! fem.
