//! Solutions that are taken into a basis.
use crate::fem::Essential;
use crate::mixture::{InnerProduct, Orthonormal};
use crate::{Error, Result};
use petsc_rs::Vector;

/// Adds a solution without its prescribed values to orthonormal functions, unless what it brings is noise: less than
/// `noise` of it. Returns its coefficients, of which a new function has the last. Collective.
pub(super) fn take_in(
    functions: &mut Orthonormal,
    product: &dyn InnerProduct,
    solution: &Vector,
    essential: &Essential,
    noise: f64,
) -> Result<Vec<f64>> {
    let mut free = solution.read()?.to_vec();
    essential.clear(&mut free);
    let before = functions.columns.count();
    let added = functions.append(&free, product)?;
    // The coefficients that Gram-Schmidt found.
    let mut coefficients = functions.factors.pop().unwrap_or_default();
    let size = coefficients.iter().map(|c| c * c).sum::<f64>().sqrt();
    if added && coefficients[before] <= noise * size {
        functions.columns.truncate(before);
        coefficients.truncate(before);
    }
    Ok(coefficients)
}

/// Whether an error says that there is no guess, and nothing worse.
pub(crate) fn is_harmless(error: &Error) -> bool {
    matches!(error, Error::Failed(_))
}
