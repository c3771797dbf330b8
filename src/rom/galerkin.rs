//! The online side of a reduced model: small dense systems, nothing of the size of the mesh.
//!
//! For one physics the approximation is `u = sum_j gamma_j(mu) l_j + sum_i c_i phi_i`, with liftings
//! l_j of the prescribed values and modes phi_i that vanish where values are prescribed. Galerkin
//! projection on the modes gives c. Below, "basis" means liftings and modes together, in that order.
use super::theta::{Inputs, Ratio, Theta, values};
use crate::mixture::solve_small;
use crate::physics::Problem;
use crate::physics::coefficient::Context;
use crate::{Error, Result};
use faer::Mat;
use serde::{Deserialize, Serialize};

/// Part of the size of the terms of a residual that their sum may be wrong by.
const ROUND_OFF: f64 = 8.0 * f64::EPSILON;
/// Part of a solution's energy norm that the arithmetic of the full model itself leaves uncertain: about
/// round-off times the square root of the condition of its matrix. No estimate is smaller.
const FULL_MODEL_ROUND_OFF: f64 = 1e-11;

/// One physics of a reduced model.
#[derive(Debug, Clone)]
pub struct Reduced {
    /// Factors and facts.
    pub description: Description,
    /// `W^T A_q W` for the basis W.
    pub matrices: Vec<Mat<f64>>,
    /// `W^T f_q`.
    pub loads: Vec<Vec<f64>>,
    /// `W^T L_m(w)` for the basis functions w of the upstream physics, one column for each.
    pub coupled: Vec<Mat<f64>>,
    /// Triangular factor of the residual's representers: columns for the loads, the coupled loads
    /// (upstream basis running fastest) and the matrices (basis running fastest).
    pub residual: Mat<f64>,
}

/// What of a reduced physics is not an array.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Description {
    /// Name of the physics.
    pub name: String,
    /// Name of its field.
    pub field: String,
    /// Position in the model of the physics whose field it reads.
    pub upstream: Option<usize>,
    /// Number of basis functions of that physics.
    pub upstream_basis: usize,
    /// Number of modes.
    pub modes: usize,
    /// Factors of the liftings.
    pub lifts: Vec<Theta>,
    /// Factors of the matrices.
    pub matrices: Vec<Theta>,
    /// Factors of the loads.
    pub loads: Vec<Theta>,
    /// Factors of the loads that are proportional to the upstream field.
    pub coupled: Vec<Theta>,
    /// Bounds that give the coercivity constant, or why there are none.
    pub coercivity: std::result::Result<Vec<Ratio>, String>,
    /// How the upstream field's error passes on: `sup |L_m(e)(v)| / (|e| |v|)` of every coupled load,
    /// in the norms of both reference energies, or why it is not known.
    pub coupling: std::result::Result<Vec<f64>, String>,
    /// Largest relative interpolation error of the coefficients; zero when all are exact to round-off.
    pub interpolation: f64,
}

/// A reduced solution with its certificate.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// Coefficients of the basis: liftings, then modes (zero for modes not used).
    pub coefficients: Vec<f64>,
    /// Energy norm `sqrt(a(u, u; mu))` of the solution.
    pub energy: f64,
    /// Dual norm of the residual, in the reference energy.
    pub residual: f64,
    /// Lower bound of `a(v, v; mu) / a(v, v; reference)`.
    pub coercivity: f64,
    /// Estimate of the error's energy norm, upstream error included.
    pub estimate: f64,
    /// The estimate relative to the exact energy norm, which is at least `energy - estimate`;
    /// infinite when that is not positive.
    pub relative: f64,
    /// Why the estimate is no proven bound, if so.
    pub doubt: Option<String>,
}

impl Description {
    /// Whether all factors name things that the problem has. Local.
    pub fn fits(&self, problem: &Problem) -> bool {
        let thetas = [&self.lifts, &self.matrices, &self.loads, &self.coupled].into_iter().flatten();
        let ratios = self.coercivity.iter().flatten().flat_map(|ratio| &ratio.factors);
        thetas.map(|theta| &theta.factor).chain(ratios).all(|factor| factor.fits(problem))
    }
}

impl Reduced {
    /// Number of basis functions.
    pub fn basis(&self) -> usize {
        self.description.lifts.len() + self.description.modes
    }

    /// Solves with the first `modes` modes at these parameters. Local; cost independent of the mesh.
    ///
    /// # Errors
    /// When the reduced system is not positive definite.
    pub fn solve(
        &self,
        inputs: &dyn Inputs,
        context: &Context,
        upstream: Option<&Solution>,
        modes: usize,
    ) -> Result<Solution> {
        let d = &self.description;
        let lifts = d.lifts.len();
        let n = modes.min(d.modes);
        let basis = self.basis();
        let theta = values(&d.matrices, inputs, context);
        let phi = values(&d.loads, inputs, context);
        let psi = values(&d.coupled, inputs, context);
        let mut coefficients = vec![0.0; basis];
        coefficients[..lifts].copy_from_slice(&values(&d.lifts, inputs, context));
        let none = Vec::new();
        let field = upstream.map_or(&none, |u| &u.coefficients);

        let mut system = Mat::<f64>::zeros(basis, basis);
        theta.iter().zip(&self.matrices).for_each(|(&t, a)| system += faer::Scale(t) * a);
        let mut load = vec![0.0; basis];
        for (&t, f) in phi.iter().zip(&self.loads) {
            load.iter_mut().zip(f).for_each(|(l, f)| *l += t * f);
        }
        for (&t, g) in psi.iter().zip(&self.coupled) {
            for (j, &c) in field.iter().enumerate() {
                load.iter_mut().enumerate().for_each(|(i, l)| *l += t * c * g[(i, j)]);
            }
        }
        let right: Vec<f64> = (lifts..lifts + n)
            .map(|row| load[row] - (0..lifts).map(|j| system[(row, j)] * coefficients[j]).sum::<f64>())
            .collect();
        let found = solve_small(system.submatrix(lifts, lifts, n, n), &right).ok_or_else(|| {
            Error::Failed(format!(
                "{}: the reduced system is not positive definite at the parameters {:?}: does anything hold the field or \
                 body there (a coefficient, reaction or foundation of zero does not)?",
                d.name, context.parameters
            ))
        })?;
        coefficients[lifts..lifts + n].copy_from_slice(&found);
        let square: f64 = (0..basis)
            .map(|i| coefficients[i] * (0..basis).map(|j| system[(i, j)] * coefficients[j]).sum::<f64>())
            .sum();
        let energy = square.max(0.0).sqrt();
        let (residual, size) = self.residual_norm(&theta, &phi, &psi, &coefficients, field);
        let mut doubt = None;
        let coercivity = self.coercivity(inputs, context, &mut doubt);
        let passed_on = match upstream {
            Some(upstream) if !psi.is_empty() => {
                let error = upstream.estimate / upstream.coercivity.sqrt();
                if let (None, Some(reason)) = (&doubt, &upstream.doubt) {
                    doubt = Some(reason.clone());
                }
                self.coupling(&psi, &mut doubt) * error
            }
            _ => 0.0,
        };
        if d.interpolation > 0.0 && doubt.is_none() {
            doubt = Some(format!(
                "{}: the coefficients are interpolated with a relative error of {:.1e}, which the estimate leaves out",
                d.name, d.interpolation
            ));
        }
        let estimate =
            (residual + passed_on + ROUND_OFF * size) / coercivity.sqrt() + FULL_MODEL_ROUND_OFF * energy;
        let relative = if energy > estimate { estimate / (energy - estimate) } else { f64::INFINITY };
        Ok(Solution { coefficients, energy, residual, coercivity, estimate, relative, doubt })
    }

    /// Dual norm of the residual, and the size of the terms that cancel in it.
    fn residual_norm(&self, theta: &[f64], phi: &[f64], psi: &[f64], c: &[f64], field: &[f64]) -> (f64, f64) {
        let terms = phi
            .iter()
            .copied()
            .chain(psi.iter().flat_map(|t| field.iter().map(move |f| t * f)))
            .chain(theta.iter().flat_map(|t| c.iter().map(move |c| -t * c)));
        let mut sum = vec![0.0; self.residual.nrows()];
        let mut size = 0.0;
        for (k, term) in terms.enumerate().filter(|(_, term)| *term != 0.0) {
            let mut square = 0.0;
            for (s, r) in sum.iter_mut().zip(self.residual.col(k).iter()) {
                *s += term * r;
                square += r * r;
            }
            size += term.abs() * square.sqrt();
        }
        (sum.iter().map(|s| s * s).sum::<f64>().sqrt(), size)
    }

    fn coercivity(&self, inputs: &dyn Inputs, context: &Context, doubt: &mut Option<String>) -> f64 {
        let d = &self.description;
        match &d.coercivity {
            Err(reason) => {
                *doubt = Some(format!("{}: {reason}; the estimate is an indicator only", d.name));
                1.0
            }
            Ok(ratios) => {
                let least = ratios.iter().map(|r| r.bounds(inputs, context)[0]).fold(f64::INFINITY, f64::min);
                if least > 0.0 && least.is_finite() {
                    least
                } else {
                    *doubt = Some(format!(
                        "{}: no positive lower bound of the coercivity at these parameters; the estimate is an indicator only",
                        d.name
                    ));
                    1.0
                }
            }
        }
    }

    fn coupling(&self, psi: &[f64], doubt: &mut Option<String>) -> f64 {
        match &self.description.coupling {
            Err(reason) => {
                let name = &self.description.name;
                doubt.get_or_insert_with(|| format!("{name}: {reason}; the upstream error is left out"));
                0.0
            }
            Ok(constants) => psi.iter().zip(constants).map(|(t, c)| t.abs() * c).sum(),
        }
    }
}
