//! Products of several long columns at once: one pass through memory. Local; whoever holds the columns sums over ranks.
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};

/// Rows that are worked on at a time: those of some fifty columns fit into a core's own cache.
const ROWS: usize = 512;

/// Blocks of rows.
fn blocks(rows: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..rows).step_by(ROWS).map(move |start| start..(start + ROWS).min(rows))
}

/// `left^T right` on this rank's rows.
pub fn products(left: &[&[f64]], right: &[&[f64]]) -> Mat<f64> {
    let mut result = Mat::zeros(left.len(), right.len());
    for rows in blocks(left.first().or(right.first()).map_or(0, |column| column.len())) {
        if let [right] = right {
            // Nothing to gain from a copy.
            for (j, column) in left.iter().enumerate() {
                result[(j, 0)] += dot(&column[rows.clone()], &right[rows.clone()]);
            }
            continue;
        }
        let (left, right) = (gather(left, rows.clone()), gather(right, rows));
        matmul(result.as_mut(), Accum::Add, left.transpose(), &right, 1.0, Par::Seq);
    }
    result
}

/// `results = columns * factors`.
pub fn combine(columns: &[&[f64]], factors: MatRef<'_, f64>, results: &mut [&mut [f64]]) {
    for rows in blocks(results.first().map_or(0, |column| column.len())) {
        let product = &gather(columns, rows.clone()) * factors;
        for (j, to) in results.iter_mut().enumerate() {
            let from = product.col(j).try_as_col_major().expect("a new matrix is stored by columns");
            to[rows.clone()].copy_from_slice(from.as_slice());
        }
    }
}

/// `x += columns * factors`.
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
