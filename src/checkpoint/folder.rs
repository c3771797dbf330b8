//! The files of checkpoints in their folder.
use super::compare::compare;
use crate::deck::Deck;
use crate::parallel::Comm;
use crate::report::Report;
use crate::storage::{Schema, Sealed};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// From what a run goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restart {
    /// The newest checkpoint that is whole; the beginning when there is none.
    Latest,
    /// That file.
    File(PathBuf),
}

impl From<&str> for Restart {
    fn from(text: &str) -> Self {
        if text == "latest" { Self::Latest } else { Self::File(text.into()) }
    }
}

/// The folder with the checkpoints of a deck's run, and how many stay.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    /// What names start with: that of the result file.
    stem: String,
    keep: usize,
}

impl Folder {
    /// The folder that a deck names.
    pub fn of(deck: &Deck) -> Self {
        let (section, output) = (&deck.checkpoint, &deck.output);
        let stem = output.file.file_stem().unwrap_or_default().to_string_lossy();
        Self {
            path: section.directory.clone().unwrap_or_else(|| output.directory.join("checkpoints")),
            stem: stem.into_owned(),
            keep: section.keep,
        }
    }

    /// The checkpoint after a number of steps.
    pub fn file(&self, step: usize) -> PathBuf {
        self.path.join(format!("{}-{step:08}.h5", self.stem))
    }

    /// The checkpoints that are there, by step. Local.
    fn list(&self) -> Vec<(usize, PathBuf)> {
        let entries = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
        let step = |name: &str| -> Option<usize> {
            let digits = name.strip_prefix(&self.stem)?.strip_prefix('-')?.strip_suffix(".h5")?;
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let mut list: Vec<(usize, PathBuf)> = entries
            .filter_map(|entry| Some((step(&entry.file_name().to_string_lossy())?, entry.path())))
            .collect();
        list.sort();
        list
    }

    /// Removes what is not to stay beside the newest checkpoint, that of `step`: all but so many before it, and those
    /// after it, which belong to a future that has been given up. Call it on one rank.
    pub fn prune(&self, step: usize) {
        let (before, after): (Vec<_>, Vec<_>) = self.list().into_iter().partition(|entry| entry.0 <= step);
        let old = before.len().saturating_sub(self.keep);
        for (_, path) in before.into_iter().take(old).chain(after) {
            // One that cannot be removed costs room, nothing else.
            let _ = std::fs::remove_file(path);
        }
    }

    /// Removes all of them, those of an earlier run whose result is about to be replaced; how many there were.
    /// Call it on one rank.
    pub fn clear(&self) -> usize {
        let list = self.list();
        list.iter().filter(|(_, path)| std::fs::remove_file(path).is_ok()).count()
    }

    /// The checkpoint to go on from, checked and read; `None` when the run is to start from the beginning. A damaged
    /// one among the newest is named in a warning. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] for a deck that cannot go on from it, or when none of those that are there is whole.
    pub fn find(
        &self,
        deck: &Deck,
        restart: &Restart,
        report: &Report,
        comm: &Comm,
    ) -> Result<Option<Sealed>> {
        let candidates = match restart {
            Restart::File(path) => return open(comm, path, deck, report).map(Some),
            Restart::Latest => names(comm, self.list().into_iter().rev().map(|entry| entry.1).collect()),
        };
        let Some(newest) = candidates.first() else {
            report.line(format!("restart      no checkpoint in {}: from the beginning", self.path.display()));
            return Ok(None);
        };
        for path in &candidates {
            match open(comm, path, deck, report) {
                Err(Error::Storage(message)) => report.warn(format!("{message}; the one before is taken")),
                other => return other.map(Some),
            }
        }
        Err(Error::input(
            newest.display().to_string(),
            "no checkpoint is whole; without --restart the run starts anew",
        ))
    }
}

/// Opens a checkpoint, checks all of it, and compares its deck with that of the run. Collective.
fn open(comm: &Comm, path: &Path, deck: &Deck, report: &Report) -> Result<Sealed> {
    let mut changes = Vec::new();
    let sealed = Sealed::open(comm, path, |file| {
        file.expect(Schema::Checkpoint)?;
        changes = compare(&file.text("/", "deck")?, deck, path)?;
        Ok(())
    })?;
    if !changes.is_empty() {
        report.line(format!("restart      changed since the checkpoint: {}", changes.join(", ")));
    }
    Ok(sealed)
}

/// Rank 0's list of paths on all ranks. Collective.
fn names(comm: &Comm, list: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut bytes = serde_json::to_vec(&list).unwrap_or_default();
    comm.broadcast_bytes(0, &mut bytes);
    serde_json::from_slice(&bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stay() {
        let folder = tempfile::tempdir().unwrap();
        let place = Folder { path: folder.path().into(), stem: "run".into(), keep: 2 };
        for step in [3, 10, 20, 30, 100] {
            std::fs::write(place.file(step), "").unwrap();
        }
        for other in ["run-x.h5", "run-00000007.h5.partial", "runs-00000001.h5", "other-00000001.h5"] {
            std::fs::write(folder.path().join(other), "").unwrap();
        }
        place.prune(30);
        let steps: Vec<usize> = place.list().iter().map(|entry| entry.0).collect();
        assert_eq!(steps, [20, 30]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 6);
        assert_eq!(place.clear(), 2);
        assert!(place.list().is_empty());
    }
}
