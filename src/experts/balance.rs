//! The balances of the experts and how far a state is from them.
use crate::Result;
use crate::mixture::Projection;
use crate::parallel::Comm;
use petsc_rs::Vector;

/// An expert that exchanges next to nothing is judged by this share of the largest exchange.
const LEAST_EXCHANGE: f64 = 1e-3;

/// The rows `B u = b`, one for each expert `k` and component `c`: the equations of the free unknowns tested with
/// `Z = chi_k e_c`, so `B = Z^T K` and `b = Z^T f`. Holds the projection on `Z` (its `X`), which has `K Z`, the
/// transpose of `B`, and solves for multipliers.
pub struct Balance(pub Projection);

/// How far a state is from the balances, for this rank's experts, `[expert, component]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Violation {
    /// `b - B u`, in the unit of the load (W, N, kg/s).
    pub values: Vec<f64>,
    /// Largest magnitude over all experts and components, each relative to its gross exchange.
    pub worst: f64,
}

impl Balance {
    /// The gross exchange of each expert: the magnitude of `b_k`, plus what `B` moves by the
    /// variation of `u` about its mean on the row, `sqrt(sum_j |B_kj| . sum_j |B_kj| (u_j - mean)^2)`.
    /// It does not change when `u` is shifted, as balances do not away from the boundary. Collective.
    pub fn exchange(&self, comm: &Comm, load: &Vector, state: &Vector) -> Result<Vec<f64>> {
        let mut magnitude = self.0.kx.duplicate(true)?;
        {
            let arrays = magnitude.arrays_mut()?;
            arrays.diagonal.iter_mut().chain(arrays.off_diagonal.iter_mut()).for_each(|v| *v = v.abs());
        }
        magnitude.assemble()?;
        let mean = state.sum()? / state.global_size().max(1) as f64;
        let mut power = state.duplicate()?;
        power.set(1.0)?;
        let mut moments = Vec::new();
        let (mut row, _) = self.0.x.vectors()?;
        for _ in 0..3 {
            magnitude.mult_transpose(&power, &mut row)?;
            moments.push(row.read()?.to_vec());
            for (p, u) in power.write()?.iter_mut().zip(state.read()?.iter()) {
                *p *= u - mean;
            }
        }
        self.0.x.mult_transpose(load, &mut row)?;
        let mut gross: Vec<f64> = row
            .read()?
            .iter()
            .enumerate()
            .map(|(k, b)| {
                let [m0, m1, m2] = [0, 1, 2].map(|p| moments[p][k]);
                b.abs() + (m0 * m2 - m1 * m1).max(0.0).sqrt()
            })
            .collect();
        let least = LEAST_EXCHANGE * comm.max(gross.iter().copied().fold(0.0, f64::max));
        gross.iter_mut().for_each(|g| *g = g.max(least).max(f64::MIN_POSITIVE));
        Ok(gross)
    }

    /// The violation that belongs to a residual `f - K u` of the free unknowns. Collective.
    pub fn violation(&self, comm: &Comm, residual: &Vector, exchange: &[f64]) -> Result<Violation> {
        let (mut row, _) = self.0.x.vectors()?;
        self.0.x.mult_transpose(residual, &mut row)?;
        let values = row.read()?.to_vec();
        let worst = values.iter().zip(exchange).map(|(v, e)| v.abs() / e).fold(0.0, nan_max);
        Ok(Violation { values, worst: comm.max(worst) })
    }
}

/// The larger one; not-a-number wins.
fn nan_max(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}
