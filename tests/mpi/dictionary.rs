//! Dictionaries of reduced models with sampled integrals: what clusters gain over one basis of the same size at parameters that
//! nobody trained on, where there are none, the same on any number of ranks, and what does not fit.
use crate::common::decks::{deck_in, quiet};
use crate::common::{Suite, with_folder};
use std::path::{Path, PathBuf};
use tessera::drivers::predict::{Points, PredictOptions};
use tessera::drivers::{campaign, predict, train};
use tessera::parallel::Comm;
use tessera::storage::{File, Reader, Value};

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2],
    tests: &[
        ("dictionary_of_a_body_that_flows", dictionary_of_a_body_that_flows),
        ("dictionary_of_one", dictionary_of_one),
        ("dictionary_of_two", dictionary_of_two),
        ("dictionary_what_does_not_fit", dictionary_what_does_not_fit),
    ],
}];

const PLATE: &str = include_str!("../guarded/plate.toml");

/// Two families that have nothing in common: heat from the left or from the right, hardly ever both.
const SIDES: &str = r#"
title = "Heat from either side"
mesh.box = { cell = "interval", cells = [40] }
time = { end = 40, step = 4 }
output = { frames = 4, xdmf = false }
[parameters]
side = { default = 0.0, range = [-1.0, 1.0] }
[[physics]]
name = "heat"
model = "diffusion"
field = "T"
conductivity = "0.0003*(1 + 0.5*T)"
source = "0.05*exp(-((x - (0.5 + 0.4*tanh(8*side)))/0.05)^2)*(1 + 0.5*side^2)"
boundary = [{ marker = ["left", "right"], value = 0.0 }]
[[initial]]
value = 0.0
[[quantity]]
name = "mean"
kind = "average"
[campaign]
frames = "steps"
design = "latin_hypercube"
samples = 24
[rom]
modes = 3
"#;

/// Of one family: all trajectories are multiples of one.
const HEAT: &str = r#"
title = "Plate that is heated"
mesh.box = { cell = "quadrilateral", cells = [8, 4], upper = [2.0, 1.0] }
time = { end = 400, step = 20 }
output = { frames = 4, xdmf = false }
parameters.power = { default = 1.5, range = [1.0, 2.0] }
[[physics]]
name = "heat"
model = "diffusion"
field = "T"
conductivity = 1
capacity = 300
source = "power*exp(-t/200)*x"
boundary = [{ marker = "left", value = 0 }]
[[initial]]
value = 0
[[quantity]]
name = "mean"
kind = "average"
[campaign]
frames = "steps"
design = "latin_hypercube"
samples = 20
[rom]
modes = 2
"#;

/// Trains on the samples of a folder; the model's path. Collective.
fn trained(comm: &Comm, folder: &Path, text: &str, more: &[&str]) -> PathBuf {
    let own = folder.join("dataset.h5");
    let deck = deck_in(folder, text, &[&["campaign.group_ranks=\"all\""], more].concat());
    let there = own.exists();
    comm.barrier();
    if !there {
        campaign::run(comm, &deck, &quiet()).unwrap();
        comm.barrier();
    }
    train::run(comm, &deck, &[own], &quiet()).unwrap();
    comm.barrier();
    folder.join(&deck.rom.file)
}

/// Predicts at parameters that nobody trained on; the file. Collective.
fn predicted(comm: &Comm, model: &Path, samples: usize, truth: bool) -> Reader {
    let output = model.parent().unwrap().join("predicted");
    let points = Points::LatinHypercube { samples, seed: 77 };
    let output_of = Some(output.clone());
    let options = PredictOptions { run: quiet(), points, truth, output: output_of, ..PredictOptions::default() };
    predict::run(comm, model, &options).unwrap();
    comm.barrier();
    Reader::open(&output.join("predict.h5")).unwrap()
}

/// Median and worst.
fn spread(mut errors: Vec<f64>) -> [f64; 2] {
    errors.sort_by(f64::total_cmp);
    [errors[errors.len() / 2], errors[errors.len() - 1]]
}

fn dictionary_of_a_body_that_flows(comm: &Comm) {
    with_folder(comm, |folder| {
        let plate = PLATE.lines().filter(|line| !line.starts_with("table")).collect::<Vec<_>>().join("\n");
        let design = ["campaign.design=\"latin_hypercube\"", "campaign.samples=40", "campaign.seed=1"];
        let more = [&design[..], &["mesh.box.cells=[12,6]", "rom.modes=20", "rom.tolerance=1e-12"]].concat();
        let errors = |more: &[&str]| {
            let model = trained(comm, folder, &plate, more);
            let file = predicted(comm, &model, 16, true);
            spread(file.array::<f64>("/truth/fields/displacement").unwrap().1)
        };
        let global = errors(&[&more[..], &["output.frames=8"]].concat());
        let two = errors(&[&more[..], &["rom.clusters=\"auto\"", "rom.file=\"two.h5\"", "output.frames=8"]].concat());
        assert!(two[1] <= 0.75 * global[1], "worst: {two:?} {global:?}");
        assert!(two[0] <= 0.75 * global[0], "median: {two:?} {global:?}");
        let reader = Reader::open(&folder.join("two.h5")).unwrap();
        let criteria = reader.array::<f64>("/dictionary/criteria").unwrap().1;
        assert!(criteria[0] == 1.0 && criteria[3] == 2.0 && criteria[4] <= 0.6 * criteria[1], "{criteria:?}");
    });
}

/// What does not fall apart is left whole, and its file is what it is without a word of clusters.
fn dictionary_of_one(comm: &Comm) {
    with_folder(comm, |folder| {
        let one = trained(comm, folder, HEAT, &[]);
        let values = predicted(comm, &one, 5, false).array::<f64>("/history/mean").unwrap().1;
        let auto = trained(comm, folder, HEAT, &["rom.clusters=\"auto\"", "rom.file=\"auto.h5\""]);
        let reader = Reader::open(&auto).unwrap();
        assert!(!reader.exists("/sampled_1") && !reader.exists("/dictionary"));
        let file = predicted(comm, &auto, 5, false);
        assert!(!file.exists("/estimate/cluster"));
        assert_eq!(file.array::<f64>("/history/mean").unwrap().1, values);
    });
}

/// Families that have nothing in common are found, whatever the number of ranks; predictions take the right one, and files that
/// are not whole are named.
fn dictionary_of_two(comm: &Comm) {
    with_folder(comm, |folder| {
        let path = trained(comm, folder, SIDES, &["rom.clusters=2"]);
        let own = comm.split(comm.rank());
        let mine = folder.join(format!("rank{}", comm.rank()));
        std::fs::create_dir_all(&mine).unwrap();
        let alone = trained(&own, &mine, SIDES, &["rom.clusters=2"]);
        let of = |path: &Path, name: &str| {
            Reader::open(path).unwrap().array::<u64>(&format!("/dictionary/{name}")).unwrap().1
        };
        for name in ["medoids", "members_0", "members_1"] {
            assert_eq!(of(&path, name), of(&alone, name), "{name}");
        }
        comm.barrier();
        let file = predicted(comm, &path, 12, true);
        let chosen = file.array::<u64>("/estimate/cluster").unwrap().1;
        let side = file.array::<f64>("/parameters").unwrap().1;
        let medoid = Reader::open(&path).unwrap().array::<f64>("/dictionary/parameters").unwrap().1;
        for (cluster, side) in chosen.iter().zip(&side).filter(|(_, side)| side.abs() > 0.3) {
            assert!(medoid[*cluster as usize] * side > 0.0, "{side}: cluster {cluster} of {medoid:?}");
        }
        let within = spread(file.array::<f64>("/truth/fields/T").unwrap().1);
        let global = trained(comm, folder, SIDES, &["rom.file=\"global.h5\""]);
        let one = spread(predicted(comm, &global, 12, true).array::<f64>("/truth/fields/T").unwrap().1);
        assert!(within[0] < one[0] && within[1] < 0.6 * one[1], "{within:?} {one:?}");
        for (count, words) in [(3, "/sampled_2"), (9, "from 2 to 4")] {
            let opened = File::open_writable(comm, &path).unwrap();
            opened.set("/sampled", "clusters", count as usize).unwrap();
            assert_eq!(opened.get("/sampled", "clusters").unwrap(), Some(Value::Integer(count)));
            opened.close().unwrap();
            let options = PredictOptions { run: quiet(), ..PredictOptions::default() };
            let error = predict::run(comm, &path, &options).unwrap_err().to_string();
            assert!(error.contains("model.h5") && error.contains(words), "{error}");
        }
    });
}

fn dictionary_what_does_not_fit(comm: &Comm) {
    with_folder(comm, |folder| {
        let refused = |text: &str, more: &[&str]| {
            let deck = deck_in(folder, text, &[&["campaign.group_ranks=\"all\""], more].concat());
            if !folder.join("dataset.h5").exists() {
                comm.barrier();
                campaign::run(comm, &deck, &quiet()).unwrap();
            }
            comm.barrier();
            train::run(comm, &deck, &[], &quiet()).unwrap_err().to_string()
        };
        let error = refused(SIDES, &["rom.clusters=4"]);
        assert!(error.contains("rom.clusters") && error.contains("expected 32, found 24"), "{error}");
        let error = refused(SIDES, &["rom.clusters=2", "rom.indicator_modes=0"]);
        assert!(error.contains("rom.clusters") && error.contains("indicator"), "{error}");
        let flow = include_str!("../../input/cavity/cavity.toml");
        let error = refused(flow, &["rom.clusters=2"]);
        assert!(error.contains("rom.clusters") && error.contains("has none"), "{error}");
    });
}
