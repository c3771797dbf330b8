//! Matern fields as solutions of a stochastic partial differential equation.
use super::modes::Modes;
use super::noise::{Noise, SIGNATURE};
use super::operator::Operator;
use crate::fem::Space;
use crate::parallel::Comm;
use crate::{Error, Result, deck};
use petsc_rs::Vector;
use std::f64::consts::PI;
use std::rc::Rc;

/// The field that solves `(kappa^2 - Laplacian)^(alpha/2) g = factor * white noise` (Lindgren, Rue, Lindstrom, J. R.
/// Stat. Soc. B 73 (2011) 423, section 2.3), with linear elements and a lumped mass; fractional powers as in Bolin,
/// Kirchner, Kovacs, IMA J. Numer. Anal. 40 (2020) 1051.
pub struct Matern {
    operator: Operator,
    space: Rc<Space>,
    /// Canonical numbers of the owned nodes.
    numbers: Vec<u64>,
    /// The owned nodes by their canonical numbers.
    by_number: Vec<u32>,
    factor: f64,
    terms: Option<Terms>,
    /// Of the first low-frequency functions, what multiplies the noise of the owned nodes.
    probes: Vec<Vec<f64>>,
}

/// The Karhunen-Loeve expansion `g = sum_k deviation_k xi_k v_k`, cut off.
struct Terms {
    modes: Modes,
    deviations: Vec<f64>,
}

impl Matern {
    /// Sets the operator up. Collective.
    ///
    /// # Errors
    /// When there are more terms than nodes, or PETSc fails.
    pub fn new(space: &Rc<Space>, name: &str, section: &deck::Matern) -> Result<Self> {
        let d = space.mesh.dimension;
        let smoothness = section.smoothness(d);
        let alpha = smoothness + 0.5 * d as f64;
        let kappa = (8.0 * smoothness).sqrt() / section.range;
        // Variance for a factor of 1: Lindgren et al., equation (3).
        let variance = libm::tgamma(smoothness)
            / (libm::tgamma(alpha) * (4.0 * PI).powf(0.5 * d as f64) * kappa.powf(2.0 * smoothness));
        let factor = section.deviation / variance.sqrt();
        let (solves, theta) = match section.terms {
            // The modes carry the power.
            Some(_) => (1, 0.0),
            None => section.power(d),
        };
        let mut operator = Operator::new(space, name, kappa, solves, theta)?;
        let plan = space.canonical();
        let numbers = plan.from_canonical(&plan.range().collect::<Vec<u64>>(), 1);
        let mut by_number: Vec<u32> = (0..numbers.len() as u32).collect();
        by_number.sort_unstable_by_key(|&node| numbers[node as usize]);
        let terms = match section.terms {
            None => None,
            Some(count) => {
                let modes = Modes::smallest(space, &mut operator, &numbers, count)
                    .map_err(|error| Error::Failed(format!("random.{name}: {error}")))?;
                let deviations =
                    modes.values.iter().map(|lambda| factor * lambda.powf(-0.5 * alpha)).collect();
                Some(Terms { modes, deviations })
            }
        };
        Ok(Self { operator, space: space.clone(), numbers, by_number, factor, terms, probes: Vec::new() })
    }

    /// One draw at the owned nodes. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn draw(&mut self, noise: &Noise, result: &mut Vector) -> Result<()> {
        if let Some(Terms { modes, deviations }) = &self.terms {
            let mut values = result.write()?;
            values.fill(0.0);
            let weights = deviations.iter().enumerate().map(|(k, d)| d * noise.normal(k as u64));
            modes.vectors.add_to(&weights.collect::<Vec<_>>(), &mut values);
            return Ok(());
        }
        let mut load = self.space.field()?;
        {
            let (mut values, mut numbers) = (load.write()?, noise.numbers());
            for &node in &self.by_number {
                let (mass, number) = (self.operator.mass[node as usize], self.numbers[node as usize]);
                values[node as usize] = self.factor * mass.sqrt() * numbers.normal(number);
            }
        }
        self.operator.power(&mut load, result)
    }

    /// Function `k` of the expansion that is cut off, with its deviation, at the owned nodes. Local.
    pub fn function(&self, k: usize, result: &mut [f64]) {
        if let Some(Terms { modes, deviations }) = &self.terms {
            let column = modes.vectors.column(k);
            result.iter_mut().zip(column).for_each(|(value, v)| *value = deviations[k] * v);
        }
    }

    /// Standard deviations of the coefficients of the Karhunen-Loeve expansion, if it is cut off. Local.
    pub fn deviations(&self) -> Option<&[f64]> {
        self.terms.as_ref().map(|terms| &terms.deviations[..])
    }

    /// This rank's part of a draw's coefficients of low frequency, relative to their joint standard deviation. Local,
    /// after [`Matern::prepare_signature`].
    pub fn signature(&self, comm: &Comm, noise: &Noise) -> Vec<f64> {
        if let Some(Terms { deviations, .. }) = &self.terms {
            let first = &deviations[..deviations.len().min(SIGNATURE)];
            let total = first.iter().map(|d| d * d).sum::<f64>().sqrt();
            // Every rank could give it.
            let share = if comm.rank() == 0 { 1.0 / total } else { 0.0 };
            return (0..).zip(first).map(|(k, d)| share * d * noise.normal(k)).collect();
        }
        let mut source = noise.numbers();
        let normals: Vec<f64> = self.numbers.iter().map(|&number| source.normal(number)).collect();
        self.probes.iter().map(|probe| probe.iter().zip(&normals).map(|(p, n)| p * n).sum()).collect()
    }

    /// Finds how the inner products of a draw with the first cosines on the box around the mesh follow from the noise: the
    /// power of the operator is its own adjoint in the inner product of the lumped mass. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn prepare_signature(&mut self) -> Result<()> {
        if self.terms.is_some() || !self.probes.is_empty() {
            return Ok(());
        }
        let (mut load, mut result) = (self.space.field()?, self.space.field()?);
        let points: Vec<[f64; 3]> = (0..self.space.owned_nodes).map(|node| self.space.point(node)).collect();
        for waves in cosines(&self.operator.comm, &points, self.space.mesh.dimension) {
            let cosine = |x: &[f64; 3]| (0..3).map(|i| (waves[i][0] * (x[i] - waves[i][1])).cos()).product();
            let values: Vec<f64> = points.iter().map(cosine).collect();
            let square: f64 = values.iter().zip(&self.operator.mass).map(|(v, m)| m * v * v).sum();
            let norm = self.operator.comm.sum(square).sqrt();
            for ((load, mass), value) in load.write()?.iter_mut().zip(&self.operator.mass).zip(values) {
                *load = mass * value / norm;
            }
            self.operator.power(&mut load, &mut result)?;
            let powers = result.read()?;
            self.probes.push(powers.iter().zip(&self.operator.mass).map(|(p, m)| p * m.sqrt()).collect());
        }
        let square: f64 = self.probes.iter().flatten().map(|p| p * p).sum();
        let scale = 1.0 / self.operator.comm.sum(square).sqrt();
        self.probes.iter_mut().flatten().for_each(|p| *p *= scale);
        Ok(())
    }
}

/// The wave numbers and origins along each direction of the longest cosine waves on the box around points. Collective.
fn cosines(comm: &Comm, points: &[[f64; 3]], dimension: usize) -> Vec<[[f64; 2]; 3]> {
    let least = [0, 1, 2].map(|i| comm.min(points.iter().map(|x| x[i]).fold(f64::INFINITY, f64::min)));
    let largest = [0, 1, 2].map(|i| comm.max(points.iter().map(|x| x[i]).fold(f64::NEG_INFINITY, f64::max)));
    let count = |i: usize| if i < dimension { SIGNATURE } else { 1 };
    let mut all = Vec::new();
    for c in 0..count(2) {
        for b in 0..count(1) {
            for a in 0..count(0) {
                all.push([0, 1, 2].map(|i| {
                    let length = (largest[i] - least[i]).max(f64::MIN_POSITIVE);
                    [if i < dimension { PI * [a, b, c][i] as f64 / length } else { 0.0 }, least[i]]
                }));
            }
        }
    }
    let square = |waves: &[[f64; 2]; 3]| waves.iter().map(|[k, _]| k * k).sum::<f64>();
    // Stable: equal waves keep their order.
    all.sort_by(|x, y| square(x).total_cmp(&square(y)));
    all.truncate(SIGNATURE);
    all
}
