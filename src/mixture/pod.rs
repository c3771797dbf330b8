//! Proper orthogonal decomposition of distributed snapshots.
//!
//! The method of snapshots (Sirovich 1987) takes the eigenvectors of the Gram matrix; it squares the
//! singular values, so those below about 1e-8 of the largest are lost. The other way keeps them: a
//! tall-skinny QR over a tree of ranks (Demmel, Grigori, Hoemmen, Langou 2012) gives `S = Q0 R0` in
//! the Euclidean product, Cholesky QR twice (Yamamoto, Nakatsukasa, Yanagisawa, Fukaya 2015) turns
//! `Q0 = Q1 R1` orthonormal in the inner product X, and the singular values of `R1 R0` are those of
//! `X^(1/2) S`. Only `R1` feels the condition of X, so a small singular value is wrong by about
//! round-off times the square root of that condition, relative to the largest.
use super::columns::Columns;
use super::orthonormal::Orthonormal;
use super::product::InnerProduct;
use super::small::eigen;
use crate::parallel::Comm;
use crate::{Error, Result};
use faer::{Mat, MatRef, Side};
use mpi::traits::*;

/// How the decomposition is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Eigenvectors of the Gram matrix.
    Snapshots,
    /// Tall-skinny QR, then the singular value decomposition of the small factor.
    Tsqr,
}

/// Where the basis ends.
#[derive(Debug, Clone, Copy)]
pub struct Truncation {
    /// At most so many modes.
    pub modes: usize,
    /// Part of the snapshots' energy (sum of squared singular values) that may be left out.
    pub tolerance: f64,
}

/// A basis and what it leaves out.
pub struct Pod {
    /// Modes, orthonormal in the inner product, most energetic first.
    pub modes: Columns,
    /// All singular values, descending.
    pub singular_values: Vec<f64>,
}

impl Pod {
    /// Part of the energy that the first `modes` modes leave out.
    pub fn energy_left(&self, modes: usize) -> f64 {
        let total: f64 = self.singular_values.iter().map(|s| s * s).sum();
        // Summed from the smallest, so that the tail keeps its digits.
        let left: f64 = self.singular_values.iter().skip(modes).rev().map(|s| s * s).sum();
        // The sum of nothing is -0.
        if left > 0.0 { left / total } else { 0.0 }
    }
}

/// Decomposes snapshots. The sign of a mode is such that the snapshot it weighs most has a positive
/// coefficient, so it does not depend on the number of ranks. Collective.
///
/// # Errors
/// When a snapshot is not finite or the inner product is not positive definite on them.
pub fn pod(
    snapshots: &Columns,
    product: &dyn InnerProduct,
    algorithm: Algorithm,
    truncation: Truncation,
) -> Result<Pod> {
    let finite = snapshots.iter().all(|snapshot| snapshot.iter().all(|v| v.is_finite()));
    if snapshots.comm.min(u8::from(finite)) == 0 {
        return Err(Error::Failed("a snapshot holds a number that is not finite".into()));
    }
    if snapshots.count() == 0 {
        return Ok(Pod { modes: snapshots.clone(), singular_values: Vec::new() });
    }
    let (singular_values, modes) = decompose(snapshots, product, algorithm)?;
    let mut pod = Pod { modes, singular_values };
    let mut keep = 0;
    let most = truncation.modes.min(pod.modes.count());
    while keep < most && pod.energy_left(keep) > truncation.tolerance {
        keep += 1;
    }
    pod.modes.truncate(keep);
    // What round-off took from orthonormality comes back here.
    pod.modes = Orthonormal::of(&pod.modes, product)?.columns;
    Ok(pod)
}

/// All singular values, and the modes above round-off, of one snapshot at least. Collective.
pub(super) fn decompose(
    snapshots: &Columns,
    product: &dyn InnerProduct,
    algorithm: Algorithm,
) -> Result<(Vec<f64>, Columns)> {
    match algorithm {
        Algorithm::Snapshots => by_gram(snapshots, product),
        Algorithm::Tsqr => by_qr(snapshots, product),
    }
}

/// Singular values and scaled combinations from the Gram matrix.
fn by_gram(snapshots: &Columns, product: &dyn InnerProduct) -> Result<(Vec<f64>, Columns)> {
    let gram = snapshots.product(&snapshots.image(product)?);
    let count = gram.nrows();
    let (values, vectors) = eigen(gram.as_ref(), "proper orthogonal decomposition: the Gram matrix")?;
    let singular: Vec<f64> = values.iter().map(|value| value.max(0.0).sqrt()).collect();
    let floor = (count as f64 * f64::EPSILON).sqrt() * singular[0];
    let kept = singular.iter().take_while(|&&s| s > floor && s > 0.0).count();
    let factors = Mat::from_fn(count, kept, |i, j| vectors[(i, j)] / singular[j] * sign(vectors.as_ref(), j));
    Ok((singular, snapshots.combine(factors.as_ref())))
}

/// Singular values and modes from QR factorisations.
fn by_qr(snapshots: &Columns, product: &dyn InnerProduct) -> Result<(Vec<f64>, Columns)> {
    let (mut q, mut r) = tsqr(snapshots)?;
    for _ in 0..2 {
        let gram = q.product(&q.image(product)?);
        let cholesky = gram.llt(Side::Lower).map_err(|e| failed("the inner product of the snapshots", e))?;
        let lower = cholesky.L();
        // Q <- Q L^-T, R <- L^T R.
        let mut inverse = Mat::<f64>::identity(gram.nrows(), gram.nrows());
        lower.solve_lower_triangular_in_place(inverse.as_mut());
        q = q.combine(inverse.transpose());
        r = lower.transpose() * &r;
    }
    let svd = r.svd().map_err(|e| failed("the triangular factor", e))?;
    let (values, left, right) = (svd.S().column_vector(), svd.U(), svd.V());
    let singular: Vec<f64> = (0..values.nrows()).map(|i| values[i]).collect();
    let floor = f64::EPSILON * singular[0];
    let kept = singular.iter().take_while(|&&s| s > floor && s > 0.0).count();
    let factors = Mat::from_fn(left.nrows(), kept, |i, j| left[(i, j)] * sign(right, j));
    Ok((singular, q.combine(factors.as_ref())))
}

/// The sign that makes the largest entry of a column positive; among entries equal to round-off the
/// first counts.
fn sign(vectors: MatRef<'_, f64>, column: usize) -> f64 {
    let largest = (0..vectors.nrows()).map(|i| vectors[(i, column)].abs()).fold(0.0, f64::max);
    let entry =
        (0..vectors.nrows()).map(|i| vectors[(i, column)]).find(|v| v.abs() >= largest * (1.0 - 1e-6));
    if entry.is_some_and(|v| v < 0.0) { -1.0 } else { 1.0 }
}

fn failed(what: &str, cause: impl std::fmt::Debug) -> Error {
    Error::Failed(format!("proper orthogonal decomposition: {what} cannot be factorised ({cause:?})"))
}

/// Householder QR of distributed tall columns over a binary tree of ranks: `columns = Q R` with R
/// the same on every rank and a diagonal that is not negative. Collective.
///
/// # Errors
/// When the small factorisations fail.
pub fn tsqr(columns: &Columns) -> Result<(Columns, Mat<f64>)> {
    let comm = &columns.comm;
    let (rank, size) = (comm.rank(), comm.size());
    let count = columns.count();
    let (leaf, mut r) = qr(columns.local(), count);
    let mut merges: Vec<(usize, Mat<f64>)> = Vec::new();
    let mut parent = None;
    let mut step = 1;
    while step < size {
        if rank % (2 * step) == step {
            parent = Some(rank - step);
            send(comm, rank - step, &r);
            break;
        }
        if rank + step < size {
            let other = receive(comm, rank + step, count);
            let stacked = Mat::from_fn(2 * count, count, |i, j| match i.checked_sub(count) {
                None => r[(i, j)],
                Some(i) => other[(i, j)],
            });
            let (q, merged) = qr(stacked.as_ref(), count);
            merges.push((rank + step, q));
            r = merged;
        }
        step *= 2;
    }
    // Down the tree: every rank receives the square factor that turns its own Q into its rows.
    let mut factor = match parent {
        None => Mat::identity(count, count),
        Some(parent) => receive(comm, parent, count),
    };
    for (child, q) in merges.into_iter().rev() {
        let both = &q * &factor;
        send(comm, child, &both.submatrix(count, 0, count, count).to_owned());
        factor = both.submatrix(0, 0, count, count).to_owned();
    }
    let mut bytes: Vec<f64> = (0..count * count).map(|k| r[(k % count, k / count)]).collect();
    comm.mpi().process_at_rank(0).broadcast_into(&mut bytes[..]);
    let r = Mat::from_fn(count, count, |i, j| bytes[j * count + i]);
    let signs: Vec<f64> = (0..count).map(|i| if r[(i, i)] < 0.0 { -1.0 } else { 1.0 }).collect();
    let factor = Mat::from_fn(count, count, |i, j| factor[(i, j)] * signs[j]);
    let q = &leaf * &factor;
    let q = q.submatrix(0, 0, columns.rows(), count);
    Ok((Columns::from_matrix(comm, q), Mat::from_fn(count, count, |i, j| signs[i] * r[(i, j)])))
}

/// Thin QR; a matrix with fewer rows than columns is filled up with zero rows.
fn qr(matrix: MatRef<'_, f64>, count: usize) -> (Mat<f64>, Mat<f64>) {
    let rows = matrix.nrows();
    let qr = if rows < count {
        Mat::from_fn(count, count, |i, j| if i < rows { matrix[(i, j)] } else { 0.0 }).qr()
    } else {
        matrix.qr()
    };
    (qr.compute_thin_Q(), qr.thin_R().to_owned())
}

fn send(comm: &Comm, to: usize, matrix: &Mat<f64>) {
    let count = matrix.nrows();
    let flat: Vec<f64> = (0..count * count).map(|k| matrix[(k % count, k / count)]).collect();
    comm.mpi().process_at_rank(to as i32).send(&flat[..]);
}

fn receive(comm: &Comm, from: usize, count: usize) -> Mat<f64> {
    let mut flat = vec![0.0; count * count];
    comm.mpi().process_at_rank(from as i32).receive_into(&mut flat[..]);
    Mat::from_fn(count, count, |i, j| flat[j * count + i])
}
