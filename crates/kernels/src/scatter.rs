//! From element blocks to their entries in a matrix in CSR format.
use super::functions::{Any, Functions};
use super::job::{Entity, Job, OFF_DIAGONAL, Part, Sparsity};
use super::lanes::{LANES, Lanes};
use super::prefetch::prefetch;
use std::ops::Range;

/// Where the blocks of a cell stand in a thread's part of the CSR arrays, for `C` unknowns at each node.
pub(super) struct Places<'a, const C: usize, N: Functions> {
    functions: N,
    positions: &'a [u16],
    /// First entry and length of the rows of each node, in the diagonal and the off-diagonal part; zero where the rows
    /// are another's.
    rows: N::Array<[[usize; 2]; 2]>,
}

/// The places of a batch of cells.
pub(super) type Batch<'a, const C: usize, N> = [Places<'a, C, N>; LANES];

/// No places.
pub(super) fn none<'a, const C: usize, N: Functions>(functions: N) -> Batch<'a, C, N> {
    std::array::from_fn(|_| Places { functions, positions: &[], rows: functions.array([[0; 2]; 2]) })
}

impl<'a, const C: usize, N: Functions> Places<'a, C, N> {
    /// The places of a local cell with these nodes.
    #[inline(always)]
    fn set(&mut self, sparsity: &Sparsity<'a>, rows: &Range<usize>, cell: usize, nodes: &[u32]) {
        let part = |starts: &[u32], node: usize| {
            let (base, start, end) = (starts[rows.start], starts[node], starts[node + 1]);
            [(start - base) as usize * C * C, (end - start) as usize * C]
        };
        let n = self.functions.count();
        self.positions = &sparsity.positions[cell * n * n..][..n * n];
        for (place, &node) in self.rows.as_mut().iter_mut().zip(nodes) {
            let node = node as usize;
            *place = [[0; 2]; 2];
            if rows.contains(&node) {
                *place = [part(sparsity.diagonal_rows, node), part(sparsity.off_diagonal_rows, node)];
            }
        }
    }

    /// Part, first entry and length of the rows of block `(a, b)`.
    #[inline(always)]
    fn of(&self, a: usize, b: usize) -> (usize, usize, usize) {
        let position = self.positions[a * self.functions.count() + b];
        let part = usize::from(position & OFF_DIAGONAL != 0);
        let [start, length] = self.rows.as_ref()[a][part];
        (part, start + (position & !OFF_DIAGONAL) as usize * C, length)
    }

    /// Has the processor fetch the entries: they lie far apart, and waiting for one after the other would take
    /// longer than to compute them.
    #[inline(always)]
    fn fetch(&self, part: &Part) {
        let n = self.functions.count();
        for a in (0..n).filter(|&a| self.rows.as_ref()[a] != [[0; 2]; 2]) {
            for b in 0..n {
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

/// The places of the cells of a batch, which the processor begins to fetch.
#[inline(never)]
pub(super) fn find<'a, const C: usize, N: Functions>(
    places: &mut Batch<'a, C, N>,
    job: &Job<'a>,
    batch: &[Entity],
    part: &Part,
) {
    find_inlined(places, job, batch, part);
}

/// As [`find`], as part of the loop in which it stands: for kernels that do little else.
#[inline(always)]
pub(super) fn find_inlined<'a, const C: usize, N: Functions>(
    places: &mut Batch<'a, C, N>,
    job: &Job<'a>,
    batch: &[Entity],
    part: &Part,
) {
    for (places, &(cell, ..)) in places.iter_mut().zip(batch) {
        let (cell, n) = (cell as usize, places.functions.count());
        places.set(&job.sparsity, &job.rows, cell, &job.cells.nodes[cell * n..][..n]);
        places.fetch(part);
    }
}

/// What a kernel has computed for a batch.
pub(super) struct Element<'a, const C: usize> {
    /// Element vectors, `[function][component]`; none where there is nothing to add.
    pub loads: Option<&'a [[Lanes; C]]>,
    /// Blocks of the element matrices, `[test function, trial function][row][column]`.
    pub blocks: &'a [[[Lanes; C]; C]],
    /// Whether prescribed values times their columns are added to the load.
    pub lifts: bool,
}

/// Adds element vectors and matrices to the rows of this part, leaving out rows and columns of prescribed unknowns.
#[inline(never)]
pub(super) fn scatter<const C: usize, N: Functions>(
    places: &Batch<C, N>,
    job: &Job,
    batch: &[Entity],
    element: &Element<C>,
    part: &mut Part,
) {
    scatter_inlined(places, job, batch, element, part);
}

/// As [`scatter`], as part of the loop in which it stands: for kernels that do little else.
#[inline(always)]
pub(super) fn scatter_inlined<const C: usize, N: Functions>(
    places: &Batch<C, N>,
    job: &Job,
    batch: &[Entity],
    element: &Element<C>,
    part: &mut Part,
) {
    // Its own copy of the slices, so that they stay in registers.
    let mut part = Part { diagonal: part.diagonal, off_diagonal: part.off_diagonal, load: part.load };
    let (rows, blocks) = (job.rows.clone(), element.blocks);
    for (l, (places, &(cell, ..))) in places.iter().zip(batch).enumerate() {
        let (cell, n) = (cell as usize, places.functions.count());
        let prescribed = job.prescribed.filter(|e| e.cells[cell]);
        let nodes = &job.cells.nodes[cell * n..][..n];
        for a in 0..n {
            let node = nodes[a] as usize;
            if !rows.contains(&node) {
                continue;
            }
            let row = (node - rows.start) * C;
            if let Some(loads) = element.loads {
                let own = part.load[row..row + C].iter_mut();
                own.zip(&loads[a]).for_each(|(sum, load)| *sum += load.0[l]);
            }
            if !job.wants_matrix && (prescribed.is_none() || !element.lifts) {
                continue;
            }
            let blocks = places.functions.row(blocks, a);
            let Some(prescribed) = prescribed else {
                for (b, block) in blocks.iter().enumerate() {
                    places.add(&mut part, a, b, |i, j| block[i][j].0[l]);
                }
                continue;
            };
            for (b, block) in blocks.iter().enumerate() {
                let column = nodes[b] as usize * C;
                if element.lifts {
                    for i in (0..C).filter(|i| !prescribed.fixed[node * C + i]) {
                        for j in (0..C).filter(|j| prescribed.fixed[column + j]) {
                            part.load[row + i] += block[i][j].0[l] * prescribed.values[column + j];
                        }
                    }
                }
                if job.wants_matrix {
                    let fixed = |i, j| prescribed.fixed[node * C + i] || prescribed.fixed[column + j];
                    places.add(&mut part, a, b, |i, j| if fixed(i, j) { 0.0 } else { block[i][j].0[l] });
                }
            }
        }
    }
}

/// Values of the local unknowns at the nodes of the lanes' cells, of which a short batch repeats the last.
#[inline(never)]
pub(super) fn gather<const C: usize>(job: &Job, batch: &[Entity], state: &[f64], values: &mut [[Lanes; C]]) {
    let functions = Any(values.len());
    for l in 0..LANES {
        let cell = batch[l.min(batch.len() - 1)].0 as usize;
        let nodes = functions.row(job.cells.nodes, cell);
        for (value, &node) in values.iter_mut().zip(nodes) {
            for (lanes, number) in value.iter_mut().zip(&state[node as usize * C..][..C]) {
                lanes.0[l] = *number;
            }
        }
    }
}
