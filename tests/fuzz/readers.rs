//! What is fed, and with what: each reader takes any bytes and answers with a value or an error.
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use tessera::deck::{Deck, Expression};
use tessera::drivers::export::{ExportOptions, export};
use tessera::drivers::predict::{Points, PredictOptions};
use tessera::drivers::shared::RunOptions;
use tessera::drivers::{info, predict};
use tessera::mesh::{Mesh, MeshSource, PartitionOptions};
use tessera::parallel::Comm;
use tessera::report::Level;
use tessera::simulation::Simulation;
use tessera::storage::EXPORTERS;
use tessera::storage::Reader as Hdf5;

/// A reader and its inputs.
#[derive(Clone, Copy)]
pub struct Reader {
    pub name: &'static str,
    /// Ending of its files.
    pub ending: &'static str,
    /// Cases for `FUZZ_CASES=1`.
    pub share: u64,
    /// Whether a C library reads first, whose own crashes and endless loops on damaged files are none of ours: they
    /// are counted. What Rust says before it ends a process is a failure all the same.
    pub foreign: bool,
    /// Good files beside those in `tests/fuzz/corpus/<name>`; below the folder of the repository.
    folders: &'static [&'static str],
    pub read: fn(&Comm, &[u8], &Path),
}

const OWN: Reader =
    Reader { name: "", ending: "", share: 20, foreign: false, folders: &[], read: |_, _, _| {} };

pub const READERS: [Reader; 4] = [
    Reader { name: "expression", ending: "txt", read: expression, ..OWN },
    Reader { name: "deck", ending: "toml", folders: &["input"], read: deck, ..OWN },
    Reader { name: "gmsh", ending: "msh", folders: &["tests/data/mesh"], read: gmsh, ..OWN },
    Reader { name: "hdf5", ending: "h5", share: 1, foreign: true, read: hdf5, ..OWN },
];

impl Reader {
    /// The corpus in a fixed order; HDF5 files are those in `made`, see [`make_hdf5`].
    pub fn corpus(&self, made: &Path) -> Vec<Vec<u8>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut pending: Vec<PathBuf> = self.folders.iter().map(|folder| root.join(folder)).collect();
        pending.extend([root.join("tests/fuzz/corpus").join(self.name), made.to_path_buf()]);
        let mut files = Vec::new();
        while let Some(folder) = pending.pop() {
            for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
                if path.is_dir() {
                    pending.push(path);
                } else if path.extension().is_some_and(|ending| ending == self.ending) {
                    files.push(path);
                }
            }
        }
        files.sort();
        files.iter().map(|path| std::fs::read(path).expect("a readable file")).collect()
    }
}

const DECK: &str = r#"
mesh.box = { cell = "triangle", cells = [3, 2] }
parameters = { h = { default = 1.0, range = [0.5, 2.0] } }
campaign.samples = 3

[[physics]]
name = "heat"
model = "diffusion"
degree = 2
source = "h*x"
boundary = [{ marker = "left", value = 1.0 }]

[[quantity]]
name = "mean"
kind = "average"
"#;

/// A body in time, whose reduced model has sampled integrals.
const DECK_IN_TIME: &str = r#"
mesh.box = { cell = "quadrilateral", cells = [3, 2] }
parameters = { pull = { default = 0.005, range = [0.002, 0.008] } }
time = { end = 4.0, step = 1.0 }
output.file = "run_in_time.h5"
campaign = { samples = 3, frames = "steps", file = "dataset_in_time.h5" }
rom = { modes = 3, indicator_modes = 3, file = "model_in_time.h5" }

[[physics]]
name = "body"
model = "viscoplasticity"
degree = 1
young = 200e9
poisson = 0.3
yield_stress = 100e6
drag_stress = 200e6
rate_exponent = 7
boundary = [
  { marker = "left", value = [0.0, 0.0] },
  { marker = "right", value = ["pull*t/4", "free"] },
]

[[quantity]]
name = "worst"
kind = "maximum"
field = "von_mises"
"#;

/// Writes small files of every kind with the program itself: results (with their mesh), datasets, models.
pub fn make_hdf5(folder: &Path) {
    for (name, deck) in [("good.toml", DECK), ("in_time.toml", DECK_IN_TIME)] {
        std::fs::write(folder.join(name), deck).expect("a writable folder");
        for command in ["run", "campaign", "train"] {
            let mut program = Command::new(env!("CARGO_BIN_EXE_tessera"));
            program.args([command, name, "--output", ".", "--quiet"]).current_dir(folder);
            let status = program.stdin(Stdio::null()).status().expect("the program starts");
            assert!(status.success(), "tessera {command}: {status}");
        }
    }
}

/// One formula a line.
fn expression(_: &Comm, bytes: &[u8], _: &Path) {
    let names = Expression::variables(["h", "power"]);
    for line in String::from_utf8_lossy(bytes).lines() {
        match Expression::parse(line, &names) {
            Ok(formula) => {
                formula.eval(&[0.5, 2.0, -1.0, 0.0, 3.0, 1e300]);
                let mut values = [0.0; 40];
                formula.eval_points(&[0.25; 80], 2, 1.0, &[3.0, 4.0], &mut values);
                let slope = formula.derivative(0);
                slope.eval(&[0.5; 6]);
                slope.text();
            }
            Err(fault) => assert!(fault.offset <= line.len() && line.is_char_boundary(fault.offset)),
        }
    }
}

/// A deck; lines `#set key=value` are overrides.
fn deck(comm: &Comm, bytes: &[u8], folder: &Path) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let path = folder.join("deck.toml");
        std::fs::write(&path, bytes).expect("a writable folder");
        Deck::read(&path, &[]).expect_err("not UTF-8");
        return;
    };
    let overrides: Vec<String> =
        text.lines().filter_map(|line| line.strip_prefix("#set ")).map(str::to_string).collect();
    let parsed = Deck::parse(text, "deck.toml", &overrides);
    let Ok(mut deck) = parsed else {
        assert!(!parsed.expect_err("no deck").to_string().is_empty());
        return;
    };
    Deck::parse(&deck.to_toml(), "deck.toml", &[]).expect("its own text");
    // What a run builds from it, on a smaller mesh.
    let Some(block) = &mut deck.mesh.block else { return };
    block.cells.iter_mut().for_each(|cells| *cells = (*cells).min(3));
    let build = || {
        let mesh = Mesh::build(comm, &deck.mesh_source(), &deck.partition_options())?;
        Simulation::on_mesh(&deck, Rc::new(mesh))
    };
    let _ = build();
}

fn gmsh(comm: &Comm, bytes: &[u8], folder: &Path) {
    let path = folder.join("mesh.msh");
    std::fs::write(&path, bytes).expect("a writable folder");
    let source = MeshSource::File { path, scale: 1.0 };
    match Mesh::build(comm, &source, &PartitionOptions::default()) {
        Ok(mesh) => drop(mesh.report().to_string()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// An HDF5 file as everything that it may be.
fn hdf5(comm: &Comm, bytes: &[u8], folder: &Path) {
    let path = folder.join("file.h5");
    std::fs::write(&path, bytes).expect("a writable folder");
    if let Ok(reader) = Hdf5::open(&path) {
        let _ = info::describe(&reader, true);
    }
    for &format in EXPORTERS {
        let output = Some(folder.join("exported"));
        let _ = export(&path, &ExportOptions { format, output, ..ExportOptions::default() });
    }
    let source = MeshSource::File { path: path.clone(), scale: 1.0 };
    let _ = Mesh::build(comm, &source, &PartitionOptions::default());
    let field = "physics.heat.conductivity={ file = \"file.h5\", dataset = \"/fields/u\" }".to_string();
    let name = folder.join("deck.toml").display().to_string();
    if let Ok(deck) = Deck::parse(DECK, &name, &[field]) {
        let _ = Simulation::new(comm, &deck);
    }
    let options = PredictOptions {
        run: RunOptions { level: Level::Quiet, ..RunOptions::default() },
        points: Points::One(Vec::new()),
        output: Some(folder.to_path_buf()),
        ..PredictOptions::default()
    };
    let _ = predict::run(comm, &path, &options);
}
