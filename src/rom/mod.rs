//! rom.
