//! Campaigns of problems in time: every sample is what a run of its parameters gives, on one to four ranks.

use crate::common::decks::{deck_in, quiet};
use crate::common::{Suite, with_folder};
use tessera::campaign::{Campaign, Selection, campaign_samples};
use tessera::deck::Deck;
use tessera::drivers::grid::{self, GridOptions};
use tessera::drivers::{campaign, output, run};
use tessera::fem::grid::Placement;
use tessera::parallel::Comm;
use tessera::report::Level;
use tessera::simulation::Simulation;
use tessera::storage::{Reader, Status};

/// Heat whose source is no number for the smallest parameter, with a random start, and what it stretches.
const DECK: &str = "title = \"Heat in time\"\n[mesh]\nbox = { cell = \"triangle\", cells = [6, 6] }\n\
    [parameters]\nk = { default = 1, range = [0, 2] }\n[random.g]\nkind = \"matern\"\nrange = 0.5\n\
    [[physics]]\nname = \"heat\"\nmodel = \"diffusion\"\nfield = \"u\"\nconductivity = \"0.1 + k\"\nsource = \"sqrt(k - 0.5)\"\n\
    boundary = [{ marker = \"left\", value = \"t\" }]\n\
    [[physics]]\nname = \"other\"\nmodel = \"diffusion\"\nfield = \"v\"\nsource = { physics = \"heat\" }\n\
    boundary = [{ marker = \"right\", value = 0 }]\n\
    [[initial]]\nfield = \"u\"\nvalue = \"1 + x + 0.3*g\"\n[[initial]]\nfield = \"v\"\nvalue = \"k\"\n\
    [time]\nend = 0.4\nstep = 0.05\n[output]\nframes = 4\nxdmf = false\n\
    [[quantity]]\nname = \"mean\"\nkind = \"average\"\nfield = \"u\"\n[solver]\nmethod = \"direct\"\n\
    [campaign]\ndesign = \"list\"\ntable = [[0.2], [1.0], [1.7]]\n";

fn deck(overrides: &[&str], folder: &std::path::Path) -> Deck {
    deck_in(folder, DECK, overrides)
}

fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < tolerance, "{a} {b}");
    }
}

/// Sample 1 of a campaign is a run with its parameter; its random field is draw number 1, so that one has no random field.
fn samples_are_runs(comm: &Comm) {
    with_folder(comm, |folder| {
        let still = ["random.g.deviation=1e-12"];
        campaign::run(comm, &deck(&still, folder), &quiet()).unwrap();
        comm.barrier();
        let dataset = Reader::open(&folder.join("dataset.h5")).unwrap();
        assert_eq!(dataset.array::<u8>("/status").unwrap().1, [2, 1, 1]);
        close(&dataset.array::<f64>("/time").unwrap().1, &[0.0, 0.1, 0.2, 0.3, 0.4], 1e-14);
        let (shape, means): (_, Vec<f64>) = dataset.array("/qoi/mean").unwrap();
        assert_eq!(shape, [3, 5]);
        for (sample, k) in [(1, "1.0"), (2, "1.7")] {
            let name = format!("output.file=run-{sample}.h5");
            let mut run_deck = deck(&[still[0], &format!("parameters.k={k}"), &name], folder);
            run_deck.output.directory = folder.into();
            run::run(comm, &run_deck, &quiet()).unwrap();
            comm.barrier();
            let run = Reader::open(&folder.join(format!("run-{sample}.h5"))).unwrap();
            close(&means[sample * 5..][..5], &run.array::<f64>("/qoi/mean").unwrap().1, 1e-9);
            for field in ["u", "v"] {
                let path = format!("/fields/{field}");
                let (shape, values): (_, Vec<f64>) = dataset.array(&path).unwrap();
                let (of_run, expected): (_, Vec<f64>) = run.array(&path).unwrap();
                assert_eq!(shape, [&[3], &of_run[..]].concat());
                let each = expected.len();
                close(&values[sample * each..][..each], &expected, 1e-9);
            }
        }
        comm.barrier();
    });
}

/// A draw for every sample, as the initial value says; stopped and gone on with, and the last frame alone.
fn random_fields_and_resuming(comm: &Comm) {
    with_folder(comm, |folder| {
        let deck = deck(&["campaign.frames=\"last\"", "campaign.file=\"last.h5\""], folder);
        let whole = self::deck(&[], folder);
        campaign::run(comm, &whole, &quiet()).unwrap();
        let all = campaign_samples(comm, &deck).unwrap();
        let selection = Selection::new(&deck, &all, None).unwrap();
        let path = folder.join("last.h5");
        for _ in 0..3 {
            let mut simulation = Simulation::new(comm, &deck).unwrap();
            let provenance = output::provenance(&simulation, &[]);
            let mut campaign = Campaign::open(&mut simulation, &path, &provenance, &selection).unwrap();
            // One sample, then a new start.
            let pending = campaign.pending().unwrap();
            campaign.run(&pending, |_| false).unwrap();
            campaign.close().unwrap();
        }
        comm.barrier();
        let [all, last] = ["dataset.h5", "last.h5"].map(|name| Reader::open(&folder.join(name)).unwrap());
        assert_eq!(
            Status::of_codes(&last.array::<u8>("/status").unwrap().1),
            [Status::Failed, Status::Done, Status::Done]
        );
        let (shape, g): (_, Vec<f64>) = all.array("/inputs/g").unwrap();
        let n = shape[1] as usize;
        let (_, u): (_, Vec<f64>) = all.array("/fields/u").unwrap();
        let (_, points): (_, Vec<f64>) = all.array("/mesh/geometry").unwrap();
        let (shape, end): (_, Vec<f64>) = last.array("/fields/u").unwrap();
        assert_eq!(shape, [3, 1, n as u64, 1]);
        close(&last.array::<f64>("/time").unwrap().1, &[0.4], 1e-14);
        for sample in 1..3 {
            close(&end[sample * n..][..n], &u[(5 * sample + 4) * n..][..n], 1e-9);
            for v in (0..n).filter(|v| points[2 * v] > 1e-9) {
                let start = 1.0 + points[2 * v] + 0.3 * g[sample * n + v];
                assert!((u[5 * sample * n + v] - start).abs() < 1e-12);
            }
        }
        assert!((g[n] - g[2 * n]).abs() > 1e-3);
        comm.barrier();
        let simulation = &mut Simulation::new(comm, &deck).unwrap();
        let provenance = output::provenance(simulation, &[]);
        let error =
            Campaign::open(simulation, &folder.join("dataset.h5"), &provenance, &selection).err().unwrap();
        assert!(error.to_string().contains("other frames"), "{error}");
    });
}

/// On a grid: an axis of steps, and the random start among the inputs.
fn on_a_grid(comm: &Comm) {
    with_folder(comm, |folder| {
        campaign::run(comm, &deck(&[], folder), &quiet()).unwrap();
        let options = GridOptions {
            counts: "7x7".parse().unwrap(),
            placement: Placement::Ends,
            fields: vec!["u".into()],
            fill: 0.0,
            single: false,
            output: None,
            level: Level::Quiet,
        };
        grid::run(comm, &folder.join("dataset.h5"), &options).unwrap();
        comm.barrier();
        let file = Reader::open(&folder.join("dataset.grid.h5")).unwrap();
        let (shape, u): (_, Vec<f64>) = file.array("/outputs/u").unwrap();
        assert_eq!(shape, [3, 5, 7, 7, 1]);
        assert_eq!(file.members("/inputs"), ["g", "initial_u"]);
        let (_, initial): (_, Vec<f64>) = file.array("/inputs/initial_u").unwrap();
        assert_eq!(file.shape("/qoi/mean").unwrap(), [3, 5]);
        assert_eq!(file.shape("/time").unwrap(), [5]);
        for sample in 1..3 {
            // The boundary value, 0 at the start, wins on the left.
            close(&u[5 * sample * 49 + 7..][..42], &initial[sample * 49 + 7..][..42], 1e-12);
            close(&u[5 * sample * 49..][..7], &[0.0; 7], 1e-12);
        }
        comm.barrier();
    });
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
            ("samples_are_runs", samples_are_runs),
            ("random_fields_and_resuming", random_fields_and_resuming),
            ("on_a_grid", on_a_grid),
        ],
}];
