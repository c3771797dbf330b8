//! Quantities of interest: numbers computed from a solution.
use super::coefficient::Context;
use super::exchange::Exchange;
use super::problem::{Place, Problem};
use crate::Result;
use crate::fem::functional::visit;
use crate::fem::place::{Where, groups, integrate};
use crate::fem::{Domain, Values};

impl Problem {
    /// Heat or mass that leaves through facets, or for solids the force `int sigma n ds` that acts there on the body, by
    /// component; for a flow the volume that leaves. Through facets inside the domain it goes along their normals, and a
    /// force is that of the far side on the near one. Collective.
    pub fn flux(&self, exchange: &Exchange, facets: &[u32]) -> Vec<f64> {
        let is_inner = |f: &u32| self.space.mesh.facets.is_inner(*f as usize);
        let (inner, outer): (Vec<u32>, Vec<u32>) = facets.iter().partition(|f| is_inner(f));
        if self.facts().pressure {
            return vec![exchange.outflow(facets)];
        }
        let parts = [exchange.supports(&outer), exchange.natural(&outer), exchange.through(&inner)];
        let mut sums = vec![0.0; self.space.components];
        for part in parts {
            sums.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
        }
        if self.space.components == 1 && !self.is_solid() {
            sums[0] = exchange.carried(facets) - sums[0];
        }
        sums
    }

    /// Energy that is stored elastically, `1/2 int sigma : (strain - thermal strain) dx`, with that of foundations (J; J/m
    /// in plane problems). Zero for a body that expands freely. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn strain_energy(&self, context: &Context, state: &[f64]) -> Result<f64> {
        let Some(density) = self.equation.law.energy else { return self.energy(context, state) };
        let (space, integral) = (&self.space, &self.integrals[0]);
        let mut sum = 0.0;
        for (rule, entities) in groups(space, &Where::Everywhere, integral.degree) {
            let domain = Domain { rule: &rule, entities: &entities };
            let coefficients = self.local_values(context, &domain, space.mesh.local_cells());
            let points = rule.weights.len();
            visit(space, state, &domain, |sample| {
                let (index, region) = (sample.entity.0 as usize, sample.entity.1 as usize);
                let k = |output: usize| coefficients[output].at(index, region, sample.point, points);
                sum += sample.weight * density(&self.local(&k, sample, &[0.0; 6]));
            });
        }
        Ok(space.mesh.comm.sum(sum) + self.energy_of(context, state, |place| place == Place::Boundary)?)
    }

    /// `1/2 a(u, u)`: the energy of the bilinear form, boundary terms included. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn energy(&self, context: &Context, state: &[f64]) -> Result<f64> {
        self.energy_of(context, state, |_| true)
    }

    fn energy_of(&self, context: &Context, state: &[f64], part: impl Fn(Place) -> bool) -> Result<f64> {
        let mut coefficients = self.evaluate(context);
        for (integral, groups) in self.integrals.iter().zip(&mut coefficients) {
            for list in groups {
                for (output, values) in list.iter_mut().enumerate() {
                    if !self.bilinear(output, integral.place) || !part(integral.place) {
                        *values = Values::Uniform(0.0);
                    }
                }
            }
        }
        let mut image = self.space.field()?;
        self.apply(&coefficients, state, &mut image)?;
        let image = image.read()?;
        let local: f64 = image.iter().zip(state).map(|(r, u)| -0.5 * r * u).sum();
        Ok(self.space.mesh.comm.sum(local))
    }

    /// Norms of the error against an exact solution: L2 and the H1 seminorm. `exact` gives values by
    /// component, `gradient` their derivatives `[component][coordinate]`. Collective.
    pub fn error_norms(
        &self,
        state: &[f64],
        components: std::ops::Range<usize>,
        exact: impl Fn(&[f64; 3]) -> Vec<f64>,
        gradient: impl Fn(&[f64; 3]) -> Vec<[f64; 3]>,
    ) -> (f64, f64) {
        let degree = 2 * self.space.element.degree + 3;
        let mut seminorm = 0.0;
        let l2 = integrate(&self.space, state, &Where::Everywhere, degree, |sample| {
            let position = sample.position();
            let (u, g) = (exact(&position), gradient(&position));
            let mut square = 0.0;
            for (c, value) in sample.value.iter().enumerate().filter(|(c, _)| components.contains(c)) {
                square += (value - u[c]).powi(2);
                for d in 0..self.space.mesh.dimension {
                    seminorm += sample.weight * (sample.gradient[c][d] - g[c][d]).powi(2);
                }
            }
            square
        });
        (l2.sqrt(), self.space.mesh.comm.sum(seminorm).sqrt())
    }
}
