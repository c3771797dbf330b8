//! Assembly of nonlinear forms: residual and exact tangent of eight cells at a time.
use super::assembly::{Domain, Rule, Target, Values, by_share};
use super::batch::{Batch, Cells};
use super::form::{Density, Form, State};
use super::kernel::Same;
use super::lanes::{LANES, Lanes, dot, vector};
use super::scatter::{Part, Places, find};
use super::weak_form::Shape;
use super::{Essential, Pattern, Space};
use crate::mesh::CellType;
use multiversion::multiversion;
use rayon::prelude::*;

/// Internal variables of a form at the quadrature points of the local cells.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Numbers at a point.
    pub width: usize,
    /// Points in a cell.
    pub points: usize,
    /// `[cell, point, variable]`, cells of the ghost layer included.
    pub values: Vec<f64>,
}

/// Factors of the two parts of a form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parts {
    /// Factor of the storage: what the time scheme multiplies it by, 0 for steady problems.
    pub storage: f64,
    /// Factor of the rest, 1, or 0 where only the storage is wanted.
    pub residual: f64,
}

impl Parts {
    /// What is stored, alone.
    pub const STORAGE: Self = Self { storage: 1.0, residual: 0.0 };
    /// All but the storage: the residual of a steady problem.
    pub const REST: Self = Self { storage: 0.0, residual: 1.0 };
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
    history: Option<&'a History>,
    parts: Parts,
    wants_matrix: bool,
}

/// Calls the function for the element of a job; only those of the form's own dimension and degrees are built.
macro_rules! dispatch {
    ($job:expr, $d:ident, $c:ident, $f:ident, $function:ident($($argument:expr),*)) => {{
        use CellType::*;
        let simplex = matches!($job.cells.shape, Interval | Triangle | Tetrahedron);
        macro_rules! call {
            ($n:literal) => {
                $function::<$d, $c, $n, $f>($($argument),*)
            };
        }
        if $job.cells.degree == 1 {
            if $f::DEGREES[0] {
                if Same::<$d, 1>::HOLDS {
                    call!(2)
                } else if Same::<$d, 2>::HOLDS {
                    if simplex { call!(3) } else { call!(4) }
                } else if Same::<$d, 3>::HOLDS {
                    if simplex { call!(4) } else { call!(8) }
                }
            }
        } else if $f::DEGREES[1] {
            if Same::<$d, 1>::HOLDS {
                call!(3)
            } else if Same::<$d, 2>::HOLDS {
                if simplex { call!(6) } else { call!(9) }
            } else if Same::<$d, 3>::HOLDS {
                if simplex { call!(10) } else { call!(27) }
            }
        }
    }};
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
    history: Option<&History>,
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
            history,
            parts,
            wants_matrix,
        };
        dispatch!(job, D, C, F, kernel(&job, part));
    });
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn kernel<const D: usize, const C: usize, const N: usize, F: Form<D, C>>(job: &Job<F>, mut part: Part) {
    let mut cells = Evaluated::<D, C, N>::new(job);
    let points = job.rule.weights.len();
    let mut blocks = vec![[[Lanes::ZERO; C]; C]; if job.wants_matrix { N * N } else { 0 }];
    let mut work = vec![Density::ZERO; if job.wants_matrix { points } else { 0 }];
    const { assert!(C <= 4, "the columns of a block are written out") };

    let mut places = [Places::<C, N>::NONE; LANES];
    for batch in job.entities.chunks(LANES) {
        if job.wants_matrix {
            find(&mut places, job.pattern, &job.rows, job.cells.nodes, batch, &part);
        }
        let factors = cells.load(job, batch);
        let Evaluated { at, states, .. } = &cells;

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
            for i in 0..C {
                let (value, slope) = tables::<D, C, N, F>(job, q, i);
                let source = density.source[i];
                // Along the axes of the reference cell, where the basis is the same for all lanes.
                let flux: [Lanes; D] = vector(|k| dot(&point.inverse[k], &density.flux[i]));
                for (load, (value, slope)) in loads.iter_mut().zip(value.iter().zip(slope)) {
                    load[i] += source * *value;
                    for k in 0..D {
                        load[i] += flux[k] * slope[k];
                    }
                }
            }
        }
        if job.wants_matrix {
            // Written out, so that the compiler knows `j` and drops what the form says is zero.
            macro_rules! columns {
                ($($j:literal)*) => { $(
                    if $j < C {
                        columns::<D, C, N, F>(job, $j, &cells, &factors, &mut work, &mut blocks);
                    }
                )* };
            }
            columns!(0 1 2 3);
        }
        for (l, &(cell, ..)) in batch.iter().enumerate() {
            scatter(job, (cell as usize, l), &places[l], &loads, &blocks, &mut part);
        }
    }
}

/// The blocks' columns of component `j`.
#[inline(always)]
fn columns<const D: usize, const C: usize, const N: usize, F: Form<D, C>>(
    job: &Job<F>,
    j: usize,
    Evaluated { at, linear, states }: &Evaluated<D, C, N>,
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
                direction.gradient = vector(|d| direction.gradient[d] * factors[b][j]);
            }
            let slope = job.form.slope(&point, state, &direction, j);
            let factor = weight * job.parts.residual;
            for i in 0..C {
                if F::SOURCES[i][j] {
                    density.source[i] = slope.source[i] * factor;
                }
                if F::FLUXES[i][j] {
                    density.flux[i] = vector(|d| slope.flux[i][d] * factor);
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

/// More numbers than any form keeps at a point.
const MOST_LOCAL: usize = 32;

/// A batch of cells with the state at their quadrature points.
struct Evaluated<const D: usize, const C: usize, const N: usize> {
    at: Batch<D, N>,
    /// The basis of degree 1, for the components that have it; empty where none has, or no matrix is wanted.
    linear: Vec<[Shape<D>; N]>,
    states: Vec<State<D, C>>,
}

impl<const D: usize, const C: usize, const N: usize> Evaluated<D, C, N> {
    #[inline(always)]
    fn new<F: Form<D, C>>(job: &Job<F>) -> Self {
        let points = job.rule.weights.len();
        let mut at = Batch::new(points, F::POSITION, job.wants_matrix, false);
        at.rate = job.parts.storage;
        at.keep(F::HISTORY, F::LOCAL);
        let mixed = job.wants_matrix && job.cells.degree > 1 && F::LINEAR.contains(&true);
        let zero = Shape { value: Lanes::ZERO, gradient: [Lanes::ZERO; D] };
        let state = State { value: [Lanes::ZERO; C], gradient: [[Lanes::ZERO; D]; C] };
        Self { at, linear: vec![[zero; N]; if mixed { points } else { 0 }], states: vec![state; points] }
    }

    /// Fills it for the next cells; returns the slopes of the nodal potentials.
    #[inline(always)]
    fn load<F: Form<D, C>>(&mut self, job: &Job<F>, batch: &[(u32, u32, u16)]) -> [[Lanes; C]; N] {
        let Self { at, linear, states } = self;
        let entity = |l: usize| batch[l.min(batch.len() - 1)];
        at.fill(&job.cells, job.rule, job.coefficients, F::COEFFICIENTS, entity, |p| job.form.measure(p));
        if !linear.is_empty() {
            tabulate_linear(job, at, linear);
        }
        if let Some(history) = job.history {
            load_history(history, entity, &mut at.history);
        }
        let factors = evaluate_state::<D, C, N, F>(job, entity, at, states);
        if F::LOCAL > 0 {
            let mut local = [Lanes::ZERO; MOST_LOCAL];
            for (q, state) in states.iter().enumerate() {
                job.form.prepare(&at.point(q), state, &mut local[..F::LOCAL]);
                at.local[q * F::LOCAL..][..F::LOCAL].copy_from_slice(&local[..F::LOCAL]);
            }
        }
        factors
    }
}

/// Internal variables of the lanes' cells.
#[inline(always)]
fn load_history(history: &History, entity: impl Fn(usize) -> (u32, u32, u16), target: &mut [Lanes]) {
    let size = history.points * history.width;
    for l in 0..LANES {
        let own = &history.values[entity(l).0 as usize * size..][..size];
        for (target, value) in target.iter_mut().zip(own) {
            target.0[l] = *value;
        }
    }
}

/// The state at the quadrature points; returns the slopes of the nodal potentials.
#[inline(always)]
fn evaluate_state<const D: usize, const C: usize, const N: usize, F: Form<D, C>>(
    job: &Job<F>,
    entity: impl Fn(usize) -> (u32, u32, u16),
    at: &Batch<D, N>,
    states: &mut [State<D, C>],
) -> [[Lanes; C]; N] {
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
        let inverse = at.point(q).inverse;
        for i in 0..C {
            let (value, slope) = tables::<D, C, N, F>(job, q, i);
            let mut sum = Lanes::ZERO;
            let mut gradient = [Lanes::ZERO; D];
            for (a, (value, slope)) in value.iter().zip(slope).enumerate() {
                sum += values[a][i] * *value;
                for k in 0..D {
                    gradient[k] += potentials[a][i] * slope[k];
                }
            }
            state.value[i] = sum;
            for d in 0..D {
                state.gradient[i][d] = Lanes::ZERO;
                for k in 0..D {
                    state.gradient[i][d] += inverse[k][d] * gradient[k];
                }
            }
        }
    }
    factors
}

/// Values and reference gradients at a point of the basis functions of component `i`.
#[inline(always)]
fn tables<'a, const D: usize, const C: usize, const N: usize, F: Form<D, C>>(
    job: &'a Job<F>,
    q: usize,
    i: usize,
) -> (&'a [f64], &'a [[f64; 3]]) {
    let linear = F::LINEAR[i] && job.cells.degree > 1;
    let (table, n) = match linear {
        true => (&job.rule.geometry, job.cells.shape.vertices()),
        false => (&job.rule.basis, N),
    };
    (&table.values[q * n..][..n], &table.gradients[q * n..][..n])
}

/// The internal variables at the end of a step: `next` takes what [`Form::update`] gives at `state`. Local.
pub fn update_history<const D: usize, const C: usize, F: Form<D, C>>(
    form: &F,
    space: &Space,
    domain: &Domain,
    coefficients: &[Values],
    (history, next): (&History, &mut History),
    rate: f64,
    state: &[f64],
) {
    if F::HISTORY == 0 {
        return;
    }
    let cells = super::assembly::cells(space);
    let (rule, size) = (domain.rule, history.points * history.width);
    // Whole batches to a thread, so that each writes its own part of `next`.
    let batches = domain.entities.par_chunks(64 * LANES);
    batches.zip(next.values.par_chunks_mut(64 * LANES * size)).for_each(|(entities, next)| {
        let empty = Pattern::default();
        let job = Job {
            form,
            cells,
            pattern: &empty,
            rule,
            entities,
            coefficients,
            essential: None,
            rows: 0..0,
            state,
            history: Some(history),
            parts: Parts { storage: rate, residual: 1.0 },
            wants_matrix: false,
        };
        dispatch!(job, D, C, F, update(&job, next));
    });
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn update<const D: usize, const C: usize, const N: usize, F: Form<D, C>>(job: &Job<F>, next: &mut [f64]) {
    let mut cells = Evaluated::<D, C, N>::new(job);
    let points = job.rule.weights.len();
    for (number, batch) in job.entities.chunks(LANES).enumerate() {
        cells.load(job, batch);
        let Evaluated { at, states, .. } = &cells;
        for (q, state) in states.iter().enumerate() {
            let mut result = [Lanes::ZERO; MOST_LOCAL];
            job.form.update(&at.point(q), state, &mut result[..F::HISTORY]);
            for (l, _) in batch.iter().enumerate() {
                let cell = number * LANES + l;
                let target = &mut next[(cell * points + q) * F::HISTORY..][..F::HISTORY];
                for (target, value) in target.iter_mut().zip(&result) {
                    *target = value.0[l];
                }
            }
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
    (cell, l): (usize, usize),
    places: &Places<C, N>,
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
        for b in 0..N {
            let block = &blocks[a * N + b];
            match essential {
                None => places.add(part, a, b, |i, j| block[i][j].0[l]),
                Some(essential) => {
                    let column = nodes[b] as usize * C;
                    let fixed = |i, j| essential.fixed[node * C + i] || essential.fixed[column + j];
                    places.add(part, a, b, |i, j| if fixed(i, j) { 0.0 } else { block[i][j].0[l] });
                }
            }
        }
    }
}
