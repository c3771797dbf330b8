//! Operations on several distributed vectors at once: one pass through memory, one reduction.
use crate::Result;
use crate::parallel::Comm;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use petsc_rs::{Vector, VectorRead};

/// Rows that are worked on at a time: those of some fifty vectors fit into a core's own cache.
const ROWS: usize = 512;

/// `left^T right` of each pair, on every rank, all in one reduction. Collective.
///
/// # Errors
/// When PETSc fails.
pub fn products(comm: &Comm, pairs: &[(&[&Vector], &[&Vector])]) -> Result<Vec<Mat<f64>>> {
    let mut results: Vec<Mat<f64>> = Vec::new();
    for (left, right) in pairs {
        let mut result = Mat::zeros(left.len(), right.len());
        let (left, right) = (read(left)?, read(right)?);
        let rows = left.first().or(right.first()).map_or(0, |v| v.len());
        for start in (0..rows).step_by(ROWS) {
            let end = (start + ROWS).min(rows);
            let (left, right) = (gather(&left, start, end), gather(&right, start, end));
            matmul(result.as_mut(), Accum::Add, left.transpose(), &right, 1.0, Par::Seq);
        }
        results.push(result);
    }
    let shape: Vec<(usize, usize)> = results.iter().map(|m| (m.nrows(), m.ncols())).collect();
    let mut flat: Vec<f64> =
        results.iter().flat_map(|m| m.col_iter().flat_map(|column| column.iter().copied())).collect();
    comm.sum_into(&mut flat);
    let mut next = flat.into_iter();
    Ok(shape
        .into_iter()
        .map(|(rows, columns)| {
            let mut m = Mat::zeros(rows, columns);
            for j in 0..columns {
                for i in 0..rows {
                    m[(i, j)] = next.next().expect("as many as were packed");
                }
            }
            m
        })
        .collect())
}

/// New vectors `columns * factors`. Local.
///
/// # Errors
/// When PETSc fails.
pub fn combine(columns: &[&Vector], factors: MatRef<'_, f64>) -> Result<Vec<Vector>> {
    let Some(first) = columns.first() else { return Ok(Vec::new()) };
    let mut results =
        (0..factors.ncols()).map(|_| Ok(first.duplicate()?)).collect::<Result<Vec<Vector>>>()?;
    {
        let columns = read(columns)?;
        let mut writes = results.iter_mut().map(|v| Ok(v.write()?)).collect::<Result<Vec<_>>>()?;
        let rows = columns[0].len();
        for start in (0..rows).step_by(ROWS) {
            let end = (start + ROWS).min(rows);
            let block = gather(&columns, start, end);
            let product = &block * factors;
            for (j, to) in writes.iter_mut().enumerate() {
                let from = product.col(j).try_as_col_major().expect("a new matrix is stored by columns");
                to[start..end].copy_from_slice(from.as_slice());
            }
        }
    }
    Ok(results)
}

/// The same numbers with the other sign.
pub fn negative(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| -v).collect()
}

/// References to the vectors of several lists, one list after the other.
pub fn all<'a>(lists: &[&'a [Vector]]) -> Vec<&'a Vector> {
    lists.iter().flat_map(|list| list.iter()).collect()
}

fn read<'a>(vectors: &[&'a Vector]) -> Result<Vec<VectorRead<'a>>> {
    vectors.iter().map(|v| Ok(v.read()?)).collect()
}

fn gather(columns: &[VectorRead<'_>], start: usize, end: usize) -> Mat<f64> {
    let mut block = Mat::zeros(end - start, columns.len());
    for (j, column) in columns.iter().enumerate() {
        let to = block.col_mut(j).try_as_col_major_mut().expect("a new matrix is stored by columns");
        to.as_slice_mut().copy_from_slice(&column[start..end]);
    }
    block
}
