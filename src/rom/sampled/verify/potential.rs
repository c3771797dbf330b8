//! Lumped monotone problems with implicit Euler: the error's equation tested with `K^-1` times the error of what is stored.
//!
//! `(s_n - s_{n-1})/dt + K w_n = r_n` with what is stored `s` and a potential `w` that are both functions of the solution at the
//! same node, `w` non-decreasing in `s`, and `K` constant and positive definite: `|e_n| <= |e_{n-1}| + dt |r_n|` in the norm
//! `(d^T K^-1 d)^(1/2)`. Where nothing holds the level, what is stored in all is known, from what flows in: the trajectory is
//! shifted to it by a constant, and statements are of errors without their mean.
use super::judge::{Judge, Kind, Numbers, Start, Step, put};
use super::spd::{Definite, filled, uniform};
use crate::Result;
use crate::fem::{Parts, Values};
use crate::physics::Prepared;
use crate::rom::sampled::replay::Visited;
use petsc_rs::Vector;

/// Row sums below this part of the diagonal count as none.
const FLOATS: f64 = 1e-10;

pub(super) struct PotentialBound {
    dual: Definite,
    /// What is stored of one everywhere, where nothing holds the level.
    weights: Option<Vector>,
    /// What is stored in all.
    total: f64,
    /// What is stored at the end of the last step.
    stored: Vector,
    bound: f64,
    numbers: Numbers,
}

impl PotentialBound {
    /// Or why there is none.
    pub fn new(start: &Start) -> Result<std::result::Result<Self, &'static str>> {
        let prepared = start.prepared;
        let (problem, essential) = (prepared.problem(), &prepared.essential);
        let space = &problem.space;
        // The derivative of the potential is the same everywhere, a factor that changes nothing but the unit.
        let Some(level) = level(prepared) else { return Ok(Err("its threshold is not a single number")) };
        let matrix = filled(prepared, Parts::REST, &uniform(space, level), essential)?;
        let (mut ones, mut sums) = (space.field()?, space.field()?);
        ones.set(1.0)?;
        matrix.mult(&ones, &mut sums)?;
        let mut diagonal = sums.duplicate()?;
        matrix.diagonal(&mut diagonal)?;
        let largest = diagonal.max()?.0;
        let floating = sums.max()?.0.max(-sums.min()?.0) <= FLOATS * largest;
        if floating && problem.equation.model.name != "porous_medium" {
            return Ok(Err("nothing holds the level of its solution"));
        }
        let comm = &space.mesh.comm;
        let Some(dual) = Definite::new(comm, &matrix, &essential.fixed, floating)? else {
            return Ok(Err("the matrix of its potential is not positive definite"));
        };
        let [ours, mut exact] =
            [start.ours, start.exact].map(|state| prepared.form(Parts::STORAGE, &state.local_read()?));
        let exact = exact.as_mut().map_err(|_| crate::Error::Failed("what is stored has no value".into()))?;
        let weights = match floating {
            true => Some(prepared.form(Parts::STORAGE, &uniform(space, 1.0))?),
            false => None,
        };
        let (ours, total) = (ours?, exact.sum()?);
        let mut own = Self { dual, weights, total, stored: ours, bound: 0.0, numbers: Numbers::default() };
        if floating {
            own.stored = own.with_total(&own.stored)?;
        }
        exact.axpy(-1.0, &own.stored)?;
        own.bound = own.length(prepared, exact)?;
        let size = own.size(prepared)?;
        let Numbers { residuals, bounds, sizes, errors } = &mut own.numbers;
        put(residuals, 0, f64::NAN);
        put(bounds, 0, own.bound);
        put(sizes, 0, size);
        put(errors, 0, own.bound);
        Ok(Ok(own))
    }

    pub fn kind(&self) -> Kind {
        if self.weights.is_some() { Kind::PotentialWithoutMean } else { Kind::Potential }
    }

    /// What is stored, shifted by a constant to the total. Collective.
    fn with_total(&self, stored: &Vector) -> Result<Vector> {
        let mut shifted = stored.try_clone()?;
        if let Some(weights) = &self.weights {
            shifted.axpy((self.total - stored.sum()?) / weights.sum()?, weights)?;
        }
        Ok(shifted)
    }

    /// Of a difference in what is stored. Collective.
    fn length(&mut self, prepared: &Prepared, difference: &Vector) -> Result<f64> {
        let mut own = difference.try_clone()?;
        prepared.essential.clear(&mut own.write()?);
        if let Some(weights) = &self.weights {
            let mean = own.sum()? / weights.sum()?;
            own.axpy(-mean, weights)?;
        }
        self.dual.dual_norm(&own)
    }

    fn size(&mut self, prepared: &Prepared) -> Result<f64> {
        let stored = self.stored.try_clone()?;
        self.length(prepared, &stored)
    }
}

/// A value of the solution at which the potential grows with it.
fn level(prepared: &Prepared) -> Option<f64> {
    let problem = prepared.problem();
    let place = problem.equation.law.coefficients.iter().position(|one| one.key == "stefan.threshold");
    let Some(place) = place else { return Some(1.0) };
    match &problem.evaluate(prepared.context())[0][0][place] {
        Values::Uniform(threshold) => Some(threshold + 1.0),
        _ => None,
    }
}

impl Judge for PotentialBound {
    fn step(&mut self, step: &Step, _: &Visited) -> Result<()> {
        let Step { prepared, state, moment, dt } = *step;
        let mut stored = prepared.form(Parts::STORAGE, state)?;
        let mut flows = prepared.form(Parts::REST, state)?;
        if let Some(weights) = &self.weights {
            // Whatever the state, the potential moves things about: the sum is what comes in.
            self.total -= dt * flows.sum()?;
            let shift = (self.total - stored.sum()?) / weights.sum()?;
            let shifted: Vec<f64> = state.iter().map(|u| u + shift).collect();
            stored = prepared.form(Parts::STORAGE, &shifted)?;
            flows = prepared.form(Parts::REST, &shifted)?;
        }
        let mut residual = stored.try_clone()?;
        residual.axpy(-1.0, &self.stored)?;
        residual.scale(1.0 / dt)?;
        residual.axpy(1.0, &flows)?;
        let dual = self.length(prepared, &residual)?;
        self.bound += dt * dual;
        self.stored = stored;
        let size = self.size(prepared)?;
        let Numbers { residuals, bounds, sizes, .. } = &mut self.numbers;
        put(residuals, moment, dual);
        put(bounds, moment, self.bound);
        put(sizes, moment, size);
        Ok(())
    }

    fn error(&mut self, step: &Step, exact: &[f64]) -> Result<()> {
        if step.moment == 0 {
            return Ok(());
        }
        let mut difference = step.prepared.form(Parts::STORAGE, exact)?;
        difference.axpy(-1.0, &step.prepared.form(Parts::STORAGE, step.state)?)?;
        let found = self.length(step.prepared, &difference)?;
        put(&mut self.numbers.errors, step.moment, found);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Numbers {
        self.numbers
    }
}
