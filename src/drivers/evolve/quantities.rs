//! Quantities of interest, after every step.
use super::record::Record;
use crate::drivers::shared::print_quantities;
use crate::simulation::{Observer, Run, Simulation};
use crate::{Error, Result};
use std::cell::RefCell;

/// Measures quantities of interest; those of frames go to the result file.
pub(super) struct Quantities<'a> {
    record: &'a RefCell<Record>,
    /// Whether each is of a problem that evolves. The others are solved at frames only: between them they have no value.
    evolves: Vec<bool>,
}

impl<'a> Quantities<'a> {
    pub fn new(simulation: &Simulation, record: &'a RefCell<Record>) -> Result<Self> {
        let of = |quantity| Ok(simulation.stages[simulation.measured(quantity)?.0.stage].evolves());
        let evolves = simulation.deck.quantity.iter().map(of).collect::<Result<_>>()?;
        Ok(Self { record, evolves })
    }

    /// Those of the present state, for the frame that stands here if there is one.
    fn measure(&self, run: &Run) -> Result<Vec<f64>> {
        let context = &run.evolution.context;
        let mut values = run.report.phase("quantities", || run.simulation.quantities(context))?;
        if run.on_frame {
            self.record.borrow_mut().quantities.push(values.clone());
        } else {
            let unknown = values.iter_mut().zip(&self.evolves).filter(|(_, evolves)| !**evolves);
            unknown.for_each(|(value, _)| *value = f64::NAN);
        }
        Ok(values)
    }
}

impl Observer for Quantities<'_> {
    fn at_start(&mut self, run: &mut Run) -> Result<()> {
        let first = self.record.borrow().quantities.is_empty();
        if first { self.measure(run).map(drop) } else { Ok(()) }
    }

    fn after_step(&mut self, run: &mut Run) -> Result<()> {
        let values = self.measure(run)?;
        run.steps.last_mut().into_iter().for_each(|step| step.quantities.clone_from(&values));
        Ok(())
    }

    fn at_end(&mut self, run: &mut Run, _: Option<&Error>) -> Result<()> {
        let record = self.record.borrow();
        print_quantities(run.simulation, record.quantities.last().map_or(&[], Vec::as_slice), run.report);
        Ok(())
    }
}
