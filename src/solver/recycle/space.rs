//! The recycled space, and the system that it is used on.
use crate::Result;
use crate::mixture::{block, whiten};
use crate::parallel::Comm;
use faer::{Mat, MatRef};
use petsc_rs::{ConvergenceReason, Matrix, Preconditioner, Vector, VectorRead};

/// What is remembered. Lists of PETSc's vectors and no [`Columns`](crate::mixture::Columns): every iteration hands
/// them to the matrix, to the preconditioner and to PETSc's fused products and sums, which a copy each would slow
/// down.
#[derive(Default)]
pub(super) struct Space {
    /// The recycled vectors `U`.
    pub(super) vectors: Vec<Vector>,
    /// Their images `A U`: orthonormal for GCRO-DR. Empty when the matrix changed.
    pub(super) images: Vec<Vector>,
    /// GCRO-DR only: `M U` for the preconditioner M, as it was when the vectors were found.
    pub(super) origins: Vec<Vector>,
}

/// The list that residuals are tested with: the images where these are orthonormal, the vectors themselves where they are
/// in the product of the matrix.
type Test = fn(&Space) -> &[Vector];

/// The linear system of a solve.
pub(super) struct System<'a> {
    pub(super) comm: &'a Comm,
    pub(super) matrix: &'a Matrix,
    pub(super) preconditioner: &'a Preconditioner,
}

/// When to stop: a norm of the true residual, and a number of iterations.
#[derive(Clone, Copy)]
pub(super) struct Goal {
    pub(super) residual: f64,
    pub(super) iterations: usize,
}

/// How a solve went.
#[derive(Debug, Clone)]
pub struct Solved {
    /// Why it stopped.
    pub reason: ConvergenceReason,
    /// Applications of matrix and preconditioner to a new direction, as PETSc counts them.
    pub iterations: usize,
    /// Norm of the residual.
    pub residual: f64,
    /// Norms of the residual after each iteration; first that of the guess, in which the recycled space is
    /// already solved for.
    pub history: Vec<f64>,
    /// Recycled vectors that were used.
    pub recycled: usize,
}

impl Solved {
    pub(super) fn start(space: &Space) -> Self {
        Self {
            reason: ConvergenceReason::Iterating,
            iterations: 0,
            residual: f64::INFINITY,
            history: Vec::new(),
            recycled: space.len(),
        }
    }
}

impl Space {
    pub(super) fn len(&self) -> usize {
        self.vectors.len()
    }

    /// Computes the images for a new matrix and makes their products with the vectors that `test` chooses the identity, by
    /// combining the vectors; what depends on the rest is dropped. Collective.
    pub(super) fn renew(&mut self, system: &System, test: Test) -> Result<()> {
        if self.vectors.is_empty() {
            return Ok(());
        }
        self.images = system.images(&self.vectors)?;
        // The first pass drops, the second removes what round-off left.
        for _ in 0..2 {
            let gram = products(system.comm, &all(&[test(self)]), &all(&[&self.images]))?;
            let (factors, again) = whiten(gram.as_ref());
            self.transform(factors.as_ref())?;
            if !again {
                break;
            }
        }
        Ok(())
    }

    /// Solves in the recycled space with these test vectors T: `x += U T^T r`, `r -= A U T^T r`. Collective.
    pub(super) fn project(&self, test: Test, x: &mut Vector, r: &mut Vector) -> Result<()> {
        if self.vectors.is_empty() {
            return Ok(());
        }
        let coefficients = r.dots(&all(&[test(self)]))?;
        x.maxpy(&coefficients, &all(&[&self.vectors]))?;
        Ok(r.maxpy(&negative(&coefficients), &all(&[&self.images]))?)
    }

    /// Replaces every list by combinations of its vectors.
    fn transform(&mut self, factors: MatRef<'_, f64>) -> Result<()> {
        for list in [&mut self.vectors, &mut self.images, &mut self.origins] {
            if !list.is_empty() {
                *list = combine(&all(&[list]), factors)?;
            }
        }
        Ok(())
    }
}

impl System<'_> {
    /// `A` times each vector.
    fn images(&self, vectors: &[Vector]) -> Result<Vec<Vector>> {
        vectors
            .iter()
            .map(|v| {
                let mut image = v.duplicate()?;
                self.matrix.mult(v, &mut image)?;
                Ok(image)
            })
            .collect()
    }
}

/// `left^T right`, on every rank: one reduction. Collective.
pub(super) fn products(comm: &Comm, left: &[&Vector], right: &[&Vector]) -> Result<Mat<f64>> {
    let (left, right) = (read(left)?, read(right)?);
    Ok(block::products(comm, &slices(&left), &slices(&right)))
}

/// New vectors `columns * factors`. Local.
pub(super) fn combine(columns: &[&Vector], factors: MatRef<'_, f64>) -> Result<Vec<Vector>> {
    let Some(first) = columns.first() else { return Ok(Vec::new()) };
    let mut results =
        (0..factors.ncols()).map(|_| Ok(first.duplicate()?)).collect::<Result<Vec<Vector>>>()?;
    {
        let columns = read(columns)?;
        let mut writes = results.iter_mut().map(|v| Ok(v.write()?)).collect::<Result<Vec<_>>>()?;
        let mut writes: Vec<&mut [f64]> = writes.iter_mut().map(|v| &mut v[..]).collect();
        block::combine(&slices(&columns), factors, &mut writes);
    }
    Ok(results)
}

fn read<'a>(vectors: &[&'a Vector]) -> Result<Vec<VectorRead<'a>>> {
    vectors.iter().map(|v| Ok(v.read()?)).collect()
}

fn slices<'a>(vectors: &'a [VectorRead<'_>]) -> Vec<&'a [f64]> {
    vectors.iter().map(|v| &v[..]).collect()
}

/// The same numbers with the other sign.
pub(super) fn negative(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| -v).collect()
}

/// References to the vectors of several lists, one list after the other.
pub(super) fn all<'a>(lists: &[&'a [Vector]]) -> Vec<&'a Vector> {
    lists.iter().flat_map(|list| list.iter()).collect()
}
