//! `tessera constrain` of runs in time by windows of steps.
use crate::common::decks::{deck_in, quiet};
use crate::common::{Suite, with_folder};
use std::path::{Path, PathBuf};
use tessera::deck::Deck;
use tessera::drivers::constrain::{self, ConstrainOptions};
use tessera::drivers::{campaign, train};
use tessera::parallel::Comm;
use tessera::storage::{File, Reader};

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2],
    tests: &[
        ("windows_of_steps_are_repaired", windows_of_steps_are_repaired),
        ("windows_that_do_not_fit_are_named", windows_that_do_not_fit_are_named),
    ],
}];

const PLATE: &str = r#"
[mesh]
box = { cell = "triangle", cells = [7, 6] }
[partition]
experts = 2
[parameters]
k = { default = 1.1, range = [0.5, 2.0] }
[time]
end = 0.5
step = 0.01
growth = 1.3
longest = 0.1
scheme = "SCHEME"
[output]
frames = 1
[campaign]
design = "list"
table = [[0.55], [0.8], [1.1], [1.5], [1.95]]
frames = "steps"
[rom]
tolerance = 1e-20
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

const K: [f64; 2] = [0.7, 1.7];

/// A campaign, its functions in space and time, and the mean of its runs as the prediction of other parameters.
fn prepare(comm: &Comm, folder: &Path, deck: &Deck) -> (PathBuf, PathBuf) {
    campaign::run(comm, deck, &quiet()).unwrap_or_else(|e| panic!("{e}"));
    train::run(comm, deck, &[], &quiet()).unwrap_or_else(|e| panic!("{e}"));
    comm.barrier();
    let (input, out) = (folder.join("predictions.h5"), &deck.output.directory);
    let data = Reader::open(&out.join("dataset.h5")).unwrap();
    let steps = data.array::<u32>("/steps").unwrap().1[0] as usize;
    let times: Vec<f64> = data.array::<f64>("/time").unwrap().1[..steps].to_vec();
    let (shape, values) = data.array::<f64>("/fields/temperature").unwrap();
    let (room, nodes) = (shape[1] as usize, shape[2] as usize);
    let mean = |i: usize| (0..5).map(|sample| values[sample * room * nodes + i]).sum::<f64>() / 5.0;
    let mean: Vec<f64> = (0..steps * nodes).map(mean).collect();
    let file = File::create(comm, &input).unwrap();
    file.write_array("/parameters/k", &[2], &K).unwrap();
    file.write_array("/times", &[times.len() as u64], &times).unwrap();
    let both = [&mean[..], &mean[..]].concat();
    file.write_array("/fields/temperature", &[2, times.len() as u64, nodes as u64], &both).unwrap();
    file.close().unwrap();
    (input, out.join("model.h5"))
}

fn options(basis: &Path) -> ConstrainOptions {
    ConstrainOptions { run: quiet(), basis: Some(basis.into()), truth: true, ..ConstrainOptions::default() }
}

/// Errors fall from those of the mean to those of the space of the runs, the balance of every expert closes over each window
/// where that is asked for, and the first step of a multistep formula is the run's own.
fn windows_of_steps_are_repaired(comm: &Comm) {
    let strong = "constraint.ports=\"strong\"";
    let cases: [(&str, usize, &[&str]); 5] = [
        ("bdf1", 1, &["constraint.level=\"residual\""]),
        ("bdf2", 1, &["constraint.level=\"residual\""]),
        ("bdf2", 1, &["constraint.level=\"coupled\"", strong]),
        ("bdf2", 2, &["constraint.level=\"coupled\"", strong]),
        ("crank_nicolson", 1, &["constraint.level=\"coupled\"", "constraint.ports=\"weak\""]),
    ];
    for (scheme, windows, keys) in cases {
        with_folder(comm, |folder| {
            let counts = [format!("rom.windows={windows}"), format!("constraint.windows={windows}")];
            let keys: Vec<&str> = keys.iter().copied().chain(counts.iter().map(String::as_str)).collect();
            let deck = deck_in(&folder.join("out"), &PLATE.replace("SCHEME", scheme), &keys);
            let (input, model) = prepare(comm, folder, &deck);
            let what = format!("{scheme}, {keys:?}");
            constrain::run(comm, &deck, &input, &options(&model)).unwrap_or_else(|e| panic!("{what}: {e}"));
            comm.barrier();
            let file = Reader::open(&folder.join("out/constrain.h5")).unwrap();
            let (shape, repair) = file.array::<f64>("/repair/heat").unwrap();
            let truth = file.array::<f64>("/truth/temperature").unwrap().1;
            let (rows, columns) = (shape[0] as usize, shape[1] as usize);
            let (frames, errors) = (rows / 2, truth.len() / rows);
            let (mut before, mut after, mut iterations) = (0.0f64, 0.0f64, 0.0);
            for row in (0..rows).filter(|row| row % frames > 0) {
                let (repair, truth) = (&repair[row * columns..][..columns], &truth[row * errors..][..errors]);
                before = before.max(truth[0] / truth[2]);
                after = after.max(truth[1] / truth[2]);
                iterations += repair[8];
                let taken = row % frames == 1 && scheme != "bdf1";
                assert_eq!(repair[11].is_nan(), taken, "{what}, frame {}: {repair:?}", row % frames);
                if taken {
                    assert!(truth[1] < 1e-10 * truth[2] && repair[1] < 1e-10, "{what}: {truth:?} {repair:?}");
                } else if keys.iter().any(|key| key.contains("coupled")) {
                    assert!(repair[11] > 1e-4 && repair[12] < 1e-11, "{what}: {repair:?}");
                }
            }
            assert!(before > 5e-2 && after < 1e-3 * before, "{what}: {before:.1e} {after:.1e}");
            assert!(iterations > 5.0 && iterations < 100.0, "{what}: {iterations}");
        });
    }
}

fn windows_that_do_not_fit_are_named(comm: &Comm) {
    let keys = ["rom.windows=1", "constraint.level=\"residual\"", "constraint.windows=1"];
    with_folder(comm, |folder| {
        let deck = deck_in(&folder.join("out"), &PLATE.replace("SCHEME", "bdf2"), &keys);
        let (input, model) = prepare(comm, folder, &deck);
        let with = |text: &str, keys: &[&str]| deck_in(&folder.join("out"), text, keys);
        let other = PLATE.replace("SCHEME", "bdf2");
        let stages = PLATE.replace("SCHEME", "sdirk2");
        let two = ["constraint.level=\"residual\"", "constraint.windows=2"];
        for (deck, basis, words) in [
            (with(&other, &two), Some(&model), "over 1 windows of steps; constraint.windows is 2"),
            (with(&other, &keys), None, "--basis"),
            (with(&stages, &keys), Some(&model), "time.scheme"),
        ] {
            let options = ConstrainOptions { basis: basis.cloned(), ..options(&model) };
            let error = constrain::run(comm, &deck, &input, &options).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(words), "{words}: {error}");
            comm.barrier();
            assert!(!folder.join("out/constrain.h5").exists(), "{error}: something is left behind");
        }
        // Frames that are no steps of the training.
        let file = File::open(comm, &input).unwrap();
        let mut times = file.read_array::<f64>("/times").unwrap().1;
        let (shape, values) = file.read_array::<f64>("/fields/temperature").unwrap();
        file.close().unwrap();
        times[2] *= 1.01;
        let path = folder.join("shifted.h5");
        let file = File::create(comm, &path).unwrap();
        file.write_array("/parameters/k", &[2], &K).unwrap();
        file.write_array("/times", &[times.len() as u64], &times).unwrap();
        file.write_array("/fields/temperature", &shape, &values).unwrap();
        file.close().unwrap();
        let error = constrain::run(comm, &deck, &path, &options(&model)).unwrap_err();
        let words = "not those of the predictions' frames";
        assert!(error.exit_code() == 2 && error.to_string().contains(words), "{error}");
    });
}
