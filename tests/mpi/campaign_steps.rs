//! Campaigns that keep every accepted step: each sample has times of its own, and its steps are those of a run.
use crate::common::decks::{deck, deck_in, quiet};
use crate::common::{Suite, with_folder};
use std::path::Path;
use tessera::campaign::{Campaign, Selection, campaign_samples, times};
use tessera::deck::Deck;
use tessera::drivers::grid::{self, GridOptions};
use tessera::drivers::shared::RunOptions;
use tessera::drivers::{campaign, info, output, run};
use tessera::fem::grid::Placement;
use tessera::parallel::Comm;
use tessera::report::Level;
use tessera::simulation::Simulation;
use tessera::storage::{DatasetFile, Moments, Reader};

/// A front that is the steeper the smaller the viscosity, so samples take numbers of steps of their own.
const DECK: &str = "title = \"Front\"\n[mesh]\nbox = { cell = \"interval\", cells = [40] }\n\
    [parameters]\nnu = { default = 0.02, range = [0.01, 0.1] }\n\
    [[physics]]\nmodel = \"burgers\"\nfield = \"u\"\nviscosity = \"nu\"\n\
    boundary = [{ marker = [\"left\", \"right\"], value = 0 }]\n\
    [[initial]]\nvalue = \"sin(2*pi*x)\"\n\
    [time]\nend = 0.3\nstep = 0.01\ntolerance = 1e-3\n[output]\nframes = 3\nxdmf = false\n\
    [[quantity]]\nname = \"fastest\"\nkind = \"maximum\"\n[solver]\nmethod = \"direct\"\n\
    [campaign]\ndesign = \"list\"\ntable = [[0.01], [0.03], [0.1]]\nframes = \"steps\"\nsteps = 60\n";

fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < tolerance, "{a} {b}");
    }
}

/// Times, fields and quantities of a sample.
fn sample(file: &Reader, sample: usize) -> [Vec<f64>; 3] {
    let steps = file.array::<u64>("/steps").unwrap().1[sample] as usize;
    let part = |path: &str| {
        let (shape, values) = file.array::<f64>(path).unwrap();
        let each: usize = shape[1..].iter().product::<u64>() as usize;
        let width: usize = shape[2..].iter().product::<u64>() as usize;
        values[sample * each..][..steps * width].to_vec()
    };
    [part("/time"), part("/fields/u"), part("/qoi/fastest")]
}

/// Every step of a run of each sample's parameter, with its time; and nothing behind the last.
fn samples_are_runs(comm: &Comm) {
    with_folder(comm, |folder| {
        campaign::run(comm, &deck_in(folder, DECK, &[]), &quiet()).unwrap();
        comm.barrier();
        let dataset = Reader::open(&folder.join("dataset.h5")).unwrap();
        let (shape, times) = dataset.array::<f64>("/time").unwrap();
        assert_eq!((shape, dataset.shape("/fields/u").unwrap()), (vec![3, 61], vec![3, 61, 41, 1]));
        let steps = dataset.array::<u64>("/steps").unwrap().1;
        assert!(steps[0] != steps[1], "{steps:?}");
        for (number, nu) in ["0.01", "0.03", "0.1"].iter().enumerate() {
            let name = format!("output.file=run-{number}.h5");
            let one = deck_in(folder, DECK, &[&format!("parameters.nu={nu}"), &name]);
            run::run(comm, &one, &quiet()).unwrap();
            comm.barrier();
            let run = Reader::open(&folder.join(format!("run-{number}.h5"))).unwrap();
            let [found, fields, fastest] = sample(&dataset, number);
            let (shape, log) = run.array::<f64>("/log/steps").unwrap();
            let expected: Vec<f64> = log.chunks(shape[1] as usize).map(|row| row[0]).collect();
            close(&found[..1], &[0.0], 1e-14);
            close(&found[1..], &expected, 1e-10);
            // Where a frame stands in the run.
            let (_, frames) = run.array::<f64>("/fields/u").unwrap();
            for (frame, time) in run.array::<f64>("/time").unwrap().1.iter().enumerate() {
                let step = found.iter().position(|t| (t - time).abs() < 1e-10).unwrap();
                close(&fields[step * 41..][..41], &frames[frame * 41..][..41], 1e-8);
            }
            let largest = |u: &[f64]| u.iter().copied().fold(f64::MIN, f64::max);
            close(&fastest, &fields.chunks(41).map(largest).collect::<Vec<_>>(), 1e-12);
            assert!(times[number * 61..][found.len()..61].iter().all(|t| t.is_nan()));
        }
        let file = DatasetFile::open(comm, &folder.join("dataset.h5"), false).unwrap();
        assert_eq!(file.moments().unwrap(), Some(Moments::Steps(61)));
        assert_eq!(file.times(1).unwrap(), sample(&dataset, 1)[0]);
        let last: Vec<f64> = (0..3).map(|number| *sample(&dataset, number)[2].last().unwrap()).collect();
        assert_eq!(file.quantity("fastest").unwrap(), last);
        file.close().unwrap();
        assert!(!info::describe(&dataset, false).unwrap().contains("/steps"));
        comm.barrier();
    });
}

/// Steps of one length have room by themselves; single precision; and a problem whose steps end where loads jump.
fn steps_of_one_length(comm: &Comm) {
    with_folder(comm, |folder| {
        let text = DECK.replace("tolerance = 1e-3\n", "stops = [0.125]\n").replace("steps = 60\n", "");
        campaign::run(comm, &deck_in(folder, &text, &[]), &quiet()).unwrap();
        let single = deck_in(folder, &text, &["campaign.single=true", "campaign.file=single.h5"]);
        campaign::run(comm, &single, &quiet()).unwrap();
        comm.barrier();
        let [double, single] =
            ["dataset.h5", "single.h5"].map(|name| Reader::open(&folder.join(name)).unwrap());
        // Thirty, and one more that a stop at 0.125 s makes, and another at the frame at 0.2 s.
        let steps = double.array::<u64>("/steps").unwrap().1;
        assert_eq!((steps, double.shape("/time").unwrap()[1]), (vec![32; 3], 32));
        for number in 0..3 {
            let [[times, u, _], [same, v, _]] = [&double, &single].map(|file| sample(file, number));
            assert!(times.iter().any(|t| (t - 0.125).abs() < 1e-12) && times == same);
            // Rounded, of a run whose parallel sums may have been added in another order.
            let largest = u.iter().fold(0f64, |largest, u| largest.max(u.abs()));
            for (u, v) in u.iter().zip(&v) {
                assert!((u - v).abs() <= 6e-8 * u.abs() + 1e-10 * largest, "{u:e} in single precision {v:e}");
                assert_eq!(f64::from(*v as f32), *v);
            }
        }
        let file = DatasetFile::open(comm, &folder.join("single.h5"), false).unwrap();
        assert!(file.is_single().unwrap());
        file.close().unwrap();
    });
}

/// Steps that grow, and begin anew at a stop: the same times for all samples, known beforehand.
fn growing_steps(comm: &Comm) {
    with_folder(comm, |folder| {
        let text = DECK.replace("tolerance = 1e-3\n", "growth = 2\nlongest = 0.05\nstops = [0.125]\n");
        let deck = deck_in(folder, &text.replace("steps = 60\n", ""), &[]);
        campaign::run(comm, &deck, &quiet()).unwrap();
        comm.barrier();
        // Two equal steps lead to the frames at 0.1 and 0.2 s; from the stop on lengths are 0.01, 0.02, ... again.
        let expected = [0.0, 0.01, 0.03, 0.065, 0.1, 0.125, 0.135, 0.155, 0.1775, 0.2, 0.25, 0.3];
        close(&times(&deck), &expected, 1e-12);
        let dataset = Reader::open(&folder.join("dataset.h5")).unwrap();
        assert_eq!(dataset.array::<f64>("/time").unwrap(), (vec![3, 12], times(&deck).repeat(3)));
        assert_eq!(dataset.array::<u64>("/steps").unwrap().1, [12; 3]);
    });
}

fn in_groups(comm: &Comm, folder: &Path, file: &str, overrides: &[&str], part: Option<&str>) -> String {
    let file = format!("campaign.file={file}");
    let deck = deck_in(folder, DECK, &[&[&file[..], "campaign.group_ranks=1"], overrides].concat());
    let options = RunOptions { part: part.map(|part| part.parse().unwrap()), ..quiet() };
    campaign::run(comm, &deck, &options).map_or_else(|error| error.to_string(), |()| String::new())
}

/// Stopped after each sample, in groups, in parts, and with more samples of the same design.
fn stopped_divided_and_grown(comm: &Comm) {
    with_folder(comm, |folder| {
        let whole = deck_in(folder, DECK, &[]);
        campaign::run(comm, &whole, &quiet()).unwrap();
        let stopped = deck_in(folder, DECK, &["campaign.file=stopped.h5"]);
        let all = campaign_samples(comm, &stopped).unwrap();
        let selection = Selection::new(&stopped, &all, None).unwrap();
        let path = folder.join("stopped.h5");
        let provenance = |simulation: &Simulation| output::provenance(simulation, &[]);
        for _ in 0..3 {
            let mut simulation = Simulation::new(comm, &stopped).unwrap();
            let about = provenance(&simulation);
            let mut campaign = Campaign::open(&mut simulation, &path, &about, &selection).unwrap();
            let pending = campaign.pending().unwrap();
            campaign.run(&pending, |_| false).unwrap();
            campaign.close().unwrap();
        }
        assert_eq!(in_groups(comm, folder, "groups.h5", &[], None), "");
        for part in ["1/2", "2/2"] {
            assert_eq!(in_groups(comm, folder, "parts.h5", &[], Some(part)), "");
        }
        let design = |samples: &str, file: &str| {
            let text = DECK.replace("design = \"list\"\ntable = [[0.01], [0.03], [0.1]]", "design = \"halton\"");
            let (samples, file) = (format!("campaign.samples={samples}"), format!("campaign.file={file}"));
            campaign::run(comm, &deck_in(folder, &text, &[&samples, &file]), &quiet()).unwrap();
        };
        design("2", "grown.h5");
        design("4", "grown.h5");
        design("4", "at-once.h5");
        comm.barrier();
        let open = |name: &str| Reader::open(&folder.join(name)).unwrap();
        let same = |a: (&Reader, usize), b: (&Reader, usize)| {
            let ([t, u, q], [s, v, p]) = (sample(a.0, a.1), sample(b.0, b.1));
            close(&t, &s, 1e-10);
            close(&u, &v, 1e-8);
            close(&q, &p, 1e-8);
        };
        let dataset = open("dataset.h5");
        for number in 0..3 {
            same((&dataset, number), (&open("stopped.h5"), number));
            same((&dataset, number), (&open("groups.h5"), number));
            let part = open(&format!("parts-{}-of-2.h5", number % 2 + 1));
            same((&dataset, number), (&part, number / 2));
        }
        (0..4).for_each(|number| same((&open("grown.h5"), number), (&open("at-once.h5"), number)));
        comm.barrier();
        // Other room, frames or precision is not gone on with.
        for (change, words) in [
            ("campaign.steps=61", "room for another number of steps"),
            ("campaign.single=true", "another precision"),
        ] {
            let found = in_groups(comm, folder, "stopped.h5", &[change], None);
            assert!(found.contains(words), "{found}");
        }
    });
}

/// A sample that needs more steps than there is room for fails and says so; others do not mind.
fn too_little_room(comm: &Comm) {
    with_folder(comm, |folder| {
        let whole = deck_in(folder, DECK, &[]);
        campaign::run(comm, &whole, &quiet()).unwrap();
        comm.barrier();
        let steps = Reader::open(&folder.join("dataset.h5")).unwrap().array::<u64>("/steps").unwrap().1;
        let (least, most) = (*steps.iter().min().unwrap(), *steps.iter().max().unwrap());
        assert!(least < most);
        let room = format!("campaign.steps={}", most - 2);
        campaign::run(comm, &deck_in(folder, DECK, &[&room, "campaign.file=short.h5"]), &quiet()).unwrap();
        comm.barrier();
        let short = Reader::open(&folder.join("short.h5")).unwrap();
        let status = short.array::<u8>("/status").unwrap().1;
        for (number, &steps) in steps.iter().enumerate() {
            assert_eq!(status[number], if steps == most { 2 } else { 1 }, "{number}");
            if steps == most {
                let text = short.array::<u8>("/failure").unwrap().1[number * 240..][..240].to_vec();
                let text = String::from_utf8(text).unwrap();
                assert!(text.contains("there is room for") && text.contains("campaign.steps"), "{text}");
            }
        }
        assert!(!info::describe(&short, false).unwrap().is_empty());
        comm.barrier();
    });
}

/// On a grid: the steps that a sample has, and the fill behind them.
fn on_a_grid(comm: &Comm) {
    with_folder(comm, |folder| {
        campaign::run(comm, &deck_in(folder, DECK, &[]), &quiet()).unwrap();
        let options = GridOptions {
            counts: "41".parse().unwrap(),
            placement: Placement::Ends,
            fields: vec![],
            fill: -7.0,
            single: false,
            output: None,
            level: Level::Quiet,
        };
        grid::run(comm, &folder.join("dataset.h5"), &options).unwrap();
        comm.barrier();
        let dataset = Reader::open(&folder.join("dataset.h5")).unwrap();
        let file = Reader::open(&folder.join("dataset.grid.h5")).unwrap();
        let (shape, u) = file.array::<f64>("/outputs/u").unwrap();
        assert_eq!(shape, [3, 61, 41, 1]);
        assert_eq!(file.array::<u64>("/steps").unwrap(), dataset.array::<u64>("/steps").unwrap());
        for number in 0..3 {
            let [times, fields, _] = sample(&dataset, number);
            close(&u[number * 61 * 41..][..fields.len()], &fields, 1e-12);
            assert!(u[number * 61 * 41..][fields.len()..61 * 41].iter().all(|&v| v == -7.0));
            assert_eq!(&file.array::<f64>("/time").unwrap().1[number * 61..][..times.len()], &times);
        }
        let worst = file.get("/outputs/u", "min").unwrap().unwrap().to_string();
        assert!(!worst.contains("-7"), "{worst}");
        comm.barrier();
    });
}

fn refused(text: &str, overrides: &[&str]) -> String {
    let overrides: Vec<String> = overrides.iter().map(|text| text.to_string()).collect();
    Deck::parse(text, "deck.toml", &overrides).unwrap_err().to_string()
}

fn refusals(_: &Comm) {
    let found = refused(&DECK.replace("steps = 60\n", ""), &[]);
    assert!(found.contains("campaign.frames: with time.tolerance nobody knows"), "{found}");
    let found = refused(DECK, &["campaign.frames=\"last\""]);
    assert!(found.contains("campaign.steps: belongs to frames = \"steps\""), "{found}");
    let steady = "[mesh]\nbox = { cell = \"interval\", cells = [4] }\n[parameters]\nk = { default = 1, range = [1, 2] }\n\
        [[physics]]\nmodel = \"diffusion\"\nconductivity = \"k\"\nboundary = [{ marker = \"left\", value = 0 }]\n\
        [campaign]\nframes = \"steps\"\n";
    let found = refused(steady, &[]);
    assert!(found.contains("there is no section [time]"), "{found}");
    assert!(deck(DECK, &[]).campaign.steps == Some(60));
}

/// More room than any file has is an error, no panic.
fn room_without_end(comm: &Comm) {
    with_folder(comm, |folder| {
        let huge = deck_in(folder, DECK, &["campaign.steps=10000000", "campaign.table=[[0.01]]"]);
        let mut huge = huge;
        huge.campaign.table = Some(vec![vec![0.02]; 100]);
        let error = campaign::run(comm, &huge, &quiet()).unwrap_err().to_string();
        assert!(error.contains("there is no room for 10000001 steps of 100 samples"), "{error}");
    });
}

pub const SUITES: &[Suite] = &[
    Suite {
        ranks: &[1, 2, 3, 4],
        tests: &[
            ("samples_are_runs", samples_are_runs),
            ("steps_of_one_length", steps_of_one_length),
            ("growing_steps", growing_steps),
            ("stopped_divided_and_grown", stopped_divided_and_grown),
            ("too_little_room", too_little_room),
            ("on_a_grid", on_a_grid),
        ],
    },
    Suite { ranks: &[1, 2], tests: &[("room_without_end", room_without_end), ("refusals", refusals)] },
];
