//! Collective transfers of slabs: the only code outside the PETSc crates that calls C directly.
//!
//! The high-level HDF5 crate transfers with the default property list, which makes every rank write on
//! its own; here each transfer carries a list set to `H5FD_MPIO_COLLECTIVE`, and HDF5 is asked
//! afterwards whether it really was collective.
#![allow(unsafe_code)]
use crate::error::{Error, Result};
use crate::parallel::Comm;
use hdf5::{Dataset, Datatype};
use hdf5_sys::h5::{herr_t, hsize_t};
use hdf5_sys::h5d::{H5Dget_space, H5Dread, H5Dwrite};
use hdf5_sys::h5i::{H5Idec_ref, hid_t};
use hdf5_sys::h5p::{
    H5FD_mpio_collective_opt_t, H5FD_mpio_xfer_t, H5P_DEFAULT, H5Pcreate, H5Pset_dxpl_mpio,
    H5Pset_dxpl_mpio_collective_opt,
};
use hdf5_sys::h5s::{
    H5S_seloper_t, H5Screate_simple, H5Sget_simple_extent_dims, H5Sget_simple_extent_ndims,
    H5Sselect_hyperslab, H5Sselect_none,
};
use mpi::traits::Equivalence;
use std::borrow::Borrow;
use std::ffi::c_void;
use std::ptr;

/// Numbers that files hold. Sealed: HDF5's and MPI's idea of each type are the same here.
pub trait Element:
    hdf5::H5Type + Equivalence + bytemuck::NoUninit + Default + PartialOrd + sealed::Sealed
{
    /// The type's name in messages.
    const NAME: &'static str;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! elements {
    ($($t:ident),*) => {$(
        impl sealed::Sealed for $t {}
        impl Element for $t {
            const NAME: &'static str = stringify!($t);
        }
    )*};
}
elements!(f64, f32, i64, i32, u64, u32, u16, u8);

unsafe extern "C" {
    /// Missing in the binding crate; in the same library since HDF5 1.8.10.
    fn H5Pget_mpio_no_collective_cause(list: hid_t, local: *mut u32, global: *mut u32) -> herr_t;
}

/// Bytes a rank moves in one call: MPI counts are 32-bit, and several MPI-IO layers fail above 2 GiB.
const ROUND_BYTES: u64 = 1 << 30;

/// From this many bytes a rank on, contiguous slabs go from each rank straight to the file: gathering them
/// on few ranks first, as MPI-IO does for collective calls, would only copy (measured by `benches/storage`).
const DIRECT_BYTES: u64 = 1 << 20;

/// A dataset has at most so many entries for each byte that it takes: those of four bytes or more may be compressed, by
/// gzip to a 1032nd.
const COMPRESSION: u64 = 260;

/// What HDF5 reports when a transfer was converted from another number type on the way.
const CAUSE_CONVERSION: u32 = 0x02;

/// An HDF5 identifier that is released on drop.
struct Id(hid_t);

impl Id {
    fn new(id: hid_t) -> hdf5::Result<Self> {
        hdf5::h5check(id).map(Self)
    }
}

impl Drop for Id {
    fn drop(&mut self) {
        // SAFETY: the identifier came from HDF5 (checked in `new`) and is released once.
        unsafe { H5Idec_ref(self.0) };
    }
}

/// Transfer property lists for collective transfers.
pub(super) struct Transfer {
    /// MPI-IO may gather the slabs on few ranks: best for small or strewn ones.
    gathered: Id,
    /// Every rank moves its own slab inside the collective call: best for long contiguous ones.
    direct: Id,
}

impl Transfer {
    pub(super) fn new() -> hdf5::Result<Self> {
        use H5FD_mpio_collective_opt_t::{H5FD_MPIO_COLLECTIVE_IO, H5FD_MPIO_INDIVIDUAL_IO};
        // Reading the class identifier opens the library.
        let class = *hdf5::globals::H5P_DATASET_XFER;
        let _guard = hdf5_sys::LOCK.lock();
        let list = |option| -> hdf5::Result<Id> {
            // SAFETY: a list class of the open library; the new list is owned by `Id`.
            unsafe {
                let list = Id::new(H5Pcreate(class))?;
                hdf5::h5check(H5Pset_dxpl_mpio(list.0, H5FD_mpio_xfer_t::H5FD_MPIO_COLLECTIVE))?;
                hdf5::h5check(H5Pset_dxpl_mpio_collective_opt(list.0, option))?;
                Ok(list)
            }
        };
        Ok(Self { gathered: list(H5FD_MPIO_COLLECTIVE_IO)?, direct: list(H5FD_MPIO_INDIVIDUAL_IO)? })
    }

    /// The list that suits every rank's slab. Collective.
    fn choose(&self, comm: &Comm, shape: &[u64], slab: &Slab, bytes: usize) -> &Id {
        let long = slab.is_contiguous(shape) && slab.len() * bytes as u64 >= DIRECT_BYTES;
        if comm.min(u8::from(long || slab.is_empty())) == 1 { &self.direct } else { &self.gathered }
    }
}

/// Why the last transfer with a list was not collective on some rank, as HDF5's bits; 0 when it was.
fn cause(list: &Id) -> hdf5::Result<u32> {
    let (mut local, mut global) = (0, 0);
    // SAFETY: a live transfer list and two places for the answers.
    hdf5::h5check(unsafe { H5Pget_mpio_no_collective_cause(list.0, &mut local, &mut global) })?;
    Ok(local | global)
}

/// A box of a dataset: where it starts and how far it reaches along every axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slab {
    /// First index along each axis.
    pub start: Vec<u64>,
    /// Number of indices along each axis.
    pub count: Vec<u64>,
}

impl Slab {
    /// Number of entries.
    pub fn len(&self) -> u64 {
        entries(&self.count)
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The axis along which long transfers are cut: the first that is not a single index, so that every
    /// piece is contiguous in memory.
    fn cut_axis(&self) -> usize {
        self.count.iter().position(|&c| c != 1).unwrap_or(0)
    }

    /// Whether its entries lie one after the other in a dataset of that shape.
    fn is_contiguous(&self, shape: &[u64]) -> bool {
        let after = self.cut_axis() + 1;
        after >= shape.len() || self.count[after..] == shape[after..]
    }

    /// How many rounds it takes to move entries of `bytes` bytes.
    fn rounds(&self, bytes: usize) -> u64 {
        if self.is_empty() { 0 } else { self.count[self.cut_axis()].div_ceil(self.step(bytes)) }
    }

    /// Indices of the cut axis in one round.
    fn step(&self, bytes: usize) -> u64 {
        let width: u64 = self.count[self.cut_axis() + 1..].iter().product::<u64>() * bytes as u64;
        (ROUND_BYTES / width.max(1)).max(1)
    }

    /// The part moved in round `round`, and its position among the entries; empty past the last round.
    fn piece(&self, bytes: usize, round: u64) -> (Slab, usize) {
        let axis = self.cut_axis();
        let step = self.step(bytes);
        let first = (round * step).min(self.count[axis]);
        let mut piece = self.clone();
        piece.start[axis] += first;
        piece.count[axis] = step.min(self.count[axis] - first);
        let width: u64 = self.count[axis + 1..].iter().product();
        (piece, (first * width) as usize)
    }
}

/// Selections of one piece: in memory a plain array, in the file the slab.
fn select(dataset: &Dataset, piece: &Slab) -> hdf5::Result<(Id, Id)> {
    let entries: hsize_t = piece.len().max(1);
    // SAFETY: all identifiers are live; `start` and `count` have one entry per axis of the dataset (checked
    // by `fits`), and selections beyond the extent are refused by HDF5.
    unsafe {
        let memory = Id::new(H5Screate_simple(1, &entries, ptr::null()))?;
        let file = Id::new(H5Dget_space(dataset.id()))?;
        if piece.is_empty() {
            hdf5::h5check(H5Sselect_none(memory.0))?;
            hdf5::h5check(H5Sselect_none(file.0))?;
        } else {
            let set = H5S_seloper_t::H5S_SELECT_SET;
            let (start, count) = (piece.start.as_ptr(), piece.count.as_ptr());
            hdf5::h5check(H5Sselect_hyperslab(file.0, set, start, ptr::null(), count, ptr::null()))?;
        }
        Ok((memory, file))
    }
}

/// Entries of a box; the greatest number for more than that.
fn entries(count: &[u64]) -> u64 {
    count.iter().fold(1, |product, &n| product.saturating_mul(n))
}

/// The extent of a dataset, exact for more than 2^32 entries.
///
/// # Errors
/// Also for an extent that the file cannot hold: so nothing is ever allocated or counted on the word of a damaged
/// file.
pub(super) fn extent(dataset: &Dataset) -> hdf5::Result<Vec<u64>> {
    let guard = hdf5_sys::LOCK.lock();
    // SAFETY: `dims` has room for every axis that HDF5 reports.
    let dims = unsafe {
        let space = Id::new(H5Dget_space(dataset.id()))?;
        let axes = hdf5::h5check(H5Sget_simple_extent_ndims(space.0))?;
        let mut dims = vec![0; axes as usize];
        hdf5::h5check(H5Sget_simple_extent_dims(space.0, dims.as_mut_ptr(), ptr::null_mut()))?;
        dims
    };
    drop(guard);
    // Only of a file that nobody writes is the size known; 0 means that it is not.
    let file = dataset.file()?;
    let read_only = file.is_read_only();
    let size = if read_only { file.size() } else { 0 };
    let size = if size == 0 { u64::MAX } else { size };
    // Chunks that are yet to be written have no room: HDF5 1.14 no longer takes it beforehand, as 1.10 did under MPI.
    let unwritten = !read_only && dataset.is_chunked();
    let stored = if entries(&dims) == 0 || unwritten { size } else { dataset.storage_size().min(size) };
    // An axis of no entries must not hide the length of another.
    let least: Vec<u64> = dims.iter().map(|&n: &u64| n.max(1)).collect();
    if entries(&least) > stored.saturating_mul(COMPRESSION) {
        let message =
            format!("its shape {dims:?} is too large for the {stored} bytes that it has in the file");
        return Err(hdf5::Error::Internal(message));
    }
    Ok(dims)
}

/// The dataset's shape, if the slab has its axes, lies inside it and has as many entries as `values`.
fn fits(dataset: &Dataset, slab: &Slab, values: usize) -> std::result::Result<Vec<u64>, String> {
    let shape = extent(dataset).map_err(message)?;
    if shape.is_empty() {
        return Err("it is a single number, not an array".into());
    }
    let inside = slab.start.len() == shape.len()
        && slab.count.len() == shape.len()
        && (0..shape.len()).all(|a| slab.start[a].checked_add(slab.count[a]).is_some_and(|e| e <= shape[a]));
    if !inside {
        return Err(format!(
            "its shape is {shape:?}, which has no part of shape {:?} at {:?}",
            slab.count, slab.start
        ));
    }
    if slab.len() != values as u64 {
        return Err(format!("{values} values given for a part of shape {:?}", slab.count));
    }
    Ok(shape)
}

/// Writes `values` (row-major) to `slab`, all ranks together, each its own slab (which may be empty).
///
/// `label` names file and dataset in messages; `settle` makes one rank's failure everyone's.
pub(super) fn write<T: Element>(
    comm: &Comm,
    transfer: &Transfer,
    (dataset, slab): (&Dataset, &Slab),
    values: &[T],
    label: &str,
    settle: impl Fn(Result<()>) -> Result<()>,
) -> Result<()> {
    let bytes = size_of::<T>();
    let fitting = fits(dataset, slab, values.len()).map_err(|e| Error::storage(format!("{label}: {e}")));
    let list = transfer.choose(comm, &comm.agree(fitting)?, slab, bytes);
    let run = |round: u64| -> hdf5::Result<u32> {
        let (piece, offset) = slab.piece(bytes, round);
        let kind = Datatype::from_type::<T>()?;
        let _guard = hdf5_sys::LOCK.lock();
        let (memory, file) = select(dataset, &piece)?;
        // SAFETY: `fits` has checked that the piece lies inside `values`, whose type is `kind`.
        unsafe {
            let from = values.as_ptr().add(offset.min(values.len())).cast::<c_void>();
            hdf5::h5check(H5Dwrite(dataset.id(), kind.id(), memory.0, file.0, list.0, from))?;
        }
        cause(list)
    };
    for round in 0..comm.max(slab.rounds(bytes)) {
        settle(verdict(run(round), 0, label, "write"))?;
    }
    Ok(())
}

/// Reads `slab`, all ranks together, each its own slab (which may be empty); row-major.
///
/// Numbers stored with another type are converted by HDF5.
pub(super) fn read<T: Element>(
    comm: &Comm,
    transfer: &Transfer,
    dataset: &Dataset,
    slab: &Slab,
    label: &str,
) -> Result<Vec<T>> {
    let length = slab.len() as usize;
    let bytes = size_of::<T>();
    let fitting = fits(dataset, slab, length).map_err(|e| Error::storage(format!("{label}: {e}")));
    let list = transfer.choose(comm, &comm.agree(fitting)?, slab, bytes);
    let mut values = vec![T::default(); length];
    let mut run = |round: u64| -> hdf5::Result<u32> {
        let (piece, offset) = slab.piece(bytes, round);
        let kind = Datatype::from_type::<T>()?;
        let _guard = hdf5_sys::LOCK.lock();
        let (memory, file) = select(dataset, &piece)?;
        // SAFETY: the piece lies inside `values`, which has the slab's length and the type `kind`.
        unsafe {
            let to = values.as_mut_ptr().add(offset.min(length)).cast::<c_void>();
            hdf5::h5check(H5Dread(dataset.id(), kind.id(), memory.0, file.0, list.0, to))?;
        }
        cause(list)
    };
    for round in 0..comm.max(slab.rounds(bytes)) {
        comm.agree(verdict(run(round), CAUSE_CONVERSION, label, "read"))?;
    }
    Ok(values)
}

/// Reads `slab` by this process alone, from a file that it has opened alone; row-major.
pub(super) fn read_alone<T: Element>(dataset: &Dataset, slab: &Slab) -> std::result::Result<Vec<T>, String> {
    let length = slab.len() as usize;
    fits(dataset, slab, length)?;
    // The shape comes from the file and may be nonsense.
    let mut values = Vec::new();
    values.try_reserve_exact(length).map_err(|_| format!("{length} numbers do not fit in memory"))?;
    values.resize(length, T::default());
    if length > 0 {
        let kind = Datatype::from_type::<T>().map_err(message)?;
        let _guard = hdf5_sys::LOCK.lock();
        let (memory, file) = select(dataset, slab).map_err(message)?;
        let to = values.as_mut_ptr().cast::<c_void>();
        // SAFETY: `values` has the slab's length and the type `kind`.
        let status = unsafe { H5Dread(dataset.id(), kind.id(), memory.0, file.0, H5P_DEFAULT, to) };
        hdf5::h5check(status).map_err(message)?;
    }
    Ok(values)
}

/// Makes a transfer that was silently not collective a failure.
fn verdict(outcome: hdf5::Result<u32>, allowed: u32, label: &str, verb: &str) -> Result<()> {
    match outcome {
        Err(error) => {
            Err(Error::storage(format!("{label}: cannot {verb}: {}", message(&error))).because(error))
        }
        Ok(cause) if cause & !allowed != 0 => Err(Error::storage(format!(
            "{label}: HDF5 did not {verb} collectively (H5Pget_mpio_no_collective_cause = {cause:#x}); \
             is HDF5_MPI_OPT_TYPES set to 0?"
        ))),
        Ok(_) => Ok(()),
    }
}

/// HDF5's own words: the innermost cause, and the outermost call when it says something else.
pub(super) fn message(error: impl Borrow<hdf5::Error>) -> String {
    let error = error.borrow();
    let Some(stack) = error.stack().filter(|s| !s.is_empty()) else {
        return error.to_string();
    };
    let (outer, inner) = (&stack[0], &stack[stack.len() - 1]);
    if stack.len() == 1 { outer.desc().to_string() } else { format!("{} ({})", inner.desc(), outer.desc()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_slabs_are_cut_into_contiguous_pieces_that_cover_them() {
        let slab = Slab { start: vec![3, 5, 0], count: vec![1, 3_000_000_000, 3] };
        let rounds = slab.rounds(8);
        assert_eq!(rounds, (3_000_000_000_u64).div_ceil(ROUND_BYTES / 24));
        let mut next = 5;
        for round in 0..rounds + 2 {
            let (piece, offset) = slab.piece(8, round);
            assert!(piece.len() * 8 <= ROUND_BYTES);
            assert_eq!(offset as u64, (next - 5) * 3);
            assert_eq!(piece.start[1], next);
            next += piece.count[1];
        }
        assert_eq!(next, 5 + 3_000_000_000);
        assert_eq!(Slab { start: vec![0, 0], count: vec![0, 4] }.rounds(8), 0);
        assert_eq!(Slab { start: vec![0, 0], count: vec![1, 1] }.rounds(8), 1);
    }
}
