//! Krylov methods that remember: a few directions that were slow in one linear system are solved for beforehand
//! in the next one, of a similar matrix.
//!
//! Both methods keep a small space `U` (`dimension` vectors) of approximate eigenvectors of the preconditioned
//! matrix with eigenvalues near zero. With a new matrix only its image is computed again.
mod block;
mod deflated_cg;
mod dense;
mod gcro_dr;
mod newton;

pub use newton::NewtonRecycling;

use crate::deck::{RecycleKind, RecycleOptions};
use crate::parallel::Comm;
use crate::{Error, Result};
use block::{all, negative};
use petsc_rs::{ConvergenceReason, Matrix, Preconditioner, Vector};

/// Which method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GCRO-DR, for any matrix and any (also a varying) preconditioner.
    GcroDr,
    /// Deflated conjugate gradients, for symmetric positive definite matrix and preconditioner.
    Cg,
}

/// A Krylov method with its memory.
pub struct Recycler {
    comm: Comm,
    method: Method,
    /// Largest number of recycled vectors; with 0 the methods are GMRES and CG.
    dimension: usize,
    /// Largest number of vectors of a cycle, the recycled ones among them.
    restart: usize,
    space: Space,
}

/// What is remembered.
#[derive(Default)]
struct Space {
    /// The recycled vectors `U`.
    vectors: Vec<Vector>,
    /// Their images `A U`: orthonormal for GCRO-DR. Empty when the matrix changed.
    images: Vec<Vector>,
    /// GCRO-DR only: `M U` for the preconditioner M, as it was when the vectors were found.
    origins: Vec<Vector>,
}

/// The list that residuals are tested with: the images where these are orthonormal, the vectors themselves where they are
/// in the product of the matrix.
type Test = fn(&Space) -> &[Vector];

/// The linear system of a solve.
struct System<'a> {
    comm: &'a Comm,
    matrix: &'a Matrix,
    preconditioner: &'a Preconditioner,
}

/// When to stop: a norm of the true residual, and a number of iterations.
#[derive(Clone, Copy)]
struct Goal {
    residual: f64,
    iterations: usize,
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
    fn start(space: &Space) -> Self {
        Self {
            reason: ConvergenceReason::Iterating,
            iterations: 0,
            residual: f64::INFINITY,
            history: Vec::new(),
            recycled: space.len(),
        }
    }
}

impl Recycler {
    /// Nothing remembered yet.
    ///
    /// # Errors
    /// [`Error::Failed`] unless `dimension < restart`.
    pub fn new(comm: &Comm, method: Method, dimension: usize, restart: usize) -> Result<Self> {
        if dimension >= restart {
            return Err(Error::Failed(format!(
                "recycling: {dimension} vectors leave no room for new ones in a cycle of {restart}"
            )));
        }
        Ok(Self { comm: comm.clone(), method, dimension, restart, space: Space::default() })
    }

    /// As a deck asks for, `None` when it asks for none.
    ///
    /// # Errors
    /// As [`Recycler::new`].
    pub fn of(comm: &Comm, options: &RecycleOptions, symmetric: bool) -> Result<Option<Self>> {
        let method = match options.method {
            RecycleKind::Off => return Ok(None),
            RecycleKind::Cg => Method::Cg,
            RecycleKind::Auto if symmetric => Method::Cg,
            RecycleKind::Auto | RecycleKind::GcroDr => Method::GcroDr,
        };
        Self::new(comm, method, options.dimension, options.restart).map(Some)
    }

    /// What it does, in words for the log.
    pub fn description(&self) -> String {
        let name = match self.method {
            Method::GcroDr => "GCRO-DR",
            Method::Cg => "deflated CG",
        };
        format!("{name}, {} vectors of {} recycled", self.dimension, self.restart)
    }

    /// Tells that matrix or preconditioner are others from now on. Local.
    pub fn operator_changed(&mut self) {
        self.space.images.clear();
    }

    /// Forgets everything. Local.
    pub fn reset(&mut self) {
        self.space = Space::default();
    }

    /// Number of vectors that are remembered.
    pub fn remembered(&self) -> usize {
        self.space.vectors.len()
    }

    /// All that is remembered, for a checkpoint: named lists of vectors. Local.
    pub fn memory(&self) -> [(&'static str, &[Vector]); 2] {
        [("recycled", &self.space.vectors), ("recycled_origin", &self.space.origins)]
    }

    /// Goes on with what another solver of the same problem remembered, see [`Recycler::memory`]. Local.
    pub fn restore(&mut self, [vectors, origins]: [Vec<Vector>; 2]) {
        self.space = Space { vectors, origins, images: Vec::new() };
    }

    /// Solves `A x = b` from the guess in `x` until the norm of the residual is at most `residual`, and remembers
    /// what was slow. That it does not converge is no error: look at the reason. Collective.
    ///
    /// # Errors
    /// When PETSc fails, or the preconditioner cannot be built.
    pub fn solve(
        &mut self,
        matrix: &Matrix,
        preconditioner: &Preconditioner,
        b: &Vector,
        x: &mut Vector,
        (residual, iterations): (f64, usize),
    ) -> Result<Solved> {
        // Vectors of another layout belong to another problem.
        if self.space.vectors.first().is_some_and(|u| u.local_size() != x.local_size()) {
            self.space = Space::default();
        }
        let system = System { comm: &self.comm, matrix, preconditioner };
        let goal = Goal { residual, iterations };
        let sizes = (self.dimension, self.restart);
        let solved = match self.method {
            Method::GcroDr => gcro_dr::solve(&mut self.space, sizes, &system, goal, b, x),
            Method::Cg => deflated_cg::solve(&mut self.space, sizes, &system, goal, b, x),
        }?;
        // A space that met numbers that are none is worth nothing.
        if solved.reason == ConvergenceReason::DivergedNan {
            self.space = Space::default();
        }
        Ok(solved)
    }
}

impl Space {
    fn len(&self) -> usize {
        self.vectors.len()
    }

    /// Computes the images for a new matrix and makes their products with the vectors that `test` chooses the identity, by
    /// combining the vectors; what depends on the rest is dropped. Collective.
    fn renew(&mut self, system: &System, test: Test) -> Result<()> {
        if self.vectors.is_empty() {
            return Ok(());
        }
        self.images = system.images(&self.vectors)?;
        // The first pass drops, the second removes what round-off left.
        for _ in 0..2 {
            let gram = block::products(system.comm, &[(&all(&[test(self)]), &all(&[&self.images]))])?;
            let (factors, again) = dense::whiten(gram[0].as_ref());
            self.transform(factors.as_ref())?;
            if !again {
                break;
            }
        }
        Ok(())
    }

    /// Solves in the recycled space with these test vectors T: `x += U T^T r`, `r -= A U T^T r`. Collective.
    fn project(&self, test: Test, x: &mut Vector, r: &mut Vector) -> Result<()> {
        if self.vectors.is_empty() {
            return Ok(());
        }
        let coefficients = r.dots(&all(&[test(self)]))?;
        x.maxpy(&coefficients, &all(&[&self.vectors]))?;
        Ok(r.maxpy(&negative(&coefficients), &all(&[&self.images]))?)
    }

    /// Replaces every list by combinations of its vectors.
    fn transform(&mut self, factors: faer::MatRef<'_, f64>) -> Result<()> {
        for list in [&mut self.vectors, &mut self.images, &mut self.origins] {
            if !list.is_empty() {
                *list = block::combine(&all(&[list]), factors)?;
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
