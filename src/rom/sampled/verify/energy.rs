//! Linear, symmetric and coercive problems with implicit Euler: the error's equation tested with the error itself.
//!
//! `M (e_n - e_{n-1})/dt + K e_n = r_n` gives `|e_n|_M^2 + dt |e_n|_K^2 <= |e_{n-1}|_M^2 + dt |r_n|^2` with the residual in the
//! dual norm of K. Where nothing holds the level, or only over times much longer than the run, K has a share of M added there,
//! `A = K + c M`, and what that adds to the error is divided out: `(1 - c dt)` of the left-hand side.
use super::applies::form_changes;
use super::judge::{Judge, Numbers, Start, Step, put};
use super::spd::{Definite, filled, uniform};
use crate::Result;
use crate::fem::Parts;
use crate::mixture::sketch;
use crate::physics::Prepared;
use crate::rom::sampled::replay::Visited;
use petsc_rs::{Matrix, Vector};

/// Time constants beyond so many durations of the run count as infinite.
const SLOW: f64 = 100.0;

pub(super) struct EnergyBound {
    /// The matrices' problem.
    at: Prepared,
    mass: Matrix,
    stiffness: Matrix,
    dual: Definite,
    /// `c`, 1/s.
    shift: f64,
    /// What is stored at the end of the last step.
    stored: Vector,
    /// Squares: the bound, the sums of the prediction's and of the error's energies.
    bound: f64,
    spent: f64,
    missed: f64,
    numbers: Numbers,
}

impl EnergyBound {
    /// `None` where the energy is not positive.
    pub fn new(start: &Start) -> Result<Option<Self>> {
        let problem = start.prepared.problem();
        let at = problem.at(start.prepared.context())?;
        let (essential, state) = (&at.essential, start.ours.local_read()?);
        let mass = filled(&at, Parts::STORAGE, &state, essential)?;
        let stiffness = filled(&at, Parts::REST, &state, essential)?;
        let duration = start.times[start.times.len() - 1] - start.times[0];
        let comm = &problem.space.mesh.comm;
        let (mut weights, mut ones) = (problem.space.field()?, problem.space.field()?);
        ones.set(1.0)?;
        essential.clear(&mut ones.write()?);
        mass.mult(&ones, &mut weights)?;
        let held = match form_changes(problem) {
            // It may be let go later.
            true => None,
            false => Definite::new(comm, &stiffness, &essential.fixed, false)?,
        };
        let (mut shift, mut dual) = (0.0, None);
        if let Some(mut held) = held {
            let slowest = held.inverse_energy(&weights)? / ones.dot(&weights)?;
            dual = (slowest > 0.0 && slowest < SLOW * duration).then_some(held);
        }
        if dual.is_none() {
            shift = 0.5 / duration;
            dual = shifted(&at, &stiffness, &mass, shift)?;
        }
        let Some(dual) = dual else { return Ok(None) };
        let mut error = start.exact.try_clone()?;
        error.axpy(-1.0, start.ours)?;
        let stored = at.form(Parts::STORAGE, &state)?;
        let mut own = Self {
            mass,
            stiffness,
            dual,
            shift,
            bound: 0.0,
            spent: 0.0,
            missed: 0.0,
            numbers: Numbers::default(),
            stored,
            at,
        };
        own.bound = squared(&own.mass, &error)?;
        let size = start.ours.dot(&own.stored)?.max(0.0).sqrt();
        let Numbers { residuals, bounds, sizes, errors } = &mut own.numbers;
        put(residuals, 0, f64::NAN);
        put(bounds, 0, own.bound.sqrt());
        put(sizes, 0, size);
        put(errors, 0, own.bound.sqrt());
        Ok(Some(own))
    }

    /// Has the matrices those of these coefficients. Collective.
    fn renew(&mut self, prepared: &Prepared) -> Result<()> {
        let problem = prepared.problem();
        let comm = &problem.space.mesh.comm;
        if comm.max(u8::from(!self.at.has_coefficients_of(prepared))) == 0 {
            return Ok(());
        }
        self.at = problem.at(prepared.context())?;
        let state = uniform(&problem.space, 0.0);
        let stiffness = filled(&self.at, Parts::REST, &state, &self.at.essential)?;
        let ([old, new], mut same) = ([sketch(&self.stiffness)?.1, sketch(&stiffness)?.1], true);
        {
            let (old, new) = (old.read()?, new.read()?);
            same &= old[..] == new[..];
        }
        if comm.max(u8::from(!same)) == 1 {
            let definite = shifted(&self.at, &stiffness, &self.mass, self.shift)?;
            let fault =
                || crate::Error::Failed(format!("{}: the energy is not positive definite", problem.name));
            self.dual = definite.ok_or_else(fault)?;
            self.stiffness = stiffness;
        }
        Ok(())
    }
}

/// `K + c M`.
fn shifted(at: &Prepared, stiffness: &Matrix, mass: &Matrix, shift: f64) -> Result<Option<Definite>> {
    let mut sum = stiffness.duplicate(true)?;
    sum.axpy(shift, mass, true)?;
    Definite::new(&at.problem().space.mesh.comm, &sum, &at.essential.fixed, false)
}

fn squared(matrix: &Matrix, x: &Vector) -> Result<f64> {
    let mut y = x.duplicate()?;
    matrix.mult(x, &mut y)?;
    Ok(x.dot(&y)?.max(0.0))
}

impl Judge for EnergyBound {
    fn step(&mut self, step: &Step, _: &Visited) -> Result<()> {
        self.renew(step.prepared)?;
        let Step { prepared, state, moment, dt } = *step;
        let space = &prepared.problem().space;
        let stored = prepared.form(Parts::STORAGE, state)?;
        let mut flows = prepared.form(Parts::REST, state)?;
        let mut residual = stored.try_clone()?;
        residual.axpy(-1.0, &self.stored)?;
        residual.scale(1.0 / dt)?;
        residual.axpy(1.0, &flows)?;
        prepared.essential.clear(&mut residual.write()?);
        let dual = self.dual.dual_norm(&residual)?;
        self.bound = (self.bound + dt * dual * dual) / (1.0 - self.shift * dt);
        let mut own = space.field()?;
        own.write()?.copy_from_slice(&state[..space.owned_dofs()]);
        flows.axpy(-1.0, &prepared.form(Parts::REST, &uniform(space, 0.0))?)?;
        self.spent += dt * own.dot(&flows)?.max(0.0);
        let Numbers { residuals, bounds, sizes, .. } = &mut self.numbers;
        put(residuals, moment, dual);
        put(bounds, moment, self.bound.sqrt());
        put(sizes, moment, (own.dot(&stored)?.max(0.0) + self.spent).sqrt());
        self.stored = stored;
        Ok(())
    }

    fn error(&mut self, step: &Step, exact: &[f64]) -> Result<()> {
        if step.moment == 0 {
            return Ok(());
        }
        self.renew(step.prepared)?;
        let space = &step.prepared.problem().space;
        let mut error = space.field()?;
        error.write()?.iter_mut().zip(exact.iter().zip(step.state)).for_each(|(e, (a, b))| *e = a - b);
        step.prepared.essential.clear(&mut error.write()?);
        self.missed += step.dt * squared(&self.stiffness, &error)?;
        let found = (squared(&self.mass, &error)? + self.missed).sqrt();
        put(&mut self.numbers.errors, step.moment, found);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Numbers {
        self.numbers
    }
}
