//! The memory inside Newton's method: the linear solver of SNES is a shell that calls ours.
use crate::Result;
use crate::memory::{Entry, Kept, Memory};
use crate::solver::recycle::Recycler;
use petsc_rs::{KrylovSolver, NonlinearSolver, Norm, Preconditioner};
use std::cell::{Cell, Ref, RefCell};
use std::rc::{Rc, Weak};

/// Our linear solver in the place of that of a nonlinear solver.
pub struct NewtonRecycling {
    inner: Rc<RefCell<Inner>>,
}

struct Inner {
    /// The linear solver of SNES: it knows the tolerances, which Eisenstat and Walker's rule changes.
    outer: KrylovSolver,
    /// Holds matrix and preconditioner; never iterates.
    holder: KrylovSolver,
    recycler: Recycler,
    /// Set whenever the matrix is assembled.
    changed: Rc<Cell<bool>>,
    iterations: usize,
}

impl NewtonRecycling {
    /// Puts `recycler` in the place of the linear solver of `solver`, whose options must be set already;
    /// `holder` has the operators, and its preconditioner is the one that is used; `changed` is set whenever the matrix is
    /// assembled.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn attach(
        solver: &NonlinearSolver,
        holder: KrylovSolver,
        recycler: Recycler,
        changed: Rc<Cell<bool>>,
    ) -> Result<Self> {
        let mut outer = solver.krylov()?;
        outer.set_type("preonly")?;
        let mut shell = outer.preconditioner()?;
        let inner = Rc::new(RefCell::new(Inner { outer, holder, recycler, changed, iterations: 0 }));
        // The shell is part of what `inner` holds.
        let weak: Weak<RefCell<Inner>> = Rc::downgrade(&inner);
        shell.set_shell(false, move |b, x| {
            let inner = weak.upgrade().ok_or_else(|| petsc_rs::Error::user("the linear solver is gone"))?;
            inner.borrow_mut().solve(b, x).map_err(petsc_rs::Error::caused_by)
        })?;
        Ok(Self { inner })
    }

    /// The preconditioner in use.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn preconditioner(&self) -> Result<Preconditioner> {
        Ok(self.inner.borrow().holder.preconditioner()?)
    }

    /// Iterations since the last call. Local.
    pub fn take_iterations(&self) -> usize {
        std::mem::take(&mut self.inner.borrow_mut().iterations)
    }
}

impl Memory for NewtonRecycling {
    fn remembered(&self) -> Vec<Entry<'_>> {
        let sizes = self.inner.borrow().recycler.lists().map(|(name, list)| (name, list.len()));
        let list = |(l, (name, size)): (usize, (&'static str, usize))| {
            let vector =
                move |k: usize| Ref::map(self.inner.borrow(), |inner| &inner.recycler.lists()[l].1[k]);
            (0..size).map(move |k| Entry::field(format!("{name}_{k}"), vector(k)))
        };
        sizes.into_iter().enumerate().flat_map(list).collect()
    }

    fn restore(&mut self, kept: &dyn Kept) -> Result<()> {
        self.inner.borrow_mut().recycler.restore(kept)
    }
}

impl Inner {
    fn solve(&mut self, b: &petsc_rs::Vector, x: &mut petsc_rs::Vector) -> Result<()> {
        let matrix = self.holder.operator()?;
        if self.changed.take() {
            self.recycler.operator_changed();
        }
        self.holder.set_reuse_preconditioner(self.outer.reuses_preconditioner()?)?;
        self.holder.set_up()?;
        let (relative, absolute, most) = self.outer.tolerances()?;
        let goal = (relative * b.norm(Norm::Two)?).max(absolute);
        x.set(0.0)?;
        let solved = self.recycler.solve(&matrix, &self.holder.preconditioner()?, b, x, (goal, most))?;
        self.iterations += solved.iterations;
        Ok(self.outer.preconditioner()?.set_failed(!solved.reason.converged())?)
    }
}
