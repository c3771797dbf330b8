//! Cholesky's factors of a whole matrix on every rank, for many right-hand sides.
use crate::mixture::Columns;
use crate::parallel::{Comm, block};
use crate::{Error, Result};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::LltRegularization;
use faer::sparse::linalg::SupernodalThreshold;
use faer::sparse::linalg::cholesky::supernodal::SupernodalLltRef;
use faer::sparse::linalg::cholesky::{
    CholeskySymbolicParams, LltRef, SymbolicCholesky, SymbolicCholeskyRaw, SymmetricOrdering,
    factorize_symbolic_cholesky,
};
use faer::sparse::{SparseColMatRef, SymbolicSparseColMatRef};
use faer::{Conj, Mat, Par, Side};
use petsc_rs::Matrix;
use std::ops::Range;

/// `P A P^T = L L^T` for a symmetric positive definite matrix `A`, all of it on every rank. Where every rank may hold
/// it there are few messages to send, and several right-hand sides at once read the factors once, from blocks of columns
/// that are dense.
pub struct Cholesky {
    comm: Comm,
    /// The first row of every rank, then the number of rows.
    starts: Vec<usize>,
    symbolic: SymbolicCholesky<usize>,
    factors: Vec<f64>,
}

impl Cholesky {
    /// Factorises; `None` when the matrix is not positive definite. Collective.
    ///
    /// # Errors
    /// When PETSc fails, or there is no memory for the factors.
    pub fn new(comm: &Comm, matrix: &Matrix) -> Result<Option<Self>> {
        let own = matrix.row_range();
        let rows = matrix.global_size().0;
        let (mut counts, mut columns, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for row in own.clone() {
            let before = columns.len();
            for (column, value) in matrix.row(row)?.into_iter().filter(|(column, _)| *column >= row) {
                columns.push(column);
                values.push(value);
            }
            counts.push(columns.len() - before);
        }
        let counts = comm.all_gather_varied(&counts);
        let (columns, values) = (comm.all_gather_varied(&columns), comm.all_gather_varied(&values));
        let mut offsets = vec![0];
        offsets.extend(counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        }));
        // A row of the upper triangle is a column of the lower one.
        let pattern = SymbolicSparseColMatRef::new_checked(rows, rows, &offsets, None, &columns);
        let failed = |cause| Error::Failed(format!("Cholesky's factorisation: {cause:?}"));
        let symbolic = factorize_symbolic_cholesky(
            pattern,
            Side::Lower,
            SymmetricOrdering::Amd,
            CholeskySymbolicParams {
                supernodal_flop_ratio_threshold: SupernodalThreshold::FORCE_SUPERNODAL,
                ..Default::default()
            },
        )
        .map_err(failed)?;
        let mut factors = vec![0.0; symbolic.len_val()];
        let mut memory =
            MemBuffer::new(symbolic.factorize_numeric_llt_scratch::<f64>(Par::Seq, Default::default()));
        let found = symbolic.factorize_numeric_llt(
            &mut factors,
            SparseColMatRef::new(pattern, &values),
            Side::Lower,
            LltRegularization::default(),
            Par::Seq,
            MemStack::new(&mut memory),
            Default::default(),
        );
        if found.is_err() {
            return Ok(None);
        }
        let mut starts = comm.all_gather(own.start);
        starts.push(rows);
        Ok(Some(Self { comm: comm.clone(), starts, symbolic, factors }))
    }

    /// Who shares the rows.
    pub fn comm(&self) -> &Comm {
        &self.comm
    }

    /// `A^-1 b` for every column b. Collective.
    pub fn solve(&self, columns: &Columns) -> Columns {
        let mut x = self.gathered(columns);
        let mut memory = self.memory(x.ncols());
        LltRef::new(&self.symbolic, &self.factors).solve_in_place_with_conj(
            Conj::No,
            x.as_mut(),
            Par::Seq,
            MemStack::new(&mut memory),
        );
        let rank = self.comm.rank();
        self.own(&x, self.starts[rank]..self.starts[rank + 1])
    }

    /// `L^-1 P b` for every column b: their plain scalar products are the products `b^T A^-1 b'`. The rows are in another
    /// order, and divided evenly over the ranks. Collective.
    pub fn half_solve(&self, columns: &Columns) -> Columns {
        let b = self.gathered(columns);
        let order = self.symbolic.perm().map(|order| order.arrays().0);
        let mut x = Mat::from_fn(b.nrows(), b.ncols(), |i, j| b[(order.map_or(i, |order| order[i]), j)]);
        let SymbolicCholeskyRaw::Supernodal(symbolic) = self.symbolic.raw() else {
            unreachable!("this form was asked for")
        };
        let mut memory = self.memory(x.ncols());
        SupernodalLltRef::new(symbolic, &self.factors).l_solve_with_conj(
            Conj::No,
            x.as_mut(),
            Par::Seq,
            MemStack::new(&mut memory),
        );
        let own = block(x.nrows() as u64, self.comm.size(), self.comm.rank());
        self.own(&x, own.start as usize..own.end as usize)
    }

    fn memory(&self, columns: usize) -> MemBuffer {
        MemBuffer::new(self.symbolic.solve_in_place_scratch::<f64>(columns, Par::Seq))
    }

    /// All rows of all columns.
    fn gathered(&self, columns: &Columns) -> Mat<f64> {
        let all = self.comm.all_gather_varied(columns.all());
        let count = columns.count();
        let mut matrix = Mat::zeros(self.starts[self.starts.len() - 1], count);
        for rows in self.starts.windows(2) {
            let (start, rows) = (rows[0], rows[1] - rows[0]);
            for j in 0..count {
                let to = matrix.col_mut(j).try_as_col_major_mut().expect("a new matrix is stored by columns");
                to.as_slice_mut()[start..][..rows].copy_from_slice(&all[start * count + j * rows..][..rows]);
            }
        }
        matrix
    }

    /// This rank's part of the rows.
    fn own(&self, matrix: &Mat<f64>, rows: Range<usize>) -> Columns {
        Columns::from_matrix(&self.comm, matrix.as_ref().subrows(rows.start, rows.len()))
    }
}
