//! Periodic boxes: the mesh across the seams, orders of convergence, files, ranks, solvers.

use crate::common::{Suite, with_folder};
use crate::common::decks::{deck, quiet, simulation};
use mpi::traits::Communicator;
use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;
use tessera::drivers::run::run;
use tessera::fem::Space;
use tessera::mesh::{BoxSource, CellType, Experts, Mesh, MeshSource, PartitionMethod, PartitionOptions};
use tessera::parallel::Comm;
use tessera::storage::Reader;

const METHODS: [PartitionMethod; 2] = [PartitionMethod::PtScotch, PartitionMethod::Simple];

fn build(comm: &Comm, cell: CellType, periodic: [bool; 3], method: PartitionMethod) -> Mesh {
    let d = cell.dimension();
    let source = BoxSource {
        cell,
        cells: vec![5, 4, 3][..d].to_vec(),
        lower: vec![0.0; d],
        upper: vec![2.0, 3.0, 5.0][..d].to_vec(),
        periodic,
    };
    let options = PartitionOptions { method, experts: Experts::Number(6) };
    Mesh::build(comm, &MeshSource::Box(source), &options).unwrap()
}

/// Canonical vertices of a local cell, those of the seams joined.
fn joined(mesh: &Mesh, cell: usize) -> Vec<u64> {
    let (ids, cells) = mesh.topology();
    let nv = mesh.cell_type.vertices();
    cells[cell * nv..][..nv].iter().map(|&v| ids[v as usize]).collect()
}

/// Ghosts are all cells that share a joined vertex with an owned one, facets lie only on sides that remain, and
/// every vertex that files show has one owner.
fn ghosts_reach_across_the_seams(comm: &Comm) {
    for cell in CellType::ALL {
        for periodic in [[true; 3], [true, false, false], [false, true, true]] {
            let d = cell.dimension();
            if !periodic[..d].contains(&true) {
                continue;
            }
            let whole = build(&Comm::new(mpi_self()), cell, periodic, PartitionMethod::Simple);
            for method in METHODS {
                let mesh = build(comm, cell, periodic, method);
                assert_eq!(mesh.global_vertices, whole.global_vertices);
                let own: BTreeSet<u64> = (0..mesh.owned_cells).flat_map(|c| joined(&mesh, c)).collect();
                let needed: BTreeSet<u64> = (0..whole.local_cells())
                    .filter(|&c| joined(&whole, c).iter().any(|v| own.contains(v)))
                    .map(|c| whole.cell_ids[c])
                    .collect();
                let held: BTreeSet<u64> = mesh.cell_ids.iter().copied().collect();
                assert_eq!(held, needed, "{cell:?} {periodic:?} {method:?}");
                let rank = comm.rank() as u32;
                let mine = mesh.vertex_owners.iter().filter(|&&owner| owner == rank).count();
                assert_eq!(comm.sum(mine as u64), mesh.global_vertices);
                let (lower, upper) = ([0.0; 3], [2.0, 3.0, 5.0]);
                for f in 0..mesh.facets.len() {
                    assert_ne!(mesh.facets.marker[f], u16::MAX, "a facet without a marker");
                    let vertices =
                        mesh.facet_vertices(mesh.facets.cell[f] as usize, mesh.facets.local[f] as usize);
                    let points: Vec<[f64; 3]> = vertices.map(|v| mesh.point(v as usize)).collect();
                    let on_side = |i: usize| {
                        let all = |x: f64| points.iter().all(|p| p[i] == x);
                        all(lower[i]) || all(upper[i])
                    };
                    assert!((0..d).any(|i| !periodic[i] && on_side(i)), "{points:?}");
                }
                let report = mesh.report();
                assert_eq!(report.unmarked, 0);
                assert_eq!(report.markers.len(), 2 * (0..d).filter(|&i| !periodic[i]).count());
            }
        }
    }
}

fn mpi_self() -> mpi::topology::SimpleCommunicator {
    mpi::topology::SimpleCommunicator::self_comm().duplicate()
}

/// Without boundary every cell of the grid brings as many entities of each kind as an inner one.
fn nodes_are_counted_once(comm: &Comm) {
    for cell in CellType::ALL {
        let grid = [5, 20, 60][cell.dimension() - 1];
        for (degree, per_grid_cell) in [(1, 1), (2, 1 << cell.dimension())] {
            let mesh = Rc::new(build(comm, cell, [true; 3], PartitionMethod::PtScotch));
            let space = Space::new(mesh, degree, 1).unwrap();
            assert_eq!(space.global_nodes, grid * per_grid_cell, "{cell:?}, degree {degree}");
            // Files show the box with all its sides, and coordinates are those of the lower ones.
            let plan = space.canonical();
            let open: u64 = [5u64, 4, 3][..cell.dimension()].iter().map(|n| degree as u64 * n + 1).product();
            assert_eq!(plan.total(), open);
            let values: Vec<f64> = (0..space.owned_nodes).map(|node| space.point(node)[0]).collect();
            assert!(values.iter().all(|&x| x < 2.0));
            assert_eq!(plan.from_canonical(&plan.to_canonical(&values, 1), 1), values);
        }
    }
}

const AXES: [&str; 3] = ["x", "y", "z"];

fn mesh(cell: &str, dimension: usize, n: usize, periodic: &[&str]) -> String {
    let cells = vec![n.to_string(); dimension].join(", ");
    format!("[mesh]\nbox = {{ cell = \"{cell}\", cells = [{cells}], periodic = {periodic:?} }}\n")
}

/// A sum of waves along the axes, and its derivatives.
fn waves(dimension: usize) -> (String, Vec<String>) {
    let value: Vec<String> = AXES[..dimension].iter().map(|x| format!("sin(2*pi*{x} + 1)")).collect();
    let slope = AXES[..dimension].iter().map(|x| format!("(2*pi*cos(2*pi*{x} + 1))")).collect();
    (format!("({})", value.join(" + ")), slope)
}

const TAIL: &str = "[solver]\ntolerance = 1e-12\n\
    [[quantity]]\nname = \"l2\"\nkind = \"l2_error\"\n[[quantity]]\nname = \"h1\"\nkind = \"h1_error\"\n";

/// `-div(k grad u) + u = f` with `k = 2 + cos(2 pi x)`.
fn diffusion(cell: &str, dimension: usize, degree: usize, n: usize) -> String {
    let (u, slope) = waves(dimension);
    format!(
        "{}[[physics]]\nmodel = \"diffusion\"\ndegree = {degree}\nconductivity = \"2 + cos(2*pi*x)\"\nreaction = 1.0\n\
         source = \"((2 + cos(2*pi*x))*4*pi^2 + 1)*{u} + 2*pi*sin(2*pi*x)*{}\"\n[[exact]]\nvalue = \"{u}\"\n{TAIL}",
        mesh(cell, dimension, n, &AXES[..dimension]),
        slope[0]
    )
}

/// `b . grad u - div(k grad u) + u = f`.
fn advection_diffusion(cell: &str, dimension: usize, degree: usize, n: usize) -> String {
    let (u, slope) = waves(dimension);
    let transport: Vec<String> =
        slope.iter().zip([1.0, -0.5, 0.3]).map(|(slope, b)| format!("{b:?}*{slope}")).collect();
    format!(
        "{}[[physics]]\nmodel = \"advection_diffusion\"\ndegree = {degree}\ndiffusivity = 0.2\nreaction = 1.0\n\
         velocity = {:?}\nsource = \"{} + (0.2*4*pi^2 + 1)*{u}\"\n[[exact]]\nvalue = \"{u}\"\n{TAIL}",
        mesh(cell, dimension, n, &AXES[..dimension]),
        &[1.0, -0.5, 0.3][..dimension],
        transport.join(" + ")
    )
}

fn quantities(comm: &Comm, text: &str) -> Vec<f64> {
    let mut simulation = simulation(comm, text);
    let context = simulation.default_context();
    simulation.solve(&context).unwrap_or_else(|e| panic!("{e}\n{text}"));
    simulation.quantities(&context).unwrap()
}

fn orders(comm: &Comm, what: &str, deck: fn(&str, usize, usize, usize) -> String) {
    for (cell, dimension, sizes) in [
        ("interval", 1, [[16, 32], [16, 32]]),
        ("triangle", 2, [[16, 32], [8, 16]]),
        ("quadrilateral", 2, [[16, 32], [8, 16]]),
        ("tetrahedron", 3, [[8, 16], [4, 8]]),
        ("hexahedron", 3, [[8, 16], [4, 8]]),
    ] {
        for degree in 1..=2 {
            let [coarse, fine] =
                sizes[degree - 1].map(|n| quantities(comm, &deck(cell, dimension, degree, n)));
            let observed = [0, 1].map(|i| (coarse[i] / fine[i]).log2());
            if comm.rank() == 0 {
                println!(
                    "    {what:20} {cell:13} degree {degree}: L2 {:.2e}, order {:.2}; H1 {:.2e}, order {:.2}",
                    fine[0], observed[0], fine[1], observed[1]
                );
            }
            for (i, expected) in [degree as f64 + 1.0, degree as f64].into_iter().enumerate() {
                assert!(
                    observed[i] > expected - 0.25 && observed[i] < expected + 0.6,
                    "{what}, {cell}, degree {degree}: orders {observed:?}"
                );
            }
        }
    }
}

fn diffusion_orders(comm: &Comm) {
    orders(comm, "diffusion", diffusion);
}

fn advection_diffusion_orders(comm: &Comm) {
    orders(comm, "advection-diffusion", advection_diffusion);
}

/// The same errors, to rounding, whatever the ranks: the reference is computed by each rank alone.
fn ranks_do_not_matter(comm: &Comm) {
    let alone = Comm::new(mpi_self());
    for (cell, dimension, n) in [
        ("interval", 1, 7),
        ("triangle", 2, 5),
        ("quadrilateral", 2, 5),
        ("tetrahedron", 3, 3),
        ("hexahedron", 3, 3),
    ] {
        for degree in 1..=2 {
            for text in
                [diffusion(cell, dimension, degree, n), advection_diffusion(cell, dimension, degree, n)]
            {
                let (one, all) = (quantities(&alone, &text), quantities(comm, &text));
                for (a, b) in one.iter().zip(&all) {
                    assert!((a - b).abs() < 1e-9 * a, "{cell}, degree {degree}: {one:?}, {all:?}");
                }
            }
        }
    }
}

/// Every solver and every number of experts finds the same solution.
fn solvers_agree(comm: &Comm) {
    let text = diffusion("triangle", 2, 2, 12);
    let reference = quantities(comm, &text.replace("[solver]", "[solver]\nmethod = \"direct\""));
    for method in ["amg", "schwarz"] {
        let text =
            text.replace("[solver]", &format!("[partition]\nexperts = 6\n[solver]\nmethod = \"{method}\""));
        for (a, b) in reference.iter().zip(quantities(comm, &text)) {
            assert!((a - b).abs() < 1e-6 * a, "{method}: {b} instead of {a}");
        }
    }
}

/// A channel between two walls, driven by a force: the parabola is in the space, so the error is rounding.
fn channel_between_walls(comm: &Comm) {
    for (cell, periodic, pin) in [
        ("triangle", vec!["x"], "[0.0, 0.0]"),
        ("quadrilateral", vec!["x"], "[0.0, 0.0]"),
        ("tetrahedron", vec!["x", "z"], "[0.0, 0.0, 0.0]"),
        ("hexahedron", vec!["z", "x"], "[0.0, 0.0, 0.0]"),
    ] {
        let d = periodic.len() + 1;
        let rest = vec!["0.0"; d - 1].join(", ");
        let free = vec!["\"free\""; d].join(", ");
        let text = format!(
            "{}[solver]\ntolerance = 1e-12\n[[physics]]\nmodel = \"navier_stokes\"\nviscosity = 0.5\nbody_force = [4.0, {rest}]\n\
             boundary = [{{ marker = [\"bottom\", \"top\"], value = [0.0, {rest}, \"free\"] }},\n\
             {{ point = {pin}, value = [{free}, 0.0] }}]\n\
             [[exact]]\nfield = \"velocity\"\nvalue = [\"4*y*(1 - y)\", {rest}]\n\
             [[quantity]]\nname = \"l2\"\nkind = \"l2_error\"\nfield = \"velocity\"\n",
            mesh(cell, d, 4, &periodic)
        );
        let error = quantities(comm, &text)[0];
        assert!(error < 1e-8, "{cell}: {error:e}");
    }
}

fn run_to(comm: &Comm, text: &str, folder: &Path) {
    let mut deck = deck(text, &[]);
    deck.output.directory = folder.into();
    let options = quiet();
    run(comm, &deck, &options).unwrap_or_else(|e| panic!("{e}\n{text}"));
    comm.barrier();
}

/// A pulse that leaves on one side and comes in on the other; its integral stays.
fn pulse(cell: &str, dimension: usize, degree: usize) -> String {
    let velocity = vec!["1.0"; dimension].join(", ");
    format!(
        "{}[time]\nend = 0.5\nstep = 0.05\n[output]\nframes = 2\n[solver]\ntolerance = 1e-12\n\
         [[physics]]\nmodel = \"advection_diffusion\"\ndegree = {degree}\ndiffusivity = 0.02\nvelocity = [{velocity}]\n\
         [[initial]]\nvalue = \"exp(-20*(x - 0.7)^2)\"\n[[quantity]]\nname = \"mass\"\nkind = \"integral\"\n",
        mesh(cell, dimension, 6, &AXES[..dimension])
    )
}

/// Files show the box cut open, the same on all ranks; equal values on both sides of a seam; and what is read back
/// as a mesh is periodic still.
fn files_show_the_open_box(comm: &Comm) {
    with_folder(comm, |folder| {
        for (cell, dimension, degree) in [
            ("interval", 1, 2),
            ("triangle", 2, 1),
            ("quadrilateral", 2, 2),
            ("tetrahedron", 3, 2),
            ("hexahedron", 3, 1),
        ] {
            let (one, all) = (folder.join(format!("{cell}-one")), folder.join(format!("{cell}-all")));
            let text = pulse(cell, dimension, degree);
            if comm.rank() == 0 {
                run_to(&Comm::new(mpi_self()), &text, &one);
            }
            run_to(comm, &text, &all);
            let again = text.replacen("[mesh]\n", "[mesh]\nfile = \"FILE\"\n#", 1);
            let again = again.replace("FILE", all.join("run.h5").to_str().unwrap());
            run_to(comm, &again, &folder.join(format!("{cell}-again")));
            if comm.rank() > 0 {
                continue;
            }
            let open = |folder: &Path| Reader::open(&folder.join("run.h5")).unwrap();
            let (one, all, again) = (open(&one), open(&all), open(&folder.join(format!("{cell}-again"))));
            let geometry = |file: &Reader| file.array::<f64>("/mesh/geometry").unwrap().1;
            let topology = |file: &Reader| file.array::<u64>("/mesh/topology").unwrap().1;
            for file in [&all, &again] {
                assert_eq!((geometry(&one), topology(&one)), (geometry(file), topology(file)), "{cell}");
                for step in 0..=2 {
                    let (a, b): (Vec<f64>, Vec<f64>) =
                        (one.step("/fields/u", step).unwrap(), file.step("/fields/u", step).unwrap());
                    let worst = a.iter().zip(&b).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
                    assert!(a.len() == b.len() && worst < 1e-9, "{cell}: {worst:e}");
                }
                let mass: Vec<f64> = file.array("/qoi/mass").unwrap().1;
                assert!((mass[2] - mass[0]).abs() < 1e-10 * mass[0], "{cell}: {mass:?}");
            }
            let path = if degree == 2 { "/spaces/2/coordinates" } else { "/mesh/geometry" };
            let points: Vec<f64> = all.array(path).unwrap().1;
            let values: Vec<f64> = all.step("/fields/u", 2).unwrap();
            let key = |p: &[f64]| -> Vec<i64> {
                p.iter().map(|x| ((x % 1.0) * 1e6).round() as i64 % 1_000_000).collect()
            };
            let mut at = std::collections::BTreeMap::new();
            for (p, v) in points.chunks_exact(dimension).zip(&values) {
                let before = at.insert(key(p), *v);
                assert!(before.is_none_or(|w| w == *v), "{cell}: two values at {p:?}");
            }
            let n = 6 * degree;
            assert_eq!(
                (values.len(), at.len()),
                ((n + 1).pow(dimension as u32), n.pow(dimension as u32)),
                "{cell}"
            );
        }
    });
}

/// What does not depend on the ranks runs on two.
pub const SUITES: &[Suite] = &[
    Suite {
        ranks: &[1, 2, 3, 4],
        tests: &[
            ("ghosts_reach_across_the_seams", ghosts_reach_across_the_seams),
            ("nodes_are_counted_once", nodes_are_counted_once),
            ("ranks_do_not_matter", ranks_do_not_matter),
            ("solvers_agree", solvers_agree),
            ("channel_between_walls", channel_between_walls),
            ("files_show_the_open_box", files_show_the_open_box),
        ],
    },
    Suite {
        ranks: &[2],
        tests: &[("diffusion_orders", diffusion_orders), ("advection_diffusion_orders", advection_diffusion_orders)],
    },
];
