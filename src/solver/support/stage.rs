//! Supports of a problem before its solve, and free motions after it.
use super::{FreeMotions, Pieces};
use crate::fem::Essential;
use crate::physics::Context;
use crate::solver::{Stage, StageSolver};
use crate::{Error, Result};

impl Stage {
    /// Refuses conditions that leave something free, see `Pieces::check`; a motion that may stay is held at one unknown
    /// each, which the loads must not push. Collective.
    ///
    /// # Errors
    /// [`Error::Failed`] that says what is missing.
    pub fn check_support(&mut self, context: &Context) -> Result<()> {
        let holds = self.problem.holds(context);
        let comm = &self.problem.space.mesh.comm;
        let known =
            self.support.as_ref().is_some_and(|s| s.fixed == self.essential.fixed && s.holds == holds);
        if comm.min(u8::from(known)) == 0 {
            let pieces = match self.support.take() {
                Some(support) => support.pieces,
                None => Pieces::new(&self.problem.space)?,
            };
            let free = pieces.check(&self.problem, &self.essential, context)?;
            let fixed = self.essential.fixed.clone();
            self.support = Some(Support { pieces, fixed, holds, free });
        }
        let Some(Support { free: Some(free), .. }) = &self.support else { return Ok(()) };
        // Where a motion is free the loads do no work on it.
        let StageSolver::Linear(_) = &self.solver else {
            return Err(self.unheld(&free.what));
        };
        self.problem.assemble_load(context, &self.essential, &mut self.load)?;
        for mode in &free.modes {
            let (load, mode) = (self.load.read()?, mode.read()?);
            let work =
                || load.iter().zip(mode.iter()).zip(&self.essential.fixed).filter(|(_, fixed)| !**fixed);
            let sum = comm.sum(work().map(|((f, v), _)| f * v).sum::<f64>());
            let gross = comm.sum(work().map(|((f, v), _)| (f * v).abs()).sum::<f64>());
            if sum.abs() > PUSHED * gross {
                return Err(self.unheld(&free.what));
            }
        }
        for &pin in &free.pins {
            (self.essential.fixed[pin], self.essential.values[pin]) = (true, 0.0);
        }
        let pinned = self.essential.fixed.iter().zip(&self.essential.values).map(|(&f, &v)| (f, v));
        let list: Vec<_> =
            pinned.enumerate().filter(|(_, (fixed, _))| *fixed).map(|(dof, (_, v))| (dof, v)).collect();
        self.essential = Essential::new(&self.problem.space, list);
        Ok(())
    }

    fn unheld(&self, what: &str) -> Error {
        let name = &self.problem.name;
        let message = "and the loads push it that way: hold it by a `value` (displacement) or a `foundation`";
        Error::Failed(format!("physics `{name}`: {what}, {message}"))
    }

    /// Takes out of the solution what nothing holds: its mean. Collective.
    pub(in crate::solver) fn take_out_free_motions(&mut self) -> Result<()> {
        let Some(Support { free: Some(free), .. }) = &self.support else { return Ok(()) };
        for mode in &free.modes {
            let part = self.solution.dot(mode)?;
            self.solution.axpy(-part, mode)?;
        }
        self.solution.ghost_update()?;
        self.outcome.note =
            format!("warning: {}; no load pushes it that way, and its mean motion is set to zero", free.what);
        Ok(())
    }
}

/// What is known of the supports of a problem.
pub(in crate::solver) struct Support {
    pieces: Pieces,
    /// For which essential unknowns and [holding conditions](Problem::holds).
    fixed: Vec<bool>,
    holds: Vec<bool>,
    free: Option<FreeMotions>,
}

/// Work of a load on a motion, relative to that of its parts, that is more than rounding.
const PUSHED: f64 = 1e-9;
