//! Points for outside programs: nodes, weights and experts as known, and the way back of functions that are given there.
use crate::common::decks::{deck_in, simulation};
use crate::common::{Suite, with_folder};
use std::path::Path;
use tessera::drivers::info;
use tessera::drivers::export_points::{self as points, PointsOptions};
use tessera::mixture::Gating;
use tessera::mixture::bases::{experts, read_columns};
use tessera::parallel::Comm;
use tessera::report::Level;
use tessera::storage::{File, Reader};

/// Two solutions of degrees 1 and 2 over a rectangle of 2 m by 1 m.
const DECK: &str = "title = \"Points\"\n[mesh]\nbox = { cell = \"triangle\", cells = [8, 4], upper = [2, 1] }\n\
    [parameters]\nk = { default = 2, range = [1, 4], unit = \"W/(m K)\" }\n[partition]\nexperts = 6\noverlap = 2\n\
    [[physics]]\nmodel = \"diffusion\"\nfield = \"temperature\"\nunit = \"K\"\nconductivity = \"k\"\n\
    boundary = [{ marker = \"left\", value = 0 }]\n\
    [[physics]]\nmodel = \"elasticity\"\nname = \"plate\"\nfield = \"displacement\"\ndegree = 2\nyoung = 1\npoisson = 0.3\n\
    boundary = [{ marker = \"left\", value = [0, \"free\"] }, { point = [0, 0], value = [\"free\", 0] }]\n\
    [output]\nxdmf = false\n";

fn write(comm: &Comm, folder: &Path, text: &str, name: &str) -> Reader {
    let deck = deck_in(folder, text, &[]);
    let options = PointsOptions { output: Some(folder.join(name)), level: Level::Quiet };
    points::run(comm, &deck, &folder.join("deck.toml"), &options).unwrap();
    comm.barrier();
    Reader::open(&folder.join(name)).unwrap()
}

fn array(file: &Reader, path: &str) -> Vec<f64> {
    file.array::<f64>(path).unwrap_or_else(|e| panic!("{e}")).1
}

/// Coordinates and weights integrate polynomials of the elements' degree exactly; what is prescribed is marked; the gating
/// functions of the experts sum to one at every node.
fn nodes_and_weights(comm: &Comm) {
    with_folder(comm, |folder| {
        let file = write(comm, folder, DECK, "points.h5");
        // Of x, and of x^2 y, over [0, 2] x [0, 1].
        for (field, nodes, fixed, integrals) in
            [("temperature", 45, 5, [2.0, f64::NAN]), ("displacement", 153, 10, [2.0, 4.0 / 3.0])]
        {
            let path = |name: &str| format!("/points/{field}/{name}");
            let (x, w) = (array(&file, &path("coordinates")), array(&file, &path("weights")));
            assert_eq!((x.len(), w.len()), (2 * nodes, nodes));
            let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
                x.chunks(2).zip(&w).map(|(x, w)| w * f(x[0], x[1])).sum()
            };
            assert!((sum(&|_, _| 1.0) - 2.0).abs() < 1e-13 && (sum(&|x, _| x) - integrals[0]).abs() < 1e-13);
            // Of degree 2 only, where x^2 is exact as well.
            assert!(integrals[1].is_nan() || (sum(&|x, _| x * x) - 2.0 * integrals[1]).abs() < 1e-12);
            let (shape, flags) = file.array::<u8>(&path("essential")).unwrap();
            let components = shape[1] as usize;
            for (node, flags) in flags.chunks(components).enumerate() {
                let (x, y) = (x[2 * node], x[2 * node + 1]);
                let expected = [u8::from(x == 0.0), u8::from(x == 0.0 && y == 0.0)];
                assert_eq!(flags, &expected[..components], "{field} {x} {y}");
            }
            assert_eq!(flags.iter().filter(|&&flag| flag == 1).count(), fixed);
            let start = file.array::<u64>(&path("experts/start")).unwrap().1;
            let list = file.array::<u64>(&path("experts/nodes")).unwrap().1;
            let gating = array(&file, &path("experts/gating"));
            assert_eq!((start.len(), *start.last().unwrap() as usize), (7, list.len()));
            let mut sums = vec![0.0; nodes];
            list.iter().zip(&gating).for_each(|(&node, chi)| sums[node as usize] += chi);
            assert!(sums.iter().all(|sum| (sum - 1.0f64).abs() < 1e-14) && gating.iter().all(|&chi| chi > 0.0));
        }
        assert_eq!(file.array::<f64>("/ranges").unwrap(), (vec![1, 2], vec![1.0, 4.0]));
        assert_eq!(array(&file, "/parameters"), [2.0]);
        let text = info::describe(&file, false).unwrap();
        assert!(text.contains("points of a deck") && text.contains("displacement") && text.contains("153"), "{text}");
        assert!(!text.contains("other data"), "{text}");
        // The same, but for the shapes of the experts, as on one rank.
        let one = comm.split(comm.rank());
        let alone = write(&one, folder, DECK, &format!("alone-{}.h5", comm.rank()));
        for path in ["temperature/coordinates", "temperature/weights", "displacement/coordinates", "displacement/weights"] {
            let path = format!("/points/{path}");
            let (a, b) = (array(&file, &path), array(&alone, &path));
            assert!(a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-15), "{path}");
        }
        comm.barrier();
    });
}

/// Of a periodic box every image has its place, and the images share a weight.
fn periodic_boxes(comm: &Comm) {
    const RING: &str = "[mesh]\nbox = { cell = \"quadrilateral\", cells = [6, 4], periodic = [\"x\"] }\n\
        [[physics]]\nmodel = \"diffusion\"\nfield = \"u\"\ndegree = 2\nboundary = [{ marker = \"bottom\", value = 0 }]\n";
    with_folder(comm, |folder| {
        let file = write(comm, folder, RING, "points.h5");
        let (x, w) = (array(&file, "/points/u/coordinates"), array(&file, "/points/u/weights"));
        assert_eq!(w.len(), 13 * 9);
        let sides: f64 = x.chunks(2).zip(&w).filter(|(x, _)| x[0] == 0.0).map(|(_, w)| w).sum();
        let others: f64 = x.chunks(2).zip(&w).filter(|(x, _)| x[0] == 1.0).map(|(_, w)| w).sum();
        assert!((w.iter().sum::<f64>() - 1.0).abs() < 1e-13);
        // Simpson's rule over six cells, of which the two at the seam share the first weight.
        assert!((sides - 1.0 / 36.0).abs() < 1e-14 && (others - sides).abs() < 1e-14, "{sides} {others}");
        assert!(!file.exists("/points/u/experts") && !file.exists("/time"));
        comm.barrier();
    });
}

/// The times that functions in space and time are given at, where they are known beforehand.
fn times_of_steps(comm: &Comm) {
    const HEAT: &str = "[mesh]\nbox = { cell = \"interval\", cells = [4] }\n\
        [[physics]]\nmodel = \"diffusion\"\nboundary = [{ marker = \"left\", value = 0 }]\n\
        [time]\nend = 1\nstep = 0.25\nstops = [0.3]\n[output]\nframes = 2\n[campaign]\n";
    with_folder(comm, |folder| {
        let times = |more: &str, name: &str| {
            let file = write(comm, folder, &format!("{HEAT}{more}"), name);
            if file.exists("/time") { array(&file, "/time") } else { Vec::new() }
        };
        assert_eq!(times("", "a.h5"), [0.0, 0.5, 1.0]);
        assert_eq!(times("frames = \"last\"\n", "b.h5"), [1.0]);
        let every = times("frames = \"steps\"\n", "c.h5");
        assert!(every[0] == 0.0 && every.iter().any(|t| (t - 0.3).abs() < 1e-12), "{every:?}");
        assert!(every.is_sorted() && (every[every.len() - 1] - 1.0).abs() < 1e-12 && every.len() > 5, "{every:?}");
        let adaptive = HEAT.replace("stops = [0.3]", "tolerance = 1e-3");
        let file = write(comm, folder, &format!("{adaptive}frames = \"steps\"\nsteps = 50\n"), "d.h5");
        assert!(!file.exists("/time"));
        comm.barrier();
    });
}

/// An outside program's functions of each expert at its nodes come back as columns there, on other ranks too; a program that
/// gives them at nodes of its own is refused.
fn functions_come_back(comm: &Comm) {
    with_folder(comm, |folder| {
        let points = write(comm, folder, DECK, "points.h5");
        let path = |name: &str| format!("/points/displacement/{name}");
        let [start, nodes] = ["experts/start", "experts/nodes"].map(|name| points.array::<u64>(&path(name)).unwrap());
        let x = array(&points, &path("coordinates"));
        // What a network would say: of each expert k two functions, (1, k x) and (y, x).
        let expert = |row: usize| start.1.iter().rposition(|&first| first as usize <= row).unwrap();
        let value = |k: usize, function: usize, [x, y]: [f64; 2]| match function {
            0 => [1.0, k as f64 * x],
            _ => [y, x],
        };
        let rows = nodes.1.len();
        let modes: Vec<f64> = (0..2 * rows)
            .flat_map(|entry| {
                let node = nodes.1[entry % rows] as usize;
                value(expert(entry % rows), entry / rows, [x[2 * node], x[2 * node + 1]])
            })
            .collect();
        let put = |name: &str, nodes: &[u64]| {
            let file = File::create(comm, &folder.join(name)).unwrap();
            file.write_array("/net/start", &start.0, &start.1).unwrap();
            file.write_array("/net/nodes", &[rows as u64], nodes).unwrap();
            file.write_array("/net/modes", &[2, rows as u64, 2], &modes).unwrap();
            file.close().unwrap();
            comm.barrier();
        };
        put("net.h5", &nodes.1);
        let mut moved = nodes.1.clone();
        moved.swap(0, 1);
        put("moved.h5", &moved);
        let one = comm.split(comm.rank());
        for comm in [comm, &one] {
            let simulation = simulation(comm, DECK);
            let problem = &simulation.stages[1].problem;
            let space = &problem.space;
            let file = File::open(comm, &folder.join("points.h5")).unwrap();
            let gating = experts(&file, space).unwrap().unwrap();
            file.close().unwrap();
            assert_eq!((gating.global_experts, gating.layers), (6, 2));
            let fixed = problem.essential(&simulation.default_context()).unwrap().fixed[..space.owned_dofs()].to_vec();
            let found = read_columns(&folder.join("net.h5"), "/net", space, &fixed, &gating).unwrap();
            let places: Vec<[f64; 2]> = (0..space.owned_nodes).map(|n| [0, 1].map(|i| space.point(n)[i])).collect();
            let places = gating.restrict(comm, &places.concat(), 2);
            assert_eq!(found.len(), gating.experts.len());
            for ((columns, places), k) in found.iter().zip(&places).zip(gating.experts.clone()) {
                assert_eq!(columns.count(), 2);
                for (function, column) in columns.iter().enumerate() {
                    for (found, place) in column.chunks(2).zip(places.chunks(2)) {
                        let [mut u, mut v] = value(k as usize, function, [place[0], place[1]]);
                        if place[0] == 0.0 {
                            (u, v) = (0.0, if place[1] == 0.0 { 0.0 } else { v });
                        }
                        assert!((found[0] - u).abs() < 1e-13 && (found[1] - v).abs() < 1e-13, "{k} {place:?}");
                    }
                }
            }
            let error = read_columns(&folder.join("moved.h5"), "/net", space, &fixed, &gating).err().unwrap();
            assert!(error.to_string().contains("/net is of other experts"), "{error}");
            let whole = Gating::whole(space);
            let error = read_columns(&folder.join("net.h5"), "/net", space, &fixed, &whole).err().unwrap();
            assert!(error.to_string().contains("of other experts"), "{error}");
        }
        // The deck itself stays.
        let deck = folder.join("deck.toml");
        let options = PointsOptions { output: Some(deck.clone()), level: Level::Quiet };
        let error = points::run(comm, &deck_in(folder, DECK, &[]), &deck, &options).unwrap_err().to_string();
        assert!(error.contains("is the deck itself"), "{error}");
    });
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
        ("nodes_and_weights", nodes_and_weights),
        ("periodic_boxes", periodic_boxes),
        ("times_of_steps", times_of_steps),
        ("functions_come_back", functions_come_back),
    ],
}];
