//! The norm in which a layer's repairs are nearest.
use super::constraint::Constraint;
use super::equations::Equations;
use super::metric::{Mass, Metric};
use crate::deck::{ConstraintLevel, Norm};
use crate::fem::Space;
use crate::{Error, Result};
use petsc_rs::{Matrix, Vector};

impl Constraint {
    /// The norm: that of the last call if nothing that it depends on has changed. Collective.
    pub(super) fn set_metric(
        &mut self,
        equations: &Equations,
        tangent: &Matrix,
        start: &Vector,
    ) -> Result<()> {
        let space = self.balances.fields.clone();
        let comm = &space.mesh.comm;
        let fixed = &equations.essential.fixed;
        // Every rank keeps its part or none does.
        if comm.min(u8::from(self.fixed == *fixed)) == 0 {
            self.fixed.clone_from(fixed);
            (self.metric, self.kept) = (None, None);
        }
        let flow = equations.problem().is_some_and(|problem| problem.facts().pressure);
        let (norm, refused) = match (self.options.weight, equations.is_linear() && equations.is_symmetric()) {
            (Norm::Energy, false) => (Norm::Mass, self.options.level == ConstraintLevel::Conservation),
            (norm, _) => (norm, false),
        };
        if refused {
            let text = "constraint.weight: expected \"mass\", \"euclidean\" or \"variance\", found \"energy\": the model \
                        has no symmetric, constant and positive form that is one";
            return Err(Error::input("constraint.weight", format!("{}: {text}", self.name)));
        }
        self.norm = norm;
        if norm == Norm::Energy {
            // Another matrix is another norm.
            return Ok(());
        }
        if self.metric.is_some() && !(norm == Norm::Mass && flow && self.scales.is_none()) {
            return Ok(());
        }
        self.metric = Some(match norm {
            Norm::Mass => {
                let mut factors = vec![1.0; space.components];
                if flow {
                    let scales = self.scales.map_or_else(|| root_mean_squares(&space, start), Ok)?;
                    let d = space.components - 1;
                    factors = (0..=d).map(|i| scales[usize::from(i == d)].powi(-2)).collect();
                    if factors.iter().any(|f| !f.is_finite()) {
                        let text = "the predicted velocity or pressure is zero everywhere, so the mass norm has no scale \
                                    for it: choose another constraint.weight";
                        return Err(Error::input("constraint.weight", format!("{}: {text}", self.name)));
                    }
                }
                Metric::Mass(Mass::new(&self.name, &space, equations.essential, &factors)?)
            }
            Norm::Variance => {
                let Some(variance) = &self.variance else {
                    let text = format!("{}: the prediction comes without variances", self.name);
                    return Err(Error::input("constraint.weight", text));
                };
                let mut inverse = variance.try_clone()?;
                equations.essential.clear(&mut inverse.write()?);
                Metric::Diagonal(inverse)
            }
            _ => {
                let mut inverse = tangent.vectors()?.1;
                inverse.set(1.0)?;
                equations.essential.clear(&mut inverse.write()?);
                Metric::Diagonal(inverse)
            }
        });
        Ok(())
    }

    /// Distance of two states with the same essential values, and size of the second, in the chosen norm.
    pub(super) fn distance(
        &self,
        equations: &Equations,
        metric: &Metric,
        from: &Vector,
        to: &Vector,
    ) -> Result<(f64, f64)> {
        let mut change = to.try_clone()?;
        change.axpy(-1.0, from)?;
        let mut inside = to.try_clone()?;
        equations.essential.clear(&mut inside.write()?);
        equations.essential.clear(&mut change.write()?);
        let space = &self.balances.fields;
        Ok((metric.norm(space, &change)?, metric.norm(space, &inside)?))
    }
}

/// Root mean squares of the velocity's magnitude and of the pressure over the vertices of a flow.
fn root_mean_squares(space: &Space, state: &Vector) -> Result<[f64; 2]> {
    let (c, values) = (space.components, state.read()?);
    let mut sums = [0.0; 3];
    for node in (0..space.owned_nodes).filter(|&node| space.is_vertex(node)) {
        let (velocity, pressure) = values[node * c..][..c].split_at(c - 1);
        sums[0] += velocity.iter().map(|v| v * v).sum::<f64>();
        sums[1] += pressure[0] * pressure[0];
        sums[2] += 1.0;
    }
    space.mesh.comm.sum_into(&mut sums);
    Ok([0, 1].map(|i| (sums[i] / sums[2]).sqrt()))
}
