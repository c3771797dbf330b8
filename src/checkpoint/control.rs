//! Files by which a user asks something of a run that goes on.
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// From one look to the next: a file system that many share is not to be asked after every short step.
const PAUSE: Duration = Duration::from_secs(1);

/// A file whose coming is a wish: it is removed as soon as it is seen.
#[derive(Debug)]
pub struct ControlFile {
    path: PathBuf,
    looked: Option<Instant>,
}

impl ControlFile {
    /// Looks for a file in a folder. One that an earlier run has left there is removed.
    pub fn new(folder: &Path, name: &str) -> Self {
        let path = folder.join(name);
        let _ = std::fs::remove_file(&path);
        Self { path, looked: None }
    }

    /// Whether it has come since the last look. Call it on one rank.
    pub fn came(&mut self) -> bool {
        if self.looked.is_some_and(|at| at.elapsed() < PAUSE) {
            return false;
        }
        self.looked = Some(Instant::now());
        // One that cannot be removed would ask without end.
        std::fs::remove_file(&self.path).is_ok()
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
