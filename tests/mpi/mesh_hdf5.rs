//! Mesh files of Tessera's own: what is written on any number of ranks is read on any number.

use crate::common::{Suite, with_folder};
use std::path::{Path, PathBuf};
use tessera::mesh::{BoxSource, CellType, Mesh, MeshSource, PartitionOptions};
use tessera::parallel::Comm;
use tessera::storage::File;

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
            ("meshes_come_back_as_they_were", meshes_come_back_as_they_were),
            ("other_rank_counts_read_the_same", other_rank_counts_read_the_same),
            ("files_do_not_show_the_ranks", files_do_not_show_the_ranks),
            ("broken_files_are_refused", broken_files_are_refused),
        ],
}];

fn from_file(comm: &Comm, path: impl Into<PathBuf>) -> tessera::Result<Mesh> {
    let source = MeshSource::File { path: path.into(), scale: 1.0 };
    Mesh::build(comm, &source, &PartitionOptions::default())
}

fn gmsh(comm: &Comm, shape: &str) -> Mesh {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/mesh");
    from_file(comm, folder.join(format!("{shape}-msh41-ascii.msh"))).unwrap()
}

fn cube(comm: &Comm) -> Mesh {
    let (lower, upper) = (vec![0.0; 3], vec![1.0; 3]);
    let source =
        BoxSource { cell: CellType::Tetrahedron, cells: vec![3, 2, 2], lower, upper, periodic: [false; 3] };
    Mesh::build(comm, &MeshSource::Box(source), &PartitionOptions::default()).unwrap()
}

fn write(mesh: &Mesh, path: &Path) {
    let file = File::create(&mesh.comm, path).unwrap();
    mesh.write(&file).unwrap();
    file.close().unwrap();
}

/// Cells, coordinates and facets in canonical order on every rank.
fn canonical(mesh: &Mesh) -> (Vec<u64>, Vec<u16>, Vec<f64>, Vec<u64>) {
    let (comm, nv, owned) = (&mesh.comm, mesh.cell_type.vertices(), mesh.owned_cells);
    let plan = mesh.cell_redistribution();
    let corners: Vec<u64> = mesh.cells[..owned * nv].iter().map(|&v| mesh.vertex_ids[v as usize]).collect();
    let (vertices, places) = mesh.vertex_redistribution();
    let points: Vec<f64> = vertices.iter().flat_map(|&v| mesh.vertex(v as usize)).copied().collect();
    let mut facets: Vec<u64> = Vec::new();
    for i in (0..mesh.facets.len()).filter(|&i| (mesh.facets.cell[i] as usize) < owned) {
        let cell = mesh.cell_ids[mesh.facets.cell[i] as usize];
        facets.push(cell << 32 | u64::from(mesh.facets.local[i]) << 16 | u64::from(mesh.facets.marker[i]));
    }
    let mut facets = comm.all_gather_varied(&facets);
    facets.sort_unstable();
    (
        comm.all_gather_varied(&plan.to_canonical(&corners, nv)),
        comm.all_gather_varied(&plan.to_canonical(&mesh.cell_regions[..owned], 1)),
        comm.all_gather_varied(&places.to_canonical(&points, mesh.dimension)),
        facets,
    )
}

fn meshes_come_back_as_they_were(comm: &Comm) {
    with_folder(comm, |folder| {
        for shape in ["interval", "triangle", "quadrilateral", "tetrahedron", "hexahedron"] {
            let mesh = gmsh(comm, shape);
            let path = folder.join(format!("{shape}.h5"));
            write(&mesh, &path);
            let again = from_file(comm, &path).unwrap();
            assert!(canonical(&again) == canonical(&mesh), "{shape}");
            assert_eq!(again.region_names, mesh.region_names);
            assert_eq!(again.facets.names, mesh.facets.names);
            assert_eq!(again.cell_type, mesh.cell_type);
        }
    });
}

fn other_rank_counts_read_the_same(comm: &Comm) {
    use mpi::traits::Communicator;
    // Groups of half the ranks, and each rank alone.
    let half = mpi::topology::Color::with_value((comm.rank() % 2) as i32);
    let half = Comm::new(comm.mpi().split_by_color(half).unwrap());
    let alone = Comm::new(mpi::topology::SimpleCommunicator::self_comm().duplicate());
    with_folder(comm, |folder| {
        let mesh = gmsh(comm, "tetrahedron");
        let expected = canonical(&mesh);
        write(&mesh, &folder.join("all.h5"));
        for fewer in [&half, &alone] {
            let mesh = from_file(fewer, folder.join("all.h5")).unwrap();
            assert!(canonical(&mesh) == expected, "{} of {}", fewer.size(), comm.size());
            let own =
                folder.join(format!("{}-{}.h5", fewer.size(), comm.rank() % (comm.size() / fewer.size())));
            write(&mesh, &own);
        }
        comm.barrier();
        for fewer in [comm.size().div_ceil(2), 1] {
            let mesh = from_file(comm, folder.join(format!("{fewer}-0.h5"))).unwrap();
            assert!(canonical(&mesh) == expected, "{fewer} to {}", comm.size());
        }
    });
}

fn files_do_not_show_the_ranks(comm: &Comm) {
    use mpi::traits::Communicator;
    let alone = Comm::new(mpi::topology::SimpleCommunicator::self_comm().duplicate());
    with_folder(comm, |folder| {
        write(&gmsh(comm, "tetrahedron"), &folder.join("all.h5"));
        if comm.rank() == 0 {
            write(&gmsh(&alone, "tetrahedron"), &folder.join("one.h5"));
            let [all, one] = ["all", "one"].map(|name| {
                let file = File::open(&alone, &folder.join(format!("{name}.h5"))).unwrap();
                let geometry = file.read_array::<f64>("/mesh/geometry").unwrap();
                let integers = ["topology", "cell_markers", "facet_topology", "facet_markers"]
                    .map(|dataset| file.read_array::<i64>(&format!("/mesh/{dataset}")).unwrap());
                (geometry, integers)
            });
            assert!(all == one);
            assert_eq!(all.1[3].0, [42]);
        }
    });
}

fn broken_files_are_refused(comm: &Comm) {
    type Break = fn(&File);
    let cases: [(&str, Break); 7] = [
        ("there is no /mesh/geometry", |_| {}),
        ("cell_type is \"blob\"", |file| {
            arrays(file, &[0, 1, 2], &[0]);
            file.set("/mesh", "cell_type", "blob").unwrap();
        }),
        ("vertex 7, but there are 3", |file| arrays(file, &[0, 1, 7], &[0])),
        ("cell_markers holds 5", |file| arrays(file, &[0, 1, 2], &[5])),
        ("differ in length", |file| arrays(file, &[0, 1, 2], &[0, 0])),
        ("cell 0 (counted from 0) has the vertex 1 twice", |file| arrays(file, &[0, 1, 1], &[0])),
        ("inverted", |file| arrays(file, &[0, 2, 1], &[0])),
    ];
    // One cell cannot be shared, so every rank reads a file of its own.
    use mpi::traits::Communicator;
    let alone = Comm::new(mpi::topology::SimpleCommunicator::self_comm().duplicate());
    let folder = tempfile::tempdir().unwrap();
    for (i, (words, build)) in cases.into_iter().enumerate() {
        let path = folder.path().join(format!("{i}.h5"));
        let file = File::create(&alone, &path).unwrap();
        build(&file);
        file.close().unwrap();
        let error = from_file(&alone, &path).err().unwrap_or_else(|| panic!("accepted: {words}"));
        assert!(error.to_string().contains(words), "{words}: {error}");
        assert_eq!(error.exit_code(), 2);
    }
    with_folder(comm, |folder| {
        let path = folder.join("mesh.h5");
        write(&cube(comm), &path);
        if comm.rank() == 0 {
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(folder.join("cut.h5"), &bytes[..bytes.len() / 2]).unwrap();
            std::fs::write(folder.join("text.h5"), "not HDF5").unwrap();
        }
        comm.barrier();
        for name in ["cut.h5", "text.h5", "missing.h5"] {
            let error = from_file(comm, folder.join(name)).err().unwrap();
            assert!(error.to_string().contains(name) && error.exit_code() == 2, "{error}");
        }
    });
}

/// One triangle: its vertices, and the markers of the cells.
fn arrays(file: &File, topology: &[u64], markers: &[i32]) {
    file.write_array("/mesh/geometry", &[3, 2], &[0.0, 0.0, 1.0, 0.0, 0.0, 1.0]).unwrap();
    file.write_array("/mesh/topology", &[1, 3], topology).unwrap();
    file.write_array("/mesh/cell_markers", &[markers.len() as u64], markers).unwrap();
    file.set("/mesh/cell_markers", "names", vec!["a".to_string()]).unwrap();
    file.set("/mesh", "cell_type", "triangle").unwrap();
}
