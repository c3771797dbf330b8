//! The rows that a repaired state satisfies: the balances of the experts, and values of linear functionals that are known.
use super::equations::Equations;
use super::metric::Metric;
use crate::mixture::{Mixture, factorised_small, finished};
use crate::parallel::Comm;
use crate::{Error, Result};
use petsc_rs::{KrylovSolver, Matrix, Vector};

/// An expert that exchanges next to nothing is judged by this share of the largest exchange, and one that stores much by
/// this share of what it stores a step.
const LEAST_EXCHANGE: f64 = 1e-3;

/// So many rows are few enough for a solve each: a correction takes that many by itself where they are not.
const FEW: usize = 256;

/// A linear functional of the field with a value that is known: a total mass, a mean, a measurement.
pub struct KnownRow {
    /// What it is called in messages.
    pub name: String,
    /// Its coefficients at all unknowns, essential ones too.
    pub row: Vector,
    /// Its value.
    pub value: f64,
}

/// The rows at a state: of balances `B = Z^T J` with `Z = chi_k e_c` at the free unknowns, for each expert `k` and
/// component `c`; then those that are known.
pub(super) struct Rows {
    /// `Z` (N x m).
    pub tested: Matrix,
    /// `J^T Z` (N x m).
    pub balances: Matrix,
    /// `B^T` (N x (m + q)), where there are q known rows; N x q if balances are not asked for.
    all: Option<Matrix>,
    /// Whether balances are among the rows.
    balanced: bool,
    prefix: String,
    weighed: Option<Weighed>,
}

/// What belongs to a norm as well.
struct Weighed {
    /// `W^-1 B^T`, where it is sparse or small.
    along: Option<Matrix>,
    /// Solves with `B W^-1 B^T`, or with something near to it.
    small: KrylovSolver,
}

/// How far a state is from the rows, for this rank's experts, `[expert, component]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Violation {
    /// Minus the residual of each, in the unit of the load (W, N, kg/s).
    pub values: Vec<f64>,
    /// Largest magnitude over all experts and components, each relative to its gross exchange.
    pub worst: f64,
    /// The same, if balances are asked for.
    asked: f64,
    /// Of the known rows, what is lacking, and each relative to what the row adds up.
    pub known: Vec<(f64, f64)>,
}

impl Violation {
    /// The worst row of all.
    pub fn worst_of_all(&self) -> f64 {
        self.known.iter().map(|known| known.1).fold(self.asked, nan_max)
    }
}

impl Rows {
    /// At a tangent; without balances those that are known alone. PETSc's options of the small problem carry the prefix.
    /// Collective.
    pub fn new(
        prefix: &str,
        mixture: &Mixture,
        equations: &Equations,
        tangent: &Matrix,
        known: &[KnownRow],
        balanced: bool,
    ) -> Result<Self> {
        let space = &mixture.fields;
        let fixed = &equations.essential.fixed;
        let free: Vec<bool> = fixed[..space.owned_dofs()].iter().map(|fixed| !fixed).collect();
        let tested = mixture.space(&free)?;
        let balances = match equations.is_symmetric() {
            true => tangent.mat_mult(&tested)?,
            false => tangent.transpose_mat_mult(&tested)?,
        };
        let all = match known {
            [] => None,
            _ => Some(with_rows(mixture, &balances, known, &free, balanced)?),
        };
        Ok(Self { tested, balances, all, balanced, prefix: prefix.into(), weighed: None })
    }

    /// Makes ready for corrections in a norm, unless that is done. Collective.
    pub fn weigh(&mut self, comm: &Comm, metric: &mut Metric) -> Result<()> {
        if self.weighed.is_none() {
            let tested = self.balanced.then_some(&self.tested);
            let (along, near) = metric.along(self.transposed(), tested)?;
            let other = along.as_ref().or(near.as_ref()).expect("one of the two");
            let small = self.transposed().transpose_mat_mult(other)?;
            let small = factorised_small(comm, &self.prefix, &small, true)?;
            self.weighed = Some(Weighed { along, small });
        }
        Ok(())
    }

    /// Makes ready for many corrections in a norm: of a few rows solves for `W^-1 B^T`, with which each takes no iteration.
    /// Collective.
    pub fn solve_along(&mut self, comm: &Comm, metric: &mut Metric) -> Result<()> {
        self.weigh(comm, metric)?;
        let few = self.transposed().global_size().1 <= FEW;
        if few && self.weighed.as_ref().is_some_and(|weighed| weighed.along.is_none()) {
            let along = metric.solved(comm, self.transposed())?;
            let small = self.transposed().transpose_mat_mult(&along)?;
            let small = factorised_small(comm, &self.prefix, &small, true)?;
            self.weighed = Some(Weighed { along: Some(along), small });
        }
        Ok(())
    }

    /// Whether balances are among the rows.
    pub fn balanced(&self) -> bool {
        self.balanced
    }

    /// `B^T`.
    pub fn transposed(&self) -> &Matrix {
        self.all.as_ref().unwrap_or(&self.balances)
    }

    /// A vector with an entry a row. Collective.
    pub fn vector(&self) -> Result<Vector> {
        Ok(self.transposed().vectors()?.0)
    }

    /// The rows at a state with this residual: `Z^T r`, and `G u - b`. Collective.
    pub fn values(&self, residual: &Vector, state: &Vector, known: &[KnownRow]) -> Result<Vector> {
        let mut own = self.balances.vectors()?.0;
        self.tested.mult_transpose(residual, &mut own)?;
        if known.is_empty() {
            return Ok(own);
        }
        let mut all = self.vector()?;
        let lacking: Vec<f64> =
            known.iter().map(|k| Ok(k.row.dot(state)? - k.value)).collect::<Result<_>>()?;
        {
            let (mut values, own) = (all.write()?, own.read()?);
            let own = if self.balanced { &own[..] } else { &[] };
            values[..own.len()].copy_from_slice(own);
            // The last rank has the known ones.
            let rest = &mut values[own.len()..];
            rest.iter_mut().zip(&lacking).for_each(|(v, l)| *v = *l);
        }
        Ok(all)
    }

    /// The test functions times multipliers of the balances, `Z y`. Collective.
    pub fn test(&self, multipliers: &Vector, result: &mut Vector) -> Result<()> {
        if !self.balanced {
            return Ok(result.set(0.0)?);
        }
        let mut own = self.balances.vectors()?.0;
        {
            let mut values = own.write()?;
            let n = values.len();
            values.copy_from_slice(&multipliers.read()?[..n]);
        }
        Ok(self.tested.mult(&own, result)?)
    }

    /// `y = (B W^-1 B^T)^-1 right`, and how many iterations it took. Collective.
    pub fn multipliers(&mut self, metric: &mut Metric, right: &Vector) -> Result<(Vector, usize)> {
        let Self { balances, all, weighed, .. } = self;
        let Weighed { along, small } = weighed.as_mut().expect("weighed");
        match along {
            Some(_) => {
                let mut y = right.duplicate()?;
                finished(small.solve(right, &mut y)?)?;
                Ok((y, 1))
            }
            None => metric.multipliers(all.as_ref().unwrap_or(balances), small, right),
        }
    }

    /// The length of the least correction that changes the rows by `right`, or something near to it. Collective.
    pub fn length(&mut self, right: &Vector) -> Result<f64> {
        let Weighed { small, .. } = self.weighed.as_mut().expect("weighed");
        let mut y = right.duplicate()?;
        finished(small.solve(right, &mut y)?)?;
        Ok(y.dot(right)?.max(0.0).sqrt())
    }

    /// `x = W^-1 B^T y`. Collective.
    pub fn direction(&self, metric: &mut Metric, y: &Vector, x: &mut Vector) -> Result<()> {
        match &self.weighed.as_ref().expect("weighed").along {
            Some(along) => Ok(along.mult(y, x)?),
            None => {
                let mut image = x.duplicate()?;
                self.transposed().mult(y, &mut image)?;
                metric.solve(&image, x)
            }
        }
    }

    /// `[W B^T; B 0] [a; b] = [r; 0]`. Collective.
    pub fn project(&mut self, metric: &mut Metric, r: &Vector) -> Result<(Vector, Vector)> {
        let mut a = r.duplicate()?;
        metric.solve(r, &mut a)?;
        let mut right = self.vector()?;
        self.transposed().mult_transpose(&a, &mut right)?;
        let (mut b, _) = self.multipliers(metric, &right)?;
        let mut change = r.duplicate()?;
        self.direction(metric, &b, &mut change)?;
        a.axpy(-1.0, &change)?;
        // Once more, for round-off.
        self.transposed().mult_transpose(&a, &mut right)?;
        let (rest, _) = self.multipliers(metric, &right)?;
        self.direction(metric, &rest, &mut change)?;
        a.axpy(-1.0, &change)?;
        b.axpy(1.0, &rest)?;
        Ok((a, b))
    }

    /// The gross exchange of each expert: the magnitude of `b_k`, plus what `B` moves by the variation of `u` about its
    /// mean on the row, `sqrt(sum_j |B_kj| . sum_j |B_kj| (u_j - mean)^2)`. It does not change when `u` is shifted, as
    /// balances do not away from the boundary. In a step it is that of the fluxes alone, and what changes in store. `rows`
    /// are those of the form at rest. Collective.
    pub fn exchange(&self, mixture: &Mixture, equations: &Equations, state: &Vector) -> Result<Vec<f64>> {
        let comm = &mixture.fields.mesh.comm;
        let mut residual = state.duplicate()?;
        let (mut row, _) = self.tested.vectors()?;
        let mut stored: Vec<f64> = vec![0.0; row.read()?.len()];
        let resting;
        let rows = if equations.in_time() {
            equations.residual(state, &mut residual)?;
            let mut rest = state.duplicate()?;
            let at_rest = equations.at_rest();
            at_rest.residual(state, &mut rest)?;
            residual.axpy(-1.0, &rest)?;
            self.tested.mult_transpose(&residual, &mut row)?;
            stored.iter_mut().zip(row.read()?.iter()).for_each(|(s, v)| *s = v.abs());
            let tangent = at_rest.tangent(state, None)?;
            resting = tangent.transpose_mat_mult(&self.tested)?;
            residual.copy_from(&rest)?;
            &resting
        } else {
            equations.residual_inside(state, &mut residual)?;
            &self.balances
        };
        // The load of the linearised rows.
        let mut load = row.duplicate()?;
        let mut inside = state.try_clone()?;
        equations.essential.clear(&mut inside.write()?);
        rows.mult_transpose(&inside, &mut load)?;
        self.tested.mult_transpose(&residual, &mut row)?;
        load.axpy(-1.0, &row)?;
        let mut magnitude = rows.duplicate(true)?;
        {
            let arrays = magnitude.arrays_mut()?;
            arrays.diagonal.iter_mut().chain(arrays.off_diagonal.iter_mut()).for_each(|v| *v = v.abs());
        }
        magnitude.assemble()?;
        let mean = state.sum()? / state.global_size().max(1) as f64;
        let mut power = state.duplicate()?;
        power.set(1.0)?;
        let mut moments = Vec::new();
        for _ in 0..3 {
            magnitude.mult_transpose(&power, &mut row)?;
            moments.push(row.read()?.to_vec());
            for (p, u) in power.write()?.iter_mut().zip(state.read()?.iter()) {
                *p *= u - mean;
            }
        }
        let load = load.read()?;
        let variation = |k: usize| {
            let [m0, m1, m2] = [0, 1, 2].map(|p| moments[p][k]);
            (m0 * m2 - m1 * m1).max(0.0).sqrt()
        };
        let mut gross: Vec<f64> =
            load.iter().enumerate().map(|(k, b)| b.abs() + stored[k] + variation(k)).collect();
        drop(load);
        // Components have units of their own.
        let components = mixture.fields.components;
        let own = mixture.functions();
        debug_assert_eq!(own, components);
        for c in 0..components {
            let largest = gross.iter().skip(c).step_by(components).copied().fold(0.0, f64::max);
            let least = LEAST_EXCHANGE * comm.max(largest);
            let those = gross.iter_mut().skip(c).step_by(components);
            those.for_each(|g| *g = g.max(least).max(f64::MIN_POSITIVE));
        }
        Ok(gross)
    }

    /// The violation that belongs to a residual on the free unknowns. Collective.
    pub fn violation(
        &self,
        mixture: &Mixture,
        residual: &Vector,
        state: &Vector,
        exchange: &[f64],
        known: &[KnownRow],
    ) -> Result<Violation> {
        let (mut row, _) = self.tested.vectors()?;
        self.tested.mult_transpose(residual, &mut row)?;
        let values: Vec<f64> = row.read()?.iter().map(|v| -v).collect();
        let worst = values.iter().zip(exchange).map(|(v, e)| v.abs() / e).fold(0.0, nan_max);
        let comm = &mixture.fields.mesh.comm;
        let known = known.iter().map(|known| known.lacking(comm, state)).collect::<Result<_>>()?;
        let worst = comm.max(worst);
        Ok(Violation { values, worst, asked: if self.balanced { worst } else { 0.0 }, known })
    }
}

impl KnownRow {
    /// What the state lacks of the value, and that relative to what the row adds up.
    fn lacking(&self, comm: &Comm, state: &Vector) -> Result<(f64, f64)> {
        let gross: f64 = self.row.read()?.iter().zip(state.read()?.iter()).map(|(a, u)| (a * u).abs()).sum();
        let lacking = self.value - self.row.dot(state)?;
        let gross = comm.sum(gross).max(self.value.abs());
        Ok((lacking, if gross > 0.0 { lacking.abs() / gross } else { 0.0 }))
    }
}

/// `B^T` (without balances none of its columns) with a column for each known row, after those of the last rank.
fn with_rows(
    mixture: &Mixture,
    balances: &Matrix,
    known: &[KnownRow],
    free: &[bool],
    balanced: bool,
) -> Result<Matrix> {
    let comm = &mixture.fields.mesh.comm;
    if known.len() as u64 > comm.sum(free.iter().filter(|free| **free).count() as u64) {
        return Err(Error::Failed(format!("{} known rows are more than there are unknowns", known.len())));
    }
    let mut arrays = Vec::new();
    for row in known {
        if !(row.value.is_finite() && row.row.norm(petsc_rs::Norm::Infinity)?.is_finite()) {
            return Err(Error::Failed(format!("the known row \"{}\" is not finite", row.name)));
        }
        let values: Vec<f64> =
            row.row.read()?.iter().zip(free).map(|(v, free)| if *free { *v } else { 0.0 }).collect();
        if comm.max(values.iter().fold(0.0f64, |m, v| m.max(v.abs()))) == 0.0 {
            let text = "has no unknown: what it reads is prescribed";
            return Err(Error::Failed(format!("the known row \"{}\" {text}", row.name)));
        }
        arrays.push(values);
    }
    let first = if balanced { balances.global_size().1 } else { 0 };
    let (mut pointers, mut columns, mut values) = (vec![0i32], Vec::new(), Vec::new());
    for (local, row) in balances.row_range().enumerate() {
        let mut entries = if balanced { balances.row(row)? } else { Vec::new() };
        entries.sort_unstable_by_key(|entry| entry.0);
        entries
            .extend(arrays.iter().enumerate().map(|(k, row)| (first + k, row[local])).filter(|e| e.1 != 0.0));
        columns.extend(entries.iter().map(|entry| entry.0 as i32));
        values.extend(entries.iter().map(|entry| entry.1));
        pointers.push(columns.len() as i32);
    }
    let last = comm.rank() + 1 == comm.size();
    let own = if balanced { balances.local_size().1 } else { 0 } + if last { known.len() } else { 0 };
    Ok(Matrix::from_csr_values(comm.mpi(), 1, &pointers, &columns, &values, own)?)
}

/// The larger one; not-a-number wins.
pub(super) fn nan_max(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}
