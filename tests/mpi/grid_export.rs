//! Fields on regular grids: exact where the element is, the same file on any ranks.

use crate::common::{Suite, with_folder};
use crate::common::decks::{deck_in, quiet};
use std::path::Path;
use tessera::deck::Deck;
use tessera::drivers::grid::{self, GridOptions};
use tessera::drivers::{campaign, run};
use tessera::fem::grid::Placement;
use tessera::parallel::Comm;
use tessera::report::Level;
use tessera::storage::{Reader, Slab, Value};

fn options(counts: &str) -> GridOptions {
    GridOptions {
        counts: counts.parse().unwrap(),
        placement: Placement::Ends,
        fields: Vec::new(),
        fill: f64::NAN,
        single: false,
        output: None,
        level: Level::Quiet,
    }
}

fn deck(text: &str, folder: &Path) -> Deck {
    let mut deck = deck_in(folder, text, &[]);
    deck.output.xdmf = false;
    deck
}

/// Points of the grid in the file, in its order.
fn points(file: &Reader) -> Vec<[f64; 3]> {
    let axes: Vec<Vec<f64>> = file
        .members("/grid")
        .iter()
        .filter(|n| *n != "mask")
        .map(|n| file.array(&format!("/grid/{n}")).unwrap().1)
        .collect();
    let along = |i: usize| axes.get(i).cloned().unwrap_or(vec![0.0]);
    let mut points = Vec::new();
    for &x in &along(0) {
        for &y in &along(1) {
            points.extend(along(2).iter().map(|&z| [x, y, z]));
        }
    }
    points
}

/// Boundary values that the elements can follow everywhere are the solution of Laplace's equation with their own source.
fn exact_fields(comm: &Comm) {
    for (cell, d) in
        [("interval", 1), ("triangle", 2), ("quadrilateral", 2), ("tetrahedron", 3), ("hexahedron", 3)]
    {
        for degree in [1, 2] {
            with_folder(comm, |folder| {
                let (cells, upper) =
                    (["5", "5, 4", "3, 4, 3"][d - 1], ["2.0", "2.0, 1.0", "2.0, 1.0, 0.5"][d - 1]);
                let formula = match degree {
                    1 => ["1 + 2*x", "1 + 2*x - y", "1 + 2*x - y + 3*z"][d - 1],
                    _ => ["x^2 - x", "x^2 + x*y - 3*y^2", "x^2 + x*y - 3*y^2 + y*z + z^2"][d - 1],
                };
                let source = if degree == 1 { 0.0 } else { [-2.0, 4.0, 2.0][d - 1] };
                let sides = [
                    r#""left", "right""#,
                    r#""left", "right", "bottom", "top""#,
                    r#""left", "right", "bottom", "top", "front", "back""#,
                ][d - 1];
                let text = format!(
                    "[mesh]\nbox = {{ cell = \"{cell}\", cells = [{cells}], upper = [{upper}] }}\n[[physics]]\n\
                     model = \"diffusion\"\nfield = \"u\"\nunit = \"K\"\ndegree = {degree}\nsource = {source}\n\
                     boundary = [{{ marker = [{sides}], value = \"{formula}\" }}]\n[solver]\nmethod = \"direct\"\n"
                );
                let deck = deck(&text, folder);
                run::run(comm, &deck, &quiet()).unwrap();
                let counts = ["11", "7x6", "5x4x6"][d - 1];
                let path = folder.join("run.h5");
                for placement in [Placement::Ends, Placement::Centres] {
                    grid::run(comm, &path, &GridOptions { placement, ..options(counts) }).unwrap();
                    comm.barrier();
                    let file = Reader::open(&folder.join("run.grid.h5")).unwrap();
                    assert_eq!(file.text("/", "schema").unwrap(), "tessera-grid");
                    let (shape, values): (_, Vec<f64>) = file.array("/outputs/u").unwrap();
                    let counts: Vec<u64> = counts.split('x').map(|n| n.parse().unwrap()).collect();
                    assert_eq!(shape, [&[1], &counts[..], &[1]].concat());
                    assert_eq!(file.text("/outputs/u", "unit").unwrap(), "K");
                    assert!(file.array::<u8>("/grid/mask").unwrap().1.iter().all(|&inside| inside == 1));
                    let exact = tessera::deck::Expression::parse(formula, &deck.variables()).unwrap();
                    let points = points(&file);
                    assert_eq!(points.len(), values.len());
                    for (x, value) in points.iter().zip(&values) {
                        let exact = exact.eval(&[x[0], x[1], x[2], 0.0]);
                        assert!(
                            (value - exact).abs() < 1e-9,
                            "{cell}, degree {degree}, {x:?}: {value} for {exact}"
                        );
                    }
                    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
                    let mean = values.iter().sum::<f64>() / values.len() as f64;
                    let attribute = |name: &str| match file.get("/outputs/u", name).unwrap() {
                        Some(Value::Floats(list)) => list[0],
                        Some(Value::Float(number)) => number,
                        other => panic!("{name}: {other:?}"),
                    };
                    assert!(
                        (attribute("min") - least).abs() < 1e-12 && (attribute("mean") - mean).abs() < 1e-9
                    );
                    comm.barrier();
                }
            });
        }
    }
}

const RANDOM: &str = "title = \"Two random phases\"\n[mesh]\nbox = { cell = \"triangle\", cells = [8, 8] }\n\
    [parameters]\na = { default = 2, range = [1, 3] }\n[random.g]\nkind = \"spectral\"\ntau = 3\nalpha = 2\nmodes = 6\n\
    [[physics]]\nmodel = \"diffusion\"\nfield = \"u\"\nconductivity = \"if(g > 0, 12*a, 3)\"\nsource = \"sqrt(a - 1.3)\"\n\
    boundary = [{ marker = [\"left\", \"right\", \"bottom\", \"top\"], value = 0 }]\n\
    [[quantity]]\nname = \"top\"\nkind = \"maximum\"\n[solver]\nmethod = \"direct\"\n\
    [campaign]\ndesign = \"grid\"\nlevels = { a = 3 }\n";

/// Samples with random fields: the coefficient is that of the field, failed samples are filled, slices are read alone.
fn samples_of_a_campaign(comm: &Comm) {
    with_folder(comm, |folder| {
        let deck = deck(RANDOM, folder);
        campaign::run(comm, &deck, &quiet()).unwrap();
        let path = folder.join("dataset.h5");
        grid::run(comm, &path, &GridOptions { fill: -7.0, single: true, ..options("9") }).unwrap();
        comm.barrier();
        let file = Reader::open(&folder.join("dataset.grid.h5")).unwrap();
        assert_eq!(file.array::<u8>("/status").unwrap().1, [2, 1, 1]);
        assert_eq!(file.members("/inputs"), ["conductivity", "g"]);
        assert_eq!(file.array::<f64>("/parameters").unwrap().1, [1.0, 2.0, 3.0]);
        let (shape, g): (_, Vec<f32>) = file.array("/inputs/g").unwrap();
        assert_eq!(shape, [3, 9, 9]);
        let (_, k): (_, Vec<f32>) = file.array("/inputs/conductivity").unwrap();
        let (shape, u): (_, Vec<f32>) = file.array("/outputs/u").unwrap();
        assert_eq!(shape, [3, 9, 9, 1]);
        assert!([&g, &k, &u].iter().all(|values| values[..81].iter().all(|&value| value == -7.0)));
        for sample in 1..3 {
            let a = 1.0 + sample as f32;
            for i in 81 * sample..81 * (sample + 1) {
                assert_eq!(k[i], if g[i] > 0.0 { 12.0 * a } else { 3.0 });
            }
        }
        // The grid's points are the vertices: the dataset itself has the same numbers in another order.
        let source = Reader::open(&path).unwrap();
        let (_, vertices): (_, Vec<f64>) = source.array("/mesh/geometry").unwrap();
        let (_, nodal): (_, Vec<f64>) = source.array("/fields/u").unwrap();
        for (v, x) in vertices.chunks_exact(2).enumerate() {
            let (i, j) = ((x[0] * 8.0).round() as usize, (x[1] * 8.0).round() as usize);
            for sample in 1..3 {
                let (found, expected) = (f64::from(u[81 * sample + 9 * i + j]), nodal[81 * sample + v]);
                assert!((found - expected).abs() < 1e-6 * expected.abs() + 1e-12, "{found} {expected}");
            }
        }
        let slab = Slab { start: vec![2, 4, 0, 0], count: vec![1, 2, 9, 1] };
        assert_eq!(file.slab::<f32>("/outputs/u", &slab).unwrap(), u[2 * 81 + 4 * 9..2 * 81 + 6 * 9]);
        comm.barrier();
    });
}

/// Coefficients by region and entries of tensors are inputs, each with the formula of the region of the point's cell.
fn regions_and_tensors(comm: &Comm) {
    let mesh = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/mesh/triangle-msh41-ascii.msh");
    let text = format!(
        "[mesh]\nfile = \"{mesh}\"\n[parameters]\nk = {{ default = 2, range = [1, 3] }}\n\
         [[physics]]\nmodel = \"diffusion\"\n\
         conductivity = {{ steel = [[\"k\", \"0.1*x\"], [\"0.1*x\", 5]], copper = [\"7 + y\", 5] }}\n\
         source = {{ steel = \"k*y\", default = 4 }}\nboundary = [{{ marker = \"left\", value = 0 }}]\n\
         [campaign]\nsamples = 2\n"
    );
    with_folder(comm, |folder| {
        campaign::run(comm, &deck(&text, folder), &quiet()).unwrap();
        grid::run(
            comm,
            &folder.join("dataset.h5"),
            &GridOptions { placement: Placement::Centres, ..options("8x6") },
        )
        .unwrap();
        comm.barrier();
        let file = Reader::open(&folder.join("dataset.grid.h5")).unwrap();
        assert_eq!(file.members("/inputs"), ["conductivity_xx", "conductivity_xy", "source"]);
        let parameters = file.array::<f64>("/parameters").unwrap().1;
        let points = points(&file);
        for (name, formula) in [
            (
                "conductivity_xx",
                (|steel, k, [_, y, _]| if steel { k } else { 7.0 + y }) as fn(bool, f64, [f64; 3]) -> f64,
            ),
            ("conductivity_xy", |steel, _, [x, ..]| if steel { 0.1 * x } else { 0.0 }),
            ("source", |steel, k, [_, y, _]| if steel { k * y } else { 4.0 }),
        ] {
            let (shape, values) = file.array::<f64>(&format!("/inputs/{name}")).unwrap();
            assert_eq!(shape, [2, 8, 6]);
            for (i, value) in values.iter().enumerate() {
                let (k, point) = (parameters[i / 48], points[i % 48]);
                let expected = formula(point[0] < 1.0, k, point);
                assert!(
                    (value - expected).abs() <= 1e-14 * expected.abs(),
                    "{name} at {point:?}: {value} {expected}"
                );
            }
        }
        comm.barrier();
    });
}

/// Points outside a round body have no number and are not in the mask, and every rank count gives the same file.
fn outside_and_ranks(world: &Comm) {
    use mpi::traits::Communicator;
    let plate = concat!(env!("CARGO_MANIFEST_DIR"), "/input/plate/plate.toml");
    let own = world.mpi().split_by_color(mpi::topology::Color::with_value(world.rank() as i32)).unwrap();
    let alone = Comm::new(own);
    with_folder(world, |folder| {
        let mut deck = Deck::load(world, Path::new(plate), &[]).unwrap();
        deck.output.directory = folder.into();
        deck.output.xdmf = false;
        run::run(world, &deck, &quiet()).unwrap();
        let path = folder.join("run.h5");
        let many = GridOptions { output: Some(folder.join("many.h5")), ..options("40x30") };
        grid::run(world, &path, &many).unwrap();
        if world.rank() == 0 {
            let one = GridOptions { output: Some(folder.join("one.h5")), ..options("40x30") };
            grid::run(&alone, &path, &one).unwrap();
            let [many, one] = ["many.h5", "one.h5"].map(|name| Reader::open(&folder.join(name)).unwrap());
            assert_eq!(many.datasets("/"), one.datasets("/"));
            let mask = one.array::<u8>("/grid/mask").unwrap().1;
            assert!(mask.contains(&0) && mask.contains(&1));
            for path in one.datasets("/outputs") {
                let [(_, a), (shape, b)] = [&many, &one].map(|file| file.array::<f64>(&path).unwrap());
                let same = a.iter().zip(&b).all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "{path} differs on {} ranks", world.size());
                let width = shape[3] as usize;
                for (point, values) in b.chunks_exact(width).enumerate() {
                    assert!(values.iter().all(|value| value.is_nan() == (mask[point] == 0)));
                }
                for name in ["mean", "std", "min", "max"] {
                    let [a, b] =
                        [&many, &one].map(|file| file.get(&path, name).unwrap().unwrap().to_string());
                    assert_eq!(a, b, "{path}: {name}");
                }
            }
        }
        world.barrier();
    });
}

fn faults(comm: &Comm) {
    with_folder(comm, |folder| {
        let deck = deck(
            "[mesh]\nbox = { cell = \"triangle\", cells = [2, 2] }\n[[physics]]\nmodel = \"diffusion\"\n\
             boundary = [{ marker = \"left\", value = 0 }]\n",
            folder,
        );
        run::run(comm, &deck, &quiet()).unwrap();
        let path = folder.join("run.h5");
        let fields = vec!["w".to_string()];
        for (options, words) in [
            (options("4x4x4"), "3 numbers for 2 directions"),
            (GridOptions { fields, ..options("4") }, "there is no field \"w\""),
            (GridOptions { output: Some(path.clone()), ..options("4") }, "is the file itself"),
        ] {
            let error = grid::run(comm, &path, &options).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(words), "{error}");
        }
        grid::run(comm, &path, &options("4")).unwrap();
        let error = grid::run(comm, &folder.join("run.grid.h5"), &options("4")).unwrap_err().to_string();
        assert!(error.contains("tessera-grid"), "{error}");
    });
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
            ("exact_fields", exact_fields),
            ("samples_of_a_campaign", samples_of_a_campaign),
            ("regions_and_tensors", regions_and_tensors),
            ("outside_and_ranks", outside_and_ranks),
            ("faults", faults),
        ],
}];
