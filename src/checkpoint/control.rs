//! What is asked of a run that goes on: by signals, and by files in the folder of its output.
use super::signals::Signals;
use crate::deck::Deck;
use crate::parallel::Comm;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// From one look to the next: a file system that many share is not to be asked after every short step.
const PAUSE: Duration = Duration::from_millis(200);

/// A file whose coming is a wish: it is removed as soon as it is seen.
#[derive(Debug)]
struct ControlFile {
    path: PathBuf,
    looked: Option<Instant>,
}

impl ControlFile {
    /// Looks for a file in a folder. One that an earlier run has left there is removed.
    fn new(folder: &Path, name: &str) -> Self {
        let path = folder.join(name);
        let _ = std::fs::remove_file(&path);
        Self { path, looked: None }
    }

    /// Whether it has come since the last look. Call it on one rank.
    fn came(&mut self) -> bool {
        if self.looked.is_some_and(|at| at.elapsed() < PAUSE) {
            return false;
        }
        self.looked = Some(Instant::now());
        // One that cannot be removed would ask without end.
        std::fs::remove_file(&self.path).is_ok()
    }
}

/// Watches signals on every rank, and the files `stop` and `output_now` on the first.
#[derive(Debug)]
pub struct Requests {
    signals: Signals,
    files: Option<[ControlFile; 2]>,
}

impl Requests {
    /// Watches the folder of a deck's output. Local.
    pub fn new(comm: &Comm, deck: &Deck, signals: Signals) -> Self {
        let file = |name| ControlFile::new(&deck.output.directory, name);
        Self { signals, files: (comm.rank() == 0).then(|| ["stop", "output_now"].map(file)) }
    }

    /// Whether this rank knows of a wish to end early. Local.
    pub fn stop(&mut self) -> bool {
        self.signals.arrived() || self.files.as_mut().is_some_and(|files| files[0].came())
    }

    /// Whether this rank knows of a wish for output at once. Local.
    pub fn output(&mut self) -> bool {
        self.files.as_mut().is_some_and(|files| files[1].came())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_asks_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stop");
        std::fs::write(&path, "").unwrap();
        let mut file = ControlFile::new(folder.path(), "stop");
        assert!(!path.exists() && !file.came());
        std::fs::write(&path, "").unwrap();
        assert!(!file.came(), "it has looked a moment ago");
        file.looked = None;
        assert!(file.came() && !path.exists());
        file.looked = None;
        assert!(!file.came());
    }
}
