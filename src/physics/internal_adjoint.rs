//! Derivatives of a step by its internal variables, transposed: of the residual, and of the variables at the end of the step.
//!
//! Central differences of fourth order of the forms at quadrature points, one variable after the other at all points at once:
//! right to about 1e-11 where the laws are smooth, and of first order in the differences' step at points that begin to flow
//! within it.
use super::operator::{FormState, Prepared, STEP, largest_ratio, moved};
use super::problem::Place;
use crate::Result;
use crate::fem::functional::{inverse_jacobian, jacobian, transform, visit};
use crate::fem::{History, Values, update_history};
use petsc_rs::Vector;
use tessera_kernels::{Densities, Points};

/// Places and weights, times twelve, of a central difference of fourth order.
const DIFFERENCE: [(f64, f64); 4] = [(1.0, 8.0), (-1.0, -8.0), (2.0, -1.0), (-2.0, 1.0)];

/// State and coefficients at the quadrature points of all local cells, and what tests them.
struct AtPoints {
    /// Per point: components, components times dimension.
    widths: [usize; 2],
    values: Vec<f64>,
    gradients: Vec<f64>,
    positions: Vec<f64>,
    coefficients: Vec<f64>,
    /// Values and gradients of what the residual is multiplied by, times the quadrature weight.
    tests: Option<(Vec<f64>, Vec<f64>)>,
}

impl Prepared {
    fn at_points(&self, state: &[f64], tested: Option<&[f64]>) -> AtPoints {
        let problem = self.problem();
        let (space, group) = (&problem.space, &problem.integrals[0].groups[0]);
        let (c, d) = (space.components, space.mesh.dimension);
        let points = group.domain().rule.weights.len();
        let mut at = AtPoints {
            widths: [c, c * d],
            values: Vec::new(),
            gradients: Vec::new(),
            positions: Vec::new(),
            coefficients: Vec::new(),
            tests: tested.map(|_| (Vec::new(), Vec::new())),
        };
        let evaluated = self.coefficients(state);
        let lists = &evaluated[0][0];
        visit(space, state, &group.domain(), |sample| {
            at.values.extend_from_slice(sample.value);
            sample.gradient.iter().for_each(|gradient| at.gradients.extend_from_slice(&gradient[..d]));
            at.positions.extend_from_slice(&sample.position()[..d]);
            let (entity, region) = (sample.entity.0 as usize, usize::from(sample.entity.1));
            at.coefficients.extend(lists.iter().map(|values| match values {
                Values::Uniform(value) => *value,
                Values::ByRegion(list) => list[region],
                Values::ByPoint(list) => list[entity * points + sample.point],
            }));
        });
        if let (Some(tested), Some((values, gradients))) = (tested, &mut at.tests) {
            visit(space, tested, &group.domain(), |sample| {
                let weight = sample.weight;
                values.extend(sample.value.iter().map(|v| weight * v));
                let all = sample.gradient.iter().flat_map(|gradient| gradient[..d].iter());
                gradients.extend(all.map(|v| weight * v));
            });
        }
        at
    }

    /// Of the scalar `next . H(u, h) + y^T r(u, h)`, with `H` the internal variables at the end of a step from `h` and `r`
    /// the residual: the derivative of its first part with respect to the state, at the owned unknowns, and of all of it
    /// with respect to `h`. Variables of the ghost layer's cells are there on every rank that has them, if ghosts of `y` are up
    /// to date; where these are zero they are what this rank's rows say of them. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn pull_history(
        &self,
        at: FormState,
        history: &History,
        next: Option<&History>,
        y: Option<&Vector>,
    ) -> Result<(Vector, History)> {
        let problem = self.problem();
        let (comm, space) = (&problem.space.mesh.comm, &problem.space);
        let local = y.map(Vector::local_read).transpose()?;
        let mut points = self.at_points(at.state, local.as_deref());
        let [c, cd] = points.widths;
        let (count, width) = (points.values.len() / c, history.width);
        let largest = |list: &[f64]| list.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let or_one = |size: f64| if size > 0.0 { size } else { 1.0 };
        // Internal variables that are zero count as strains.
        let strain = or_one(comm.max(largest(&points.gradients)));
        let mut moved = history.clone();
        let mut scalar = vec![0.0; count];
        let mut of_history = History { values: vec![0.0; history.values.len()], ..*history };
        for variable in 0..width {
            let own = history.values.iter().skip(variable).step_by(width);
            let size = comm.max(own.fold(0.0f64, |m, v| m.max(v.abs()))).max(strain);
            let step = STEP * size;
            for (places, weight) in DIFFERENCE {
                let values = moved.values.iter_mut().zip(&history.values).skip(variable).step_by(width);
                values.for_each(|(value, old)| *value = old + places * step);
                self.scalar_at(&points, &moved, at, next, &mut scalar);
                let sums = of_history.values.iter_mut().skip(variable).step_by(width);
                sums.zip(&scalar).for_each(|(sum, value)| *sum += weight / (12.0 * step) * value);
            }
            let values = moved.values.iter_mut().zip(&history.values).skip(variable).step_by(width);
            values.for_each(|(value, old)| *value = *old);
        }
        let mut of_state = space.field()?;
        let Some(next) = next else { return Ok((of_state, of_history)) };
        points.tests = None;
        let mut slopes = [vec![0.0; points.values.len()], vec![0.0; points.gradients.len()]];
        let sizes = [or_one(comm.max(largest(&points.values))), strain];
        for (kind, width) in [c, cd].into_iter().enumerate() {
            let step = STEP * sizes[kind];
            for number in 0..width {
                for (places, weight) in DIFFERENCE {
                    let move_by = |points: &mut AtPoints, by: f64| {
                        let list = if kind == 0 { &mut points.values } else { &mut points.gradients };
                        list.iter_mut().skip(number).step_by(width).for_each(|v| *v += by);
                    };
                    let kept = if kind == 0 { points.values.clone() } else { points.gradients.clone() };
                    move_by(&mut points, places * step);
                    self.scalar_at(&points, history, at, Some(next), &mut scalar);
                    *(if kind == 0 { &mut points.values } else { &mut points.gradients }) = kept;
                    let sums = slopes[kind].iter_mut().skip(number).step_by(width);
                    sums.zip(&scalar).for_each(|(sum, value)| *sum += weight / (12.0 * step) * value);
                }
            }
        }
        self.add_at_nodes(&slopes, &mut of_state.write()?);
        Ok((of_state, of_history))
    }

    /// `next . H + y^T r` at every point.
    fn scalar_at(
        &self,
        at: &AtPoints,
        history: &History,
        form: FormState,
        next: Option<&History>,
        scalar: &mut [f64],
    ) {
        let kernel = self.problem().form(Place::Volume);
        let [c, cd] = at.widths;
        let (count, width) = (scalar.len(), history.width);
        let points = Points {
            count,
            values: &at.values,
            gradients: &at.gradients,
            positions: &at.positions,
            normals: &[],
            inverses: &[],
            coefficients: &at.coefficients,
            history: &history.values,
            parts: form.parts,
        };
        let room = |wanted: bool, width: usize| vec![0.0; if wanted { count * width } else { 0 }];
        let tested = at.tests.is_some();
        let (mut sources, mut fluxes) = (room(tested, c), room(tested, cd));
        let mut end = room(next.is_some(), width);
        let into =
            Densities { sources: &mut sources, fluxes: &mut fluxes, derivatives: &mut [], history: &mut end };
        kernel.evaluate(&points, into);
        scalar.fill(0.0);
        let mut add = |a: &[f64], b: &[f64], width: usize| {
            let rows = a.chunks_exact(width).zip(b.chunks_exact(width));
            scalar.iter_mut().zip(rows).for_each(|(sum, (a, b))| {
                *sum += a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            });
        };
        if let Some((values, gradients)) = &at.tests {
            add(values, &sources, c);
            add(gradients, &fluxes, cd);
        }
        if let Some(next) = next {
            add(&next.values, &end, width);
        }
    }

    /// Adds what is said of values and gradients at the quadrature points to the owned nodes.
    fn add_at_nodes(&self, [values, gradients]: &[Vec<f64>; 2], result: &mut [f64]) {
        let problem = self.problem();
        let (space, group) = (&problem.space, &problem.integrals[0].groups[0]);
        let (c, d) = (space.components, space.mesh.dimension);
        let domain = group.domain();
        let (rule, n) = (domain.rule, space.element.functions());
        for (number, &(cell, ..)) in domain.entities.iter().enumerate() {
            let cell = cell as usize;
            for q in 0..rule.weights.len() {
                let point = number * rule.weights.len() + q;
                let (inverse, _) = inverse_jacobian(d, &jacobian(space, cell, rule, q));
                for (a, &node) in space.nodes_of(cell).iter().enumerate() {
                    let node = node as usize;
                    if node >= space.owned_nodes {
                        continue;
                    }
                    let slope = transform(&inverse, &rule.basis.gradients[q * n + a]);
                    let shape = rule.basis.values[q * n + a];
                    for i in 0..c {
                        let flux = &gradients[(point * c + i) * d..][..d];
                        let along: f64 = flux.iter().zip(&slope).map(|(f, s)| f * s).sum();
                        result[node * c + i] += shape * values[point * c + i] + along;
                    }
                }
            }
        }
    }

    /// The derivative of `next . H(u, h)` with respect to a parameter of the deck, see [`Prepared::pull_history`]. Collective.
    ///
    /// # Errors
    /// When a formula has no derivative.
    pub fn history_slope(
        &self,
        parameter: usize,
        at: FormState,
        history: &History,
        next: &History,
    ) -> Result<f64> {
        let problem = self.problem();
        let (space, integral) = (&problem.space, &problem.integrals[0]);
        let domain = integral.groups[0].domain();
        let evaluated = self.coefficients(at.state);
        let coefficients = &evaluated[0][0];
        let rates = integral.coefficients.derivative(parameter)?;
        let rates = rates.evaluate(self.context(), space, &domain, integral.entities);
        let mut sum = 0.0;
        if !rates.iter().all(Values::is_zero) {
            let step = STEP / largest_ratio(&rates, coefficients);
            let owned = space.mesh.owned_cells * history.points * history.width;
            let mut end = history.clone();
            for (places, weight) in DIFFERENCE {
                let coefficients = moved(coefficients, &rates, places * step);
                let (form, rate) = (problem.form(Place::Volume), at.parts.storage);
                update_history(form, space, &domain, &coefficients, (history, &mut end), rate, at.state);
                let pairs = end.values[..owned].iter().zip(&next.values[..owned]);
                sum += weight / (12.0 * step) * pairs.map(|(a, b)| a * b).sum::<f64>();
            }
        }
        Ok(space.mesh.comm.sum(sum))
    }
}
