//! The assembly kernel of linear forms: element blocks and their scatter for eight cells at a time.
use super::Essential;
use super::assembly::{Rule, Values};
use super::batch::{Batch, Cells};
use super::lanes::{LANES, Lanes};
use super::pattern::{OFF_DIAGONAL, Pattern};
use super::weak_form::WeakForm;
use crate::mesh::CellType;
use multiversion::multiversion;

/// A thread's part of the target.
pub(super) struct Part<'a> {
    pub share: usize,
    pub diagonal: &'a mut [f64],
    pub off_diagonal: &'a mut [f64],
    pub load: &'a mut [f64],
}

/// One thread's work.
pub(super) struct Job<'a, F> {
    pub form: &'a F,
    pub cells: Cells<'a>,
    pub pattern: &'a Pattern,
    pub rule: &'a Rule,
    pub entities: &'a [(u32, u32, u16)],
    pub coefficients: &'a [Values],
    pub essential: Option<&'a Essential>,
    pub rows: std::ops::Range<usize>,
    pub wants_matrix: bool,
    pub state: Option<&'a [f64]>,
}

impl<F> Job<'_, F> {
    /// Runs the kernel of the element.
    pub(super) fn dispatch<const D: usize, const C: usize>(&self, part: Part)
    where
        F: WeakForm<D, C>,
    {
        use CellType::*;
        // The compiler leaves out what a constant condition excludes: only the kernels of the
        // form's own dimension are built.
        if Same::<D, 1>::HOLDS {
            return match self.cells.degree {
                1 => kernel::<D, C, 2, F>(self, part),
                _ => kernel::<D, C, 3, F>(self, part),
            };
        }
        if Same::<D, 2>::HOLDS {
            return match (self.cells.shape, self.cells.degree) {
                (Triangle, 1) => kernel::<D, C, 3, F>(self, part),
                (Triangle, _) => kernel::<D, C, 6, F>(self, part),
                (_, 1) => kernel::<D, C, 4, F>(self, part),
                _ => kernel::<D, C, 9, F>(self, part),
            };
        }
        if Same::<D, 3>::HOLDS {
            match (self.cells.shape, self.cells.degree) {
                (Tetrahedron, 1) => kernel::<D, C, 4, F>(self, part),
                (Tetrahedron, _) => kernel::<D, C, 10, F>(self, part),
                (_, 1) => kernel::<D, C, 8, F>(self, part),
                _ => kernel::<D, C, 27, F>(self, part),
            }
        }
    }
}

/// Whether two constants are equal, as a constant.
pub(super) struct Same<const A: usize, const B: usize>;

impl<const A: usize, const B: usize> Same<A, B> {
    pub(super) const HOLDS: bool = A == B;
}

// AVX2 beside the baseline: every further version costs build time for each form and element.
#[multiversion(targets("x86_64+avx2+fma"))]
fn kernel<const D: usize, const C: usize, const N: usize, F: WeakForm<D, C>>(job: &Job<F>, part: Part) {
    let points = job.rule.weights.len();
    let pairs = if F::SYMMETRIC { N * (N + 1) / 2 } else { N * N };
    let mut at = Batch::<D, N>::new(points, F::POSITION, true, true);
    let mut blocks = vec![[[Lanes::ZERO; C]; C]; pairs];
    let has_load = job.coefficients.iter().any(|c| !c.is_zero());
    let constant = job.cells.shape.is_simplex() && N == D + 1 && F::is_constant(job.coefficients);
    let tangent_points = if constant { 1 } else { points };
    let share = job.rule.weights.iter().sum::<f64>() / job.rule.weights[0];

    for batch in job.entities.chunks(LANES) {
        // A short last batch repeats its last cell; the surplus lanes are not scattered.
        let entity = |l: usize| batch[l.min(batch.len() - 1)];
        at.fill(&job.cells, job.rule, job.coefficients, F::COEFFICIENTS, entity, |point| {
            job.form.measure(point)
        });
        let point = |q: usize| at.point(q);
        let (test, trial) = (&at.test, &at.trial);
        let mut loads = [[Lanes::ZERO; C]; N];
        if has_load {
            for q in 0..points {
                for a in 0..N {
                    let value = job.form.load(&point(q), &test[q][a]);
                    for i in 0..C {
                        loads[a][i] += value[i];
                    }
                }
            }
        }
        let constrained = job.essential.is_some_and(|e| (0..LANES).any(|l| e.cells[entity(l).0 as usize]));
        if job.wants_matrix || job.state.is_some() || constrained {
            let mut pair = 0;
            for a in 0..N {
                for b in (if F::SYMMETRIC { a } else { 0 })..N {
                    let mut block = job.form.tangent(&point(0), &test[0][a], &trial[0][b]);
                    for q in 1..tangent_points {
                        let more = job.form.tangent(&point(q), &test[q][a], &trial[q][b]);
                        for i in 0..C {
                            for j in 0..C {
                                block[i][j] += more[i][j];
                            }
                        }
                    }
                    if constant {
                        block = block.map(|row| row.map(|value| value * share));
                    }
                    blocks[pair] = block;
                    pair += 1;
                }
            }
        }
        if let Some(state) = job.state {
            let mut values = [[Lanes::ZERO; C]; N];
            for l in 0..LANES {
                let nodes = &job.cells.nodes[entity(l).0 as usize * N..][..N];
                for (value, &node) in values.iter_mut().zip(nodes) {
                    (0..C).for_each(|i| value[i].0[l] = state[node as usize * C + i]);
                }
            }
            for a in 0..N {
                for b in 0..N {
                    let (block, transposed) = block::<C, N, F, D>(&blocks, a, b);
                    for i in 0..C {
                        for j in 0..C {
                            let entry = if transposed { block[j][i] } else { block[i][j] };
                            loads[a][i] += -entry * values[b][j];
                        }
                    }
                }
            }
        }
        for l in 0..batch.len().min(LANES) {
            let cell = batch[l].0 as usize;
            let essential = job.essential.filter(|e| e.cells[cell]);
            let nodes: &[u32; N] = job.cells.nodes[cell * N..][..N].try_into().expect("a cell has N nodes");
            for a in 0..N {
                let node = nodes[a] as usize;
                if !job.rows.contains(&node) {
                    continue;
                }
                let row = (node - job.rows.start) * C;
                if has_load || job.state.is_some() {
                    for i in 0..C {
                        part.load[row + i] += loads[a][i].0[l];
                    }
                }
                if !job.wants_matrix && essential.is_none() {
                    continue;
                }
                let positions = &job.pattern.positions[(cell * N + a) * N..][..N];
                let arrays = (&mut *part.diagonal, &mut *part.off_diagonal);
                let mut place =
                    job.wants_matrix.then(|| Row::<C>::new(job.pattern, &job.rows, node, positions, arrays));
                for b in 0..N {
                    let (values, transposed) = block::<C, N, F, D>(&blocks, a, b);
                    let value =
                        |i: usize, j: usize| if transposed { values[j][i].0[l] } else { values[i][j].0[l] };
                    let Some(essential) = essential else {
                        if let Some(place) = &mut place {
                            place.add(b, value);
                        }
                        continue;
                    };
                    let column = nodes[b] as usize * C;
                    for i in (0..C).filter(|i| !essential.fixed[node * C + i]) {
                        for j in (0..C).filter(|j| essential.fixed[column + j]) {
                            part.load[row + i] -= value(i, j) * essential.values[column + j];
                        }
                    }
                    if let Some(place) = &mut place {
                        let fixed = |i, j| essential.fixed[node * C + i] || essential.fixed[column + j];
                        place.add(b, |i, j| if fixed(i, j) { 0.0 } else { value(i, j) });
                    }
                }
            }
        }
    }
}

/// The block of two basis functions, and whether it stands there transposed.
#[inline(always)]
fn block<const C: usize, const N: usize, F: WeakForm<D, C>, const D: usize>(
    blocks: &[[[Lanes; C]; C]],
    a: usize,
    b: usize,
) -> (&[[Lanes; C]; C], bool) {
    if !F::SYMMETRIC {
        (&blocks[a * N + b], false)
    } else if a <= b {
        (&blocks[packed::<N>(a, b)], false)
    } else {
        (&blocks[packed::<N>(b, a)], true)
    }
}

/// Index of the pair `a <= b` among the pairs of `N` functions, row by row.
#[inline(always)]
fn packed<const N: usize>(a: usize, b: usize) -> usize {
    a * N - a * a.saturating_sub(1) / 2 - a + b
}

/// The rows of a node in a thread's part of the CSR arrays, and where a cell's blocks stand in them.
pub(super) struct Row<'a, const C: usize> {
    positions: &'a [u16],
    diagonal: [&'a mut [f64]; C],
    off_diagonal: [&'a mut [f64]; C],
}

impl<'a, const C: usize> Row<'a, C> {
    #[inline(always)]
    pub(super) fn new(
        pattern: &Pattern,
        rows: &std::ops::Range<usize>,
        node: usize,
        positions: &'a [u16],
        (diagonal, off_diagonal): (&'a mut [f64], &'a mut [f64]),
    ) -> Self {
        // Cut once for all blocks: rows that are known to be of one length need one check of bounds for a block.
        let cut = |starts: &[u32], values: &'a mut [f64]| -> [&'a mut [f64]; C] {
            let length = (starts[node + 1] - starts[node]) as usize * C;
            let mut rest = &mut values[(starts[node] - starts[rows.start]) as usize * C * C..];
            std::array::from_fn(|_| {
                let row;
                (row, rest) = std::mem::take(&mut rest).split_at_mut(length);
                row
            })
        };
        let off_diagonal = cut(&pattern.off_diagonal_rows, off_diagonal);
        Self { positions, diagonal: cut(&pattern.diagonal_rows, diagonal), off_diagonal }
    }

    #[inline(always)]
    pub(super) fn add(&mut self, b: usize, value: impl Fn(usize, usize) -> f64) {
        let position = self.positions[b];
        let rows = if position & OFF_DIAGONAL == 0 { &mut self.diagonal } else { &mut self.off_diagonal };
        let start = (position & !OFF_DIAGONAL) as usize * C;
        for (i, row) in rows.iter_mut().enumerate() {
            for (j, entry) in row[start..start + C].iter_mut().enumerate() {
                *entry += value(i, j);
            }
        }
    }
}
