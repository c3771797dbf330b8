//! Assembly of nonlinear forms: residual and exact tangent of eight cells at a time.
use super::assembly::{Domain, Rule, Target, Values, by_share};
use super::batch::{Batch, Cells};
use super::form::{Density, Form, State};
use super::kernel::{Part, Row, Same};
use super::lanes::{LANES, Lanes, dot};
use super::weak_form::Shape;
use super::{Essential, Pattern, Space};
use crate::mesh::CellType;
use multiversion::multiversion;

/// Factors of the two parts of a form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parts {
    /// Factor of the storage: what the time scheme multiplies it by, 0 for steady problems.
    pub storage: f64,
    /// Factor of the rest, 1, or 0 where only the storage is wanted.
    pub residual: f64,
}

struct Job<'a, F> {
    form: &'a F,
    cells: Cells<'a>,
    pattern: &'a Pattern,
    rule: &'a Rule,
    entities: &'a [(u32, u32, u16)],
    coefficients: &'a [Values],
    essential: Option<&'a Essential>,
    rows: std::ops::Range<usize>,
    state: &'a [f64],
    parts: Parts,
    wants_matrix: bool,
}

/// Adds `parts.storage * storage + parts.residual * residual` at `target.state` to the load of the target,
/// and the derivative to its matrix, leaving out rows and columns of unknowns in `essential`. Local.
///
/// # Panics
/// When the target has no state.
#[allow(clippy::too_many_arguments)] // A call is one line in each model.
pub fn assemble_form<const D: usize, const C: usize, F: Form<D, C>>(
    form: &F,
    space: &Space,
    pattern: &Pattern,
    domain: &Domain,
    coefficients: &[Values],
    essential: Option<&Essential>,
    parts: Parts,
    target: &mut Target,
) {
    debug_assert_eq!(coefficients.len(), F::COEFFICIENTS);
    let wants_matrix = target.matrix.is_some();
    let state = target.state.expect("a form is evaluated at a state");
    by_share(C, space, pattern, domain, target, |cells, entities, rows, part| {
        let rule = domain.rule;
        let job = Job {
            form,
            cells,
            pattern,
            rule,
            entities,
            coefficients,
            essential,
            rows,
            state,
            parts,
            wants_matrix,
        };
        job.dispatch::<D, C>(part);
    });
}

impl<F> Job<'_, F> {
    fn dispatch<const D: usize, const C: usize>(&self, part: Part)
    where
        F: Form<D, C>,
    {
        use CellType::*;
        // As for linear forms: only the kernels of the form's own dimension are built.
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

#[multiversion(targets("x86_64+avx2+fma"))]
fn kernel<const D: usize, const C: usize, const N: usize, F: Form<D, C>>(job: &Job<F>, mut part: Part) {
    let points = job.rule.weights.len();
    let mixed = job.cells.degree > 1 && F::LINEAR.contains(&true);
    let zero = Shape { value: Lanes::ZERO, gradient: [Lanes::ZERO; D] };
    let mut at = Batch::<D, N>::new(points, F::POSITION);
    at.wants_test = false;
    // The basis of degree 1, for the components that have it.
    let mut linear = vec![[zero; N]; if mixed { points } else { 0 }];
    let mut states = vec![State { value: [Lanes::ZERO; C], gradient: [[Lanes::ZERO; D]; C] }; points];
    let mut blocks = vec![[[Lanes::ZERO; C]; C]; if job.wants_matrix { N * N } else { 0 }];
    let is_linear = |i: usize| mixed && F::LINEAR[i];
    let mut work = vec![Density::ZERO; if job.wants_matrix { points } else { 0 }];
    const { assert!(C <= 4, "the columns of a block are written out") };

    for batch in job.entities.chunks(LANES) {
        let entity = |l: usize| batch[l.min(batch.len() - 1)];
        at.fill(&job.cells, job.rule, job.coefficients, F::COEFFICIENTS, entity, |_| Lanes::splat(1.0));
        if mixed {
            tabulate_linear(job, &at, &mut linear);
        }
        let trial = |q: usize, a: usize, i: usize| if is_linear(i) { &linear[q][a] } else { &at.trial[q][a] };

        let mut values = [[Lanes::ZERO; C]; N];
        for l in 0..LANES {
            let nodes = &job.cells.nodes[entity(l).0 as usize * N..][..N];
            for (value, &node) in values.iter_mut().zip(nodes) {
                for i in 0..C {
                    value[i].0[l] = job.state[node as usize * C + i];
                }
            }
        }
        let mut potentials = values;
        let mut factors = [[Lanes::splat(1.0); C]; N];
        if F::POTENTIAL {
            let point = at.point(0);
            for a in 0..N {
                for i in 0..C {
                    (potentials[a][i], factors[a][i]) = job.form.potential(&point, values[a][i]);
                }
            }
        }
        for (q, state) in states.iter_mut().enumerate() {
            *state = State { value: [Lanes::ZERO; C], gradient: [[Lanes::ZERO; D]; C] };
            for a in 0..N {
                for i in 0..C {
                    let shape = trial(q, a, i);
                    state.value[i] += values[a][i] * shape.value;
                    for d in 0..D {
                        state.gradient[i][d] += potentials[a][i] * shape.gradient[d];
                    }
                }
            }
        }

        let mut loads = [[Lanes::ZERO; C]; N];
        for (q, state) in states.iter().enumerate() {
            let point = at.point(q);
            let mut density = Density::ZERO;
            if job.parts.residual != 0.0 {
                density.add(job.parts.residual, &job.form.residual(&point, state));
            }
            if job.parts.storage != 0.0 {
                density.add(job.parts.storage, &job.form.storage(&point, state));
            }
            scale(&mut density, at.weights[q]);
            for a in 0..N {
                for i in 0..C {
                    loads[a][i] += density.against(trial(q, a, i), i);
                }
            }
        }
        if job.wants_matrix {
            // Written out, so that the compiler knows `j` and drops what the form says is zero.
            macro_rules! columns {
                ($($j:literal)*) => { $(
                    if $j < C {
                        columns::<D, C, N, F>(job, $j, &at, &linear, &states, &factors, &mut work, &mut blocks);
                    }
                )* };
            }
            columns!(0 1 2 3);
        }
        for (l, &(cell, ..)) in batch.iter().enumerate() {
            scatter(job, cell as usize, l, &loads, &blocks, &mut part);
        }
    }
}

/// The blocks' columns of component `j`.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // Buffers of the kernel.
fn columns<const D: usize, const C: usize, const N: usize, F: Form<D, C>>(
    job: &Job<F>,
    j: usize,
    at: &Batch<D, N>,
    linear: &[[Shape<D>; N]],
    states: &[State<D, C>],
    factors: &[[Lanes; C]; N],
    densities: &mut [Density<D, C>],
    blocks: &mut [[[Lanes; C]; C]],
) {
    let mixed = !linear.is_empty();
    let corners = job.cells.shape.vertices();
    let basis = if mixed && F::LINEAR[j] { linear } else { &at.trial };
    for b in 0..if mixed && F::LINEAR[j] { corners.min(N) } else { N } {
        for (q, (state, density)) in states.iter().zip(densities.iter_mut()).enumerate() {
            let (point, weight) = (at.point(q), at.weights[q]);
            let mut direction = basis[q][b];
            if F::POTENTIAL {
                direction.gradient = direction.gradient.map(|g| g * factors[b][j]);
            }
            let slope = job.form.slope(&point, state, &direction, j);
            let factor = weight * job.parts.residual;
            for i in 0..C {
                if F::SOURCES[i][j] {
                    density.source[i] = slope.source[i] * factor;
                }
                if F::FLUXES[i][j] {
                    density.flux[i] = slope.flux[i].map(|flux| flux * factor);
                }
            }
            if job.parts.storage != 0.0 {
                let slope = job.form.storage_slope(&point, state, &direction, j);
                let factor = weight * job.parts.storage;
                for i in 0..C {
                    if F::SOURCES[i][j] {
                        density.source[i] += slope.source[i] * factor;
                    }
                    if F::FLUXES[i][j] {
                        for d in 0..D {
                            density.flux[i][d] += slope.flux[i][d] * factor;
                        }
                    }
                }
            }
        }
        // Two rows at once: as many sums as fit the registers share the loads of the densities.
        let mut a = 0;
        while a < N {
            let mut sums = [[Lanes::ZERO; C]; 2];
            let last = (a + 1).min(N - 1);
            for (q, density) in densities.iter().enumerate() {
                for i in 0..C {
                    if !F::SOURCES[i][j] && !F::FLUXES[i][j] || mixed && F::LINEAR[i] && a >= corners {
                        continue;
                    }
                    let tests = if mixed && F::LINEAR[i] { &linear[q] } else { &at.trial[q] };
                    for (sum, test) in sums.iter_mut().zip([&tests[a], &tests[last]]) {
                        if F::SOURCES[i][j] {
                            sum[i] += density.source[i] * test.value;
                        }
                        if F::FLUXES[i][j] {
                            sum[i] += dot(&density.flux[i], &test.gradient);
                        }
                    }
                }
            }
            for (row, sum) in [a, last].into_iter().zip(&sums) {
                for i in 0..C {
                    blocks[row * N + b][i][j] = sum[i];
                }
            }
            a += 2;
        }
    }
}

#[inline(always)]
fn scale<const D: usize, const C: usize>(density: &mut Density<D, C>, weight: Lanes) {
    for i in 0..C {
        density.source[i] *= weight;
        for d in 0..D {
            density.flux[i][d] *= weight;
        }
    }
}

/// The basis of degree 1 on the cells' vertices, which are their first nodes.
#[inline(always)]
fn tabulate_linear<const D: usize, const N: usize, F>(
    job: &Job<F>,
    at: &Batch<D, N>,
    linear: &mut [[Shape<D>; N]],
) {
    let corners = job.cells.shape.vertices();
    let table = &job.rule.geometry;
    for (q, shapes) in linear.iter_mut().enumerate() {
        let inverse = at.point(q).inverse;
        for (a, shape) in shapes.iter_mut().enumerate().take(corners) {
            let slope = table.gradients[q * corners + a];
            let mut gradient = [Lanes::ZERO; D];
            for i in 0..D {
                for j in 0..D {
                    gradient[i] += inverse[j][i] * slope[j];
                }
            }
            *shape = Shape { value: Lanes::splat(table.values[q * corners + a]), gradient };
        }
    }
}

/// Adds lane `l`'s element vector and matrix to the rows of this share.
#[inline(always)]
fn scatter<const C: usize, const N: usize, F>(
    job: &Job<F>,
    cell: usize,
    l: usize,
    loads: &[[Lanes; C]; N],
    blocks: &[[[Lanes; C]; C]],
    part: &mut Part,
) {
    let essential = job.essential.filter(|e| e.cells[cell]);
    let nodes = &job.cells.nodes[cell * N..][..N];
    for a in 0..N {
        let node = nodes[a] as usize;
        if !job.rows.contains(&node) {
            continue;
        }
        let row = (node - job.rows.start) * C;
        for i in 0..C {
            part.load[row + i] += loads[a][i].0[l];
        }
        if !job.wants_matrix {
            continue;
        }
        let positions = &job.pattern.positions[(cell * N + a) * N..][..N];
        let place = Row::<C>::new(job.pattern, &job.rows, node, positions);
        for b in 0..N {
            let block = &blocks[a * N + b];
            match essential {
                None => place.add(b, part, |i, j| block[i][j].0[l]),
                Some(essential) => {
                    let column = nodes[b] as usize * C;
                    let fixed = |i, j| essential.fixed[node * C + i] || essential.fixed[column + j];
                    place.add(b, part, |i, j| if fixed(i, j) { 0.0 } else { block[i][j].0[l] });
                }
            }
        }
    }
}
