//! What a product with one vector tells of a matrix.
use petsc_rs::{Matrix, Result, Vector};

/// The vector and its product. Entries of irrational ratio keep different matrices from the same product by chance:
/// equal products are those of equal matrices. Collective.
///
/// # Errors
/// When PETSc fails.
pub fn sketch(matrix: &Matrix) -> Result<(Vector, Vector)> {
    let (mut x, mut y) = matrix.vectors()?;
    let first = matrix.row_range().start;
    for (i, v) in x.write()?.iter_mut().enumerate() {
        *v = 1.0 + ((first + i) as f64 * std::f64::consts::SQRT_2).fract();
    }
    matrix.mult(&x, &mut y)?;
    Ok((x, y))
}

/// Which own unknowns of a matrix couple to others; essential ones, eliminated, do not. Collective.
///
/// # Errors
/// When PETSc fails.
pub fn coupled(matrix: &Matrix) -> Result<Vec<bool>> {
    // A row with nothing beside the diagonal maps any x_i to exactly d_i x_i.
    let (x, y) = sketch(matrix)?;
    let mut d = x.duplicate()?;
    matrix.diagonal(&mut d)?;
    let (x, y, d) = (x.read()?, y.read()?, d.read()?);
    Ok((0..x.len()).map(|i| y[i] != d[i] * x[i]).collect())
}
