//! Second derivatives of experts' rows, by differences of products with the first ones.
use super::equations::{DIFFERENCE, ONE_SIDED, STEP};
use crate::Result;

/// How they are differenced: for derivatives of a repair, or for a matrix that need only be near.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Differences {
    /// Of fourth order, right to about 1e-9.
    Central,
    /// Right to about 1e-6 of what the third derivatives are.
    OneSided,
}

/// `[i, j] = z^T d^2 r_k / dw_i dw_j` of so many experts, from `z^T J_k Phi`, `[expert, function]`, which `pulled` gives at
/// coefficients of all of them. `sizes` are the largest magnitudes of the functions, zero of those that are not looked at, and
/// `size` that of the state.
///
/// # Errors
/// Those of `pulled`.
pub(super) fn second_derivatives(
    w: &[f64],
    (sizes, size): (&[f64], f64),
    experts: usize,
    differences: Differences,
    mut pulled: impl FnMut(&[f64]) -> Result<Vec<f64>>,
) -> Result<Vec<f64>> {
    let n = sizes.len();
    let mut sums = vec![0.0; experts * n * n];
    let here = match differences {
        Differences::OneSided => pulled(w)?,
        Differences::Central => vec![0.0; experts * n],
    };
    let mut moved = w.to_vec();
    for j in (0..n).filter(|&j| sizes[j] > 0.0) {
        let mut add = |step: f64, factor: f64| -> Result<()> {
            moved.copy_from_slice(w);
            moved.iter_mut().skip(j).step_by(n).for_each(|w| *w += step);
            let there = pulled(&moved)?;
            for (expert, sums) in sums.chunks_exact_mut(n * n).enumerate() {
                for i in 0..n {
                    // Half to each side of the diagonal.
                    let half = 0.5 * factor * (there[expert * n + i] - here[expert * n + i]);
                    sums[i * n + j] += half;
                    sums[j * n + i] += half;
                }
            }
            Ok(())
        };
        match differences {
            Differences::Central => {
                let step = STEP * size / sizes[j];
                for (places, weight) in DIFFERENCE {
                    add(places * step, weight / (12.0 * step))?;
                }
            }
            Differences::OneSided => {
                let step = ONE_SIDED * size / sizes[j];
                add(step, 1.0 / step)?;
            }
        }
    }
    Ok(sums)
}
