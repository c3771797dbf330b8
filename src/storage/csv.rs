//! Tables of comma-separated values: points, cells, and one row for each run of quantities of interest.
use super::collective::Slab;
use super::content::{Array, Content};
use super::exporter::Exporter;
use super::reader::Reader;
use super::result::temporary;
use crate::error::{Error, Result};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Rows read at once: no field is ever held whole.
const PIECE: u64 = 1 << 16;

/// The format.
pub const EXPORTER: Exporter = Exporter {
    name: "csv",
    about: "Comma-separated values: points, cells, quantities of interest",
    export: export_csv,
};

/// Writes tables beside `target`: `<target>.points.csv` with the nodal fields and `<target>.cells.csv` with
/// those of the cells, at one step, sample or mode (the last when none is named), and
/// `<target>.quantities.csv` with parameters and quantities of interest of all. Of the fields in `names`, or
/// of all; returns what was written.
///
/// Fields of degree 2 beside such of degree 1 stand at the vertices.
///
/// # Errors
/// [`Error::Input`] when there is no such field, step or done sample.
fn export_csv(reader: &Reader, target: &Path, names: &[String], step: Option<u64>) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    if reader.exists("/mesh") {
        let content = Content::read(reader, names)?;
        let degree = content.degree();
        let nodal = |array: &&Array| array.degree().is_some();
        let points: Vec<&Array> = content.arrays.iter().filter(nodal).collect();
        let cells: Vec<&Array> = content.arrays.iter().filter(|a| a.degree().is_none()).collect();
        let step = if content.arrays.is_empty() { 0 } else { content.step(reader, step)? };
        if !points.is_empty() {
            let (coordinates, _) = content.grid(degree);
            let path = target.with_extension("points.csv");
            let columns = Columns { positions: Positions::Nodes(coordinates), arrays: &points, markers: &[] };
            table(reader, &path, &content, content.nodes[degree - 1], &columns, step)?;
            written.push(path);
        }
        if !cells.is_empty() || (names.is_empty() && !content.markers.is_empty()) {
            let path = target.with_extension("cells.csv");
            let vertices = reader.array::<f64>("/mesh/geometry")?.1;
            let columns =
                Columns { positions: Positions::Cells(&vertices), arrays: &cells, markers: &content.markers };
            table(reader, &path, &content, content.cells, &columns, step)?;
            written.push(path);
        }
    }
    if names.is_empty() && (reader.exists("/qoi") || reader.exists("/parameters")) {
        let path = target.with_extension("quantities.csv");
        quantities(reader, &path)?;
        written.push(path);
    }
    if written.is_empty() {
        return Err(Error::input(
            reader.path().display().to_string(),
            "holds nothing that a table could show",
        ));
    }
    Ok(written)
}

/// Where the rows of a table lie.
enum Positions<'a> {
    /// At nodes, with the path of their coordinates.
    Nodes(&'static str),
    /// At the centres of the cells, with the coordinates of all vertices.
    Cells(&'a [f64]),
}

struct Columns<'a> {
    positions: Positions<'a>,
    arrays: &'a [&'a Array],
    markers: &'a [(&'static str, &'static str, &'static str)],
}

/// Writes a table of `rows` nodes or cells.
fn table(
    reader: &Reader,
    path: &Path,
    content: &Content,
    rows: u64,
    columns: &Columns,
    step: u64,
) -> Result<()> {
    let d = content.dimension as usize;
    let mut heads: Vec<String> = ["x", "y", "z"][..d].iter().map(|x| x.to_string()).collect();
    heads.extend(columns.markers.iter().map(|m| m.0.to_string()));
    heads.extend(columns.arrays.iter().flat_map(|a| headings(a)));
    let mut out = Output::create(path)?;
    out.line(&heads)?;
    let corners = content.shapes[0].nodes;
    let mut first = 0;
    while first < rows {
        let count = PIECE.min(rows - first);
        let slab = |width: u64| Slab { start: vec![first, 0], count: vec![count, width] };
        // One list of `width` columns for each array, in the order of the headings.
        let mut blocks: Vec<(usize, Vec<f64>)> = Vec::new();
        blocks.push((
            d,
            match columns.positions {
                Positions::Nodes(path) => reader.slab(path, &slab(content.dimension))?,
                Positions::Cells(vertices) => {
                    centres(&reader.slab("/mesh/topology", &slab(corners))?, vertices, corners as usize, d)
                }
            },
        ));
        for (_, path, _) in columns.markers {
            blocks.push((1, reader.slab(path, &Slab { start: vec![first], count: vec![count] })?));
        }
        for array in columns.arrays {
            blocks.push((array.field.components, reader.field_rows(&array.path, step, first, count)?));
        }
        for row in 0..count as usize {
            let cells = blocks.iter().flat_map(|(width, values)| &values[row * width..(row + 1) * width]);
            out.line(&cells.map(f64::to_string).collect::<Vec<_>>())?;
        }
        first += count;
    }
    out.finish()
}

/// Means of the vertices of cells; a vertex that is not there makes it NaN.
fn centres(cells: &[u64], vertices: &[f64], corners: usize, d: usize) -> Vec<f64> {
    let coordinate = |v: u64, i: usize| vertices.get(v as usize * d + i).copied().unwrap_or(f64::NAN);
    cells
        .chunks_exact(corners)
        .flat_map(|cell| (0..d).map(|i| cell.iter().map(|&v| coordinate(v, i)).sum::<f64>() / corners as f64))
        .collect()
}

/// `name [unit]`, one for each component.
fn headings(array: &Array) -> Vec<String> {
    let field = &array.field;
    let unit = if field.unit.is_empty() { String::new() } else { format!(" [{}]", field.unit) };
    if field.components == 1 {
        return vec![format!("{}{unit}", field.name)];
    }
    let component = |c: usize| field.component_names.get(c).cloned().unwrap_or(c.to_string());
    (0..field.components).map(|c| format!("{} {}{unit}", field.name, component(c))).collect()
}

/// One row for each step or sample: status, parameters, quantities of interest.
fn quantities(reader: &Reader, path: &Path) -> Result<()> {
    let mut heads = vec![if reader.exists("/status") { "sample" } else { "step" }.to_string()];
    let mut columns: Vec<Vec<String>> = Vec::new();
    if reader.exists("/status") {
        heads.push("status".into());
        let (_, codes) = reader.array::<u8>("/status")?;
        let word = |code: &u8| {
            ["pending", "done", "failed", "not needed"].get(usize::from(*code)).copied().unwrap_or("?")
        };
        columns.push(codes.iter().map(|c| word(c).to_string()).collect());
    }
    let with_unit =
        |name: &str, unit: &str| if unit.is_empty() { name.to_string() } else { format!("{name} [{unit}]") };
    if reader.exists("/parameters") {
        let (shape, values) = reader.array::<f64>("/parameters")?;
        let (names, units) = (reader.texts("/parameters", "names")?, reader.texts("/parameters", "units")?);
        let width = shape.get(1).copied().unwrap_or(1) as usize;
        for c in 0..width {
            let name = names.get(c).cloned().unwrap_or(c.to_string());
            heads.push(with_unit(&name, units.get(c).map_or("", String::as_str)));
            columns.push(values.chunks_exact(width).map(|row| row[c].to_string()).collect());
        }
    }
    for name in reader.members("/qoi") {
        let place = format!("/qoi/{name}");
        let (shape, values) = reader.array::<f64>(&place)?;
        let width = shape.iter().skip(1).product::<u64>().max(1) as usize;
        for c in 0..width {
            let name = if width == 1 { name.clone() } else { format!("{name} {c}") };
            heads.push(with_unit(&name, &reader.text(&place, "unit")?));
            columns.push(values.chunks_exact(width).map(|row| row[c].to_string()).collect());
        }
    }
    let mut out = Output::create(path)?;
    out.line(&heads)?;
    for row in 0..columns.iter().map(Vec::len).max().unwrap_or(0) {
        let mut line = vec![row.to_string()];
        line.extend(columns.iter().map(|c| c.get(row).cloned().unwrap_or_default()));
        out.line(&line)?;
    }
    out.finish()
}

/// A table that is being written, under a temporary name.
struct Output {
    path: PathBuf,
    writer: BufWriter<std::fs::File>,
    complete: bool,
}

impl Output {
    fn create(path: &Path) -> Result<Self> {
        let file = std::fs::File::create(temporary(path))
            .map_err(|e| Error::storage(format!("{}: cannot create: {e}", path.display())).because(e))?;
        Ok(Self { path: path.to_path_buf(), writer: BufWriter::new(file), complete: false })
    }

    fn failed(&self) -> impl Fn(std::io::Error) -> Error + use<> {
        let path = self.path.display().to_string();
        move |e| Error::storage(format!("{path}: cannot write: {e}")).because(e)
    }

    /// A line; texts with commas or quotes are quoted (RFC 4180).
    fn line(&mut self, cells: &[String]) -> Result<()> {
        let quoted: Vec<String> =
            cells
                .iter()
                .map(|c| {
                    if c.contains([',', '"']) { format!("\"{}\"", c.replace('"', "\"\"")) } else { c.clone() }
                })
                .collect();
        let failed = self.failed();
        writeln!(self.writer, "{}", quoted.join(",")).map_err(failed)
    }

    fn finish(mut self) -> Result<()> {
        let failed = self.failed();
        self.writer
            .flush()
            .and_then(|()| std::fs::rename(temporary(&self.path), &self.path))
            .map_err(failed)?;
        self.complete = true;
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.complete {
            let _ = std::fs::remove_file(temporary(&self.path));
        }
    }
}
