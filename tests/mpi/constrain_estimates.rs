//! `tessera constrain --estimate`, the keys of least squares, and functions of a reduced model.
use crate::common::decks::{deck_in, quiet};
use crate::common::{Suite, with_folder};
use std::path::Path;
use tessera::deck::{ConstraintLevel, Deck};
use tessera::drivers::constrain::{self, ConstrainOptions};
use tessera::drivers::predict::{self, Points, PredictOptions};
use tessera::drivers::{campaign, train};
use tessera::parallel::Comm;
use tessera::physics::Context;
use tessera::simulation::Simulation;
use tessera::storage::{File, Reader, Slab};

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
        ("errors_are_bounded_or_estimated", errors_are_bounded_or_estimated),
        ("least_squares_follow_the_deck", least_squares_follow_the_deck),
        ("modes_of_a_model_are_functions", modes_of_a_model_are_functions),
    ],
}];

const PLATE: &str = r#"
[mesh]
box = { cell = "triangle", cells = [9, 8] }
[partition]
experts = 5
[parameters]
k = { default = 2.0, range = [1.0, 4.0] }
s = { default = 4.0, range = [1.0, 9.0] }
[[physics]]
name = "heat"
model = "diffusion"
field = "temperature"
conductivity = "k*exp(x)LAW"
source = "s*x"
boundary = [{ marker = "left", value = "1 + 0.1*k*y" }, { marker = "right", coefficient = "k", ambient = 3.0 }]
[[quantity]]
name = "mean"
kind = "average"
[campaign]
samples = 8
seed = 3
[rom]
modes = 4
[solver]
method = "direct"
tolerance = 1e-12
"#;

const PARAMETERS: [[f64; 2]; 3] = [[1.2, 4.0], [2.0, 6.0], [3.9, 1.5]];

fn write(comm: &Comm, path: &Path, deck: &Deck, size: f64) {
    let mut simulation = Simulation::new(comm, deck).unwrap();
    let file = File::create(comm, path).unwrap();
    for (i, name) in ["k", "s"].into_iter().enumerate() {
        file.write_array(&format!("/parameters/{name}"), &[3], &PARAMETERS.map(|row| row[i])).unwrap();
    }
    let space = simulation.stages[0].space().clone();
    let plan = space.canonical();
    file.create_dataset::<f64>("/fields/temperature", &[3, plan.total()]).unwrap();
    for (sample, parameters) in PARAMETERS.iter().enumerate() {
        simulation.solve(&Context::steady(parameters.to_vec())).unwrap();
        let mut values = simulation.stages[0].solution().read().unwrap().to_vec();
        for (node, value) in values.iter_mut().enumerate().take(space.owned_nodes) {
            let [x, y, _] = space.point(node);
            *value += size * (5.0 * x + 3.0 * y * y + sample as f64).sin();
        }
        let range = plan.range();
        let slab = Slab { start: vec![sample as u64, range.start], count: vec![1, range.end - range.start] };
        file.write("/fields/temperature", &slab, &plan.to_canonical(&values[..space.owned_nodes], 1)).unwrap();
    }
    file.close().unwrap();
}

fn options(level: ConstraintLevel) -> ConstrainOptions {
    ConstrainOptions { run: quiet(), level: Some(level), ..ConstrainOptions::default() }
}

fn rows(path: &Path, name: &str, width: usize) -> Vec<Vec<f64>> {
    let (_, values) = Reader::open(path).unwrap().array::<f64>(name).unwrap_or_else(|e| panic!("{name}: {e}"));
    values.chunks_exact(width).map(<[f64]>::to_vec).collect()
}

fn errors_are_bounded_or_estimated(comm: &Comm) {
    for (law, kind) in [("", "bound"), (" + 0.5*temperature", "estimate")] {
        for level in [ConstraintLevel::None, ConstraintLevel::Conservation, ConstraintLevel::Exact] {
            with_folder(comm, |folder| {
                let deck = deck_in(&folder.join("out"), &PLATE.replace("LAW", law), &[]);
                let input = folder.join("predictions.h5");
                write(comm, &input, &deck, 0.05);
                let options = ConstrainOptions { truth: true, estimate: true, ..options(level) };
                constrain::run(comm, &deck, &input, &options).unwrap_or_else(|e| panic!("{e}"));
                comm.barrier();
                let out = folder.join("out/constrain.h5");
                assert_eq!(Reader::open(&out).unwrap().text("/estimate/heat", "kind").unwrap(), kind);
                let [dual, estimates, truth] = [("/dual/heat", 2), ("/estimate/heat", 4), ("/truth/temperature", 6)]
                    .map(|(name, width)| rows(&out, name, width));
                for ((dual, estimate), (truth, [k, _])) in dual.iter().zip(&estimates).zip(truth.iter().zip(PARAMETERS)) {
                    let what = format!("{kind} {level:?} k = {k}: {dual:?} {estimate:?} {truth:?}");
                    assert!(dual[0] > 1e-3, "{what}");
                    if level == ConstraintLevel::Exact {
                        assert!(dual[1] < 1e-8 * dual[0], "{what}");
                        continue;
                    }
                    if kind == "bound" {
                        // All coefficients are multiples of k, and the default is 2: the energy of the bound is known.
                        let effectivity = estimate[1] / truth[4];
                        if level != ConstraintLevel::None {
                            assert!((effectivity - 1.0).abs() < 1e-6, "{what}");
                        }
                        assert!((dual[1] - truth[4] * (k / 2.0).sqrt()).abs() < 1e-6 * dual[1] || level == ConstraintLevel::None, "{what}");
                    } else if level != ConstraintLevel::None {
                        let effectivity = estimate[2] / truth[1];
                        assert!((0.95..1.05).contains(&effectivity), "{what}");
                        assert!((estimate[3] - estimate[2] / truth[2]).abs() < 0.05 * estimate[3], "{what}");
                    }
                }
            });
        }
    }
}

fn least_squares_follow_the_deck(comm: &Comm) {
    let text = PLATE.replace("LAW", " + 0.1*temperature");
    let moved = |keys: &str| {
        let mut found = Vec::new();
        with_folder(comm, |folder| {
            let deck = deck_in(&folder.join("out"), &format!("{text}[constraint.least_squares]\n{keys}\n"), &[]);
            let input = folder.join("predictions.h5");
            write(comm, &input, &deck, 0.05);
            constrain::run(comm, &deck, &input, &options(ConstraintLevel::Residual)).unwrap_or_else(|e| panic!("{e}"));
            comm.barrier();
            found = rows(&folder.join("out/constrain.h5"), "/repair/heat", 14).iter().map(|row| row[7]).collect();
        });
        found
    };
    // With scales of 10 the rows are a hundredth, so a ridge of a hundredth gives the same.
    let (plain, scaled) = (moved("ridge = 5.0"), moved("ridge = 0.05\nscales = [10.0]"));
    assert!(plain.iter().zip(&scaled).all(|(a, b)| (a - b).abs() < 1e-6 * a && *a > 1e-5), "{plain:?} {scaled:?}");
    let held = moved("ridge = 1e14");
    assert!(held.iter().all(|v| *v < 1e-9), "{held:?}");
    let draws = [1, 2, 1].map(|seed| moved(&format!("ridge = 5.0\nfraction = 0.6\nseed = {seed}")));
    assert!(draws[0] != draws[1] && draws[0] == draws[2] && draws[0] != plain, "{draws:?}");
    with_folder(comm, |folder| {
        let deck = deck_in(&folder.join("out"), &format!("{text}[constraint.least_squares]\nscales = [1.0, 2.0]\n"), &[]);
        let input = folder.join("predictions.h5");
        write(comm, &input, &deck, 0.05);
        let error = constrain::run(comm, &deck, &input, &options(ConstraintLevel::Residual)).unwrap_err();
        let text = error.to_string();
        assert!(error.exit_code() == 2 && text.contains("least_squares.scales") && text.contains("expected 1 scales"), "{text}");
    });
    for keys in ["ridge = -1.0", "fraction = 0.0", "fraction = 1.5", "seeds = 1"] {
        let text = format!("{text}[constraint.least_squares]\n{keys}\n");
        let error = Deck::parse(&text, "test.toml", &[]).unwrap_err().to_string();
        assert!(error.contains("constraint.least_squares"), "{error}");
    }
}

/// `predict` and `constrain --basis` of the same prediction give the same field.
fn modes_of_a_model_are_functions(comm: &Comm) {
    with_folder(comm, |folder| {
        let text = PLATE.replace("LAW", "*(1 + 0.2*sin(s*y))");
        let deck = deck_in(folder, &text, &[]);
        campaign::run(comm, &deck, &quiet()).unwrap();
        train::run(comm, &deck, &[], &quiet()).unwrap();
        let model = folder.join("model.h5");
        let predict = |name: &str, level: ConstraintLevel| {
            let options = PredictOptions {
                run: quiet(),
                points: Points::One(vec!["k=1.3".into(), "s=5.5".into()]),
                modes: Some(2),
                constraint: Some(level),
                output: Some(folder.join(name)),
                ..PredictOptions::default()
            };
            predict::run(comm, &model, &options).unwrap();
            comm.barrier();
            folder.join(name).join("predict.h5")
        };
        let plain = predict("plain", ConstraintLevel::None);
        let coupled = predict("coupled", ConstraintLevel::Coupled);
        let least = predict("least", ConstraintLevel::Residual);
        let mesh = format!("file = \"{}\"", model.display());
        let text = text.replace("box = { cell = \"triangle\", cells = [9, 8] }", &mesh);
        for (level, predicted) in [(ConstraintLevel::Coupled, &coupled), (ConstraintLevel::Residual, &least)] {
            let again = |name: &str, basis: bool| {
                let deck = deck_in(&folder.join(name), &text, &["campaign.group_ranks=\"all\""]);
                let basis = basis.then(|| model.clone());
                let options = ConstrainOptions { modes: basis.is_some().then_some(2), basis, ..options(level) };
                constrain::run(comm, &deck, &plain, &options).unwrap_or_else(|e| panic!("{e}"));
                comm.barrier();
                folder.join(name).join("constrain.h5")
            };
            let field = |path: &Path| rows(path, "/fields/temperature", 1).concat();
            let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
            let (one, other) = (field(predicted), field(&again("again", true)));
            let constants = field(&again("constants", false));
            assert!(apart(&one, &other) < 1e-10, "{level:?}: {:.1e}", apart(&one, &other));
            assert!(apart(&one, &constants) > 1e-6 && apart(&one, &field(&plain)) > 1e-6, "{level:?}");
        }
    });
}
