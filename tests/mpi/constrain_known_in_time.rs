//! `tessera constrain` of runs in time: known quantities, variances, steps of the deck's own lengths, and problems at rest.
use crate::common::decks::{deck_in, quiet};
use crate::common::{Suite, with_folder};
use std::path::Path;
use tessera::deck::{ConstraintLevel, Deck};
use tessera::drivers::constrain::{self, ConstrainOptions};
use tessera::parallel::Comm;
use tessera::simulation::{FieldInfo, Simulation};
use tessera::storage::{File, Reader, Slab};

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
        ("known_values_hold_at_every_frame", known_values_hold_at_every_frame),
        ("variances_are_updated_at_every_frame", variances_are_updated_at_every_frame),
        ("problems_at_rest_follow_adaptive_steps", problems_at_rest_follow_adaptive_steps),
    ],
}];

/// An insulated body: what it stores is what the source gave.
const BODY: &str = r#"
[mesh]
box = { cell = "triangle", cells = [6, 5] }
[partition]
experts = 4
[parameters]
k = { default = 1.0, range = [0.5, 2.0] }
[time]
end = 0.4
step = 0.1
scheme = "SCHEME"
[[physics]]
name = "heat"
model = "diffusion"
field = "temperature"
conductivity = "1 + x"
source = "3*k"
[[initial]]
value = 1.0
[[quantity]]
name = "mean"
kind = "average"
[[quantity]]
name = "sensor"
kind = "point"
point = [0.4, 0.63]
[solver]
method = "direct"
tolerance = 1e-12
"#;

const TIMES: [f64; 4] = [0.0, 0.1, 0.2, 0.4];
const K: [f64; 2] = [0.8, 1.7];

fn guess(sample: usize, time: f64, [x, y, _]: [f64; 3], component: usize) -> f64 {
    1.0 + time * (3.0 * x - y + K[sample] + component as f64) + 0.1 * (5.0 * x).sin() * time
}

fn variance([x, y, _]: [f64; 3]) -> f64 {
    0.01 + 0.02 * x + 0.03 * y * y
}

/// Predictions, and variances of the temperature if they are wanted.
fn write(comm: &Comm, path: &Path, deck: &Deck, times: &[f64], variances: bool) {
    let simulation = Simulation::new(comm, deck).unwrap();
    let file = File::create(comm, path).unwrap();
    file.write_array("/parameters/k", &[2], &K).unwrap();
    file.write_array("/times", &[times.len() as u64], times).unwrap();
    let solution = |field: &FieldInfo| field.derived.is_none() && field.random.is_none();
    for field in simulation.fields().into_iter().filter(solution) {
        let space = simulation.stages[field.stage].space();
        let (plan, c) = (space.canonical(), field.components);
        for group in ["fields", "variance"].into_iter().take(1 + usize::from(variances)) {
            let path = format!("/{group}/{}", field.name);
            file.create_dataset::<f64>(&path, &[2, times.len() as u64, plan.total(), c as u64]).unwrap();
            for sample in 0..2 {
                for (frame, time) in times.iter().enumerate() {
                    let dofs = (0..space.owned_nodes).flat_map(|node| (0..c).map(move |i| (node, i)));
                    let value = |(node, i): (usize, usize)| match group {
                        "fields" => guess(sample, *time, space.point(node), i),
                        _ => variance(space.point(node)),
                    };
                    let values: Vec<f64> = dofs.map(value).collect();
                    let range = plan.range();
                    let start = vec![sample as u64, frame as u64, range.start, 0];
                    let slab = Slab { start, count: vec![1, 1, range.end - range.start, c as u64] };
                    file.write(&path, &slab, &plan.to_canonical(&values, c)).unwrap();
                }
            }
        }
    }
    file.close().unwrap();
}

fn options(level: ConstraintLevel, truth: bool) -> ConstrainOptions {
    ConstrainOptions { run: quiet(), level: Some(level), truth, ..ConstrainOptions::default() }
}

fn read(path: &Path, name: &str) -> Vec<f64> {
    Reader::open(path).unwrap().array::<f64>(name).unwrap_or_else(|e| panic!("{name}: {e}")).1
}

/// A sensor that follows a formula of time, and balances: the mean temperature rises as the source says, whatever is known.
fn known_values_hold_at_every_frame(comm: &Comm) {
    let known = "[[constraint.known]]\nquantity = \"sensor\"\nvalue = \"1 + 2.9*k*t + 0.3*t^2\"\n";
    for scheme in ["bdf1", "bdf2", "crank_nicolson", "sdirk2"] {
        for variances in [false, true] {
            with_folder(comm, |folder| {
                let text = format!("{}{known}", BODY.replace("SCHEME", scheme));
                let deck = deck_in(&folder.join("out"), &text, &[]);
                let input = folder.join("predictions.h5");
                write(comm, &input, &deck, &TIMES, variances);
                let options = options(ConstraintLevel::Conservation, false);
                constrain::run(comm, &deck, &input, &options).unwrap_or_else(|e| panic!("{e}"));
                comm.barrier();
                let out = folder.join("out/constrain.h5");
                let [mean, sensor, rows] = ["/qoi/mean", "/qoi/sensor", "/known/sensor"].map(|name| read(&out, name));
                let repair = read(&out, "/repair/heat");
                for row in 0..8 {
                    let (k, t) = (K[row / 4], TIMES[row % 4]);
                    let what = format!("{scheme}, variances {variances}, k = {k}, t = {t}");
                    // The source alone.
                    assert!((mean[row] - (1.0 + 3.0 * k * t)).abs() < 1e-11, "{what}: {}", mean[row]);
                    let known = 1.0 + 2.9 * k * t + 0.3 * t * t;
                    let [value, before, after] = [0, 1, 2].map(|i| rows[4 * row + i]);
                    if t == 0.0 {
                        assert!(value.is_nan() && repair[14 * row].is_nan(), "{what}");
                        continue;
                    }
                    assert!((sensor[row] - known).abs() < 1e-11, "{what}: {} {known}", sensor[row]);
                    assert!((value - known).abs() < 1e-14 && before.abs() > 1e-3 && after.abs() < 1e-11, "{what}");
                    assert!(repair[14 * row] > 1e-4 && repair[14 * row + 1] < 1e-11, "{what}");
                }
                if variances {
                    let left = read(&out, "/variance/temperature");
                    let (rows, most) = (left.len() / 8, 0.06);
                    assert!(left[..rows].iter().all(|v| *v == 0.0), "nothing is unsure of an initial state");
                    assert!(left[rows..4 * rows].iter().all(|v| *v >= 0.0 && *v < most && v.is_finite()));
                    assert!(left[rows..2 * rows].iter().sum::<f64>() > 0.0);
                }
            });
        }
    }
}

/// One known mean and no balance: `u = u^ - S g (g^T u^ - b)/(g^T S g)`, and `s_i - (s_i g_i)^2/(g^T S g)` is left, at each frame.
fn variances_are_updated_at_every_frame(comm: &Comm) {
    let known = "[[constraint.known]]\nquantity = \"mean\"\nvalue = \"1 + 2*k*t\"\n";
    with_folder(comm, |folder| {
        let text = format!("{}{known}", BODY.replace("SCHEME", "bdf1"));
        let deck = deck_in(&folder.join("out"), &text, &[]);
        let input = folder.join("predictions.h5");
        write(comm, &input, &deck, &TIMES, true);
        constrain::run(comm, &deck, &input, &options(ConstraintLevel::Boundary, false)).unwrap_or_else(|e| panic!("{e}"));
        comm.barrier();
        let out = folder.join("out/constrain.h5");
        let (nodes, fields, left) =
            (read(&out, "/mesh/geometry"), read(&out, "/fields/temperature"), read(&out, "/variance/temperature"));
        let cells: Vec<u64> = Reader::open(&out).unwrap().array::<u64>("/mesh/topology").unwrap().1;
        let n = nodes.len() / 2;
        let point = |i: usize| [nodes[2 * i], nodes[2 * i + 1], 0.0];
        let mut g = vec![0.0; n];
        for cell in cells.chunks_exact(3) {
            let [a, b, c] = [0, 1, 2].map(|i| point(cell[i] as usize));
            let area = 0.5 * ((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])).abs();
            cell.iter().for_each(|&node| g[node as usize] += area / 3.0);
        }
        assert!((g.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let s: Vec<f64> = (0..n).map(|i| variance(point(i))).collect();
        let spread: f64 = (0..n).map(|i| g[i] * g[i] * s[i]).sum();
        for row in (0..8).filter(|row| row % 4 > 0) {
            let (sample, t) = (row / 4, TIMES[row % 4]);
            let prior: Vec<f64> = (0..n).map(|i| guess(sample, t, point(i), 0)).collect();
            let lacking = (0..n).map(|i| g[i] * prior[i]).sum::<f64>() - (1.0 + 2.0 * K[sample] * t);
            for i in 0..n {
                let field = prior[i] - s[i] * g[i] * lacking / spread;
                assert!((fields[row * n + i] - field).abs() < 1e-12, "row {row}, node {i}");
                let variance = s[i] - (s[i] * g[i]).powi(2) / spread;
                assert!((left[row * n + i] - variance).abs() < 1e-13, "row {row}, node {i}");
            }
        }
    });
}

/// Heat with the deck's step control, and the stress that follows from it at the frames.
fn problems_at_rest_follow_adaptive_steps(comm: &Comm) {
    let stress = r#"
[[physics.boundary]]
marker = "left"
value = "1 + min(t/0.05, 1)"
[[physics]]
name = "body"
model = "elasticity"
young = 1e3
poisson = 0.3
expansion = 1e-2
temperature = { physics = "heat" }
[[physics.boundary]]
marker = "bottom"
value = 0.0
"#;
    let text = BODY.replace("SCHEME", "bdf2").replace("step = 0.1", "step = 0.02\ntolerance = 2e-3\nstops = [0.05]");
    let text = text.replace("source = \"3*k\"\n", &format!("source = \"3*k\"\n{stress}"));
    let text = text.replace("[[initial]]", "[[initial]]\nfield = \"temperature\"").replace("kind = \"average\"", "kind = \"average\"\nfield = \"temperature\"").replace("kind = \"point\"", "kind = \"point\"\nfield = \"temperature\"");
    for level in [ConstraintLevel::Boundary, ConstraintLevel::Conservation, ConstraintLevel::Exact] {
        with_folder(comm, |folder| {
            let deck = deck_in(&folder.join("out"), &text, &[]);
            let input = folder.join("predictions.h5");
            write(comm, &input, &deck, &TIMES, false);
            let options = ConstrainOptions { estimate: true, ..options(level, true) };
            constrain::run(comm, &deck, &input, &options).unwrap_or_else(|e| panic!("{e}"));
            comm.barrier();
            let out = folder.join("out/constrain.h5");
            for (problem, field) in [("heat", "temperature"), ("body", "displacement")] {
                let (repair, truth) = (read(&out, &format!("/repair/{problem}")), read(&out, &format!("/truth/{field}")));
                let dual = read(&out, &format!("/dual/{problem}"));
                for row in 0..8 {
                    let (repair, truth) = (&repair[14 * row..][..14], &truth[6 * row..][..6]);
                    let what = format!("{problem} {level:?} row {row}: {repair:?} {truth:?}");
                    if problem == "heat" && row % 4 == 0 {
                        assert!(repair[0].is_nan() && dual[2 * row].is_nan(), "{what}");
                        continue;
                    }
                    assert!(dual[2 * row] > 0.0, "{what}");
                    match level {
                        ConstraintLevel::Exact => assert!(truth[1] <= 1e-7 * truth[2] && dual[2 * row + 1] <= 1e-6 * dual[2 * row], "{what}"),
                        ConstraintLevel::Conservation => assert!(repair[1] < 1e-9, "{what}"),
                        _ => assert!(repair[5] == 0.0 && repair[8] == 0.0, "{what}"),
                    }
                }
            }
        });
    }
}
