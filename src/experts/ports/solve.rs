//! The iteration: steps of sequential quadratic programming with the matrices of Gauss and Newton, and where steps shrink
//! slowly with second derivatives, shortened until the exact penalty function `objective + nu |conditions|` falls (Nocedal
//! and Wright, *Numerical Optimization*, 2006, chapter 18).
use super::evaluate::Evaluated;
use super::small::{Small, Step};
use super::window::{Row, State, Window};
use crate::experts::constraint::{Constraint, Found};
use crate::experts::differences::{Differences, second_derivatives};
use crate::experts::equations::Equations;
use crate::experts::port_condition::PortCondition;
use crate::mixture::dot;
use crate::{Error, Result};
use petsc_rs::Vector;
use std::ops::Range;

/// Steps at most.
const MOST_STEPS: usize = 100;
/// The shortest share of a step.
const SHORTEST: f64 = 1e-4;
/// Damping after the first failure, relative to the diagonal, and the largest.
const DAMPING: (f64, f64) = (1e-3, 1e6);
/// Steps that shrink by less than this are slow, and after so many of them second derivatives are used.
const SLOW: (f64, usize) = (0.1, 3);
/// Steps this small relative to the rows at first that do not shrink are round-off: with second derivatives, or where what is
/// to fall does not.
const NEAR: f64 = 1e-6;
/// Second derivatives are for steps this small relative to the rows at first, and taken in full: far away they mislead.
const CLOSE: f64 = 0.1;
/// A fall of the objective below this share of it does not show.
const INVISIBLE: f64 = 1e-10;
/// What conditions may lack where they do not come nearer any more, relative to what they lacked at first or to what moved
/// since.
const MET: f64 = 1e-6;
/// After so many steps in which they came no nearer they may lack this share: round-off, where little was wrong at first.
const STALLED: (usize, f64) = (5, 1e-4);

/// Where the iteration is.
pub(super) struct At {
    /// `[expert, function]`, on every rank.
    pub w: Vec<f64>,
    pub evaluated: Evaluated,
    /// Objective, gradient and matrices without second derivatives.
    pub objective: f64,
    pub gradient: Vec<f64>,
    pub matrices: Vec<f64>,
    pub violation: Vec<f64>,
}

/// What the iteration found.
pub(super) struct Minimum {
    pub at: At,
    /// At the prediction.
    pub first: Evaluated,
    pub iterations: usize,
    /// The largest jump between two experts.
    pub jump: f64,
}

impl Window<'_> {
    /// Coefficients of the experts that this rank has to do with.
    pub fn local(&self, w: &[f64]) -> Vec<f64> {
        let n = self.functions;
        self.regions.shares.experts.iter().flat_map(|&k| &w[k as usize * n..][..n]).copied().collect()
    }

    /// Everything at some coefficients. Collective.
    pub fn at(&self, small: &Small, w: Vec<f64>, ridge: f64) -> Result<At> {
        let evaluated = self.evaluate(&self.local(&w))?;
        Ok(self.judged(small, w, evaluated, ridge))
    }

    fn judged(&self, small: &Small, w: Vec<f64>, evaluated: Evaluated, ridge: f64) -> At {
        let (layout, n) = (self.layout(), self.functions);
        let mut objective = 0.5 * ridge * dot(&w, &w);
        let (mut gradient, mut matrices) = (Vec::with_capacity(w.len()), Vec::new());
        for (of_expert, w) in evaluated.experts.chunks_exact(layout.width()).zip(w.chunks_exact(n)) {
            let (matrix, slope, square, ..) = layout.split(of_expert);
            objective += 0.5 * square;
            gradient.extend(slope.iter().zip(w).map(|(g, w)| g + ridge * w));
            let entry = |(i, value): (usize, &f64)| value + if i % (n + 1) == 0 { ridge } else { 0.0 };
            matrices.extend(matrix.iter().enumerate().map(entry));
        }
        let violation = small.violation(&evaluated, &w);
        At { w, evaluated, objective, gradient, matrices, violation }
    }

    /// `d2/dw2 (z^T r)` of every expert with multipliers of rows and conditions.
    /// Collective.
    pub fn curvature(
        &self,
        w: &[f64],
        (own, ports): (&[Vec<f64>], &[f64]),
        differences: Differences,
    ) -> Result<Vec<f64>> {
        let n = self.functions;
        if self.linear {
            return Ok(vec![0.0; w.len() * n]);
        }
        let sizes = (&self.sizes.0[..], self.size());
        let pulled = |w: &[f64]| self.pulled(w, own, ports);
        second_derivatives(&self.local(w), sizes, w.len() / n, differences, pulled)
    }

    /// The largest magnitude of a predicted state. Collective.
    pub fn size(&self) -> f64 {
        let of = |state: &State| state.start.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let largest = self.space.mesh.comm.max(self.states.iter().map(of).fold(0.0, f64::max));
        if largest > 0.0 { largest } else { 1.0 }
    }

    /// Multipliers of the rows of every equation: the weighted residuals, and those of balances `[expert, component]`.
    pub fn of_rows(&self, weighted: &[Vec<f64>], balances: &[f64]) -> Vec<Vec<f64>> {
        let c = self.space.components;
        let experts = &self.regions.shares.experts;
        let of = |(equation, weighted): (&Row, &Vec<f64>)| -> Vec<f64> {
            let row = |(row, value): (usize, &f64)| {
                let expert = experts[self.regions.owner[row / c] as usize] as usize;
                let free = if self.free[row] { 1.0 } else { 0.0 };
                free * (value + equation.duration * balances[expert * c + row % c])
            };
            weighted.iter().enumerate().map(row).collect()
        };
        self.equations.iter().zip(weighted).map(of).collect()
    }
}

impl Constraint {
    /// As [`Constraint::meet`], of a linear system with its problem. Collective.
    pub(in crate::experts) fn meet_at(
        &self,
        equations: &Equations,
        condition: PortCondition,
        state: &mut Vector,
    ) -> Result<Found> {
        match equations.problem_at() {
            None => self.meet(equations, condition, state),
            Some((problem, context)) => {
                let prepared = problem.at(context)?;
                self.meet(&Equations::steady(&prepared), condition, state)
            }
        }
    }

    /// From `state`, which has the essential values, to the fields of the experts. Collective.
    fn meet(&self, equations: &Equations, condition: PortCondition, state: &mut Vector) -> Result<Found> {
        self.check_columns(equations)?;
        let window = self.window(equations, condition, state)?;
        let minimum = self.minimise(&window, condition)?;
        let at = &minimum.at;
        let n = window.functions;
        window.put_together(0, &at.w, state)?;
        let experts = &self.basis.gating.experts;
        let own = experts.start as usize..experts.end as usize;
        let mut coefficients = Vector::new(window.space.mesh.comm.mpi(), own.len() * n, 1)?;
        coefficients.write()?.copy_from_slice(&at.w[own.start * n..own.end * n]);
        Ok(Found {
            iterations: minimum.iterations,
            coefficients: Some(coefficients),
            least: minimum.lengths(&window, own.clone()),
            balances: Some(minimum.at.evaluated.balances(window.layout(), own).collect()),
            jump: minimum.jump,
            ..Found::default()
        })
    }

    /// Finds the coefficients. Collective.
    pub(super) fn minimise(&self, window: &Window, condition: PortCondition) -> Result<Minimum> {
        let ridge = self.least_squares.ridge;
        let (n, width) = (window.functions, window.layout().width());
        let experts = self.basis.gating.global_experts as usize;
        let w = vec![0.0; experts * n];
        let evaluated = window.evaluate(&window.local(&w))?;
        let small = Small::new(window, condition, &evaluated, ridge)?;
        let start = evaluated.clone();
        let named = |error| match error {
            Error::Failed(text) => Error::Failed(format!("{}: {text}", self.name)),
            other => other,
        };
        let mut at = window.judged(&small, w, evaluated, ridge);
        if condition == PortCondition::Open {
            return self.minimise_alone(window, &small, at);
        }
        let first =
            start.experts.chunks_exact(width).map(|of| window.layout().split(of).2).sum::<f64>().sqrt();
        let lacking = largest(&at.violation);
        let (mut penalty, mut damping, mut slow, mut blind) = (0.0f64, 0.0, 0, false);
        let (mut before, mut met_before) = (f64::INFINITY, f64::INFINITY);
        let mut multipliers = vec![0.0; small.count()];
        let (mut moved, mut stalled) = (0.0f64, 0);
        for step in 0..=MOST_STEPS {
            let mut matrices = at.matrices.clone();
            // Second derivatives take about as long as so many steps.
            if slow >= SLOW.1.max(n / 4) && !blind && before <= CLOSE * first {
                let local = window.local(&at.w);
                let (balances, fluxes, _) = small.multipliers(&multipliers);
                let weighted =
                    window.weighted(&local, &local)?.into_iter().map(|[z, _]| z).collect::<Vec<_>>();
                let own = window.of_rows(&weighted, &balances);
                let second = window.curvature(&at.w, (&own, &fluxes), Differences::OneSided)?;
                matrices.iter_mut().zip(&second).for_each(|(sum, v)| *sum += v);
            }
            if damping > 0.0 {
                for (k, matrix) in matrices.chunks_exact_mut(n * n).enumerate() {
                    (0..n)
                        .for_each(|i| matrix[i * (n + 1)] += damping * at.matrices[k * n * n + i * (n + 1)]);
                }
            }
            let right: Vec<f64> = at.gradient.iter().map(|g| -g).collect();
            let lack: Vec<f64> = at.violation.iter().map(|h| -h).collect();
            let found = small.solve(&matrices, &at.evaluated, &right, &lack).map_err(named)?;
            if largest(&lack) > MET * lacking.max(moved) {
                small.check(&found, largest(&lack)).map_err(named)?;
            }
            let Step { change, multipliers: y, .. } = found;
            let curved = curved(&at.matrices, &change, n);
            let (decrement, met) = (curved.max(0.0).sqrt(), largest(&at.violation));
            multipliers.clone_from(&y);
            let goal = self.options.tolerance * first;
            let stuck = decrement <= NEAR * first
                && decrement > 0.25 * before
                && (blind || slow >= SLOW.1.max(n / 4));
            let nothing = at.objective <= INVISIBLE.powi(2) * first * first;
            let still = decrement <= goal || stuck || nothing;
            // To round-off: another step costs little, and balances are worth it.
            stalled = if met > 0.25 * met_before { stalled + 1 } else { 0 };
            let allowed = if stalled > STALLED.0 { STALLED.1 } else { MET };
            if still && (met == 0.0 || stalled > 0) && met <= allowed * lacking.max(moved) {
                let jump = window.jump(&at.w);
                return Ok(Minimum { at, first: start, iterations: step, jump });
            }
            slow += usize::from(decrement > SLOW.0 * before);
            penalty = penalty.max(2.0 * dot(&y, &y).sqrt());
            let size = dot(&at.violation, &at.violation).sqrt();
            let slope = dot(&at.gradient, &change) - penalty * size;
            let merit = at.objective + penalty * size;
            let mut share = 1.0;
            let next = loop {
                let w: Vec<f64> = at.w.iter().zip(&change).map(|(w, d)| w + share * d).collect();
                let next = window.at(&small, w, ridge)?;
                let then = next.objective + penalty * dot(&next.violation, &next.violation).sqrt();
                let invisible = slope.abs() <= INVISIBLE * merit;
                if then.is_finite() && (then <= merit + 1e-4 * share * slope || invisible && share == 1.0) {
                    break Some(next);
                }
                share *= 0.5;
                if share < SHORTEST {
                    break None;
                }
            };
            match next {
                Some(next) => {
                    moved = moved.max(largest(&change));
                    damping = if share < 1.0 {
                        damping
                    } else if damping > DAMPING.0 {
                        0.1 * damping
                    } else {
                        0.0
                    };
                    at = next;
                    blind = share < 1.0;
                    (before, met_before) = (decrement, met);
                }
                None => {
                    (blind, before, met_before) = (true, decrement, met);
                    damping = (10.0 * damping).max(DAMPING.0);
                    slow = 0;
                    if damping > DAMPING.1 {
                        break;
                    }
                }
            }
        }
        Err(Error::Failed(format!(
            "{}: the experts came to no common solution: conditions lack {:.1e} of {lacking:.1e} at first",
            self.name,
            largest(&at.violation)
        )))
    }
}

impl Minimum {
    /// Lengths of the rows of some experts at first and at last.
    pub fn lengths(&self, window: &Window, experts: Range<usize>) -> Vec<[f64; 2]> {
        let layout = window.layout();
        let length = |of: &Evaluated, k: usize| {
            layout.split(&of.experts[k * layout.width()..][..layout.width()]).2.sqrt()
        };
        experts.map(|k| [length(&self.first, k), length(&self.at.evaluated, k)]).collect()
    }
}

impl Window<'_> {
    /// A state of the window, every node's value from its experts: the one that has the node, or several blended. Collective.
    pub fn put_together(&self, state: usize, w: &[f64], to: &mut Vector) -> Result<()> {
        let (n, c) = (self.functions, self.space.components);
        {
            let of = &self.states[state];
            let mut values = to.write()?;
            for (dof, value) in values.iter_mut().enumerate() {
                let phi = of.phi(dof, n);
                let part = |&(k, chi): &(u32, f64)| chi * dot(phi, &w[k as usize * n..][..n]);
                *value = of.start[dof] + self.gating.of(dof / c).iter().map(part).sum::<f64>();
            }
        }
        Ok(to.ghost_update()?)
    }

    /// The largest jump between two experts at their ports, at any of the states. Collective.
    pub fn jump(&self, w: &[f64]) -> f64 {
        let (n, c) = (self.functions, self.space.components);
        let mut worst = 0.0f64;
        self.regions.traces(&self.space, |port, node| {
            let (a, b) = self.regions.ports[port];
            let [a, b] = [a, b].map(|k| &w[k as usize * n..][..n]);
            for state in &self.states {
                for dof in node * c..(node + 1) * c {
                    let phi = state.phi(dof, n);
                    worst = worst.max((dot(phi, a) - dot(phi, b)).abs());
                }
            }
        });
        self.space.mesh.comm.max(worst)
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m: f64, v| if v.is_nan() { f64::INFINITY } else { m.max(v.abs()) })
}

/// `d^T H d`.
fn curved(matrices: &[f64], d: &[f64], n: usize) -> f64 {
    let of = |(matrix, d): (&[f64], &[f64])| -> f64 {
        matrix.chunks_exact(n).zip(d).map(|(row, d_i)| d_i * dot(row, d)).sum()
    };
    matrices.chunks_exact(n * n).zip(d.chunks_exact(n)).map(of).sum()
}
