//! The cases in `input/` through the program itself, as a user runs them, against their known answers.
use mpi_harness::mpirun;
use std::path::{Path, PathBuf};
use tessera::storage::Reader;

/// A quantity of interest of a case: deck, quantity, expected value, relative tolerance.
type Known = (&'static str, &'static str, f64, f64);

const KNOWN: &[Known] = &[
    // 400 + g x - source x^2 / (2 k) at its highest point, and the balance at the right end.
    ("bar/bar.toml", "peak_temperature", 478.125, 1e-4),
    ("bar/bar.toml", "heat_out", 15_000.0, 3e-2), // from the gradient of the last cell
    // Cook (1974): 23.96 for the converged mesh.
    ("cook/cook.toml", "rise", 23.96, 2e-3),
    ("cook/cook.toml", "support", -1.0, 1e-6),
    // Kirsch (1898): three times the tension.
    ("plate/plate.toml", "stress_at_hole", 3e6, 1e-2),
    // NAFEMS, The Standard NAFEMS Benchmarks (1990).
    // Schaefer and Turek (1996), benchmark 2D-1.
    ("cylinder/steady.toml", "drag", 5.5795, 1e-2),
    ("cylinder/steady.toml", "lift", 0.01062, 1e-2),
    ("cylinder/steady.toml", "pressure_drop", 0.11752, 1e-2),
    // Botella and Peyret (1998).
    ("cavity/cavity.toml", "u_low", -0.3886, 5e-3),
    ("nafems/le1/le1.toml", "stress_yy_at_D", 92.7e6, 2e-2),
    ("nafems/le10/le10.toml", "stress_yy_at_D", -5.38e6, 2e-2),
    ("nafems/le11/le11.toml", "stress_zz_at_A", -105e6, 2e-2),
    // What went in, 2 (1 - u*) t^(1/2)/(pi^(1/2) erf(z)) with z = 0.6201.
    ("porous_medium/stefan.toml", "stored", 0.40734, 1e-3),
    // Barenblatt's mass: 12 pi 0.2^(3/2).
    ("porous_medium/barenblatt.toml", "mass", 3.37193, 3e-3),
    // Self-convergence in space and time.
    ("sorption/sorption.toml", "mean", 0.33873, 1e-3),
    // Cole and Hopf.
    ("burgers/burgers.toml", "before_the_front", 0.37328, 2e-3),
];

fn input(deck: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("input").join(deck)
}

/// Runs a deck on some ranks; its quantities of interest by name.
fn run(deck: &str, ranks: usize, folder: &Path) -> Vec<(String, f64)> {
    let output = mpirun(300, ranks, env!("CARGO_BIN_EXE_tessera"))
        .args(["run", "--quiet"])
        .arg(input(deck))
        .args(["--output".as_ref(), folder.as_os_str()])
        .output()
        .expect("mpirun starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{deck} on {ranks} ranks: {}\n{text}", output.status);
    let reader = Reader::open(&folder.join("run.h5")).expect("the run writes run.h5");
    // At the end, of runs in time.
    let value = |name: &String| {
        let (_, values) = reader.array::<f64>(&format!("/qoi/{name}")).expect("a quantity");
        *values.last().expect("a frame")
    };
    reader.members("/qoi").into_iter().map(|name| (name.clone(), value(&name))).collect()
}

#[test]
fn cases_give_their_known_answers() {
    let mut decks: Vec<&str> = KNOWN.iter().map(|known| known.0).collect();
    decks.dedup();
    let mut wrong = Vec::new();
    for deck in decks {
        let folder = tempfile::tempdir().unwrap();
        let found = run(deck, 2, folder.path());
        for &(_, name, expected, tolerance) in KNOWN.iter().filter(|known| known.0 == deck) {
            let value = found.iter().find(|q| q.0 == name).expect("the deck has the quantity").1;
            if (value - expected).abs() > tolerance * expected.abs() {
                wrong.push(format!("{deck}: {name} = {value:e}, expected {expected:e} within {tolerance:e}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What flows in flows out: the aquifer's sides and its well; and quantities do not depend on the ranks.
#[test]
fn other_cases_run_and_do_not_depend_on_the_ranks() {
    for deck in [
        "darcy/darcy.toml",
        "darcy/random.toml",
        "darcy/file.toml",
        "blade/blade.toml",
        "sorption/plane.toml",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let one = run(deck, 1, folder.path());
        let three = run(deck, 3, folder.path());
        assert!(!one.is_empty());
        for (a, b) in one.iter().zip(&three) {
            let close = (a.1 - b.1).abs() <= 1e-5 * a.1.abs();
            assert!(a.0 == b.0 && a.1.is_finite() && close, "{deck}: {a:?} on one rank, {b:?} on three");
        }
    }
}
