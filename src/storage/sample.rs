//! What a dataset holds of each sample: fields, quantities, costs, and how it ended.
use super::attribute::Value;
use super::collective::Element;
use super::dataset::{
    DatasetFile, FAILURE, FULL, ITERATIONS, RETRIED, STATUS, STEPS, Status, TEXT, TIME, TIMES,
};
use super::file::File;
use crate::error::Result;
use crate::parallel::Redistribution;

impl DatasetFile {
    /// Writes a field of a sample at a step (0 for steady problems): the values of the owned nodes or cells, in the order
    /// of `plan`.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when the file has no room for such a field, sample or step, or the file system refuses.
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
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when the file has no such field, sample or step, or one of other nodes.
    pub fn read_field(
        &self,
        (sample, step): (usize, usize),
        name: &str,
        plan: &Redistribution,
    ) -> Result<Vec<f64>> {
        self.file.read_field(name, (sample * self.steps + step) as u64, plan)
    }

    /// Writes the times (s) of the steps that are stored of a sample, where samples have times of their own; every rank
    /// gives the same.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when there is no room for them, or the file system refuses.
    pub fn write_times(&self, sample: usize, times: &[f64]) -> Result<()> {
        let mut row = times.to_vec();
        row.resize(self.steps.max(times.len()), f64::NAN);
        self.entry(TIMES, sample, &row)?;
        self.entry(STEPS, sample, &[times.len() as u64])
    }

    /// Says that steps are guarded: what is accepted, and room for what [`DatasetFile::write_full`] writes of each of so many
    /// samples and moments; when the file is created.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when HDF5 or the file system refuses.
    pub fn describe_guard(file: &File, accept: f64, [samples, moments]: [usize; 2]) -> Result<()> {
        file.set("/", "accept", accept)?;
        file.write_array(FULL, &[samples as u64, moments as u64], &vec![f64::NAN; samples * moments])?;
        file.set(FULL, "unit", "1")?;
        file.set(
            FULL,
            "meaning",
            "equations solved in full up to this moment from the one before; the others were accepted",
        )
    }

    /// What is accepted of guarded steps; `None` where all are solved in full.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when it cannot be read.
    pub fn accept(&self) -> Result<Option<f64>> {
        Ok(match self.file.get("/", "accept")? {
            Some(Value::Float(accept)) => Some(accept),
            _ => None,
        })
    }

    /// Writes how many equations of a sample were solved in full up to each moment, where the file has room for it; every
    /// rank gives the same.
    ///
    /// # Errors
    /// As [`DatasetFile::write_times`].
    pub fn write_full(&self, sample: usize, full: &[f64]) -> Result<()> {
        if !self.file.exists(FULL) {
            return Ok(());
        }
        let mut row = full.to_vec();
        row.resize(self.steps.max(full.len()), f64::NAN);
        self.entry(FULL, sample, &row)
    }

    /// Writes a quantity of a sample, a value a step; every rank gives the same.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when the file has no room for it, or the file system refuses.
    pub fn write_quantity(&self, sample: usize, name: &str, values: &[f64]) -> Result<()> {
        let mut row = values.to_vec();
        // Behind the last step, where each sample has its own number of them.
        row.resize(self.steps.max(values.len()), f64::NAN);
        self.entry(&format!("/qoi/{name}"), sample, &row)
    }

    /// The values of a quantity at the last step, one a sample; NaN where the sample is not done.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when the file has no such quantity.
    pub fn quantity(&self, name: &str) -> Result<Vec<f64>> {
        let (_, values) = self.file.read_array::<f64>(&format!("/qoi/{name}"))?;
        let each = self.steps.max(1);
        let last = match self.file.exists(STEPS) {
            true => self.file.read_array::<u64>(STEPS)?.1,
            false => vec![each as u64; self.samples],
        };
        let value = |(row, &last): (&[f64], &u64)| row.get((last.max(1) - 1) as usize).copied();
        Ok(values.chunks(each).zip(&last).map(|pair| value(pair).unwrap_or(f64::NAN)).collect())
    }

    /// Writes why a sample failed, before it is marked so: the first line of the reason.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when HDF5 or the file system refuses.
    pub fn write_failure(&self, sample: usize, reason: &str) -> Result<()> {
        self.write_text(FAILURE, sample, reason)
    }

    /// Writes why the first attempt at a sample failed, before the second: the first line of the reason.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when HDF5 or the file system refuses.
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
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when it cannot be read.
    pub fn failure(&self, sample: usize) -> Result<String> {
        self.text(FAILURE, sample)
    }

    /// Why the first attempt at a sample failed; empty when it did not, or when the file does not say.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when it cannot be read.
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
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when HDF5 or the file system refuses.
    pub fn write_cost(&self, sample: usize, name: &str, value: f64) -> Result<()> {
        let path = format!("/cost/{name}");
        if self.file.exists(&path) { self.entry(&path, sample, &[value]) } else { Ok(()) }
    }

    /// The values of a further cost, one a sample, if the file has them.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when they cannot be read.
    pub fn cost(&self, name: &str) -> Result<Option<Vec<f64>>> {
        let path = format!("/cost/{name}");
        if !self.file.exists(&path) {
            return Ok(None);
        }
        Ok(Some(self.file.read_array(&path)?.1))
    }

    /// Krylov iterations of each sample, 0 where first guesses were good enough or nothing is done yet.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when the file does not say.
    pub fn iterations(&self) -> Result<Vec<f64>> {
        Ok(self.file.read_array(ITERATIONS)?.1)
    }

    /// Marks a sample as done or failed, after everything else of it has reached the disk.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when HDF5 or the file system refuses.
    pub fn finish_sample(&self, sample: usize, status: Status, iterations: u64, seconds: f64) -> Result<()> {
        self.entry(ITERATIONS, sample, &[iterations as f64])?;
        self.entry(TIME, sample, &[seconds])?;
        self.file.flush()?;
        self.entry(STATUS, sample, &[status.code()])?;
        self.file.flush()
    }

    /// Writes the parameters of a sample; every rank gives the same.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when HDF5 or the file system refuses.
    pub fn write_sample(&self, sample: usize, parameters: &[f64]) -> Result<()> {
        self.entry("/parameters", sample, parameters)?;
        self.file.flush()
    }

    /// Marks samples as not needed.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when HDF5 or the file system refuses.
    pub fn spare(&self, mut samples: std::ops::Range<usize>) -> Result<()> {
        samples.try_for_each(|sample| self.entry(STATUS, sample, &[Status::Spare.code()]))?;
        self.file.flush()
    }

    fn entry<T: Element>(&self, path: &str, sample: usize, values: &[T]) -> Result<()> {
        let mine = if self.file.comm().rank() == 0 { values } else { &[] };
        self.file.write_rows(path, sample as u64, mine)
    }
}
