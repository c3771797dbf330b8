//! Functions that experts learn from the equations alone.
use crate::common::decks::quiet;
use crate::common::{Suite, with_folder};
use std::path::Path;
use tessera::Error;
use tessera::campaign::Groups;
use tessera::deck::{ConstraintLevel, Deck};
use tessera::drivers::predict::{Points, PredictOptions};
use tessera::drivers::{learn, predict};
use tessera::learning::{LearnedBasis, ResidualLoss, Training, errors, read_state};
use tessera::parallel::Comm;
use tessera::simulation::Simulation;
use tessera::storage::{File, Provenance};

pub const SUITES: &[Suite] = &[
    Suite {
        ranks: &[1, 2, 3],
        tests: &[
            ("gradients_are_those_of_differences", gradients_are_those_of_differences),
            ("groups_and_interruptions_change_nothing", groups_and_interruptions_change_nothing),
        ],
    },
    Suite {
        ranks: &[1, 2],
        tests: &[
            ("residuals_fall_and_unseen_fields_are_found", residuals_fall_and_unseen_fields_are_found),
            ("the_commands_learn_go_on_and_predict", the_commands_learn_go_on_and_predict),
        ],
    },
];

fn deck(cell: &str, cells: &[usize], physics: &str, network: &str) -> Deck {
    let text = format!(
        "[mesh]\nbox = {{ cell = \"{cell}\", cells = {cells:?} }}\n[partition]\nexperts = 4\noverlap = 2\n[parameters]\n\
         a = {{ default = 1.0, range = [0.5, 3.0] }}\nc = {{ default = 0.5, range = [0.3, 0.7] }}\nb = 2.0\n\
         [solver]\ntolerance = 1e-13\n[experts.network]\n{network}\n[[physics]]\n{physics}"
    );
    Deck::parse(&text, "test.toml", &[]).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// Conductivity that grows with the temperature, a source that moves.
const HEAT: &str = "model = \"diffusion\"\nfield = \"T\"\nconductivity = \"1 + a*0.3*T\"\nsource = \"5*b*exp(-20*(x - c)^2)\"\n\
     [[physics.boundary]]\nmarker = \"left\"\nvalue = \"0.2*a\"\n\
     [[physics.boundary]]\nmarker = \"right\"\ncoefficient = 2.0\nambient = 1.0\n";
const ADVECTION: &str = "model = \"advection_diffusion\"\nvelocity = [\"4*a\", 1.0]\ndiffusivity = 1.0\nsource = \"b*x\"\n\
     [[physics.boundary]]\nmarker = \"left\"\nvalue = \"1 + c*y\"\n";
const BEAM: &str = "model = \"elasticity\"\nyoung = \"10 + a*x\"\npoisson = 0.3\n\
     [[physics.boundary]]\nmarker = \"left\"\nvalue = [0, 0]\n\
     [[physics.boundary]]\nmarker = \"right\"\ntraction = [0, \"c\"]\n";
const FLOW: &str = "model = \"navier_stokes\"\ndensity = 1.0\nviscosity = \"a\"\n\
     [[physics.boundary]]\nmarker = \"left\"\nvalue = [\"4*b*c*y*(1 - y)\", 0]\n\
     [[physics.boundary]]\nmarker = [\"top\", \"bottom\"]\nvalue = [0, 0]\n";

fn gradients_are_those_of_differences(comm: &Comm) {
    for (cell, cells, physics) in [
        ("interval", vec![32], HEAT),
        ("quadrilateral", vec![9, 7], HEAT),
        ("triangle", vec![8, 6], ADVECTION),
        ("quadrilateral", vec![8, 6], BEAM),
        ("quadrilateral", vec![6, 5], FLOW),
    ] {
        let deck = deck(cell, &cells, physics, "widths = [6]\nfeatures = 5\nfunctions = 2");
        let simulation = Simulation::new(comm, &deck).unwrap();
        let section = deck.validate_network().unwrap();
        let mut basis = LearnedBasis::new(&simulation, section).unwrap();
        let mut loss = ResidualLoss::new(&simulation).unwrap();
        let weights = basis.weights().to_vec();
        let parameters = [1.3, 0.6, 2.0];
        let field = loss.field(&basis, &parameters).unwrap();
        let mut gradient = loss.gradient(&basis, &field).unwrap();
        comm.sum_into(&mut gradient);
        let size = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        assert!(size > 1e-3 * field.loss, "{physics}: {size:e} of {:e}", field.loss);
        for seed in 0..3 {
            let direction: Vec<f64> =
                (0..weights.len()).map(|i| (0.7 * i as f64 + f64::from(seed)).sin()).collect();
            let mut at = |h: f64| {
                let moved: Vec<f64> = weights.iter().zip(&direction).map(|(w, d)| w + h * d).collect();
                basis.set_weights(&moved).unwrap();
                loss.field(&basis, &parameters).unwrap().loss
            };
            let h = 1e-4;
            let exact = (8.0 * (at(h) - at(-h)) - at(2.0 * h) + at(-2.0 * h)) / (12.0 * h);
            let slope: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
            assert!((slope - exact).abs() < 1e-6 * size, "{cell} {physics}: {slope:e} {exact:e}, of {size:e}");
        }
    }
}

/// Everything in a rod.
fn rod(network: &str) -> Deck {
    deck("interval", &[32], HEAT, network)
}

fn bits(numbers: &[f64]) -> Vec<u64> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

fn groups_and_interruptions_change_nothing(comm: &Comm) {
    let deck = rod("steps = 12\nsamples = 5\ntests = 4\nwidths = [8]\nfeatures = 6");
    let section = deck.validate_network().unwrap();
    // Every rank for itself.
    let alone = Groups::new(&comm.split(comm.rank()), 1);
    let simulation = Simulation::new(&alone.comm, &deck).unwrap();
    let mut whole = Training::new(&alone, &simulation, section).unwrap();
    let first = whole.look().unwrap();
    let losses: Vec<f64> = (0..12).map(|_| whole.step().unwrap()[0]).collect();
    let last = whole.look().unwrap();

    // As many groups as ranks: the same bits. Interrupted in the middle.
    let groups = Groups::new(comm, comm.size());
    let simulation = Simulation::new(&groups.comm, &deck).unwrap();
    let mut begun = Training::new(&groups, &simulation, section).unwrap();
    assert_eq!(begun.look().unwrap(), first);
    for _ in 0..5 {
        begun.step().unwrap();
    }
    let mut resumed = Training::new(&groups, &simulation, section).unwrap();
    with_folder(comm, |folder| {
        let path = folder.join("network.h5");
        let provenance = Provenance { deck: deck.to_toml(), ..Provenance::default() };
        begun.state().write(comm, &path, &deck, &provenance).unwrap();
        let state = read_state(comm, &path, &deck).unwrap();
        assert_eq!(state, begun.state());
        resumed.restore(state).unwrap();
    });
    for loss in &losses[5..] {
        assert_eq!(resumed.step().unwrap()[0].to_bits(), loss.to_bits());
    }
    assert_eq!(resumed.look().unwrap(), last);
    assert_eq!(bits(resumed.basis().weights()), bits(whole.basis().weights()));
    assert_eq!(resumed.state(), whole.state());

    // All ranks on each sample: sums over ranks have other last bits, and four experts on three ranks other shapes.
    if comm.size() == 3 {
        return;
    }
    let groups = Groups::new(comm, 1);
    let simulation = Simulation::new(&groups.comm, &deck).unwrap();
    let mut together = Training::new(&groups, &simulation, section).unwrap();
    for loss in &losses[..4] {
        let found = together.step().unwrap()[0];
        assert!((found - loss).abs() < 1e-6 * loss, "{found:e} {loss:e}");
    }
}

fn residuals_fall_and_unseen_fields_are_found(comm: &Comm) {
    for (cell, cells, network, fall, worst) in [
        ("interval", vec![32], "steps = 300\nsamples = 4\nfunctions = 1", 2e-2, 3e-2),
        ("quadrilateral", vec![12, 10], "steps = 200\nsamples = 4\nfunctions = 3", 1e-3, 5e-3),
    ] {
        let text = deck(cell, &cells, HEAT, network);
        let section = text.validate_network().unwrap();
        let groups = Groups::new(comm, comm.size());
        let mut simulation = Simulation::new(&groups.comm, &text).unwrap();
        let mut training = Training::new(&groups, &simulation, section).unwrap();
        let before = training.look().unwrap();
        let errors_before = errors(&groups, &mut training, &mut simulation).unwrap();
        for _ in 0..section.steps {
            training.step().unwrap();
        }
        let after = training.look().unwrap();
        let errors = errors(&groups, &mut training, &mut simulation).unwrap();
        let largest = |rows: &[[f64; 2]]| rows.iter().map(|row| row[1]).fold(0.0, f64::max);
        if comm.rank() == 0 {
            println!(
                "    {cell}: {:.1e} -> {:.1e}, error {:.1e} -> {:.1e}",
                before.mean, after.mean, largest(&errors_before), largest(&errors)
            );
        }
        assert!(after.mean < fall * before.mean, "{cell}: from {before:?} to {after:?}");
        assert!(largest(&errors) < worst && largest(&errors) < 0.3 * largest(&errors_before), "{errors:?}");
        // The residual is about the error in the energy norm.
        for [residual, error] in errors {
            assert!(error < 2.0 * residual && residual < 100.0 * error, "{residual:e} {error:e}");
        }
    }
}

fn the_commands_learn_go_on_and_predict(comm: &Comm) {
    with_folder(comm, |folder| commands(comm, folder));
}

fn commands(comm: &Comm, folder: &Path) {
    let network = "steps = 6\nsamples = 3\ntests = 2\nevery = 4\nwidths = [8]\nfeatures = 6";
    let at = |mut deck: Deck| {
        deck.output.directory = folder.into();
        deck
    };
    let deck = at(rod(network));
    learn::run(comm, &deck, &quiet()).unwrap();
    let path = folder.join("network.h5");
    let state = read_state(comm, &path, &deck).unwrap();
    assert_eq!(state.history.len(), 6);
    assert_eq!(state.looks.iter().map(|look| look.step).collect::<Vec<_>>(), [0, 4, 6]);
    // Nothing is left to do.
    learn::run(comm, &deck, &quiet()).unwrap();
    assert_eq!(read_state(comm, &path, &deck).unwrap(), state);
    // Another network, other physics.
    for (other, words) in [
        (at(rod(&network.replace("features = 6", "features = 7"))), "experts.network.features: 7, but"),
        (at(self::deck("interval", &[32], &HEAT.replace("ambient = 1.0", "ambient = 2.0"), network)), "ambient: 2.0, but"),
    ] {
        let error = learn::run(comm, &other, &quiet()).unwrap_err();
        assert!(matches!(error, Error::Input(_)) && error.to_string().contains(words), "{error}");
    }

    let mut options = PredictOptions {
        run: quiet(),
        points: Points::LatinHypercube { samples: 3, seed: 5 },
        fields: true,
        truth: true,
        output: Some(folder.into()),
        ..PredictOptions::default()
    };
    let truth = |options: &PredictOptions| {
        predict::run(comm, &path, options).unwrap();
        let file = File::open(comm, &folder.join("predict.h5")).unwrap();
        assert_eq!(file.shape("/fields/T").unwrap(), [3, 33, 1]);
        let errors = file.read_array::<f64>("/truth/T").unwrap().1;
        file.close().unwrap();
        errors.into_iter().fold(0.0, f64::max)
    };
    let learned = truth(&options);
    assert!(learned > 1e-8 && learned < 0.5, "{learned:e}");
    options.constraint = Some(ConstraintLevel::Exact);
    let exact = truth(&options);
    assert!(exact < 1e-9, "{exact:e}");
    options.modes = Some(1);
    let error = predict::run(comm, &path, &options).unwrap_err().to_string();
    assert!(error.contains("--modes"), "{error}");
}
