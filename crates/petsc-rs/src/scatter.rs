//! Moving entries between vectors.
use crate::error::{Error, Result};
use crate::session::agree;
use crate::{IndexSet, Int, Vector};
use petsc_sys::*;
use std::ptr::null_mut;

handle!(
    /// Which entries of one vector go to which entries of another (`VecScatter`). Made once, used often,
    /// for any vectors of the same layouts.
    RawScatter,
    VecScatter,
    VecScatterDestroy
);

/// Which entries of one vector go to which entries of another (`VecScatter`). Made once, used often, for
/// any vectors of the same layouts. Either vector may be distributed or of one rank only.
pub struct Scatter {
    raw: RawScatter,
    // Own and global sizes of both vectors, to check what is scattered later.
    from: [usize; 2],
    to: [usize; 2],
}

fn sizes(v: &Vector) -> [usize; 2] {
    [v.local_size(), v.global_size()]
}

impl Scatter {
    /// Entry `ix[i]` of `x` goes to entry `iy[i]` of `y`; `None` stands for all own entries in order.
    ///
    /// # Errors
    /// When an index does not exist, or the lists differ in length, on some rank (all ranks get an error).
    pub fn new(x: &Vector, ix: Option<&IndexSet>, y: &Vector, iy: Option<&IndexSet>) -> Result<Self> {
        // The larger communicator is the one that PETSc works on.
        let comm = if x.global_size() > x.local_size() { x.mpi_comm()? } else { y.mpi_comm()? };
        agree(comm, fits(x, ix, y, iy))?;
        let set = |set: Option<&IndexSet>| set.map_or(null_mut(), |s| s.raw);
        let mut raw = null_mut();
        petsc!(VecScatterCreate(x.raw, set(ix), y.raw, set(iy), &mut raw))?;
        Ok(Self { raw: RawScatter::from_raw(raw)?, from: sizes(x), to: sizes(y) })
    }

    /// A scatter that gathers all of `x` on every rank, and the vector that takes it. For small vectors.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn to_all(x: &Vector) -> Result<(Self, Vector)> {
        let (mut raw, mut y) = (null_mut(), null_mut());
        petsc!(VecScatterCreateToAll(x.raw, &mut raw, &mut y))?;
        let y = Vector::from_raw(y)?;
        Ok((Self { raw: RawScatter::from_raw(raw)?, from: sizes(x), to: sizes(&y) }, y))
    }

    /// As [`Scatter::to_all`], on rank 0 only; the vector is empty elsewhere.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn to_zero(x: &Vector) -> Result<(Self, Vector)> {
        let (mut raw, mut y) = (null_mut(), null_mut());
        petsc!(VecScatterCreateToZero(x.raw, &mut raw, &mut y))?;
        let y = Vector::from_raw(y)?;
        Ok((Self { raw: RawScatter::from_raw(raw)?, from: sizes(x), to: sizes(&y) }, y))
    }

    /// Entries of `x` replace those of `y`.
    ///
    /// # Errors
    /// When a layout is not the one that the scatter was made for.
    pub fn forward(&self, x: &Vector, y: &mut Vector) -> Result<()> {
        self.run(x, y, false, false)
    }

    /// Entries of `x` are added to those of `y`.
    ///
    /// # Errors
    /// As [`Scatter::forward`].
    pub fn forward_add(&self, x: &Vector, y: &mut Vector) -> Result<()> {
        self.run(x, y, true, false)
    }

    /// The other way: entries of `y` replace those of `x`.
    ///
    /// # Errors
    /// As [`Scatter::forward`].
    pub fn reverse(&self, y: &Vector, x: &mut Vector) -> Result<()> {
        self.run(y, x, false, true)
    }

    /// The other way: entries of `y` are added to those of `x`.
    ///
    /// # Errors
    /// As [`Scatter::forward`].
    pub fn reverse_add(&self, y: &Vector, x: &mut Vector) -> Result<()> {
        self.run(y, x, true, true)
    }

    fn run(&self, from: &Vector, to: &mut Vector, add: bool, reverse: bool) -> Result<()> {
        let expected = if reverse { [self.to, self.from] } else { [self.from, self.to] };
        if [sizes(from), sizes(to)] != expected {
            return Err(Error::argument("the vectors are not those that the scatter was made for"));
        }
        let mode = if add { InsertMode_ADD_VALUES } else { InsertMode_INSERT_VALUES };
        let direction = if reverse { ScatterMode_SCATTER_REVERSE } else { ScatterMode_SCATTER_FORWARD };
        petsc!(VecScatterBegin(self.raw.raw, from.raw, to.raw, mode, direction))?;
        petsc!(VecScatterEnd(self.raw.raw, from.raw, to.raw, mode, direction))
    }
}

fn fits(x: &Vector, ix: Option<&IndexSet>, y: &Vector, iy: Option<&IndexSet>) -> Result<()> {
    let length = |v: &Vector, set: Option<&IndexSet>| match set {
        None => Ok(v.local_size()),
        Some(set) => set.local_size(),
    };
    let (nx, ny) = (length(x, ix)?, length(y, iy)?);
    if nx != ny {
        return Err(Error::argument(format!("{nx} entries cannot go to {ny} places")));
    }
    for (v, set) in [(x, ix), (y, iy)] {
        let size = v.global_size() as Int;
        if let Some(set) = set
            && let Some(bad) = set.indices()?.iter().find(|&&i| i < 0 || i >= size)
        {
            return Err(Error::argument(format!("entry {bad} of {size} does not exist")));
        }
    }
    Ok(())
}
