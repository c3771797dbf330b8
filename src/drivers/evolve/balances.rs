//! Balances at the end of a run in time.
use super::record::Record;
use crate::drivers::balance;
use crate::simulation::{Observer, Run};
use crate::{Error, Result};
use std::cell::RefCell;

/// Prints the balances and keeps them for the result file.
pub(super) struct Balances<'a>(pub &'a RefCell<Record>);

impl Observer for Balances<'_> {
    fn at_end(&mut self, run: &mut Run, _: Option<&Error>) -> Result<()> {
        let balances = balance::balances(run.simulation, &run.evolution.context)?;
        balance::print(run.simulation, &balances, run.report);
        self.0.borrow_mut().balances = balances;
        Ok(())
    }
}
