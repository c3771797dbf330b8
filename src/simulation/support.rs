//! Supports of a problem before its solve, and free motions after it.
use super::stage::Stage;
use crate::fem::Essential;
use crate::physics::Context;
use crate::solver::{Pieces, Support};
use crate::{Error, Result};

impl Stage {
    /// Refuses conditions that leave something free, see `Pieces::check`; a motion that may stay is held at one unknown
    /// each, which the loads must not push. Collective.
    ///
    /// # Errors
    /// [`Error::Failed`] that says what is missing.
    pub fn check_support(&mut self, context: &Context) -> Result<()> {
        let comm = &self.problem.space.mesh.comm;
        let known = self.support.as_ref().is_some_and(|support| support.fixed == self.essential.fixed);
        if comm.min(u8::from(known)) == 0 {
            let pieces = match self.support.take() {
                Some(support) => support.pieces,
                None => Pieces::new(&self.problem.space),
            };
            let always = pieces.are_fixed(&self.problem, &self.essential);
            self.support = Some(Support { pieces, fixed: self.essential.fixed.clone(), always, free: None });
        }
        let Some(support) = &mut self.support else { return Ok(()) };
        if support.always {
            return Ok(());
        }
        // What coefficients hold may change with them.
        support.free = support.pieces.check(&self.problem, &self.essential, context)?;
        let Some(free) = &support.free else { return Ok(()) };
        // Where a motion is free the loads do no work on it.
        if !self.problem.is_linear_system() {
            return Err(unheld(&self.problem.name, &free.what));
        }
        self.problem.assemble_load(context, &self.essential, &mut self.load)?;
        for mode in &free.modes {
            let (load, mode) = (self.load.read()?, mode.read()?);
            let work =
                || load.iter().zip(mode.iter()).zip(&self.essential.fixed).filter(|(_, fixed)| !**fixed);
            let sum = comm.sum(work().map(|((f, v), _)| f * v).sum::<f64>());
            let gross = comm.sum(work().map(|((f, v), _)| (f * v).abs()).sum::<f64>());
            // Where the motion is nothing but rounding it meets loads as well.
            let all = comm.sum(work().map(|((f, _), _)| f * f).sum::<f64>()).sqrt();
            if sum.abs() > PUSHED * gross.max(1e-5 * all) {
                return Err(unheld(&self.problem.name, &free.what));
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

    /// Motions of a linear problem that conditions leave free at these parameters, in words; `None` where everything is
    /// held. Collective.
    ///
    /// # Errors
    /// As [`Stage::check_support`], and [`Error::Input`] when a prescribed value is not finite.
    pub fn free_motions(&mut self, context: &Context) -> Result<Option<String>> {
        if !self.problem.is_linear_system() {
            return Ok(None);
        }
        self.set_conditions(context)?;
        self.check_support(context)?;
        Ok(self.support.as_ref().and_then(|support| Some(support.free.as_ref()?.what.clone())))
    }

    /// Whether a motion is free that loads leave alone.
    pub fn is_partly_free(&self) -> bool {
        self.support.as_ref().is_some_and(|support| support.free.is_some())
    }

    /// Takes out of the solution what nothing holds: its mean. Collective.
    pub(crate) fn take_out_free_motions(&mut self) -> Result<()> {
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

/// Work of a load on a motion, relative to that of its parts, that is more than rounding.
const PUSHED: f64 = 1e-9;

fn unheld(name: &str, what: &str) -> Error {
    let message = "and the loads push it that way: hold it by a `value` (displacement) or a `foundation`";
    Error::Failed(format!("physics `{name}`: {what}, {message}"))
}
