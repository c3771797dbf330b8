//! HDF5 meshes and fields that are broken, or that do not go with the deck.
use super::{Case, Content};
use hdf5::File;
use hdf5::types::VarLenUnicode;
use ndarray::Array2;
use std::path::Path;

const MESH_DECK: &str = r#"[mesh]
file = "mesh.h5"

[[physics]]
name = "heat"
model = "diffusion"

[[physics.boundary]]
marker = "left"
value = 0.0
"#;

const FIELD_DECK: &str = r#"[mesh]
box = { cell = "quadrilateral", cells = [2, 2] }

[[physics]]
name = "heat"
model = "diffusion"
conductivity = { file = "field.h5", dataset = "/fields/k" }

[[physics.boundary]]
marker = "left"
value = 0.0
"#;

fn text(value: &str) -> VarLenUnicode {
    value.parse().expect("no zero byte")
}

/// Four squares in a row, with what is to be wrong.
#[derive(Clone, Copy)]
struct Mesh {
    cell_type: &'static str,
    columns: usize,
    vertices: usize,
    last_vertex: u64,
    region: i32,
    markers: bool,
}

const GOOD: Mesh =
    Mesh { cell_type: "quadrilateral", columns: 4, vertices: 10, last_vertex: 9, region: 0, markers: true };

impl Mesh {
    fn write(&self, path: &Path) {
        let file = File::create(path).expect("the file can be made");
        let group = file.create_group("mesh").expect("a group");
        let attribute = group.new_attr::<VarLenUnicode>().create("cell_type").expect("an attribute");
        attribute.write_scalar(&text(self.cell_type)).expect("written");
        let points =
            Array2::from_shape_fn(
                (self.vertices, 2),
                |(i, d)| if d == 0 { (i / 2) as f64 } else { (i % 2) as f64 },
            );
        group.new_dataset_builder().with_data(&points).create("geometry").expect("a dataset");
        let mut cells = Array2::from_shape_fn((4, self.columns), |(cell, corner)| {
            2 * cell as u64 + [0, 2, 3, 1][corner % 4]
        });
        cells[[3, 2]] = self.last_vertex;
        group.new_dataset_builder().with_data(&cells).create("topology").expect("a dataset");
        let markers = group
            .new_dataset_builder()
            .with_data(&[0, 0, 0, self.region])
            .create("cell_markers")
            .expect("a dataset");
        names(&markers, "body");
        if self.markers {
            let facets = Array2::from_shape_vec((1, 2), vec![0u64, 1]).expect("two vertices");
            group.new_dataset_builder().with_data(&facets).create("facet_topology").expect("a dataset");
            let markers =
                group.new_dataset_builder().with_data(&[0]).create("facet_markers").expect("a dataset");
            names(&markers, "left");
        }
    }
}

/// Writes a file that no process has locked: a program that another test starts meanwhile inherits what HDF5 has open,
/// and with it the lock of the file, until it ends; a copy has none.
pub fn unlocked(path: &Path, write: impl FnOnce(&Path)) {
    let first = std::path::PathBuf::from(format!("{}.first", path.display()));
    write(&first);
    std::fs::copy(&first, path).expect("the file can be copied");
    std::fs::remove_file(first).expect("the file can be removed");
}

/// The good mesh with a list of what its vertices are identified with.
fn write_identified(path: &Path, identified: &[u64]) {
    unlocked(path, |path| GOOD.write(path));
    let file = File::append(path).expect("the file can be opened");
    let group = file.group("mesh").expect("the group");
    group.new_dataset_builder().with_data(identified).create("identified").expect("a dataset");
}

fn names(dataset: &hdf5::Dataset, name: &str) {
    let attribute = dataset.new_attr::<VarLenUnicode>().shape(1).create("names").expect("an attribute");
    attribute.write(&[text(name)]).expect("written");
}

fn field(path: &Path, dataset: &str, values: &[f64]) {
    let file = File::create(path).expect("the file can be made");
    let group = file.create_group("fields").expect("a group");
    group.new_dataset_builder().with_data(values).create(dataset).expect("a dataset");
}

fn mesh(name: &'static str, write: fn(&Path), message: &str) -> Case {
    case(name, MESH_DECK, ("mesh.h5", Content::Hdf5(write)), message)
}

fn with_field(name: &'static str, write: fn(&Path), message: &str) -> Case {
    case(name, FIELD_DECK, ("field.h5", Content::Hdf5(write)), message)
}

fn case(name: &'static str, deck: &str, file: (&'static str, Content), message: &str) -> Case {
    Case {
        name,
        files: vec![("deck.toml", Content::Text(deck.into())), file],
        command: ["run", "deck.toml"],
        arguments: Vec::new(),
        ranks: 2,
        code: 2,
        messages: vec![message.into()],
    }
}

pub fn cases() -> Vec<Case> {
    vec![
        case("no HDF5 file", MESH_DECK, ("mesh.h5", Content::Text("not HDF5".into())), "mesh.h5: "),
        mesh(
            "cut off",
            |path| {
                GOOD.write(path);
                let bytes = std::fs::read(path).expect("readable");
                std::fs::write(path, &bytes[..bytes.len() / 2]).expect("writable");
            },
            "mesh.h5: cannot open: truncated file",
        ),
        mesh(
            "no mesh inside",
            |path| field(path, "k", &[1.0]),
            "mesh.h5: holds no mesh: there is no /mesh/geometry",
        ),
        mesh(
            "unknown shape",
            |path| Mesh { cell_type: "square", ..GOOD }.write(path),
            "mesh.h5: /mesh: the attribute cell_type is \"square\"",
        ),
        mesh(
            "too few identified vertices",
            |path| write_identified(path, &[0, 1]),
            "mesh.h5: /mesh/identified and /mesh/geometry differ in length",
        ),
        mesh(
            "vertex identified with one that is not there",
            |path| write_identified(path, &[0, 1, 2, 3, 4, 5, 6, 7, 0, 10]),
            "mesh.h5: a list of identified vertices has the vertex 10, but there are 10",
        ),
        mesh(
            "vertex identified with one that stands for another",
            |path| write_identified(path, &[0, 1, 2, 0, 4, 5, 6, 7, 3, 1]),
            "mesh.h5: a vertex is identified with 3, which is itself identified with 0",
        ),
        mesh(
            "cell whose sides are identified",
            |path| write_identified(path, &[0, 0, 2, 3, 4, 5, 6, 7, 8, 9]),
            "mesh.h5: cell 0 (counted from 0) has the vertex 0 twice",
        ),
        mesh(
            "too few corners",
            |path| Mesh { columns: 3, ..GOOD }.write(path),
            "mesh.h5: /mesh/topology has the shape [4, 3]; expected [n, 4]",
        ),
        mesh(
            "vertex that is not there",
            |path| Mesh { last_vertex: 99, ..GOOD }.write(path),
            "mesh.h5: a cell has the vertex 99, but there are 10",
        ),
        mesh(
            "vertex twice",
            |path| Mesh { last_vertex: 8, ..GOOD }.write(path),
            "mesh.h5: cell 3 (counted from 0) has the vertex 8 twice",
        ),
        mesh(
            "region without a name",
            |path| Mesh { region: 5, ..GOOD }.write(path),
            "mesh.h5: /mesh/cell_markers holds 5, but its attribute names has 1 entries",
        ),
        mesh(
            "no markers",
            |path| Mesh { markers: false, ..GOOD }.write(path),
            "deck.toml:9:10: physics[0].boundary[0].marker: no facet marker \"left\" in mesh.h5",
        ),
        Case {
            ranks: 4,
            ..mesh(
                "vertex that is not there",
                |path| Mesh { last_vertex: 77, ..GOOD }.write(path),
                "mesh.h5: a cell has the vertex 77",
            )
        },
        case(
            "no field file",
            FIELD_DECK,
            ("other.txt", Content::Text(String::new())),
            "deck.toml:7:16: physics[0].conductivity: field.h5: cannot open: ",
        ),
        with_field(
            "no such dataset",
            |path| field(path, "kk", &[1.0; 4]),
            "deck.toml:7:16: physics[0].conductivity: field.h5: there is no dataset \"/fields/k\"",
        ),
        with_field(
            "another length",
            |path| field(path, "k", &[1.0; 5]),
            "deck.toml:7:16: physics[0].conductivity: field.h5: /fields/k has the shape [5]; expected one value for each of the 4 cells or 9 vertices of box",
        ),
        with_field(
            "not a number",
            |path| field(path, "k", &[1.0, f64::NAN, 1.0, 1.0]),
            "deck.toml:7:16: physics[0].conductivity: field.h5: /fields/k holds NaN",
        ),
    ]
}
