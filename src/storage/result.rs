//! Files that appear only when they are complete.
use super::File;
use crate::error::{Error, Result};
use crate::parallel::Comm;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// A new file that has a temporary name until [`ResultFile::finish`]: an error or a kill never leaves
/// a half-written file under the final name, nor harms an older file of that name.
///
/// All of [`File`] is available on it. Dropped unfinished, it removes what it wrote.
pub struct ResultFile {
    /// Open until it is finished or dropped.
    file: Option<File>,
    path: PathBuf,
}

impl ResultFile {
    /// Starts a file that will be called `path`; makes its folder. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when the folder cannot be made or the file not be created.
    pub fn create(comm: &Comm, path: &Path) -> Result<Self> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let made = match folder {
            Some(folder) if comm.rank() == 0 => std::fs::create_dir_all(folder)
                .map_err(|e| Error::Storage(format!("{}: cannot make the folder: {e}", folder.display()))),
            _ => Ok(()),
        };
        comm.agree(made)?;
        let mut file = File::create(comm, &temporary(path))?;
        file.set_label(path.display().to_string());
        Ok(Self { file: Some(file), path: path.to_path_buf() })
    }

    /// Closes the file and gives it its name; returns its size in bytes. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when HDF5 cannot close it or it cannot be renamed; what was written is then removed.
    pub fn finish(mut self) -> Result<u64> {
        let Some(file) = self.file.take() else { return Ok(0) };
        let (comm, from) = (file.comm().clone(), file.path().to_path_buf());
        let renamed = file.close().and_then(|()| {
            if comm.rank() > 0 {
                return Ok(0);
            }
            std::fs::rename(&from, &self.path)
                .and_then(|()| std::fs::metadata(&self.path))
                .map(|data| data.len())
                .map_err(|e| {
                    Error::Storage(format!("{}: cannot give it this name: {e}", self.path.display()))
                })
        });
        if renamed.is_err() && comm.rank() == 0 {
            let _ = std::fs::remove_file(&from);
        }
        comm.agree(renamed).map(|size| comm.max(size))
    }
}

impl Deref for ResultFile {
    type Target = File;

    fn deref(&self) -> &File {
        self.file.as_ref().expect("a file that is neither finished nor dropped is open")
    }
}

impl Drop for ResultFile {
    fn drop(&mut self) {
        let Some(file) = self.file.take() else { return };
        let (path, first) = (file.path().to_path_buf(), file.comm().rank() == 0);
        if std::thread::panicking() {
            // Closing is collective, and the other ranks may be anywhere.
            std::mem::forget(file);
        } else {
            drop(file);
        }
        if first {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The name a file has while it is written: beside the final one, so that renaming is atomic.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".partial");
    path.with_file_name(name)
}
