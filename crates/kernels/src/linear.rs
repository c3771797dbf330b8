//! The assembly kernel of linear forms: element blocks and their scatter for eight cells at a time.
use super::batch::{Batch, fill, fill_inlined};
use super::functions::{Any, Functions, Known, Same};
use super::job::{Job, Part};
use super::lanes::{LANES, Lanes, vector};
use super::scatter::{Element, find, find_inlined, gather, none, scatter, scatter_inlined};
use super::weak_form::{LinearKernel, WeakForm};
use multiversion::multiversion;
use multiversion::target::match_target;

/// The kernels of a form in `D` dimensions with `C` unknowns at a node.
pub(super) struct Linear<const D: usize, const C: usize, F>(pub F);

impl<const D: usize, const C: usize, F: WeakForm<D, C>> LinearKernel for Linear<D, C, F> {
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
        // The compiler leaves out what a constant condition excludes: only the kernels of the form's own dimension are
        // built.
        if F::SURFACE {
            portable::<D, C, F>(form, job, part);
        } else if Same::<D, 2>::HOLDS {
            match functions {
                3 => known!(3),
                6 => known!(6),
                4 => known!(4),
                9 => known!(9),
                _ => any::<D, C, F>(form, job, part),
            }
        } else if Same::<D, 3>::HOLDS {
            match functions {
                4 => known!(4),
                10 => known!(10),
                8 => known!(8),
                27 => known!(27),
                _ => any::<D, C, F>(form, job, part),
            }
        } else {
            any::<D, C, F>(form, job, part);
        }
    }
}

// AVX2 beside the baseline: every further version costs build time for each form and element.
#[multiversion(targets("x86_64+avx2+fma"))]
fn known<const D: usize, const C: usize, const N: usize, F: WeakForm<D, C>>(form: &F, job: &Job, part: Part) {
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
fn any<const D: usize, const C: usize, F: WeakForm<D, C>>(form: &F, job: &Job, part: Part) {
    match_target! {
        "x86_64+avx2+fma" => kernel::<D, C, Any, F>(form, Any(job.cells.functions), job, part),
        _ => portable::<D, C, F>(form, job, part),
    }
}

#[inline(never)]
fn portable<const D: usize, const C: usize, F: WeakForm<D, C>>(form: &F, job: &Job, part: Part) {
    kernel::<D, C, Any, F>(form, Any(job.cells.functions), job, part);
}

#[inline(always)]
fn kernel<const D: usize, const C: usize, N: Functions, F: WeakForm<D, C>>(
    form: &F,
    functions: N,
    job: &Job,
    mut part: Part,
) {
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
        let constrained =
            job.prescribed.is_some_and(|e| batch.iter().any(|entity| e.cells[entity.0 as usize]));
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
            subtract_product(&blocks, &values, &mut loads);
        }
        let loads = (has_load || job.state.is_some()).then_some(&loads[..]);
        let element = Element { loads, blocks: &blocks, lifts: true };
        match N::KNOWN {
            true => scatter_inlined(&places, job, batch, &element, &mut part),
            false => scatter(&places, job, batch, &element, &mut part),
        }
    }
}

/// Element vectors of the load.
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
                load[i] += value[i];
            }
        }
    }
}

/// Subtracts the product of element matrices and nodal values.
#[multiversion(targets("x86_64+avx2+fma"))]
fn subtract_product<const C: usize>(
    blocks: &[[[Lanes; C]; C]],
    values: &[[Lanes; C]],
    loads: &mut [[Lanes; C]],
) {
    for (load, row) in loads.iter_mut().zip(blocks.chunks_exact(values.len())) {
        for (block, value) in row.iter().zip(values) {
            for i in 0..C {
                for j in 0..C {
                    load[i] += -block[i][j] * value[j];
                }
            }
        }
    }
}
