//! Adaptive designs: weak greedy sampling inside a campaign, on one to four ranks.

use crate::common::decks::{deck_in, quiet};
use crate::common::{Suite, with_folder};
use mpi::topology::SimpleCommunicator;
use std::path::Path;
use tessera::campaign::{Adaptive, Design, Selection, campaign_samples, design_samples};
use tessera::deck::Deck;
use tessera::drivers::shared::RunOptions;
use tessera::drivers::{campaign, output, train};
use tessera::parallel::Comm;
use tessera::physics::Context;
use tessera::rom::theta::Inputs;
use tessera::rom::{Offline, ReducedModel, Training, energy_error};
use tessera::simulation::Simulation;
use tessera::storage::{DatasetFile, File, Status};

/// Flow through four blocks of which three have permeabilities over four orders of magnitude.
const DECK: &str = r#"
[mesh]
box = { cell = "triangle", cells = [12, 12] }
[parameters]
a = { default = 0.0, range = [-2.0, 2.0] }
b = { default = 0.0, range = [-2.0, 2.0] }
c = { default = 0.0, range = [-2.0, 2.0] }
[[physics]]
name = "darcy"
model = "diffusion"
field = "pressure"
conductivity = "if(x < 0.5, if(y < 0.5, 1, 10^a), if(y < 0.5, 10^b, 10^c))"
source = 1.0
[[physics.boundary]]
marker = "top"
value = 0.0
[[quantity]]
name = "peak"
kind = "maximum"
[campaign]
design = "adaptive"
samples = 14
seed = 5
adaptive = { initial = 3, candidates = 300 }
[rom]
modes = 100
tolerance = 0.0
algorithm = "tsqr"
[solver]
method = "direct"
"#;

fn deck(folder: &Path, overrides: &[&str]) -> Deck {
    deck_in(folder, DECK, overrides)
}

fn dataset<T>(comm: &Comm, folder: &Path, read: impl FnOnce(&DatasetFile) -> T) -> T {
    let file = DatasetFile::open(comm, &folder.join("dataset.h5"), false).unwrap();
    let result = read(&file);
    file.close().unwrap();
    result
}

/// Worst relative error and worst estimate of the stored model over a set that no training has seen.
fn worst(comm: &Comm, deck: &Deck) -> (f64, f64) {
    let mut simulation = Simulation::new(comm, deck).unwrap();
    let file = File::open(comm, &deck.output.directory.join("model.h5")).unwrap();
    let model = ReducedModel::read(&file, &simulation).unwrap();
    file.close().unwrap();
    let (mut error, mut estimate) = (0.0f64, 0.0f64);
    for parameters in design_samples(deck, &Design::LatinHypercube { samples: 40, seed: 77 }).unwrap() {
        let context = Context::steady(parameters);
        simulation.solve(&context).unwrap();
        let problem = simulation.stages[0].problem.clone();
        let solution = &model.solve(&[&*problem as &dyn Inputs], &context, 1000).unwrap()[0];
        let exact = simulation.stages[0].solution().read().unwrap().to_vec();
        let (e, size) = energy_error(&problem, &context, &exact, &model.field(0, solution)).unwrap();
        assert!(e <= solution.estimate * (1.0 + 1e-6) + 1e-9 * size, "no bound: {e} {}", solution.estimate);
        error = error.max(e / size);
        estimate = estimate.max(solution.estimate / size);
    }
    (error, estimate)
}

fn beats_a_fixed_design(comm: &Comm) {
    with_folder(comm, |folder| {
        let adaptive = deck(&folder.join("adaptive"), &[]);
        campaign::run(comm, &adaptive, &quiet()).unwrap();
        let history = dataset(comm, &adaptive.output.directory, |file| {
            assert_eq!(file.done().unwrap().len(), 14);
            file.file().read_array::<f64>("/adaptive/estimate").unwrap().1
        });
        assert!(history[..3].iter().all(|e| e.is_nan()) && history[3..].iter().all(|e| *e > 0.0));
        assert!(history[14] < 0.1 * history[3], "{history:?}");
        let text = DECK.replace("\"adaptive\"", "\"sobol\"").replace("adaptive = {", "# {");
        let sobol = deck_in(&folder.join("sobol"), &text, &[]);
        campaign::run(comm, &sobol, &quiet()).unwrap();
        train::run(comm, &sobol, &[], &quiet()).unwrap();
        let ((a, b), (c, d)) = (worst(comm, &adaptive), worst(comm, &sobol));
        if comm.rank() == 0 {
            println!(
                "worst error and estimate with 14 samples: adaptive {a:.2e} {b:.2e}, Sobol {c:.2e} {d:.2e}"
            );
        }
        assert!(a <= c && b <= d, "adaptive {a} {b}, Sobol {c} {d}");
    });
}

fn stops_at_the_tolerance(comm: &Comm) {
    with_folder(comm, |folder| {
        let tolerance = 0.3;
        let set = ["campaign.samples=40", &format!("campaign.adaptive.tolerance={tolerance}")];
        let deck = deck(folder, &set);
        campaign::run(comm, &deck, &quiet()).unwrap();
        let done = dataset(comm, folder, |file| {
            let status = file.status().unwrap();
            let done = status.iter().filter(|&&s| s == Status::Done).count();
            assert!((4..40).contains(&done), "{done}");
            assert!(status[..done].iter().all(|&s| s == Status::Done));
            assert!(status[done..].iter().all(|&s| s == Status::Spare));
            let (_, history) = file.file().read_array::<f64>("/adaptive/estimate").unwrap();
            assert!(
                history[done] <= tolerance && history[3..done].iter().all(|&e| e > tolerance),
                "{history:?}"
            );
            assert!(history[done + 1..].iter().all(|e| e.is_nan()));
            done
        });
        // What the candidates promise holds elsewhere, nearly.
        assert!(worst(comm, &deck).1 < 2.0 * tolerance);
        // There is nothing to go on with.
        campaign::run(comm, &deck, &quiet()).unwrap();
        dataset(comm, folder, |file| assert_eq!(file.done().unwrap().len(), done));
    });
}

/// A campaign that stops twice makes the choices of one that does not, and of one on a single rank.
fn goes_on_with_the_same_choices(comm: &Comm) {
    with_folder(comm, |folder| {
        let whole = deck(&folder.join("whole"), &["campaign.samples=9"]);
        campaign::run(comm, &whole, &quiet()).unwrap();
        let parts = deck(&folder.join("parts"), &["campaign.samples=9"]);
        for stop in [2, 3] {
            let selection = Selection::new(&parts, &campaign_samples(comm, &parts).unwrap(), None).unwrap();
            let mut simulation = Simulation::new(comm, &parts).unwrap();
            let training = Training {
                reference: parts.default_parameters(),
                training: design_samples(&parts, &Design::Sobol { samples: 24, seed: 0 }).unwrap(),
                test: Vec::new(),
            };
            let offline = Offline::new(&simulation, &training).unwrap();
            let provenance = output::provenance(&simulation, &[]);
            let path = parts.output.directory.join("dataset.h5");
            let mut adaptive =
                Adaptive::open(&mut simulation, &offline, &path, &provenance, &selection).unwrap();
            let mut solved = 0;
            adaptive
                .run(|_, sample| {
                    solved += usize::from(sample.is_some());
                    Ok(solved < stop)
                })
                .unwrap();
            assert_eq!(solved, stop);
            adaptive.close().unwrap();
        }
        campaign::run(comm, &parts, &quiet()).unwrap();
        let alone = Comm::new(SimpleCommunicator::self_comm());
        let mine = deck(&folder.join(format!("alone-{}", comm.rank())), &["campaign.samples=9"]);
        campaign::run(&alone, &mine, &quiet()).unwrap();
        let read = |file: &DatasetFile| (file.samples().unwrap(), file.quantity("peak").unwrap());
        let (expected, peaks) = dataset(comm, &whole.output.directory, read);
        assert!(expected.values.iter().all(|v| v.is_finite()));
        for (samples, others) in
            [dataset(comm, &parts.output.directory, read), dataset(&alone, &mine.output.directory, read)]
        {
            assert_eq!(samples, expected);
            assert!(peaks.iter().zip(&others).all(|(a, b)| (a - b).abs() <= 1e-9 * a.abs()));
        }
    });
}

fn cannot_be_divided(comm: &Comm) {
    with_folder(comm, |folder| {
        let options = RunOptions { part: Some("1/2".parse().unwrap()), ..quiet() };
        let error = campaign::run(comm, &deck(folder, &[]), &options).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
    });
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
            ("beats_a_fixed_design", beats_a_fixed_design),
            ("stops_at_the_tolerance", stops_at_the_tolerance),
            ("goes_on_with_the_same_choices", goes_on_with_the_same_choices),
            ("cannot_be_divided", cannot_be_divided),
        ],
}];
