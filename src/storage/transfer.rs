//! Transfers of datasets of a file: slabs, rows, small arrays.
use super::collective::{self, Element, Slab};
use super::file::File;
use crate::error::Result;
use hdf5::types::{FloatSize, TypeDescriptor};
use std::ops::Range;

impl File {
    /// Writes this rank's slab of a dataset; ranks may give different slabs, also empty ones.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when there is no such dataset or slab, or HDF5 or the file system
    /// refuses.
    pub fn write<T: Element>(&self, path: &str, slab: &Slab, values: &[T]) -> Result<()> {
        let dataset = self.dataset(path)?;
        let label = format!("{}: {path}", self.label());
        let settle = |outcome| self.settle(outcome);
        let written =
            collective::write(self.comm(), &self.transfer, (&dataset, slab), values, &label, settle);
        if self.broken.get() {
            std::mem::forget(dataset);
        }
        written
    }

    /// Reads this rank's slab of a dataset; ranks may give different slabs, also empty ones.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when there is no such dataset or slab, or its values are of another
    /// type or cannot be read.
    pub fn read<T: Element>(&self, path: &str, slab: &Slab) -> Result<Vec<T>> {
        let dataset = self.dataset(path)?;
        let label = format!("{}: {path}", self.label());
        collective::read(self.comm(), &self.transfer, &dataset, slab, &label)
    }

    /// Writes whole rows (indices of the first axis) from row `first` on.
    ///
    /// # Errors
    /// As [`File::write`].
    pub fn write_rows<T: Element>(&self, path: &str, first: u64, values: &[T]) -> Result<()> {
        let shape = self.shape(path)?;
        let width: u64 = shape.iter().skip(1).product();
        self.write(path, &rows(&shape, &[], first, values.len() as u64 / width.max(1)), values)
    }

    /// Reads whole rows (indices of the first axis).
    ///
    /// # Errors
    /// As [`File::read`].
    pub fn read_rows<T: Element>(&self, path: &str, range: Range<u64>) -> Result<Vec<T>> {
        let shape = self.shape(path)?;
        self.read(path, &rows(&shape, &[], range.start, range.end.saturating_sub(range.start)))
    }

    /// Writes rows (indices of the second axis) of one index `step` of the first axis.
    ///
    /// # Errors
    /// As [`File::write`].
    pub fn write_step<T: Element>(&self, path: &str, step: u64, first: u64, values: &[T]) -> Result<()> {
        self.write_below(path, &[step], first, values)
    }

    /// Reads rows (indices of the second axis) of one index `step` of the first axis.
    ///
    /// # Errors
    /// As [`File::read`].
    pub fn read_step<T: Element>(&self, path: &str, step: u64, range: Range<u64>) -> Result<Vec<T>> {
        self.read_below(path, &[step], range)
    }

    /// Writes rows (indices of the axis after those of `lead`) below fixed indices of the leading axes.
    ///
    /// # Errors
    /// As [`File::write`].
    pub fn write_below<T: Element>(&self, path: &str, lead: &[u64], first: u64, values: &[T]) -> Result<()> {
        let shape = self.shape(path)?;
        let width: u64 = shape.iter().skip(lead.len() + 1).product();
        self.write(path, &rows(&shape, lead, first, values.len() as u64 / width.max(1)), values)
    }

    /// The inverse of [`File::write_below`].
    ///
    /// # Errors
    /// As [`File::read`].
    pub fn read_below<T: Element>(&self, path: &str, lead: &[u64], range: Range<u64>) -> Result<Vec<T>> {
        let shape = self.shape(path)?;
        self.read(path, &rows(&shape, lead, range.start, range.end.saturating_sub(range.start)))
    }

    /// Whether the numbers of a dataset have single precision.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when there is no such dataset.
    pub fn is_single(&self, path: &str) -> Result<bool> {
        let kind = self.dataset(path)?.dtype().and_then(|kind| kind.to_descriptor());
        let kind = kind.map_err(|e| self.failure(path, "cannot read the type", e))?;
        Ok(kind == TypeDescriptor::Float(FloatSize::U4))
    }

    /// Makes a small dataset whose values every rank holds, and writes it (from rank 0).
    ///
    /// # Errors
    /// As [`File::create_dataset`].
    pub fn write_array<T: Element>(&self, path: &str, shape: &[u64], values: &[T]) -> Result<()> {
        self.create_dataset::<T>(path, shape)?;
        self.update_array(path, values)
    }

    /// Writes all of an existing small dataset whose values every rank holds (from rank 0).
    ///
    /// # Errors
    /// As [`File::write`].
    pub fn update_array<T: Element>(&self, path: &str, values: &[T]) -> Result<()> {
        let shape = self.shape(path)?;
        let start = vec![0; shape.len()];
        if self.comm().rank() == 0 {
            self.write(path, &Slab { start, count: shape }, values)
        } else {
            self.write::<T>(path, &Slab { start, count: vec![0; shape.len()] }, &[])
        }
    }

    /// Reads all of a small dataset on every rank: its shape and its values.
    ///
    /// # Errors
    /// As [`File::read`].
    pub fn read_array<T: Element>(&self, path: &str) -> Result<(Vec<u64>, Vec<T>)> {
        let shape = self.shape(path)?;
        let values = self.read(path, &Slab { start: vec![0; shape.len()], count: shape.clone() })?;
        Ok((shape, values))
    }
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
