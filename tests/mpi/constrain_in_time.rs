//! `tessera constrain` of runs in time.
use crate::common::decks::{deck_in, quiet};
use crate::common::{Suite, with_folder};
use std::path::Path;
use tessera::deck::{ConstraintLevel, Deck};
use tessera::drivers::constrain::{self, ConstrainOptions};
use tessera::parallel::Comm;
use tessera::simulation::Simulation;
use tessera::storage::{File, Reader, Slab};

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3],
    tests: &[
        ("runs_are_repaired_step_by_step", runs_are_repaired_step_by_step),
        ("fronts_are_found_from_any_prediction", fronts_are_found_from_any_prediction),
        ("what_does_not_fit_is_named", what_does_not_fit_is_named),
    ],
}];

const PLATE: &str = r#"
[mesh]
box = { cell = "triangle", cells = [7, 6] }
[partition]
experts = 4
[parameters]
k = { default = 1.1, range = [0.5, 2.0] }
[time]
end = 0.5
step = 0.1
scheme = "SCHEME"
[[physics]]
name = "heat"
model = "diffusion"
field = "temperature"
conductivity = "1 + 0.3*k*temperature"
capacity = "1 + x"
source = "10*x"
boundary = [{ marker = "left", value = "k + t*y" }, { marker = "right", coefficient = 2.0, ambient = 3.0 }]
[[initial]]
value = "1 + x*y"
[[quantity]]
name = "mean"
kind = "average"
[solver]
method = "direct"
tolerance = 1e-12
"#;

const TIMES: [f64; 4] = [0.0, 0.1, 0.2, 0.4];
const K: [f64; 2] = [0.8, 1.7];

/// A guess of the temperature.
fn guess(sample: usize, time: f64, [x, y, _]: [f64; 3]) -> f64 {
    1.0 + x * y + time * (3.0 * x - y + K[sample]) + 0.1 * (5.0 * x).sin()
}

fn write(comm: &Comm, path: &Path, deck: &Deck, times: &[f64], value: &dyn Fn(usize, usize, [f64; 3]) -> f64) {
    let simulation = Simulation::new(comm, deck).unwrap();
    let space = simulation.stages[0].space();
    let plan = space.canonical();
    let file = File::create(comm, path).unwrap();
    file.write_array("/parameters/k", &[2], &K).unwrap();
    file.write_array("/times", &[times.len() as u64], times).unwrap();
    file.create_dataset::<f64>("/fields/temperature", &[2, 4, plan.total()]).unwrap();
    let range = plan.range();
    for sample in 0..2 {
        for frame in 0..4 {
            let values: Vec<f64> =
                (0..space.owned_nodes).map(|node| value(sample, frame, space.point(node))).collect();
            let start = vec![sample as u64, frame as u64, range.start];
            let slab = Slab { start, count: vec![1, 1, range.end - range.start] };
            file.write("/fields/temperature", &slab, &plan.to_canonical(&values, 1)).unwrap();
        }
    }
    file.close().unwrap();
}

fn options(level: ConstraintLevel) -> ConstrainOptions {
    ConstrainOptions { run: quiet(), level: Some(level), truth: true, ..ConstrainOptions::default() }
}

fn runs_are_repaired_step_by_step(comm: &Comm) {
    for scheme in ["bdf1", "bdf2", "sdirk2"] {
        for level in [ConstraintLevel::Boundary, ConstraintLevel::Conservation, ConstraintLevel::Exact] {
            with_folder(comm, |folder| {
                let deck = deck_in(&folder.join("out"), &PLATE.replace("SCHEME", scheme), &[]);
                let input = folder.join("predictions.h5");
                write(comm, &input, &deck, &TIMES, &|sample, frame, at| guess(sample, TIMES[frame], at));
                constrain::run(comm, &deck, &input, &options(level)).unwrap_or_else(|e| panic!("{e}"));
                comm.barrier();
                let file = Reader::open(&folder.join("out/constrain.h5")).unwrap();
                let what = format!("{scheme} {level:?}");
                let repair = file.array::<f64>("/repair/heat").unwrap().1;
                let truth = file.array::<f64>("/truth/temperature").unwrap().1;
                let frames = file.array::<f64>("/frames").unwrap().1;
                let (columns, errors) = (repair.len() / 8, truth.len() / 8);
                for row in 0..8 {
                    let (sample, frame) = (row / 4, row % 4);
                    assert_eq!(frames[2 * row..][..2], [sample as f64, TIMES[frame]], "{what}");
                    let (repair, truth) = (&repair[row * columns..][..columns], &truth[row * errors..][..errors]);
                    let [before, after] = [0, 1].map(|i| truth[i] / truth[2]);
                    if frame == 0 {
                        // The deck's initial state, whatever was predicted.
                        assert!(repair[0].is_nan() && before > 1e-3 && after < 1e-14, "{what}: {truth:?}");
                        continue;
                    }
                    assert!(before > 1e-2 && repair[0] > 1e-3, "{what}: {repair:?} {truth:?}");
                    match level {
                        ConstraintLevel::Exact => assert!(after < 1e-9, "{what}: {truth:?}"),
                        ConstraintLevel::Conservation => assert!(repair[1] < 1e-10, "{what}: {repair:?}"),
                        _ => assert!(repair[5] == 0.0, "{what}: {repair:?}"),
                    }
                }
                if level == ConstraintLevel::Exact {
                    let quantities = ["/qoi/mean", "/truth/quantities/mean"].map(|path| file.array::<f64>(path).unwrap().1);
                    let near = quantities[0].iter().zip(&quantities[1]).all(|(a, b)| (a - b).abs() < 1e-9);
                    assert!(near && quantities[0][1] != quantities[0][5], "{what}: {quantities:?}");
                }
            });
        }
    }
}

/// Stefan's problem in one phase: ahead of the front nothing conducts, so that no equation of a cold prediction sees its
/// neighbours, and Newton's method does not find every front from one. Level `exact` is the run all the same.
fn fronts_are_found_from_any_prediction(comm: &Comm) {
    const FRONT: &str = r#"
[mesh]
box = { cell = "interval", cells = [200] }
[partition]
experts = 4
[parameters]
k = { default = 1.1, range = [0.5, 2.0] }
[time]
end = 1.875e-3
step = 6.25e-4
scheme = "bdf2"
[[physics]]
name = "heat"
model = "porous_medium"
field = "temperature"
stefan = { below = 0.0, above = 1.0, threshold = "0.5*k" }
boundary = [{ marker = "left", value = 1.0 }, { marker = "right", value = 0.0 }]
[[initial]]
value = 0.0
[solver]
method = "direct"
tolerance = 1e-12
"#;
    let times = [0.0, 6.25e-4, 1.25e-3, 1.875e-3];
    let front = |time: f64, x: f64| (1.0 - x / (6.0 * time.sqrt() + 1e-9)).max(0.0);
    type Value<'a> = &'a dyn Fn(usize, usize, [f64; 3]) -> f64;
    let cases: [(&str, Value); 3] = [
        ("cold", &|_, _, _| 0.0),
        ("a front", &|_, frame, at| front(times[frame], at[0])),
        ("waves", &|_, frame, at| (40.0 * at[0] + 300.0 * times[frame]).sin()),
    ];
    for (what, value) in cases {
        with_folder(comm, |folder| {
            let deck = deck_in(&folder.join("out"), FRONT, &[]);
            let input = folder.join("predictions.h5");
            write(comm, &input, &deck, &times, value);
            constrain::run(comm, &deck, &input, &options(ConstraintLevel::Exact)).unwrap_or_else(|e| panic!("{what}: {e}"));
            comm.barrier();
            let file = Reader::open(&folder.join("out/constrain.h5")).unwrap();
            let (repair, truth) = ("/repair/heat", "/truth/temperature");
            let [repair, truth] = [repair, truth].map(|path| file.array::<f64>(path).unwrap().1);
            let (columns, errors) = (repair.len() / 8, truth.len() / 8);
            for truth in truth.chunks_exact(errors) {
                assert!(truth[1] < 1e-11 * truth[2], "{what}: {truth:?}");
            }
            let anew: f64 = repair.chunks_exact(columns).map(|row| row[13]).filter(|count| !count.is_nan()).sum();
            assert_eq!(anew > 0.0, what == "cold", "{what}: {anew} began anew");
        });
    }
}

fn what_does_not_fit_is_named(comm: &Comm) {
    let text = PLATE.replace("SCHEME", "bdf1");
    let value = |sample: usize, frame: usize, at: [f64; 3]| guess(sample, TIMES[frame], at);
    let holed = |sample: usize, frame: usize, at: [f64; 3]| match (sample, frame) {
        (1, 2) => f64::NAN,
        _ => guess(sample, TIMES[frame], at),
    };
    let steady = text.replace("[time]\nend = 0.5\nstep = 0.1\nscheme = \"bdf1\"\n", "").replace(" + t*y", "").replace("[[initial]]\nvalue = \"1 + x*y\"\n", "").replace("capacity = \"1 + x\"\n", "");
    type Value<'a> = &'a dyn Fn(usize, usize, [f64; 3]) -> f64;
    let cases: [(&str, &[f64], Value, &str); 5] = [
        (&text, &[0.0, 0.1, 0.3], &value, "frames at /times"),
        (&text, &[0.0, 0.2, 0.2, 0.4], &value, "does not ascend"),
        (&text, &[0.1, 0.2, 0.3, 0.4], &value, "time.start"),
        (&text, &TIMES, &holed, "sample 1, frame 2"),
        (&steady, &TIMES, &value, "no [time]"),
    ];
    for (text, times, value, words) in cases {
        with_folder(comm, |folder| {
            let deck = deck_in(&folder.join("out"), text, &[]);
            let input = folder.join("predictions.h5");
            write(comm, &input, &deck, times, value);
            let error = constrain::run(comm, &deck, &input, &options(ConstraintLevel::Exact)).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(words), "{words}: {error}");
            comm.barrier();
            assert!(!folder.join("out").exists(), "{error}: something is left behind");
        });
    }
}
