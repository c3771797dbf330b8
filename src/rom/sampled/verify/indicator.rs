//! Residuals of everything else, relative to the largest state.
use super::judge::{Judge, Numbers, Step, put};
use crate::Result;
use crate::mixture::InnerProduct;
use crate::physics::Prepared;
use crate::rom::sampled::replay::{Path, Visited};
use crate::solver::StateProduct;

pub(super) struct Indicator {
    product: StateProduct,
    residuals: Vec<f64>,
    errors: Vec<f64>,
    largest: f64,
}

impl Indicator {
    /// In the product at the mean of the state in the middle of a trajectory.
    pub fn new(prepared: &Prepared, path: &dyn Path, stage: usize) -> Result<Self> {
        let problem = prepared.problem();
        let times = path.times();
        let middle = times.len() / 2;
        let state = path.state(stage, middle, times[middle])?;
        let duration = if times.len() > 1 { times[times.len() - 1] - times[0] } else { 1.0 };
        let product = StateProduct::at_mean(problem, prepared.context(), &state, duration)?;
        let largest = product.whole.norm(&problem.space.mesh.comm, &path.state(stage, 0, times[0])?)?;
        Ok(Self { product, residuals: Vec::new(), errors: Vec::new(), largest })
    }
}

impl Judge for Indicator {
    fn step(&mut self, step: &Step, visited: &Visited) -> Result<()> {
        let Visited { prepared, moment, .. } = *visited;
        let space = &prepared.problem().space;
        let found = self.product.dual_norm(&visited.residual()?)?;
        // Schemes may have several equations a step.
        let before = self.residuals.get(moment).copied().filter(|before| !before.is_nan());
        put(&mut self.residuals, moment, before.map_or(found, |before| before.max(found)));
        let own = &step.state[..space.owned_dofs()];
        self.largest = self.largest.max(self.product.whole.norm(&space.mesh.comm, own)?);
        Ok(())
    }

    fn error(&mut self, step: &Step, exact: &[f64]) -> Result<()> {
        let space = &step.prepared.problem().space;
        let all = exact.iter().zip(step.state).take(space.owned_dofs());
        let difference: Vec<f64> = all.map(|(a, b)| a - b).collect();
        put(&mut self.errors, step.moment, self.product.whole.norm(&space.mesh.comm, &difference)?);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Numbers {
        let largest = if self.largest > 0.0 { self.largest } else { 1.0 };
        let relative = |list: Vec<f64>| list.into_iter().map(|v| v / largest).collect();
        let sizes = vec![self.largest; self.residuals.len()];
        Numbers {
            residuals: relative(self.residuals),
            bounds: Vec::new(),
            sizes,
            errors: relative(self.errors),
        }
    }
}
