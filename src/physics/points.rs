//! The points of an integral by themselves, with what its form sees there: for models that evaluate forms at a few of them.
use super::operator::{FormState, Prepared};
use super::problem::{Place, Problem};
use crate::fem::functional::{inverse_jacobian, jacobian, visit};
use crate::fem::{Domain, Space, Values};
use tessera_kernels::{Densities, Entity, Points};

/// Places and weights of the points of a domain, in the order of its entities, those of an entity in the order of the rule.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PointPlaces {
    /// Number of points.
    pub count: usize,
    /// Quadrature weight times measure, that of the whole circle on a body of revolution.
    pub weights: Vec<f64>,
    /// As in [`Points`], metres.
    pub positions: Vec<f64>,
    /// As in [`Points`]; empty on cells.
    pub normals: Vec<f64>,
    /// As in [`Points`], 1/m.
    pub inverses: Vec<f64>,
}

/// Values and gradients at points, as in [`Points`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PointState {
    /// `[point, column]`.
    pub values: Vec<f64>,
    /// `[point, column, coordinate]`, 1/m.
    pub gradients: Vec<f64>,
}

impl PointPlaces {
    /// Those of a domain. Local.
    pub fn new(space: &Space, domain: &Domain) -> Self {
        let (d, rule) = (space.mesh.dimension, domain.rule);
        let mut places = Self::default();
        // The values do not matter.
        let nothing = vec![0.0; space.local_nodes()];
        visit(space, &nothing, domain, |sample| {
            places.count += 1;
            places.weights.push(sample.weight);
            places.positions.extend_from_slice(&sample.position()[..d]);
            if rule.normal.is_some() {
                places.normals.extend_from_slice(&sample.normal[..d]);
            }
            let (inverse, _) = inverse_jacobian(d, &jacobian(space, sample.cell, rule, sample.point));
            inverse[..d].iter().for_each(|row| places.inverses.extend_from_slice(&row[..d]));
        });
        places
    }
}

impl PointState {
    /// Those of nodal values `[node, column]` of any number of columns, ghosts included. Local.
    pub fn of(space: &Space, nodal: &[f64], domain: &Domain) -> Self {
        let d = space.mesh.dimension;
        let mut state = Self::default();
        visit(space, nodal, domain, |sample| {
            state.values.extend_from_slice(sample.value);
            sample.gradient.iter().for_each(|gradient| state.gradients.extend_from_slice(&gradient[..d]));
        });
        state
    }
}

/// Coefficients at the points of a domain, `[point, coefficient]`. Local.
pub fn at_points(list: &[Values], domain: &Domain) -> Vec<f64> {
    let points = domain.rule.weights.len();
    let mut result = Vec::with_capacity(domain.entities.len() * points * list.len());
    for &(_, entity, region) in domain.entities {
        for q in 0..points {
            result.extend(list.iter().map(|values| values.at(entity as usize, region as usize, q, points)));
        }
    }
    result
}

impl Problem {
    /// The entities of a group of an integral that are seen from cells of this rank. Local.
    pub fn own_entities(&self, integral: usize, group: usize) -> Vec<Entity> {
        let owned = self.space.mesh.owned_cells;
        let all = &self.integrals[integral].groups[group].entities;
        all.iter().copied().filter(|entity| (entity.0 as usize) < owned).collect()
    }
}

impl Prepared {
    /// Sources `[point, component]` and fluxes `[point, component, coordinate]` of an integral at the points of some entities
    /// of a group, whose places are at hand; volume entities are all owned cells. Local.
    pub fn densities(
        &self,
        at: FormState,
        (integral, group): (usize, usize),
        entities: &[Entity],
        places: &PointPlaces,
    ) -> [Vec<f64>; 2] {
        let problem = self.problem();
        let (own, space) = (&problem.integrals[integral], &problem.space);
        let kernel = problem.form(own.place);
        let domain = Domain { rule: &own.groups[group].rule, entities };
        let evaluated = self.coefficients(at.state);
        let coefficients = at_points(&evaluated[integral][group], &domain);
        let mut state = PointState::of(space, at.state, &domain);
        if let (true, Some(first)) =
            (kernel.needs().potential, coefficients.chunks(kernel.coefficients()).next())
        {
            let (mut potentials, mut slopes) = (at.state.to_vec(), at.state.to_vec());
            kernel.potential(first, at.state, &mut potentials, &mut slopes);
            state.gradients = PointState::of(space, &potentials, &domain).gradients;
        }
        let history = match (own.place, at.history) {
            (Place::Volume, Some(history)) => &history.values[..places.count * history.width],
            _ => &[],
        };
        let points = Points {
            count: places.count,
            values: &state.values,
            gradients: &state.gradients,
            positions: &places.positions,
            normals: &places.normals,
            inverses: &places.inverses,
            coefficients: &coefficients,
            history,
            parts: at.parts,
        };
        let (c, d) = (space.components, space.mesh.dimension);
        let [mut sources, mut fluxes] = [c, c * d].map(|width| vec![0.0; places.count * width]);
        let into =
            Densities { sources: &mut sources, fluxes: &mut fluxes, derivatives: &mut [], history: &mut [] };
        kernel.evaluate(&points, into);
        [sources, fluxes]
    }
}
