//! Damaged decks, formulas, Gmsh and HDF5 files: no panic, no hang, no memory requested on a file's word.
//!
//! A process of its own, limited in memory and watched over, reads one input after the other: first the corpus as it
//! is, then what a seeded generator makes of it. The input at which a process ends early or stands still is saved and
//! named, and the next process goes on behind it.
//!
//! - `FUZZ_CASES=1000` for more cases, `FUZZ_SEED=2` for others; words on the command line select readers.
//! - `FUZZ_FILE=path` reads one file only, in the way that its ending says.
mod mutate;
mod readers;

use mutate::mutated;
use readers::{READERS, Reader, make_hdf5};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use tessera::parallel::{self, Comm};

/// In a reading process: the reader, the first case and the one after the last.
const WORKER: &str = "FUZZ_WORKER";
/// Kilobytes of address space of a reading process; some of it is MPI's and PETSc's.
const MEMORY: u64 = 4_000_000;
/// Time for one input, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// The same where a library is expected to hang now and then.
const LESS_PATIENCE: Duration = Duration::from_secs(4);
/// What Rust or this program says before it ends.
const OURS: [&str; 4] = ["panicked at", "overflowed its stack", "memory allocation of", "exit status"];
/// Failures after which a reader is given up.
const ENOUGH: usize = 5;

fn main() -> ExitCode {
    if let Ok(job) = std::env::var(WORKER) {
        return worker(&job);
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let chosen = |reader: &&Reader| words.is_empty() || words.iter().any(|word| reader.name.contains(word));
    let readers: Vec<&Reader> = READERS.iter().filter(chosen).collect();
    if std::env::args().any(|word| word == "--list") {
        readers.iter().for_each(|reader| println!("{}: test", reader.name));
        return ExitCode::SUCCESS;
    }
    if let Some(path) = std::env::var_os("FUZZ_FILE") {
        return replay(Path::new(&path));
    }
    println!("\nrunning {} tests", readers.len());
    let made = tempfile::tempdir().expect("a temporary folder");
    make_hdf5(made.path());
    let failed: usize = std::thread::scope(|scope| {
        let made = made.path();
        let running: Vec<_> = readers.iter().map(|reader| scope.spawn(move || fuzz(reader, made))).collect();
        running.into_iter().map(|thread| usize::from(!thread.join().unwrap_or(false))).sum()
    });
    let (verdict, passed) = (if failed == 0 { "ok" } else { "FAILED" }, readers.len() - failed);
    println!("\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured\n");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The input of a case: the corpus comes first, as it is.
fn input(reader: &Reader, corpus: &[Vec<u8>], seed: u64, case: u64) -> Vec<u8> {
    let good = corpus.get(case as usize).cloned();
    good.unwrap_or_else(|| mutated(seed, case, corpus, reader.ending == "h5"))
}

/// Runs all cases of a reader; whether they passed.
fn fuzz(reader: &Reader, made: &Path) -> bool {
    let start = Instant::now();
    let (corpus, seed) = (reader.corpus(made), number("FUZZ_SEED", 1));
    let cases = corpus.len() as u64 + reader.share * number("FUZZ_CASES", 400);
    let (mut next, mut failures, mut library) = (0, 0, 0);
    while next < cases && failures < ENOUGH {
        let job = format!("{} {next} {cases} {}", reader.name, made.display());
        match watch(reader, &job, None) {
            Ok(()) => break,
            Err((Some(case), why)) if reader.foreign && !OURS.iter().any(|word| why.contains(word)) => {
                library += 1;
                next = case + 1;
            }
            Err((case, why)) => {
                failures += 1;
                let Some(case) = case else {
                    println!("fuzz {}: no case was read: {why}", reader.name);
                    break;
                };
                let path = std::env::temp_dir()
                    .join(format!("tessera-fuzz-{}-{seed}-{case}.{}", reader.name, reader.ending));
                let _ = std::fs::write(&path, input(reader, &corpus, seed, case));
                println!(
                    "fuzz {}: case {case} of seed {seed}: {why}\n  again: FUZZ_FILE={} cargo test --release --test fuzz",
                    reader.name,
                    path.display()
                );
                next = case + 1;
            }
        }
    }
    let (verdict, seconds) = (if failures == 0 { "ok" } else { "FAILED" }, start.elapsed().as_secs_f64());
    let ended = if library > 0 { format!(", {library} ended by a C library") } else { String::new() };
    println!("test fuzz {} [{cases} cases, {seconds:.1} s{ended}] ... {verdict}", reader.name);
    failures == 0
}

/// Reads one file, as the reading processes do.
fn replay(path: &Path) -> ExitCode {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let reader = READERS.iter().find(|reader| reader.ending == ending).expect("a known ending");
    let whole = path.canonicalize().expect("a file");
    match watch(reader, &format!("{} 0 1 -", reader.name), Some(whole)) {
        Ok(()) => println!("{}: ok", path.display()),
        Err((_, why)) => {
            println!("{}: {why}", path.display());
            return ExitCode::from(101);
        }
    }
    ExitCode::SUCCESS
}

/// Starts a reading process and waits for its end; the case at which it failed, and how.
fn watch(reader: &Reader, job: &str, file: Option<PathBuf>) -> Result<(), (Option<u64>, String)> {
    let patience = if reader.foreign { LESS_PATIENCE } else { PATIENCE };
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -c 0; ulimit -s 8192; ulimit -v {MEMORY}; exec \"$0\"")])
        .arg(std::env::current_exe().expect("this program"))
        .env(WORKER, job)
        .env_remove("FUZZ_FILE")
        // Threads take address space.
        .envs([("RAYON_NUM_THREADS", "1"), ("OMP_NUM_THREADS", "1"), ("OMPI_MCA_mpi_yield_when_idle", "1")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(file) = file {
        command.env("FUZZ_FILE", file);
    }
    let mut process = command.spawn().map_err(|e| (None, format!("cannot start: {e}")))?;
    let (output, mut words) = (process.stdout.take().expect("piped"), process.stderr.take().expect("piped"));
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let cases = BufReader::new(output).split(b'\n').map_while(Result::ok);
        for line in cases {
            let case = String::from_utf8_lossy(&line).strip_prefix("case ").and_then(|n| n.parse().ok());
            if case.is_some_and(|case: u64| send.send(case).is_err()) {
                break;
            }
        }
    });
    let said = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = words.read_to_end(&mut text);
        let lines: Vec<String> = String::from_utf8_lossy(&text).lines().map(str::to_string).collect();
        lines[lines.len().saturating_sub(30)..].join("\n    ")
    });
    let mut last = None;
    loop {
        // The start may take longer than a case.
        match receive.recv_timeout(if last.is_some() { patience } else { PATIENCE }) {
            Ok(case) => last = Some(case),
            Err(RecvTimeoutError::Timeout) => {
                end(&mut process);
                return Err((last, format!("hung for {} s", patience.as_secs())));
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = process.wait().map_err(|e| (last, e.to_string()))?;
    let said = said.join().unwrap_or_default();
    if status.success() { Ok(()) } else { Err((last, format!("{status}\n    {said}"))) }
}

fn end(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}

/// Reads cases and names each before it.
fn worker(job: &str) -> ExitCode {
    let mut words = job.splitn(4, ' ');
    let mut word = || words.next().expect("four words");
    let (name, first, cases) = (word(), word(), word());
    let reader = READERS.iter().find(|reader| reader.name == name).expect("a reader");
    let (first, cases): (u64, u64) = (first.parse().expect("a number"), cases.parse().expect("a number"));
    let corpus = match std::env::var_os("FUZZ_FILE") {
        Some(path) => vec![std::fs::read(path).expect("a readable file")],
        None => reader.corpus(Path::new(word())),
    };
    let seed = number("FUZZ_SEED", 1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let universe = parallel::initialize().expect("MPI starts");
    let comm = Comm::new(mpi::traits::Communicator::duplicate(&universe.world()));
    // A signal must end the process, not be explained by PETSc.
    let options = ["-no_signal_handler".to_string()];
    let petsc = petsc_rs::Petsc::initialize(comm.mpi(), &options).expect("PETSc starts");
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        std::process::exit(101);
    }));
    for case in first..cases {
        println!("case {case}");
        let _ = std::io::stdout().flush();
        (reader.read)(&comm, &input(reader, &corpus, seed, case), folder.path());
    }
    drop(petsc);
    drop(comm);
    ExitCode::SUCCESS
}
