//! Adaptive designs: weak greedy sampling inside a campaign, on one to four ranks.

use crate::common::decks::{deck_in, quiet};
use crate::common::{Suite, with_folder};
use mpi::topology::SimpleCommunicator;
use std::path::Path;
use tessera::campaign::{Adaptive, Design, Retrained, SampleReport, Selection, campaign_samples, design_samples};
use tessera::deck::Deck;
use tessera::drivers::shared::RunOptions;
use tessera::drivers::predict::{Points, PredictOptions};
use tessera::drivers::{campaign, output, predict, train};
use tessera::mixture::{Algorithm, Truncation};
use tessera::parallel::Comm;
use tessera::physics::Context;
use tessera::rom::sampled::SampledOptions;
use tessera::rom::theta::Inputs;
use tessera::rom::{Greedy, Offline, ReducedModel, Training, energy_error};
use tessera::simulation::Simulation;
use tessera::storage::{DatasetFile, File, Reader, Status};

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
            let design = design_samples(&parts, &Design::Sobol { samples: 24, seed: 0 }).unwrap();
            let training = Training::steady(parts.default_parameters(), design, Vec::new());
            let offline = Offline::new(&simulation, &training).unwrap();
            let provenance = output::provenance(&simulation, &[]);
            let path = parts.output.directory.join("dataset.h5");
            let leader = Box::new(Greedy::new(comm, &offline).unwrap());
            let mut adaptive =
                Adaptive::open(&mut simulation, leader, &path, &provenance, &selection, None).unwrap();
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

/// Waves that steepen, of two amplitudes over two orders of viscosity.
const WAVES: &str = r#"
title = "Waves"
mesh.box = { cell = "interval", cells = [80] }
time = { end = 0.6, step = 0.02 }
output = { frames = 3, xdmf = false }
rom = { modes = 40, tolerance = 1e-13, indicator_modes = 20, calibration = 4, level = 0.75 }
solver.method = "direct"
[parameters]
p = { default = -1.5, range = [-2.3, -0.3] }
a = { default = 1.0, range = [0.2, 1.2] }
[[physics]]
model = "burgers"
field = "u"
viscosity = "10^p"
boundary = [{ marker = ["left", "right"], value = 0 }]
[[initial]]
value = "a*sin(2*pi*x)"
[[quantity]]
name = "front"
kind = "point"
field = "u"
point = [0.45]
[campaign]
design = "adaptive"
frames = "steps"
samples = 16
seed = 3
adaptive = { initial = 3, candidates = 80 }
"#;

/// The largest error of `u` at unseen points, against full runs.
fn worst_in_time(comm: &Comm, folder: &Path) -> f64 {
    let output = folder.join("predicted");
    let points = Points::LatinHypercube { samples: 8, seed: 99 };
    let options = PredictOptions { run: quiet(), points, truth: true, output: Some(output.clone()), ..Default::default() };
    predict::run(comm, &folder.join("model.h5"), &options).unwrap();
    comm.barrier();
    let file = Reader::open(&output.join("predict.h5")).unwrap();
    file.array::<f64>("/truth/fields/u").unwrap().1.into_iter().fold(0.0, f64::max)
}

/// A trajectory is chosen where viscosity is small and the amplitude large, which is all that was missing; those that calibrate
/// are drawn, and solved although the others are spared.
fn chooses_trajectories(comm: &Comm) {
    with_folder(comm, |folder| {
        let tolerance = 1e-3;
        let set = [&*format!("campaign.adaptive.tolerance={tolerance}")];
        let adaptive = deck_in(&folder.join("adaptive"), WAVES, &set);
        campaign::run(comm, &adaptive, &quiet()).unwrap();
        let done = dataset(comm, &adaptive.output.directory, |file| {
            let history = file.file().read_array::<f64>("/adaptive/estimate").unwrap().1;
            let last = history.iter().rposition(|estimate| !estimate.is_nan()).unwrap();
            assert!(history[3] > 10.0 * tolerance && history[last] <= tolerance && last < 8, "{history:?}");
            let parameters = file.samples().unwrap().values;
            assert!(parameters[6] < -1.9 && parameters[7] > 0.9, "{parameters:?}");
            let status = file.status().unwrap();
            assert!(status[last..12].iter().all(|&s| s == Status::Spare), "{status:?}");
            assert!(status[..last].iter().chain(&status[12..]).all(|&s| s == Status::Done), "{status:?}");
            last as u64
        });
        let model = Reader::open(&adaptive.output.directory.join("model.h5")).unwrap();
        let held: Vec<u64> = (done..done + 4).collect();
        assert_eq!(model.array::<u64>("/calibration/samples").unwrap().1, held);
        let text = WAVES.replace("\"adaptive\"", "\"sobol\"").replace("adaptive = {", "# {");
        let text = text.replace("samples = 16", &format!("samples = {done}")).replace(", calibration = 4", "");
        let sobol = deck_in(&folder.join("sobol"), &text, &[]);
        campaign::run(comm, &sobol, &quiet()).unwrap();
        train::run(comm, &sobol, &[], &quiet()).unwrap();
        comm.barrier();
        let [own, other] = [&adaptive, &sobol].map(|deck| worst_in_time(comm, &deck.output.directory));
        if comm.rank() == 0 {
            println!("worst error with {done} trajectories: adaptive {own:.2e}, Sobol {other:.2e}");
        }
        assert!(own < other && own < 5e-6, "{own:e} {other:e}");
    });
}

/// As [`goes_on_with_the_same_choices`], in the middle of a batch, too.
fn goes_on_with_the_same_trajectories(comm: &Comm) {
    with_folder(comm, |folder| {
        let whole = deck_in(&folder.join("whole"), WAVES, &[]);
        campaign::run(comm, &whole, &quiet()).unwrap();
        let parts = deck_in(&folder.join("parts"), WAVES, &[]);
        for stop in [9, 2] {
            let selection = Selection::new(&parts, &campaign_samples(comm, &parts).unwrap(), None).unwrap();
            let mut simulation = Simulation::new(comm, &parts).unwrap();
            let truncation = Truncation { modes: parts.rom.modes, tolerance: parts.rom.tolerance };
            let algorithm = Algorithm::Snapshots;
            let options = SampledOptions { truncation, algorithm, cubature: None, indicator: 20 };
            let leader = Box::new(Retrained::new(options, 3));
            let path = parts.output.directory.join("dataset.h5");
            let provenance = output::provenance(&simulation, &[]);
            let mut adaptive =
                Adaptive::open(&mut simulation, leader, &path, &provenance, &selection, None).unwrap();
            let mut solved = 0;
            let mut observe = |_, sample: Option<&SampleReport>| {
                solved += usize::from(sample.is_some());
                Ok(solved < stop)
            };
            adaptive.run(&mut observe).unwrap();
            adaptive.close().unwrap();
        }
        campaign::run(comm, &parts, &quiet()).unwrap();
        let alone = Comm::new(SimpleCommunicator::self_comm());
        let mine = deck_in(&folder.join(format!("alone-{}", comm.rank())), WAVES, &[]);
        campaign::run(&alone, &mine, &quiet()).unwrap();
        let read = |file: &DatasetFile| file.samples().unwrap();
        let expected = dataset(comm, &whole.output.directory, read);
        assert!(expected.values.iter().all(|v| v.is_finite()));
        assert_eq!(dataset(comm, &parts.output.directory, read), expected);
        assert_eq!(dataset(&alone, &mine.output.directory, read), expected);
    });
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
            ("beats_a_fixed_design", beats_a_fixed_design),
            ("stops_at_the_tolerance", stops_at_the_tolerance),
            ("goes_on_with_the_same_choices", goes_on_with_the_same_choices),
            ("cannot_be_divided", cannot_be_divided),
            ("adaptive_chooses_trajectories", chooses_trajectories),
        ],
}, Suite {
    ranks: &[1, 2],
    tests: &[("adaptive_goes_on_with_the_same_trajectories", goes_on_with_the_same_trajectories)],
}];
