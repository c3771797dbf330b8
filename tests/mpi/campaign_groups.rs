//! Campaigns in groups of ranks: whatever the groups, the dataset is the same.

use crate::common::decks::{deck_in, quiet};
use crate::common::{Suite, with_folder};
use std::path::Path;
use tessera::campaign::{Campaign, Groups, HandOut, Selection, campaign_samples};
use tessera::deck::Deck;
use tessera::drivers::shared::RunOptions;
use tessera::drivers::{campaign, output};
use tessera::parallel::Comm;
use tessera::report::Level;
use tessera::simulation::Simulation;
use tessera::storage::{DatasetFile, Reader, Status};

/// Heat in a random material, and the stress that it makes.
const DECK: &str = r#"
[mesh]
box = { cell = "triangle", cells = [8, 6] }
[parameters]
k = { default = 2.0, range = [1.0, 5.0] }
s = { default = 4.0, range = [0.0, 9.0] }
[random.g]
kind = "matern"
range = 0.3
deviation = 0.4
[[physics]]
name = "heat"
model = "diffusion"
field = "temperature"
conductivity = "k*exp(g)"
source = "sqrt(s)"
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
name = "peak"
kind = "maximum"
field = "temperature"
[[quantity]]
name = "energy"
kind = "energy"
physics = "body"
[campaign]
samples = 13
seed = 3
[solver]
method = "direct"
tolerance = 1e-12
"#;

fn deck(folder: &Path, overrides: &[&str]) -> Deck {
    deck_in(folder, DECK, overrides)
}

fn solve(comm: &Comm, deck: &Deck) -> tessera::Result<()> {
    campaign::run(comm, deck, &quiet())
}

/// Compares what two datasets hold, sample by sample; relative to the largest number of each.
fn compare(comm: &Comm, folder: &Path, names: [&str; 2], tolerance: f64) {
    if comm.rank() == 0 {
        let [a, b] = names.map(|name| Reader::open(&folder.join(name)).unwrap());
        let paths = ["/fields/temperature", "/fields/displacement", "/inputs/g", "/qoi/peak", "/qoi/energy"];
        for path in paths.into_iter().chain(["/parameters", "/sample", "/status"]) {
            let ((shape, x), (other, y)) = (a.array::<f64>(path).unwrap(), b.array::<f64>(path).unwrap());
            assert_eq!(shape, other, "{names:?} {path}");
            let samples = shape[0] as usize;
            for (sample, (x, y)) in x.chunks(x.len() / samples).zip(y.chunks(y.len() / samples)).enumerate() {
                let scale = x.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
                let apart = x.iter().zip(y).fold(0.0, |m: f64, (x, y)| m.max((x - y).abs()));
                assert!(apart <= tolerance * scale, "{names:?} {path} of {sample}: {apart:e} of {scale:e}");
            }
        }
    }
    comm.barrier();
}

fn whatever_the_groups(comm: &Comm) {
    with_folder(comm, |folder| {
        solve(comm, &deck(folder, &["campaign.group_ranks=all", "campaign.file=all.h5"])).unwrap();
        for (i, ranks) in ["1", "2", "3", "auto"].iter().enumerate() {
            let (size, file) =
                (format!("campaign.group_ranks={ranks}"), format!("campaign.file=groups-{i}.h5"));
            solve(comm, &deck(folder, &[&size, &file])).unwrap();
            compare(comm, folder, ["all.h5", &format!("groups-{i}.h5")], 1e-9);
        }
        // The default; and parts, which are campaigns of their own.
        solve(comm, &deck(folder, &["campaign.file=default.h5"])).unwrap();
        compare(comm, folder, ["all.h5", "default.h5"], 1e-9);
        for part in ["1/2", "2/2"] {
            let part = Some(part.parse().unwrap());
            let options = RunOptions { part, ..quiet() };
            campaign::run(comm, &deck(folder, &["campaign.group_ranks=1"]), &options).unwrap();
        }
        for (k, first) in [(1, 0), (2, 1)] {
            let part = DatasetFile::open(comm, &folder.join(format!("dataset-{k}-of-2.h5")), false).unwrap();
            let all = DatasetFile::open(comm, &folder.join("all.h5"), false).unwrap();
            let (part_peaks, peaks) = (part.quantity("peak").unwrap(), all.quantity("peak").unwrap());
            let expected: Vec<f64> = peaks.into_iter().skip(first).step_by(2).collect();
            assert!(part_peaks.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1e-9 * b.abs()));
            assert_eq!(part_peaks.len(), expected.len());
            part.close().unwrap();
            all.close().unwrap();
        }
    });
}

/// Groups have consecutive ranks, at least as many as asked for, and work in every one.
fn groups_divide_the_ranks(comm: &Comm) {
    with_folder(comm, |folder| {
        let report = tessera::report::Report::new(comm, Level::Quiet);
        let choose = |ranks: usize, samples: usize| {
            let deck = deck(folder, &[&format!("campaign.group_ranks={ranks}")]);
            Groups::choose(comm, &deck, samples, |_, _| Ok(()), &report).unwrap()
        };
        for (ranks, samples) in [(1, 100), (2, 100), (3, 100), (9, 100), (1, 2), (2, 1)] {
            let groups = choose(ranks, samples);
            assert!(groups.comm.size() >= ranks.min(comm.size()));
            assert!(groups.count <= samples);
            let sizes = comm.all_gather(groups.comm.size());
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
            let indices = comm.all_gather(groups.index);
            assert!(indices.is_sorted() && indices[comm.size() - 1] == groups.count - 1, "{indices:?}");
        }
    });
}

/// Each place is handed out once, to one group; after a stop of any rank nothing more is.
fn every_sample_once(comm: &Comm) {
    let groups = Groups::new(comm, comm.size().div_ceil(2));
    let hand_out = HandOut::new(&groups, 500).unwrap();
    let mut mine = Vec::new();
    while let Some(place) = hand_out.next(false).unwrap() {
        mine.push(place as u64);
        hand_out.over(place % 50 == 0).unwrap();
    }
    comm.barrier();
    assert_eq!(hand_out.counts().unwrap(), if groups.leaders.is_some() { (500, 10) } else { (0, 0) });
    // Nobody ends before all have looked.
    comm.barrier();
    assert_eq!(groups.comm.sum(mine.len()), mine.len() * groups.comm.size());
    let mut all = comm.all_gather_varied(if groups.comm.rank() == 0 { &mine } else { &[][..] });
    all.sort_unstable();
    assert_eq!(all, (0..500).collect::<Vec<_>>());
    hand_out.end().unwrap();

    let hand_out = HandOut::new(&groups, 1_000_000).unwrap();
    let stopping = comm.rank() + 1 == comm.size();
    let mut count = 0;
    while hand_out.next(stopping && count >= 5).unwrap().is_some() {
        count += 1;
    }
    assert!(count <= 1_000_000 && (groups.index + 1 < groups.count || count == 5), "{count}");
    comm.barrier();
    assert!(hand_out.next(false).unwrap().is_none());
    hand_out.end().unwrap();
}

/// A solver that gives up is replaced for the sample, and the answer is as good.
fn failed_samples_are_tried_again(comm: &Comm) {
    with_folder(comm, |folder| {
        solve(comm, &deck(folder, &["campaign.file=direct.h5"])).unwrap();
        let hopeless = [
            "solver.method=amg",
            "solver.max_iterations=1",
            "solver.petsc=-pc_type none",
            "campaign.file=retried.h5",
        ];
        solve(comm, &deck(folder, &hopeless)).unwrap();
        compare(comm, folder, ["direct.h5", "retried.h5"], 1e-9);
        // The dataset keeps why, and only there.
        for (name, words) in [("direct.h5", ""), ("retried.h5", "ran out of iterations")] {
            let file = DatasetFile::open(comm, &folder.join(name), false).unwrap();
            for sample in 0..file.len() {
                let text = file.retried(sample).unwrap();
                assert!(text.contains(words) && text.is_empty() == words.is_empty(), "{name}: {text}");
                assert_eq!(file.failure(sample).unwrap(), "");
            }
            file.close().unwrap();
        }
        // What the report says of one.
        let deck = deck(folder, &hopeless[..3]);
        let samples = campaign_samples(comm, &deck).unwrap();
        let selection = Selection::new(&deck, &samples, None).unwrap();
        let mut simulation = Simulation::new(comm, &deck).unwrap();
        let provenance = output::provenance(&simulation, &[]);
        let path = folder.join("one.h5");
        let mut campaign = Campaign::open(&mut simulation, &path, &provenance, &selection).unwrap();
        let report = campaign.solve(4).unwrap();
        assert!(report.failure.is_none() && report.retried.unwrap().contains("1 iteration"));
        campaign.close().unwrap();
    });
}

/// Samples that no solver can solve are left out, and the dataset names them, whichever group had them.
fn failures_of_all_groups_are_named(comm: &Comm) {
    with_folder(comm, |folder| {
        // The root of a negative number.
        let deck = deck(folder, &["parameters.s.range=[-9.0, 9.0]", "campaign.group_ranks=1"]);
        solve(comm, &deck).unwrap();
        let samples = campaign_samples(comm, &deck).unwrap();
        let negative: Vec<usize> = (0..samples.len()).filter(|&i| samples[i][1] < 0.0).collect();
        assert!(negative.len() > 2);
        let file = DatasetFile::open(comm, &folder.join("dataset.h5"), false).unwrap();
        let status = file.status().unwrap();
        assert!(status.iter().enumerate().all(|(i, s)| (*s == Status::Failed) == negative.contains(&i)));
        for sample in 0..status.len() {
            assert_eq!(
                !file.failure(sample).unwrap().is_empty() && status[sample] == Status::Failed,
                negative.contains(&sample)
            );
        }
        assert!(
            file.failure(negative[0]).unwrap().contains("source"),
            "{}",
            file.failure(negative[0]).unwrap()
        );
        file.close().unwrap();
    });
}

/// A group takes up what another one has solved: next to none of its own samples are left to solve.
fn groups_learn_from_one_another(world: &Comm) {
    let text = r#"
[mesh]
box = { cell = "triangle", cells = [12, 8] }
[parameters]
k = { default = 2.0, range = [1.0, 4.0] }
warm = { default = 1.0, range = [0.5, 2.0] }
[[physics]]
model = "diffusion"
conductivity = "1 + k*x"
source = "warm*y"
boundary = [{ marker = "left", value = "warm*(1 + y)" }]
[campaign]
design = "sobol"
samples = 40
[solver]
method = "amg"
"#;
    if world.size() < 2 {
        return;
    }
    let deck = Deck::parse(text, "deck.toml", &[]).unwrap();
    let groups = Groups::new(world, 2);
    with_folder(world, |folder| {
        let selection = Selection::new(&deck, &campaign_samples(world, &deck).unwrap(), None).unwrap();
        let mut simulation = Simulation::new(&groups.comm, &deck).unwrap();
        let provenance = output::provenance(&simulation, &[]);
        let path = folder.join("dataset.h5");
        let mut solved = Vec::new();
        // One after the other: the second finds what the first has done, but was opened before.
        if groups.index == 1 {
            world.barrier();
        }
        let mut campaign = Campaign::open(&mut simulation, &path, &provenance, &selection).unwrap();
        campaign.share();
        if groups.index == 0 {
            world.barrier();
        }
        for turn in 0..2 {
            if groups.index == turn {
                for sample in (turn..40).step_by(2) {
                    let report = campaign.solve(sample).unwrap();
                    assert!(report.failure.is_none());
                }
                solved.push(campaign.efforts()[0].solved);
            }
            world.barrier();
        }
        campaign.close().unwrap();
        let all = world.all_gather_varied(if groups.comm.rank() == 0 { &solved[..1] } else { &[] });
        assert!(all[0] >= 5, "{all:?}");
        // The first sample is solved before there is a basis to extend.
        assert!(all[1] <= 3, "{all:?}");
        let dataset = DatasetFile::open(world, &path, false).unwrap();
        assert!(dataset.status().unwrap().iter().all(|&status| status == Status::Done));
        dataset.close().unwrap();
    });
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
            ("whatever_the_groups_the_dataset_is_the_same", whatever_the_groups),
            ("groups_divide_the_ranks", groups_divide_the_ranks),
            ("every_sample_is_handed_out_once", every_sample_once),
            ("failed_samples_are_tried_again", failed_samples_are_tried_again),
            ("failures_of_all_groups_are_named", failures_of_all_groups_are_named),
            ("groups_learn_from_one_another", groups_learn_from_one_another),
        ],
}];
