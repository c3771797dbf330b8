//! Forms at points that belong to no mesh: density, its derivative and internal variables from plain arrays.
//!
//! For models that are evaluated at a few sampled points of a mesh which is not at hand, as those of a reduced model. A
//! state that is linear in few numbers c has values `V c` and gradients `G c` at a point, with rows that are stored; what
//! belongs to c is then the sum over points of `w (V^T source + G^T flux)`, and its derivative that of
//! `w [V; G]^T derivative [V; G]`. Quadrature weights and measures w are the caller's: nothing here knows a rule. On
//! bodies of revolution the measure has the factor `2 pi r`.
use super::batch::Batch;
use super::evaluated::{MOST_LOCAL, prepare};
use super::form::{Density, Form, State};
use super::job::Parts;
use super::kinds::{Linear, Nonlinear};
use super::lanes::{LANES, Lanes};
use super::weak_form::{Shape, WeakForm};
use multiversion::multiversion;
use multiversion::target::match_target;

/// Points and the state there, for a form in `D` dimensions with `C` components. An empty list stands for zeros, where
/// the form does not [need](super::Kernel::needs) it.
#[derive(Debug, Clone, Copy)]
pub struct Points<'a> {
    /// Number of points.
    pub count: usize,
    /// Values of the state, `[point, component]`.
    pub values: &'a [f64],
    /// Its gradients, `[point, component, coordinate]`, 1/m; of a form with a [potential](super::Kernel::potential) those
    /// of the interpolated potential.
    pub gradients: &'a [f64],
    /// Positions in metres, `[point, coordinate]`, radius first on bodies of revolution.
    pub positions: &'a [f64],
    /// Outward unit normals, `[point, coordinate]`.
    pub normals: &'a [f64],
    /// Gradients of the reference coordinates, `[point, reference coordinate, coordinate]`, 1/m: the size of the cell
    /// that the point was in.
    pub inverses: &'a [f64],
    /// `[point, coefficient]`.
    pub coefficients: &'a [f64],
    /// Internal variables at the start of the step, `[point, variable]`.
    pub history: &'a [f64],
    /// Factors of the form's parts; that of the storage is the rate which the form sees.
    pub parts: Parts,
}

/// What is wanted of a form at points; an empty list is not computed. With `n = C (D + 1)`, the numbers that a density or
/// a state has at a point: `C` sources or values, then `C D` fluxes or gradients, component by component.
#[derive(Debug, Default)]
pub struct Densities<'a> {
    /// `[point, component]`: factors of the test function in `parts.residual * residual + parts.storage * storage`.
    pub sources: &'a mut [f64],
    /// `[point, component, coordinate]`: factors of its gradient; wanted with the sources or not at all.
    pub fluxes: &'a mut [f64],
    /// `[point, n, n]`: derivative of sources and fluxes (rows) with respect to values and gradients (columns), exact.
    pub derivatives: &'a mut [f64],
    /// Internal variables at the end of the step, `[point, variable]`.
    pub history: &'a mut [f64],
}

/// Which of the lists of [`Points`] a form reads besides values, gradients, coefficients and internal variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// On bodies of revolution.
    pub positions: bool,
    /// On facets.
    pub normals: bool,
    /// Where the form depends on the size of the cell.
    pub inverses: bool,
    /// Whether the gradients are those of a [potential](super::Kernel::potential).
    pub potential: bool,
}

/// How many numbers there are at a point.
pub(super) struct Sizes {
    pub dimension: usize,
    pub components: usize,
    pub coefficients: usize,
    pub history: usize,
    pub needs: Needs,
}

/// A loop over points, eight at a time.
pub(super) trait PointLoop {
    /// Whether the form is of so little work that one copy serves all machines: on facets, of one component, and linear
    /// ones, whose derivative is the same at all states.
    const SMALL: bool;

    fn sizes(&self) -> Sizes;

    /// Runs it; part of the function that calls it.
    fn run(&self, points: &Points, into: &mut Densities);
}

/// Checks the lists and runs the copy for this machine.
pub(super) fn evaluate<K: PointLoop>(kernel: &K, points: &Points, mut into: Densities) {
    check(points, &into, &kernel.sizes());
    if K::SMALL {
        portable(kernel, points, &mut into);
    } else {
        vectors(kernel, points, &mut into);
    }
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn vectors<K: PointLoop>(kernel: &K, points: &Points, into: &mut Densities) {
    match_target! {
        "x86_64+avx2+fma" => kernel.run(points, into),
        _ => portable(kernel, points, into),
    }
}

#[inline(never)]
fn portable<K: PointLoop>(kernel: &K, points: &Points, into: &mut Densities) {
    kernel.run(points, into);
}

/// # Panics
/// When a list has another length than it should, or one that the form needs is not there.
fn check(points: &Points, into: &Densities, sizes: &Sizes) {
    let Sizes { dimension: d, components: c, coefficients, history, needs } = *sizes;
    let n = c * (d + 1);
    let fits = |name: &str, list: &[f64], width: usize, needed: bool| {
        let right = list.len() == points.count * width || (list.is_empty() && !needed);
        assert!(right, "{name}: {} numbers for {} points of {width}", list.len(), points.count);
    };
    fits("values", points.values, c, false);
    fits("gradients", points.gradients, c * d, false);
    fits("positions", points.positions, d, needs.positions);
    fits("normals", points.normals, d, needs.normals);
    fits("inverses", points.inverses, d * d, needs.inverses);
    fits("coefficients", points.coefficients, coefficients, true);
    fits("history", points.history, history, false);
    fits("sources", into.sources, c, !into.fluxes.is_empty());
    fits("fluxes", into.fluxes, c * d, !into.sources.is_empty());
    fits("derivatives", into.derivatives, n * n, false);
    fits("next history", into.history, history, false);
}

/// Eight points from `first` on, or as many as there are: the last is then repeated.
#[derive(Clone, Copy)]
struct Eight {
    first: usize,
    count: usize,
}

impl Eight {
    fn all(points: usize) -> impl Iterator<Item = Self> {
        (0..points).step_by(LANES).map(move |first| Self { first, count: LANES.min(points - first) })
    }

    /// Rows of a list `[point, number]`; nothing of an empty one.
    #[inline(never)]
    fn take(self, list: &[f64], numbers: &mut [Lanes]) {
        let width = numbers.len();
        if list.is_empty() {
            return;
        }
        for l in 0..LANES {
            let row = &list[(self.first + l.min(self.count - 1)) * width..][..width];
            for (number, value) in numbers.iter_mut().zip(row) {
                number.0[l] = *value;
            }
        }
    }

    /// Puts numbers at `start`, `start + step`, ... of the rows of a list with so many numbers in a row.
    #[inline(never)]
    fn put(self, numbers: &[Lanes], list: &mut [f64], width: usize, (start, step): (usize, usize)) {
        for l in 0..self.count {
            let row = &mut list[(self.first + l) * width..][..width];
            for (value, number) in row[start..].iter_mut().step_by(step).zip(numbers) {
                *value = number.0[l];
            }
        }
    }

    /// All that a form sees of them.
    #[inline(never)]
    fn load<const D: usize, const C: usize>(
        self,
        points: &Points,
        coefficients: usize,
        at: &mut Batch<D>,
        state: &mut State<D, C>,
    ) {
        self.take(points.values, &mut state.value);
        self.take(points.gradients, state.gradient.as_flattened_mut());
        self.take(points.positions, &mut at.positions[0]);
        self.take(points.normals, &mut at.normals[0]);
        self.take(points.inverses, at.inverses[0].as_flattened_mut());
        self.take(points.coefficients, &mut at.coefficients[0][..coefficients]);
        self.take(points.history, &mut at.history);
    }

    /// Sources and fluxes as column `column` of matrices `[row, column]`, or as the only one.
    #[inline(never)]
    fn put_column<const D: usize, const C: usize>(
        self,
        density: &Density<D, C>,
        list: &mut [f64],
        column: usize,
    ) {
        let n = C * (D + 1);
        self.put(&density.source, list, n * n, (column, n));
        self.put(density.flux.as_flattened(), list, n * n, (C * n + column, n));
    }

    #[inline(never)]
    fn put_density<const D: usize, const C: usize>(self, density: &Density<D, C>, into: &mut Densities) {
        self.put(&density.source, into.sources, C, (0, 1));
        self.put(density.flux.as_flattened(), into.fluxes, C * D, (0, 1));
    }
}

/// The function with value 1 (`k = 0`), or with slope 1 along coordinate `k - 1`.
#[inline(always)]
fn unit<const D: usize>(k: usize) -> Shape<D> {
    let mut shape = Shape { value: Lanes::ZERO, gradient: [Lanes::ZERO; D] };
    match k {
        0 => shape.value = Lanes::splat(1.0),
        _ => shape.gradient[k - 1] = Lanes::splat(1.0),
    }
    shape
}

/// Where value and gradient of the components stand among the numbers of a state: that of component `j` at
/// `first + j * step`.
#[inline(always)]
fn place(dimension: usize, components: usize, k: usize) -> (usize, usize) {
    if k == 0 { (0, 1) } else { (components + k - 1, dimension) }
}

impl<const D: usize, const C: usize, F: Form<D, C>> PointLoop for Nonlinear<D, C, F> {
    const SMALL: bool = F::SURFACE || C == 1;

    fn sizes(&self) -> Sizes {
        Sizes {
            dimension: D,
            components: C,
            coefficients: F::COEFFICIENTS,
            history: F::HISTORY,
            needs: Needs {
                positions: F::AXISYMMETRIC,
                normals: F::SURFACE,
                inverses: F::CELL_SIZE,
                potential: F::POTENTIAL,
            },
        }
    }

    #[inline(always)]
    fn run(&self, points: &Points, into: &mut Densities) {
        let (form, parts) = (&self.0, points.parts);
        let mut at = Batch::<D>::of_points(parts.storage, F::HISTORY, F::LOCAL);
        let mut states = [State::<D, C> { value: [Lanes::ZERO; C], gradient: [[Lanes::ZERO; D]; C] }];
        for eight in Eight::all(points.count) {
            eight.load(points, F::COEFFICIENTS, &mut at, &mut states[0]);
            if F::LOCAL > 0 {
                prepare(form, &mut at, &states);
            }
            let (point, state) = (at.point(0), &states[0]);
            if !into.sources.is_empty() {
                let mut density = Density::<D, C>::ZERO;
                if parts.residual != 0.0 {
                    density.add(parts.residual, &form.residual(&point, state));
                }
                if parts.storage != 0.0 {
                    density.add(parts.storage, &form.storage(&point, state));
                }
                eight.put_density(&density, into);
            }
            if !into.derivatives.is_empty() {
                for column in 0..C * (D + 1) {
                    // Not a loop in a loop, which would be unrolled.
                    let (j, k) =
                        if column < C { (column, 0) } else { ((column - C) / D, (column - C) % D + 1) };
                    let trial = unit::<D>(k);
                    let mut density = Density::<D, C>::ZERO;
                    if parts.residual != 0.0 {
                        density.add(parts.residual, &form.slope(&point, state, &trial, j));
                    }
                    if parts.storage != 0.0 {
                        density.add(parts.storage, &form.storage_slope(&point, state, &trial, j));
                    }
                    eight.put_column(&density, into.derivatives, column);
                }
            }
            if F::HISTORY > 0 && !into.history.is_empty() {
                let mut next = [Lanes::ZERO; MOST_LOCAL];
                form.update(&point, state, &mut next[..F::HISTORY]);
                eight.put(&next[..F::HISTORY], into.history, F::HISTORY, (0, 1));
            }
        }
    }
}

impl<const D: usize, const C: usize, F: WeakForm<D, C>> PointLoop for Linear<D, C, F> {
    const SMALL: bool = true;

    fn sizes(&self) -> Sizes {
        Sizes {
            dimension: D,
            components: C,
            coefficients: F::COEFFICIENTS,
            history: 0,
            needs: Needs {
                positions: F::AXISYMMETRIC,
                normals: F::SURFACE,
                inverses: false,
                potential: false,
            },
        }
    }

    #[inline(always)]
    fn run(&self, points: &Points, into: &mut Densities) {
        let (form, factor, n) = (&self.0, points.parts.residual, C * (D + 1));
        let mut at = Batch::<D>::of_points(points.parts.storage, 0, 0);
        let mut state = State::<D, C> { value: [Lanes::ZERO; C], gradient: [[Lanes::ZERO; D]; C] };
        for eight in Eight::all(points.count) {
            eight.load(points, F::COEFFICIENTS, &mut at, &mut state);
            let point = at.bare_point(0);
            let mut density = Density::<D, C>::ZERO;
            for pair in 0..(D + 1) * (D + 1) {
                // What stands beside value or slope of the test function is found by a function that has nothing else.
                let (s, t) = (pair / (D + 1), pair % (D + 1));
                let (test, trial) = (unit::<D>(s), unit::<D>(t));
                let mut sums = [Lanes::ZERO; C];
                if t == 0 && !into.sources.is_empty() {
                    let load = form.load(&point, &test);
                    for i in 0..C {
                        sums[i] = load[i] * -factor;
                    }
                }
                let block = form.tangent(&point, &test, &trial);
                let (row, rows) = place(D, C, s);
                for i in 0..C {
                    let mut own = block[i];
                    for j in 0..C {
                        own[j] = own[j] * factor;
                        sums[i] += own[j] * if t == 0 { state.value[j] } else { state.gradient[j][t - 1] };
                    }
                    if !into.derivatives.is_empty() {
                        let (column, columns) = place(D, C, t);
                        let start = (row + i * rows) * n + column;
                        eight.put(&own, into.derivatives, n * n, (start, columns));
                    }
                    match s {
                        0 => density.source[i] += sums[i],
                        _ => density.flux[i][s - 1] += sums[i],
                    }
                }
            }
            if !into.sources.is_empty() {
                eight.put_density(&density, into);
            }
        }
    }
}

/// [`Form::potential`] of nodal values and its slope.
pub(super) fn potential<const D: usize, const C: usize, F: Form<D, C>>(
    form: &F,
    coefficients: &[f64],
    values: &[f64],
    [potentials, slopes]: [&mut [f64]; 2],
) {
    if !F::POTENTIAL {
        return no_potential(values, potentials, slopes);
    }
    let mut at = Batch::<D>::of_points(0.0, 0, 0);
    let alone = Eight { first: 0, count: 1 };
    alone.take(coefficients, &mut at.coefficients[0][..F::COEFFICIENTS]);
    let point = at.bare_point(0);
    for eight in Eight::all(values.len()) {
        let mut value = [Lanes::ZERO];
        eight.take(values, &mut value);
        let (potential, slope) = form.potential(&point, value[0]);
        eight.put(&[potential], potentials, 1, (0, 1));
        eight.put(&[slope], slopes, 1, (0, 1));
    }
}

/// That of a form without: the values themselves.
pub(super) fn no_potential(values: &[f64], potentials: &mut [f64], slopes: &mut [f64]) {
    potentials.copy_from_slice(values);
    slopes.fill(1.0);
}
