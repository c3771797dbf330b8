//! Files of which every byte is guarded by a checksum.
//!
//! Behind the HDF5 file, where HDF5 does not look, stands a table in JSON with the place and the CRC-32 of each dataset
//! and the CRC-32 of all other bytes; then the table's length (u64) and its CRC-32 (u32), little-endian, and
//! [`MAGIC`]. So damage is found before HDF5 reads a damaged file, and it has a name.
use super::checksum::{checksum, checksum_alone};
use super::file::{File, no_room, reserve};
use super::result::{ResultFile, temporary};
use crate::error::{Error, Result};
use crate::parallel::{Comm, block};
use crc32fast::Hasher;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The last bytes of a sealed file.
const MAGIC: &[u8; 8] = b"TESSERA\n";
/// Length of the table, its checksum, [`MAGIC`].
const TAIL: u64 = 8 + 4 + 8;
/// More bytes than the metadata of a file with some dozen datasets take.
const METADATA: u64 = 1 << 17;
/// Bytes read at once.
const PIECE: u64 = 1 << 20;

/// What guards a file.
#[derive(Debug, Serialize, Deserialize)]
struct Table {
    /// Length of the HDF5 file, bytes.
    bytes: u64,
    /// CRC-32 of all bytes of it that are in no dataset.
    rest: u32,
    datasets: Vec<Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    path: String,
    /// First byte in the file.
    offset: u64,
    bytes: u64,
    crc32: u32,
}

/// A file that is written and will be sealed. All methods are collective.
pub struct Sealing {
    file: ResultFile,
    entries: Vec<Entry>,
}

impl Sealing {
    /// See [`ResultFile::create`]; the datasets will have so many bytes.
    ///
    /// # Errors
    /// When the disk has no room for them: HDF5 1.10 does not recover from that while it writes.
    pub fn create(comm: &Comm, path: &Path, bytes: u64) -> Result<Self> {
        let bytes = bytes + METADATA;
        comm.agree(match comm.rank() {
            0 => try_room(path, bytes),
            _ => Ok(()),
        })?;
        let file = ResultFile::create(comm, path)?;
        file.reserve(bytes)?;
        Ok(Self { file, entries: Vec::new() })
    }

    /// The file, for groups and attributes.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Makes a dataset and writes this rank's rows of it, from row `first` on; the ranks' rows follow one another.
    /// A dataset without entries is left out.
    ///
    /// # Errors
    /// As [`File::create_dataset`].
    pub fn write(&mut self, path: &str, shape: &[u64], first: u64, values: &[f64]) -> Result<()> {
        let entries: u64 = shape.iter().product();
        if entries == 0 {
            return Ok(());
        }
        self.file.create_dataset::<f64>(path, shape)?;
        self.file.write_rows(path, first, values)?;
        self.enter(path, 8 * entries, checksum(self.file.comm(), values))
    }

    /// Makes a small dataset whose values every rank holds. One without entries is left out.
    ///
    /// # Errors
    /// As [`File::create_dataset`].
    pub fn write_array(&mut self, path: &str, shape: &[u64], values: &[f64]) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        self.file.write_array(path, shape, values)?;
        self.enter(path, size_of_val(values) as u64, checksum_alone(values))
    }

    fn enter(&mut self, path: &str, bytes: u64, crc32: u32) -> Result<()> {
        let missing = || Error::storage(format!("{}: {path} has no place", self.file.label()));
        let offset = self.file.offset(path)?.ok_or_else(missing)?;
        self.entries.push(Entry { path: path.into(), offset, bytes, crc32 });
        Ok(())
    }

    /// Sends everything to the disk, seals the file and gives it its name; its size in bytes.
    ///
    /// # Errors
    /// As [`ResultFile::finish`].
    pub fn finish(self) -> Result<u64> {
        self.file.flush()?;
        let datasets = self.entries;
        self.file.finish_with(|path| seal(path, datasets))
    }
}

/// Finds out whether there is room for a file, before HDF5 starts one.
fn try_room(path: &Path, bytes: u64) -> Result<()> {
    let label = path.display().to_string();
    if let Some(folder) = path.parent() {
        // What fails here gets its message from the file's creation.
        let _ = std::fs::create_dir_all(folder);
    }
    let name = temporary(path);
    let Ok(file) = OpenOptions::new().write(true).create(true).truncate(true).open(&name) else {
        return Ok(());
    };
    reserve(&file, 0, bytes).map_err(|e| {
        let _ = std::fs::remove_file(&name);
        no_room(&label, bytes, &e)
    })
}

/// Appends the table to a closed file.
fn seal(path: &Path, datasets: Vec<Entry>) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).open(path)?;
    let bytes = file.metadata()?.len();
    let rest = rest(&file, bytes, &datasets)?;
    let mut tail = serde_json::to_vec(&Table { bytes, rest, datasets })?;
    let (length, crc) = (tail.len() as u64, crc32fast::hash(&tail));
    tail.extend(length.to_le_bytes());
    tail.extend(crc.to_le_bytes());
    tail.extend(MAGIC);
    file.write_all(&tail)?;
    // Gives back what was reserved and not needed.
    file.set_len(bytes + tail.len() as u64)
}

/// CRC-32 of the bytes that are in no dataset.
fn rest(file: &std::fs::File, bytes: u64, datasets: &[Entry]) -> io::Result<u32> {
    let mut taken: Vec<(u64, u64)> = datasets.iter().map(|d| (d.offset, d.offset + d.bytes)).collect();
    taken.push((bytes, bytes));
    taken.sort_unstable();
    let (mut hasher, mut buffer, mut at) = (Hasher::new(), Vec::new(), 0);
    for (start, end) in taken {
        while at < start {
            buffer.resize((start - at).min(PIECE) as usize, 0);
            file.read_exact_at(&mut buffer, at)?;
            hasher.update(&buffer);
            at += buffer.len() as u64;
        }
        at = at.max(end);
    }
    Ok(hasher.finalize())
}

/// This rank's rows of a dataset: its [`block`] of the first axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Shape over all ranks.
    pub shape: Vec<u64>,
    /// This rank's values, row-major.
    pub values: Vec<f64>,
}

/// A sealed file open for reading, whose datasets have been found undamaged. All methods are collective.
pub struct Sealed {
    file: File,
    arrays: HashMap<String, Array>,
}

impl Sealed {
    /// Opens a file and reads its datasets, each rank its share, checking all of it. `look` sees the file's attributes
    /// before the datasets are read.
    ///
    /// # Errors
    /// [`Error::Storage`] that names what is damaged; [`Error::Input`] when the file is missing; those of `look`.
    pub fn open(comm: &Comm, path: &Path, look: impl FnOnce(&File) -> Result<()>) -> Result<Self> {
        let mut bytes = comm.agree(match comm.rank() {
            0 => table(path),
            _ => Ok(Vec::new()),
        })?;
        comm.broadcast_bytes(0, &mut bytes);
        let table: Table = serde_json::from_slice(&bytes)
            .map_err(|e| damaged(path, format!("its table of checksums cannot be read: {e}")))?;
        let file = File::open(comm, path)?;
        look(&file)?;
        let mut arrays = HashMap::new();
        for entry in table.datasets {
            let shape = file.shape(&entry.path)?;
            let rows = block(shape.first().copied().unwrap_or(0), comm.size(), comm.rank());
            let values: Vec<f64> = file.read_rows(&entry.path, rows)?;
            let found = checksum(comm, &values);
            if found != entry.crc32 {
                let (name, expected) = (&entry.path, entry.crc32);
                let what =
                    format!("its dataset {name} has the checksum {found:08x} instead of {expected:08x}");
                return Err(damaged(path, what));
            }
            arrays.insert(entry.path, Array { shape, values });
        }
        Ok(Self { file, arrays })
    }

    /// The file, for attributes.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// This rank's share of a dataset; `None` when the file has none of that name, or one without entries.
    pub fn array(&self, path: &str) -> Option<&Array> {
        self.arrays.get(path)
    }

    /// All of a small dataset on every rank; empty when the file has none of that name.
    pub fn whole(&self, path: &str) -> Vec<f64> {
        self.array(path).map_or(Vec::new(), |array| self.file.comm().all_gather_varied(&array.values))
    }
}

fn damaged(path: &Path, what: String) -> Error {
    Error::storage(format!("{}: damaged: {what}", path.display()))
}

/// Reads and checks the table of a sealed file, and the bytes outside its datasets. Local.
fn table(path: &Path) -> Result<Vec<u8>> {
    let unreadable =
        |e: io::Error| Error::storage(format!("{}: cannot read: {e}", path.display())).because(e);
    let file = std::fs::File::open(path)
        .map_err(|e| Error::input(path.display().to_string(), format!("cannot open: {e}")))?;
    let length = file.metadata().map_err(unreadable)?.len();
    let cut = || damaged(path, format!("its end is missing or damaged ({length} bytes are left)"));
    let start = length.checked_sub(TAIL).ok_or_else(cut)?;
    let mut tail = [0u8; TAIL as usize];
    file.read_exact_at(&mut tail, start).map_err(unreadable)?;
    let (size, rest_of_tail) = tail.split_at(8);
    let (crc, magic) = rest_of_tail.split_at(4);
    if magic != MAGIC {
        return Err(cut());
    }
    let size = u64::from_le_bytes(size.try_into().expect("eight bytes"));
    let crc = u32::from_le_bytes(crc.try_into().expect("four bytes"));
    let bytes = start.checked_sub(size).ok_or_else(cut)?;
    let mut json = vec![0u8; size as usize];
    file.read_exact_at(&mut json, bytes).map_err(unreadable)?;
    let parsed = serde_json::from_slice::<Table>(&json);
    let table = match parsed {
        Ok(table) if crc32fast::hash(&json) == crc && table.bytes == bytes => table,
        _ => return Err(damaged(path, "its table of checksums does not have its own checksum".into())),
    };
    let found = rest(&file, bytes, &table.datasets).map_err(unreadable)?;
    if found != table.rest {
        let expected = table.rest;
        let what = format!("its metadata have the checksum {found:08x} instead of {expected:08x}");
        return Err(damaged(path, what));
    }
    Ok(json)
}
