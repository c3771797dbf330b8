//! Meshes: import, distribution, overlap, labels, data.
use crate::Test;
use mpi::collective::SystemOperation;
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use petsc_rs::*;

pub const TESTS: &[Test] = &[
    ("cells_from_all_ranks", cells_from_all_ranks),
    ("gmsh_distribute_overlap_labels", gmsh_distribute_overlap_labels),
];

/// Where PETSc leaves behind what it was working on when it fails.
pub const LEAKING: &[Test] = &[("bad_meshes", bad_meshes)];

fn total(comm: &SimpleCommunicator, mine: usize) -> usize {
    let mut all = 0;
    comm.all_reduce_into(&mine, &mut all, SystemOperation::sum());
    all
}

/// Points of this rank that are no copies.
fn owned(mesh: &DmPlex, points: std::ops::Range<Int>) -> usize {
    let (_, leaves) = mesh.point_star_forest().unwrap().graph().unwrap();
    points.len() - leaves.iter().filter(|l| points.contains(&l.local)).count()
}

fn cells_from_all_ranks(comm: &SimpleCommunicator) {
    // A strip of four squares a rank; each rank brings the two vertices left of each of its squares.
    let (rank, size) = (comm.rank(), comm.size());
    let (first, end) = (4 * rank, 4 * (rank + 1));
    let last = rank == size - 1;
    let cells: Vec<i32> = (first..end).flat_map(|i| [2 * i, 2 * i + 2, 2 * i + 3, 2 * i + 1]).collect();
    let coordinates: Vec<f64> =
        (first..end + i32::from(last)).flat_map(|i| [f64::from(i), 0.0, f64::from(i), 1.0]).collect();
    let mesh = DmPlex::from_cells(comm, 2, 4, &cells, 2, &coordinates, true).unwrap();
    assert_eq!(mesh.dimensions().unwrap(), (2, 2));
    assert_eq!(mesh.height(0).unwrap().len(), 4);
    assert_eq!(total(comm, owned(&mesh, mesh.depth(0).unwrap())), 2 * (4 * size as usize + 1));
    // Three edges a square, and one more at the end.
    assert_eq!(total(comm, owned(&mesh, mesh.depth(1).unwrap())), 3 * 4 * size as usize + 1);
    for cell in mesh.height(0).unwrap() {
        assert_eq!(mesh.cell_kind(cell).unwrap(), CellKind::Quadrilateral);
        assert_eq!((mesh.cone(cell).unwrap().len(), mesh.closure(cell).unwrap().len()), (4, 9));
        assert!(mesh.cone(cell).unwrap().iter().all(|&e| mesh.support(e).unwrap().contains(&cell)));
    }
    let coordinates = mesh.vertex_coordinates().unwrap();
    assert!(coordinates.chunks(2).all(|c| c[0] >= f64::from(first) && c[0] <= f64::from(end)));
    assert!(mesh.cone(-1).is_err() && mesh.closure(mesh.chart().unwrap().end).is_err());
    if size > 1 {
        // Already distributed: only a layer more.
        let (wide, _) = mesh.add_overlap(1).unwrap().unwrap();
        assert!(wide.height(0).unwrap().len() > 4);
    }
}

/// A square of `n x n` smaller ones with regions "left" (1) and "right" (2) and the boundary "bottom" (7).
fn square(n: usize) -> String {
    let mut text = String::from("$MeshFormat\n2.2 0 8\n$EndMeshFormat\n");
    text += "$PhysicalNames\n3\n1 7 \"bottom\"\n2 1 \"left\"\n2 2 \"right\"\n$EndPhysicalNames\n";
    text += &format!("$Nodes\n{}\n", (n + 1) * (n + 1));
    let node = |i: usize, j: usize| j * (n + 1) + i + 1;
    for j in 0..=n {
        for i in 0..=n {
            text += &format!("{} {} {} 0\n", node(i, j), i as f64 / n as f64, j as f64 / n as f64);
        }
    }
    text += &format!("$EndNodes\n$Elements\n{}\n", n * n + n);
    for i in 0..n {
        text += &format!("{} 1 2 7 1 {} {}\n", i + 1, node(i, 0), node(i + 1, 0));
    }
    for j in 0..n {
        for i in 0..n {
            let region = if 2 * i < n { 1 } else { 2 };
            let corners = [node(i, j), node(i + 1, j), node(i + 1, j + 1), node(i, j + 1)];
            let [a, b, c, d] = corners;
            text += &format!("{} 3 2 {region} 1 {a} {b} {c} {d}\n", n + j * n + i + 1);
        }
    }
    text + "$EndElements\n"
}

/// A file that rank 0 writes, known to all, removed at the end.
struct File(std::path::PathBuf, bool);

impl File {
    fn new(comm: &SimpleCommunicator, title: &str, text: &str) -> Self {
        let mut id = std::process::id();
        comm.process_at_rank(0).broadcast_into(&mut id);
        let path = std::env::temp_dir().join(format!("petsc-rs-{id}-{title}.msh"));
        let root = comm.rank() == 0;
        if root {
            std::fs::write(&path, text).expect("the temporary folder is writable");
        }
        comm.barrier();
        Self(path, root)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if self.1 {
            let _ = std::fs::remove_file(&self.0);
        }
    }
}

fn gmsh_distribute_overlap_labels(comm: &SimpleCommunicator) {
    let n = 8;
    let file = File::new(comm, "square", &square(n));
    let mut mesh = DmPlex::from_gmsh(comm, &file.0, true).unwrap();
    assert_eq!(mesh.height(0).unwrap().len(), if comm.rank() == 0 { n * n } else { 0 });
    mesh.set_partitioner(&Partitioner::new(comm, "ptscotch").unwrap()).unwrap();
    let mut mesh = match mesh.distribute(0).unwrap() {
        Some((mesh, _)) => mesh,
        None => mesh,
    };
    let own = mesh.height(0).unwrap().len();
    assert_eq!(total(comm, own), n * n);
    assert!(own * comm.size() as usize >= n * n / 2, "{own} cells on rank {}", comm.rank());
    // Physical groups came along.
    let labels = mesh.labels().unwrap();
    assert!(labels.iter().any(|l| l == "Cell Sets") && labels.iter().any(|l| l == "Face Sets"), "{labels:?}");
    let left = mesh.labelled("Cell Sets", 1).unwrap();
    assert_eq!(total(comm, left.len()), n * n / 2);
    assert_eq!(total(comm, mesh.labelled("Face Sets", 7).unwrap().len()), n);
    assert!(mesh.labelled("Face Sets", 8).unwrap().is_empty());
    assert!(mesh.label_values("no such label").unwrap().is_empty());
    mesh.mark_boundary("boundary", 1).unwrap();
    assert_eq!(total(comm, mesh.labelled("boundary", 1).unwrap().len()), 4 * n);
    mesh.create_label("mine").unwrap();
    let cell = mesh.height(0).unwrap().start;
    mesh.set_label("mine", cell, comm.rank()).unwrap();
    assert_eq!(mesh.label_values("mine").unwrap(), [comm.rank()]);
    assert!(mesh.set_label("mine", -1, 0).is_err());
    // One layer of copies.
    let mut wide = match mesh.add_overlap(1).unwrap() {
        Some((wide, _)) => wide,
        None => mesh,
    };
    assert_eq!(wide.height(0).unwrap().len() > own, comm.size() > 1);
    assert_eq!(owned(&wide, wide.height(0).unwrap()), own);
    wide.mark_boundary("again", 3).unwrap();
    for facet in wide.labelled("again", 3).unwrap() {
        let ends = wide.cone(facet).unwrap();
        let coordinates = wide.vertex_coordinates().unwrap();
        let first = wide.depth(0).unwrap().start;
        let on_side = |axis: usize, side: f64| {
            ends.iter().all(|&v| coordinates[2 * (v - first) as usize + axis] == side)
        };
        assert!([(0, 0.0), (0, 1.0), (1, 0.0), (1, 1.0)].iter().any(|&(a, s)| on_side(a, s)));
    }
    // A linear field: every vertex counts its cells; copies are added to their owners.
    let section = wide.create_section(&[("u", 1, &[1])]).unwrap();
    wide.set_section(&section).unwrap();
    let (mut global, mut local) = wide.vectors().unwrap();
    assert_eq!(global.global_size(), (n + 1) * (n + 1));
    assert_eq!(local.local_size(), wide.depth(0).unwrap().len());
    let (_, leaves) = wide.point_star_forest().unwrap().graph().unwrap();
    {
        let mut values = local.write().unwrap();
        for cell in wide.height(0).unwrap() {
            if leaves.iter().any(|l| l.local == cell) {
                continue;
            }
            for (point, _) in wide.closure(cell).unwrap() {
                if wide.depth(0).unwrap().contains(&point) {
                    values[section.offset(point).unwrap() as usize] += 1.0;
                }
            }
        }
    }
    wide.local_to_global_add(&local, &mut global).unwrap();
    assert_eq!(global.sum().unwrap(), (4 * n * n) as f64);
    assert_eq!((global.min().unwrap().0, global.max().unwrap().0), (1.0, 4.0));
    wide.global_to_local(&global, &mut local).unwrap();
    assert!(local.read().unwrap().iter().all(|&v| v >= 1.0));
    let numbers = wide.global_section().unwrap();
    let mine = wide.depth(0).unwrap().filter(|&v| numbers.dof(v).unwrap() > 0).count();
    assert_eq!(mine, global.local_size());
    assert!(wide.global_to_local(&local, &mut global).is_err() || comm.size() == 1);
}

fn bad_meshes(comm: &SimpleCommunicator) {
    assert!(DmPlex::from_gmsh(comm, "no/such/file.msh".as_ref(), true).is_err());
    for (title, text) in [
        ("empty", String::new()),
        ("other", "not a mesh at all\n".into()),
        ("cut", square(3).split_at(200).0.to_string()),
    ] {
        let file = File::new(comm, title, &text);
        let error = DmPlex::from_gmsh(comm, &file.0, true).err().unwrap();
        assert!(
            comm.rank() > 0 || error.traceback.iter().any(|l| l.starts_with("DMPlexCreateGmsh")),
            "{error}"
        );
    }
    let last = comm.rank() == comm.size() - 1;
    let cells = [0, 1, if last { 99 } else { 2 }];
    assert!(DmPlex::from_cells(comm, 2, 3, &cells, 2, &[0.0, 0.0, 1.0, 0.0, 0.0, 1.0], true).is_err());
    assert!(DmPlex::from_cells(comm, 2, 3, &[0, 1], 2, &[0.0, 0.0, 1.0, 0.0], true).is_err());
}
