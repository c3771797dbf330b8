//! The state of eight cells at their quadrature points, and what a form keeps there.
use super::batch::{Batch, fill};
use super::form::{Form, State};
use super::functions::{Any, Functions};
use super::job::{Entity, History, Job};
use super::lanes::{LANES, Lanes};
use super::scatter::gather;
use super::weak_form::Shape;
use multiversion::multiversion;
use multiversion::target::match_target;

/// More numbers than any form keeps at a point.
pub(super) const MOST_LOCAL: usize = 32;

/// A batch of cells with the state at their quadrature points.
pub(super) struct Evaluated<const D: usize, const C: usize> {
    pub at: Batch<D>,
    /// The basis of degree 1, for the components that have it, `[point, function]`; empty where none has, or no matrix
    /// is wanted.
    pub linear: Vec<Shape<D>>,
    pub states: Vec<State<D, C>>,
    /// Nodal values.
    values: Vec<[Lanes; C]>,
    /// Nodal potentials, see [`Form::potential`], and their slopes; empty for forms without.
    potentials: Vec<[Lanes; C]>,
    pub factors: Vec<[Lanes; C]>,
}

impl<const D: usize, const C: usize> Evaluated<D, C> {
    pub(super) fn new<F: Form<D, C>>(job: &Job) -> Self {
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
pub(super) fn evaluate<const D: usize, const C: usize, N: Functions, F: Form<D, C>>(
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
pub(super) fn prepare<const D: usize, const C: usize, F: Form<D, C>>(
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
pub(super) fn tables<'a, N: Functions>(
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
