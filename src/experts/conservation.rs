//! The nearest state that satisfies rows: sequential quadratic programming.
//!
//! `min 1/2 |u - u^|_W^2` subject to `c(u) = 0` by `u <- u^ - W^-1 B^T y`, `B W^-1 B^T y = c(u) + B (u^ - u)`, with
//! `B = dc/du`: Newton's method on the rows and the Gauss-Newton matrix in the objective. A step is shortened until the
//! exact penalty function `1/2 |u - u^|_W^2 + nu |c|` falls or the rows do, where `|c|` is the length of the least
//! correction that removes `c`, so that no unit enters (Nocedal and Wright, *Numerical Optimization*, 2006, chapters 15 and
//! 18). Linear rows need one step. Where these steps shrink slowly, because the rows are curved, the exact matrix
//! `W + y^T d2c/du2` is taken, by GMRES in the null space of `B`.
use super::balance::{Rows, Violation};
use super::constraint::{Constraint, Found};
use super::equations::Equations;
use super::gmres::gmres;
use super::metric::Metric;
use crate::{Error, Result};
use petsc_rs::Vector;

/// Rows are refined until they are this small relative to what they add up, as far as round-off lets them.
const SATISFIED: f64 = 1e-14;
/// Rows above this after refinement are a failure.
const UNSATISFIED: f64 = 1e-9;
/// Steps of iterative refinement at most.
const REFINEMENTS: usize = 4;
/// Steps of the iteration on nonlinear rows at most.
const MOST_STEPS: usize = 60;
/// It ends when a step is this small relative to the whole correction.
const SMALL: f64 = 1e-11;
/// Above this ratio of the lengths of two steps the exact matrix is taken.
const SLOW: f64 = 0.1;
/// Relative residual of its systems.
const EXACT: f64 = 1e-3;
/// Or this small relative to the state: a prediction may satisfy the rows as far as round-off lets it.
const NOTHING: f64 = 1e-13;
/// The shortest share of a step.
const SHORTEST: f64 = 1e-4;
/// The shortest share of a step of the exact matrix.
const UPHILL: f64 = 1e-2;

impl Constraint {
    /// The nearest state to that in `state` which satisfies the rows, and the multipliers.
    pub(super) fn conserve(
        &self,
        equations: &Equations,
        rows: &mut Rows,
        metric: &mut Metric,
        exchange: &[f64],
        state: &mut Vector,
    ) -> Result<Found> {
        let comm = &self.balances.fields.mesh.comm;
        rows.weigh(comm, metric)?;
        let mut found = match equations.is_linear() || !rows.balanced() {
            true => Found { multipliers: Some(rows.vector()?), ..Found::default() },
            false => self.approach(equations, rows, metric, state)?,
        };
        let multipliers = found.multipliers.as_mut().expect("set above");
        let mut residual = state.duplicate()?;
        let mut change = state.duplicate()?;
        let measure = |residual: &Vector, state: &Vector, rows: &Rows| {
            rows.violation(&self.balances, residual, state, exchange, &self.known)
        };
        equations.residual_inside(state, &mut residual)?;
        let mut violation = measure(&residual, state, rows)?;
        for _ in 0..=REFINEMENTS {
            if violation.worst_of_all() <= SATISFIED {
                break;
            }
            let right = rows.values(&residual, state, &self.known)?;
            let (y, iterations) = rows.multipliers(metric, &right)?;
            found.iterations += iterations;
            rows.direction(metric, &y, &mut change)?;
            let mut next = state.try_clone()?;
            next.axpy(-1.0, &change)?;
            next.ghost_update()?;
            equations.residual_inside(&next, &mut residual)?;
            let then = measure(&residual, &next, rows)?;
            // At the level of round-off corrections may do harm.
            if then.worst_of_all() >= violation.worst_of_all() || then.worst_of_all().is_nan() {
                break;
            }
            state.copy_from(&next)?;
            state.ghost_update()?;
            multipliers.axpy(1.0, &y)?;
            violation = then;
        }
        match violation.worst_of_all() <= UNSATISFIED {
            true => Ok(found),
            false => Err(self.unsatisfied(&violation)),
        }
    }

    /// Nonlinear rows: from `state` to where the step is small.
    fn approach(
        &self,
        equations: &Equations,
        rows: &mut Rows,
        metric: &mut Metric,
        state: &mut Vector,
    ) -> Result<Found> {
        let space = &self.balances.fields;
        let prediction = state.try_clone()?;
        let mut inside = state.try_clone()?;
        equations.essential.clear(&mut inside.write()?);
        let nothing = NOTHING * metric.norm(space, &inside)?;
        let [mut residual, mut change] = [state.duplicate()?, state.duplicate()?];
        equations.residual(state, &mut residual)?;
        let mut values = rows.values(&residual, state, &self.known)?;
        let mut found = Found::default();
        let (mut room, mut last_length) = (None, f64::INFINITY);
        for step in 0..MOST_STEPS {
            if step > 0 {
                let tangent = equations.tangent(state, room.take())?;
                let prefix = format!("{}_balance_", self.name);
                *rows = Rows::new(&prefix, &self.balances, equations, &tangent, &self.known, true)?;
                rows.weigh(&space.mesh.comm, metric)?;
                room = tangent.into_room();
            }
            // c + B (u^ - u)
            let mut right = values.duplicate()?;
            change.copy_from(&prediction)?;
            change.axpy(-1.0, state)?;
            let moved = metric.norm(space, &change)?;
            rows.transposed().mult_transpose(&change, &mut right)?;
            right.axpy(1.0, &values)?;
            let (y, iterations) = rows.multipliers(metric, &right)?;
            found.iterations += iterations.max(1);
            rows.direction(metric, &y, &mut change)?;
            let mut target = prediction.try_clone()?;
            target.axpy(-1.0, &change)?;
            let whole = metric.norm(space, &change)?;
            let mut direction = target.try_clone()?;
            direction.axpy(-1.0, state)?;
            let mut length = metric.norm(space, &direction)?;
            let slow = step > 1 && length > SLOW * last_length && length > SMALL * whole;
            // Unlike that of `W` the step of the exact matrix need not lead downhill.
            let mut downhill = None;
            if slow && let Some(exact) = self.curved(equations, rows, metric, state, &y, &direction)? {
                downhill = Some((std::mem::replace(&mut direction, exact), length));
                length = metric.norm(space, &direction)?;
            }
            found.multipliers = Some(y.try_clone()?);

            let lacking = rows.length(&values)?;
            let penalty = 2.0 * y.dot(&right)?.abs().sqrt();
            let merit = |moved: f64, lacking: f64| 0.5 * moved * moved + penalty * lacking;
            let before = merit(moved, lacking);
            let mut share = 1.0;
            let mut next = state.duplicate()?;
            loop {
                next.copy_from(state)?;
                next.axpy(share, &direction)?;
                next.ghost_update()?;
                equations.residual(&next, &mut residual)?;
                if residual.norm(petsc_rs::Norm::Two)?.is_finite() {
                    let then = rows.values(&residual, &next, &self.known)?;
                    let left = rows.length(&then)?;
                    change.copy_from(&next)?;
                    change.axpy(-1.0, &prediction)?;
                    let falls = merit(metric.norm(space, &change)?, left) < before || left < 0.5 * lacking;
                    if falls || length <= 1e-6 * whole {
                        values = then;
                        break;
                    }
                }
                share *= 0.5;
                if share < UPHILL
                    && let Some(instead) = downhill.take()
                {
                    (direction, length) = instead;
                    share = 1.0;
                }
                if share < SHORTEST && lacking <= nothing {
                    return Ok(found);
                }
                if share < SHORTEST {
                    return Err(Error::Failed(format!(
                        "{}: after {step} steps no state near the prediction comes nearer to the balances; they lack a \
                         correction of {lacking:.2e} after one of {moved:.2e}",
                        self.name
                    )));
                }
            }
            last_length = length;
            state.copy_from(&next)?;
            state.ghost_update()?;
            if share == 1.0 && length <= (SMALL * whole).max(nothing) {
                return Ok(found);
            }
        }
        Err(Error::Failed(format!(
            "{}: the nearest balanced state was not found in {MOST_STEPS} steps; the prediction is too far off",
            self.name
        )))
    }

    /// The step of the exact matrix from that of `W`: `d + a` with `B a = 0`, `a = -Pi D (d + a)`, `D = y^T d2c/du2`;
    /// none where the iteration does not find it.
    fn curved(
        &self,
        equations: &Equations,
        rows: &mut Rows,
        metric: &mut Metric,
        state: &Vector,
        y: &Vector,
        direction: &Vector,
    ) -> Result<Option<Vector>> {
        let size = Equations::size(&self.balances.fields, state)?;
        rows.solve_along(&self.balances.fields.mesh.comm, metric)?;
        let mut tested = direction.duplicate()?;
        rows.test(y, &mut tested)?;
        tested.ghost_update()?;
        let here = equations.pulled(state, &tested)?;
        let mut image = direction.duplicate()?;
        let mut apply = |v: &Vector| -> Result<Vector> {
            equations.curvature_near(&here, [state, v, &tested], size, &mut image)?;
            Ok(rows.project(metric, &image)?.0)
        };
        let mut right = apply(direction)?;
        right.scale(-1.0)?;
        let found = gmres(&right, EXACT, |v, image| {
            image.copy_from(v)?;
            Ok(image.axpy(1.0, &apply(v)?)?)
        });
        let Ok(mut exact) = found else { return Ok(None) };
        exact.axpy(1.0, direction)?;
        Ok(Some(exact))
    }

    /// Which row is not met.
    fn unsatisfied(&self, violation: &Violation) -> Error {
        let known =
            violation.known.iter().zip(&self.known).filter(|(v, _)| v.1.is_nan() || v.1 > UNSATISFIED);
        let names: Vec<String> = known.map(|(v, row)| format!("\"{}\" by {:.3e}", row.name, v.0)).collect();
        if !names.is_empty() {
            return Error::Failed(format!(
                "{}: no state satisfies all rows: after the correction {} is not met. Rows may contradict one another \
                 or the balances",
                self.name,
                names.join(", ")
            ));
        }
        let worst = violation.worst;
        Error::Failed(format!(
            "{}: after the correction an expert is still out of balance by {worst:.1e} of its exchange; the matrix \
             may be singular, or its entries differ too much in size",
            self.name
        ))
    }
}
