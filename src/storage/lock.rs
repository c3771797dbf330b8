//! A file that one job at a time may write.
use super::result::with_suffix;
use crate::error::{Error, Result};
use crate::parallel::Comm;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Keeps other jobs from a file while it lives: `<file>.lock` beside it, on which the system holds a lock for rank 0, and
/// takes it back when the process ends in whatever way. The file itself stays free for readers, which HDF5 makes lock it.
pub struct Lock {
    held: Option<Held>,
}

/// Name of the lock's file, the locked file, and the folders that were made for it, the innermost first.
type Held = (PathBuf, File, Vec<PathBuf>);

impl Lock {
    /// Locks a file that need not be there; makes its folder. On a file system without locks nothing is locked. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when another job holds the lock; [`Error::Storage`] when the lock cannot be written.
    pub fn take(comm: &Comm, path: &Path) -> Result<Self> {
        let held = if comm.rank() == 0 { lock(path) } else { Ok(None) };
        comm.agree(held).map(|held| Self { held })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some((name, _, folders)) = &self.held {
            // Before it is released, so that nobody else has locked it yet.
            let _ = std::fs::remove_file(name);
            // One that is empty, after an error, was made for nothing; others cannot be removed.
            folders.iter().for_each(|folder| {
                let _ = std::fs::remove_dir(folder);
            });
        }
    }
}

/// The lock's file, locked; `None` where the file system knows no locks.
fn lock(path: &Path) -> Result<Option<Held>> {
    let name = with_suffix(path, ".lock");
    let failed = |e: io::Error| Error::storage(format!("{}: cannot lock: {e}", path.display())).because(e);
    let missing =
        path.ancestors().skip(1).take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    let folders: Vec<PathBuf> = missing.map(Path::to_path_buf).collect();
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| {
            Error::storage(format!("{}: cannot make the folder: {e}", folder.display())).because(e)
        })?;
    }
    loop {
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&name);
        let mut file = options.map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let text = format!(
                    "another job is writing it: {}; should that be gone, remove {}",
                    holder.trim(),
                    name.display()
                );
                return Err(Error::input(path.display().to_string(), text));
            }
            Err(_) => {
                let _ = std::fs::remove_file(&name);
                return Ok(None);
            }
        }
        // Its last holder may have removed it meanwhile.
        if let (Ok(mine), Ok(there)) = (file.metadata(), std::fs::metadata(&name))
            && (mine.dev(), mine.ino()) == (there.dev(), there.ino())
        {
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            let text = format!("process {} on {}\n", std::process::id(), host.trim());
            // On a full disk it is a lock without a name.
            let _ = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
            return Ok(Some((name, file, folders)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/dataset.h5");
        let first = Lock { held: lock(&path).unwrap() };
        let refused = lock(&path).expect_err("it is locked").to_string();
        let own = format!("process {} on ", std::process::id());
        assert!(refused.contains(&own) && refused.contains("dataset.h5.lock"), "{refused}");
        drop(first);
        assert!(!folder.path().join("new").exists(), "nothing is left where nothing was written");
        std::fs::create_dir(folder.path().join("new")).unwrap();
        // Left by a job that was killed.
        std::fs::write(folder.path().join("new/dataset.h5.lock"), "process 1 on another\n").unwrap();
        assert!(lock(&path).unwrap().is_some());
    }
}
