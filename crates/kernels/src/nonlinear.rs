//! Assembly of nonlinear forms: residual and exact tangent of eight cells at a time.
use super::dispatch::{Loop, dispatch, portable};
use super::evaluated::{Evaluated, MOST_LOCAL, evaluate, tables};
use super::form::{Density, Form};
use super::functions::{Any, Functions};
use super::job::{Job, Part};
use super::kernel::Kernel;
use super::kinds::Nonlinear;
use super::lanes::{LANES, Lanes, dot, vector};
use super::points::{self, Densities, Needs, PointLoop, Points};
use super::scatter::{Element, find, none, scatter};
use multiversion::multiversion;

impl<const D: usize, const C: usize, F: Form<D, C>> Kernel for Nonlinear<D, C, F> {
    fn dimension(&self) -> usize {
        D
    }

    fn history(&self) -> usize {
        F::HISTORY
    }

    fn components(&self) -> usize {
        C
    }

    fn coefficients(&self) -> usize {
        F::COEFFICIENTS
    }

    fn is_linear_in_coefficients(&self) -> bool {
        F::LINEAR_IN_COEFFICIENTS
    }

    fn add_portably(&self, job: &Job, part: Part) {
        debug_assert_eq!(job.coefficients.len(), F::COEFFICIENTS);
        portable(self, job, part);
    }

    fn add(&self, job: &Job, part: Part) {
        debug_assert_eq!(job.coefficients.len(), F::COEFFICIENTS);
        dispatch::<D, _>(self, job, part);
    }

    fn update(&self, job: &Job, next: &mut [f64]) {
        if F::HISTORY > 0 {
            update::<D, C, F>(&self.0, job, next);
        }
    }

    fn needs(&self) -> Needs {
        self.sizes().needs
    }

    fn evaluate(&self, points: &Points, into: Densities) {
        points::evaluate(self, points, into);
    }

    fn potential(&self, coefficients: &[f64], values: &[f64], potentials: &mut [f64], slopes: &mut [f64]) {
        points::potential(&self.0, coefficients, values, [potentials, slopes]);
    }
}

impl<const D: usize, const C: usize, F: Form<D, C>> Loop for Nonlinear<D, C, F> {
    const SURFACE: bool = F::SURFACE;
    const DEGREES: [bool; 2] = F::DEGREES;

    #[inline(always)]
    fn run(&self, functions: impl Functions, job: &Job, part: Part) {
        kernel(&self.0, functions, job, part);
    }
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
