//! The small system of all experts together: conditions of optimality and of the ports,
//!
//! `[H G^T; G 0] [d; y] = [a; b]`, `H` of one block an expert.
//!
//! Conditions may depend on one another, as those of ports around a corner do: `d` is unique all the same, `y` is not. So the
//! null space of `G` is found by a factorisation `G^T P = Q R` with pivots (Nocedal and Wright 2006, section 16.2), on every
//! rank.
use super::evaluate::{Evaluated, Layout};
use super::null_space::Factors;
use super::window::Window;
use crate::experts::port_condition::PortCondition;
use crate::mixture::whiten;
use crate::{Error, Result};
use faer::Mat;
use faer::linalg::solvers::Solve;
use std::ops::Range;

/// Modes of a trace that are smaller than this relative to the largest are none.
const INVISIBLE: f64 = 1e-12;
/// A row whose coefficients are smaller than this relative to the largest of its kind and component, or to what they are sums
/// of, does not depend on them.
const CONSTANT: f64 = 1e-11;
/// A function that the rows see less than this share of the most visible one, squared, counts as that.
const UNSEEN: f64 = 1e-10;
/// A condition with less than this outside of the span of the others depends on them: on jumps, which all start from none, and
/// others, where rounding grows by one over it.
const DEPENDENT: [f64; 2] = [1e-12, 1e-9];
/// What a step may leave of conditions that can be met, relative.
const MET: f64 = 1e-3;
/// What is added to the diagonal of matrices that are about 1: a function that nothing sees does not move.
const NEARBY: f64 = 1e-14;
/// Coefficients of all experts together at most: matrices of their size are dense.
const MOST: usize = 3000;

/// A condition.
#[derive(Clone, Copy)]
enum Condition {
    /// The balance of an expert and component.
    Balance(usize, usize),
    /// The flux at a port, of a component.
    Flux(usize, usize),
    /// A mode of the jump at a port.
    Trace(usize, usize),
}

/// A solution of the small system.
pub(super) struct Step {
    /// Of the coefficients, `[expert, function]`.
    pub change: Vec<f64>,
    /// Of the scaled conditions.
    pub multipliers: Vec<f64>,
    /// The most that is left of a scaled condition.
    pub lacking: f64,
}

/// The structure of the system, the same on every rank.
pub(super) struct Small {
    layout: Layout,
    ports: Vec<(u32, u32)>,
    /// Of each expert, combinations of its functions that are orthonormal (n x kept).
    changes: Vec<Mat<f64>>,
    /// Of each port rows that give the modes of a jump from differences of coefficients (modes x n), and factors that give
    /// the nodal values of what multipliers of them pull at (n x modes).
    traces: Vec<[Mat<f64>; 2]>,
    /// Conditions with the scale of each.
    conditions: Vec<(Condition, f64)>,
    /// Where the coefficients of each expert start, and one more.
    starts: Vec<usize>,
    /// What the matrices of the experts are multiplied by.
    unit: f64,
    /// The conditions on jumps, which stay what they are.
    jumps: Factors,
}

impl Small {
    /// From the functions and the first evaluation. Collective.
    pub fn new(window: &Window, condition: PortCondition, first: &Evaluated, ridge: f64) -> Result<Self> {
        let layout = window.layout();
        let (Layout { n, c }, ports) = (layout, window.regions.ports.clone());
        let experts = window.grams();
        // With a price of coefficients none of them is free.
        let change = |gram: &[f64]| match ridge > 0.0 {
            true => Mat::identity(n, n),
            false => whiten(square(gram, n).as_ref()).0,
        };
        let changes: Vec<Mat<f64>> = experts.chunks_exact(n * n).map(change).collect();
        let most = match condition {
            PortCondition::Strong => n,
            PortCondition::Weak(most) => most,
            PortCondition::Flux | PortCondition::Open => 0,
        };
        let alone = condition == PortCondition::Open;
        let sizes = &window.sizes.0;
        let traces = if alone { Vec::new() } else { window.traces() };
        let traces = traces.iter().map(|factor| modes(factor, sizes, most));
        let traces = traces.collect::<Result<Vec<_>>>()?;
        let mut small = Self {
            layout,
            ports,
            changes,
            traces,
            conditions: Vec::new(),
            starts: Vec::new(),
            unit: 1.0,
            jumps: Factors::new(&Mat::zeros(0, 0), 0.0),
        };
        // The matrices' diagonals are 1 where an expert's rows see a function.
        let diagonal = |change: &Mat<f64>, of_expert: &[f64]| -> Vec<f64> {
            let block = change.transpose() * square(layout.split(of_expert).0, n) * change;
            let price = |j: usize| ridge * change.col(j).squared_norm_l2();
            (0..block.nrows()).map(|j| block[(j, j)] + price(j)).collect()
        };
        let of_experts = first.experts.chunks_exact(layout.width());
        let diagonals: Vec<Vec<f64>> =
            small.changes.iter().zip(of_experts).map(|(change, of)| diagonal(change, of)).collect();
        let largest = diagonals.iter().flatten().fold(f64::MIN_POSITIVE, |m, v| m.max(*v));
        small.unit = 1.0 / largest;
        for (change, diagonal) in small.changes.iter_mut().zip(&diagonals) {
            let sizes: Vec<f64> = diagonal.iter().map(|v| (v / largest).max(UNSEEN).sqrt()).collect();
            *change = Mat::from_fn(n, change.ncols(), |i, j| change[(i, j)] / sizes[j]);
        }
        let balanced = if alone { 0 } else { small.changes.len() };
        let mut all: Vec<Condition> =
            (0..balanced).flat_map(|k| (0..c).map(move |i| Condition::Balance(k, i))).collect();
        if matches!(condition, PortCondition::Weak(_) | PortCondition::Flux) {
            all.extend((0..small.ports.len()).flat_map(|p| (0..c).map(move |i| Condition::Flux(p, i))));
        }
        for (port, trace) in small.traces.iter().enumerate() {
            all.extend((0..trace[0].nrows()).map(|mode| Condition::Trace(port, mode)));
        }
        let sizes: Vec<f64> = all.iter().map(|condition| small.size(*condition, first)).collect();
        let mut largest = vec![0.0f64; 2 * c + 1];
        for (condition, size) in all.iter().zip(&sizes) {
            let kind = kind(condition, c);
            largest[kind] = largest[kind].max(*size).max(small.magnitude(*condition, first));
        }
        // All modes of a port alike, for they are as visible as they are.
        let first_mode = |condition: &Condition, size: f64| match *condition {
            Condition::Trace(port, _) => small.size(Condition::Trace(port, 0), first),
            _ => size,
        };
        let sizes: Vec<f64> =
            all.iter().zip(sizes).map(|(condition, size)| first_mode(condition, size)).collect();
        let counts = |(condition, size): &(Condition, f64)| *size > CONSTANT * largest[kind(condition, c)];
        small.conditions = all.into_iter().zip(sizes).filter(counts).collect();
        small.starts.push(0);
        for change in &small.changes {
            small.starts.push(small.starts.last().expect("pushed above") + change.ncols());
        }
        if small.freedom() > MOST {
            let text = format!(
                "ports are for {MOST} coefficients of all experts together at most, found {}: fewer experts or functions",
                small.freedom()
            );
            return Err(Error::Failed(text));
        }
        let others = small.others();
        small.jumps = Factors::new(&small.slopes(others..small.count(), first), DEPENDENT[0]);
        Ok(small)
    }

    /// How many conditions there are before those on jumps.
    fn others(&self) -> usize {
        self.conditions.iter().take_while(|entry| !matches!(entry.0, Condition::Trace(..))).count()
    }

    /// `G^T` of some conditions.
    fn slopes(&self, range: Range<usize>, at: &Evaluated) -> Mat<f64> {
        let mut slopes = Mat::<f64>::zeros(self.freedom(), range.len());
        for (column, &(condition, scale)) in self.conditions[range].iter().enumerate() {
            for (expert, side) in self.experts_of(condition) {
                let slope = self.changed(expert, &self.slope(condition, side, at));
                for (i, v) in slope.into_iter().enumerate() {
                    slopes[(self.starts[expert] + i, column)] += v / scale;
                }
            }
        }
        slopes
    }

    /// Number of conditions.
    pub fn count(&self) -> usize {
        self.conditions.len()
    }

    /// Combinations of an expert's functions that are orthonormal.
    pub fn change(&self, expert: usize) -> &Mat<f64> {
        &self.changes[expert]
    }

    /// Number of coefficients that differ.
    pub fn freedom(&self) -> usize {
        *self.starts.last().expect("one more than experts")
    }

    /// The experts of a condition, with their side.
    fn experts_of(&self, condition: Condition) -> Vec<(usize, usize)> {
        match condition {
            Condition::Balance(expert, _) => vec![(expert, 0)],
            Condition::Flux(port, _) | Condition::Trace(port, _) => {
                let (a, b) = self.ports[port];
                vec![(a as usize, 0), (b as usize, 1)]
            }
        }
    }

    /// The coefficients of a condition before they are scaled, for one of its experts: `[function]`.
    fn slope(&self, condition: Condition, side: usize, at: &Evaluated) -> Vec<f64> {
        let Layout { n, c } = self.layout;
        match condition {
            Condition::Balance(expert, i) => {
                let width = self.layout.width();
                let (.., slopes) = self.layout.split(&at.experts[expert * width..][..width]);
                slopes[i * n..][..n].to_vec()
            }
            Condition::Flux(port, i) => at.flux_slopes[((port * c + i) * 2 + side) * n..][..n].to_vec(),
            Condition::Trace(port, mode) => {
                let sign = if side == 0 { 1.0 } else { -1.0 };
                (0..n).map(|j| sign * self.traces[port][0][(mode, j)]).collect()
            }
        }
    }

    /// The same in orthonormal functions.
    fn changed(&self, expert: usize, slope: &[f64]) -> Vec<f64> {
        let change = &self.changes[expert];
        let entry = |j: usize| slope.iter().enumerate().map(|(i, s)| s * change[(i, j)]).sum();
        (0..change.ncols()).map(entry).collect()
    }

    fn size(&self, condition: Condition, at: &Evaluated) -> f64 {
        let of = |(expert, side): (usize, usize)| {
            self.changed(expert, &self.slope(condition, side, at))
                .into_iter()
                .fold(0.0, |m: f64, v| m.max(v.abs()))
        };
        self.experts_of(condition).into_iter().map(of).fold(0.0, f64::max)
    }

    /// What the coefficients of a balance would be if nothing cancelled.
    fn magnitude(&self, condition: Condition, at: &Evaluated) -> f64 {
        let Condition::Balance(expert, i) = condition else { return 0.0 };
        let (Layout { n, .. }, width) = (self.layout, self.layout.width());
        let gross = &self.layout.magnitudes(&at.experts[expert * width..][..width])[i * n..][..n];
        let change = &self.changes[expert];
        let entry = |j: usize| gross.iter().enumerate().map(|(m, g)| g * change[(m, j)].abs()).sum::<f64>();
        (0..change.ncols()).map(entry).fold(0.0, f64::max)
    }

    /// How far the conditions are from being met, each over its scale.
    pub fn violation(&self, at: &Evaluated, w: &[f64]) -> Vec<f64> {
        let (Layout { n, c }, width) = (self.layout, self.layout.width());
        let value = |&(condition, scale): &(Condition, f64)| {
            let value = match condition {
                Condition::Balance(expert, i) => {
                    self.layout.split(&at.experts[expert * width..][..width]).3[i]
                }
                Condition::Flux(port, i) => at.flux[port * c + i],
                Condition::Trace(port, mode) => {
                    let (a, b) = self.ports[port];
                    let jump = |j: usize| w[a as usize * n + j] - w[b as usize * n + j];
                    (0..n).map(|j| self.traces[port][0][(mode, j)] * jump(j)).sum()
                }
            };
            value / scale
        };
        self.conditions.iter().map(value).collect()
    }

    /// Multipliers of balances `[expert, component]` and fluxes `[port, component]`, and of the modes at every port, from
    /// those of the scaled conditions.
    pub fn multipliers(&self, y: &[f64]) -> (Vec<f64>, Vec<f64>, Vec<Vec<f64>>) {
        let c = self.layout.c;
        let (mut balances, mut fluxes) = (vec![0.0; self.changes.len() * c], vec![0.0; self.ports.len() * c]);
        let mut traces: Vec<Vec<f64>> = self.traces.iter().map(|trace| vec![0.0; trace[0].nrows()]).collect();
        for (&(condition, scale), y) in self.conditions.iter().zip(y) {
            match condition {
                Condition::Balance(expert, i) => balances[expert * c + i] = y / scale,
                Condition::Flux(port, i) => fluxes[port * c + i] = y / scale,
                Condition::Trace(port, mode) => traces[port][mode] = y / scale,
            }
        }
        (balances, fluxes, traces)
    }

    /// What the multipliers of a port's modes pull at: factors of the functions, whose fields over the port's nodes they are
    /// `[function]`.
    pub fn pulls(&self, port: usize, multipliers: &[f64]) -> Vec<f64> {
        let factors = &self.traces[port][1];
        let entry = |j: usize| multipliers.iter().enumerate().map(|(m, y)| factors[(j, m)] * y).sum();
        (0..factors.nrows()).map(entry).collect()
    }

    /// Solves with the matrices of the experts, `[expert, function, function]`, at a state of the conditions; the right-hand
    /// sides are `[expert, function]` and those of the scaled conditions. The same on every rank.
    ///
    /// # Errors
    /// When numbers are not finite.
    pub fn solve(&self, matrices: &[f64], at: &Evaluated, a: &[f64], b: &[f64]) -> Result<Step> {
        let (n, total) = (self.layout.n, self.freedom());
        let slopes = self.slopes(0..self.others(), at);
        let mut right = Mat::<f64>::zeros(total, 1);
        for expert in 0..self.changes.len() {
            let reduced = self.changed(expert, &a[expert * n..][..n]);
            reduced.iter().enumerate().for_each(|(i, v)| right[(self.starts[expert] + i, 0)] = self.unit * v);
        }
        let blocks: Vec<Mat<f64>> = self
            .changes
            .iter()
            .zip(matrices.chunks_exact(n * n))
            .map(|(change, matrix)| {
                let block = change.transpose() * square(matrix, n) * change;
                Mat::from_fn(block.nrows(), block.nrows(), |i, j| {
                    self.unit * block[(i, j)] + if i == j { NEARBY } else { 0.0 }
                })
            })
            .collect();
        let sums =
            blocks.iter().map(|block| block.norm_l2()).sum::<f64>() + slopes.norm_l2() + right.norm_l2();
        if !(sums.is_finite() && b.iter().all(|v| v.is_finite())) {
            return Err(Error::Failed("the equations have no value at the states of the experts".into()));
        }
        let times = |x: &Mat<f64>| {
            let mut result = Mat::zeros(total, x.ncols());
            for (expert, block) in blocks.iter().enumerate() {
                let rows = self.starts[expert]..self.starts[expert + 1];
                let part = block * x.subrows(rows.start, rows.len());
                result.subrows_mut(rows.start, rows.len()).copy_from(part);
            }
            result
        };
        // Fields that agree where they are to; then conditions along their own directions, then what they leave open.
        let agree = &self.jumps.inside;
        let matrix = agree.transpose() * times(agree);
        let factors = Factors::new(&(agree.transpose() * &slopes), DEPENDENT[1]);
        let (mut s, lacking) = factors.least(&b[..slopes.ncols()]);
        let rest = agree.transpose() * &right - &matrix * &s;
        let inside = &factors.inside;
        let reduced = inside.transpose() * &matrix * inside;
        let free = inside.transpose() * &rest;
        let open = match reduced.llt(faer::Side::Lower) {
            Ok(factors) => factors.solve(&free),
            Err(_) => reduced.partial_piv_lu().solve(&free),
        };
        if open.norm_l2().is_finite() {
            s += inside * &open;
        }
        let d = agree * &s;
        let mut multipliers = factors.multipliers(&(agree.transpose() * &right - &matrix * &s));
        let y = Mat::from_fn(slopes.ncols(), 1, |i, _| multipliers[i]);
        multipliers.extend(self.jumps.multipliers(&(&right - times(&d) - &slopes * &y)));
        multipliers.iter_mut().for_each(|y| *y /= self.unit);
        let mut change = vec![0.0; self.changes.len() * n];
        for (expert, of_expert) in self.changes.iter().enumerate() {
            for i in 0..n {
                let along = |j: usize| of_expert[(i, j)] * d[(self.starts[expert] + j, 0)];
                change[expert * n + i] = (0..of_expert.ncols()).map(along).sum();
            }
        }
        Ok(Step { change, multipliers, lacking })
    }

    /// Whether a step met conditions that lacked so much, and what to say if not.
    ///
    /// # Errors
    /// When it did not.
    pub fn check(&self, step: &Step, asked: f64) -> Result<()> {
        match step.lacking <= MET * asked {
            true => Ok(()),
            false => Err(Error::Failed(format!(
                "{} conditions on {} coefficients of the experts contradict one another (of {asked:.1e} a part of {:.1e} is \
                 left): fewer modes at the ports, or more functions",
                self.count(),
                self.freedom(),
                step.lacking / asked
            ))),
        }
    }
}

/// A number for conditions of the same kind and component.
fn kind(condition: &Condition, components: usize) -> usize {
    match *condition {
        Condition::Balance(_, i) => i,
        Condition::Flux(_, i) => components + i,
        Condition::Trace(..) => 2 * components,
    }
}

pub(super) fn square(values: &[f64], n: usize) -> Mat<f64> {
    Mat::from_fn(n, n, |i, j| values[i * n + j])
}

/// The leading modes of traces from the triangular factors of their values: rows that give the coefficients of a jump along
/// orthonormal modes, and the factors of the functions that make these modes.
fn modes(factor: &Mat<f64>, sizes: &[f64], most: usize) -> Result<[Mat<f64>; 2]> {
    let n = factor.nrows();
    let found = factor.thin_svd().map_err(|e| Error::Failed(format!("traces at a port: {e:?}")))?;
    let (values, vectors) = (found.S().column_vector(), found.V());
    let seen = (0..n).filter(|&mode| values[mode] > INVISIBLE * values[0].max(f64::MIN_POSITIVE));
    let count = seen.count().min(most);
    Ok([
        Mat::from_fn(count, n, |mode, j| values[mode] * vectors[(j, mode)] * sizes[j]),
        Mat::from_fn(n, count, |j, mode| vectors[(j, mode)] / (values[mode] * sizes[j])),
    ])
}
