//! Gmsh files of either version, ASCII and binary, give the same mesh; broken ones a clear message.

use crate::common::Suite;
use std::path::PathBuf;
use tessera::mesh::{Mesh, MeshSource, PartitionOptions};
use tessera::parallel::{Comm, Redistribution};

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
            ("all_formats_read_the_same_mesh", all_formats_read_the_same_mesh),
            ("second_order_elements_keep_their_corners", second_order_elements_keep_their_corners),
            (
                "inverted_cells_are_turned_and_spare_nodes_dropped",
                inverted_cells_are_turned_and_spare_nodes_dropped,
            ),
            ("other_sections_are_read_or_passed_over", other_sections_are_read_or_passed_over),
            ("comments_first_and_all_parts_are_read", comments_first_and_all_parts_are_read),
            ("faults_are_named", faults_are_named),
            ("damaged_files_are_refused", damaged_files_are_refused),
        ],
}];

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/mesh").join(name)
}

fn build(comm: &Comm, path: PathBuf) -> tessera::Result<Mesh> {
    Mesh::build(comm, &MeshSource::File { path, scale: 2.0 }, &PartitionOptions::default())
}

/// Everything that must not depend on the format or the ranks.
#[derive(PartialEq, Debug)]
struct Canonical {
    vertices: Vec<u64>,
    regions: Vec<u16>,
    coordinates: Vec<f64>,
    facets: Vec<u64>,
    names: Vec<Vec<String>>,
}

fn canonical(mesh: &Mesh) -> Canonical {
    let (comm, nv, owned) = (&mesh.comm, mesh.cell_type.vertices(), mesh.owned_cells);
    let plan = Redistribution::new(comm, &mesh.cell_ids[..owned], mesh.global_cells);
    let vertices: Vec<u64> = mesh.cells[..owned * nv].iter().map(|&v| mesh.vertex_ids[v as usize]).collect();
    let own: Vec<usize> =
        (0..mesh.local_vertices()).filter(|&v| mesh.vertex_owners[v] as usize == comm.rank()).collect();
    let ids: Vec<u64> = own.iter().map(|&v| mesh.vertex_ids[v]).collect();
    let points: Vec<f64> = own.iter().flat_map(|&v| mesh.vertex(v)).copied().collect();
    let places = Redistribution::new(comm, &ids, mesh.global_vertices);
    let mut facets = Vec::new();
    for i in (0..mesh.facets.len()).filter(|&i| (mesh.facets.cell[i] as usize) < owned) {
        let cell = mesh.cell_ids[mesh.facets.cell[i] as usize];
        facets.push(cell << 32 | u64::from(mesh.facets.local[i]) << 16 | u64::from(mesh.facets.marker[i]));
    }
    let mut facets = comm.all_gather_varied(&facets);
    facets.sort_unstable();
    Canonical {
        vertices: comm.all_gather_varied(&plan.to_canonical(&vertices, nv)),
        regions: comm.all_gather_varied(&plan.to_canonical(&mesh.cell_regions[..owned], 1)),
        coordinates: comm.all_gather_varied(&places.to_canonical(&points, mesh.dimension)),
        facets,
        names: vec![mesh.region_names.clone(), mesh.facets.names.clone()],
    }
}

fn alone() -> Comm {
    use mpi::traits::Communicator;
    Comm::new(mpi::topology::SimpleCommunicator::self_comm().duplicate())
}

/// Shape, cells of the two regions, marked facets (name, count), facets of the boundary without marker.
type Expected = (&'static str, [u64; 2], &'static [(&'static str, u64)], u64);

fn all_formats_read_the_same_mesh(comm: &Comm) {
    let expected: [Expected; 5] = [
        ("interval", [2, 4], &[("start", 1), ("end", 1), ("joint", 1)], 0),
        ("triangle", [14, 22], &[("left", 2), ("interface", 2), ("right side", 2)], 12),
        ("quadrilateral", [9, 9], &[("left", 3), ("interface", 3), ("right side", 3)], 12),
        ("tetrahedron", [100, 91], &[("left", 14), ("interface", 14), ("right side", 14)], 112),
        ("hexahedron", [8, 8], &[("left", 4), ("interface", 4), ("right side", 4)], 32),
    ];
    for (shape, cells, markers, unmarked) in expected {
        let reference = canonical(&build(&alone(), data(&format!("{shape}-msh41-ascii.msh"))).unwrap());
        let mut files: Vec<String> = ["msh22-ascii", "msh22-binary", "msh41-ascii", "msh41-binary"]
            .iter()
            .map(|format| format!("{shape}-{format}.msh"))
            .collect();
        if shape == "tetrahedron" {
            files.push("tetrahedron-msh41-swapped.msh".into());
        }
        for file in files {
            let mesh = build(comm, data(&file)).unwrap();
            assert_eq!(mesh.cell_type.name(), shape);
            assert!(canonical(&mesh) == reference, "{file} on {} ranks", comm.size());
            let report = mesh.report();
            let find = |list: &[(String, u64)], name: &str| list.iter().find(|e| e.0 == name).map(|e| e.1);
            assert_eq!(find(&report.regions, "steel"), Some(cells[0]), "{file}");
            assert_eq!(find(&report.regions, "copper"), Some(cells[1]), "{file}");
            for &(name, count) in markers {
                assert_eq!(find(&report.markers, name), Some(count), "{file} {name}");
            }
            assert_eq!(report.unmarked, unmarked, "{file}");
            // Lengths in the file run from 0 to 3 (and 1, 1); they were scaled by 2.
            let mut high = 0.0f64;
            (0..mesh.local_vertices()).for_each(|v| high = high.max(mesh.point(v)[0]));
            assert_eq!(comm.max(high), 6.0);
        }
    }
}

fn second_order_elements_keep_their_corners(comm: &Comm) {
    let mesh = build(comm, data("triangle-second-order.msh")).unwrap();
    let straight = build(comm, data("triangle-msh41-ascii.msh")).unwrap();
    assert_eq!((mesh.global_cells, mesh.global_vertices), (straight.global_cells, straight.global_vertices));
    assert!(mesh.notes.iter().any(|note| note.contains("second order")), "{:?}", mesh.notes);
}

/// Files of Gmsh 4.8 with periodic edges, ghost elements, parametric nodes, partitions; everything saved.
fn other_sections_are_read_or_passed_over(comm: &Comm) {
    let reference = build(&alone(), data("sections-whole-msh41-ascii.msh")).unwrap();
    let expected = reference.report();
    let reference = canonical(&reference);
    assert_eq!(expected.regions[0].0, "acier, à gauche");
    // Gmsh writes 16 digits in ASCII, one too few.
    let sorted = |all: &Canonical| {
        let round = |x: f64| (x * 1e10).round() as i64;
        let mut points: Vec<[i64; 2]> =
            all.coordinates.chunks(2).map(|p| [round(p[0]), round(p[1])]).collect();
        points.sort_unstable();
        points
    };
    for format in ["msh22-ascii", "msh22-binary", "msh41-ascii", "msh41-binary"] {
        let read = |kind: &str| build(comm, data(&format!("sections-{kind}-{format}.msh")));
        for kind in ["whole", "all", "parametric", "old", "parts"] {
            if kind == "parts" && format.starts_with("msh22") {
                let error = read(kind).err().unwrap().to_string();
                assert!(error.contains("_part{1}") && error.contains("PartitionCreatePhysicals"), "{error}");
                continue;
            }
            let mesh = read(kind).unwrap();
            let all = canonical(&mesh);
            let name = format!("{kind} {format} on {} ranks", comm.size());
            assert_eq!(sorted(&all), sorted(&reference), "{name}");
            assert_eq!(all.vertices.len(), reference.vertices.len(), "{name}");
            // The others are the same mesh in another order.
            if kind == "whole" || kind == "parametric" {
                let rest = |c: &Canonical| {
                    (c.vertices.clone(), c.regions.clone(), c.facets.clone(), c.names.clone())
                };
                assert!(rest(&all) == rest(&reference), "{name}");
            }
            let mut report = mesh.report();
            if kind == "all" && format.starts_with("msh22") {
                assert_eq!((report.regions.len(), report.markers.len()), (1, 0));
                let lost =
                    |note: &String| note.contains("SaveAll") && note.contains("copper, interface, left");
                assert!(report.notes.iter().any(lost), "{:?}", report.notes);
                continue;
            }
            report.regions.sort();
            report.markers.sort();
            assert_eq!(report.regions, expected.regions, "{name}");
            let markers = ["interface", "left", "right side"].map(|marker| (marker.to_string(), 5));
            assert_eq!(report.markers, markers, "{name}");
            assert!(report.notes.iter().any(|note| note.contains("not used: Periodic")), "{name}");
        }
    }
}

/// Writes a file once for all ranks and reads it.
fn read_text(comm: &Comm, name: &str, bytes: &[u8]) -> tessera::Result<Mesh> {
    let mut path = Vec::new();
    let mut keep = None;
    if comm.rank() == 0 {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        path = file.to_str().unwrap().as_bytes().to_vec();
        keep = Some(folder);
    }
    comm.broadcast_bytes(0, &mut path);
    let result = build(comm, PathBuf::from(String::from_utf8(path).unwrap()));
    comm.barrier();
    drop(keep);
    result
}

/// A square of four triangles around its centre, with markers; one node is not used, tags have gaps.
const SQUARE: &str = "$MeshFormat
2.2 0 8
$EndMeshFormat
$PhysicalNames
3
1 1 \"wall\"
2 2 \"plate\"
0 3 \"corner\"
$EndPhysicalNames
$Nodes
6
10 0 0 0
20 1 0 0
30 1 1 0
40 0 1 0
99 7 7 7
50 0.5 0.5 0
$EndNodes
$Elements
6
1 15 2 3 1 10
2 1 2 1 1 10 20
3 2 2 2 1 10 20 50
4 2 2 2 1 20 30 50
5 2 2 2 1 30 50 40
6 2 2 2 1 40 50 10
$EndElements
";

fn inverted_cells_are_turned_and_spare_nodes_dropped(comm: &Comm) {
    let mesh = read_text(comm, "square.msh", SQUARE.as_bytes()).unwrap();
    let all = canonical(&mesh);
    assert_eq!(all.vertices, [0, 1, 4, 1, 2, 4, 2, 3, 4, 3, 0, 4]);
    assert_eq!(all.coordinates, [0.0, 0.0, 2.0, 0.0, 2.0, 2.0, 0.0, 2.0, 1.0, 1.0]);
    assert!(mesh.notes[0].contains("1 nodes") && mesh.notes[0].contains("99"), "{:?}", mesh.notes);
    assert!(mesh.notes[1].contains("corner"), "{:?}", mesh.notes);
    assert_eq!((mesh.report().unmarked, mesh.report().markers), (3, vec![("wall".to_string(), 1)]));
}

fn comments_first_and_all_parts_are_read(comm: &Comm) {
    let square = canonical(&read_text(comm, "square.msh", SQUARE.as_bytes()).unwrap());
    let comments = format!("$Comments\nby hand, for $ 3\n$EndComments\n{SQUARE}");
    assert_eq!(canonical(&read_text(comm, "comments.msh", comments.as_bytes()).unwrap()), square);
    // Each cell with its partition, one with a ghost of the other.
    let parts = SQUARE
        .replace("3 2 2 2 1 10 20 50", "3 2 4 2 1 1 1 10 20 50")
        .replace("4 2 2 2 1 20 30 50", "4 2 5 2 1 2 1 -2 20 30 50")
        .replace("5 2 2 2 1 30 50 40", "5 2 4 2 1 1 2 30 50 40")
        .replace("6 2 2 2 1 40 50 10", "6 2 4 2 1 1 2 40 50 10");
    assert_eq!(canonical(&read_text(comm, "square_1.msh", parts.as_bytes()).unwrap()), square);
    let one = parts.replace("2 1 1 2 30", "2 1 1 1 30").replace("2 1 1 2 40", "2 1 1 1 40");
    let error = read_text(comm, "square_1.msh", one.as_bytes()).err().unwrap().to_string();
    assert!(error.contains("the cells of partition 1, not those of 2"), "{error}");
}

fn faults_are_named(comm: &Comm) {
    // What is replaced in SQUARE, by what, and words that the message must have.
    let cases: [(&str, &str, &[&str]); 33] = [
        ("$MeshFormat\n2.2", "MeshFormat\n2.2", &[":1:1:", "expected the start of a section"]),
        ("2.2 0 8", "4.0 0 8", &[":2:1:", "format 4 is not supported"]),
        ("2.2 0 8", "2.2 7 8", &[":2:5:", "file type"]),
        ("2.2 0 8", "2.2 0 4", &[":2:7:", "data size"]),
        ("2.2 0 8", "2.2 0", &[":3:1:", "expected the data size"]),
        ("1 1 \"wall\"", "1 1 wall", &[":6:5:", "double quotes"]),
        ("1 1 \"wall\"", "1 1 \"wall", &[":6:", "closing quote"]),
        ("1 1 \"wall\"", "7 1 \"wall\"", &["dimension 7"]),
        ("6\n10 0", "7\n10 0", &[":18:1:", "a node number", "$EndNodes"]),
        ("6\n10 0", "5\n10 0", &[":17:1:", "expected $EndNodes"]),
        ("6\n10 0", "123456789012\n10 0", &[":11:1:", "claims 123456789012 nodes"]),
        ("6\n10 0", "-6\n10 0", &["negative"]),
        ("20 1 0 0", "20 1 0 zero", &[":13:8:", "expected z (a number), found \"zero\""]),
        ("20 1 0 0", "20 1 0 nan", &["coordinate z of a node is NaN"]),
        ("20 1 0 0", "10 1 0 0", &["defines the node 10 twice"]),
        ("20 1 0 0", "20 1 0 0.5", &["must lie in a plane z = constant", "node 20"]),
        ("6\n1 15", "9999\n1 15", &["claims 9999 elements"]),
        ("6\n1 15", "7\n1 15", &["expected an element number"]),
        ("2 1 2 1 1 10 20", "2 1 2 1 1 10 21", &["element 2 refers to node 21"]),
        ("2 1 2 1 1 10 20", "2 1 2 1 1 10 30", &["\"wall\"", "bound no cell"]),
        ("2 1 2 1 1 10 20", "2 1 2 1 1 10 99", &["element 2", "\"wall\"", "bounds no cell"]),
        ("3 2 2 2 1 10 20 50", "3 2 2 2 1 10 20 51", &["element 3 refers to node 51"]),
        ("3 2 2 2 1 10 20 50", "3 2 2 2 1 10 20 20", &["element 3 (triangle) has no volume"]),
        ("3 2 2 2 1 10 20 50", "3 26 2 2 1 10 20 50", &[":23:3:", "element type 26"]),
        ("3 2 2 2 1 10 20 50", "3 3 2 2 1 10 20 50 40", &["mixes shapes", "quadrilateral", "triangle"]),
        ("3 2 2 2 1 10 20 50", "3 2 -2 2 1 10 20 50", &["negative"]),
        ("3 2 2 2 1 10 20 50", "3 2 2 2 1 20 50 30", &["elements 3 and 4 are the same cell"]),
        ("3 2 2 2 1 10 20 50", "3 2 2 7 1 50 30 20", &["same cell", "\"7\" and once in \"plate\""]),
        ("3 2 2 2 1 10 20 50", "3 2 2 2 1 10 30 50", &["element 3 (triangle) has no volume"]),
        ("50 0.5 0.5 0", "50 1 1 0", &["nodes 30 and 50 lie at the same place"]),
        ("$EndElements", "$EndElement", &["expected $EndElements"]),
        ("$EndElements", "$EndElements\n$Nodes\n0\n$EndNodes", &["a second $Nodes"]),
        ("$EndElements", "$EndElements\n$Comment\nnever ends", &["has no $EndComment"]),
    ];
    for (old, new, words) in cases {
        assert!(SQUARE.contains(old), "{old}");
        let error = match read_text(comm, "bad.msh", SQUARE.replacen(old, new, 1).as_bytes()) {
            Ok(_) => panic!("accepted {new}"),
            Err(error) => error,
        };
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{old} -> {new}: {text}");
        assert!(text.contains("bad.msh") && error.exit_code() == 2, "{text}");
    }
    let cut = SQUARE.split("$Elements").next().unwrap();
    let line = format!("{cut}$Elements\n2\n1 1 2 1 1 10 20\n2 1 2 1 1 20 30\n$EndElements\n");
    let many: [(&str, &str, &str); 4] = [
        ("empty.msh", "", "starts with $MeshFormat"),
        ("cut.msh", cut, "no $Elements"),
        ("line.msh", &line, "on a line along x"),
        ("mesh.vtk", SQUARE, "must end in .msh"),
    ];
    for (name, text, words) in many {
        let error = read_text(comm, name, text.as_bytes()).err().unwrap_or_else(|| panic!("accepted {name}"));
        assert!(error.to_string().contains(words), "{name}: {error}");
    }
    for scale in [0.0, -1.0, f64::NAN] {
        let source = MeshSource::File { path: data("triangle-msh41-ascii.msh"), scale };
        let error = Mesh::build(comm, &source, &PartitionOptions::default()).err().unwrap();
        assert!(error.to_string().contains("must be a positive number") && error.exit_code() == 2, "{error}");
    }
    let missing = build(comm, PathBuf::from("no/such/mesh.msh")).err().unwrap();
    assert!(missing.to_string().contains("cannot be read"), "{missing}");
    let folder = build(comm, data("")).err().unwrap();
    assert!(folder.to_string().contains("must end in .msh"), "{folder}");
}

/// Cut or altered anywhere, a file gives an error or a mesh, never a panic or a wait.
fn damaged_files_are_refused(comm: &Comm) {
    for name in
        ["triangle-msh22-ascii", "triangle-msh22-binary", "triangle-msh41-ascii", "triangle-msh41-binary"]
    {
        let good = std::fs::read(data(&format!("{name}.msh"))).unwrap();
        let end = good.len() - 2;
        for cut in (0..end).step_by(149) {
            let error = read_text(comm, "cut.msh", &good[..cut]).err();
            let error = error.unwrap_or_else(|| panic!("{name} cut at {cut} was accepted"));
            assert_eq!(error.exit_code(), 2, "{error}");
        }
        let mut refused = 0;
        for at in (0..end).step_by(61) {
            let mut bad = good.clone();
            bad[at] ^= 0xa5;
            refused += usize::from(read_text(comm, "altered.msh", &bad).is_err());
        }
        assert!(refused > end / 61 / 3, "{name}: only {refused} were refused");
    }
}
