//! The formats of other programs: one file each, and a line here.
use super::exporter::Exporter;
use super::{csv, vtu, xdmf};

/// All of them, the usual one first.
pub const EXPORTERS: &[&Exporter] = &[&xdmf::EXPORTER, &csv::EXPORTER, &vtu::EXPORTER];
