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
use crate::parallel::{Comm, Redistribution, block};
use std::path::Path;

const NUMBERS: &str = "/sample";
const STATUS: &str = "/status";
const TIMES: &str = "/time";
const ITERATIONS: &str = "/cost/iterations";
const TIME: &str = "/cost/time";
const FAILURE: &str = "/failure";
const RETRIED: &str = "/retried";
/// Bytes of a text in [`FAILURE`] and [`RETRIED`].
const TEXT: usize = 240;

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

/// A quantity of interest: name, unit, meaning.
pub type Quantity<'a> = (&'a str, &'a str, &'a str);

/// A dataset open for reading or for writing samples. Its methods are collective.
pub struct DatasetFile {
    file: File,
    samples: usize,
    /// Steps that are stored of each sample; 1 of a steady problem.
    steps: usize,
}

impl DatasetFile {
    /// Creates the file with room for all samples, and for their steps at `times` if the problem evolves in time, and
    /// opens it for writing; `setup` adds what the samples share, such as the mesh. `first` is a dataset of the first
    /// samples, whose rows are copied; under the same name it is replaced when all is there. Collective.
    #[allow(clippy::too_many_arguments)]
    pub fn create(
        comm: &Comm,
        path: &Path,
        provenance: &Provenance,
        (samples, times): (&Samples, Option<&[f64]>),
        fields: &[Field],
        quantities: &[Quantity],
        first: Option<Self>,
        setup: impl FnOnce(&File) -> Result<()>,
    ) -> Result<Self> {
        let count = samples.count as u64;
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
        times.map_or(Ok(()), |times| file.write_times(times))?;
        for (path, meaning) in [
            (FAILURE, "why a failed sample failed: UTF-8, filled up with zeros"),
            (RETRIED, "why the first attempt failed, where there was a second: UTF-8, filled up with zeros"),
        ] {
            file.create_dataset::<u8>(path, &[count, TEXT as u64])?;
            file.set(path, "meaning", meaning)?;
        }
        for field in fields {
            match times {
                Some(times) => file.create_field_in_time(field, count, times.len() as u64)?,
                None => file.create_field(field, count)?,
            }
        }
        for &(name, unit, meaning) in quantities {
            let path = format!("/qoi/{name}");
            let shape = [&[count][..], times.map(|times| times.len() as u64).as_slice()].concat();
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
    pub fn open(comm: &Comm, path: &Path, writable: bool) -> Result<Self> {
        let file = if writable { File::open_writable(comm, path)? } else { File::open(comm, path)? };
        file.expect(Schema::Dataset)?;
        let samples = file.shape(STATUS)?.first().copied().unwrap_or(0) as usize;
        let steps = if file.exists(TIMES) { file.shape(TIMES)?.iter().product::<u64>() as usize } else { 1 };
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
    pub fn samples(&self) -> Result<Samples> {
        self.file.parameters()
    }

    /// Writes the numbers that the samples have in the undivided campaign, when the file is created.
    pub fn write_numbers(file: &File, numbers: &[usize]) -> Result<()> {
        let numbers: Vec<u64> = numbers.iter().map(|&number| number as u64).collect();
        file.write_array(NUMBERS, &[numbers.len() as u64], &numbers)?;
        file.set(NUMBERS, "meaning", "number in the undivided campaign")
    }

    /// The numbers of the samples in the undivided campaign, from 0.
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
        for path in [ITERATIONS.to_string(), TIME.to_string()].into_iter().chain(quantities) {
            file.write_rows(&path, 0, &at_root(self.file.read_array(&path)?.1))?;
        }
        let done = self.done()?;
        for group in ["/fields", "/inputs", "/coefficients"] {
            for name in self.file.members(group) {
                let path = format!("{group}/{name}");
                let entries = self.file.shape(&path)?.get(1).copied().unwrap_or(0);
                let range = block(entries, comm.size(), comm.rank());
                for &sample in &done {
                    let values: Vec<f64> = self.file.read_step(&path, sample as u64, range.clone())?;
                    file.write_step(&path, sample as u64, range.start, &values)?;
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
    pub fn status(&self) -> Result<Vec<Status>> {
        Ok(Status::of_codes(&self.file.read_array::<u8>(STATUS)?.1))
    }

    /// Samples that are done, ascending.
    pub fn done(&self) -> Result<Vec<usize>> {
        let status = self.status()?;
        Ok((0..status.len()).filter(|&i| status[i] == Status::Done).collect())
    }

    /// Times of the steps that are stored of each sample; `None` for a steady problem.
    pub fn times(&self) -> Result<Option<Vec<f64>>> {
        if !self.file.exists(TIMES) {
            return Ok(None);
        }
        Ok(Some(self.file.read_array(TIMES)?.1))
    }

    /// Writes a field of a sample at a step (0 for steady problems): the values of the owned nodes or cells, in the order
    /// of `plan`.
    pub fn write_field(
        &self,
        (sample, step): (usize, usize),
        name: &str,
        plan: &Redistribution,
        values: &[f64],
    ) -> Result<()> {
        self.file.write_field(name, (sample * self.steps + step) as u64, plan, values)
    }

    /// Reads a field of a sample at a step: the values of the owned nodes or cells, in the order of `plan`.
    pub fn read_field(
        &self,
        (sample, step): (usize, usize),
        name: &str,
        plan: &Redistribution,
    ) -> Result<Vec<f64>> {
        self.file.read_field(name, (sample * self.steps + step) as u64, plan)
    }

    /// Writes a quantity of a sample, a value a step; every rank gives the same.
    pub fn write_quantity(&self, sample: usize, name: &str, values: &[f64]) -> Result<()> {
        self.entry(&format!("/qoi/{name}"), sample, values)
    }

    /// The values of a quantity at the last step, one a sample; NaN where the sample is not done.
    pub fn quantity(&self, name: &str) -> Result<Vec<f64>> {
        let (_, values) = self.file.read_array::<f64>(&format!("/qoi/{name}"))?;
        Ok(values.chunks(self.steps.max(1)).filter_map(|steps| steps.last().copied()).collect())
    }

    /// Writes why a sample failed, before it is marked so: the first line of the reason.
    pub fn write_failure(&self, sample: usize, reason: &str) -> Result<()> {
        self.write_text(FAILURE, sample, reason)
    }

    /// Writes why the first attempt at a sample failed, before the second: the first line of the reason.
    pub fn write_retried(&self, sample: usize, reason: &str) -> Result<()> {
        self.write_text(RETRIED, sample, reason)
    }

    fn write_text(&self, path: &str, sample: usize, text: &str) -> Result<()> {
        if !self.file.exists(path) {
            // Of an older version.
            return Ok(());
        }
        let line = text.lines().next().unwrap_or_default();
        let ends = line.char_indices().map(|(start, c)| start + c.len_utf8());
        let end = ends.take_while(|&end| end <= TEXT).last().unwrap_or(0);
        let mut row = line.as_bytes()[..end].to_vec();
        row.resize(TEXT, 0);
        let mine: &[u8] = if self.file.comm().rank() == 0 { &row } else { &[] };
        self.file.write_rows(path, sample as u64, mine)
    }

    /// Why a sample failed; empty when it did not, or when the file does not say.
    pub fn failure(&self, sample: usize) -> Result<String> {
        self.text(FAILURE, sample)
    }

    /// Why the first attempt at a sample failed; empty when it did not, or when the file does not say.
    pub fn retried(&self, sample: usize) -> Result<String> {
        self.text(RETRIED, sample)
    }

    fn text(&self, path: &str, sample: usize) -> Result<String> {
        if !self.file.exists(path) {
            return Ok(String::new());
        }
        let row = self.file.read_rows::<u8>(path, sample as u64..sample as u64 + 1)?;
        let end = row.iter().position(|&byte| byte == 0).unwrap_or(row.len());
        Ok(String::from_utf8_lossy(&row[..end]).into_owned())
    }

    /// Writes a further cost of a sample, `/cost/<name>`, if the file has room for it; every rank gives the same.
    pub fn write_cost(&self, sample: usize, name: &str, value: f64) -> Result<()> {
        let path = format!("/cost/{name}");
        if self.file.exists(&path) { self.entry(&path, sample, &[value]) } else { Ok(()) }
    }

    /// The values of a further cost, one a sample, if the file has them.
    pub fn cost(&self, name: &str) -> Result<Option<Vec<f64>>> {
        let path = format!("/cost/{name}");
        if !self.file.exists(&path) {
            return Ok(None);
        }
        Ok(Some(self.file.read_array(&path)?.1))
    }

    /// Krylov iterations of each sample, 0 where first guesses were good enough or nothing is done yet.
    pub fn iterations(&self) -> Result<Vec<f64>> {
        Ok(self.file.read_array(ITERATIONS)?.1)
    }

    /// Marks a sample as done or failed, after everything else of it has reached the disk.
    pub fn finish_sample(&self, sample: usize, status: Status, iterations: u64, seconds: f64) -> Result<()> {
        self.entry(ITERATIONS, sample, &[iterations as f64])?;
        self.entry(TIME, sample, &[seconds])?;
        self.file.flush()?;
        self.entry(STATUS, sample, &[status.code()])?;
        self.file.flush()
    }

    /// Writes the parameters of a sample; every rank gives the same.
    pub fn write_sample(&self, sample: usize, parameters: &[f64]) -> Result<()> {
        self.entry("/parameters", sample, parameters)?;
        self.file.flush()
    }

    /// Marks samples from `first` on as not needed.
    pub fn spare_from(&self, first: usize) -> Result<()> {
        (first..self.samples).try_for_each(|sample| self.entry(STATUS, sample, &[Status::Spare.code()]))?;
        self.file.flush()
    }

    /// Closes the file.
    pub fn close(self) -> Result<()> {
        self.file.close()
    }

    fn entry<T: super::collective::Element>(&self, path: &str, sample: usize, values: &[T]) -> Result<()> {
        let mine = if self.file.comm().rank() == 0 { values } else { &[] };
        self.file.write_rows(path, sample as u64, mine)
    }
}
