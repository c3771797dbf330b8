//! Which copy of a kernel runs: by the element, and by what the processor can do.
//!
//! AVX2 beside the baseline: every further version costs build time for each form and element.
use super::functions::{Any, Functions, Known, Same};
use super::job::{Job, Part};
use multiversion::multiversion;
use multiversion::target::match_target;

/// A loop over cells, of any number of basis functions.
pub(super) trait Loop {
    /// Whether it is one over facets: of so little work that one copy serves all elements.
    const SURFACE: bool;
    /// Degrees of the elements that get copies of their own.
    const DEGREES: [bool; 2];

    /// Runs it; part of the function that calls it.
    fn run(&self, functions: impl Functions, job: &Job, part: Part);
}

/// Runs the copy for the job's element in `D` dimensions.
pub(super) fn dispatch<const D: usize, K: Loop>(kernel: &K, job: &Job, part: Part) {
    // The compiler leaves out what a constant condition excludes: only copies for the kernel's own dimension and degrees
    // are built.
    if K::SURFACE {
        portable(kernel, job, part);
    } else if Same::<D, 2>::HOLDS {
        match job.cells.functions {
            3 if K::DEGREES[0] => known::<3, K>(kernel, job, part),
            4 if K::DEGREES[0] => known::<4, K>(kernel, job, part),
            6 if K::DEGREES[1] => known::<6, K>(kernel, job, part),
            9 if K::DEGREES[1] => known::<9, K>(kernel, job, part),
            _ => any(kernel, job, part),
        }
    } else if Same::<D, 3>::HOLDS {
        match job.cells.functions {
            4 if K::DEGREES[0] => known::<4, K>(kernel, job, part),
            8 if K::DEGREES[0] => known::<8, K>(kernel, job, part),
            10 if K::DEGREES[1] => known::<10, K>(kernel, job, part),
            27 if K::DEGREES[1] => known::<27, K>(kernel, job, part),
            _ => any(kernel, job, part),
        }
    } else {
        any(kernel, job, part);
    }
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn known<const N: usize, K: Loop>(kernel: &K, job: &Job, part: Part) {
    match_target! {
        "x86_64+avx2+fma" => kernel.run(Known::<N>, job, part),
        _ => match cfg!(target_arch = "x86_64") {
            true => any(kernel, job, part),
            // Elsewhere the baseline has vector instructions.
            false => kernel.run(Known::<N>, job, part),
        },
    }
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn any<K: Loop>(kernel: &K, job: &Job, part: Part) {
    match_target! {
        "x86_64+avx2+fma" => kernel.run(Any(job.cells.functions), job, part),
        _ => portable(kernel, job, part),
    }
}

/// The copy for every element, without vector instructions beyond the baseline's.
#[inline(never)]
pub(super) fn portable<K: Loop>(kernel: &K, job: &Job, part: Part) {
    kernel.run(Any(job.cells.functions), job, part);
}
