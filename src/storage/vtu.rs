//! VTU: one step of the fields as a file of its own, for tools that do not read HDF5.
//!
//! Numbers are appended as raw little-endian bytes; see the VTK file formats,
//! <https://docs.vtk.org/en/latest/design_documents/VTKFileFormats.html>.
use super::content::{Array, Content};
use super::exporter::Exporter;
use super::reader::Reader;
use crate::error::{Error, Result};
use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Positions in our symmetric tensors (xx, xy, xz, yy, yz, zz) of VTK's components (xx, yy, zz, xy, yz, xz).
const SYMMETRIC: [usize; 6] = [0, 3, 5, 1, 4, 2];

/// The format.
pub const EXPORTER: Exporter =
    Exporter { name: "vtu", about: "One step as a VTK file of its own", export: export_vtu };

/// Writes one step, sample or mode (the last when none is named) of the fields in `names`, or of all, to
/// `target`; returns what was written.
///
/// # Errors
/// [`Error::Input`] when there is no such field, step or done sample, or no mesh.
fn export_vtu(reader: &Reader, target: &Path, names: &[String], step: Option<u64>) -> Result<Vec<PathBuf>> {
    let content = Content::read(reader, names)?;
    let step = if content.arrays.is_empty() { 0 } else { content.step(reader, step)? };
    let mut blocks = Vec::new();
    let head = header(&content, &mut blocks);
    let partial = target.with_extension("vtu.partial");
    let failed =
        |e: std::io::Error| Error::storage(format!("{}: cannot write: {e}", target.display())).because(e);
    let write = || -> Result<()> {
        let mut out = BufWriter::new(std::fs::File::create(&partial).map_err(failed)?);
        out.write_all(head.as_bytes()).map_err(failed)?;
        for block in &blocks {
            out.write_all(&block.bytes.to_le_bytes()).map_err(failed)?;
            block.write(reader, &content, step, &mut |bytes| out.write_all(bytes).map_err(failed))?;
        }
        out.write_all(b"\n</AppendedData>\n</VTKFile>\n").map_err(failed)?;
        out.flush().map_err(failed)
    };
    let written = write().and_then(|()| std::fs::rename(&partial, target).map_err(failed));
    if written.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    written.map(|()| vec![target.to_path_buf()])
}

/// What an appended block holds.
enum Source<'a> {
    Points,
    Connectivity,
    Offsets,
    Types,
    Marker(&'static str),
    Field(&'a Array),
}

struct Block<'a> {
    source: Source<'a>,
    bytes: u64,
}

/// The XML before the numbers; collects the blocks that follow it.
fn header<'a>(content: &'a Content, blocks: &mut Vec<Block<'a>>) -> String {
    let degree = content.degree();
    let (nodes, cells) = (content.nodes[degree - 1], content.cells);
    let mut offset = 0;
    let mut array = |text: &mut String, kind: &str, name: &str, width: u64, rows: u64, size: u64, source| {
        let name = name.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let _ = writeln!(
            text,
            "<DataArray type=\"{kind}\" Name=\"{name}\" NumberOfComponents=\"{width}\" format=\"appended\" \
             offset=\"{offset}\"/>"
        );
        let bytes = width * rows * size;
        offset += bytes + 8;
        blocks.push(Block { source, bytes });
    };
    let mut text = String::from(
        "<?xml version=\"1.0\"?>\n<VTKFile type=\"UnstructuredGrid\" version=\"1.0\" \
         byte_order=\"LittleEndian\" header_type=\"UInt64\">\n<UnstructuredGrid>\n",
    );
    let _ = writeln!(text, "<Piece NumberOfPoints=\"{nodes}\" NumberOfCells=\"{cells}\">\n<Points>");
    array(&mut text, "Float64", "Points", 3, nodes, 8, Source::Points);
    text += "</Points>\n<Cells>\n";
    let per_cell = content.shapes[degree - 1].nodes;
    array(&mut text, "Int64", "connectivity", 1, per_cell * cells, 8, Source::Connectivity);
    array(&mut text, "Int64", "offsets", 1, cells, 8, Source::Offsets);
    array(&mut text, "UInt8", "types", 1, cells, 1, Source::Types);
    text += "</Cells>\n<PointData>\n";
    for field in content.arrays.iter().filter(|a| a.degree().is_some()) {
        array(&mut text, "Float64", &field.field.name, width(field), nodes, 8, Source::Field(field));
    }
    text += "</PointData>\n<CellData>\n";
    for field in content.arrays.iter().filter(|a| a.degree().is_none()) {
        array(&mut text, "Float64", &field.field.name, width(field), cells, 8, Source::Field(field));
    }
    for &(name, path, _) in &content.markers {
        array(&mut text, "Int32", name, 1, cells, 4, Source::Marker(path));
    }
    text += "</CellData>\n</Piece>\n</UnstructuredGrid>\n<AppendedData encoding=\"raw\">\n_";
    text
}

/// Components in the file: vectors of two get a third, as VTK's vectors have three.
fn width(array: &Array) -> u64 {
    if array.field.components == 2 { 3 } else { array.field.components as u64 }
}

impl Block<'_> {
    /// Hands the numbers to `out`, piece by piece.
    fn write(
        &self,
        reader: &Reader,
        content: &Content,
        step: u64,
        out: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let degree = content.degree();
        let (coordinates, topology) = content.grid(degree);
        let shape = content.shapes[degree - 1];
        match self.source {
            Source::Points => {
                let size = (content.nodes[degree - 1], content.dimension);
                Content::in_pieces(reader, coordinates, None, size, |part| {
                    out(&bytes(padded(part, content.dimension as usize), f64::to_le_bytes))
                })
            }
            Source::Connectivity => {
                let size = (content.cells, shape.nodes);
                Content::in_pieces(reader, topology, None, size, |part: &[i64]| {
                    out(&bytes(part.iter().copied(), i64::to_le_bytes))
                })
            }
            Source::Offsets => (1..=content.cells).try_for_each(|c| out(&(c * shape.nodes).to_le_bytes())),
            Source::Types => (0..content.cells).try_for_each(|_| out(&[shape.vtk])),
            Source::Marker(path) => {
                Content::in_pieces(reader, path, None, (content.cells, 1), |part: &[i32]| {
                    out(&bytes(part.iter().copied(), i32::to_le_bytes))
                })
            }
            Source::Field(array) => {
                let components = array.field.components;
                let entities = content.entities(array, degree).unwrap_or(0);
                let size = (entities, components as u64);
                Content::in_pieces(reader, &array.path, Some(step), size, |part: &[f64]| match components {
                    2 => out(&bytes(padded(part, 2), f64::to_le_bytes)),
                    6 => {
                        let reordered = part.chunks_exact(6).flat_map(|t| SYMMETRIC.map(|i| t[i]));
                        out(&bytes(reordered, f64::to_le_bytes))
                    }
                    _ => out(&bytes(part.iter().copied(), f64::to_le_bytes)),
                })
            }
        }
    }
}

/// Points or vectors with three coordinates, those beyond the first `d` zero.
fn padded(values: &[f64], d: usize) -> impl Iterator<Item = f64> {
    values.chunks_exact(d).flat_map(move |p| (0..3).map(move |i| if i < d { p[i] } else { 0.0 }))
}

fn bytes<T, const N: usize>(values: impl Iterator<Item = T>, encode: fn(T) -> [u8; N]) -> Vec<u8> {
    values.flat_map(encode).collect()
}
