//! Functions that experts learn from the equations of the steps of runs in time.
use crate::common::decks::quiet;
use crate::common::{Suite, with_folder};
use tessera::campaign::Groups;
use tessera::deck::{ConstraintLevel, Deck};
use tessera::drivers::predict::{Points, PredictOptions};
use tessera::drivers::{learn, predict};
use tessera::learning::{LearnedBasis, RunError, StepLoss, Training, read_state, run_errors, trained_steps};
use tessera::parallel::Comm;
use tessera::simulation::Simulation;
use tessera::storage::{File, Provenance};

pub const SUITES: &[Suite] = &[
    Suite {
        ranks: &[1, 2, 3, 4],
        tests: &[
            ("gradients_are_those_of_differences", gradients_are_those_of_differences),
            ("groups_and_interruptions_change_nothing", groups_and_interruptions_change_nothing),
            ("balances_hold_with_functions_that_all_but_depend", balances_hold_with_functions_that_all_but_depend),
        ],
    },
    Suite {
        ranks: &[1, 2],
        tests: &[
            ("residuals_fall_while_balances_hold", residuals_fall_while_balances_hold),
            ("the_commands_learn_go_on_and_predict", the_commands_learn_go_on_and_predict),
        ],
    },
];

fn deck(mesh: &str, physics: &str, time: &str, network: &str) -> Deck {
    let text = format!(
        "[mesh]\nbox = {{ {mesh} }}\n[partition]\nexperts = 4\noverlap = 2\n[parameters]\n\
         a = {{ default = 1.0, range = [0.5, 3.0] }}\nu_0 = {{ default = 0.1, range = [0.0, 0.2] }}\n\
         [solver]\nmethod = \"direct\"\ntolerance = 1e-13\n[time]\n{time}\n[output]\nframes = 5\n\
         [experts.network]\n{network}\n[[physics]]\n{physics}"
    );
    Deck::parse(&text, "test.toml", &[]).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

const SORPTION: &str = "model = \"diffusion_sorption\"\ndiffusivity = 5e-4\nporosity = 0.29\ndensity = 2880.0\n\
    partition = 3.5e-4\nexponent = 0.874\n[[physics.boundary]]\nmarker = \"left\"\nvalue = 1.0\n\
    [[physics.boundary]]\nmarker = \"right\"\ncoefficient = 1.0\nambient = 0.0\n[[initial]]\nvalue = \"u_0\"\n";
const HEAT: &str = "model = \"diffusion\"\nfield = \"T\"\nconductivity = \"1 + a*0.3*T\"\ncapacity = \"a\"\nsource = \"5*x\"\n\
    [[physics.boundary]]\nmarker = \"left\"\nvalue = \"1 + t\"\n[[initial]]\nvalue = \"u_0*(1 + x)\"\n";
const BURGERS: &str = "model = \"burgers\"\nviscosity = \"0.1*a\"\n[[physics.boundary]]\nmarker = [\"left\", \"right\"]\n\
    value = 0.0\n[[initial]]\nvalue = \"(1 + u_0)*sin(pi*x)\"\n";
const FLOW: &str = "model = \"navier_stokes\"\ndensity = 1.0\nviscosity = \"0.1*a\"\n[[physics.boundary]]\nmarker = \"left\"\n\
    value = [\"4*y*(1 - y)\", 0]\n[[physics.boundary]]\nmarker = [\"top\", \"bottom\"]\nvalue = [0, 0]\n";
const LINE: &str = "cell = \"interval\", cells = [32]";

/// Weights against differences, along directions; balances hold at every step.
fn gradients_are_those_of_differences(comm: &Comm) {
    for (mesh, physics, scheme) in [
        (LINE, SORPTION, "bdf2"),
        (LINE, SORPTION, "sdirk2"),
        ("cell = \"quadrilateral\", cells = [7, 6]", HEAT, "crank_nicolson"),
        (LINE, BURGERS, "sdirk3"),
        ("cell = \"quadrilateral\", cells = [5, 4]", FLOW, "bdf1"),
    ] {
        // Small systems on many ranks wait for messages.
        if comm.size() > 2 && (physics, scheme) != (SORPTION, "sdirk2") && physics != HEAT {
            continue;
        }
        let time = match physics {
            SORPTION => format!("end = 100.0\nstep = 5.0\nscheme = \"{scheme}\""),
            _ => format!("end = 0.3\nstep = 0.05\nscheme = \"{scheme}\""),
        };
        let deck = deck(mesh, physics, &time, "widths = [6]\nfeatures = 5\nfunctions = 2\ntime = { growth = 1.6 }");
        let simulation = Simulation::new(comm, &deck).unwrap();
        let section = deck.validate_network().unwrap();
        let mut basis = LearnedBasis::new(&simulation, section).unwrap();
        let ends = trained_steps(deck.time.as_ref().unwrap(), &section.time);
        assert!(ends.len() >= 4);
        let mut loss = StepLoss::new(simulation, ends).unwrap();
        let weights = basis.weights().to_vec();
        let parameters = [1.3, 0.06];
        let what = format!("{scheme} {physics}");
        let mut run = loss.field(&basis, &parameters).unwrap_or_else(|e| panic!("{what}: {e}"));
        // Relative to what flows and changes: in short steps little beside what is stored, whose round-off counts.
        assert!(run.worst < 1e-11, "{what}: {:e}", run.worst);
        assert!(run.loss > 0.0 && run.loss < 10.0, "{what}: {:e}", run.loss);
        let mut gradient = loss.gradient(&basis, &mut run).unwrap();
        comm.sum_into(&mut gradient);
        let size = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        assert!(size > 1e-3 * run.loss, "{what}: {size:e} of {:e}", run.loss);
        for seed in 0..if comm.size() > 2 { 1 } else { 3 } {
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
            assert!((slope - exact).abs() < 1e-6 * size, "{what}: {slope:e} {exact:e}, of {size:e}");
        }
    }
}

/// Smooth functions on a quarter of the body, of which some are left out as they depend on the others: not the constants.
fn balances_hold_with_functions_that_all_but_depend(comm: &Comm) {
    let deck = deck(
        "cell = \"interval\", cells = [128]",
        SORPTION,
        "end = 2.0\nstep = 0.5",
        "functions = 8\nfeatures = 8\nwidths = [16]",
    );
    let simulation = Simulation::new(comm, &deck).unwrap();
    let basis = LearnedBasis::new(&simulation, deck.validate_network().unwrap()).unwrap();
    let mut loss = StepLoss::new(simulation, vec![0.5, 1.0, 2.0]).unwrap();
    for u_0 in [0.003, 0.0548, 0.19] {
        let run = loss.field(&basis, &[1.0, u_0]).unwrap();
        assert!(run.worst < 1e-10, "{u_0}: {:e}", run.worst);
    }
}

/// Sorption on 64 cells, trained on 32.
fn clay(network: &str) -> Deck {
    deck(
        "cell = \"interval\", cells = [64]",
        SORPTION,
        "end = 500.0\nstep = 0.1\ntolerance = 1e-4",
        &format!("{network}\ntime = {{ first = 8.0, growth = 1.4, end = 400.0, cells = [32] }}"),
    )
}

fn bits(numbers: &[f64]) -> Vec<u64> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

fn groups_and_interruptions_change_nothing(comm: &Comm) {
    let deck = clay("steps = 6\nsamples = 5\ntests = 2\nwidths = [6]\nfeatures = 5");
    let section = deck.validate_network().unwrap();
    // Every rank for itself.
    let alone = Groups::new(&comm.split(comm.rank()), 1);
    let simulation = Simulation::new(&alone.comm, &deck).unwrap();
    let mut whole = Training::new(&alone, &simulation, section).unwrap();
    let first = whole.look().unwrap();
    let losses: Vec<f64> = (0..6).map(|_| whole.step().unwrap()[0]).collect();

    // As many groups as ranks: the same bits. Interrupted in the middle.
    let groups = Groups::new(comm, comm.size());
    let simulation = Simulation::new(&groups.comm, &deck).unwrap();
    let mut begun = Training::new(&groups, &simulation, section).unwrap();
    assert_eq!(begun.look().unwrap(), first);
    for _ in 0..3 {
        begun.step().unwrap();
    }
    let mut resumed = Training::new(&groups, &simulation, section).unwrap();
    with_folder(comm, |folder| {
        let path = folder.join("network.h5");
        let provenance = Provenance { deck: deck.to_toml(), ..Provenance::default() };
        begun.state().write(comm, &path, &deck, &provenance).unwrap();
        resumed.restore(read_state(comm, &path, &deck).unwrap()).unwrap();
    });
    for loss in &losses[3..] {
        assert_eq!(resumed.step().unwrap()[0].to_bits(), loss.to_bits());
    }
    assert_eq!(bits(resumed.basis().weights()), bits(whole.basis().weights()));
    assert_eq!(resumed.state(), whole.state());
}

/// Sorption with functions that are good before training already; heat with a few that all experts together, one, must share.
fn residuals_fall_while_balances_hold(comm: &Comm) {
    let mut heat = deck(
        LINE,
        HEAT,
        "end = 1.0\nstep = 0.05\ntolerance = 1e-4",
        "steps = 80\nsamples = 4\ntests = 3\nfunctions = 2\nwidths = [16]\nfeatures = 12",
    );
    heat.partition.experts = Some(1);
    let clay = clay("steps = 30\nsamples = 4\ntests = 3\nfunctions = 3\nwidths = [16]\nfeatures = 12");
    for (name, deck, fall, worst) in [("heat", heat, 0.25, 3e-2), ("clay", clay, 0.9, 2e-2)] {
        let section = deck.validate_network().unwrap();
        let groups = Groups::new(comm, comm.size());
        let mut simulation = Simulation::new(&groups.comm, &deck).unwrap();
        let mut training = Training::new(&groups, &simulation, section).unwrap();
        let before = training.look().unwrap();
        let errors_before = run_errors(&groups, &mut training, &mut simulation).unwrap();
        for _ in 0..section.steps {
            training.step().unwrap();
            assert!(training.worst_imbalance() < 1e-12, "{name}: {:e}", training.worst_imbalance());
        }
        let after = training.look().unwrap();
        let errors = run_errors(&groups, &mut training, &mut simulation).unwrap();
        let largest =
            |rows: &[RunError], of: fn(&RunError) -> f64| rows.iter().map(of).filter(|e| e.is_finite()).fold(0.0, f64::max);
        let [all_before, all] = [&errors_before, &errors].map(|rows| largest(rows, |row| row.all));
        if comm.rank() == 0 {
            println!("    {name}: {:.1e} -> {:.1e}, error {all_before:.1e} -> {all:.1e}", before.mean, after.mean);
        }
        assert!(after.mean < fall * before.mean, "{name}: from {before:?} to {after:?}");
        // In space and time the steps themselves count as well.
        assert!(all < worst && all < 1.1 * all_before, "{name}: {errors_before:?} {errors:?}");
        if name == "clay" {
            // Frames at 500 s, which no step of the training has reached.
            assert!(largest(&errors, |row| row.beyond) < worst, "{errors:?}");
        } else {
            assert!(errors.iter().all(|row| row.beyond.is_nan()), "{errors:?}");
        }
    }
}

fn the_commands_learn_go_on_and_predict(comm: &Comm) {
    with_folder(comm, |folder| {
        let of = |network: &str| {
            let mut deck = clay(network);
            deck.output.directory = folder.into();
            deck
        };
        let network = "steps = 4\nsamples = 2\ntests = 2\nevery = 2\nwidths = [6]\nfeatures = 5";
        let deck = of(network);
        learn::run(comm, &deck, &quiet()).unwrap();
        let path = folder.join("network.h5");
        let state = read_state(comm, &path, &deck).unwrap();
        assert_eq!(state.looks.iter().map(|look| look.step).collect::<Vec<_>>(), [0, 2, 4]);
        learn::run(comm, &deck, &quiet()).unwrap();
        assert_eq!(read_state(comm, &path, &deck).unwrap(), state);
        let mut other = deck.clone();
        other.experts.network.as_mut().unwrap().time.growth = 1.5;
        let error = learn::run(comm, &other, &quiet()).unwrap_err().to_string();
        assert!(error.contains("experts.network.time.growth: 1.5, but"), "{error}");

        let mut options = PredictOptions {
            run: quiet(),
            points: Points::One(vec!["u_0=0.07".into()]),
            truth: true,
            output: Some(folder.into()),
            ..PredictOptions::default()
        };
        predict::run(comm, &path, &options).unwrap();
        let file = File::open(comm, &folder.join("predict.h5")).unwrap();
        assert_eq!(file.fields(), ["concentration"]);
        let (shape, values) = file.read_array::<f64>("/fields/concentration").unwrap();
        assert_eq!(shape, [6, 65, 1]);
        assert_eq!(file.read_array::<f64>("/time").unwrap().1, [0.0, 100.0, 200.0, 300.0, 400.0, 500.0]);
        // The initial state with the value that is prescribed, and later something that has flown in.
        let first: f64 = values[..65].iter().sum();
        assert!((first - (1.0 + 64.0 * 0.07)).abs() < 1e-12, "{first}");
        assert!(values[5 * 65..].iter().sum::<f64>() > 1.5 * first);
        let errors = file.read_array::<f64>("/truth/concentration").unwrap().1;
        assert!(errors.len() == 3 && errors.iter().all(|error| *error > 1e-9 && *error < 0.5), "{errors:?}");
        file.close().unwrap();
        options.constraint = Some(ConstraintLevel::Exact);
        let error = predict::run(comm, &path, &options).unwrap_err().to_string();
        assert!(error.contains("--constraint"), "{error}");
        options.constraint = None;
        options.points = Points::LatinHypercube { samples: 2, seed: 1 };
        let error = predict::run(comm, &path, &options).unwrap_err().to_string();
        assert!(error.contains("one at a time, found 2"), "{error}");
    });
}
