//! Files that appear only when they are complete.
use super::file::File;
use crate::error::{Error, Result};
use crate::parallel::Comm;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// A new file that has a temporary name until [`ResultFile::finish`]: an error or a kill never leaves
/// a half-written file under the final name, nor harms an older file of that name.
///
/// All of [`File`] is available on it. Dropped unfinished, it removes what it wrote, unless
/// [`ResultFile::keep`] was called.
pub struct ResultFile {
    /// Open until it is finished or dropped.
    file: Option<File>,
    path: PathBuf,
    keep: bool,
}

/// The end of the name of a file that will replace an unfinished one.
const COPY: &str = ".copy";

impl ResultFile {
    /// Starts a file that will be called `path`; makes its folder. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when the folder cannot be made or the file not be created.
    pub fn create(comm: &Comm, path: &Path) -> Result<Self> {
        Self::create_as(comm, path, &temporary(path))
    }

    /// As [`ResultFile::create`] beside an unfinished file of that name, which it replaces with
    /// [`ResultFile::replace`]. Collective.
    ///
    /// # Errors
    /// See [`ResultFile::create`].
    pub fn create_beside(comm: &Comm, path: &Path) -> Result<Self> {
        Self::create_as(comm, path, &with_suffix(path, COPY))
    }

    fn create_as(comm: &Comm, path: &Path, name: &Path) -> Result<Self> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let made = match folder {
            Some(folder) if comm.rank() == 0 => std::fs::create_dir_all(folder).map_err(|e| {
                Error::storage(format!("{}: cannot make the folder: {e}", folder.display())).because(e)
            }),
            _ => Ok(()),
        };
        comm.agree(made)?;
        let created = File::create(comm, name);
        if created.is_err() && comm.rank() == 0 {
            let _ = std::fs::remove_file(name);
        }
        let mut file = created?;
        file.set_label(path.display().to_string());
        file.set_scrap(true);
        Ok(Self { file: Some(file), path: path.to_path_buf(), keep: false })
    }

    /// Goes on with the unfinished file of that name, and keeps it. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when it cannot be opened.
    pub fn reopen(comm: &Comm, path: &Path) -> Result<Self> {
        if comm.rank() == 0 {
            // Left by a kill while it was being made.
            let _ = std::fs::remove_file(with_suffix(path, COPY));
        }
        let mut file = File::open_writable(comm, &temporary(path))?;
        file.set_label(path.display().to_string());
        Ok(Self { file: Some(file), path: path.to_path_buf(), keep: true })
    }

    /// From now on the unfinished file stays when this is dropped: a checkpoint counts on it. Local.
    pub fn keep(&mut self) {
        self.keep = true;
        self.set_scrap(false);
    }

    /// Puts a file from [`ResultFile::create_beside`] in the place of the unfinished one. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when it cannot be renamed.
    pub fn replace(&mut self) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.flush()?;
        let name = temporary(&self.path);
        let renamed = match file.comm().rank() {
            0 => rename(file.path(), &name),
            _ => Ok(()),
        };
        file.comm().agree(renamed)?;
        file.set_path(name);
        Ok(())
    }

    /// Closes the file, sends it to the disk and gives it its name; returns its size in bytes. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when HDF5 cannot close it or it cannot be renamed; what was written is then removed.
    pub fn finish(self) -> Result<u64> {
        self.finish_with(|_| Ok(()))
    }

    /// As [`ResultFile::finish`]; `last` does something with the closed file on rank 0 before it gets its name.
    /// Collective.
    ///
    /// # Errors
    /// Those of `last` as well.
    pub fn finish_with(mut self, last: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<u64> {
        let Some(file) = self.file.take() else { return Ok(0) };
        let (comm, from) = (file.comm().clone(), file.path().to_path_buf());
        let renamed = file.close().and_then(|()| {
            if comm.rank() > 0 {
                return Ok(0);
            }
            last(&from).map_err(|e| {
                Error::storage(format!("{}: cannot write: {e}", self.path.display())).because(e)
            })?;
            rename(&from, &self.path)?;
            Ok(std::fs::metadata(&self.path).map_or(0, |data| data.len()))
        });
        if renamed.is_err() && comm.rank() == 0 && !self.keep {
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
        if first && !self.keep {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The name a file has while it is written: beside the final one, so that renaming is atomic.
pub fn temporary(path: &Path) -> PathBuf {
    with_suffix(path, ".partial")
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(suffix);
    path.with_file_name(name)
}

/// Renames a file so that after a power failure there is either the old one or the new one, whole.
fn rename(from: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(from)
        .and_then(|file| file.sync_all())
        .and_then(|()| std::fs::rename(from, to))
        .and_then(|()| std::fs::File::open(folder)?.sync_all())
        .map_err(|e| Error::storage(format!("{}: cannot give it this name: {e}", to.display())).because(e))
}
