//! First guesses, summed operators and kept preconditioners give the samples that solves from nothing give, on one to
//! four ranks.

use crate::common::decks::deck;
use crate::common::{Suite, with_folder};
use std::path::Path;
use tessera::campaign::{Campaign, Selection, campaign_samples};
use tessera::deck::Deck;
use tessera::drivers::output;
use tessera::parallel::Comm;
use tessera::reuse::Effort;
use tessera::simulation::Simulation;
use tessera::storage::{DatasetFile, Status};

/// A warm, loaded plate: both stiffnesses are affine in the parameters, the prescribed values depend on them.
const PLATE: &str = r#"
[mesh]
box = { cell = "triangle", cells = [12, 8] }
[parameters]
k = { default = 2.0, range = [1.0, 4.0] }
h = 3.0
warm = { default = 1.0, range = [0.5, 2.0] }
stiff = { default = 3.0, range = [2.0, 8.0] }
[[physics]]
name = "heat"
model = "diffusion"
field = "temperature"
conductivity = "1 + k*x"
source = "warm*y"
[[physics.boundary]]
marker = "left"
value = "warm*(1 + y)"
[[physics.boundary]]
marker = "right"
coefficient = "h"
ambient = 3.0
[[physics]]
name = "stress"
model = "elasticity"
young = "stiff + y"
poisson = 0.3
expansion = 0.01
temperature = { physics = "heat" }
[[physics.boundary]]
marker = "left"
value = [0.0, "0.01*warm*y"]
[[quantity]]
name = "mean"
kind = "average"
field = "temperature"
[campaign]
design = "sobol"
samples = 36
seed = 3
[solver]
method = "amg"
tolerance = 1e-10
"#;

/// Settings with which nothing is remembered.
const OFF: [&str; 2] = ["campaign.guess=none", "solver.refresh=always"];

/// Fields of all samples: this rank's values by field and sample; with how far each sample is.
type Fields = (Vec<Status>, Vec<(String, Vec<Vec<f64>>)>);

/// Runs a campaign until `stop` samples are through.
fn run(comm: &Comm, deck: &Deck, path: &Path, stop: usize) -> Vec<Effort> {
    let samples = campaign_samples(comm, deck).unwrap();
    let selection = Selection::new(deck, &samples, None).unwrap();
    let mut simulation = Simulation::new(comm, deck).unwrap();
    let provenance = output::provenance(&simulation, &[]);
    let mut campaign = Campaign::open(&mut simulation, path, &provenance, &selection).unwrap();
    let mut count = 0;
    let pending = campaign.ordered().unwrap();
    campaign
        .run(&pending, |sample| {
            // A second attempt would hide that what is kept from sample to sample does not work.
            assert!(sample.failure.is_some() || sample.retried.is_none(), "{sample:?}");
            count += 1;
            count < stop
        })
        .unwrap();
    let efforts = campaign.efforts();
    campaign.close().unwrap();
    efforts
}

fn read(comm: &Comm, deck: &Deck, path: &Path) -> Fields {
    let simulation = Simulation::new(comm, deck).unwrap();
    let file = DatasetFile::open(comm, path, false).unwrap();
    let status = file.status().unwrap();
    let fields = simulation
        .stages
        .iter()
        .map(|stage| {
            let plan = stage.problem.space.canonical();
            let values = |sample| file.read_field((sample, 0), &stage.problem.field, &plan).unwrap();
            (stage.problem.field.clone(), (0..status.len()).map(values).collect())
        })
        .collect();
    file.close().unwrap();
    (status, fields)
}

/// Largest relative difference of a sample's field in the largest norm, over samples that are done.
fn difference(comm: &Comm, a: &Fields, b: &Fields) -> f64 {
    assert_eq!(a.0, b.0);
    let mut worst = 0.0f64;
    for ((name, a_values), (_, b_values)) in a.1.iter().zip(&b.1) {
        for sample in (0..a.0.len()).filter(|&i| a.0[i] == Status::Done) {
            let (x, y) = (&a_values[sample], &b_values[sample]);
            let size = comm.max(x.iter().fold(0.0f64, |m, v| m.max(v.abs())));
            let error = comm.max(x.iter().zip(y).fold(0.0f64, |m, (x, y)| m.max((x - y).abs())));
            assert!(size > 0.0 && error.is_finite(), "{name} of sample {sample}");
            worst = worst.max(error / size);
        }
    }
    worst
}

/// Solves a deck's campaign with these settings and compares it with everything off.
fn compare(comm: &Comm, text: &str, settings: &[&[&str]], check: impl Fn(&[&str], &[Effort])) {
    with_folder(comm, |folder| {
        let off = deck(text, &OFF);
        let path = folder.join("off.h5");
        let efforts = run(comm, &off, &path, usize::MAX);
        assert!(efforts.iter().all(|effort| effort.accepted == 0));
        let expected = read(comm, &off, &path);
        for (number, settings) in settings.iter().enumerate() {
            let deck = deck(text, settings);
            let path = folder.join(format!("{number}.h5"));
            let efforts = run(comm, &deck, &path, usize::MAX);
            let error = difference(comm, &expected, &read(comm, &deck, &path));
            assert!(error < 1e-7, "{settings:?}: {error:e}");
            check(settings, &efforts);
        }
    });
}

fn every_choice_gives_the_same_fields(comm: &Comm) {
    let settings: [&[&str]; 8] = [
        &[],
        &["campaign.guess=last"],
        &["campaign.guess=nearest", "solver.refresh=always"],
        &["campaign.basis=9"],
        &["solver.refresh=4"],
        &["solver.method=direct"],
        &["solver.method=direct", "campaign.guess=nearest", "solver.refresh=5"],
        &["solver.method=schwarz", "solver.refresh=1000"],
    ];
    compare(comm, PLATE, &settings, |settings, efforts| {
        let [heat, stress] = efforts else { panic!("two problems") };
        assert!(efforts.iter().all(|effort| effort.accepted + effort.solved == 36));
        if settings.is_empty() || settings == ["solver.method=direct"] {
            // 1 + k x at two points, and h on one side; stiff + y and a constant.
            assert_eq!((heat.operator.clone(), stress.operator.clone()), (Some(Ok(3)), Some(Ok(2))));
            assert!(heat.accepted >= 8, "{heat:?}");
            assert!(heat.basis <= 28 && heat.setups <= heat.solved, "{heat:?}");
        }
        if settings == ["solver.refresh=4"] {
            assert!(heat.setups <= heat.solved.div_ceil(4) + 1, "{heat:?}");
        }
        if settings == ["campaign.basis=9"] {
            assert!(efforts.iter().all(|effort| effort.basis <= 9), "{efforts:?}");
        }
        if settings == ["solver.method=schwarz", "solver.refresh=1000"] {
            // The first matrix, and again with the basis in the coarse space.
            assert_eq!((heat.setups, stress.setups), (2, 2));
        }
        if settings.len() == 3 {
            assert!(heat.setups <= 9, "an old factorisation serves five samples: {heat:?}");
        }
    });
}

/// Conductivities that no parameter spans: a random field; and a stiffness that follows a temperature.
fn without_an_expansion(comm: &Comm) {
    let random = r#"
[mesh]
box = { cell = "triangle", cells = [16, 16] }
[random.g]
kind = "matern"
smoothness = 1
range = 0.8
deviation = 0.5
seed = 7
[[physics]]
model = "diffusion"
conductivity = "exp(g)"
source = 1.0
[[physics.boundary]]
marker = ["left", "right"]
value = 0.0
[campaign]
samples = 12
[solver]
method = "amg"
tolerance = 1e-10
"#;
    let softening = PLATE
        .replace("young = \"stiff + y\"", "young = { physics = \"heat\" }")
        .replace("expansion = 0.01\n", "")
        .replace("temperature = { physics = \"heat\" }\n", "");
    for text in [random, softening.as_str()] {
        compare(comm, text, &[&[], &["solver.refresh=3"], &["campaign.guess=last"]], |settings, efforts| {
            let last = efforts.last().unwrap();
            if settings.is_empty() {
                assert!(matches!(last.operator, Some(Err(_))), "{last:?}");
            }
        });
    }
}

/// Newton's method starts from the nearest solution.
fn nonlinear_problems(comm: &Comm) {
    let text = r#"
[mesh]
box = { cell = "quadrilateral", cells = [8, 8] }
[parameters]
k = { default = 3.0, range = [1.0, 6.0] }
[[physics]]
name = "wave"
model = "helmholtz"
wave_number = "k"
[[physics.boundary]]
marker = "left"
value = [1.0, 0.0]
[[physics.boundary]]
marker = "right"
absorbing = "k"
[campaign]
samples = 9
[solver]
tolerance = 1e-10
"#;
    compare(comm, text, &[&[], &["campaign.guess=last"]], |_, efforts| assert_eq!(efforts[0].solved, 9));
}

fn failed_samples_leave_nothing_behind(comm: &Comm) {
    let text = PLATE.replace("source = \"warm*y\"", "source = \"warm*y + sqrt(k - 2)\"");
    compare(comm, &text, &[&[]], |_, efforts| {
        // A third of the range of k fails; the stress of such a sample is not reached.
        assert!(efforts[0].accepted + efforts[0].solved < 32 && efforts[0].accepted > 0, "{efforts:?}");
        assert_eq!(efforts[0].accepted + efforts[0].solved, efforts[1].accepted + efforts[1].solved);
    });
}

/// A campaign that goes on takes up the samples of its dataset.
fn resumed_campaign_remembers(comm: &Comm) {
    with_folder(comm, |folder| {
        let deck = deck(PLATE, &[]);
        let (whole, parts) = (folder.join("whole.h5"), folder.join("parts.h5"));
        let all = run(comm, &deck, &whole, usize::MAX);
        let first = run(comm, &deck, &parts, 24);
        let rest = run(comm, &deck, &parts, usize::MAX);
        let [expected, found] = [&whole, &parts].map(|path| read(comm, &deck, path));
        let error = difference(comm, &expected, &found);
        assert!(error < 1e-7, "{error:e}");
        for i in 0..2 {
            assert_eq!(rest[i].accepted + rest[i].solved, 12);
            // The restart costs no more than the one solve that a fresh preconditioner needs, and a few near misses.
            assert!(first[i].solved + rest[i].solved <= all[i].solved + 4, "{all:?} {first:?} {rest:?}");
        }
    });
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
            ("every_choice_gives_the_same_fields", every_choice_gives_the_same_fields),
            ("problems_without_an_affine_expansion", without_an_expansion),
            ("nonlinear_problems", nonlinear_problems),
            ("failed_samples_leave_nothing_behind", failed_samples_leave_nothing_behind),
            ("resumed_campaign_remembers", resumed_campaign_remembers),
        ],
}];
