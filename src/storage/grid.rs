//! Data sets on regular grids, for learning: chunked by sample and step, compressed.
//!
//! ```text
//! /grid/{x,y,z}       [point]                           coordinates, m
//! /grid/mask          [x, y, z]                         1 in the mesh
//! /inputs/<name>      [sample, x, y, z]
//! /outputs/<field>    [sample, step, x, y, z, component]
//! ```
//! without y and z, or the step, where there is none.
use super::collective::Slab;
use super::file::File;
use super::result::ResultFile;
use super::statistics::Statistics;
use crate::Result;
use std::ops::{Deref, Range};

/// Most bytes of a chunk: what h5py keeps of a dataset by default.
const CHUNK_BYTES: u64 = 1 << 20;

/// A file under construction.
pub struct GridFile {
    file: ResultFile,
    /// Number of points along each direction.
    shape: Vec<u64>,
    /// This rank's indices along the first of them.
    planes: Range<u64>,
    single: bool,
}

/// An array `[sample, (step,) x, y, z (, component)]` under construction.
pub struct GridArray {
    path: String,
    /// Lengths of the axes before the grid's.
    lead: Vec<u64>,
    /// Length of the last axis, if there is one behind the grid's.
    components: Option<u64>,
    statistics: Statistics,
}

impl GridFile {
    /// Writes to a file the coordinates along the axes and the mask, one value for each point of this rank, which has
    /// the given planes of the first axis. Values will have single precision if `single`. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when HDF5 or the file system refuses.
    pub fn new(
        file: ResultFile,
        (axes, planes): (&[Vec<f64>], Range<u64>),
        mask: &[bool],
        single: bool,
    ) -> Result<Self> {
        for (name, axis) in ["x", "y", "z"].iter().zip(axes) {
            let path = format!("/grid/{name}");
            file.write_array(&path, &[axis.len() as u64], axis)?;
            file.set(&path, "unit", "m")?;
            file.set(&path, "meaning", "coordinates of the points")?;
        }
        let path = "/grid/mask";
        let shape: Vec<u64> = axes.iter().map(|axis| axis.len() as u64).collect();
        file.create_dataset::<u8>(path, &shape)?;
        file.set(path, "meaning", "1 where the point lies in the mesh")?;
        let mask: Vec<u8> = mask.iter().map(|&inside| u8::from(inside)).collect();
        file.write_rows(path, planes.start, &mask)?;
        Ok(Self { file, shape, planes, single })
    }

    /// Makes an array with `lead` axes before those of the grid, and one of `components` behind them. Collective.
    ///
    /// # Errors
    /// As [`File::create_dataset`].
    pub fn create(
        &self,
        path: &str,
        (unit, meaning): (&str, &str),
        lead: &[u64],
        components: Option<u64>,
    ) -> Result<GridArray> {
        let bytes = if self.single { 4 } else { 8 };
        let mut chunk = vec![1; lead.len()];
        chunk.extend(&self.shape);
        chunk.extend(components);
        let plane = bytes * chunk.iter().skip(lead.len() + 1).product::<u64>();
        chunk[lead.len()] = chunk[lead.len()].min((CHUNK_BYTES / plane).max(1));
        let shape = [lead, &self.shape, components.as_slice()].concat();
        match self.single {
            true => self.file.create_compressed::<f32>(path, &shape, &chunk)?,
            false => self.file.create_compressed::<f64>(path, &shape, &chunk)?,
        }
        self.file.set(path, "unit", unit)?;
        self.file.set(path, "meaning", meaning)?;
        let planes = (self.planes.end - self.planes.start) as usize;
        let statistics = Statistics::new(planes, components.unwrap_or(1) as usize);
        Ok(GridArray { path: path.into(), lead: lead.to_vec(), components, statistics })
    }

    /// Writes the values at this rank's points, `[point, component]`, of one index of the leading axes; only those
    /// that `count` go into the statistics. Points where there is no number get `fill`. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when the array has no such index, or HDF5 or the file system
    /// refuses.
    pub fn write(
        &self,
        array: &mut GridArray,
        lead: &[u64],
        (values, counts, fill): (&[f64], bool, f64),
    ) -> Result<()> {
        if counts {
            array.statistics.add(values);
        }
        let mut start = lead.to_vec();
        let mut count = vec![1; array.lead.len()];
        start.push(self.planes.start);
        count.push(self.planes.end - self.planes.start);
        start.extend(self.shape[1..].iter().map(|_| 0));
        count.extend(&self.shape[1..]);
        if let Some(components) = array.components {
            start.push(0);
            count.push(components);
        }
        let slab = Slab { start, count };
        let numbers = values.iter().map(|value| if value.is_nan() { fill } else { *value });
        if self.single {
            self.file.write(&array.path, &slab, &numbers.map(|value| value as f32).collect::<Vec<f32>>())
        } else {
            self.file.write(&array.path, &slab, &numbers.collect::<Vec<f64>>())
        }
    }

    /// Adds the statistics of an array to its attributes. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when HDF5 or the file system refuses.
    pub fn close(&self, array: &GridArray) -> Result<()> {
        let summary = array.statistics.summary(self.file.comm());
        for (name, list) in [
            ("mean", summary.mean),
            ("std", summary.deviation),
            ("min", summary.least),
            ("max", summary.largest),
        ] {
            self.file.set(&array.path, name, list)?;
        }
        Ok(())
    }

    /// Completes the file; its size in bytes. Collective.
    ///
    /// # Errors
    /// As [`ResultFile::finish`].
    pub fn finish(self) -> Result<u64> {
        self.file.finish()
    }
}

impl Deref for GridFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}
