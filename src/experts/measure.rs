//! What a state leaves of the equations, without repairing it.
use super::constraint::Constraint;
use super::equations::Equations;
use super::repair::Repair;
use crate::Result;
use crate::deck::ConstraintLevel;
use petsc_rs::Vector;

impl Constraint {
    /// Measures a state whatever the level: violations before and after are the same. With how far it is from a prediction, if
    /// one is given. Collective.
    ///
    /// # Errors
    /// As [`Constraint::apply`] at the level `none`.
    pub fn measure(
        &mut self,
        equations: &Equations,
        state: &Vector,
        prediction: Option<&Vector>,
    ) -> Result<Repair> {
        let level = std::mem::replace(&mut self.options.level, ConstraintLevel::None);
        let measured = self.apply(equations, &mut state.try_clone()?);
        self.options.level = level;
        let mut repair = Repair { level, ..measured? };
        if let (Some(prediction), Some(metric)) = (prediction, &self.metric) {
            let mut start = prediction.try_clone()?;
            equations.impose(&self.balances.fields, &mut start)?;
            let (distance, size) = self.distance(equations, metric, &start, state)?;
            repair.distance = distance;
            repair.relative_distance = if size > 0.0 { distance / size } else { distance };
        }
        Ok(repair)
    }
}
