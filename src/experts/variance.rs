//! What is left of a prediction's variance once rows are known to hold: the diagonal of `S - S B^T (B S B^T)^-1 B S` with
//! `S` diagonal (ProbConserv, Hansen et al. 2023). Of nonlinear rows `B` is their derivative at the repaired state.
use super::constraint::Constraint;
use crate::deck::{ConstraintLevel, Norm};
use crate::{Error, Result};
use petsc_rs::Vector;

impl Constraint {
    /// The variance of every owned unknown after the last [`Constraint::apply`] that satisfied rows in the norm
    /// `variance`: zero where a value is prescribed. A solve with the small matrix for every row. Collective.
    ///
    /// # Errors
    /// [`Error::Failed`] when the last repair was of another kind, or a solve fails.
    pub fn updated_variance(&mut self) -> Result<Vector> {
        let Self { options, metric, kept, known, name, .. } = self;
        let has_rows = match options.level {
            ConstraintLevel::Conservation => true,
            ConstraintLevel::Boundary => !known.is_empty(),
            _ => false,
        };
        let wanted = has_rows && options.weight == Norm::Variance;
        let (Some(metric), Some(kept), true) = (metric.as_mut(), kept.as_mut(), wanted) else {
            let text = "only a repair that satisfies rows in the norm \"variance\" updates variances";
            return Err(Error::Failed(format!("{name}: {text}")));
        };
        let rows = &mut kept.rows;
        rows.weigh(&self.balances.fields.mesh.comm, metric)?;
        let (mut unit, mut variance) = rows.transposed().vectors()?;
        let [mut own, mut spread] = [variance.duplicate()?, variance.duplicate()?];
        variance.set(1.0)?;
        metric.solve(&variance, &mut own)?;
        variance.copy_from(&own)?;
        let range = rows.transposed().column_range();
        for row in 0..rows.transposed().global_size().1 {
            unit.set(0.0)?;
            if range.contains(&row) {
                unit.write()?[row - range.start] = 1.0;
            }
            rows.direction(metric, &unit, &mut own)?;
            let (y, _) = rows.multipliers(metric, &unit)?;
            rows.direction(metric, &y, &mut spread)?;
            let (own, spread) = (own.read()?, spread.read()?);
            let mut left = variance.write()?;
            left.iter_mut().zip(own.iter().zip(spread.iter())).for_each(|(v, (a, b))| *v -= a * b);
        }
        // Round-off.
        variance.write()?.iter_mut().for_each(|v| *v = v.max(0.0));
        Ok(variance)
    }
}
