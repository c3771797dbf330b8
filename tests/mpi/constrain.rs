//! `tessera constrain`: files of predictions, repaired.
use crate::common::decks::{deck, deck_in, quiet};
use crate::common::{Suite, with_folder};
use std::path::{Path, PathBuf};
use tessera::deck::{ConstraintLevel, Deck, Norm};
use tessera::drivers::campaign;
use tessera::drivers::constrain::{self, ConstrainOptions};
use tessera::drivers::shared::RunOptions;
use tessera::parallel::Comm;
use tessera::physics::Context;
use tessera::simulation::{FieldInfo, Simulation};
use tessera::storage::{Element, File, Reader, Slab};

pub const SUITES: &[Suite] = &[
    Suite {
        ranks: &[1, 2, 3, 4],
        tests: &[
            ("exact_repairs_are_the_solutions", exact_repairs_are_the_solutions),
            ("values_on_grids_come_to_the_nodes", values_on_grids_come_to_the_nodes),
            ("linear_quantities_are_products_with_solutions", linear_quantities_are_products_with_solutions),
        ],
    },
    Suite {
        ranks: &[1, 3, 4],
        tests: &[
            ("repairs_do_not_depend_on_the_ranks", repairs_do_not_depend_on_the_ranks),
            ("known_quantities_and_variances_are_taken_into_account", known_quantities_and_variances),
            ("files_of_our_own_are_predictions", files_of_our_own_are_predictions),
        ],
    },
];

/// A plate that is heated, and the stress that it makes.
const PLATE: &str = r#"
[mesh]
box = { cell = "triangle", cells = [10, 8] }
[partition]
experts = 6
[parameters]
k = { default = 2.0, range = [1.0, 5.0] }
s = { default = 4.0, range = [0.0, 9.0] }
[[physics]]
name = "heat"
model = "diffusion"
field = "temperature"
conductivity = "k*exp(x)"
source = "s*x"
boundary = [{ marker = "left", value = "1 + 0.1*k*y" }, { marker = "right", coefficient = "k", ambient = 3.0 }]
[[physics]]
name = "body"
model = "elasticity"
degree = 2
young = 1e3
poisson = 0.3
expansion = 1e-2
temperature = { physics = "heat" }
boundary = [{ marker = "bottom", value = 0.0 }]
[[quantity]]
name = "mean"
kind = "average"
field = "temperature"
[[quantity]]
name = "energy"
kind = "energy"
physics = "body"
[campaign]
samples = 4
seed = 3
[solver]
method = "direct"
tolerance = 1e-12
"#;

/// A conductivity that follows the temperature.
const GLOWING: &str = r#"
[mesh]
box = { cell = "quadrilateral", cells = [8, 6] }
[partition]
experts = 4
[parameters]
k = 1.1
s = 4.0
[[physics]]
name = "heat"
model = "diffusion"
field = "temperature"
conductivity = "1 + 0.3*k*temperature"
source = "10*s*x"
boundary = [{ marker = "left", value = "k + y" }, { marker = "right", coefficient = 2.0, ambient = "3*k" }]
[[quantity]]
name = "mean"
kind = "average"
[solver]
tolerance = 1e-12
"#;

/// Velocity and pressure, of degrees 2 and 1.
const FLOW: &str = r#"
[mesh]
box = { cell = "quadrilateral", cells = [6, 5] }
[partition]
experts = 4
[parameters]
k = 1.1
s = 4.0
[[physics]]
name = "flow"
model = "navier_stokes"
density = 1.0
viscosity = "0.1*k"
boundary = [
  { marker = "left", value = ["s*y*(1 - y)", 0] },
  { marker = "top", value = [0, 0] },
  { marker = "bottom", value = [0, 0] },
]
[[quantity]]
name = "drop"
kind = "point"
field = "pressure"
point = [0.05, 0.52]
minus_point = [0.95, 0.41]
factor = 3.0
[[quantity]]
name = "speed"
kind = "average"
field = "velocity"
component = 0
marker = "right"
[solver]
tolerance = 1e-12
"#;

const PARAMETERS: [[f64; 2]; 4] = [[2.0, 4.0], [1.5, 6.0], [3.0, 1.0], [1.1, 3.0]];

fn options(level: ConstraintLevel, weight: Option<Norm>, truth: bool) -> ConstrainOptions {
    ConstrainOptions { run: quiet(), level: Some(level), weight, truth, ..ConstrainOptions::default() }
}

fn solutions(simulation: &Simulation) -> Vec<FieldInfo> {
    simulation.fields().into_iter().filter(|field| field.derived.is_none()).collect()
}

/// Solutions with their values at the owned nodes.
type Values = Vec<(FieldInfo, Vec<f64>)>;

/// Writes `value(sample, point, component)` of every solution at all nodes, as a user would.
fn write<T: Element>(
    comm: &Comm,
    path: &Path,
    deck: &Deck,
    value: &dyn Fn(&mut Simulation, usize) -> Values,
    number: fn(f64) -> T,
) {
    let mut simulation = Simulation::new(comm, deck).unwrap();
    let file = File::create(comm, path).unwrap();
    for (i, name) in deck.parameters.keys().enumerate() {
        let column: Vec<f64> = PARAMETERS.iter().map(|row| row[i]).collect();
        file.write_array(&format!("/parameters/{name}"), &[4], &column).unwrap();
    }
    for sample in 0..PARAMETERS.len() {
        for (field, values) in value(&mut simulation, sample) {
            let plan = simulation.stages[field.stage].space().canonical();
            let (path, c) = (format!("/fields/{}", field.name), field.components as u64);
            // Scalars without an axis of components.
            let tail: Vec<u64> = if c > 1 { vec![c] } else { Vec::new() };
            if sample == 0 {
                let shape = [&[PARAMETERS.len() as u64, plan.total()], &tail[..]].concat();
                file.create_dataset::<T>(&path, &shape).unwrap();
            }
            let block: Vec<T> = plan.to_canonical(&values, c as usize).into_iter().map(number).collect();
            let range = plan.range();
            let start = [&[sample as u64, range.start], &vec![0; tail.len()][..]].concat();
            let count = [&[1, range.end - range.start], &tail[..]].concat();
            file.write(&path, &Slab { start, count }, &block).unwrap();
        }
    }
    file.close().unwrap();
}

/// The solutions at the parameters of a sample, wrong by a wave.
fn wrong(simulation: &mut Simulation, sample: usize, size: f64) -> Values {
    let context = Context::steady(PARAMETERS[sample].to_vec());
    simulation.solve(&context).unwrap();
    let one = |field: FieldInfo| {
        let space = simulation.stages[field.stage].space().clone();
        let values = simulation.field_values(&field, &context).unwrap();
        let mut values = values.read().unwrap().to_vec();
        let largest = space.mesh.comm.max(values.iter().fold(0.0f64, |m, v| m.max(v.abs())));
        for (i, value) in values.iter_mut().enumerate() {
            let [x, y, _] = space.point(i / field.components);
            *value += size * largest * (5.0 * x + 3.0 * y * y + sample as f64 + (i % field.components) as f64).sin();
        }
        (field, values)
    };
    solutions(simulation).into_iter().map(one).collect()
}

fn read(path: &Path, name: &str) -> Vec<f64> {
    Reader::open(path).unwrap().array::<f64>(name).unwrap_or_else(|e| panic!("{name}: {e}")).1
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m: f64, v| m.max(v.abs()))
}

fn apart(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    largest(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>()) / largest(b)
}

/// Of the level exact: fields and quantities of full solves, for problems in sequence, nonlinear and mixed ones, in double
/// and single precision, in groups of ranks and on all of them.
fn exact_repairs_are_the_solutions(comm: &Comm) {
    for (name, text, size) in [("plate", PLATE, 0.1), ("glowing", GLOWING, 0.1), ("flow", FLOW, 0.02)] {
        for ranks in ["campaign.group_ranks=1", "campaign.group_ranks=\"all\""] {
            with_folder(comm, |folder| {
                let deck = deck_in(folder, text, &[ranks]);
                let input = folder.join("predictions.h5");
                let value = |simulation: &mut Simulation, sample| wrong(simulation, sample, size);
                if ranks.ends_with('1') {
                    write(comm, &input, &deck, &value, |v| v);
                } else {
                    write(comm, &input, &deck, &value, |v| v as f32);
                }
                constrain::run(comm, &deck, &input, &options(ConstraintLevel::Exact, None, true)).unwrap();
                let mut simulation = Simulation::new(comm, &deck).unwrap();
                let out = folder.join("constrain.h5");
                let file = File::open(comm, &out).unwrap();
                for sample in 0..PARAMETERS.len() {
                    for (field, values) in wrong(&mut simulation, sample, 0.0) {
                        let plan = simulation.stages[field.stage].space().canonical();
                        let found = file.read_field(&field.name, sample as u64, &plan).unwrap();
                        let scale = comm.max(largest(&values));
                        let error = found.iter().zip(&values).fold(0.0f64, |m, (a, b)| m.max((a - b).abs())) / scale;
                        assert!(comm.max(error) < 1e-8, "{name} {} {sample}: {error:.1e}", field.name);
                    }
                    let expected = simulation.quantities(&Context::steady(PARAMETERS[sample].to_vec())).unwrap();
                    for (quantity, expected) in deck.quantity.iter().zip(expected) {
                        let found = file.read_array::<f64>(&format!("/qoi/{}", quantity.name)).unwrap().1[sample];
                        assert!((found - expected).abs() < 1e-7 * expected.abs(), "{name} {found} {expected}");
                        let truth = format!("/truth/quantities/{}", quantity.name);
                        let found = file.read_array::<f64>(&truth).unwrap().1[sample];
                        assert!((found - expected).abs() < 1e-7 * expected.abs(), "{name} {found} {expected}");
                    }
                }
                for field in solutions(&simulation) {
                    let (shape, truth) = file.read_array::<f64>(&format!("/truth/{}", field.name)).unwrap();
                    assert_eq!(shape, [4, 6]);
                    let good = |row: &[f64]| row[0] > 1e-3 * size * row[2] && row[1] < 1e-8 * row[2];
                    assert!(truth.chunks_exact(6).all(good), "{name}: {truth:?}");
                }
                file.close().unwrap();
            });
        }
    }
}

/// A group of one rank repairs as one rank does, to the last bit; balances hold; the energy error does not grow.
fn repairs_do_not_depend_on_the_ranks(comm: &Comm) {
    let alone = Comm::new(mpi::topology::SimpleCommunicator::self_comm());
    with_folder(comm, |folder| {
        let deck = deck_in(&folder.join("all"), PLATE, &[]);
        let input = folder.join("predictions.h5");
        write(comm, &input, &deck, &|simulation, sample| wrong(simulation, sample, 0.1), |v| v);
        let options = options(ConstraintLevel::Conservation, None, true);
        constrain::run(comm, &deck, &input, &options).unwrap();
        let edge = deck_in(&folder.join("edge"), PLATE, &[]);
        constrain::run(comm, &edge, &input, &ConstrainOptions { level: Some(ConstraintLevel::Boundary), ..options.clone() })
            .unwrap();
        if comm.rank() == 0 {
            let one = deck_in(&folder.join("one"), PLATE, &[]);
            constrain::run(&alone, &one, &input, &options).unwrap();
            let [all, one, edge] = ["all", "one", "edge"].map(|name| folder.join(name).join("constrain.h5"));
            for name in ["/fields/temperature", "/fields/displacement", "/fields/von_mises", "/violation/body", "/qoi/energy"] {
                assert!(read(&all, name).iter().zip(read(&one, name)).all(|(a, b)| a.to_bits() == b.to_bits()), "{name}");
            }
            let reader = Reader::open(&all).unwrap();
            for (physics, field) in [("heat", "temperature"), ("body", "displacement")] {
                let (shape, violation) = reader.array::<f64>(&format!("/violation/{physics}")).unwrap();
                assert_eq!(shape, [4, 6, 2]);
                assert!(violation.chunks_exact(2).all(|v| v[0] > 1e-6 && v[1] < 1e-12), "{violation:?}");
                assert_eq!(reader.texts(&format!("/violation/{physics}"), "columns").unwrap(), ["before", "after"]);
                // The repair is the projection of what has the boundary values.
                let truth = [&edge, &all].map(|path| read(path, &format!("/truth/{field}")));
                for (edge, row) in truth[0].chunks_exact(6).zip(truth[1].chunks_exact(6)) {
                    assert!(row[4] < edge[4] && row[3] == edge[3] && row[3] < row[5], "{edge:?} {row:?}");
                }
                let (_, rows) = reader.array::<f64>(&format!("/repair/{physics}")).unwrap();
                // Boundary values are wrong before, and right afterwards; the field has moved.
                assert!(rows.chunks_exact(14).all(|row| row[4] > 0.0 && row[5] == 0.0 && row[7] > 1e-4), "{rows:?}");
                assert_eq!(reader.text(&format!("/repair/{physics}"), "norm").unwrap(), "energy");
            }
            // Each imbalance is the multiplier's dual: they are there, and finite.
            let (shape, multipliers) = reader.array::<f64>("/multipliers/body").unwrap();
            assert_eq!(shape, [4, 6, 2]);
            assert!(multipliers.iter().all(|m| m.is_finite()) && largest(&multipliers) > 0.0);
        }
        comm.barrier();
    });
}

fn known_quantities_and_variances(comm: &Comm) {
    let known = "\n[[constraint.known]]\nquantity = \"mean\"\nvalue = \"1 + k/4\"\n";
    for (text, ranks) in [(PLATE, "campaign.group_ranks=1"), (GLOWING, "campaign.group_ranks=\"all\"")] {
        with_folder(comm, |folder| {
            let deck = deck_in(folder, &format!("{text}{known}"), &[ranks]);
            let input = folder.join("predictions.h5");
            write(comm, &input, &deck, &|simulation, sample| wrong(simulation, sample, 0.02), |v| v);
            let file = File::open_writable(comm, &input).unwrap();
            let shape = file.shape("/fields/temperature").unwrap();
            let count = shape.iter().product::<u64>() as usize;
            let prior: Vec<f64> = (0..count).map(|i| 0.01 + (i % 7) as f64 * 0.001).collect();
            file.write_array("/variance/temperature", &shape, &prior).unwrap();
            file.close().unwrap();
            constrain::run(comm, &deck, &input, &options(ConstraintLevel::Conservation, None, false)).unwrap();
            if comm.rank() == 0 {
                let out = folder.join("constrain.h5");
                assert_eq!(Reader::open(&out).unwrap().text("/repair/heat", "norm").unwrap(), "variance");
                let expected: Vec<f64> = PARAMETERS.iter().map(|p| 1.0 + p[0] / 4.0).collect();
                assert!(apart(&read(&out, "/qoi/mean"), &expected) < 1e-12, "{:?}", read(&out, "/qoi/mean"));
                for (row, value) in read(&out, "/known/mean").chunks_exact(4).zip(&expected) {
                    assert!((row[0] - value).abs() < 1e-14 && row[1].abs() > 1e-3 && row[2].abs() < 1e-12, "{row:?}");
                    assert!(row[3].is_finite() && row[3] != 0.0, "{row:?}");
                }
                assert!(read(&out, "/violation/heat").chunks_exact(2).all(|v| v[0] > 1e-8 && v[1] < 1e-12));
                let left = read(&out, "/variance/temperature");
                assert!(left.iter().zip(&prior).all(|(a, b)| (0.0..=*b).contains(a)));
                let zeros = left.iter().filter(|v| **v == 0.0).count();
                // The nodes on the left are prescribed.
                let side = if text == PLATE { 9 } else { 7 };
                assert_eq!(zeros, 4 * side);
                assert!(left.iter().sum::<f64>() < 0.95 * prior.iter().sum::<f64>());
            }
            comm.barrier();
        });
    }
    // Not linear, and nothing to move.
    for (quantity, level, words) in [
        ("kind = \"average\"\nfield = \"displacement\"", ConstraintLevel::Conservation, "measures a magnitude"),
        ("kind = \"average\"\nfield = \"von_mises\"", ConstraintLevel::Conservation, "measures a field that is no solution"),
        ("kind = \"average\"\nfield = \"temperature\"\nmarker = \"left\"", ConstraintLevel::Conservation, "reads prescribed values alone"),
        ("kind = \"average\"\nfield = \"temperature\"", ConstraintLevel::Exact, "\"conservation\" alone"),
    ] {
        with_folder(comm, |folder| {
            let known = "[[constraint.known]]\nquantity = \"q\"\nvalue = 1.0\n";
            let text = format!("{PLATE}[[quantity]]\nname = \"q\"\n{quantity}\n{known}");
            let deck = deck_in(&folder.join("out"), &text, &[]);
            let input = folder.join("predictions.h5");
            write(comm, &input, &deck, &|simulation, sample| wrong(simulation, sample, 0.02), |v| v);
            let error = constrain::run(comm, &deck, &input, &options(level, None, false)).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(words), "{error}");
            comm.barrier();
            assert!(!folder.join("out").exists(), "{error}: something is left behind");
        });
    }
}

/// Bilinear functions are reproduced; ours and those of origin, spacing and shape.
fn values_on_grids_come_to_the_nodes(comm: &Comm) {
    let value = |x: f64, y: f64, c: usize| (1.0 + c as f64) * (1.0 + 2.0 * x - y + 0.5 * x * y);
    for variant in 0..3 {
        with_folder(comm, |folder| {
            let deck = deck_in(folder, PLATE, &["campaign.group_ranks=\"all\""]);
            let input = folder.join("predictions.h5");
            let axes = [[0.0, 0.3, 0.6, 1.2].to_vec(), (0..5).map(|i| -0.5 + 0.5 * f64::from(i)).collect::<Vec<_>>()];
            let axes = if variant == 0 { axes } else { [vec![0.0, 0.75, 1.5], vec![-1.0, 0.0, 1.0]] };
            let file = File::create(comm, &input).unwrap();
            match variant {
                0 => ["x", "y"].iter().zip(&axes).for_each(|(name, axis)| {
                    file.write_array(&format!("/grid/{name}"), &[axis.len() as u64], axis).unwrap();
                }),
                1 => {
                    file.write_array("/grid/origin", &[2], &[0.0, -1.0]).unwrap();
                    file.write_array("/grid/spacing", &[2], &[0.75f32, 1.0]).unwrap();
                    file.write_array("/grid/shape", &[2], &[3u64, 3]).unwrap();
                }
                _ => {
                    file.create_group("/grid").unwrap();
                    file.set("/grid", "origin", vec![0.0, -1.0]).unwrap();
                    file.set("/grid", "spacing", vec![0.75, 1.0]).unwrap();
                    file.set("/grid", "shape", vec![3i64, 3]).unwrap();
                }
            }
            for (name, c) in [("temperature", 1), ("displacement", 2)] {
                let values: Vec<f64> = axes[0]
                    .iter()
                    .flat_map(|&x| axes[1].iter().map(move |&y| (x, y)))
                    .flat_map(|(x, y)| (0..c).map(move |i| value(x, y, i)))
                    .collect();
                let shape = [1, axes[0].len() as u64, axes[1].len() as u64, c as u64];
                file.write_array(&format!("/fields/{name}"), &shape[..if c == 1 { 3 } else { 4 }], &values).unwrap();
            }
            file.close().unwrap();
            constrain::run(comm, &deck, &input, &options(ConstraintLevel::None, None, false)).unwrap();
            let simulation = Simulation::new(comm, &deck).unwrap();
            let file = File::open(comm, &folder.join("constrain.h5")).unwrap();
            for field in solutions(&simulation) {
                let space = simulation.stages[field.stage].space();
                let found = file.read_field(&field.name, 0, &space.canonical()).unwrap();
                for (i, found) in found.iter().enumerate() {
                    let [x, y, _] = space.point(i / field.components);
                    // Bilinear in the cells of the grid.
                    let expected = value(x, y, i % field.components);
                    assert!((found - expected).abs() < 1e-12, "{} {x} {y}: {found} {expected}", field.name);
                }
            }
            file.close().unwrap();
        });
    }
}

/// A campaign's dataset needs no repair; what was repaired is a prediction again.
fn files_of_our_own_are_predictions(comm: &Comm) {
    with_folder(comm, |folder| {
        let deck = deck_in(folder, PLATE, &[]);
        campaign::run(comm, &deck, &RunOptions { ..quiet() }).unwrap();
        let dataset = folder.join("dataset.h5");
        let again = |input: &Path, name: &str| -> PathBuf {
            let deck = deck_in(&folder.join(name), PLATE, &[]);
            constrain::run(comm, &deck, input, &options(ConstraintLevel::Conservation, None, false)).unwrap();
            folder.join(name).join("constrain.h5")
        };
        let first = again(&dataset, "first");
        let second = again(&first, "second");
        if comm.rank() == 0 {
            for name in ["/fields/temperature", "/fields/displacement", "/parameters"] {
                assert!(apart(&read(&first, name), &read(&dataset, name)) < 1e-9, "{name}");
                assert!(apart(&read(&second, name), &read(&first, name)) < 1e-12, "{name}");
            }
            assert!(read(&first, "/violation/body").iter().all(|v| *v < 1e-9));
            let moved = |path: &Path| read(path, "/repair/body").chunks_exact(14).map(|row| row[7]).fold(0.0, f64::max);
            assert!(moved(&first) < 1e-9 && moved(&second) < 1e-9);
        }
        comm.barrier();
    });
    // Plane vectors have a third component there.
    with_folder(comm, |folder| {
        let text = format!("{FLOW}[output]\nfields = [\"velocity\", \"pressure\"]\n");
        tessera::drivers::run::run(comm, &deck_in(folder, &text, &[]), &quiet()).unwrap();
        let deck = deck_in(&folder.join("again"), &text, &[]);
        let input = folder.join("run.h5");
        constrain::run(comm, &deck, &input, &options(ConstraintLevel::Conservation, None, false)).unwrap();
        comm.barrier();
        if comm.rank() == 0 {
            let repaired = folder.join("again/constrain.h5");
            for name in ["/fields/velocity", "/fields/pressure"] {
                assert!(apart(&read(&repaired, name), &read(&input, name)) < 1e-9, "{name}");
            }
        }
        comm.barrier();
    });
}

/// The functional of a quantity times the solution is the quantity.
fn linear_quantities_are_products_with_solutions(comm: &Comm) {
    let plate = format!(
        "{PLATE}[[quantity]]\nname = \"side\"\nkind = \"integral\"\nfield = \"temperature\"\nmarker = \"right\"\nfactor = 2.5\n\
         [[quantity]]\nname = \"sensor\"\nkind = \"point\"\nfield = \"displacement\"\ncomponent = 1\npoint = [0.33, 0.71]\n\
         [[quantity]]\nname = \"peak\"\nkind = \"maximum\"\nfield = \"temperature\"\n"
    );
    let pipe = r#"
[mesh]
box = { cell = "triangle", cells = [6, 5] }
[[physics]]
model = "diffusion"
degree = 2
plane = "axisymmetric"
source = 3.0
boundary = [{ marker = "right", value = "1 + y" }]
[[quantity]]
name = "axis"
kind = "average"
marker = "left"
[[quantity]]
name = "mean"
kind = "average"
[[quantity]]
name = "all"
kind = "integral"
"#;
    let mut checked = 0;
    for text in [&plate, FLOW, pipe] {
        let deck = deck(text, &[]);
        let mut simulation = Simulation::new(comm, &deck).unwrap();
        let context = simulation.default_context();
        simulation.solve(&context).unwrap();
        let values = simulation.quantities(&context).unwrap();
        for (quantity, value) in deck.quantity.iter().zip(values) {
            if simulation.why_not_linear(quantity).unwrap().is_some() {
                assert!(simulation.functional(quantity).is_err() && ["energy", "peak"].contains(&&*quantity.name));
                continue;
            }
            let (stage, row) = simulation.functional(quantity).unwrap();
            let product = row.dot(simulation.stages[stage].solution()).unwrap();
            assert!((product - value).abs() < 1e-12 * value.abs(), "{}: {product} {value}", quantity.name);
            checked += 1;
        }
    }
    assert_eq!(checked, 8);
}
