//! Operations on several long columns at once, each rank with its own rows: one pass through memory, one reduction.
use crate::parallel::Comm;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};

/// Rows that are worked on at a time: those of some fifty columns fit into a core's own cache.
const ROWS: usize = 512;

/// Blocks of rows.
fn blocks(rows: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..rows).step_by(ROWS).map(move |start| start..(start + ROWS).min(rows))
}

/// `left^T right`, on every rank: one reduction. Collective.
pub fn products(comm: &Comm, left: &[&[f64]], right: &[&[f64]]) -> Mat<f64> {
    let mut flat = vec![0.0; left.len() * right.len()];
    for rows in blocks(left.first().or(right.first()).map_or(0, |column| column.len())) {
        if let [right] = right {
            // Nothing to gain from a copy.
            for (sum, column) in flat.iter_mut().zip(left) {
                *sum += dot(&column[rows.clone()], &right[rows.clone()]);
            }
            continue;
        }
        let result = MatMut::from_column_major_slice_mut(&mut flat, left.len(), right.len());
        let (left, right) = (gather(left, rows.clone()), gather(right, rows));
        matmul(result, Accum::Add, left.transpose(), &right, 1.0, Par::Seq);
    }
    comm.sum_into(&mut flat);
    MatRef::from_column_major_slice(&flat, left.len(), right.len()).to_owned()
}

/// `results = columns * factors`. Local.
pub fn combine(columns: &[&[f64]], factors: MatRef<'_, f64>, results: &mut [&mut [f64]]) {
    for rows in blocks(results.first().map_or(0, |column| column.len())) {
        let product = &gather(columns, rows.clone()) * factors;
        for (j, to) in results.iter_mut().enumerate() {
            let from = product.col(j).try_as_col_major().expect("a new matrix is stored by columns");
            to[rows.clone()].copy_from_slice(from.as_slice());
        }
    }
}

/// `x += columns * factors`. Local.
pub fn add(columns: &[&[f64]], factors: &[f64], x: &mut [f64]) {
    for rows in blocks(x.len()) {
        let x = &mut x[rows.clone()];
        for (column, &factor) in columns.iter().zip(factors).filter(|(_, factor)| **factor != 0.0) {
            x.iter_mut().zip(&column[rows.clone()]).for_each(|(x, v)| *x += factor * v);
        }
    }
}

/// A scalar product, summed in eight lanes.
pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (x_chunks, y_chunks) = (x.chunks_exact(8), y.chunks_exact(8));
    let rest: f64 = x_chunks.remainder().iter().zip(y_chunks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in x_chunks.zip(y_chunks) {
        for l in 0..8 {
            lanes[l] += a[l] * b[l];
        }
    }
    lanes.iter().sum::<f64>() + rest
}

fn gather(columns: &[&[f64]], rows: std::ops::Range<usize>) -> Mat<f64> {
    let mut block = Mat::zeros(rows.len(), columns.len());
    for (j, column) in columns.iter().enumerate() {
        let to = block.col_mut(j).try_as_col_major_mut().expect("a new matrix is stored by columns");
        to.as_slice_mut().copy_from_slice(&column[rows.clone()]);
    }
    block
}
