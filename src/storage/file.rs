//! A file that all ranks open, create in and transfer with together.
use super::collective::{self, Element, Slab, Transfer, message};
use crate::error::{Error, Result};
use crate::parallel::Comm;
use hdf5::dataset::{AllocTime, FillTime};
use hdf5::file::FileCloseDegree;
use hdf5::{Dataset, Group, OpenMode};
use mpi::raw::AsRaw;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Datasets of at least this many bytes start at a multiple of [`ALIGNMENT`]; smaller ones would lose too much room by it.
const ALIGNMENT_THRESHOLD: u64 = 16 << 20;
/// A multiple of the page and of the usual stripe of parallel file systems.
const ALIGNMENT: u64 = 1 << 20;
/// Metadata is gathered in blocks of this many bytes instead of being strewn among the data.
const META_BLOCK: u64 = 1 << 16;

/// Of gzip: higher levels take much longer for little.
const COMPRESSION_LEVEL: u8 = 4;

/// An HDF5 file opened by every rank of a communicator (the MPI-IO driver).
///
/// Every method is collective and must be called by all ranks with the same names and shapes; a
/// failure on one rank is returned on all. Close it (or drop it) before PETSc and MPI are finalised.
pub struct File {
    comm: Comm,
    path: PathBuf,
    /// The file's name in messages; differs from `path` while the file has a temporary name.
    label: String,
    file: hdf5::File,
    transfer: Transfer,
}

impl File {
    /// Creates a file, replacing one that is there.
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
            _ => Error::Storage(format!("{label}: cannot {verb}: {why}")),
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
        Ok(Self { comm: comm.clone(), path: path.to_path_buf(), label, file, transfer })
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
        Error::Storage(format!("{}: {object}: {what}: {}", self.label, message(error)))
    }

    pub(super) fn root(&self) -> &Group {
        &self.file
    }

    /// Whether an object of that path is there.
    pub fn exists(&self, path: &str) -> bool {
        exists(&self.file, path)
    }

    /// Names in a group, in alphabetical order; empty when there is no such group.
    pub fn members(&self, group: &str) -> Vec<String> {
        if !self.exists(group) {
            return Vec::new();
        }
        let mut names = self.file.group(group).and_then(|g| g.member_names()).unwrap_or_default();
        names.sort();
        names
    }

    /// Makes a group and those above it, unless they are there.
    pub fn create_group(&self, path: &str) -> Result<()> {
        let mut made = String::new();
        for part in path.split('/').filter(|p| !p.is_empty()) {
            made.push('/');
            made.push_str(part);
            if !self.exists(&made) {
                let built = self
                    .file
                    .create_group_builder()
                    .obj_track_times(false)
                    .create(made.as_str())
                    .map_err(|e| self.failure(&made, "cannot create the group", e));
                self.comm.agree(built)?;
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
            .file
            .new_dataset::<T>()
            .no_chunk()
            .alloc_time(Some(AllocTime::Early))
            .fill_time(FillTime::Never)
            .obj_track_times(false)
            .shape(extents)
            .create(path)
            .map_err(|e| self.failure(path, "cannot create the dataset", e));
        self.comm.agree(built).map(|_| ())
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
            .file
            .new_dataset::<T>()
            .chunk(extents(chunk))
            .shuffle()
            .deflate(COMPRESSION_LEVEL)
            .fill_time(FillTime::Never)
            .obj_track_times(false)
            .shape(extents(shape))
            .create(path)
            .map_err(|e| self.failure(path, "cannot create the dataset", e));
        self.comm.agree(built).map(|_| ())
    }

    fn dataset(&self, path: &str) -> Result<Dataset> {
        let found = if self.exists(path) {
            self.file.dataset(path).map_err(|e| self.failure(path, "cannot open the dataset", e))
        } else {
            Err(Error::Storage(format!("{}: there is no dataset {path}", self.label)))
        };
        self.comm.agree(found)
    }

    /// The shape of a dataset.
    pub fn shape(&self, path: &str) -> Result<Vec<u64>> {
        let dataset = self.dataset(path)?;
        collective::extent(&dataset).map_err(|e| self.failure(path, "cannot read the shape", e))
    }

    /// Where a contiguous dataset starts in the file, in bytes; `None` when it holds nothing.
    pub fn offset(&self, path: &str) -> Result<Option<u64>> {
        Ok(self.dataset(path)?.offset())
    }

    /// Writes this rank's slab of a dataset; ranks may give different slabs, also empty ones.
    pub fn write<T: Element>(&self, path: &str, slab: &Slab, values: &[T]) -> Result<()> {
        let dataset = self.dataset(path)?;
        let label = format!("{}: {path}", self.label);
        collective::write(&self.comm, &self.transfer, &dataset, slab, values, &label)
    }

    /// Reads this rank's slab of a dataset; ranks may give different slabs, also empty ones.
    pub fn read<T: Element>(&self, path: &str, slab: &Slab) -> Result<Vec<T>> {
        let dataset = self.dataset(path)?;
        let label = format!("{}: {path}", self.label);
        collective::read(&self.comm, &self.transfer, &dataset, slab, &label)
    }

    /// Writes whole rows (indices of the first axis) from row `first` on.
    pub fn write_rows<T: Element>(&self, path: &str, first: u64, values: &[T]) -> Result<()> {
        let shape = self.shape(path)?;
        let width: u64 = shape.iter().skip(1).product();
        self.write(path, &rows(&shape, &[], first, values.len() as u64 / width.max(1)), values)
    }

    /// Reads whole rows (indices of the first axis).
    pub fn read_rows<T: Element>(&self, path: &str, range: Range<u64>) -> Result<Vec<T>> {
        let shape = self.shape(path)?;
        self.read(path, &rows(&shape, &[], range.start, range.end.saturating_sub(range.start)))
    }

    /// Writes rows (indices of the second axis) of one index `step` of the first axis.
    pub fn write_step<T: Element>(&self, path: &str, step: u64, first: u64, values: &[T]) -> Result<()> {
        self.write_below(path, &[step], first, values)
    }

    /// Reads rows (indices of the second axis) of one index `step` of the first axis.
    pub fn read_step<T: Element>(&self, path: &str, step: u64, range: Range<u64>) -> Result<Vec<T>> {
        self.read_below(path, &[step], range)
    }

    /// Writes rows (indices of the axis after those of `lead`) below fixed indices of the leading axes.
    pub(super) fn write_below<T: Element>(
        &self,
        path: &str,
        lead: &[u64],
        first: u64,
        values: &[T],
    ) -> Result<()> {
        let shape = self.shape(path)?;
        let width: u64 = shape.iter().skip(lead.len() + 1).product();
        self.write(path, &rows(&shape, lead, first, values.len() as u64 / width.max(1)), values)
    }

    /// The inverse of [`File::write_below`].
    pub(super) fn read_below<T: Element>(
        &self,
        path: &str,
        lead: &[u64],
        range: Range<u64>,
    ) -> Result<Vec<T>> {
        let shape = self.shape(path)?;
        self.read(path, &rows(&shape, lead, range.start, range.end.saturating_sub(range.start)))
    }

    /// Makes a small dataset whose values every rank holds, and writes it (from rank 0).
    pub fn write_array<T: Element>(&self, path: &str, shape: &[u64], values: &[T]) -> Result<()> {
        self.create_dataset::<T>(path, shape)?;
        self.update_array(path, values)
    }

    /// Writes all of an existing small dataset whose values every rank holds (from rank 0).
    pub fn update_array<T: Element>(&self, path: &str, values: &[T]) -> Result<()> {
        let shape = self.shape(path)?;
        let start = vec![0; shape.len()];
        if self.comm.rank() == 0 {
            self.write(path, &Slab { start, count: shape }, values)
        } else {
            self.write::<T>(path, &Slab { start, count: vec![0; shape.len()] }, &[])
        }
    }

    /// Reads all of a small dataset on every rank: its shape and its values.
    pub fn read_array<T: Element>(&self, path: &str) -> Result<(Vec<u64>, Vec<T>)> {
        let shape = self.shape(path)?;
        let values = self.read(path, &Slab { start: vec![0; shape.len()], count: shape.clone() })?;
        Ok((shape, values))
    }

    /// Sends everything to the disk: a kill after it leaves a readable file.
    pub fn flush(&self) -> Result<()> {
        self.comm.agree(self.file.flush().map_err(|e| self.failure("/", "cannot flush", e)))
    }

    /// Makes sure that there is room on the disk for so many bytes of the file, where the file system can do that.
    ///
    /// # Errors
    /// [`Error::Storage`] when there is not.
    pub fn reserve(&self, bytes: u64) -> Result<()> {
        let file = match self.comm.rank() {
            0 => std::fs::OpenOptions::new().write(true).open(&self.path),
            _ => return self.comm.agree(Ok(())),
        };
        let reserved = file.and_then(|file| reserve(&file, bytes));
        self.comm.agree(reserved.map_err(|e| no_room(&self.label, bytes, &e)))
    }

    /// Closes the file and reports what HDF5 says.
    pub fn close(self) -> Result<()> {
        let Self { comm, label, file, transfer, .. } = self;
        drop(transfer);
        let closed = file.close();
        comm.agree(closed.map_err(|e| Error::Storage(format!("{label}: cannot close: {}", message(e)))))
    }
}

/// Takes room on the disk for the first bytes of a file, whose length stays; nothing where the file system cannot.
pub(super) fn reserve(file: &std::fs::File, bytes: u64) -> std::io::Result<()> {
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, bytes.max(1)) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        other => Ok(other?),
    }
}

pub(super) fn no_room(label: &str, bytes: u64, error: &std::io::Error) -> Error {
    let size = crate::report::bytes(bytes as f64);
    Error::Storage(format!("{label}: there is no room for {size}: {error}"))
}

/// The slab of `count` rows from `first`, below the fixed leading indices `lead`.
fn rows(shape: &[u64], lead: &[u64], first: u64, count: u64) -> Slab {
    let mut start = vec![0; shape.len()];
    let mut counts = shape.to_vec();
    for (axis, &index) in lead.iter().enumerate().take(shape.len()) {
        (start[axis], counts[axis]) = (index, 1);
    }
    if let Some(axis) = Some(lead.len()).filter(|&a| a < shape.len()) {
        (start[axis], counts[axis]) = (first, count);
    }
    Slab { start, count: counts }
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
