//! Lines and tables.
use crate::report::Table;
use std::fmt::Write as _;

/// A line with a name, if there is something to say.
pub(super) fn line(text: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        let _ = writeln!(text, "{name:<12}{value}");
    }
}

/// A table with a free line before it, if it has rows.
pub(super) fn section(text: &mut String, table: &Table) {
    if !table.is_empty() {
        let _ = write!(text, "\n{table}");
    }
}
