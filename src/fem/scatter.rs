//! From element blocks to their entries in PETSc's arrays.
use super::lanes::LANES;
use super::pattern::{OFF_DIAGONAL, Pattern};
use petsc_rs::prefetch;
use std::ops::Range;

/// A thread's part of the target.
pub(super) struct Part<'a> {
    pub share: usize,
    pub diagonal: &'a mut [f64],
    pub off_diagonal: &'a mut [f64],
    pub load: &'a mut [f64],
}

/// Where the blocks of a cell stand in a thread's part of the CSR arrays, for `C` unknowns at each of `N` nodes.
#[derive(Clone, Copy)]
pub(super) struct Places<'a, const C: usize, const N: usize> {
    positions: &'a [u16],
    /// First entry and length of the rows of each node, in the diagonal and the off-diagonal part; zero where the rows
    /// are another's.
    rows: [[[usize; 2]; 2]; N],
}

impl<'a, const C: usize, const N: usize> Places<'a, C, N> {
    /// No place.
    pub(super) const NONE: Self = Self { positions: &[], rows: [[[0; 2]; 2]; N] };

    /// The places of a local cell with these nodes.
    #[inline(always)]
    fn new(pattern: &'a Pattern, rows: &Range<usize>, cell: usize, nodes: &[u32]) -> Self {
        let part = |starts: &[u32], node: usize| {
            let (base, start, end) = (starts[rows.start], starts[node], starts[node + 1]);
            [(start - base) as usize * C * C, (end - start) as usize * C]
        };
        let mut places = Self { positions: &pattern.positions[cell * N * N..][..N * N], ..Self::NONE };
        for (place, &node) in places.rows.iter_mut().zip(nodes) {
            let node = node as usize;
            if rows.contains(&node) {
                *place = [part(&pattern.diagonal_rows, node), part(&pattern.off_diagonal_rows, node)];
            }
        }
        places
    }

    /// Part, first entry and length of the rows of block `(a, b)`.
    #[inline(always)]
    fn of(&self, a: usize, b: usize) -> (usize, usize, usize) {
        let position = self.positions[a * N + b];
        let part = usize::from(position & OFF_DIAGONAL != 0);
        let [start, length] = self.rows[a][part];
        (part, start + (position & !OFF_DIAGONAL) as usize * C, length)
    }

    /// Has the processor fetch the entries: they lie far apart, and waiting for one after the other would take
    /// longer than to compute them.
    #[inline(always)]
    fn fetch(&self, part: &Part) {
        for a in (0..N).filter(|&a| self.rows[a] != [[0; 2]; 2]) {
            for b in 0..N {
                let (which, first, length) = self.of(a, b);
                let values = if which == 0 { &*part.diagonal } else { &*part.off_diagonal };
                (0..C).for_each(|i| prefetch(values, first + i * length));
            }
        }
    }

    /// Adds a block of a node whose rows are in this part.
    #[inline(always)]
    pub(super) fn add(&self, part: &mut Part, a: usize, b: usize, value: impl Fn(usize, usize) -> f64) {
        let (which, first, length) = self.of(a, b);
        let values = if which == 0 { &mut *part.diagonal } else { &mut *part.off_diagonal };
        for i in 0..C {
            for (j, entry) in values[first + i * length..][..C].iter_mut().enumerate() {
                *entry += value(i, j);
            }
        }
    }
}

/// The places of a batch of cells, which the processor begins to fetch.
#[inline(always)]
pub(super) fn find<'a, const C: usize, const N: usize>(
    places: &mut [Places<'a, C, N>; LANES],
    pattern: &'a Pattern,
    rows: &Range<usize>,
    nodes: &[u32],
    batch: &[(u32, u32, u16)],
    part: &Part,
) {
    for (places, &(cell, ..)) in places.iter_mut().zip(batch) {
        let cell = cell as usize;
        *places = Places::new(pattern, rows, cell, &nodes[cell * N..][..N]);
        places.fetch(part);
    }
}
