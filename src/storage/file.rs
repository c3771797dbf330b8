//! A file that all ranks open, create in and transfer with together.
use super::collective::{self, Element, Transfer, message};
use crate::error::{Error, Result};
use crate::parallel::Comm;
use hdf5::dataset::{AllocTime, FillTime};
use hdf5::file::FileCloseDegree;
use hdf5::{Dataset, Group, OpenMode};
use mpi::raw::AsRaw;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Datasets of at least this many bytes start at a multiple of [`ALIGNMENT`]; smaller ones would lose too much room by it.
const ALIGNMENT_THRESHOLD: u64 = 16 << 20;
/// A multiple of the page and of the usual stripe of parallel file systems.
const ALIGNMENT: u64 = 1 << 20;
/// Metadata is gathered in blocks of this many bytes instead of being strewn among the data.
const META_BLOCK: u64 = 1 << 16;

/// Of gzip: higher levels take much longer for little.
const COMPRESSION_LEVEL: u8 = 4;

/// Whether some file of this process is broken.
static BROKEN: AtomicBool = AtomicBool::new(false);

/// Whether this process has a file that could not be written. HDF5 keeps it open, and would try to complete it when MPI is
/// finalised, which hangs or crashes: the process must end without that. Local.
pub fn broken() -> bool {
    BROKEN.load(Ordering::Relaxed)
}

/// An HDF5 file opened by every rank of a communicator (the MPI-IO driver).
///
/// Every method is collective and must be called by all ranks with the same names and shapes; a
/// failure on one rank is returned on all. Close it (or drop it) before PETSc and MPI are finalised.
pub struct File {
    comm: Comm,
    path: PathBuf,
    /// The file's name in messages; differs from `path` while the file has a temporary name.
    label: String,
    /// Open until it is closed or dropped.
    file: Option<hdf5::File>,
    pub(super) transfer: Transfer,
    writable: bool,
    /// Whether something could not be written: HDF5 cannot even close it then.
    pub(super) broken: Cell<bool>,
    /// Whether what was written is worth nothing once the file is broken.
    scrap: Cell<bool>,
}

impl File {
    /// Creates a file, replacing one that is there.
    ///
    /// # Errors
    /// [`Error::Storage`] when the file system refuses.
    pub fn create(comm: &Comm, path: &Path) -> Result<Self> {
        Self::with_mode(comm, path, OpenMode::Create, "create")
    }

    /// Opens a file to read.
    ///
    /// # Errors
    /// [`Error::Input`] when it is not there, no HDF5 file, or damaged.
    pub fn open(comm: &Comm, path: &Path) -> Result<Self> {
        Self::with_mode(comm, path, OpenMode::Read, "open")
    }

    /// Opens a file to read and to change.
    ///
    /// # Errors
    /// [`Error::Storage`] when it is not there, no HDF5 file, damaged, or may not be changed.
    pub fn open_writable(comm: &Comm, path: &Path) -> Result<Self> {
        Self::with_mode(comm, path, OpenMode::ReadWrite, "open")
    }

    fn with_mode(comm: &Comm, path: &Path, mode: OpenMode, verb: &str) -> Result<Self> {
        let label = path.display().to_string();
        // MPI-IO's answers to a missing or foreign file are obscure: look first, on one rank.
        let seen = if comm.rank() == 0 { look(path, mode) } else { Ok(()) };
        // A file to be read is the user's input.
        let refused = |why: String| match mode {
            OpenMode::Read => Error::input(&label, format!("cannot {verb}: {why}")),
            _ => Error::storage(format!("{label}: cannot {verb}: {why}")),
        };
        comm.agree(seen.map_err(|why| refused(why.to_string())))?;
        let open = || -> hdf5::Result<(hdf5::File, Transfer)> {
            let file = hdf5::File::with_options()
                .with_fapl(|list| {
                    list.mpio(comm.mpi().as_raw(), None)
                        .fclose_degree(FileCloseDegree::Strong)
                        .all_coll_metadata_ops(true)
                        .coll_metadata_write(true)
                        .alignment(ALIGNMENT_THRESHOLD, ALIGNMENT)
                        .meta_block_size(META_BLOCK)
                })
                .open_as(path, mode)?;
            Ok((file, Transfer::new()?))
        };
        let opened = open().map_err(|e| refused(message(e)));
        let (file, transfer) = comm.agree(opened)?;
        Ok(Self {
            comm: comm.clone(),
            path: path.to_path_buf(),
            label,
            file: Some(file),
            transfer,
            writable: !matches!(mode, OpenMode::Read),
            broken: Cell::new(false),
            scrap: Cell::new(false),
        })
    }

    /// The ranks that share the file. Local.
    pub fn comm(&self) -> &Comm {
        &self.comm
    }

    /// Where it lies. Local.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Follows a change of the file's name. Local.
    pub(super) fn set_path(&mut self, path: PathBuf) {
        self.path = path;
    }

    /// Names the file otherwise in messages: by its final name while it has a temporary one. Local.
    pub(super) fn set_label(&mut self, label: String) {
        self.label = label;
    }

    /// The name used in messages. Local.
    pub fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn failure(&self, object: &str, what: &str, error: hdf5::Error) -> Error {
        Error::storage(format!("{}: {object}: {what}: {}", self.label, message(&error))).because(error)
    }

    pub(super) fn root(&self) -> &Group {
        self.file.as_ref().expect("a file that is neither closed nor dropped is open")
    }

    /// Whether to remove the file when something cannot be written. Local.
    pub(super) fn set_scrap(&self, scrap: bool) {
        self.scrap.set(scrap);
    }

    /// As [`Comm::agree`] of a change to the file, after whose failure the file is broken. A rank that fails while others
    /// wait for it inside HDF5 ends all.
    pub(super) fn settle<T>(&self, outcome: Result<T>) -> Result<T> {
        if !self.writable {
            return self.comm.agree(outcome);
        }
        let remove = || {
            if self.scrap.get() {
                let _ = std::fs::remove_file(&self.path);
            }
        };
        self.comm.meet(outcome.as_ref().err(), remove);
        let agreed = self.comm.agree(outcome);
        if agreed.is_err() {
            self.broken.set(true);
            BROKEN.store(true, Ordering::Relaxed);
        }
        agreed
    }

    /// Whether an object of that path is there.
    pub fn exists(&self, path: &str) -> bool {
        exists(self.root(), path)
    }

    /// Names in a group, in alphabetical order; empty when there is no such group.
    pub fn members(&self, group: &str) -> Vec<String> {
        if !self.exists(group) {
            return Vec::new();
        }
        let mut names = self.root().group(group).and_then(|g| g.member_names()).unwrap_or_default();
        names.sort();
        names
    }

    /// Makes a group and those above it, unless they are there.
    ///
    /// # Errors
    /// [`Error::Storage`] when a dataset has that name, or HDF5 or the file system refuses.
    pub fn create_group(&self, path: &str) -> Result<()> {
        let mut made = String::new();
        for part in path.split('/').filter(|p| !p.is_empty()) {
            made.push('/');
            made.push_str(part);
            if !self.exists(&made) {
                let built = self
                    .root()
                    .create_group_builder()
                    .obj_track_times(false)
                    .create(made.as_str())
                    .map_err(|e| self.failure(&made, "cannot create the group", e));
                self.settle(built)?;
            }
        }
        Ok(())
    }

    /// Makes a dataset of the given shape, contiguous, with its room allocated and nothing written; groups
    /// on the way are made too.
    ///
    /// # Errors
    /// When the dataset is there already, or HDF5 or the file system refuse.
    pub fn create_dataset<T: Element>(&self, path: &str, shape: &[u64]) -> Result<()> {
        if let Some((group, _)) = path.rsplit_once('/') {
            self.create_group(group)?;
        }
        let extents: Vec<usize> = shape.iter().map(|&n| n as usize).collect();
        let built = self
            .root()
            .new_dataset::<T>()
            .no_chunk()
            .alloc_time(Some(AllocTime::Early))
            .fill_time(FillTime::Never)
            .obj_track_times(false)
            .shape(extents)
            .create(path)
            .map_err(|e| self.failure(path, "cannot create the dataset", e));
        let bytes = shape.iter().product::<u64>() * size_of::<T>() as u64;
        self.settle(built.and_then(|dataset| self.take_room(dataset.offset().unwrap_or(0), bytes)))
    }

    /// Takes room on the disk for some bytes of the file, on rank 0, where the file system can do that: HDF5 and MPI-IO do
    /// not recover from a full disk while they write, and do not always notice. Local.
    fn take_room(&self, offset: u64, bytes: u64) -> Result<()> {
        if self.comm.rank() > 0 {
            return Ok(());
        }
        let file = std::fs::OpenOptions::new().write(true).open(&self.path);
        file.and_then(|file| reserve(&file, offset, bytes)).map_err(|e| no_room(&self.label, bytes, &e))
    }

    /// Makes a dataset in compressed chunks, whose room is taken as they are written (HDF5 since 1.10.2 compresses in
    /// parallel, in collective calls); groups on the way are made too.
    ///
    /// # Errors
    /// As [`File::create_dataset`].
    pub fn create_compressed<T: Element>(&self, path: &str, shape: &[u64], chunk: &[u64]) -> Result<()> {
        if let Some((group, _)) = path.rsplit_once('/') {
            self.create_group(group)?;
        }
        let extents = |lengths: &[u64]| lengths.iter().map(|&n| n as usize).collect::<Vec<usize>>();
        let built = self
            .root()
            .new_dataset::<T>()
            .chunk(extents(chunk))
            .shuffle()
            .deflate(COMPRESSION_LEVEL)
            .fill_time(FillTime::Never)
            .obj_track_times(false)
            .shape(extents(shape))
            .create(path)
            .map_err(|e| self.failure(path, "cannot create the dataset", e));
        self.settle(built).map(|_| ())
    }

    pub(super) fn dataset(&self, path: &str) -> Result<Dataset> {
        let found = if self.exists(path) {
            self.root().dataset(path).map_err(|e| self.failure(path, "cannot open the dataset", e))
        } else {
            Err(Error::storage(format!("{}: there is no dataset {path}", self.label)))
        };
        self.comm.agree(found)
    }

    /// The shape of a dataset.
    ///
    /// # Errors
    /// [`Error::Storage`] when there is no such dataset.
    pub fn shape(&self, path: &str) -> Result<Vec<u64>> {
        let dataset = self.dataset(path)?;
        collective::extent(&dataset).map_err(|e| self.failure(path, "cannot read the shape", e))
    }

    /// Where a contiguous dataset starts in the file, in bytes; `None` when it holds nothing.
    ///
    /// # Errors
    /// [`Error::Storage`] when there is no such dataset.
    pub fn offset(&self, path: &str) -> Result<Option<u64>> {
        Ok(self.dataset(path)?.offset())
    }

    /// Sends everything to the disk: a kill after it leaves a readable file.
    ///
    /// # Errors
    /// [`Error::Storage`] when the disk is full or fails.
    pub fn flush(&self) -> Result<()> {
        self.settle(match &self.file {
            Some(file) => file.flush().map_err(|e| self.failure("/", "cannot flush", e)),
            None => Ok(()),
        })
    }

    /// Makes sure that there is room on the disk for all that has been created. Collective.
    ///
    /// # Errors
    /// See [`File::reserve`].
    pub fn reserve_all(&self) -> Result<()> {
        self.flush()?;
        self.reserve(std::fs::metadata(&self.path).map_or(0, |data| data.len()))
    }

    /// Makes sure that there is room on the disk for so many bytes of the file, where the file system can do that.
    ///
    /// # Errors
    /// [`Error::Storage`] when there is not.
    pub fn reserve(&self, bytes: u64) -> Result<()> {
        self.comm.agree(self.take_room(0, bytes))
    }

    /// Closes the file and reports what HDF5 says.
    ///
    /// # Errors
    /// [`Error::Storage`] when what was written does not reach the disk.
    pub fn close(mut self) -> Result<()> {
        if self.writable {
            // A full disk shows here, where HDF5 returns: while it closes, the ranks would wait for one another.
            self.flush()?;
        }
        let closed = self.file.take().map_or(Ok(()), hdf5::File::close);
        let label = &self.label;
        self.settle(
            closed.map_err(|e| Error::storage(format!("{label}: cannot close: {}", message(&e))).because(e)),
        )
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if self.file.is_some() && self.writable && !self.broken.get() && !std::thread::panicking() {
            let _ = self.flush();
        }
        if self.broken.get() {
            std::mem::forget(self.file.take());
        }
    }
}

/// Takes room on the disk for some bytes of a file, whose length stays; nothing where the file system cannot.
pub(super) fn reserve(file: &std::fs::File, offset: u64, bytes: u64) -> std::io::Result<()> {
    match fallocate(file, FallocateFlags::KEEP_SIZE, offset, bytes.max(1)) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        other => Ok(other?),
    }
}

pub(super) fn no_room(label: &str, bytes: u64, error: &std::io::Error) -> Error {
    let size = crate::format::bytes(bytes as f64);
    Error::storage(format!("{label}: there is no room for {size}: {error}"))
}

/// Whether every part of an object's path is there (HDF5 itself fails on a missing parent).
pub(super) fn exists(root: &Group, path: &str) -> bool {
    let mut seen = String::new();
    path.split('/').filter(|p| !p.is_empty()).all(|part| {
        seen.push('/');
        seen.push_str(part);
        root.link_exists(&seen)
    })
}

/// What is wrong with a path before MPI-IO is asked to open it.
fn look(path: &Path, mode: OpenMode) -> std::result::Result<(), String> {
    if matches!(mode, OpenMode::Create) {
        return match path.parent().filter(|p| !p.as_os_str().is_empty()) {
            Some(folder) if !folder.is_dir() => Err(format!("there is no folder {}", folder.display())),
            _ => {
                let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(path);
                file.map(|_| ()).map_err(|e| e.to_string())
            }
        };
    }
    signature(path)
}

/// Whether a file is there, readable and HDF5.
pub(super) fn signature(path: &Path) -> std::result::Result<(), String> {
    use std::io::Read;
    const SIGNATURE: [u8; 8] = [0x89, b'H', b'D', b'F', b'\r', b'\n', 0x1a, b'\n'];
    let mut head = [0u8; 8];
    let mut file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    match file.read_exact(&mut head) {
        Ok(()) if head == SIGNATURE => Ok(()),
        _ => Err("not an HDF5 file".into()),
    }
}
