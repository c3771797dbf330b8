//! XDMF beside results and campaigns, and what h5py makes of the files.

use crate::common::{Suite, with_folder};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use tessera::drivers::export::{ExportOptions, export};
use tessera::storage::EXPORTERS;
use tessera::drivers::info::describe;
use tessera::fem::Space;
use tessera::mesh::{BoxSource, CellType, Mesh, MeshSource, PartitionOptions};
use tessera::parallel::Comm;
use tessera::storage::{
    DatasetFile, Field, Provenance, Reader, ResultFile, Room, Samples, Schema, Status, write_xdmf,
};

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 3],
    tests: &[
            ("results_of_every_shape_have_an_xdmf_that_fits", results_of_every_shape_have_an_xdmf_that_fits),
            ("quadratic_fields_have_quadratic_cells", quadratic_fields_have_quadratic_cells),
            ("exports_hold_what_the_file_holds", exports_hold_what_the_file_holds),
            ("campaigns_show_the_samples_that_are_done", campaigns_show_the_samples_that_are_done),
        ],
}];

/// A Python with h5py: the project's own, or the one named by `TESSERA_PYTHON`.
fn python() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let named = std::env::var_os("TESSERA_PYTHON").map(PathBuf::from);
    [named, Some(own), Some("python3".into())].into_iter().flatten().find(|python| {
        Command::new(python).args(["-c", "import h5py"]).output().is_ok_and(|o| o.status.success())
    })
}

/// Runs the checking script on rank 0.
fn check(comm: &Comm, files: &[PathBuf]) {
    if comm.rank() > 0 {
        return;
    }
    let Some(python) = python() else {
        println!("no Python with h5py found (make setup installs one): XDMF files not compared with HDF5");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mpi/storage_xdmf/check.py");
    let output = Command::new(python).arg(script).args(files).output().unwrap();
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{errors}");
    if std::env::var_os("TESSERA_SHOW").is_some() {
        println!("{out}");
    }
}

fn mesh(comm: &Comm, cell: CellType) -> Mesh {
    let d = cell.dimension();
    let source = BoxSource {
        cell,
        cells: vec![3, 2, 4][..d].to_vec(),
        lower: vec![0.0; d],
        upper: vec![1.0, 2.0, 1.5][..d].to_vec(),
        periodic: [false; 3],
    };
    Mesh::build(comm, &MeshSource::Box(source), &PartitionOptions::default()).unwrap()
}

fn linear(p: [f64; 3]) -> f64 {
    p[0] + 2.0 * p[1] + 3.0 * p[2]
}

/// Mesh, partition, and fields of every kind at vertices and cells.
fn write_fields(mesh: &Mesh, path: &Path) {
    let comm = &mesh.comm;
    let file = ResultFile::create(comm, path).unwrap();
    let provenance = Provenance { title: "a < b & \"c\"".into(), ..Provenance::default() };
    file.describe(Schema::Run, &provenance).unwrap();
    mesh.write(&file).unwrap();
    let (owned, plan) = mesh.vertex_redistribution();
    let points = || owned.iter().map(|&v| mesh.point(v as usize));
    let values: Vec<f64> = points().map(linear).collect();
    file.save_field(&Field::nodes("linear", "K", 1, 1, &plan), &plan, &values).unwrap();
    let d = mesh.dimension;
    let values: Vec<f64> = points().flat_map(|p| p[..d].to_vec()).collect();
    file.save_field(&Field::nodes("vector", "m", d, 1, &plan), &plan, &values).unwrap();
    let values: Vec<f64> = points().flat_map(|p| [1.0, 2.0, 3.0, 4.0, 5.0, linear(p)]).collect();
    file.save_field(&Field::nodes("stress", "Pa", 6, 1, &plan), &plan, &values).unwrap();
    let values: Vec<f64> = points().flat_map(|p| [p[0], p[1], p[2], 1.0]).collect();
    let names = ["xx", "yy", "zz", "xy"];
    file.save_field(&Field::nodes("strain", "1", 4, 1, &plan).component_names(&names), &plan, &values)
        .unwrap();
    let plan = mesh.cell_redistribution();
    let values: Vec<f64> = mesh.cell_ids[..mesh.owned_cells].iter().map(|&c| c as f64).collect();
    file.save_field(&Field::cells("number", "1", 1, &plan), &plan, &values).unwrap();
    file.write_partition(&plan, &mesh.cell_experts[..mesh.owned_cells]).unwrap();
    file.finish().unwrap();
}

fn results_of_every_shape_have_an_xdmf_that_fits(comm: &Comm) {
    with_folder(comm, |folder| {
        let mut files = Vec::new();
        for cell in CellType::ALL {
            let path = folder.join(format!("{}.h5", cell.name()));
            write_fields(&mesh(comm, cell), &path);
            let written = write_xdmf(comm, &path).unwrap();
            assert_eq!(written, [path.with_extension("xdmf")]);
            files.extend(written);
        }
        check(comm, &files);
    });
}

fn quadratic_fields_have_quadratic_cells(comm: &Comm) {
    with_folder(comm, |folder| {
        let mut files = Vec::new();
        for cell in CellType::ALL {
            let space = Space::new(Rc::new(mesh(comm, cell)), 2, 1).unwrap();
            let plan = space.canonical();
            let quadratic: Vec<f64> = (0..space.owned_nodes)
                .map(|n| {
                    let [x, y, z] = space.point(n);
                    x * x - 2.0 * y * y + 3.0 * z * z + x * y + y * z
                })
                .collect();
            for mixed in [false, true] {
                let path = folder.join(format!("{}-{mixed}.h5", cell.name()));
                let file = ResultFile::create(comm, &path).unwrap();
                file.describe(Schema::Run, &Provenance::default()).unwrap();
                space.mesh.write(&file).unwrap();
                space.write(&file).unwrap();
                space.write(&file).unwrap();
                file.save_field(&Field::nodes("quadratic", "1", 1, 2, &plan), &plan, &quadratic).unwrap();
                if mixed {
                    let (owned, plan) = space.mesh.vertex_redistribution();
                    let values: Vec<f64> =
                        owned.iter().map(|&v| linear(space.mesh.point(v as usize))).collect();
                    file.save_field(&Field::nodes("linear", "1", 1, 1, &plan), &plan, &values).unwrap();
                }
                file.finish().unwrap();
                let written = write_xdmf(comm, &path).unwrap();
                assert_eq!(written.len(), 1 + usize::from(mixed));
                files.extend(written);
            }
        }
        check(comm, &files);
    });
}

/// Rows of a table of numbers by heading.
fn table(path: &Path) -> (Vec<String>, Vec<Vec<f64>>) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines().map(|l| l.split(',').map(String::from).collect::<Vec<_>>());
    let heads = lines.next().unwrap();
    (heads, lines.map(|l| l.iter().map(|n| n.parse().unwrap_or(f64::NAN)).collect()).collect())
}

fn exports_hold_what_the_file_holds(comm: &Comm) {
    with_folder(comm, |folder| {
        let path = folder.join("run.h5");
        let mesh = mesh(comm, CellType::Tetrahedron);
        write_fields(&mesh, &path);
        comm.barrier();
        if comm.rank() > 0 {
            return;
        }
        let as_csv = ExportOptions { format: EXPORTERS[1], ..ExportOptions::default() };
        let written = export(&path, &as_csv).unwrap();
        assert_eq!(written, [folder.join("run.points.csv"), folder.join("run.cells.csv")]);
        let (heads, rows) = table(&written[0]);
        assert_eq!(heads[..5], ["x", "y", "z", "linear [K]", "strain xx [1]"]);
        assert_eq!(rows.len(), 60);
        for row in &rows {
            assert!((row[3] - linear([row[0], row[1], row[2]])).abs() < 1e-14 && row.len() == heads.len());
        }
        let (heads, rows) = table(&written[1]);
        assert_eq!(heads, ["x", "y", "z", "region", "rank", "expert", "number [1]"]);
        assert!(rows.len() == 144 && rows.iter().enumerate().all(|(i, row)| row[6] == i as f64));
        let volume_centre: f64 = rows.iter().map(|row| row[1]).sum::<f64>() / rows.len() as f64;
        assert!((volume_centre - 1.0).abs() < 1e-12);

        let target = folder.join("sub/one.vtu");
        let as_vtu = ExportOptions {
            format: EXPORTERS[2],
            fields: vec!["linear".into(), "vector".into(), "number".into()],
            sample: Some(0),
            output: Some(target.clone()),
        };
        assert_eq!(export(&path, &as_vtu).unwrap(), std::slice::from_ref(&target));
        let data = std::fs::read(&target).unwrap();
        // Appended blocks, each after its length, in the order of the header: points come first, then the cells.
        let start = data.windows(7).position(|w| w == b"\"raw\">\n").unwrap() + 8;
        let length = |at: usize| u64::from_le_bytes(data[at..at + 8].try_into().unwrap()) as usize;
        let mut at = start;
        let sizes: Vec<usize> = (0..10)
            .map(|_| {
                let size = length(at);
                at += 8 + size;
                size
            })
            .collect();
        let expected = [60 * 24, 144 * 32, 144 * 8, 144, 60 * 8, 60 * 24, 144 * 8, 144 * 4, 144 * 4, 144 * 4];
        assert_eq!(sizes, expected);
        assert!(data[at..].starts_with(b"\n</AppendedData>"));
        check(comm, &[target, path.clone()]);

        let missing = ExportOptions { fields: vec!["nothing".into()], ..as_csv.clone() };
        let error = export(&path, &missing).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains("no field \"nothing\" (fields: linear"));
        let error = export(&path, &ExportOptions { sample: Some(1), ..as_csv }).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains("no 1 to show; there are 0"), "{error}");

        let text = describe(&Reader::open(&path).unwrap(), true).unwrap();
        for part in [
            "run.h5: result of a run, ",
            "title       a < b & \"c\"",
            "144 cells (tetrahedron), 60 vertices (from box)",
            "regions     domain (144)",
            "linear  vertices      60         0      9.5  K",
        ] {
            assert!(text.contains(part), "no {part} in\n{text}");
        }
        assert!(describe(&Reader::open(&path).unwrap(), true).unwrap().is_ascii());
        if std::env::var_os("TESSERA_SHOW").is_some() {
            println!("{text}");
        }
    });
}

fn campaigns_show_the_samples_that_are_done(comm: &Comm) {
    with_folder(comm, |folder| {
        let mesh = mesh(comm, CellType::Triangle);
        let path = folder.join("dataset.h5");
        let (owned, plan) = mesh.vertex_redistribution();
        let samples =
            Samples { count: 4, names: vec!["a".into()], units: vec!["1".into()], values: vec![1.0; 4] };
        let field = Field::nodes("linear", "K", 1, 1, &plan);
        let setup = |file: &tessera::storage::File| mesh.write(file);
        let file = DatasetFile::create(
            comm,
            &path,
            &Provenance::default(),
            Room { samples: &samples, moments: None, single: false },
            &[field],
            &[],
            None,
            setup,
        )
        .unwrap();
        let values: Vec<f64> = owned.iter().map(|&v| linear(mesh.point(v as usize))).collect();
        for (sample, status) in [(1, Status::Done), (2, Status::Failed), (3, Status::Done)] {
            file.write_field((sample, 0), "linear", &plan, &values).unwrap();
            file.finish_sample(sample, status, 1, 0.1).unwrap();
        }
        file.close().unwrap();
        let written = write_xdmf(comm, &path).unwrap();
        check(comm, &[written[0].clone(), path]);
        let text = std::fs::read_to_string(&written[0]).unwrap();
        let times: Vec<&str> = text.lines().filter(|l| l.starts_with("<Time")).collect();
        assert_eq!(times, ["<Time Value=\"1\"/>", "<Time Value=\"3\"/>"]);
    });
}
