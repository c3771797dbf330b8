//! Statistics of predictions: quantiles, means and Sobol indices against exact ones, and the same on any number of ranks.
use crate::common::decks::{deck_in, quiet};
use crate::common::{Suite, with_folder};
use std::path::Path;
use tessera::deck::Deck;
use tessera::drivers::predict::{self, Points, PredictOptions};
use tessera::drivers::uncertainty::UncertaintyOptions;
use tessera::drivers::{campaign, train};
use tessera::parallel::Comm;
use tessera::storage::File;

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
        ("statistics_of_a_bar_are_the_exact_ones", statistics_of_a_bar_are_the_exact_ones),
        ("full_solves_correct_means", full_solves_correct_means),
        ("sampled_models_have_statistics", sampled_models_have_statistics),
        ("what_has_no_statistics_is_an_error", what_has_no_statistics_is_an_error),
    ],
}];

/// A bar whose ends are held at a and b, so that its middle has (a + b)/2, and one that gets c d on the left, of conductivity 1/2,
/// held at zero on the right: 2 c d is its value on the left.
const BAR: &str = "title = \"Bar\"\n[mesh]\nbox = { cell = \"interval\", cells = [16] }\n[parameters]\n\
    a = { default = 1, distribution = \"normal\", mean = 1, deviation = 0.5 }\n\
    b = { default = 2, distribution = \"normal\", mean = 2, deviation = 1 }\n\
    c = { default = 1, range = [0, 2] }\n\
    d = { default = 1, range = [1, 4] }\n\
    [[physics]]\nname = \"first\"\nmodel = \"diffusion\"\nfield = \"u\"\nconductivity = 2\n\
    boundary = [{ marker = \"left\", value = \"a\" }, { marker = \"right\", value = \"b\" }]\n\
    [[physics]]\nname = \"second\"\nmodel = \"diffusion\"\nfield = \"v\"\nconductivity = 0.5\n\
    boundary = [{ marker = \"left\", flux = \"c*d\" }, { marker = \"right\", value = 0 }]\n\
    [[quantity]]\nname = \"sum\"\nkind = \"point\"\nfield = \"u\"\npoint = [0.5]\n\
    [[quantity]]\nname = \"product\"\nkind = \"point\"\nfield = \"v\"\npoint = [0.0]\n\
    [output]\nxdmf = false\n[solver]\nmethod = \"direct\"\n\
    [campaign]\ndesign = \"random\"\nsamples = 12\nseed = 3\n[rom]\nmodes = 4\n";

/// One mode for a bar in a reacting medium whose solution needs more.
const COARSE: &str = "title = \"Coarse\"\n[mesh]\nbox = { cell = \"interval\", cells = [40] }\n[parameters]\n\
    m = { default = 1, range = [0.1, 100], distribution = \"log_uniform\" }\n\
    [[physics]]\nmodel = \"diffusion\"\nfield = \"u\"\nreaction = \"m\"\nsource = 1\n\
    boundary = [{ marker = \"left\", value = 0 }, { marker = \"right\", value = 0 }]\n\
    [[quantity]]\nname = \"mean\"\nkind = \"average\"\n[output]\nxdmf = false\n[solver]\nmethod = \"direct\"\n\
    [campaign]\ndesign = \"random\"\nsamples = 6\nseed = 3\n[rom]\nmodes = 1\ntolerance = 0.5\n";

fn trained(comm: &Comm, text: &str, folder: &Path) -> Deck {
    let deck = deck_in(folder, text, &[]);
    campaign::run(comm, &deck, &quiet()).unwrap();
    train::run(comm, &deck, &[], &quiet()).unwrap();
    deck
}

fn options(samples: usize, uncertainty: UncertaintyOptions) -> PredictOptions {
    let points = Points::Random { samples, seed: 11 };
    PredictOptions { run: quiet(), points, uncertainty, ..PredictOptions::default() }
}

fn table(comm: &Comm, folder: &Path, path: &str) -> Vec<f64> {
    let file = File::open(comm, &folder.join("predict.h5")).unwrap();
    let values = file.read_array(path).unwrap().1;
    file.close().unwrap();
    values
}

fn statistics_of_a_bar_are_the_exact_ones(comm: &Comm) {
    with_folder(comm, |folder| {
        trained(comm, BAR, folder);
        let uncertainty =
            UncertaintyOptions { quantiles: vec![0.025, 0.5, 0.975], sobol: true, ..Default::default() };
        predict::run(comm, &folder.join("model.h5"), &options(4000, uncertainty)).unwrap();
        let all = |path: &str| table(comm, folder, path);
        // (a + b)/2 is normal, of mean 1.5 and variance (0.25 + 1)/4.
        let deviation = 1.25f64.sqrt() / 2.0;
        let rows = all("/uncertainty/quantiles/sum");
        for (row, z) in rows.chunks_exact(4).zip([-1.959964, 0.0, 1.959964]) {
            let exact = 1.5 + z * deviation;
            assert!(row[2] <= exact && exact <= row[3] && row[3] - row[2] < 0.15, "{row:?} {exact}");
        }
        let mean = all("/uncertainty/mean/sum");
        assert!(mean[1] <= 1.5 && 1.5 <= mean[2] && mean[2] - mean[1] < 0.05, "{mean:?}");
        assert!((mean[3] / (1.25 / 4.0 / 4000.0) - 1.0).abs() < 0.1 && mean[6] == 0.0, "{mean:?}");
        // A fifth of the variance comes from a, the rest from b.
        let near = |index: &[f64], first: f64, total: f64| {
            assert!((index[0] - first).abs() < 3.0 * index[1] + 1e-12, "{index:?} {first}");
            assert!((index[2] - total).abs() < 3.0 * index[3] + 1e-12, "{index:?} {total}");
            assert!(index[1] < 0.04 && index[3] < 0.04 && index[4] < 1e-5 && index[5] < 1e-5, "{index:?}");
        };
        let sum = all("/uncertainty/sobol/sum");
        for (index, part) in sum.chunks_exact(6).zip([0.2, 0.8, 0.0, 0.0]) {
            near(index, part, part);
        }
        // 2 c d: means 1 and 2.5, variances 1/3 and 3/4; all that is left is what they make together.
        let (vc, vd, both) = (1.0 / 3.0 * 6.25, 0.75, 0.25);
        let whole: f64 = vc + vd + both;
        let product = all("/uncertainty/sobol/product");
        let known = [(0.0, 0.0), (0.0, 0.0), (vc / whole, (vc + both) / whole), (vd / whole, (vd + both) / whole)];
        for (index, (first, total)) in product.chunks_exact(6).zip(known) {
            near(index, first, total);
        }
        let mean = all("/uncertainty/mean/product");
        assert!(mean[1] <= 5.0 && 5.0 <= mean[2], "{mean:?}");
        // P(2 c d <= s) for s between 4 and 16.
        let below = |s: f64| (s / 4.0 - 1.0) / 3.0 + s / 12.0 * (16.0 / s).ln();
        let rows = all("/uncertainty/quantiles/product");
        for row in rows.chunks_exact(4).skip(1) {
            assert!(below(row[2]) <= row[0] && row[0] <= below(row[3]), "{row:?}");
            assert!((below(row[1]) - row[0]).abs() < 0.03, "{row:?}");
        }
        // The bounds are part of the brackets.
        assert!(all("/estimate/quantities/sum").iter().all(|bound| *bound >= 0.0));
        // The same on one rank.
        let alone = comm.split(comm.rank());
        let own = folder.join(format!("alone_{}", comm.rank()));
        let one = UncertaintyOptions { quantiles: vec![0.025, 0.5, 0.975], sobol: true, ..Default::default() };
        let again = PredictOptions { output: Some(own.clone()), ..options(4000, one) };
        predict::run(&alone, &folder.join("model.h5"), &again).unwrap();
        for (path, here) in [("/uncertainty/quantiles/product", &rows), ("/uncertainty/sobol/sum", &sum)] {
            let there = table(&alone, &own, path);
            assert!(here.iter().zip(&there).all(|(a, b)| (a - b).abs() < 1e-10), "{here:?} {there:?}");
        }
    });
}

fn full_solves_correct_means(comm: &Comm) {
    with_folder(comm, |folder| {
        let deck = trained(comm, COARSE, folder);
        let model = folder.join("model.h5");
        // 1/m (1 - tanh(s/2)/(s/2)) with s = sqrt(m), on average over the logarithm of m.
        let value = |m: f64| (1.0 - (m.sqrt() / 2.0).tanh() / (m.sqrt() / 2.0)) / m;
        let places = (0..10_000).map(|k| 10f64.powf(-1.0 + 3.0 * (f64::from(k) + 0.5) / 10_000.0));
        let exact = places.map(value).sum::<f64>() / 10_000.0;
        let mean = |uncertainty: UncertaintyOptions| {
            predict::run(comm, &model, &options(3000, uncertainty)).unwrap();
            table(comm, folder, "/uncertainty/mean/mean")
        };
        let holds = |mean: &[f64]| mean[1] <= exact && exact <= mean[2];
        let plain = mean(UncertaintyOptions::default());
        assert!(holds(&plain), "{plain:?} {exact}");
        let nested = mean(UncertaintyOptions { full_solves: 40, ..Default::default() });
        assert!(holds(&nested) && nested[6] == 40.0, "{nested:?} {exact}");
        // A Galerkin solution has a mean below the exact one.
        assert!(nested[4] > 2.0 * nested[5].sqrt() && nested[5] > 0.0, "{nested:?}");
        assert!((nested[0] - nested[4] - plain[0]).abs() < 1e-12 && nested[2] - nested[1] < plain[2] - plain[1]);
        // A dataset of other draws, and the one that was trained on.
        let mut other = deck.clone();
        (other.campaign.samples, other.campaign.seed) = (30, 8);
        other.campaign.file = "other.h5".into();
        campaign::run(comm, &other, &quiet()).unwrap();
        let dataset = Some(folder.join("other.h5"));
        let held_out = mean(UncertaintyOptions { dataset, ..Default::default() });
        assert!(holds(&held_out) && held_out[6] == 30.0, "{held_out:?} {exact}");
        let refused = |path: &str, words: &str| {
            let uncertainty =
                UncertaintyOptions { dataset: Some(folder.join(path)), ..Default::default() };
            let error = predict::run(comm, &model, &options(100, uncertainty)).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(words), "{error}");
        };
        refused("dataset.h5", "6 of 6 samples were trained on");
        let random = "design = \"random\"\nsamples = 6\nseed = 3";
        for (file, from, to) in [
            ("grid.h5", random, "design = \"grid\"\nlevels = { m = 4 }"),
            ("range.h5", "range = [0.1, 100]", "range = [0.1, 90]"),
        ] {
            let mut wrong = deck_in(folder, &COARSE.replace(from, to), &[]);
            wrong.campaign.file = file.into();
            campaign::run(comm, &wrong, &quiet()).unwrap();
        }
        refused("grid.h5", "are no draws");
        refused("range.h5", "\"m\" has another range");
    });
}

/// A bar of conductivity 1 + u from 0 to a: u + u^2/2 is linear, so the middle has sqrt(1 + a + a^2/2) - 1.
const NONLINEAR: &str = "title = \"Nonlinear\"\n[mesh]\nbox = { cell = \"interval\", cells = [40] }\n[parameters]\n\
    a = { default = 1, distribution = \"normal\", mean = 1, deviation = 0.2 }\n\
    [[physics]]\nmodel = \"diffusion\"\nfield = \"u\"\nconductivity = \"1 + u\"\n\
    boundary = [{ marker = \"left\", value = 0 }, { marker = \"right\", value = \"a\" }]\n\
    [[quantity]]\nname = \"middle\"\nkind = \"point\"\npoint = [0.5]\n[output]\nxdmf = false\n\
    [solver]\nmethod = \"direct\"\n[campaign]\ndesign = \"random\"\nsamples = 20\nseed = 3\n\
    [rom]\ntolerance = 1e-4\ncalibration = 9\n";

fn sampled_models_have_statistics(comm: &Comm) {
    with_folder(comm, |folder| {
        trained(comm, NONLINEAR, folder);
        let dataset = Some(folder.join("dataset.h5"));
        let uncertainty = UncertaintyOptions { sobol: true, dataset, ..Default::default() };
        predict::run(comm, &folder.join("model.h5"), &options(1000, uncertainty)).unwrap();
        let all = |path: &str| table(comm, folder, path);
        for (row, z) in all("/uncertainty/quantiles/middle").chunks_exact(4).zip([-1.644854, 0.0, 1.644854]) {
            let a: f64 = 1.0 + 0.2 * z;
            let exact = (1.0 + a + a * a / 2.0).sqrt() - 1.0;
            assert!(row[2] <= exact && exact <= row[3] && row[3] - row[2] < 0.05, "{row:?} {exact}");
        }
        // The nine samples that were held out correct the mean.
        let mean = all("/uncertainty/mean/middle");
        assert!(mean[6] == 9.0 && mean[4].abs() < 1e-3, "{mean:?}");
        let index = all("/uncertainty/sobol/middle");
        assert!((index[2] - 1.0).abs() < 0.1 && index[4] < 0.1 && index[5] < 0.1, "{index:?}");
        let solves = UncertaintyOptions { full_solves: 5, ..Default::default() };
        let error = predict::run(comm, &folder.join("model.h5"), &options(10, solves)).unwrap_err();
        assert!(error.to_string().contains("--dataset"), "{error}");
    });
}

fn what_has_no_statistics_is_an_error(comm: &Comm) {
    with_folder(comm, |folder| {
        trained(comm, COARSE, folder);
        let words = |options: &PredictOptions| {
            let error = predict::run(comm, &folder.join("model.h5"), options).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            error.to_string()
        };
        let of = |samples, uncertainty| words(&options(samples, uncertainty));
        let sobol = || UncertaintyOptions { sobol: true, ..Default::default() };
        let level = UncertaintyOptions { quantiles: vec![0.5, 95.0], ..Default::default() };
        assert!(of(100, level).contains("between 0 and 1, not at 95"));
        assert!(of(1, sobol()).contains("two draws"));
        let solves = |full_solves| UncertaintyOptions { full_solves, ..Default::default() };
        assert!(of(100, solves(101)).contains("expected 2 to 100 full solves"));
        assert!(of(100, solves(1)).contains("expected 2 to 100 full solves"));
        let table = Points::LatinHypercube { samples: 5, seed: 1 };
        assert!(words(&PredictOptions { points: table, ..options(5, sobol()) }).contains("--samples N"));
    });
}
