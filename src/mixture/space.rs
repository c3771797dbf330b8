//! The coarse space of the experts.
use super::gating::Gating;
use super::modes::CoarseModes;
use crate::fem::Space;
use petsc_rs::{Matrix, Result};

/// The matrix `Z` whose columns are `chi_k e`, for every expert `k` and each of its functions `e`
/// (column `k * count + function`, on the expert's rank), at the unknowns that are `free` (owned ones)
/// and zero at the others. The functions are `modes`, then the fields `solutions` (owned unknowns). Collective.
///
/// # Errors
/// When PETSc fails.
pub fn coarse_space(
    space: &Space,
    gating: &Gating,
    free: &[bool],
    modes: CoarseModes,
    solutions: &[Vec<f64>],
) -> Result<Matrix> {
    let c = space.components;
    let (own, comm) = (modes.count(c), &space.mesh.comm);
    let count = own + solutions.len();
    // As large as the other functions.
    let largest = |field: &Vec<f64>| comm.max(field.iter().fold(f64::MIN_POSITIVE, |m, v| m.max(v.abs())));
    let scales: Vec<f64> = solutions.iter().map(|field| 1.0 / largest(field)).collect();
    let (centre, size) = extent(space);
    let mut row_pointers = vec![0i32];
    let (mut columns, mut values) = (Vec::new(), Vec::new());
    for node in 0..space.owned_nodes {
        let point = space.point(node);
        // Rotations about the middle, as large as translations.
        let x = std::array::from_fn(|i| (point[i] - centre[i]) / size);
        for component in 0..c {
            if free[node * c + component] {
                for &(expert, chi) in gating.of(node) {
                    for (mode, value) in modes.values(c, component, &x) {
                        columns.push((expert as usize * count + mode) as i32);
                        values.push(chi * value);
                    }
                    for (number, (field, scale)) in solutions.iter().zip(&scales).enumerate() {
                        columns.push((expert as usize * count + own + number) as i32);
                        values.push(chi * scale * field[node * c + component]);
                    }
                }
            }
            row_pointers.push(columns.len() as i32);
        }
    }
    Matrix::from_csr_values(comm.mpi(), 1, &row_pointers, &columns, &values, gating.experts.len() * count)
}

/// Middle and half the longest side of the box around all nodes. Collective.
fn extent(space: &Space) -> ([f64; 3], f64) {
    let (mut lower, mut upper) = ([f64::MAX; 3], [f64::MIN; 3]);
    for node in 0..space.owned_nodes {
        for (i, x) in space.point(node).into_iter().enumerate() {
            (lower[i], upper[i]) = (lower[i].min(x), upper[i].max(x));
        }
    }
    let comm = &space.mesh.comm;
    let lower = lower.map(|x| comm.min(x));
    let upper = upper.map(|x| comm.max(x));
    let size = (0..3).map(|i| (upper[i] - lower[i]) / 2.0).fold(0.0, f64::max);
    (std::array::from_fn(|i| (lower[i] + upper[i]) / 2.0), if size > 0.0 { size } else { 1.0 })
}
