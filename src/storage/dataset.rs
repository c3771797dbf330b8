//! The dataset of a campaign: many samples in one file, written while they finish.
//!
//! All metadata and all room are made when the file is created and sent to the disk before the file gets
//! its name. A sample only overwrites numbers in place, its status last, so a kill at any moment leaves a
//! readable file that says which samples are complete.
use super::field::Field;
use super::file::File;
use super::layout::{Provenance, Samples, Schema};
use super::result::ResultFile;
use crate::error::{Error, Result};
use crate::parallel::{Comm, block};
use std::path::Path;

const NUMBERS: &str = "/sample";
pub(super) const STATUS: &str = "/status";
pub(super) const TIMES: &str = "/time";
pub(super) const STEPS: &str = "/steps";
pub(super) const FULL: &str = "/full";
pub(super) const ITERATIONS: &str = "/cost/iterations";
pub(super) const TIME: &str = "/cost/time";
pub(super) const FAILURE: &str = "/failure";
pub(super) const RETRIED: &str = "/retried";
/// Most numbers of a table over samples and steps, which every rank holds while it is made.
const LARGEST_TABLE: usize = 1 << 28;
/// Bytes of a text in [`FAILURE`] and [`RETRIED`].
pub(super) const TEXT: usize = 240;

/// How far a sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Not yet solved, or stopped in the middle.
    Pending,
    /// Solved and stored.
    Done,
    /// Given up; its values mean nothing.
    Failed,
    /// Not solved: the reduced model of an adaptive design was good enough without it.
    Spare,
}

impl Status {
    /// States from the numbers that stand for them in files.
    pub fn of_codes(codes: &[u8]) -> Vec<Self> {
        let status = |&code: &u8| match code {
            1 => Self::Done,
            2 => Self::Failed,
            3 => Self::Spare,
            _ => Self::Pending,
        };
        codes.iter().map(status).collect()
    }

    /// The number that stands for it in files.
    pub fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Done => 1,
            Self::Failed => 2,
            Self::Spare => 3,
        }
    }
}

/// When samples in time are stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Moments {
    /// At these times (s), the same of all samples.
    Shared(Vec<f64>),
    /// At the start and at the end of every accepted step, each sample at times of its own: there is room for so many.
    Steps(usize),
}

impl Moments {
    /// So many have room.
    pub fn count(&self) -> usize {
        match self {
            Self::Shared(times) => times.len(),
            Self::Steps(room) => *room,
        }
    }
}

/// What a dataset has room for.
#[derive(Debug, Clone, Copy)]
pub struct Room<'a> {
    /// The samples.
    pub samples: &'a Samples,
    /// When they are stored, if the problem evolves in time.
    pub moments: Option<&'a Moments>,
    /// Whether fields have numbers of single precision.
    pub single: bool,
}

/// A quantity of interest: name, unit, meaning.
pub type Quantity<'a> = (&'a str, &'a str, &'a str);

/// A dataset open for reading or for writing samples. Its methods are collective.
pub struct DatasetFile {
    pub(super) file: File,
    pub(super) samples: usize,
    /// Steps that are stored of each sample; 1 of a steady problem.
    pub(super) steps: usize,
}

impl DatasetFile {
    /// Creates the file with room for all samples and their steps, and opens it for writing; `setup` adds what the
    /// samples share, such as the mesh. `first` is a dataset of the first samples, whose rows are copied; under the same
    /// name it is replaced when all is there. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when the file system refuses or there is no room for all of it, or `first` cannot be read; those
    /// of `setup`.
    #[allow(clippy::too_many_arguments)]
    pub fn create(
        comm: &Comm,
        path: &Path,
        provenance: &Provenance,
        Room { samples, moments, single }: Room,
        fields: &[Field],
        quantities: &[Quantity],
        first: Option<Self>,
        setup: impl FnOnce(&File) -> Result<()>,
    ) -> Result<Self> {
        let count = samples.count as u64;
        let steps = moments.map_or(1, Moments::count);
        if samples.count.checked_mul(steps).is_none_or(|entries| entries > LARGEST_TABLE) {
            let text = format!("{}: there is no room for {steps} steps of {count} samples", path.display());
            return Err(Error::storage(text));
        }
        let file = ResultFile::create(comm, path)?;
        file.describe(Schema::Dataset, provenance)?;
        setup(&file)?;
        file.write_parameters(samples)?;
        file.write_array(STATUS, &[count], &vec![Status::Pending.code(); samples.count])?;
        file.set(STATUS, "meaning", "0 pending, 1 done, 2 failed, 3 not needed")?;
        for (path, unit, meaning) in [
            (ITERATIONS, "1", "iterations of the linear solver"),
            (TIME, "s", "wall-clock time of the sample"),
        ] {
            file.write_array(path, &[count], &vec![f64::NAN; samples.count])?;
            file.set(path, "unit", unit)?;
            file.set(path, "meaning", meaning)?;
        }
        match moments {
            None => {}
            Some(Moments::Shared(times)) => file.write_times(times)?,
            Some(&Moments::Steps(room)) => {
                let shape = [count, room as u64];
                file.write_array(TIMES, &shape, &vec![f64::NAN; samples.count * room])?;
                file.set(TIMES, "unit", "s")?;
                file.set(TIMES, "meaning", "times of the steps of each sample, NaN behind the last")?;
                file.write_array(STEPS, &[count], &vec![0u64; samples.count])?;
                file.set(
                    STEPS,
                    "meaning",
                    "number of steps that are stored of each sample, the start included",
                )?;
            }
        }
        for (path, meaning) in [
            (FAILURE, "why a failed sample failed: UTF-8, filled up with zeros"),
            (RETRIED, "why the first attempt failed, where there was a second: UTF-8, filled up with zeros"),
        ] {
            file.create_dataset::<u8>(path, &[count, TEXT as u64])?;
            file.set(path, "meaning", meaning)?;
        }
        for field in fields {
            let lead = [&[count][..], moments.map(|m| m.count() as u64).as_slice()].concat();
            file.create_field_of_samples(field, &lead, single)?;
        }
        for &(name, unit, meaning) in quantities {
            let path = format!("/qoi/{name}");
            let shape = [&[count][..], moments.map(|m| m.count() as u64).as_slice()].concat();
            file.write_array(&path, &shape, &vec![f64::NAN; shape.iter().product::<u64>() as usize])?;
            file.set(&path, "unit", unit)?;
            file.set(&path, "meaning", meaning)?;
        }
        if let Some(first) = first {
            first.copy_to(&file)?;
            first.close()?;
        }
        // Not after days that the disk is full.
        file.reserve_all()?;
        file.finish()?;
        Self::open(comm, path, true)
    }

    /// Opens a dataset, `writable` to go on with it. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when it is no dataset, or of a newer version; [`Error::Storage`] when it may not be changed
    /// but should.
    pub fn open(comm: &Comm, path: &Path, writable: bool) -> Result<Self> {
        let file = if writable { File::open_writable(comm, path)? } else { File::open(comm, path)? };
        file.expect(Schema::Dataset)?;
        let samples = file.shape(STATUS)?.first().copied().unwrap_or(0) as usize;
        // Of all samples, or of each.
        let steps =
            if file.exists(TIMES) { file.shape(TIMES)?.last().copied().unwrap_or(1) as usize } else { 1 };
        Ok(Self { file, samples, steps })
    }

    /// The file itself, for the mesh and for attributes.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Number of samples. Local.
    pub fn len(&self) -> usize {
        self.samples
    }

    /// Whether there are no samples. Local.
    pub fn is_empty(&self) -> bool {
        self.samples == 0
    }

    /// The parameters of all samples.
    ///
    /// # Errors
    /// [`Error::Storage`] when the file has none.
    pub fn samples(&self) -> Result<Samples> {
        self.file.parameters()
    }

    /// Writes the numbers that the samples have in the undivided campaign, when the file is created.
    ///
    /// # Errors
    /// [`Error::Storage`] when HDF5 or the file system refuses.
    pub fn write_numbers(file: &File, numbers: &[usize]) -> Result<()> {
        let numbers: Vec<u64> = numbers.iter().map(|&number| number as u64).collect();
        file.write_array(NUMBERS, &[numbers.len() as u64], &numbers)?;
        file.set(NUMBERS, "meaning", "number in the undivided campaign")
    }

    /// The numbers of the samples in the undivided campaign, from 0.
    ///
    /// # Errors
    /// [`Error::Storage`] when they cannot be read.
    pub fn numbers(&self) -> Result<Vec<usize>> {
        if !self.file.exists(NUMBERS) {
            // Of an older version, which knew no parts.
            return Ok((0..self.samples).collect());
        }
        let (_, numbers) = self.file.read_array::<u64>(NUMBERS)?;
        Ok(numbers.iter().map(|&number| number as usize).collect())
    }

    /// Copies the samples to the first rows of a file made for more of them. Collective.
    fn copy_to(&self, file: &File) -> Result<()> {
        let comm = file.comm();
        let at_root = |values: Vec<f64>| if comm.rank() == 0 { values } else { Vec::new() };
        let (_, status) = self.file.read_array::<u8>(STATUS)?;
        file.write_rows(STATUS, 0, if comm.rank() == 0 { &status } else { &[] })?;
        for path in [FAILURE, RETRIED] {
            if self.file.exists(path) {
                let (_, texts) = self.file.read_array::<u8>(path)?;
                file.write_rows(path, 0, if comm.rank() == 0 { &texts } else { &[] })?;
            }
        }
        let quantities = self.file.members("/qoi").into_iter().map(|name| format!("/qoi/{name}"));
        let times = self.file.exists(STEPS).then(|| TIMES.to_string());
        let full = self.file.exists(FULL).then(|| FULL.to_string());
        let costs = [ITERATIONS.to_string(), TIME.to_string()].into_iter().chain(full);
        for path in costs.chain(quantities).chain(times) {
            file.write_rows(&path, 0, &at_root(self.file.read_array(&path)?.1))?;
        }
        if self.file.exists(STEPS) {
            let (_, steps) = self.file.read_array::<u64>(STEPS)?;
            file.write_rows(STEPS, 0, if comm.rank() == 0 { &steps } else { &[] })?;
        }
        let done = self.done()?;
        for group in ["/fields", "/inputs", "/coefficients"] {
            for name in self.file.members(group) {
                let path = format!("{group}/{name}");
                let entries = self.file.shape(&path)?.get(1).copied().unwrap_or(0);
                let range = block(entries, comm.size(), comm.rank());
                let single = file.is_single(&path)?;
                for &sample in &done {
                    let row = sample as u64;
                    if single {
                        let values: Vec<f32> = self.file.read_step(&path, row, range.clone())?;
                        file.write_step(&path, row, range.start, &values)?;
                    } else {
                        let values: Vec<f64> = self.file.read_step(&path, row, range.clone())?;
                        file.write_step(&path, row, range.start, &values)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether it holds all samples of a design (otherwise only its first ones), and refuses to go on with that of another.
    ///
    /// # Errors
    /// [`Error::Input`] that says what differs.
    pub fn expect_samples(&self, wanted: &Samples, numbers: &[usize]) -> Result<bool> {
        let found = self.samples()?;
        let label = self.file.label();
        if found.names != wanted.names {
            let (there, here) = (found.names.join(", "), wanted.names.join(", "));
            return Err(Error::input(label, format!("its parameters are {there}, those of the deck {here}")));
        }
        // What an adaptive design has yet to choose fits anything, but it does not grow.
        let same = |(wanted, found): (&f64, &f64)| wanted.is_nan() || wanted == found;
        let begins = wanted.values.len() >= found.values.len()
            && wanted.values.iter().zip(&found.values).all(same)
            && (found.count == wanted.count || !wanted.values.iter().any(|value| value.is_nan()));
        // A part of a campaign of another size has other numbers.
        if begins && numbers.starts_with(&self.numbers()?) {
            return Ok(found.count == wanted.count);
        }
        Err(Error::input(
            label,
            format!(
                "it holds another design ({} samples, the deck asks for {}); remove it, or name another file",
                found.count, wanted.count
            ),
        ))
    }

    /// How far every sample is.
    ///
    /// # Errors
    /// [`Error::Storage`] when the file does not say.
    pub fn status(&self) -> Result<Vec<Status>> {
        Ok(Status::of_codes(&self.file.read_array::<u8>(STATUS)?.1))
    }

    /// Samples that are done, ascending.
    ///
    /// # Errors
    /// As [`DatasetFile::status`].
    pub fn done(&self) -> Result<Vec<usize>> {
        let status = self.status()?;
        Ok((0..status.len()).filter(|&i| status[i] == Status::Done).collect())
    }

    /// When samples are stored; `None` for a steady problem.
    ///
    /// # Errors
    /// [`Error::Storage`] when it cannot be read.
    pub fn moments(&self) -> Result<Option<Moments>> {
        Ok(match (self.file.exists(TIMES), self.file.exists(STEPS)) {
            (false, _) => None,
            (true, true) => Some(Moments::Steps(self.steps)),
            (true, false) => Some(Moments::Shared(self.file.read_array(TIMES)?.1)),
        })
    }

    /// The times (s) of the steps that are stored of a sample; none for a steady problem.
    ///
    /// # Errors
    /// [`Error::Storage`] when they cannot be read, or do not fit the room for them.
    pub fn times(&self, sample: usize) -> Result<Vec<f64>> {
        if !self.file.exists(TIMES) {
            return Ok(Vec::new());
        }
        if !self.file.exists(STEPS) {
            return Ok(self.file.read_array(TIMES)?.1);
        }
        let row = sample as u64..sample as u64 + 1;
        let steps = self.file.read_rows::<u64>(STEPS, row.clone())?.first().copied().unwrap_or(0) as usize;
        let mut times = self.file.read_rows::<f64>(TIMES, row)?;
        if steps > times.len() {
            let label = self.file.label();
            let text =
                format!("{label}: {STEPS} of sample {sample} is {steps}, more than {} times", times.len());
            return Err(Error::storage(text));
        }
        times.truncate(steps);
        Ok(times)
    }

    /// Whether the fields have numbers of single precision.
    ///
    /// # Errors
    /// [`Error::Storage`] when it cannot be read.
    pub fn is_single(&self) -> Result<bool> {
        let first = self.file.fields().into_iter().next();
        first.map_or(Ok(false), |name| self.file.is_single(&super::field::field_path(&name)))
    }

    /// Closes the file.
    ///
    /// # Errors
    /// [`Error::Storage`] when what was written does not reach the disk.
    pub fn close(self) -> Result<()> {
        self.file.close()
    }
}
