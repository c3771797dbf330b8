//! Proper orthogonal decomposition of snapshots that come in batches.
//!
//! Of each batch and what was kept of those before it a decomposition is made, and kept are the modes times their singular
//! values: the incremental case of the hierarchical approximate decomposition (Himpel, Leibner, Rave, SIAM J. Sci. Comput. 40
//! (2018) A3267-A3292). What batches leave out adds up in the norm, so with the n-th part of the tolerance for each of n
//! batches the whole stays within it. Never are more columns at hand than those of a batch and the kept ones.
use super::columns::Columns;
use super::orthonormal::Orthonormal;
use super::pod::{Algorithm, Pod, decompose};
use super::product::InnerProduct;
use crate::parallel::Comm;
use crate::{Error, Result};

/// The part of the tolerance in the norm that all batches together may use up before the basis is cut at its end.
const SHARE: f64 = 0.1;

/// The decomposition of all snapshots so far.
pub struct PodStream<P: InnerProduct> {
    product: P,
    algorithm: Algorithm,
    /// Modes times singular values.
    kept: Columns,
    /// Part of the energy so far that a batch may leave out.
    part: f64,
    /// Most modes that are kept between batches.
    most: usize,
    /// Energy that was left out.
    left: f64,
    energy: f64,
}

impl<P: InnerProduct> PodStream<P> {
    /// Nothing yet, of columns with `rows` rows on this rank; at most `batches` of them will come, and in the end so much
    /// of the energy may be left out.
    pub fn new(
        comm: &Comm,
        rows: usize,
        product: P,
        algorithm: Algorithm,
        (batches, tolerance): (usize, f64),
    ) -> Self {
        let part = tolerance * (SHARE / batches.max(1) as f64).powi(2);
        let kept = Columns::new(comm, rows);
        Self { product, algorithm, kept, part, most: usize::MAX, left: 0.0, energy: 0.0 }
    }

    /// Keeps no more than so many modes between batches, whatever that leaves out.
    pub fn at_most(self, modes: usize) -> Self {
        Self { most: modes, ..self }
    }

    /// Sum of the squares of all snapshots so far, in the inner product: what there is to leave out.
    pub fn energy(&self) -> f64 {
        self.energy
    }

    /// The square of a column in the inner product. Collective.
    ///
    /// # Errors
    /// When the inner product fails or is not positive definite.
    pub fn energy_of(&self, column: &[f64]) -> Result<f64> {
        Ok(self.product.norm(&self.kept.comm, column)?.powi(2))
    }

    /// Takes a batch of snapshots, in an order that does not depend on the ranks. Collective.
    ///
    /// # Errors
    /// When a snapshot is not finite or the inner product is not positive definite on them.
    pub fn push(&mut self, batch: &Columns) -> Result<()> {
        let comm = self.kept.comm.clone();
        let finite = batch.iter().all(|snapshot| snapshot.iter().all(|v| v.is_finite()));
        if comm.min(u8::from(finite)) == 0 {
            return Err(Error::Failed("a snapshot holds a number that is not finite".into()));
        }
        let mut all = self.kept.clone();
        all.extend(batch.iter());
        if all.count() == 0 {
            return Ok(());
        }
        let (singular, mut modes) = decompose(&all, &self.product, self.algorithm)?;
        let squares: Vec<f64> = singular.iter().map(|s| s * s).collect();
        self.energy = squares.iter().sum::<f64>() + self.left;
        // From the smallest on, so that the tail keeps its digits.
        let (mut keep, mut tail) = (squares.len(), 0.0);
        while keep > 0 && tail + squares[keep - 1] <= self.part * self.energy {
            keep -= 1;
            tail += squares[keep];
        }
        modes.truncate(keep.min(self.most));
        self.left += squares[modes.count()..].iter().sum::<f64>();
        for (j, value) in singular.iter().enumerate().take(modes.count()) {
            modes.column_mut(j).iter_mut().for_each(|v| *v *= value);
        }
        self.kept = modes;
        Ok(())
    }

    /// The basis: as few modes as leave out so much energy (of [`PodStream::energy`]) at most, but no more than `modes`.
    /// Collective.
    ///
    /// # Errors
    /// When the inner product fails.
    pub fn finish(self, modes: usize, allowed: f64) -> Result<Pod> {
        let lengths: Vec<f64> = self
            .kept
            .iter()
            .map(|column| self.product.norm(&self.kept.comm, column))
            .collect::<Result<_>>()?;
        let mut basis = self.kept;
        let tail = |from: usize| self.left + lengths.iter().skip(from).rev().map(|s| s * s).sum::<f64>();
        let mut keep = 0;
        while keep < modes.min(lengths.len()) && tail(keep) > allowed {
            keep += 1;
        }
        basis.truncate(keep);
        for (j, length) in lengths.iter().enumerate().take(keep) {
            basis.column_mut(j).iter_mut().for_each(|v| *v /= length);
        }
        Ok(Pod { modes: Orthonormal::of(&basis, &self.product)?.columns, singular_values: lengths })
    }
}
