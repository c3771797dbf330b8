//! Broken input of every kind: each gets its own message, once, and the same exit code on every number of ranks;
//! nothing hangs, nothing is left behind.
mod constrain;
mod decks;
mod hdf5_files;
mod meshes;
mod models;
mod places;
mod time;

use crate::program::fails_fast;
use mpi_harness::mpirun;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A run that must be refused.
struct Case {
    /// What is wrong, for the test's own messages.
    name: &'static str,
    /// Files to put beside each other; the deck is `deck.toml`.
    files: Vec<(&'static str, Content)>,
    /// Subcommand and file.
    command: [&'static str; 2],
    /// Further words.
    arguments: Vec<&'static str>,
    ranks: usize,
    /// Exit code: 2 for bad input, 1 for a computation that fails.
    code: i32,
    /// The lines of the message after `error: `, or their beginnings.
    messages: Vec<String>,
}

enum Content {
    Text(String),
    Bytes(Vec<u8>),
    /// An HDF5 file that the function writes.
    Hdf5(fn(&Path)),
}

/// Seconds after which a run counts as hung.
const WATCHDOG: u64 = 60;

#[test]
fn broken_input_is_refused() {
    let mut cases = decks::cases();
    cases.extend(constrain::cases());
    cases.extend(meshes::cases());
    cases.extend(hdf5_files::cases());
    cases.extend(models::cases());
    cases.extend(places::cases());
    cases.extend(time::cases());
    let distinct: HashSet<(&[String], usize)> = cases.iter().map(|c| (&c.messages[..], c.ranks)).collect();
    assert_eq!(distinct.len(), cases.len(), "two cases with the same messages");
    assert!(cases.len() >= 40);

    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    // Starting mpirun is mostly waiting, so there may be more of them than cores.
    let workers = 2 * std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 8);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(message) = run(case) {
                        let text = format!("{} [{} ranks]: {message}", case.name, case.ranks);
                        failures.lock().expect("no panic while locked").push(text);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no panic while locked");
    let (bad, all) = (failures.len(), cases.len());
    assert!(bad == 0, "{bad} of {all} cases:\n\n{}", failures.join("\n\n"));
}

fn run(case: &Case) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    for (name, content) in &case.files {
        let path = folder.path().join(name);
        match content {
            Content::Text(text) => std::fs::write(path, text),
            Content::Bytes(bytes) => std::fs::write(path, bytes),
            Content::Hdf5(write) => {
                hdf5_files::unlocked(&path, write);
                Ok(())
            }
        }
        .map_err(|e| e.to_string())?;
    }
    let before = listing(folder.path());
    let output = fails_fast(&mut mpirun(WATCHDOG, case.ranks, env!("CARGO_BIN_EXE_tessera")))
        .args(case.command)
        .args(["--output", "out", "--quiet"])
        .args(&case.arguments)
        .current_dir(folder.path())
        .output()
        .map_err(|e| format!("cannot start mpirun: {e}"))?;
    let shown = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> = shown.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
    let good = errors.len() == case.messages.len()
        && errors.iter().zip(&case.messages).all(|(line, expected)| line.starts_with(expected.as_str()));
    if !good || output.status.code() != Some(case.code) {
        let code = output.status.code();
        return Err(format!("exit code {code:?}; expected {:#?}\nfound\n{shown}", case.messages));
    }
    let after = listing(folder.path());
    if after != before {
        return Err(format!("left behind: {after:?}, before {before:?}"));
    }
    Ok(())
}

/// Names in a folder, sorted.
fn listing(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A deck with some text replaced; every text must occur.
fn edited(deck: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(deck.to_string(), |text, (from, to)| {
        assert!(text.contains(from), "no \"{from}\" to replace");
        text.replacen(from, to, 1)
    })
}
