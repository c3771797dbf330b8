//! What a format of another program is.
use super::reader::Reader;
use crate::Result;
use std::path::{Path, PathBuf};

/// From a file to others beside the target.
pub type Export = fn(&Reader, &Path, &[String], Option<u64>) -> Result<Vec<PathBuf>>;

/// A format of other programs.
#[derive(Debug)]
pub struct Exporter {
    /// As the command line takes it, and the ending of its files.
    pub name: &'static str,
    /// What it is, for the command line.
    pub about: &'static str,
    /// Writes fields (all when none is named) at a step, sample or mode; returns what was written.
    pub export: Export,
}
