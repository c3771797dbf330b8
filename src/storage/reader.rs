//! Files read by one process without MPI: for descriptions, exports and XDMF.
use super::attribute::{self, Value};
use super::collective::{self, Element, Slab, message};
use super::field::{self, Field, field_path};
use super::file::{exists, signature};
use crate::error::{Error, Result};
use hdf5::LocationType;
use std::path::{Path, PathBuf};

/// An HDF5 file open for reading by this process alone. Needs no MPI.
pub struct Reader {
    path: PathBuf,
    file: hdf5::File,
}

impl Reader {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::Input`] when it is missing, unreadable or not HDF5.
    pub fn open(path: &Path) -> Result<Self> {
        let fault = |why: String| Error::input(path.display().to_string(), format!("cannot open: {why}"));
        signature(path).map_err(fault)?;
        let file = hdf5::File::open(path).map_err(|e| fault(message(e)))?;
        Ok(Self { path: path.to_path_buf(), file })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn failure(&self, object: &str, why: impl std::fmt::Display) -> Error {
        Error::storage(format!("{}: {object}: {why}", self.path.display()))
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

    /// Paths of all datasets below a group, in alphabetical order.
    pub fn datasets(&self, group: &str) -> Vec<String> {
        let (mut found, mut seen) = (Vec::new(), Vec::new());
        let mut pending = vec![group.trim_end_matches('/').to_string()];
        while let Some(path) = pending.pop() {
            let here = if path.is_empty() { Ok((*self.file).clone()) } else { self.file.group(&path) };
            // Links may lead back to a group above.
            let Ok((here, token)) = here.and_then(|here| here.loc_info().map(|info| (here, info.token)))
            else {
                continue;
            };
            if seen.contains(&token) {
                continue;
            }
            seen.push(token);
            for name in here.member_names().unwrap_or_default() {
                let inner = format!("{path}/{name}");
                match here.loc_type_by_name(&name) {
                    Ok(LocationType::Dataset) => found.push(inner),
                    Ok(LocationType::Group) => pending.push(inner),
                    _ => {}
                }
            }
        }
        found.sort();
        found
    }

    /// An attribute of the object at `path` ("/" for the file).
    ///
    /// # Errors
    /// [`Error::Storage`] when it has a type that Tessera does not write.
    pub fn get(&self, path: &str, name: &str) -> Result<Option<Value>> {
        attribute::get(&self.file, path, name).map_err(|e| self.failure(path, message(e)))
    }

    /// A text attribute, empty when there is none.
    ///
    /// # Errors
    /// As [`Reader::get`].
    pub fn text(&self, path: &str, name: &str) -> Result<String> {
        Ok(self.get(path, name)?.map_or(String::new(), |value| value.to_string()))
    }

    /// An attribute that is a list of texts, empty when there is none.
    ///
    /// # Errors
    /// As [`Reader::get`].
    pub fn texts(&self, path: &str, name: &str) -> Result<Vec<String>> {
        Ok(match self.get(path, name)? {
            Some(Value::Texts(texts)) => texts,
            Some(other) => vec![other.to_string()],
            None => Vec::new(),
        })
    }

    fn dataset(&self, path: &str) -> Result<hdf5::Dataset> {
        if !self.exists(path) {
            return Err(Error::storage(format!("{}: there is no dataset {path}", self.path.display())));
        }
        self.file.dataset(path).map_err(|e| self.failure(path, message(e)))
    }

    /// The shape of a dataset.
    ///
    /// # Errors
    /// [`Error::Storage`] when there is no such dataset.
    pub fn shape(&self, path: &str) -> Result<Vec<u64>> {
        collective::extent(&self.dataset(path)?).map_err(|e| self.failure(path, message(e)))
    }

    /// Where a contiguous dataset starts in the file, in bytes; `None` when it holds nothing.
    ///
    /// # Errors
    /// [`Error::Storage`] when there is no such dataset.
    pub fn offset(&self, path: &str) -> Result<Option<u64>> {
        Ok(self.dataset(path)?.offset())
    }

    /// All of a dataset: its shape and its values.
    ///
    /// # Errors
    /// [`Error::Storage`] when there is no such dataset, or its values are of another type or cannot be read.
    pub fn array<T: Element>(&self, path: &str) -> Result<(Vec<u64>, Vec<T>)> {
        let shape = self.shape(path)?;
        let values = self.slab(path, &Slab { start: vec![0; shape.len()], count: shape.clone() })?;
        Ok((shape, values))
    }

    /// A part of a dataset, row-major.
    ///
    /// # Errors
    /// [`Error::Storage`] when there is no such dataset or part, or its values are of another type or cannot be read.
    pub fn slab<T: Element>(&self, path: &str, slab: &Slab) -> Result<Vec<T>> {
        collective::read_alone(&self.dataset(path)?, slab).map_err(|why| self.failure(path, why))
    }

    /// Index `step` of the first axis of a dataset.
    ///
    /// # Errors
    /// As [`Reader::slab`].
    pub fn step<T: Element>(&self, path: &str, step: u64) -> Result<Vec<T>> {
        let mut count = self.shape(path)?;
        let mut start = vec![0; count.len()];
        if let (Some(first), Some(length)) = (start.first_mut(), count.first_mut()) {
            (*first, *length) = (step, 1);
        }
        self.slab(path, &Slab { start, count })
    }

    /// Which of so many steps of a file's fields hold something: of a run all; of a campaign those of the samples that are
    /// done, counted through all samples.
    ///
    /// # Errors
    /// As [`Reader::slab`].
    pub fn stored(&self, count: u64) -> Result<Vec<u64>> {
        if !self.exists("/status") {
            return Ok((0..count).collect());
        }
        let codes = self.array::<u8>("/status")?.1;
        // In time a sample has several steps, one after the other, and maybe room for more.
        let each = (count / codes.len().max(1) as u64).max(1);
        let steps =
            if self.exists("/steps") { self.array::<u64>("/steps")?.1 } else { vec![each; codes.len()] };
        let holds = |step: &u64| {
            let sample = (step / each) as usize;
            codes.get(sample) == Some(&1) && steps.get(sample).is_some_and(|&steps| step % each < steps)
        };
        Ok((0..count).filter(holds).collect())
    }

    /// Rows from `first` on of a step of the array of a field, all components; of a campaign in time the steps of the
    /// first sample come first.
    ///
    /// # Errors
    /// As [`Reader::slab`].
    pub fn field_rows(&self, path: &str, step: u64, first: u64, rows: u64) -> Result<Vec<f64>> {
        let shape = self.shape(path)?;
        let mut start = field::lead(&shape, step);
        let mut count = vec![1; start.len()];
        start.extend([first, 0]);
        count.extend([rows, shape.last().copied().unwrap_or(1)]);
        self.slab(path, &Slab { start, count })
    }

    /// What the file says of the array of a field at `path`, and its number of steps.
    ///
    /// # Errors
    /// [`Error::Storage`] when there is no such array, or it does not say what it is.
    pub fn field_at(&self, path: &str, name: &str) -> Result<(Field, u64)> {
        field::parse(&self.file, path, name, &self.shape(path)?).map_err(|why| self.failure(path, why))
    }

    /// The fields with their numbers of steps.
    ///
    /// # Errors
    /// [`Error::Storage`] when one of them does not say what it is.
    pub fn fields(&self) -> Result<Vec<(Field, u64)>> {
        self.members("/fields").iter().map(|name| self.field_at(&field_path(name), name)).collect()
    }
}
