//! XDMF: a small XML file beside the HDF5 file, through which ParaView and VisIt read it.
//!
//! All heavy data stay in the HDF5 file. Steps, samples and modes become a temporal collection. When all
//! nodal fields have degree 2 the grid has VTK's quadratic cells (`Tetrahedron_10`, ...) on the nodes of the
//! space; otherwise it is the mesh, and fields of degree 2 show their values at the vertices, which are the
//! first of their nodes; a second file `<name>.p2.xdmf` then has the quadratic cells and those fields.
//! See the XDMF model and format, <https://www.xdmf.org/index.php/XDMF_Model_and_Format>.
use super::content::{Array, Content};
use super::exporter::Exporter;
use super::field::lead;
use super::reader::Reader;
use crate::error::{Error, Result};
use crate::parallel::Comm;
use std::fmt::Write;
use std::path::{Component, Path, PathBuf};

/// Writes the XDMF beside a file that is closed, on rank 0; returns what was written. Collective.
///
/// # Errors
/// When the file holds no mesh, or the XDMF cannot be written.
pub fn write_xdmf(comm: &Comm, file: &Path) -> Result<Vec<PathBuf>> {
    let target = file.with_extension("xdmf");
    let written = if comm.rank() == 0 {
        Reader::open(file).and_then(|reader| export_xdmf(&reader, &target, &[], None))
    } else {
        Ok(Vec::new())
    };
    let mut paths = comm.agree(written)?;
    let second = comm.max(u8::from(paths.len() > 1)) == 1;
    if comm.rank() > 0 {
        paths.push(target.clone());
        paths.extend(second.then(|| quadratic_name(&target)));
    }
    Ok(paths)
}

/// The format.
pub const EXPORTER: Exporter = Exporter {
    name: "xdmf",
    about: "XDMF for ParaView: all steps or samples; points into the HDF5 file",
    export: export_xdmf,
};

/// Writes the XDMF of a file to `target`, of the fields in `names` or of all, of one step, sample or mode or of
/// all; returns what was written.
///
/// # Errors
/// [`Error::Input`] when the file holds no mesh, or not that field, step or done sample.
fn export_xdmf(reader: &Reader, target: &Path, names: &[String], step: Option<u64>) -> Result<Vec<PathBuf>> {
    let mut content = Content::read(reader, names)?;
    if step.is_some() {
        let only = content.step(reader, step)?;
        content.steps.retain(|s| s.0 == only);
    }
    let document =
        |degree| Document { content: &content, file: relative(reader.path(), target) }.text(degree);
    let main = content.degree();
    let mut written = vec![target.to_path_buf()];
    put(target, &document(main))?;
    if main == 1 && content.has(2) {
        let second = quadratic_name(target);
        put(&second, &document(2))?;
        written.push(second);
    }
    Ok(written)
}

fn quadratic_name(target: &Path) -> PathBuf {
    target.with_extension("p2.xdmf")
}

/// Replaces a file at once, so that a reader never sees half of it.
fn put(path: &Path, text: &str) -> Result<()> {
    let partial = path.with_extension("xdmf.partial");
    std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, path)).map_err(|e| {
        let _ = std::fs::remove_file(&partial);
        Error::storage(format!("{}: cannot write: {e}", path.display())).because(e)
    })
}

/// The text of an XDMF file.
struct Document<'a> {
    content: &'a Content,
    /// The HDF5 file as seen from the XDMF.
    file: String,
}

impl Document<'_> {
    /// The XDMF with the grid of that degree.
    fn text(&self, degree: usize) -> String {
        let mut text = String::from("<?xml version=\"1.0\" ?>\n<!DOCTYPE Xdmf SYSTEM \"Xdmf.dtd\" []>\n");
        text += "<Xdmf Version=\"3.0\">\n<Domain>\n";
        let name = escape(if self.content.title.is_empty() { "Tessera" } else { &self.content.title });
        let _ = writeln!(text, "<Grid Name=\"{name}\" GridType=\"Collection\" CollectionType=\"Temporal\">");
        for &(step, time) in &self.content.steps {
            let _ = writeln!(text, "<Grid Name=\"{step}\" GridType=\"Uniform\">\n<Time Value=\"{time}\"/>");
            self.mesh(&mut text, degree);
            for (name, path, number) in &self.content.markers {
                let item = self.item(path, &[self.content.cells], number, 4);
                attribute(&mut text, name, "Scalar", "Cell", &item);
            }
            for array in self.content.arrays.iter().filter(|a| step < a.steps) {
                self.field(&mut text, array, step, degree);
            }
            text += "</Grid>\n";
        }
        text += "</Grid>\n</Domain>\n</Xdmf>\n";
        text
    }

    fn mesh(&self, text: &mut String, degree: usize) {
        let (shape, per_cell) = (self.content.shapes[degree - 1].xdmf, self.content.shapes[degree - 1].nodes);
        let (points, topology) = self.content.grid(degree);
        let (nodes, d) = (self.content.nodes[degree - 1], self.content.dimension);
        // Readers know no unsigned numbers of eight bytes; HDF5 converts.
        let cells = self.item(topology, &[self.content.cells, per_cell], "Int", 8);
        let extra = if shape == "Polyline" { " NodesPerElement=\"2\"" } else { "" };
        let _ = writeln!(
            text,
            "<Topology TopologyType=\"{shape}\" NumberOfElements=\"{}\"{extra}>\n{cells}</Topology>",
            self.content.cells
        );
        let coordinates = if d == 1 {
            // XDMF has no points on a line: the other coordinates are zeros.
            let zeros = format!(
                "<DataItem Format=\"XML\" NumberType=\"Float\" Precision=\"8\" Dimensions=\"{nodes}\">\n{}\n\
                 </DataItem>\n",
                vec!["0"; nodes as usize].join(" ")
            );
            let x = self.slab(points, &[0, 0], &[nodes, 1], &[nodes, 1], &[nodes]);
            format!("<Geometry GeometryType=\"X_Y_Z\">\n{x}{zeros}{zeros}</Geometry>")
        } else {
            let kind = if d == 2 { "XY" } else { "XYZ" };
            let item = self.item(points, &[nodes, d], "Float", 8);
            format!("<Geometry GeometryType=\"{kind}\">\n{item}</Geometry>")
        };
        let _ = writeln!(text, "{coordinates}");
    }

    fn field(&self, text: &mut String, array: &Array, step: u64, degree: usize) {
        let (field, width) = (&array.field, array.field.components as u64);
        let Some(entities) = self.content.entities(array, degree) else { return };
        // Readers add a third component, zero, to vectors of two.
        let kind = match width {
            1 => "Scalar",
            2 | 3 => "Vector",
            6 => "Tensor6",
            9 => "Tensor",
            _ => "",
        };
        let lead = lead(&array.shape, step);
        let start = |component: u64| [&lead[..], &[0, component]].concat();
        let count = |components: u64| [&vec![1; lead.len()][..], &[entities, components]].concat();
        let centre = if array.degree().is_some() { "Node" } else { "Cell" };
        if !kind.is_empty() {
            let item = self.slab(&array.path, &start(0), &count(width), &array.shape, &[entities, width]);
            attribute(text, &field.name, kind, centre, &item);
            return;
        }
        for component in 0..width {
            let name = field.component_names.get(component as usize);
            let name = name.map_or(component.to_string(), Clone::clone);
            let item = self.slab(&array.path, &start(component), &count(1), &array.shape, &[entities]);
            attribute(text, &format!("{} {name}", field.name), "Scalar", centre, &item);
        }
    }

    /// A whole dataset.
    fn item(&self, path: &str, shape: &[u64], number: &str, bytes: usize) -> String {
        format!(
            "<DataItem Format=\"HDF\" NumberType=\"{number}\" Precision=\"{bytes}\" Dimensions=\"{}\">{}:{}</DataItem>\n",
            words(shape),
            escape(&self.file),
            escape(path)
        )
    }

    /// A box of a dataset of numbers of eight bytes, seen with the shape `seen`.
    fn slab(&self, path: &str, start: &[u64], count: &[u64], shape: &[u64], seen: &[u64]) -> String {
        let axes = start.len();
        format!(
            "<DataItem ItemType=\"HyperSlab\" Dimensions=\"{}\">\n\
             <DataItem Format=\"XML\" Dimensions=\"3 {axes}\">{} {} {}</DataItem>\n{}</DataItem>\n",
            words(seen),
            words(start),
            words(&vec![1; axes]),
            words(count),
            self.item(path, shape, "Float", 8)
        )
    }
}

fn attribute(text: &mut String, name: &str, kind: &str, centre: &str, item: &str) {
    let name = escape(name);
    let _ = writeln!(
        text,
        "<Attribute Name=\"{name}\" AttributeType=\"{kind}\" Center=\"{centre}\">\n{item}</Attribute>"
    );
}

fn words(numbers: &[u64]) -> String {
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// `file` as seen from the folder of `target`, so that both can be moved together.
fn relative(file: &Path, target: &Path) -> String {
    let folder = |path: &Path| -> Option<PathBuf> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        folder.canonicalize().ok()
    };
    let name = file.file_name().unwrap_or_default();
    let (Some(there), Some(here)) = (folder(file), folder(target)) else {
        return file.display().to_string();
    };
    let (there, here): (Vec<Component>, Vec<Component>) =
        (there.components().collect(), here.components().collect());
    let common = there.iter().zip(&here).take_while(|(a, b)| a == b).count();
    let mut path: PathBuf = here[common..].iter().map(|_| Component::ParentDir).collect();
    path.extend(&there[common..]);
    path.join(name).display().to_string()
}
