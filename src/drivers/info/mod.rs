//! `tessera info`: what is in a file.
mod bases;
mod text;

use crate::error::Result;
use crate::format::{bytes, count};
use crate::report::Table;
use crate::storage::{Field, Location, Reader, Slab, Value};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use text::{line, section};

/// Numbers read at once.
const PIECE: u64 = 1 << 20;
/// Ranges of fields are found over at most so many numbers, so that large files answer soon.
const RANGE_LIMIT: u64 = 1 << 28;

/// Prints what is in a file, with the deck when `verbose`. Needs no MPI.
///
/// # Errors
/// [`crate::Error::Input`] when it is no HDF5 file.
pub fn run(file: &Path, verbose: bool) -> Result<()> {
    let text = describe(&Reader::open(file)?, verbose)?;
    // A reader that has seen enough and closed the pipe is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

/// What is in a file, as text.
///
/// # Errors
/// [`Error::Storage`](crate::Error::Storage) when the file is damaged.
pub fn describe(reader: &Reader, verbose: bool) -> Result<String> {
    let mut text = String::new();
    heading(reader, &mut text)?;
    mesh(reader, &mut text)?;
    samples(reader, &mut text)?;
    parameters(reader, &mut text)?;
    fields(reader, &mut text)?;
    bases::bases(reader, &mut text)?;
    bases::sampled(reader, &mut text)?;
    bases::points(reader, &mut text)?;
    quantities(reader, &mut text)?;
    log(reader, &mut text)?;
    others(reader, &mut text)?;
    let deck = reader.text("/", "deck")?;
    if verbose && !deck.is_empty() {
        let _ = write!(text, "\ndeck\n{}\n", indented(&deck));
    }
    Ok(text)
}

fn indented(deck: &str) -> String {
    deck.lines().map(|l| format!("  {l}")).collect::<Vec<_>>().join("\n")
}

fn heading(reader: &Reader, text: &mut String) -> Result<()> {
    let what = match reader.text("/", "schema")?.as_str() {
        "tessera-run" => "result of a run".to_string(),
        "tessera-dataset" => "samples of a campaign".to_string(),
        "tessera-model" if reader.exists("/sampled") => "reduced model with sampled integrals".to_string(),
        "tessera-model" if reader.exists("/bases") => "bases of fields".to_string(),
        "tessera-model" => "reduced model".to_string(),
        "tessera-points" => "points of a deck".to_string(),
        "tessera-grid" => "samples on a regular grid".to_string(),
        "tessera-network" => "functions that experts have learned".to_string(),
        "tessera-mesh" => "mesh".to_string(),
        "tessera-checkpoint" => "checkpoint of a run".to_string(),
        "" => "HDF5 file that does not say what it is".to_string(),
        other => other.to_string(),
    };
    let size = std::fs::metadata(reader.path()).map_or(0.0, |m| m.len() as f64);
    let _ = writeln!(text, "{}: {what}, {}", reader.path().display(), bytes(size));
    let root = |name: &str| reader.text("/", name);
    line(text, "title", &root("title")?);
    let (date, program) = (root("created")?, root("created_by")?);
    line(text, "created", &[date, program].join(" by ").replace("tessera ", "Tessera "));
    let mut made: Vec<String> = Vec::new();
    for (name, unit) in [("ranks", "rank"), ("experts", "expert")] {
        match reader.get("/", name)? {
            Some(Value::Integer(1)) => made.push(format!("1 {unit}")),
            Some(Value::Integer(number)) if number > 0 => made.push(format!("{number} {unit}s")),
            _ => {}
        }
    }
    let petsc = root("petsc_version")?;
    if !petsc.is_empty() {
        made.push(format!("PETSc {petsc}"));
    }
    line(text, "made with", &made.join(", "));
    line(text, "options", &root("petsc_options")?);
    Ok(())
}

fn mesh(reader: &Reader, text: &mut String) -> Result<()> {
    if !reader.exists("/mesh/topology") {
        return Ok(());
    }
    let rows = |path: &str| Ok::<_, crate::Error>(reader.shape(path)?.first().copied().unwrap_or(0));
    let (vertices, cells) = (rows("/mesh/geometry")?, rows("/mesh/topology")?);
    let (kind, source) = (reader.text("/mesh", "cell_type")?, reader.text("/mesh", "source")?);
    let from = if source.is_empty() { source } else { format!(" (from {source})") };
    let cells = format!("{} cells ({kind}), {} vertices{from}", count(cells), count(vertices));
    line(text, "mesh", &cells);
    if reader.exists("/spaces/2/coordinates") {
        line(text, "", &format!("{} nodes of degree 2", count(rows("/spaces/2/coordinates")?)));
    }
    for (name, path) in [("regions", "/mesh/cell_markers"), ("markers", "/mesh/facet_markers")] {
        if !reader.exists(path) {
            continue;
        }
        let names = reader.texts(path, "names")?;
        let mut numbers = vec![0u64; names.len()];
        pieces(reader, path, &[rows(path)?], |part: &[i32]| {
            for &marker in part {
                if let Some(n) = usize::try_from(marker).ok().and_then(|m| numbers.get_mut(m)) {
                    *n += 1;
                }
            }
        })?;
        let list: Vec<String> =
            names.iter().zip(&numbers).map(|(name, &n)| format!("{name} ({})", count(n))).collect();
        line(text, name, &list.join(", "));
    }
    Ok(())
}

fn samples(reader: &Reader, text: &mut String) -> Result<()> {
    if !reader.exists("/status") {
        return Ok(());
    }
    let codes = reader.array::<u8>("/status")?.1;
    let number = |code: u8| codes.iter().filter(|&&c| c == code).count();
    let (done, failed) = (number(1), number(2));
    let pending = codes.len() - done - failed;
    let part = reader.text("/", "part")?;
    line(text, "part", &if part.is_empty() { part } else { format!("{part} of the campaign") });
    line(text, "samples", &format!("{}: {done} done, {failed} failed, {pending} pending", codes.len()));
    if reader.exists("/steps") && done > 0 {
        let steps = reader.array::<u64>("/steps")?.1;
        let steps = || steps.iter().zip(&codes).filter(|(_, code)| **code == 1).map(|(&steps, _)| steps);
        let (least, most) = (steps().min().unwrap_or(0), steps().max().unwrap_or(0));
        line(text, "moments", &format!("{least} to {most} a sample, of every step"));
    }
    if reader.exists("/cost/time") && done > 0 {
        let times = reader.array::<f64>("/cost/time")?.1;
        let sum: f64 = times.iter().zip(&codes).filter(|(_, c)| **c == 1).map(|(t, _)| t).sum();
        line(text, "cost", &format!("{} a sample", crate::format::duration(sum / done as f64)));
    }
    Ok(())
}

fn parameters(reader: &Reader, text: &mut String) -> Result<()> {
    if !reader.exists("/parameters") {
        return Ok(());
    }
    let (shape, values) = reader.array::<f64>("/parameters")?;
    let (names, units) = (reader.texts("/parameters", "names")?, reader.texts("/parameters", "units")?);
    let width = shape.get(1).copied().unwrap_or(1) as usize;
    let one = shape.first() == Some(&1);
    let ranges = if reader.exists("/ranges") { reader.array::<f64>("/ranges")?.1 } else { Vec::new() };
    let mut table = if one && !ranges.is_empty() {
        Table::new(&["parameter", "value", "smallest", "largest", "unit"])
    } else if one {
        Table::new(&["parameter", "value", "unit"])
    } else {
        Table::new(&["parameter", "smallest", "largest", "unit"])
    };
    for c in 0..width {
        let name = names.get(c).cloned().unwrap_or(c.to_string());
        let unit = units.get(c).cloned().unwrap_or_default();
        let column = values.chunks_exact(width).map(|row| row[c]);
        let (low, high) = column.fold(EMPTY, widened);
        if let (true, Some(&[least, most])) = (one, ranges.get(2 * c..2 * c + 2)) {
            table.row(&[name, number(low), number(least), number(most), unit]);
        } else if one {
            table.row(&[name, number(low), unit]);
        } else {
            table.row(&[name, number(low), number(high), unit]);
        }
    }
    section(text, &table);
    Ok(())
}

fn fields(reader: &Reader, text: &mut String) -> Result<()> {
    let mut table = Table::new(&["field", "at", "values", "smallest", "largest", "unit", "meaning"]);
    for (field, steps) in reader.fields()? {
        // Of samples only those that are done mean something.
        let valid = reader.stored(steps)?;
        let each = field.entities * field.components as u64;
        let affordable = (RANGE_LIMIT / each.max(1)).max(1) as usize;
        let chosen = &valid[valid.len().saturating_sub(affordable)..];
        let (low, high) = range(reader, &field, chosen)?;
        let mut values = if steps == 1 { String::new() } else { format!("{steps} x ") };
        values += &count(field.entities);
        if field.components > 1 {
            values += &format!(" x {}", field.components);
        }
        let what = if matches!(field.components, 2 | 3) { "magnitude; " } else { "" };
        let meaning = format!("{what}{}", field.meaning);
        let at = place(&field);
        let meaning = meaning.trim_end_matches("; ").to_string();
        table.row(&[field.name, at, values, number(low), number(high), field.unit, meaning]);
    }
    section(text, &table);
    Ok(())
}

fn place(field: &Field) -> String {
    match field.location {
        Location::Nodes { degree: 1 } => "vertices".into(),
        Location::Nodes { degree } => format!("nodes, degree {degree}"),
        Location::Cells => "cells".into(),
    }
}

/// Smallest and largest value over steps: of the magnitude for vectors, of all components otherwise.
fn range(reader: &Reader, field: &Field, steps: &[u64]) -> Result<(f64, f64)> {
    let width = field.components;
    let mut range = EMPTY;
    for &step in steps {
        let path = crate::storage::field_path(&field.name);
        let mut first = 0;
        while first < field.entities {
            let rows = (PIECE / width.max(1) as u64).max(1).min(field.entities - first);
            let part = reader.field_rows(&path, step, first, rows)?;
            range = if matches!(width, 2 | 3) {
                let norms = part.chunks_exact(width).map(|v| v.iter().map(|x| x * x).sum::<f64>().sqrt());
                norms.fold(range, widened)
            } else {
                part.into_iter().fold(range, widened)
            };
            first += rows;
        }
    }
    Ok(range)
}

/// The range of no values.
const EMPTY: (f64, f64) = (f64::INFINITY, f64::NEG_INFINITY);

/// A range with one more value; values that are not numbers are left out.
fn widened((low, high): (f64, f64), value: f64) -> (f64, f64) {
    (low.min(value), high.max(value))
}

/// Six digits are what one can take in; the file has all.
fn number(value: f64) -> String {
    match value.abs() {
        v if v.is_infinite() => "-".into(),
        v if v == 0.0 || (1e-3..1e6).contains(&v) => {
            let digits = 6 - 1 - (v.max(1e-3).log10().floor() as i32);
            let text = format!("{value:.*}", digits.clamp(0, 8) as usize);
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
        }
        _ => format!("{value:.5e}"),
    }
}

fn quantities(reader: &Reader, text: &mut String) -> Result<()> {
    let mut table = Table::new(&["quantity", "value", "to", "unit", "meaning"]);
    for name in reader.members("/qoi") {
        let path = format!("/qoi/{name}");
        let values = reader.array::<f64>(&path)?.1;
        let (low, high) = values.iter().copied().fold(EMPTY, widened);
        let to = if high > low { number(high) } else { String::new() };
        table.row(&[name, number(low), to, reader.text(&path, "unit")?, reader.text(&path, "meaning")?]);
    }
    section(text, &table);
    Ok(())
}

fn log(reader: &Reader, text: &mut String) -> Result<()> {
    if reader.exists("/log/phases") {
        let (shape, values) = reader.array::<f64>("/log/phases")?;
        let names = reader.texts("/log/phases", "names")?;
        let width = shape.get(1).copied().unwrap_or(1) as usize;
        let mut table = Table::new(&["wall time", "s", "%"]);
        for (name, row) in names.iter().zip(values.chunks_exact(width.max(1))) {
            if let (false, Some(seconds), Some(percent)) = (name.contains('/'), row.get(1), row.get(4)) {
                table.row(&[name.clone(), format!("{seconds:.3}"), format!("{percent:.1}")]);
            }
        }
        section(text, &table);
    }
    if reader.exists("/log/memory")
        && let [least, most, sum] = reader.array::<f64>("/log/memory")?.1[..]
    {
        let (least, most, sum) = (bytes(least), bytes(most), bytes(sum));
        let _ = writeln!(text, "\npeak memory {least} to {most} a rank, {sum} in all");
    }
    for warning in reader.texts("/log", "warnings")? {
        let _ = writeln!(text, "warning: {warning}");
    }
    Ok(())
}

/// Datasets that nothing above tells of.
fn others(reader: &Reader, text: &mut String) -> Result<()> {
    const KNOWN: [&str; 17] = [
        "/mesh/",
        "/spaces/",
        "/partition/",
        "/fields/",
        "/basis/",
        "/qoi/",
        "/parameters",
        "/sample",
        "/status",
        "/cost/",
        "/time",
        "/steps",
        "/bases/",
        "/points/",
        "/ranges",
        "/log/phases",
        "/log/memory",
    ];
    let mut table = Table::new(&["other data", "shape", "meaning"]);
    for path in reader.datasets("/") {
        if !KNOWN.iter().any(|k| path.starts_with(k)) {
            let shape: Vec<String> = reader.shape(&path)?.iter().map(u64::to_string).collect();
            let meaning = reader.text(&path, "meaning")?;
            table.row(&[path, shape.join(" x "), meaning]);
        }
    }
    section(text, &table);
    Ok(())
}

/// Calls `work` with successive parts of a list.
fn pieces(reader: &Reader, path: &str, shape: &[u64; 1], mut work: impl FnMut(&[i32])) -> Result<()> {
    let mut first = 0;
    while first < shape[0] {
        let count = PIECE.min(shape[0] - first);
        work(&reader.slab::<i32>(path, &Slab { start: vec![first], count: vec![count] })?);
        first += count;
    }
    Ok(())
}
