//! A symmetric positive definite matrix on free unknowns, and the norms that it gives.
use crate::Result;
use crate::fem::{Essential, Parts, Space};
use crate::mixture::sketch;
use crate::parallel::Comm;
use crate::physics::{FormState, Prepared};
use crate::solver::FactorisedEnergy;
use petsc_rs::{Matrix, MatrixOption, Norm, Vector};

/// Relative residual of a solve above which a matrix counts as singular.
const SINGULAR: f64 = 1e-8;

/// The factorised matrix.
pub(super) struct Definite {
    factors: FactorisedEnergy,
    /// An unknown that is held, of a matrix that knows no constants.
    pinned: bool,
}

impl Definite {
    /// Of a matrix without rows and columns of prescribed unknowns; `floating` says that constants are its kernel: loads have
    /// the sum zero then. `None` where it is not definite. Collective.
    pub fn new(comm: &Comm, matrix: &Matrix, fixed: &[bool], floating: bool) -> Result<Option<Self>> {
        let mut own = matrix.duplicate(true)?;
        if floating {
            let rows: &[i32] =
                if own.row_range().start == 0 && !own.row_range().is_empty() { &[0] } else { &[] };
            own.zero_rows_columns(rows, 1.0, None)?;
        }
        own.set_option(MatrixOption::PositiveDefinite, true)?;
        let mut definite = Self { factors: FactorisedEnergy::new(comm, &own)?, pinned: floating };
        // A load that no part of the domain is without.
        let (mut load, mut image) = sketch(matrix)?;
        if floating {
            let mean = load.sum()? / load.global_size() as f64;
            load.shift(-mean)?;
        }
        load.write()?.iter_mut().zip(fixed).filter(|(_, fixed)| **fixed).for_each(|(v, _)| *v = 0.0);
        let Ok(answer) = definite.solve(&load) else { return Ok(None) };
        matrix.mult(&answer, &mut image)?;
        image.axpy(-1.0, &load)?;
        let left = image.norm(Norm::Two)? / load.norm(Norm::Two)?;
        let good = left <= SINGULAR && load.dot(&answer)? > 0.0;
        Ok(good.then_some(definite))
    }

    fn solve(&mut self, load: &Vector) -> Result<Vector> {
        let mut right = load.try_clone()?;
        if self.pinned && right.range().start == 0 {
            right.write()?.iter_mut().take(1).for_each(|v| *v = 0.0);
        }
        let mut answer = right.duplicate()?;
        self.factors.solve(&right, &mut answer)?;
        Ok(answer)
    }

    /// `(r^T K^-1 r)^(1/2)` of a load that is zero at prescribed unknowns; not a number where there is none. Collective.
    pub fn dual_norm(&mut self, load: &Vector) -> Result<f64> {
        if !load.norm(Norm::Two)?.is_finite() {
            return Ok(f64::NAN);
        }
        Ok(load.dot(&self.solve(load)?)?.max(0.0).sqrt())
    }

    /// `b^T K^-1 b`. Collective.
    pub fn inverse_energy(&mut self, load: &Vector) -> Result<f64> {
        Ok(load.dot(&self.solve(load)?)?)
    }
}

/// The derivative of a form, with the identity at the unknowns of `essential`. Collective.
pub(super) fn filled(
    prepared: &Prepared,
    parts: Parts,
    state: &[f64],
    essential: &Essential,
) -> Result<Matrix> {
    let mut matrix = prepared.problem().new_matrix()?;
    let at = FormState { state, history: None, parts };
    prepared.tangent(at, essential, &mut matrix)?;
    Ok(matrix)
}

/// Values of a state that is the same everywhere.
pub(super) fn uniform(space: &Space, value: f64) -> Vec<f64> {
    vec![value; space.local_nodes() * space.components]
}
