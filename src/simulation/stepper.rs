//! How the steps of a run in time are attempted.
use super::evolution::{Evolution, Progress};
use super::problems::Simulation;
use crate::Result;
use crate::memory::{Entry, Kept};
use crate::physics::Context;

/// What attempts the steps of a run in time.
pub trait Stepper {
    /// Before the first step of a run from the present solutions. Collective.
    ///
    /// # Errors
    /// When it cannot be made ready.
    fn start(&mut self, _: &Simulation, _: &Context) -> Result<()> {
        Ok(())
    }

    /// Attempts a step, as [`Evolution::advance`]. Collective.
    ///
    /// # Errors
    /// As there.
    fn advance(&mut self, simulation: &mut Simulation, evolution: &mut Evolution) -> Result<Progress>;

    /// What it remembers of a problem, by its number. Local.
    fn remembered(&self, _problem: usize) -> Vec<Entry<'_>> {
        Vec::new()
    }

    /// Goes on from what another one remembered of a problem. Collective.
    ///
    /// # Errors
    /// When what is there does not fit.
    fn restore(&mut self, _problem: usize, _kept: &dyn Kept) -> Result<()> {
        Ok(())
    }

    /// What it says of the newest step; nothing where there is nothing to say. Local.
    fn note(&self) -> String {
        String::new()
    }

    /// What it says at the end of a run: lines. Local.
    fn summary(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Every equation is solved by Newton's method.
pub struct Newton;

impl Stepper for Newton {
    fn advance(&mut self, simulation: &mut Simulation, evolution: &mut Evolution) -> Result<Progress> {
        evolution.advance(simulation)
    }
}
