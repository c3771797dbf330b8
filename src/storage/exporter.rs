//! The formats of other programs: one file each, and a line here.
use super::reader::Reader;
use super::{csv, vtu, xdmf};
use crate::Result;
use std::path::{Path, PathBuf};

/// A format of other programs.
#[derive(Debug)]
pub struct Exporter {
    /// As the command line takes it, and the ending of its files.
    pub name: &'static str,
    /// What it is, for the command line.
    pub about: &'static str,
    /// Writes fields (all when none is named) at a step, sample or mode; returns what was written.
    pub export: fn(&Reader, &Path, &[String], Option<u64>) -> Result<Vec<PathBuf>>,
}

/// All of them, the usual one first.
pub const EXPORTERS: &[&Exporter] = &[&xdmf::EXPORTER, &csv::EXPORTER, &vtu::EXPORTER];
