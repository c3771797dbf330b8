//! The cases in `input/` through the program itself, as a user runs them, against their known answers; and the page of
//! verification, which a run with `TESSERA_VERIFICATION=docs/verification.md` writes from the same tables.
use crate::known::{CASES, Known, SMALL};
use mpi_harness::mpirun;
use std::path::Path;
use tessera::storage::Reader;

/// What a run printed of its mesh, and its quantities of interest by name.
struct Outcome {
    mesh: String,
    values: Vec<(String, f64)>,
}

/// Runs a deck on some ranks.
fn run(deck: &str, ranks: usize, folder: &Path) -> Outcome {
    let output = mpirun(300, ranks, env!("CARGO_BIN_EXE_tessera"))
        .arg("run")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(deck))
        .args(["--output".as_ref(), folder.as_os_str()])
        .output()
        .expect("mpirun starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{deck} on {ranks} ranks: {}\n{text}", output.status);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let mesh = printed.lines().find_map(|line| line.strip_prefix("mesh ")?.split_once(':'));
    let mut file = std::fs::read_dir(folder).expect("a folder").filter_map(|entry| Some(entry.ok()?.path()));
    let file = file.find(|path| path.extension().is_some_and(|e| e == "h5")).expect("a run writes HDF5");
    let reader = Reader::open(&file).expect("the run's file");
    // At the end, of runs in time.
    let value = |name: &String| {
        let (_, values) = reader.array::<f64>(&format!("/qoi/{name}")).expect("a quantity");
        *values.last().expect("a frame")
    };
    Outcome {
        mesh: mesh
            .map_or(String::new(), |(_, cells)| cells.split(',').next().unwrap_or("").trim().to_string()),
        values: reader.members("/qoi").into_iter().map(|name| (name.clone(), value(&name))).collect(),
    }
}

#[test]
fn cases_give_their_known_answers() {
    let page = std::env::var_os("TESSERA_VERIFICATION");
    let mut tables = vec![("Cases of `input/`", CASES)];
    if page.is_some() {
        tables.push(("Small problems of `tests/faults`", SMALL));
    }
    let mut text = String::from(HEAD);
    let mut wrong = Vec::new();
    for (title, table) in tables {
        text += &format!(
            "\n## {title}\n| problem | quantity | reference | ours | difference | mesh | source |\n| --- | --- | --- | --- | --- | --- | --- |\n"
        );
        for problem in table.chunk_by(|a, b| a.deck == b.deck) {
            let folder = tempfile::tempdir().unwrap();
            let outcome = run(problem[0].deck, 2, folder.path());
            for known in problem {
                let Known { deck, quantity, value, source, tolerance } = known;
                let found =
                    outcome.values.iter().find(|q| q.0 == *quantity).expect("the deck has the quantity").1;
                let size = if *value == 0.0 { 1.0 } else { value.abs() };
                let difference = (found - value).abs() / size;
                if !known.holds(found) {
                    wrong.push(format!(
                        "{deck}: {quantity} = {found:e}, expected {value:e} within {tolerance:e}"
                    ));
                }
                text += &format!(
                    "| [{}](../{deck}) | {} | {value:.6e} | {found:.6e} | {difference:.1e} | {} | {source} |\n",
                    deck.trim_start_matches("input/").trim_start_matches("tests/faults/"),
                    quantity.replace('_', "\\_"),
                    outcome.mesh
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if let Some(page) = page {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(page), text)
            .expect("the page can be written");
    }
}

/// Above the tables.
const HEAD: &str = "# Verification\nValues that Tessera did not make, and ours, written by `make verification` from the tables that \
`cargo test` checks (`tests/common/known.rs`). The small problems run on 1, 2 and 3 ranks in the tests, here on 2. Orders of \
convergence (`tests/mpi/convergence`), balances of all models (`tests/mpi/balances.rs`) and the independence of units and of \
the place in space (`tests/mpi/scales.rs`) are tests of their own.\n";

/// What flows in flows out: the aquifer's sides and its well; and quantities do not depend on the ranks.
#[test]
fn other_cases_run_and_do_not_depend_on_the_ranks() {
    for deck in [
        "input/darcy/darcy.toml",
        "input/darcy/random.toml",
        "input/darcy/file.toml",
        "input/blade/blade.toml",
        "input/sorption/plane.toml",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let one = run(deck, 1, folder.path()).values;
        let three = run(deck, 3, folder.path()).values;
        assert!(!one.is_empty());
        for (a, b) in one.iter().zip(&three) {
            let close = (a.1 - b.1).abs() <= 1e-5 * a.1.abs();
            assert!(a.0 == b.0 && a.1.is_finite() && close, "{deck}: {a:?} on one rank, {b:?} on three");
        }
    }
}
