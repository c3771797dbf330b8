//! Campaigns that stop and go on, and the road from a campaign to predictions, on one to four ranks.

use crate::common::Suite;
use crate::common::decks::{self, quiet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tessera::campaign::{Campaign, Part, SampleReport, Selection, campaign_samples};
use tessera::deck::{ConstraintLevel, Deck};
use tessera::drivers::predict::{Points, PredictOptions};
use tessera::drivers::shared::RunOptions;
use tessera::drivers::{campaign, output, predict, train};
use tessera::parallel::Comm;
use tessera::simulation::Simulation;
use tessera::storage::{DatasetFile, File, Status};

/// Heat with a source that is no number below zero, which fails those samples.
const DECK: &str = r#"
title = "Campaign test"
[mesh]
box = { cell = "triangle", cells = [10, 10] }
[partition]
experts = 4
[parameters]
k = { default = 2.0, range = [1.0, 5.0] }
s = { default = 4.0, range = [0.0, 9.0] }
[[physics]]
name = "heat"
model = "diffusion"
field = "temperature"
conductivity = "1 + k*x"
source = "sqrt(s)"
[[physics.boundary]]
marker = "left"
value = "1 + 0.1*k*y"
[[physics.boundary]]
marker = "right"
coefficient = "k"
ambient = 3.0
[[quantity]]
name = "peak"
kind = "maximum"
field = "temperature"
[[quantity]]
name = "mean"
kind = "average"
field = "temperature"
[campaign]
design = "sobol"
samples = 10
seed = 3
# Datasets are compared to rounding.
guess = "none"
[rom]
modes = 8
tolerance = 0.0
algorithm = "tsqr"
[solver]
method = "direct"
refresh = "always"
"#;

/// A folder that all ranks use; the name is rank 0's.
fn folder(comm: &Comm, name: &str) -> PathBuf {
    let mut bytes = std::process::id().to_string().into_bytes();
    comm.broadcast_bytes(0, &mut bytes);
    let path = std::env::temp_dir().join(format!("tessera-{name}-{}", String::from_utf8(bytes).unwrap()));
    if comm.rank() == 0 {
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
    }
    comm.barrier();
    path
}

fn remove(comm: &Comm, folder: &Path) {
    comm.barrier();
    if comm.rank() == 0 {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

fn deck(overrides: &[&str]) -> Deck {
    decks::deck(DECK, overrides)
}

/// Runs a campaign until `stop` samples are done; what was reported.
fn run(comm: &Comm, deck: &Deck, path: &Path, stop: usize) -> tessera::Result<Vec<SampleReport>> {
    let samples = campaign_samples(comm, deck)?;
    let selection = Selection::new(deck, &samples, None)?;
    let mut simulation = Simulation::new(comm, deck)?;
    let provenance = output::provenance(&simulation, &[]);
    let mut campaign = Campaign::open(&mut simulation, path, &provenance, &selection)?;
    let mut reports = Vec::new();
    let order = campaign.ordered()?;
    campaign.run(&order, |report| {
        reports.push(report.clone());
        reports.len() < stop
    })?;
    campaign.close()?;
    Ok(reports)
}

fn resumes(comm: &Comm) {
    let folder = folder(comm, "resume");
    let deck = deck(&["campaign.order=\"design\""]);
    let (whole, parts) = (folder.join("whole.h5"), folder.join("parts.h5"));
    assert_eq!(run(comm, &deck, &whole, 100).unwrap().len(), 10);
    assert_eq!(run(comm, &deck, &parts, 3).unwrap().len(), 3);
    let open = |path: &Path| DatasetFile::open(comm, path, false).unwrap();
    let half = open(&parts);
    assert_eq!(half.done().unwrap(), [0, 1, 2]);
    assert!(half.quantity("peak").unwrap()[3].is_nan());
    half.close().unwrap();
    assert_eq!(
        run(comm, &deck, &parts, 100).unwrap().iter().map(|r| r.sample).collect::<Vec<_>>(),
        [3, 4, 5, 6, 7, 8, 9]
    );
    assert!(run(comm, &deck, &parts, 100).unwrap().is_empty());
    let (a, b) = (open(&whole), open(&parts));
    // A parallel factorisation adds up in the order in which messages come.
    let close = |a: &[f64], b: &[f64]| {
        assert_eq!(a.len(), b.len());
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-12 * a.abs()), "{a:?} {b:?}");
    };
    close(&a.quantity("mean").unwrap(), &b.quantity("mean").unwrap());
    for sample in 0..10 {
        let range = 0..if comm.rank() == 0 { 121 } else { 0 };
        let field = |f: &DatasetFile| f.file().read_canonical("temperature", sample, range.clone()).unwrap();
        close(&field(&a), &field(&b));
    }
    a.close().unwrap();
    b.close().unwrap();
    // Another design or another problem is not mixed in.
    for other in ["campaign.seed=4", "physics.heat.conductivity=7"] {
        let error = run(comm, &self::deck(&[other]), &parts, 100).err().unwrap();
        assert_eq!(error.exit_code(), 2, "{error}");
    }
    remove(comm, &folder);
}

/// From neighbour to neighbour the samples come in another order, and the dataset is the same.
fn order_does_not_matter(comm: &Comm) {
    let folder = folder(comm, "order");
    let (a, b) = (folder.join("design.h5"), folder.join("nearest.h5"));
    let numbers = |reports: Vec<SampleReport>| reports.iter().map(|r| r.sample).collect::<Vec<_>>();
    let design = deck(&["campaign.order=\"design\""]);
    assert_eq!(numbers(run(comm, &design, &a, 100).unwrap()), (0..10).collect::<Vec<_>>());
    let nearest = deck(&["campaign.order=\"nearest\""]);
    let mut found = numbers(run(comm, &nearest, &b, 4).unwrap());
    // What is left begins at the first of them.
    let rest = numbers(run(comm, &nearest, &b, 100).unwrap());
    assert_eq!(Some(&rest[0]), (0..10).find(|i| !found.contains(i)).as_ref());
    found.extend(rest);
    assert_ne!(found, (0..10).collect::<Vec<_>>());
    found.sort_unstable();
    assert_eq!(found, (0..10).collect::<Vec<_>>());
    let peaks = [&a, &b].map(|path| {
        let file = DatasetFile::open(comm, path, false).unwrap();
        let peaks = file.quantity("peak").unwrap();
        file.close().unwrap();
        peaks
    });
    assert!(peaks[0].iter().zip(&peaks[1]).all(|(a, b)| (a - b).abs() <= 1e-9 * a.abs()), "{peaks:?}");
    remove(comm, &folder);
}

/// A campaign that asks for more samples of the same design goes on with the dataset.
fn designs_are_continued(comm: &Comm) {
    let folder = folder(comm, "continued");
    for (design, seed) in [("halton", 3), ("latin_hypercube", 1)] {
        let path = folder.join(format!("{design}.h5"));
        let sized = |samples: usize| {
            let design = format!("campaign.design=\"{design}\"");
            deck(&[&design, &format!("campaign.seed={seed}"), &format!("campaign.samples={samples}")])
        };
        assert_eq!(run(comm, &sized(4), &path, 3).unwrap().len(), 3);
        let before = DatasetFile::open(comm, &path, false).unwrap();
        let (done, peaks, first) =
            (before.done().unwrap(), before.quantity("peak").unwrap(), before.samples().unwrap());
        let shape = before.file().shape("/fields/temperature").unwrap();
        let field: Vec<f64> =
            before.file().read_step("/fields/temperature", done[0] as u64, 0..shape[1]).unwrap();
        before.close().unwrap();
        assert_eq!(done.len(), 3);
        // The one left and four new ones.
        let mut solved: Vec<usize> =
            run(comm, &sized(8), &path, 100).unwrap().iter().map(|r| r.sample).collect();
        solved.sort_unstable();
        assert_eq!(solved, (0..8).filter(|i| !done.contains(i)).collect::<Vec<_>>());
        let after = DatasetFile::open(comm, &path, false).unwrap();
        assert_eq!((after.len(), after.done().unwrap().len()), (8, 8));
        assert_eq!(after.numbers().unwrap(), (0..8).collect::<Vec<_>>());
        let now = after.quantity("peak").unwrap();
        assert!(done.iter().all(|&i| now[i] == peaks[i]), "{peaks:?} {now:?}");
        assert!(after.samples().unwrap().values.starts_with(&first.values));
        let kept: Vec<f64> =
            after.file().read_step("/fields/temperature", done[0] as u64, 0..shape[1]).unwrap();
        assert_eq!(kept, field);
        after.close().unwrap();
        // Fewer, and a Latin hypercube that is not doubled.
        let words = run(comm, &sized(4), &path, 1).unwrap_err().to_string();
        assert!(words.contains("another design (8 samples, the deck asks for 4)"), "{words}");
        if design == "latin_hypercube" {
            let words = run(comm, &sized(12), &path, 1).unwrap_err().to_string();
            assert!(words.contains("another design") && words.contains("doubl"), "{words}");
        }
    }
    remove(comm, &folder);
}

fn failed_samples_are_recorded(comm: &Comm) {
    let folder = folder(comm, "failed");
    let deck = deck(&["parameters.s.range=[-9.0, 9.0]"]);
    let path = folder.join("dataset.h5");
    let reports = run(comm, &deck, &path, 100).unwrap();
    let failed: Vec<usize> = reports.iter().filter(|r| r.failure.is_some()).map(|r| r.sample).collect();
    let samples = campaign_samples(comm, &deck).unwrap();
    let negative: Vec<usize> = (0..samples.len()).filter(|&i| samples[i][1] < 0.0).collect();
    assert!(!negative.is_empty() && negative.len() < 10);
    assert_eq!(failed, negative);
    let file = DatasetFile::open(comm, &path, false).unwrap();
    let status = file.status().unwrap();
    assert!(status.iter().enumerate().all(|(i, s)| (*s == Status::Failed) == negative.contains(&i)));
    file.close().unwrap();
    assert!(run(comm, &deck, &path, 100).unwrap().is_empty());
    remove(comm, &folder);
}

fn from_campaign_to_certified_prediction(comm: &Comm) {
    let folder = folder(comm, "road");
    let mut deck = deck(&[]);
    deck.output.directory = folder.clone();
    campaign::run(comm, &deck, &quiet()).unwrap();
    train::run(comm, &deck, &[], &quiet()).unwrap();
    let model = folder.join("model.h5");
    let mut options = PredictOptions {
        run: quiet(),
        points: Points::LatinHypercube { samples: 6, seed: 5 },
        fields: true,
        modes: Some(3),
        truth: true,
        constraint: Some(ConstraintLevel::Conservation),
        output: Some(folder.clone()),
        ..PredictOptions::default()
    };
    predict::run(comm, &model, &options).unwrap();
    let file = File::open(comm, &folder.join("predict.h5")).unwrap();
    let (shape, truth) = file.read_array::<f64>("/truth/temperature").unwrap();
    assert_eq!(shape, [6, 4]);
    for row in truth.chunks_exact(4) {
        let [error, relative, effectivity, repaired] = [row[0], row[1], row[2], row[3]];
        assert!(error > 0.0 && relative < 0.2 && (1.0..10.0).contains(&effectivity), "{row:?}");
        // The repair is an orthogonal projection in the energy: it brings the truth no farther away.
        assert!(repaired <= error * (1.0 + 1e-9), "{row:?}");
    }
    let (shape, violation) = file.read_array::<f64>("/violation/heat").unwrap();
    assert_eq!(shape, [4, 2]);
    assert!(violation.chunks_exact(2).all(|row| row[0] > 1e-8 && row[1] < 1e-12), "{violation:?}");
    assert_eq!(file.shape("/fields/temperature").unwrap(), [6, 121, 1]);
    let peak = file.read_array::<f64>("/qoi/peak").unwrap().1;
    assert!(peak.iter().all(|p| p.is_finite()));
    file.close().unwrap();
    // A table, and one point beyond the training, which still has a valid estimate.
    let table = folder.join("points.csv");
    if comm.rank() == 0 {
        std::fs::write(&table, "s,k\n1.0,2.0\n4.0,4.5\n").unwrap();
    }
    comm.barrier();
    options.constraint = None;
    for (points, count) in [(Points::Table(table), 2), (Points::One(vec!["k=7".into(), " s = 2".into()]), 1)]
    {
        options.points = points;
        predict::run(comm, &model, &options).unwrap();
        let file = File::open(comm, &folder.join("predict.h5")).unwrap();
        let (_, truth) = file.read_array::<f64>("/truth/temperature").unwrap();
        assert_eq!(truth.len(), 4 * count);
        assert!(truth.chunks_exact(4).all(|row| row[2] >= 1.0), "{truth:?}");
        let values = |path: &str| file.read_array::<f64>(path).unwrap().1;
        let (mean, exact) = (values("/qoi/mean"), values("/truth/quantities/mean"));
        let bound = values("/estimate/quantities/mean");
        assert!((0..count).all(|i| (mean[i] - exact[i]).abs() <= bound[i]), "{mean:?} {exact:?} {bound:?}");
        assert!(!file.exists("/estimate/quantities/peak"));
        file.close().unwrap();
    }
    for wrong in ["kk=1", "k", "k=x", "k=inf"] {
        options.points = Points::One(vec![wrong.into()]);
        assert_eq!(predict::run(comm, &model, &options).unwrap_err().exit_code(), 2);
    }
    remove(comm, &folder);
}

/// The parts of a campaign hold its samples, each once, and give its reduced model.
fn parts_train_as_the_whole(comm: &Comm) {
    let folder = folder(comm, "parts");
    let deck_in = |name: &str| {
        let mut deck = deck(&[]);
        deck.output.directory = folder.join(name);
        deck
    };
    let solve = |name: &str, part: Option<&str>| {
        let part = part.map(|part| part.parse::<Part>().unwrap());
        campaign::run(comm, &deck_in(name), &RunOptions { part, ..quiet() })
    };
    let train = |name: &str, datasets: &[PathBuf]| train::run(comm, &deck_in(name), datasets, &quiet());
    solve("whole", None).unwrap();
    train("whole", &[]).unwrap();
    let part = |k: usize, n: usize| folder.join(format!("parts/dataset-{k}-of-{n}.h5"));
    for k in ["3/3", "1/3"] {
        solve("parts", Some(k)).unwrap();
    }
    let missing = train("parts", &[]).unwrap_err();
    assert!(
        missing.to_string().contains("dataset-2-of-3.h5: part 2/3 of the campaign is missing"),
        "{missing}"
    );
    solve("parts", Some("2/3")).unwrap();
    let all = campaign_samples(comm, &deck(&[])).unwrap();
    for k in 1..=3 {
        let file = DatasetFile::open(comm, &part(k, 3), false).unwrap();
        let numbers = file.numbers().unwrap();
        assert_eq!(numbers, (k - 1..10).step_by(3).collect::<Vec<_>>());
        let expected: Vec<f64> = numbers.iter().flat_map(|&number| all[number].clone()).collect();
        assert_eq!(file.samples().unwrap().values, expected);
        assert_eq!(file.done().unwrap().len(), numbers.len());
        assert_eq!(file.file().text("/", "part").unwrap(), format!("{k}/3"));
        file.close().unwrap();
    }
    let model = |name: &str| {
        let path = folder.join(name).join("model.h5");
        let options = PredictOptions {
            run: quiet(),
            points: Points::LatinHypercube { samples: 3, seed: 5 },
            output: Some(folder.join(name)),
            ..PredictOptions::default()
        };
        predict::run(comm, &path, &options).unwrap();
        let values = |file: &str, path: &str| {
            let file = File::open(comm, &folder.join(name).join(file)).unwrap();
            let values = file.read_array::<f64>(path).unwrap().1;
            file.close().unwrap();
            values
        };
        (values("model.h5", "/singular_values/temperature"), values("predict.h5", "/qoi/mean"))
    };
    let whole = model("whole");
    let close = |a: &[f64], b: &[f64]| {
        assert_eq!(a.len(), b.len());
        assert!(a.iter().zip(b).all(|(x, y)| (x - y).abs() <= 1e-10 * a[0].abs()), "{a:?} {b:?}");
    };
    // Found by themselves, and named in another order.
    for datasets in [vec![], vec![part(2, 3), part(3, 3), part(1, 3)]] {
        train("parts", &datasets).unwrap();
        let parts = model("parts");
        close(&whole.0, &parts.0);
        close(&whole.1, &parts.1);
    }
    // A sample counts once.
    solve("parts", Some("2/2")).unwrap();
    let undivided = folder.join("whole/dataset.h5");
    for (datasets, sample) in [
        (vec![part(1, 3), part(1, 3)], 0),
        (vec![part(1, 3), part(2, 2)], 3),
        (vec![undivided, part(3, 3)], 2),
    ] {
        let error = train("parts", &datasets).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let [first, second] = [&datasets[0], &datasets[1]].map(|path| path.display().to_string());
        let text = format!("{second}: its sample {sample} is in {first} as well; a sample counts once");
        assert_eq!(error.to_string(), text);
    }
    let several = train("parts", &[]).unwrap_err().to_string();
    assert!(several.contains("is there as well: name the datasets to train on"), "{several}");
    let empty = solve("parts", Some("11/11")).unwrap_err();
    assert_eq!((empty.exit_code(), empty.to_string().contains("part 11/11 is empty")), (2, true), "{empty}");
    remove(comm, &folder);
}

/// The program itself, killed in the middle without a chance to tidy up.
fn killed_campaign_goes_on(comm: &Comm) {
    if comm.size() > 1 {
        // The child starts MPI on its own.
        return;
    }
    let folder = folder(comm, "killed");
    let path = folder.join("deck.toml");
    std::fs::write(&path, DECK.replace("cells = [10, 10]", "cells = [60, 60]")).unwrap();
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
        command.env_clear();
        for name in ["PATH", "HOME", "LD_LIBRARY_PATH", "TMPDIR"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.args(["campaign", "deck.toml", "-o", "out", "--set", "campaign.samples=200"]);
        command.current_dir(&folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let dataset = folder.join("out/dataset.h5");
    let mut child = start();
    let begin = Instant::now();
    while !dataset.exists() && begin.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(150));
    child.kill().unwrap();
    child.wait().unwrap();
    let done = |path: &Path| {
        let file = DatasetFile::open(comm, path, false).unwrap();
        let (done, mean) = (file.done().unwrap(), file.quantity("mean").unwrap());
        file.close().unwrap();
        assert!(done.iter().all(|&i| mean[i].is_finite()));
        (done.len(), mean)
    };
    let (before, kept) = done(&dataset);
    assert!(before < 200, "the campaign ended before it was killed");
    assert!(start().wait().unwrap().success());
    let (after, mean) = done(&dataset);
    assert_eq!(after, 200);
    assert!((0..before).all(|i| kept[i] == mean[i]));
    remove(comm, &folder);
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
            ("interrupted_campaign_resumes", resumes),
            ("order_does_not_matter", order_does_not_matter),
            ("designs_are_continued", designs_are_continued),
            ("failed_samples_are_recorded_and_skipped", failed_samples_are_recorded),
            ("campaign_training_and_certified_prediction", from_campaign_to_certified_prediction),
            ("parts_of_a_campaign_train_as_the_whole", parts_train_as_the_whole),
            ("killed_campaign_goes_on", killed_campaign_goes_on),
        ],
}];
