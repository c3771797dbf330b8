//! Integrals projected on columns: `V^T r` and `V^T J V`.
use super::{Chunk, Integral, unknowns};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};

/// A projected integral and its derivative. Over ranks the sum of those of owned entities.
#[derive(Debug, Clone, PartialEq)]
pub struct Projected {
    /// `V^T r`, `[column]`.
    pub vector: Vec<f64>,
    /// `V^T J V`, `[row, column]`; empty where it is not wanted.
    pub matrix: Vec<f64>,
}

/// A group's sums, and room for a chunk: rows of V, and their products with element matrices.
struct Sums {
    vector: Mat<f64>,
    matrix: Mat<f64>,
    rows: Vec<f64>,
    images: Vec<f64>,
    loads: Vec<f64>,
}

impl Projected {
    /// Nothing yet, for so many columns.
    pub fn new(columns: usize, wants_matrix: bool) -> Self {
        Self {
            vector: vec![0.0; columns],
            matrix: vec![0.0; if wants_matrix { columns * columns } else { 0 }],
        }
    }

    /// Adds an integral; `columns` are V at the local unknowns, ghosts included, `[node, component, column]`.
    ///
    /// # Panics
    /// When the columns are others in number.
    pub fn add(&mut self, integral: &Integral, columns: &[f64]) {
        let (n, components) = (self.vector.len(), integral.kernel.components());
        assert!(n > 0 && columns.len().is_multiple_of(n), "{} entries in {n} columns", columns.len());
        let wants_matrix = !self.matrix.is_empty();
        let start = || Sums {
            vector: Mat::zeros(n, 1),
            matrix: if wants_matrix { Mat::zeros(n, n) } else { Mat::new() },
            rows: Vec::new(),
            images: Vec::new(),
            loads: Vec::new(),
        };
        let compute = |sums: &mut Sums, chunk: &Chunk| sums.add(chunk, columns, n, components, wants_matrix);
        integral.gather(wants_matrix, start, compute, |_, sums| {
            for i in 0..n {
                self.vector[i] += sums.vector[(i, 0)];
                for j in 0..if wants_matrix { n } else { 0 } {
                    self.matrix[i * n + j] += sums.matrix[(i, j)];
                }
            }
        });
    }
}

impl Sums {
    fn add(&mut self, chunk: &Chunk, columns: &[f64], n: usize, components: usize, wants_matrix: bool) {
        let size = chunk.elements.unknowns;
        self.rows.clear();
        self.loads.clear();
        for (element, weight) in chunk.each() {
            for dof in unknowns(element.nodes, components) {
                self.rows.extend_from_slice(&columns[dof * n..][..n]);
            }
            self.loads.extend(element.vector.iter().map(|value| weight * value));
        }
        let rows = MatRef::from_row_major_slice(&self.rows, self.loads.len(), n);
        let loads = MatRef::from_column_major_slice(&self.loads, self.loads.len(), 1);
        matmul(self.vector.as_mut(), Accum::Add, rows.transpose(), loads, 1.0, Par::Seq);
        if !wants_matrix {
            return;
        }
        self.images.resize(self.rows.len(), 0.0);
        let own = self.images.chunks_exact_mut(size * n).zip(self.rows.chunks_exact(size * n));
        for ((element, weight), (image, rows)) in chunk.each().zip(own) {
            let image = MatMut::from_row_major_slice_mut(image, size, n);
            let rows = MatRef::from_row_major_slice(rows, size, n);
            let matrix = MatRef::from_row_major_slice(element.matrix, size, size);
            matmul(image, Accum::Replace, matrix, rows, weight, Par::Seq);
        }
        // One product for the whole chunk.
        let images = MatRef::from_row_major_slice(&self.images, self.loads.len(), n);
        matmul(self.matrix.as_mut(), Accum::Add, rows.transpose(), images, 1.0, Par::Seq);
    }
}
