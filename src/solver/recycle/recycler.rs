//! The solver that recycles.
use super::space::{Goal, Solved, Space, System};
use super::{deflated_cg, gcro_dr};
use crate::deck::{RecycleKind, RecycleOptions};
use crate::memory::{Entry, Kept, Memory};
use crate::parallel::Comm;
use crate::{Error, Result};
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

    /// All that is remembered: named lists of vectors. Local.
    pub(in crate::solver) fn lists(&self) -> [(&'static str, &[Vector]); 2] {
        [("recycled", &self.space.vectors), ("recycled_origin", &self.space.origins)]
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

impl Memory for Recycler {
    fn remembered(&self) -> Vec<Entry<'_>> {
        self.lists().into_iter().flat_map(|(name, list)| Entry::fields(name, list)).collect()
    }

    fn restore(&mut self, kept: &dyn Kept) -> Result<()> {
        let (vectors, origins) = (kept.fields("recycled")?, kept.fields("recycled_origin")?);
        self.space = Space { vectors, origins, images: Vec::new() };
        Ok(())
    }
}
