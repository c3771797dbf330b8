//! The assembly kernel of linear forms: element blocks and their scatter for eight cells at a time.
use super::Essential;
use super::assembly::{Rule, Values};
use super::batch::{Batch, Cells};
use super::lanes::{LANES, Lanes, vector};
use super::pattern::Pattern;
use super::scatter::{Part, Places, find};
use super::weak_form::WeakForm;
use crate::mesh::CellType;
use multiversion::multiversion;
use std::ops::Range;

/// One thread's work.
pub(super) struct Job<'a, F> {
    pub form: &'a F,
    pub cells: Cells<'a>,
    pub pattern: &'a Pattern,
    pub rule: &'a Rule,
    pub entities: &'a [(u32, u32, u16)],
    pub coefficients: &'a [Values],
    pub essential: Option<&'a Essential>,
    pub rows: Range<usize>,
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
fn kernel<const D: usize, const C: usize, const N: usize, F: WeakForm<D, C>>(job: &Job<F>, mut part: Part) {
    let points = job.rule.weights.len();
    let mut at = Batch::<D, N>::new(points, F::POSITION, true, true);
    let mut blocks = vec![[[Lanes::ZERO; C]; C]; N * N];
    let mut places = [Places::<C, N>::NONE; LANES];
    let has_load = job.coefficients.iter().any(|c| !c.is_zero());
    let constant = job.cells.shape.is_simplex() && N == D + 1 && F::is_constant(job.coefficients);
    let tangent_points = if constant { 1 } else { points };
    let share = job.rule.weights.iter().sum::<f64>() / job.rule.weights[0];

    for batch in job.entities.chunks(LANES) {
        // A short last batch repeats its last cell; the surplus lanes are not scattered.
        let entity = |l: usize| batch[l.min(batch.len() - 1)];
        if job.wants_matrix {
            find(&mut places, job.pattern, &job.rows, job.cells.nodes, batch, &part);
        }
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
                        block.as_flattened_mut().iter_mut().for_each(|value| *value = *value * share);
                    }
                    blocks[a * N + b] = block;
                    if F::SYMMETRIC && a != b {
                        for i in 0..C {
                            blocks[b * N + a][i] = vector(|j| block[j][i]);
                        }
                    }
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
                    for i in 0..C {
                        for j in 0..C {
                            loads[a][i] += -blocks[a * N + b][i][j] * values[b][j];
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
                    part.load[row..row + C]
                        .iter_mut()
                        .zip(&loads[a])
                        .for_each(|(sum, load)| *sum += load.0[l]);
                }
                if !job.wants_matrix && essential.is_none() {
                    continue;
                }
                for b in 0..N {
                    let block = &blocks[a * N + b];
                    let value = |i: usize, j: usize| block[i][j].0[l];
                    let Some(essential) = essential else {
                        places[l].add(&mut part, a, b, value);
                        continue;
                    };
                    let column = nodes[b] as usize * C;
                    for i in (0..C).filter(|i| !essential.fixed[node * C + i]) {
                        for j in (0..C).filter(|j| essential.fixed[column + j]) {
                            part.load[row + i] -= value(i, j) * essential.values[column + j];
                        }
                    }
                    if job.wants_matrix {
                        let fixed = |i, j| essential.fixed[node * C + i] || essential.fixed[column + j];
                        places[l].add(&mut part, a, b, |i, j| if fixed(i, j) { 0.0 } else { value(i, j) });
                    }
                }
            }
        }
    }
}
