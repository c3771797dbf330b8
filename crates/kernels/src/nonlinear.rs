//! Assembly of nonlinear forms: residual and exact tangent of eight cells at a time.
use super::batch::{Batch, fill};
use super::form::{Density, Form, FormKernel, State};
use super::functions::{Any, Functions, Known, Same};
use super::job::{Entity, History, Job, Part};
use super::lanes::{LANES, Lanes, dot, vector};
use super::scatter::{Element, find, gather, none, scatter};
use super::weak_form::Shape;
use multiversion::multiversion;
use multiversion::target::match_target;

/// The kernels of a form in `D` dimensions with `C` unknowns at a node.
pub(super) struct Nonlinear<const D: usize, const C: usize, F>(pub F);

impl<const D: usize, const C: usize, F: Form<D, C>> FormKernel for Nonlinear<D, C, F> {
    fn history(&self) -> usize {
        F::HISTORY
    }

    fn components(&self) -> usize {
        C
    }

    fn coefficients(&self) -> usize {
        F::COEFFICIENTS
    }

    fn add_portably(&self, job: &Job, part: Part) {
        debug_assert_eq!(job.coefficients.len(), F::COEFFICIENTS);
        portable::<D, C, F>(&self.0, job, part);
    }

    fn add(&self, job: &Job, part: Part) {
        debug_assert_eq!(job.coefficients.len(), F::COEFFICIENTS);
        let (form, functions) = (&self.0, job.cells.functions);
        macro_rules! known {
            ($n:literal) => {
                known::<D, C, $n, F>(form, job, part)
            };
        }
        // The compiler leaves out what a constant condition excludes: only the kernels of the form's own dimension and
        // degrees are built.
        if F::SURFACE {
            portable::<D, C, F>(form, job, part);
        } else if Same::<D, 2>::HOLDS {
            match functions {
                3 if F::DEGREES[0] => known!(3),
                4 if F::DEGREES[0] => known!(4),
                6 if F::DEGREES[1] => known!(6),
                9 if F::DEGREES[1] => known!(9),
                _ => any::<D, C, F>(form, job, part),
            }
        } else if Same::<D, 3>::HOLDS {
            match functions {
                4 if F::DEGREES[0] => known!(4),
                8 if F::DEGREES[0] => known!(8),
                10 if F::DEGREES[1] => known!(10),
                27 if F::DEGREES[1] => known!(27),
                _ => any::<D, C, F>(form, job, part),
            }
        } else {
            any::<D, C, F>(form, job, part);
        }
    }

    fn update(&self, job: &Job, next: &mut [f64]) {
        if F::HISTORY > 0 {
            update::<D, C, F>(&self.0, job, next);
        }
    }
}

// AVX2 beside the baseline: every further version costs build time for each form and element.
#[multiversion(targets("x86_64+avx2+fma"))]
fn known<const D: usize, const C: usize, const N: usize, F: Form<D, C>>(form: &F, job: &Job, part: Part) {
    match_target! {
        "x86_64+avx2+fma" => kernel::<D, C, Known<N>, F>(form, Known, job, part),
        _ => match cfg!(target_arch = "x86_64") {
            true => any::<D, C, F>(form, job, part),
            // Elsewhere the baseline has vector instructions.
            false => kernel::<D, C, Known<N>, F>(form, Known, job, part),
        },
    }
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn any<const D: usize, const C: usize, F: Form<D, C>>(form: &F, job: &Job, part: Part) {
    match_target! {
        "x86_64+avx2+fma" => kernel::<D, C, Any, F>(form, Any(job.cells.functions), job, part),
        _ => portable::<D, C, F>(form, job, part),
    }
}

#[inline(never)]
fn portable<const D: usize, const C: usize, F: Form<D, C>>(form: &F, job: &Job, part: Part) {
    kernel::<D, C, Any, F>(form, Any(job.cells.functions), job, part);
}

#[inline(always)]
fn kernel<const D: usize, const C: usize, N: Functions, F: Form<D, C>>(
    form: &F,
    functions: N,
    job: &Job,
    mut part: Part,
) {
    let n = functions.count();
    let mut cells = Evaluated::<D, C>::new::<F>(job);
    let mut blocks = vec![[[Lanes::ZERO; C]; C]; if job.wants_matrix { n * n } else { 0 }];
    let mut work = vec![Density::ZERO; if job.wants_matrix { cells.states.len() } else { 0 }];
    const { assert!(C <= 4, "the columns of a block are written out") };

    let mut places = none::<C, N>(functions);
    let mut loads = vec![[Lanes::ZERO; C]; n];
    for batch in job.entities.chunks(LANES) {
        if job.wants_matrix {
            find(&mut places, job, batch, &part);
        }
        evaluate(form, functions, job, batch, &mut cells);
        residual(form, functions, job, &cells, &mut loads);
        if job.wants_matrix {
            // Written out, so that the compiler knows `j` and drops what the form says is zero.
            macro_rules! columns {
                ($($j:literal)*) => { $(
                    if $j < C {
                        columns::<D, C, N, F>(form, functions, job, $j, &cells, &mut work, &mut blocks);
                    }
                )* };
            }
            columns!(0 1 2 3);
        }
        let element = Element { loads: Some(&loads), blocks: &blocks, lifts: false };
        scatter(&places, job, batch, &element, &mut part);
    }
}

/// Element vectors of the residual.
#[inline(always)]
fn residual<const D: usize, const C: usize, N: Functions, F: Form<D, C>>(
    form: &F,
    functions: N,
    job: &Job,
    Evaluated { at, states, .. }: &Evaluated<D, C>,
    loads: &mut [[Lanes; C]],
) {
    let loads = &mut loads[..functions.count()];
    loads.fill([Lanes::ZERO; C]);
    for (q, state) in states.iter().enumerate() {
        let point = at.point(q);
        let mut density = Density::ZERO;
        if job.parts.residual != 0.0 {
            density.add(job.parts.residual, &form.residual(&point, state));
        }
        if job.parts.storage != 0.0 {
            density.add(job.parts.storage, &form.storage(&point, state));
        }
        scale(&mut density, at.weights[q]);
        for i in 0..C {
            let (value, slope) = tables(functions, job, F::LINEAR[i], q);
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
}

/// The blocks' columns of component `j`.
#[inline(always)]
fn columns<const D: usize, const C: usize, N: Functions, F: Form<D, C>>(
    form: &F,
    functions: N,
    job: &Job,
    j: usize,
    Evaluated { at, linear, states, factors, .. }: &Evaluated<D, C>,
    densities: &mut [Density<D, C>],
    blocks: &mut [[[Lanes; C]; C]],
) {
    let n = functions.count();
    let mixed = !linear.is_empty();
    let corners = job.cells.corners;
    let of_degree_one = |q: usize| functions.row(linear, q);
    for b in 0..if mixed && F::LINEAR[j] { corners.min(n) } else { n } {
        for (q, (state, density)) in states.iter().zip(densities.iter_mut()).enumerate() {
            let (point, weight) = (at.point(q), at.weights[q]);
            let mut direction =
                if mixed && F::LINEAR[j] { of_degree_one(q)[b] } else { functions.row(&at.trial, q)[b] };
            if F::POTENTIAL {
                direction.gradient = vector(|d| direction.gradient[d] * factors[b][j]);
            }
            let slope = form.slope(&point, state, &direction, j);
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
                let slope = form.storage_slope(&point, state, &direction, j);
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
        while a < n {
            let mut sums = [[Lanes::ZERO; C]; 2];
            let last = (a + 1).min(n - 1);
            for (q, density) in densities.iter().enumerate() {
                for i in 0..C {
                    if !F::SOURCES[i][j] && !F::FLUXES[i][j] || mixed && F::LINEAR[i] && a >= corners {
                        continue;
                    }
                    let tests =
                        if mixed && F::LINEAR[i] { of_degree_one(q) } else { functions.row(&at.trial, q) };
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
                    blocks[row * n + b][i][j] = sum[i];
                }
            }
            a += 2;
        }
    }
}

/// More numbers than any form keeps at a point.
const MOST_LOCAL: usize = 32;

/// A batch of cells with the state at their quadrature points.
struct Evaluated<const D: usize, const C: usize> {
    at: Batch<D>,
    /// The basis of degree 1, for the components that have it, `[point, function]`; empty where none has, or no matrix
    /// is wanted.
    linear: Vec<Shape<D>>,
    states: Vec<State<D, C>>,
    /// Nodal values.
    values: Vec<[Lanes; C]>,
    /// Nodal potentials, see [`Form::potential`], and their slopes; empty for forms without.
    potentials: Vec<[Lanes; C]>,
    factors: Vec<[Lanes; C]>,
}

impl<const D: usize, const C: usize> Evaluated<D, C> {
    fn new<F: Form<D, C>>(job: &Job) -> Self {
        let (points, n) = (job.rule.weights.len(), job.cells.functions);
        let mut at = Batch::new(job, F::AXISYMMETRIC, job.wants_matrix, false);
        at.rate = job.parts.storage;
        at.keep(F::HISTORY, F::LOCAL);
        let mixed = job.wants_matrix && n > job.cells.corners && F::LINEAR.contains(&true);
        let zero = Shape { value: Lanes::ZERO, gradient: [Lanes::ZERO; D] };
        let state = State { value: [Lanes::ZERO; C], gradient: [[Lanes::ZERO; D]; C] };
        let nodal = |count: usize| vec![[Lanes::ZERO; C]; count];
        Self {
            at,
            linear: vec![zero; if mixed { points * n } else { 0 }],
            states: vec![state; points],
            values: nodal(n),
            potentials: nodal(if F::POTENTIAL { n } else { 0 }),
            factors: nodal(if F::POTENTIAL { n } else { 0 }),
        }
    }
}

/// Fills it for the next cells.
///
/// # Panics
/// When the job has no state.
#[inline(always)]
fn evaluate<const D: usize, const C: usize, N: Functions, F: Form<D, C>>(
    form: &F,
    functions: N,
    job: &Job,
    batch: &[Entity],
    cells: &mut Evaluated<D, C>,
) {
    let Evaluated { at, linear, states, values, potentials, factors } = cells;
    fill(functions, at, job, batch);
    if !linear.is_empty() {
        tabulate_linear(job, at, linear);
    }
    if let Some(history) = job.history {
        load_history(history, batch, &mut at.history);
    }
    gather(job, batch, job.state.expect("a form is evaluated at a state"), values);
    if F::POTENTIAL {
        let point = at.point(0);
        for (a, value) in values.iter().enumerate() {
            for i in 0..C {
                (potentials[a][i], factors[a][i]) = form.potential(&point, value[i]);
            }
        }
    }
    let potentials = if F::POTENTIAL { potentials } else { &*values };
    interpolate(functions, job, at, &F::LINEAR, values, potentials, states);
    if F::LOCAL > 0 {
        prepare(form, at, states);
    }
}

/// What the form keeps at the quadrature points.
#[multiversion(targets("x86_64+avx2+fma"))]
fn prepare<const D: usize, const C: usize, F: Form<D, C>>(
    form: &F,
    at: &mut Batch<D>,
    states: &[State<D, C>],
) {
    let mut local = [Lanes::ZERO; MOST_LOCAL];
    for (q, state) in states.iter().enumerate() {
        form.prepare(&at.point(q), state, &mut local[..F::LOCAL]);
        at.local[q * F::LOCAL..][..F::LOCAL].copy_from_slice(&local[..F::LOCAL]);
    }
}

/// The basis of degree 1 on the cells' vertices, which are their first nodes, `[point, function]`.
#[multiversion(targets("x86_64+avx2+fma"))]
fn tabulate_linear<const D: usize>(job: &Job, at: &Batch<D>, linear: &mut [Shape<D>]) {
    let (corners, table) = (job.cells.corners, job.rule.geometry);
    for (q, shapes) in linear.chunks_exact_mut(job.cells.functions).enumerate() {
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

/// The state at the quadrature points: the values of nodal values, the gradients of nodal potentials.
#[multiversion(targets("x86_64+avx2+fma"))]
fn interpolate<const D: usize, const C: usize, N: Functions>(
    functions: N,
    job: &Job,
    at: &Batch<D>,
    linear: &[bool; C],
    values: &[[Lanes; C]],
    potentials: &[[Lanes; C]],
    states: &mut [State<D, C>],
) {
    match_target! {
        "x86_64+avx2+fma" => sums(functions, job, at, linear, values, potentials, states),
        _ => interpolate_portably(functions.count(), job, at, linear, values, potentials, states)
    }
}

/// One copy for all numbers of functions.
#[inline(never)]
fn interpolate_portably<const D: usize, const C: usize>(
    functions: usize,
    job: &Job,
    at: &Batch<D>,
    linear: &[bool; C],
    values: &[[Lanes; C]],
    potentials: &[[Lanes; C]],
    states: &mut [State<D, C>],
) {
    sums(Any(functions), job, at, linear, values, potentials, states);
}

#[inline(always)]
fn sums<const D: usize, const C: usize, N: Functions>(
    functions: N,
    job: &Job,
    at: &Batch<D>,
    linear: &[bool; C],
    values: &[[Lanes; C]],
    potentials: &[[Lanes; C]],
    states: &mut [State<D, C>],
) {
    let n = functions.count();
    let (values, potentials) = (&values[..n], &potentials[..n]);
    for (q, state) in states.iter_mut().enumerate() {
        let inverse = at.point(q).inverse;
        for i in 0..C {
            // One branch each: in what follows the compiler knows how many functions there are.
            let (value, gradient): (Lanes, [Lanes; D]) = match linear[i] {
                true => combine(tables(functions, job, true, q), i, values, potentials),
                false => combine(tables(functions, job, false, q), i, values, potentials),
            };
            state.value[i] = value;
            for d in 0..D {
                state.gradient[i][d] = Lanes::ZERO;
                for k in 0..D {
                    state.gradient[i][d] += inverse[k][d] * gradient[k];
                }
            }
        }
    }
}

/// Internal variables of the lanes' cells.
#[inline(never)]
fn load_history(history: &History, batch: &[Entity], target: &mut [Lanes]) {
    let size = history.points * history.width;
    for l in 0..LANES {
        let cell = batch[l.min(batch.len() - 1)].0 as usize;
        for (target, value) in target.iter_mut().zip(&history.values[cell * size..][..size]) {
            target.0[l] = *value;
        }
    }
}

/// Value and reference gradient of component `i` from basis functions and their reference gradients.
#[inline(always)]
fn combine<const D: usize, const C: usize>(
    (shapes, slopes): (&[f64], &[[f64; 3]]),
    i: usize,
    values: &[[Lanes; C]],
    potentials: &[[Lanes; C]],
) -> (Lanes, [Lanes; D]) {
    let (mut sum, mut gradient) = (Lanes::ZERO, [Lanes::ZERO; D]);
    for (a, (shape, slope)) in shapes.iter().zip(slopes).enumerate() {
        sum += values[a][i] * *shape;
        for k in 0..D {
            gradient[k] += potentials[a][i] * slope[k];
        }
    }
    (sum, gradient)
}

/// Values and reference gradients at a point of the basis functions of a component: the space's, or those of degree 1 on
/// the vertices.
#[inline(always)]
fn tables<'a, N: Functions>(
    functions: N,
    job: &Job<'a>,
    linear: bool,
    q: usize,
) -> (&'a [f64], &'a [[f64; 3]]) {
    if linear {
        let (table, corners) = (job.rule.geometry, Any(job.cells.corners));
        return (corners.row(&table.values, q), corners.row(&table.gradients, q));
    }
    let table = job.rule.basis;
    (functions.row(&table.values, q), functions.row(&table.gradients, q))
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn update<const D: usize, const C: usize, F: Form<D, C>>(form: &F, job: &Job, next: &mut [f64]) {
    let mut cells = Evaluated::<D, C>::new::<F>(job);
    let points = job.rule.weights.len();
    for (number, batch) in job.entities.chunks(LANES).enumerate() {
        evaluate(form, Any(job.cells.functions), job, batch, &mut cells);
        let Evaluated { at, states, .. } = &cells;
        for (q, state) in states.iter().enumerate() {
            let mut result = [Lanes::ZERO; MOST_LOCAL];
            form.update(&at.point(q), state, &mut result[..F::HISTORY]);
            for l in 0..batch.len().min(LANES) {
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
