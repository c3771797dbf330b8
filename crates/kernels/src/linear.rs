//! The assembly kernel of linear forms: element blocks and their scatter for eight cells at a time.
use super::batch::{Batch, fill, fill_inlined};
use super::dispatch::{Loop, dispatch, portable};
use super::functions::{Any, Functions};
use super::job::{Job, Part};
use super::kernel::Kernel;
use super::kinds::Linear;
use super::lanes::{LANES, Lanes, vector};
use super::points::{self, Densities, Needs, PointLoop, Points};
use super::scatter::{Element, find, find_inlined, gather, none, scatter, scatter_inlined};
use super::weak_form::WeakForm;
use multiversion::multiversion;

impl<const D: usize, const C: usize, F: WeakForm<D, C>> Kernel for Linear<D, C, F> {
    fn dimension(&self) -> usize {
        D
    }

    fn components(&self) -> usize {
        C
    }

    fn coefficients(&self) -> usize {
        F::COEFFICIENTS
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn is_linear_in_coefficients(&self) -> bool {
        true
    }

    fn add_portably(&self, job: &Job, part: Part) {
        debug_assert_eq!(job.coefficients.len(), F::COEFFICIENTS);
        portable(self, job, part);
    }

    fn add(&self, job: &Job, part: Part) {
        debug_assert_eq!(job.coefficients.len(), F::COEFFICIENTS);
        dispatch::<D, _>(self, job, part);
    }

    fn needs(&self) -> Needs {
        self.sizes().needs
    }

    fn evaluate(&self, points: &Points, into: Densities) {
        points::evaluate(self, points, into);
    }

    fn potential(&self, _: &[f64], values: &[f64], potentials: &mut [f64], slopes: &mut [f64]) {
        points::no_potential(values, potentials, slopes);
    }
}

impl<const D: usize, const C: usize, F: WeakForm<D, C>> Loop for Linear<D, C, F> {
    const SURFACE: bool = F::SURFACE;
    const DEGREES: [bool; 2] = [true; 2];

    #[inline(always)]
    fn run(&self, functions: impl Functions, job: &Job, part: Part) {
        kernel(&self.0, functions, job, part);
    }
}

#[inline(always)]
fn kernel<const D: usize, const C: usize, N: Functions, F: WeakForm<D, C>>(
    form: &F,
    functions: N,
    job: &Job,
    mut part: Part,
) {
    // There is no storage.
    if job.parts.residual == 0.0 {
        return;
    }
    let (n, points) = (functions.count(), job.rule.weights.len());
    let mut at = Batch::<D>::new(job, F::AXISYMMETRIC, true, true);
    let mut blocks = vec![[[Lanes::ZERO; C]; C]; n * n];
    let mut places = none::<C, N>(functions);
    let mut loads = vec![[Lanes::ZERO; C]; n];
    let mut values = loads.clone();
    let has_load = job.coefficients.iter().any(|c| !c.is_zero());
    let constant = job.cells.affine && n == D + 1 && F::is_constant(job.coefficients);
    let tangent_points = if constant { 1 } else { points };
    let share = job.rule.weights.iter().sum::<f64>() / job.rule.weights[0];

    for batch in job.entities.chunks(LANES) {
        if job.wants_matrix {
            match N::KNOWN {
                true => find_inlined(&mut places, job, batch, &part),
                false => find(&mut places, job, batch, &part),
            }
        }
        // A short last batch repeats its last cell; the surplus lanes are not scattered.
        match N::KNOWN {
            true => fill_inlined(functions, &mut at, job, batch),
            false => fill(functions, &mut at, job, batch),
        }
        if has_load {
            load(form, &at, &mut loads);
        } else {
            loads.fill([Lanes::ZERO; C]);
        }
        let constrained = job.state.is_none()
            && job.prescribed.is_some_and(|e| batch.iter().any(|entity| e.cells[entity.0 as usize]));
        if job.wants_matrix || job.state.is_some() || constrained {
            let test = |q: usize| functions.row(&at.test, q);
            let trial = |q: usize| functions.row(&at.trial, q);
            for a in 0..n {
                for b in (if F::SYMMETRIC { a } else { 0 })..n {
                    let mut block = form.tangent(&at.bare_point(0), &test(0)[a], &trial(0)[b]);
                    for q in 1..tangent_points {
                        let more = form.tangent(&at.bare_point(q), &test(q)[a], &trial(q)[b]);
                        for i in 0..C {
                            for j in 0..C {
                                block[i][j] += more[i][j];
                            }
                        }
                    }
                    if constant {
                        block.as_flattened_mut().iter_mut().for_each(|value| *value = *value * share);
                    }
                    blocks[a * n + b] = block;
                    if F::SYMMETRIC && a != b {
                        for i in 0..C {
                            blocks[b * n + a][i] = vector(|j| block[j][i]);
                        }
                    }
                }
            }
        }
        if let Some(state) = job.state {
            gather(job, batch, state, &mut values);
            add_product(&blocks, &values, &mut loads);
        }
        if job.parts.residual != 1.0 {
            let all = loads.as_flattened_mut().iter_mut().chain(blocks.as_flattened_mut().as_flattened_mut());
            all.for_each(|value| *value = *value * job.parts.residual);
        }
        let loads = (has_load || job.state.is_some()).then_some(&loads[..]);
        let element = Element { loads, blocks: &blocks, lifts: job.state.is_none() };
        match N::KNOWN {
            true => scatter_inlined(&places, job, batch, &element, &mut part),
            false => scatter(&places, job, batch, &element, &mut part),
        }
    }
}

/// Element vectors of minus the load.
#[multiversion(targets("x86_64+avx2+fma"))]
fn load<const D: usize, const C: usize, F: WeakForm<D, C>>(
    form: &F,
    at: &Batch<D>,
    loads: &mut [[Lanes; C]],
) {
    let functions = Any(loads.len());
    loads.fill([Lanes::ZERO; C]);
    for q in 0..at.weights.len() {
        let point = at.bare_point(q);
        for (load, test) in loads.iter_mut().zip(functions.row(&at.test, q)) {
            let value = form.load(&point, test);
            for i in 0..C {
                load[i] += -value[i];
            }
        }
    }
}

/// Adds the product of element matrices and nodal values.
#[multiversion(targets("x86_64+avx2+fma"))]
fn add_product<const C: usize>(blocks: &[[[Lanes; C]; C]], values: &[[Lanes; C]], loads: &mut [[Lanes; C]]) {
    for (load, row) in loads.iter_mut().zip(blocks.chunks_exact(values.len())) {
        for (block, value) in row.iter().zip(values) {
            for i in 0..C {
                for j in 0..C {
                    load[i] += block[i][j] * value[j];
                }
            }
        }
    }
}
