//! Solvers tuned by bandits: in time, over a campaign, with arms that fail, on one to four ranks.

use crate::common::decks::quiet;
use crate::common::{Suite, with_folder};
use std::path::Path;
use tessera::campaign::{Campaign, Selection, campaign_samples};
use tessera::deck::{Deck, TimeScheme};
use tessera::drivers::output;
use tessera::drivers::run::run;
use tessera::drivers::shared::RunOptions;
use tessera::parallel::Comm;
use tessera::physics::Context;
use tessera::simulation::Simulation;
use tessera::solver::TimeIntegrator;
use tessera::solver::tuning::Summary;
use tessera::storage::{DatasetFile, Reader};

/// The heat equation of Khodak, Chow, Balcan, Talwalkar (ICLR 2024, section 5 and their code): 25 x 25 points, a
/// diffusivity that changes in time by a factor of more than a hundred, implicit steps by conjugate gradients with SSOR.
/// Here 13 x 13 points, and ten times fewer steps for the same time.
const HEAT: &str = include_str!("../../benches/tuning.toml");

/// How the bandit fared over so many steps.
fn heat(comm: &Comm, overrides: &[&str], steps: usize) -> Summary {
    let list: Vec<String> = overrides.iter().map(|s| s.to_string()).collect();
    let deck = Deck::parse(HEAT, "heat", &list).unwrap_or_else(|e| panic!("{e}"));
    let mut simulation = Simulation::new(comm, &deck).unwrap();
    let context = simulation.default_context();
    simulation.set_initial(&context).unwrap();
    let stage = &mut simulation.stages[0];
    let initial = stage.solution().try_clone().unwrap();
    let Some(newton) = stage.newton() else { panic!("a problem in time") };
    let mut integrator = TimeIntegrator::new(TimeScheme::Bdf1, newton, &context, &initial).unwrap();
    for _ in 0..steps {
        let trial = integrator.attempt(newton, &context, 0.01, &mut tessera::solver::by_newton).unwrap();
        assert_eq!(trial.newton.failure, None);
        integrator.accept(newton, &trial, 0.01).unwrap();
    }
    simulation.stages[0].tuning().unwrap().summary()
}

const CONTEXT: &str = "solver.tune.context=[\"max(0.1*sin(2*pi*t), -10*sin(2*pi*t))\"]";

fn approaches_the_best_relaxation(comm: &Comm) {
    // The whole on one rank; on more, where the preconditioner is another, that it works.
    if comm.size() > 1 {
        let summary = heat(comm, &[], 20);
        assert_eq!(summary.rounds, 20);
        assert!(summary.mean >= summary.optimum.unwrap());
        return;
    }
    let plain = heat(comm, &[], 500);
    let contextual = heat(comm, &[CONTEXT], 500);
    let (best, loss) = plain.best().unwrap();
    let (optimum, default) = (plain.optimum.unwrap(), plain.arms[0].1);
    println!(
        "iterations a step: Tsallis-INF {:.2}, contextual {:.2}, best fixed {loss:.2} (arm {best}), omega = 1 {default:.2}, optimum {optimum:.2}",
        plain.mean, contextual.mean
    );
    assert!(plain.mean <= 1.1 * loss, "{} against {loss}", plain.mean);
    assert!(contextual.mean <= 1.1 * contextual.best().unwrap().1);
    assert!(contextual.mean < plain.mean);
    // What the arms cost does not depend on who chooses, nearly: solutions differ by the tolerance.
    assert!((contextual.optimum.unwrap() / optimum - 1.0).abs() < 0.02);
}

/// A run that stops and goes on from a checkpoint makes the choices of one that does not.
fn checkpoints_keep_what_was_learnt(comm: &Comm) {
    with_folder(comm, |folder| {
        let parse = |name: &str, set: &[&str]| {
            let list: Vec<String> = set.iter().map(|s| s.to_string()).collect();
            let mut deck = Deck::parse(HEAT, "heat", &list).unwrap_or_else(|e| panic!("{e}"));
            deck.output.directory = folder.join(name);
            deck.output.xdmf = false;
            deck
        };
        let set = ["solver.tune.oracle=false", "time.end=0.2", "output.frames=2", CONTEXT];
        let options = quiet();
        let whole = parse("whole", &set);
        run(comm, &whole, &options).unwrap();
        let parts = parse("parts", &[&set[..], &["checkpoint.every_steps=13"]].concat());
        run(comm, &parts, &options).unwrap();
        comm.barrier();
        if comm.rank() == 0 {
            // As if it had been stopped after the checkpoint.
            let file = folder.join("parts/run.h5");
            std::fs::rename(&file, file.with_extension("h5.partial")).unwrap();
        }
        comm.barrier();
        let again = RunOptions { restart: Some(tessera::checkpoint::Restart::Latest), ..options };
        run(comm, &parts, &again).unwrap();
        comm.barrier();
        let steps = |name: &str| {
            let reader = Reader::open(&folder.join(name).join("run.h5")).unwrap();
            let columns = reader.texts("/log/steps", "columns").unwrap();
            let place = columns.iter().position(|c| c == "linear").unwrap();
            let table: Vec<f64> = reader.array("/log/steps").unwrap().1;
            table.into_iter().skip(place).step_by(columns.len()).collect::<Vec<f64>>()
        };
        assert_eq!(steps("whole"), steps("parts"));
    });
}

const CAMPAIGN: &str = r#"
[mesh]
box = { cell = "triangle", cells = [16, 16] }
[parameters]
k = { default = 2.0, range = [0.1, 10.0] }
[[physics]]
name = "heat"
model = "diffusion"
field = "temperature"
conductivity = "1 + k*x"
source = 1.0
[[physics.boundary]]
marker = "left"
value = "0.1*k*y"
[[quantity]]
name = "mean"
kind = "average"
[campaign]
samples = 24
[solver]
method = "amg"
tolerance = 1e-10
"#;

fn campaign(comm: &Comm, deck: &Deck, path: &Path, stop: usize) -> Vec<Option<String>> {
    let selection = Selection::new(deck, &campaign_samples(comm, deck).unwrap(), None).unwrap();
    let mut simulation = Simulation::new(comm, deck).unwrap();
    let provenance = output::provenance(&simulation, &[]);
    let mut campaign = Campaign::open(&mut simulation, path, &provenance, &selection).unwrap();
    let mut failures = Vec::new();
    let order = campaign.pending().unwrap();
    campaign
        .run(&order, |report| {
            failures.push(report.failure.clone());
            failures.len() < stop
        })
        .unwrap();
    campaign.close().unwrap();
    failures
}

fn tuned(text: &str) -> Deck {
    Deck::parse(&format!("{CAMPAIGN}{text}"), "campaign", &[]).unwrap_or_else(|e| panic!("{e}"))
}

fn read(comm: &Comm, path: &Path) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let file = DatasetFile::open(comm, path, false).unwrap();
    let cost = |name| file.cost(name).unwrap().unwrap_or_default();
    let result = (file.quantity("mean").unwrap(), cost("arm/heat"), cost("loss/heat"));
    file.close().unwrap();
    result
}

fn campaigns_store_and_continue_choices(comm: &Comm) {
    with_folder(comm, |folder| {
        let plain = tuned("");
        campaign(comm, &plain, &folder.join("plain.h5"), 100);
        let (expected, none, _) = read(comm, &folder.join("plain.h5"));
        assert!(none.is_empty());
        for (number, context) in ["", "context = [\"k\"], "].into_iter().enumerate() {
            let arms =
                r#"["-pc_type jacobi", "-pc_type sor", "-pc_type sor -pc_sor_omega 1.6", "-pc_type gamg"]"#;
            let deck = tuned(&format!("tune = {{ {context}seed = 4, arms = {arms} }}"));
            let [whole, parts] = ["whole", "parts"].map(|n| folder.join(format!("{n}{number}.h5")));
            campaign(comm, &deck, &whole, 100);
            campaign(comm, &deck, &parts, 9);
            campaign(comm, &deck, &parts, 100);
            let (means, chosen, losses) = read(comm, &whole);
            // Up to the first choice of the second run; then its first guess was another, so its losses are.
            assert_eq!(read(comm, &parts).1[..10], chosen[..10]);
            // The answer does not depend on the solver.
            assert!(means.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1e-7 * b.abs()));
            assert!(chosen.iter().all(|arm| (0.0..4.0).contains(arm)) && losses.iter().all(|l| *l >= 1.0));
            // Jacobi is worst by far: it is left alone in the end.
            assert!(chosen.iter().filter(|&&arm| arm == 0.0).count() < 12, "{chosen:?}");
        }
    });
}

fn a_failing_arm_is_replaced(comm: &Comm) {
    with_folder(comm, |folder| {
        let deck = tuned(
            r#"tune = { arms = ["-ksp_type richardson -pc_type none", "-pc_type sor", "-pc_type gamg"] }"#,
        );
        let failures = campaign(comm, &deck, &folder.join("dataset.h5"), 100);
        assert!(failures.iter().filter(|f| f.is_some()).count() <= 1, "{failures:?}");
        let (_, chosen, _) = read(comm, &folder.join("dataset.h5"));
        assert!(chosen.iter().filter(|&&arm| arm != 0.0).count() >= 23, "{chosen:?}");
    });
}

fn an_oracle_changes_no_choice(comm: &Comm) {
    let with = |oracle: bool| {
        let deck = tuned(&format!(
            "petsc = \"-pc_type sor\"\ntune = {{ oracle = {oracle}, relaxation = {{ option = \"-pc_sor_omega\", from = 1.0, to = 1.8, levels = 5 }} }}"
        ));
        let mut simulation = Simulation::new(comm, &deck).unwrap();
        for parameters in campaign_samples(comm, &deck).unwrap() {
            simulation.stages[0].forget_solution().unwrap();
            simulation.solve(&Context::steady(parameters)).unwrap();
        }
        let tuning = simulation.stages[0].tuning().unwrap();
        (tuning.rounds().to_vec(), tuning.summary())
    };
    let ((plain, _), (oracle, summary)) = (with(false), with(true));
    assert_eq!(plain, oracle);
    let mean = oracle.iter().map(|row| row[1]).sum::<f64>() / oracle.len() as f64;
    assert!((summary.mean - mean).abs() < 1e-9);
    assert!(summary.optimum.unwrap() <= summary.best().unwrap().1 + 1e-12);
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
            ("approaches_the_best_relaxation", approaches_the_best_relaxation),
            ("checkpoints_keep_what_was_learnt", checkpoints_keep_what_was_learnt),
            ("campaigns_store_and_continue_choices", campaigns_store_and_continue_choices),
            ("a_failing_arm_is_replaced", a_failing_arm_is_replaced),
            ("an_oracle_changes_no_choice", an_oracle_changes_no_choice),
        ],
}];
