//! The distributed mesh is the same on any number of ranks, complete, and well divided.

use crate::common::Suite;
use std::collections::{BTreeMap, BTreeSet};
use tessera::mesh::{BoxSource, CellType, Experts, Mesh, MeshSource, PartitionMethod, PartitionOptions};
use tessera::parallel::{Comm, Redistribution};

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
            ("boxes_have_their_volume_and_sides", boxes_have_their_volume_and_sides),
            ("canonical_order_is_that_of_the_source", canonical_order_is_that_of_the_source),
            ("every_cell_has_one_owner", every_cell_has_one_owner),
            ("ghosts_are_complete", ghosts_are_complete),
            ("experts_are_connected_and_balanced", experts_are_connected_and_balanced),
            ("overlap_grows_by_layers_of_cells", overlap_grows_by_layers_of_cells),
            ("partitions_repeat", partitions_repeat),
            ("bad_boxes_are_refused", bad_boxes_are_refused),
        ],
}];

fn source(cell: CellType, cells: &[u64]) -> MeshSource {
    let n = cells.len();
    let upper = [2.0, 3.0, 5.0][..n].to_vec();
    MeshSource::Box(BoxSource {
        cell,
        cells: cells.to_vec(),
        lower: vec![0.0; n],
        upper,
        periodic: [false; 3],
    })
}

fn small(cell: CellType) -> MeshSource {
    source(cell, &[5, 4, 3][..cell.dimension()])
}

fn options(method: PartitionMethod, experts: u32) -> PartitionOptions {
    PartitionOptions { method, experts: Experts::Number(experts) }
}

const METHODS: [PartitionMethod; 2] = [PartitionMethod::PtScotch, PartitionMethod::Simple];

fn build(comm: &Comm, source: &MeshSource, method: PartitionMethod, experts: u32) -> Mesh {
    Mesh::build(comm, source, &options(method, experts)).unwrap()
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// Outward vector with the length of the facet's area (2D: length; 1D: 1).
fn facet_area(mesh: &Mesh, cell: usize, local: usize) -> [f64; 3] {
    let p: Vec<[f64; 3]> = mesh.facet_vertices(cell, local).map(|v| mesh.point(v as usize)).collect();
    match p.len() {
        1 => [if local == 0 { -1.0 } else { 1.0 }, 0.0, 0.0],
        2 => cross(minus(p[1], p[0]), [0.0, 0.0, 1.0]),
        3 => cross(minus(p[1], p[0]), minus(p[2], p[0])).map(|x| x / 2.0),
        _ => cross(minus(p[2], p[0]), minus(p[3], p[1])).map(|x| x / 2.0),
    }
}

/// Volume by the divergence theorem over the cell's facets.
fn volume(mesh: &Mesh, cell: usize) -> f64 {
    let facets = 0..mesh.cell_type.facets();
    let flux = facets.map(|local| {
        let area = facet_area(mesh, cell, local);
        let points: Vec<_> = mesh.facet_vertices(cell, local).map(|v| mesh.point(v as usize)).collect();
        let centre = [0, 1, 2].map(|d| points.iter().map(|p| p[d]).sum::<f64>() / points.len() as f64);
        area[0] * centre[0] + area[1] * centre[1] + area[2] * centre[2]
    });
    flux.sum::<f64>() / mesh.dimension as f64
}

fn boxes_have_their_volume_and_sides(comm: &Comm) {
    for cell in CellType::ALL {
        for method in METHODS {
            let mesh = build(comm, &small(cell), method, 0);
            let dimension = cell.dimension();
            let owned: f64 = (0..mesh.owned_cells).map(|c| volume(&mesh, c)).sum();
            let exact: f64 = [2.0, 3.0, 5.0][..dimension].iter().product();
            assert!((comm.sum(owned) - exact).abs() < 1e-12 * exact, "{cell:?}");
            let mut areas = vec![0.0; 3 * 2 * dimension];
            for i in 0..mesh.facets.len() {
                let (c, marker) = (mesh.facets.cell[i] as usize, mesh.facets.marker[i] as usize);
                assert!(marker < 2 * dimension, "every side of a box has a marker");
                if c < mesh.owned_cells {
                    let area = facet_area(&mesh, c, mesh.facets.local[i] as usize);
                    (0..3).for_each(|d| areas[3 * marker + d] += area[d]);
                }
            }
            comm.sum_into(&mut areas);
            for side in 0..2 * dimension {
                let (d, sign) = (side / 2, if side % 2 == 0 { -1.0 } else { 1.0 });
                let exact = exact / [2.0, 3.0, 5.0][d] * sign;
                for e in 0..3 {
                    let expected = if e == d { exact } else { 0.0 };
                    assert!((areas[3 * side + e] - expected).abs() < 1e-12, "{cell:?} {side} {e}");
                }
            }
            let report = mesh.report();
            assert_eq!((report.cells, report.unmarked), (mesh.global_cells, 0));
            assert_eq!(report.regions, [("domain".to_string(), mesh.global_cells)]);
        }
    }
}

/// Cells by canonical number over all ranks: vertices and region; facets as tuples with markers.
fn canonical(mesh: &Mesh) -> (Vec<u64>, Vec<f64>, Vec<u64>) {
    let (comm, nv) = (&mesh.comm, mesh.cell_type.vertices());
    let plan = Redistribution::new(comm, &mesh.cell_ids[..mesh.owned_cells], mesh.global_cells);
    let vertices: Vec<u64> =
        mesh.cells[..mesh.owned_cells * nv].iter().map(|&v| mesh.vertex_ids[v as usize]).collect();
    let cells = comm.all_gather_varied(&plan.to_canonical(&vertices, nv));
    let mine: Vec<usize> =
        (0..mesh.local_vertices()).filter(|&v| mesh.vertex_owners[v] as usize == comm.rank()).collect();
    let ids: Vec<u64> = mine.iter().map(|&v| mesh.vertex_ids[v]).collect();
    let coordinates: Vec<f64> = mine.iter().flat_map(|&v| mesh.vertex(v)).copied().collect();
    let plan = Redistribution::new(comm, &ids, mesh.global_vertices);
    let coordinates = comm.all_gather_varied(&plan.to_canonical(&coordinates, mesh.dimension));
    let mut facets = Vec::new();
    for i in 0..mesh.facets.len() {
        if (mesh.facets.cell[i] as usize) < mesh.owned_cells {
            let cell = mesh.cell_ids[mesh.facets.cell[i] as usize];
            facets
                .push(cell << 32 | u64::from(mesh.facets.local[i]) << 16 | u64::from(mesh.facets.marker[i]));
        }
    }
    let mut facets = comm.all_gather_varied(&facets);
    facets.sort_unstable();
    (cells, coordinates, facets)
}

fn canonical_order_is_that_of_the_source(comm: &Comm) {
    for cell in CellType::ALL {
        let mesh = build(comm, &small(cell), PartitionMethod::PtScotch, 3);
        let all = canonical(&mesh);
        // The same mesh made on this rank alone.
        let alone = Comm::new(mpi_self());
        let mesh = build(&alone, &small(cell), PartitionMethod::Simple, 0);
        assert!(all == canonical(&mesh), "{cell:?}");
        let points = [6u64, 5, 4];
        let vertices: u64 = points[..cell.dimension()].iter().product();
        assert_eq!(all.1.len() as u64, vertices * cell.dimension() as u64);
        assert_eq!(all.1[cell.dimension()], 2.0 / 5.0, "the second vertex is the next along x");
    }
}

fn mpi_self() -> mpi::topology::SimpleCommunicator {
    use mpi::traits::Communicator;
    mpi::topology::SimpleCommunicator::self_comm().duplicate()
}

fn every_cell_has_one_owner(comm: &Comm) {
    for method in METHODS {
        let mesh = build(comm, &source(CellType::Tetrahedron, &[6, 5, 4]), method, 0);
        let owned = comm.all_gather_varied(&mesh.cell_ids[..mesh.owned_cells]);
        let distinct: BTreeSet<u64> = owned.iter().copied().collect();
        assert_eq!((owned.len(), distinct.len() as u64), (6 * 120, mesh.global_cells));
        let vertices: Vec<u64> = (0..mesh.local_vertices())
            .filter(|&v| mesh.vertex_owners[v] as usize == comm.rank())
            .map(|v| mesh.vertex_ids[v])
            .collect();
        let vertices = comm.all_gather_varied(&vertices);
        assert_eq!(vertices.len() as u64, mesh.global_vertices);
        let report = mesh.report();
        assert!(report.imbalance < 1.15, "{}", report.imbalance);
        assert_eq!(comm.size() == 1, report.edge_cut == 0);
        assert!(report.to_string().contains("720 tetrahedron cells"));
    }
}

fn ghosts_are_complete(comm: &Comm) {
    for cell in CellType::ALL {
        for method in METHODS {
            let mesh = build(comm, &small(cell), method, 7);
            let nv = cell.vertices();
            let alone = Comm::new(mpi_self());
            let whole = build(&alone, &small(cell), PartitionMethod::Simple, 0);
            let mut vertices = BTreeMap::new();
            for (i, &id) in whole.cell_ids.iter().enumerate() {
                let list: Vec<u64> =
                    whole.cell_vertices(i).iter().map(|&v| whole.vertex_ids[v as usize]).collect();
                vertices.insert(id, list);
            }
            let owner: BTreeMap<u64, (u64, u64)> = {
                let mine: Vec<u64> = (0..mesh.owned_cells)
                    .flat_map(|c| [mesh.cell_ids[c], comm.rank() as u64, u64::from(mesh.cell_experts[c])])
                    .collect();
                comm.all_gather_varied(&mine).chunks(3).map(|c| (c[0], (c[1], c[2]))).collect()
            };
            let own: BTreeSet<u64> =
                mesh.cell_ids[..mesh.owned_cells].iter().flat_map(|c| &vertices[c]).copied().collect();
            let needed: BTreeSet<u64> =
                vertices.iter().filter(|(_, v)| v.iter().any(|v| own.contains(v))).map(|(&c, _)| c).collect();
            let held: BTreeSet<u64> = mesh.cell_ids.iter().copied().collect();
            assert_eq!(held, needed, "{cell:?} {method:?}");
            assert_eq!(held.len(), mesh.local_cells());
            for (c, id) in mesh.cell_ids.iter().enumerate() {
                let expected = (u64::from(mesh.cell_owners[c]), u64::from(mesh.cell_experts[c]));
                assert_eq!(owner[id], expected);
                let list: Vec<u64> =
                    mesh.cell_vertices(c).iter().map(|&v| mesh.vertex_ids[v as usize]).collect();
                assert_eq!(vertices[id], list);
                assert_eq!(c < mesh.owned_cells, mesh.cell_owners[c] as usize == comm.rank());
            }
            // Vertices: the owner is the lowest rank with a cell there; those of owned cells come first.
            let mut lowest: BTreeMap<u64, u64> = BTreeMap::new();
            for (id, list) in &vertices {
                for &v in list {
                    let rank = lowest.entry(v).or_insert(u64::MAX);
                    *rank = (*rank).min(owner[id].0);
                }
            }
            for (v, id) in mesh.vertex_ids.iter().enumerate() {
                assert_eq!(lowest[id], u64::from(mesh.vertex_owners[v]));
                assert_eq!(own.contains(id), v < own.len());
            }
            // Marked facets of ghosts are those of the whole mesh.
            let marks = |mesh: &Mesh| -> BTreeSet<(u64, u8, u16)> {
                let f = &mesh.facets;
                (0..f.len()).map(|i| (mesh.cell_ids[f.cell[i] as usize], f.local[i], f.marker[i])).collect()
            };
            let expected: BTreeSet<_> = marks(&whole).into_iter().filter(|m| held.contains(&m.0)).collect();
            assert_eq!(marks(&mesh), expected);
            assert_eq!(mesh.cells.len(), mesh.local_cells() * nv);
        }
    }
}

fn experts_are_connected_and_balanced(comm: &Comm) {
    for (cell, cells) in [(CellType::Tetrahedron, vec![8, 8, 8]), (CellType::Triangle, vec![40, 30])] {
        for method in METHODS {
            for wanted in [1, 4, 16, 64] {
                let mesh = build(comm, &source(cell, &cells), method, wanted);
                assert_eq!(mesh.global_experts, wanted.max(comm.size() as u32));
                let experts: BTreeSet<u32> = mesh.cell_experts[..mesh.owned_cells].iter().copied().collect();
                let first = *experts.first().unwrap();
                assert_eq!(*experts.last().unwrap() - first + 1, experts.len() as u32);
                let counts = comm.all_gather(experts.len() as u64);
                assert_eq!(counts.iter().sum::<u64>(), u64::from(mesh.global_experts));
                assert_eq!(counts[..comm.rank()].iter().sum::<u64>(), u64::from(first));
                assert!(connected(&mesh, experts.len()), "{cell:?} {method:?} {wanted}");
                // Balance inside the rank: 4 experts on 3 ranks cannot all be equal.
                let mut sizes = vec![0; experts.len()];
                mesh.cell_experts[..mesh.owned_cells].iter().for_each(|&e| sizes[(e - first) as usize] += 1);
                let (most, mean) =
                    (*sizes.iter().max().unwrap(), mesh.owned_cells as f64 / experts.len() as f64);
                let bound = if method == PartitionMethod::PtScotch { 1.05 } else { 1.15 };
                assert!(f64::from(most) <= bound * mean + 1.0, "{cell:?} {method:?} {wanted}: {sizes:?}");
                let (least, most) = mesh.report().expert_cells;
                assert_eq!(comm.min(*sizes.iter().min().unwrap() as u64), least);
                assert_eq!(comm.max(*sizes.iter().max().unwrap() as u64), most);
            }
        }
    }
}

fn overlap_grows_by_layers_of_cells(comm: &Comm) {
    for cell in CellType::ALL {
        let mesh = build(comm, &small(cell), PartitionMethod::PtScotch, 5);
        let experts = mesh.experts();
        assert_eq!(comm.sum(experts.len() as u64), u64::from(mesh.global_experts));
        let own = mesh.expert_cells();
        assert_eq!((own.len(), own.is_empty()), (experts.len(), false));
        assert_eq!(mesh.expert_overlap(0), own);
        for (cells, expert) in own.iter().zip(experts.clone()) {
            let expected: Vec<u32> =
                (0..mesh.owned_cells as u32).filter(|&c| mesh.cell_experts[c as usize] == expert).collect();
            assert_eq!(cells, expected);
        }
        // Grown one layer at a time, the slow way.
        let mut sets: Vec<BTreeSet<u32>> = own.iter().map(|c| c.iter().copied().collect()).collect();
        for layers in 1..4 {
            let lists = mesh.expert_overlap(layers);
            for (i, set) in sets.iter_mut().enumerate() {
                let vertices: BTreeSet<u32> =
                    set.iter().flat_map(|&c| mesh.cell_vertices(c as usize)).copied().collect();
                let touches = |&c: &u32| mesh.cell_vertices(c as usize).iter().any(|v| vertices.contains(v));
                *set = (0..mesh.local_cells() as u32).filter(touches).collect();
                assert_eq!(lists[i].iter().copied().collect::<BTreeSet<u32>>(), *set);
                assert_eq!(lists[i].len(), set.len(), "no cell twice");
                assert_eq!(lists[i][..own[i].len()], own[i], "its own cells come first");
            }
        }
    }
}

fn partitions_repeat(comm: &Comm) {
    let make = |cells: &[u64]| {
        let mesh = build(comm, &source(CellType::Tetrahedron, cells), PartitionMethod::PtScotch, 12);
        (mesh.cell_ids, mesh.cell_experts, mesh.vertex_ids)
    };
    let first = make(&[9, 8, 7]);
    // Another mesh in between must not matter.
    make(&[4, 4, 4]);
    assert!(make(&[9, 8, 7]) == first);
}

/// Whether the cells of every expert of this rank hang together through facets.
fn connected(mesh: &Mesh, experts: usize) -> bool {
    let mut sides: BTreeMap<Vec<u32>, Vec<usize>> = BTreeMap::new();
    for cell in 0..mesh.owned_cells {
        for local in 0..mesh.cell_type.facets() {
            let mut key: Vec<u32> = mesh.facet_vertices(cell, local).collect();
            key.sort_unstable();
            sides.entry(key).or_default().push(cell);
        }
    }
    let mut root: Vec<usize> = (0..mesh.owned_cells).collect();
    fn find(root: &mut [usize], mut i: usize) -> usize {
        while root[i] != i {
            root[i] = root[root[i]];
            i = root[i];
        }
        i
    }
    for pair in sides.values().filter(|cells| cells.len() == 2) {
        if mesh.cell_experts[pair[0]] == mesh.cell_experts[pair[1]] {
            let (a, b) = (find(&mut root, pair[0]), find(&mut root, pair[1]));
            root[a] = b;
        }
    }
    let pieces = (0..mesh.owned_cells).filter(|&c| root[c] == c).count();
    pieces == experts
}

fn bad_boxes_are_refused(comm: &Comm) {
    let good = BoxSource {
        cell: CellType::Triangle,
        cells: vec![4, 4],
        lower: vec![0.0; 2],
        upper: vec![1.0; 2],
        periodic: [false; 3],
    };
    let cases: [(&str, BoxSource); 6] = [
        ("entries", BoxSource { cells: vec![4], ..good.clone() }),
        ("is 0", BoxSource { cells: vec![4, 0], ..good.clone() }),
        ("must be less", BoxSource { upper: vec![1.0, 0.0], ..good.clone() }),
        ("must be less", BoxSource { upper: vec![1.0, f64::NAN], ..good.clone() }),
        ("at least 3", BoxSource { cells: vec![4, 2], periodic: [false, true, false], ..good.clone() }),
        ("more than the most", BoxSource { cells: vec![u64::MAX, 2], ..good.clone() }),
    ];
    for (text, source) in cases {
        let Err(error) = Mesh::build(comm, &MeshSource::Box(source), &PartitionOptions::default()) else {
            panic!("accepted a bad box");
        };
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
    if comm.size() > 1 {
        let one = BoxSource {
            cell: CellType::Interval,
            cells: vec![1],
            lower: vec![0.0],
            upper: vec![1.0],
            periodic: [false; 3],
        };
        assert!(Mesh::build(comm, &MeshSource::Box(one), &PartitionOptions::default()).is_err());
    }
}
