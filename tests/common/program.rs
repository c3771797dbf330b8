//! Running the program in a folder, and comparing what it wrote.
use mpi_harness::mpirun;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tessera::storage::Reader;

/// Seconds after which a run counts as hung.
pub const WATCHDOG: u64 = 240;

/// Spares the second for which `mpirun` waits after a run that fails, before it ends ranks that have ended long since.
pub fn fails_fast(mpirun: &mut Command) -> &mut Command {
    ["OMPI_MCA_odls_base_sigkill_timeout", "PRTE_MCA_odls_base_sigkill_timeout"]
        .into_iter()
        .fold(mpirun, |mpirun, name| mpirun.env(name, "0"))
}

/// A folder with a deck, in which the program runs.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new(deck: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("deck.toml"), deck).expect("the deck is written");
        Self { folder }
    }

    /// A copy with everything in it.
    pub fn copy(&self) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut from = self.path().as_os_str().to_os_string();
        from.push("/.");
        let copied = Command::new("cp").arg("-a").arg(from).arg(folder.path()).status();
        assert!(copied.expect("cp starts").success());
        Self { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, ranks: usize, arguments: &[&str]) -> Command {
        self.tessera(ranks, "run", arguments)
    }

    /// A command of the program, with absolute paths, so that its processes can be told from all others.
    pub fn tessera(&self, ranks: usize, word: &str, arguments: &[&str]) -> Command {
        let mut command = mpirun(WATCHDOG, ranks, env!("CARGO_BIN_EXE_tessera"));
        command.arg(word).arg(self.file("deck.toml")).args(arguments);
        command.current_dir(self.path()).env("RAYON_NUM_THREADS", "1");
        command
    }

    /// Runs to the end; exit code, standard output and error.
    pub fn run(&self, ranks: usize, arguments: &[&str]) -> Outcome {
        Outcome::new(fails_fast(&mut self.command(ranks, arguments)).output().expect("mpirun starts"))
    }

    pub fn start(&self, ranks: usize, arguments: &[&str]) -> Child {
        let mut command = self.command(ranks, arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("mpirun starts")
    }

    /// Checkpoints, the newest last.
    pub fn checkpoints(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.file("out/checkpoints")).into_iter().flatten().flatten();
        let mut list: Vec<PathBuf> =
            entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "h5")).collect();
        list.sort();
        list
    }

    /// The program's processes that run this deck: not mpirun.
    pub fn processes(&self) -> Vec<u32> {
        let deck = self.file("deck.toml").into_os_string().into_encoded_bytes();
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        numbers
            .filter(|pid| {
                let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let mut words = line.split(|&byte| byte == 0);
                words.next().is_some_and(|w| w.ends_with(b"/tessera")) && words.any(|word| word == deck)
            })
            .collect()
    }
}

/// A small file system in memory, taken down at the end.
pub struct Small(PathBuf);

impl Small {
    pub fn mount(path: PathBuf, kilobytes: u32) -> Option<Self> {
        std::fs::create_dir_all(&path).ok()?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kilobytes}k"), "tmpfs"])
            .arg(&path)
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Outcome {
    pub fn new(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }
}

/// Sends a signal to processes that this test has started; those that have ended meanwhile do not matter. By the shell's
/// own command: a bare Debian has no other.
pub fn signal(name: &str, processes: &[u32]) {
    if !processes.is_empty() {
        let numbers: Vec<String> = processes.iter().map(u32::to_string).collect();
        let line = format!("kill -{name} {}", numbers.join(" "));
        Command::new("sh").args(["-c", &line]).stderr(Stdio::null()).status().expect("sh starts");
    }
}

/// Waits until something holds; fails after the watchdog's time.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(WATCHDOG), "{what}: not in time");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Compares two result files: fields, times, quantities, and the table of steps but for iterations and balances.
/// `tolerance` is relative to the largest number of each array; 0 means bit for bit, all columns.
pub fn compare(one: &Path, other: &Path, tolerance: f64) -> Result<(), String> {
    let (a, b) =
        (Reader::open(one).map_err(|e| e.to_string())?, Reader::open(other).map_err(|e| e.to_string())?);
    let paths = |reader: &Reader| -> Vec<String> {
        let mut list = reader.datasets("/fields");
        list.extend(reader.datasets("/qoi"));
        list.extend(["/time".to_string(), "/log/steps".to_string()]);
        list
    };
    if paths(&a) != paths(&b) {
        return Err(format!("{:?} and {:?}", paths(&a), paths(&b)));
    }
    for path in paths(&a) {
        let (shape, x) = a.array::<f64>(&path).map_err(|e| e.to_string())?;
        let (other_shape, y) = b.array::<f64>(&path).map_err(|e| e.to_string())?;
        if shape != other_shape {
            return Err(format!("{path}: shapes {shape:?} and {other_shape:?}"));
        }
        let width = if path == "/log/steps" { shape[1] as usize } else { 1 };
        // Iterations, estimates and sums that may be roundings of nothing agree on the same number of ranks only.
        let compared = |column: usize| tolerance == 0.0 || !(2..9).contains(&column);
        for column in (0..width).filter(|&c| compared(c)) {
            let pairs = || x.iter().zip(&y).skip(column).step_by(width);
            let scale = pairs().map(|p| p.0.abs()).fold(1e-12, f64::max);
            for (row, (x, y)) in pairs().enumerate() {
                let (same, close) = (
                    x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan(),
                    (x - y).abs() <= tolerance * scale,
                );
                if !same && (tolerance == 0.0 || !close) {
                    return Err(format!("{path}, row {row}, column {column}: {x:e} and {y:e} ({scale:e})"));
                }
            }
        }
    }
    Ok(())
}
