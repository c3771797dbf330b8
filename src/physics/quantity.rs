//! Quantities of interest: numbers computed from a solution.
use super::coefficient::Context;
use super::equation::Equation;
use super::problem::{Model, Problem};
use crate::fem::functional::{Sample, cell_entities, visit};
use crate::fem::locate::interpolation;
use crate::fem::{Domain, Essential, Rule, Space, Values};
use crate::{Error, Result};

/// Where a quantity is taken.
#[derive(Debug, Clone, PartialEq)]
pub enum Where {
    /// The whole mesh.
    Everywhere,
    /// The cells of a region.
    Region(u16),
    /// The facets of a marker.
    Marker(u16),
}

/// A quadrature rule and entities as in [`Domain::entities`].
pub type RuleAndEntities = (Rule, Vec<(u32, u32, u16)>);

/// Quadrature rules and owned entities of a place: one group of cells, or facets by their number in
/// the cell.
pub fn groups(space: &Space, place: &Where, degree: usize) -> Vec<RuleAndEntities> {
    let mesh = &space.mesh;
    match place {
        Where::Everywhere => {
            vec![(Rule::cells(&space.element, degree), cell_entities(space, 0..mesh.owned_cells))]
        }
        Where::Region(region) => {
            let cells = (0..mesh.owned_cells).filter(|&c| mesh.cell_regions[c] == *region);
            vec![(Rule::cells(&space.element, degree), cell_entities(space, cells))]
        }
        Where::Marker(marker) => (0..mesh.cell_type.facets())
            .map(|local| {
                let entities: Vec<_> = (0..mesh.facets.len())
                    .filter(|&f| {
                        mesh.facets.marker[f] == *marker
                            && mesh.facets.local[f] as usize == local
                            && (mesh.facets.cell[f] as usize) < mesh.owned_cells
                    })
                    .map(|f| (mesh.facets.cell[f], f as u32, mesh.cell_regions[mesh.facets.cell[f] as usize]))
                    .collect();
                (local, entities)
            })
            .filter(|(_, entities)| !entities.is_empty())
            .map(|(local, entities)| (Rule::facet(&space.element, local, degree), entities))
            .collect(),
    }
}

/// Integral of a function of the field over a place. Collective.
pub fn integrate(
    space: &Space,
    state: &[f64],
    place: &Where,
    degree: usize,
    mut integrand: impl FnMut(&Sample) -> f64,
) -> f64 {
    let mut sum = 0.0;
    for (rule, entities) in groups(space, place, degree) {
        visit(space, state, &Domain { rule: &rule, entities: &entities }, |sample| {
            sum += sample.weight * integrand(sample);
        });
    }
    space.mesh.comm.sum(sum)
}

/// Nodes of a place, local numbers (ghosts included), ascending.
pub fn nodes(space: &Space, place: &Where) -> Vec<u32> {
    let mesh = &space.mesh;
    let mut inside = vec![false; space.local_nodes()];
    match place {
        Where::Everywhere => inside.fill(true),
        Where::Region(region) => (0..mesh.local_cells())
            .filter(|&cell| mesh.cell_regions[cell] == *region)
            .flat_map(|cell| space.nodes_of(cell))
            .for_each(|&node| inside[node as usize] = true),
        Where::Marker(marker) => facet_nodes(space, |f| mesh.facets.marker[f] == *marker)
            .into_iter()
            .for_each(|node| inside[node as usize] = true),
    }
    (0..inside.len()).filter(|&node| inside[node]).map(|node| node as u32).collect()
}

/// Nodes on the chosen facets, unsorted and with repetitions.
pub fn facet_nodes(space: &Space, chosen: impl Fn(usize) -> bool) -> Vec<u32> {
    let mesh = &space.mesh;
    let on_facet: Vec<Vec<u8>> =
        (0..mesh.cell_type.facets()).map(|local| space.element.facet_functions(local)).collect();
    (0..mesh.facets.len())
        .filter(|&f| chosen(f))
        .flat_map(|f| {
            let nodes = space.nodes_of(mesh.facets.cell[f] as usize);
            on_facet[mesh.facets.local[f] as usize].iter().map(|&a| nodes[a as usize])
        })
        .collect()
}

/// Smallest and largest nodal value of `value(node)` over a place's owned nodes. Collective.
pub fn extrema(space: &Space, place: &Where, value: impl Fn(usize) -> f64) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for node in nodes(space, place) {
        if (node as usize) < space.owned_nodes {
            let v = value(node as usize);
            low = low.min(v);
            high = high.max(v);
        }
    }
    (space.mesh.comm.min(low), space.mesh.comm.max(high))
}

/// Values of all components at a point. `components` to a node in `state` (local unknowns). Collective.
///
/// # Errors
/// When the point lies outside the mesh.
pub fn point_value(space: &Space, components: usize, state: &[f64], point: &[f64; 3]) -> Result<Vec<f64>> {
    let comm = &space.mesh.comm;
    let terms = interpolation(space, point)
        .ok_or_else(|| Error::input(&space.mesh.source, format!("no cell holds the point {point:?}")))?;
    let mut values = vec![0.0; components];
    for (node, weight) in terms {
        for (c, value) in values.iter_mut().enumerate() {
            *value += weight * state[node * components + c];
        }
    }
    comm.sum_into(&mut values);
    Ok(values)
}

impl Problem {
    /// Heat or mass that leaves through facets, `int -K grad u . n ds`, or for elasticity the
    /// component `component` of the force `int sigma n ds`. The gradient is that of the adjacent
    /// cell; on an essential boundary [`Problem::reaction`] is more accurate. Collective.
    pub fn flux(&self, context: &Context, state: &[f64], place: &Where, component: usize) -> f64 {
        let space = &self.space;
        let dimension = space.mesh.dimension;
        let degree = 2 * space.element.degree;
        let width = if matches!(self.model, Model::Elasticity { .. }) { 6 } else { dimension };
        let mut sum = 0.0;
        let mut local = vec![0.0; width];
        for (rule, entities) in groups(space, place, degree) {
            let count = entities.iter().map(|e| e.1 as usize + 1).max().unwrap_or(0);
            let domain = Domain { rule: &rule, entities: &entities };
            let coefficients =
                self.integrals[0].coefficients.evaluate_some(self.local(), context, space, &domain, count);
            visit(space, state, &domain, |sample| {
                self.at_point("stress", &coefficients, sample, rule.weights.len(), &mut local);
                let n = &sample.normal;
                sum += sample.weight
                    * match self.model {
                        Model::Diffusion { .. } | Model::Equation(_) => {
                            (0..dimension).map(|i| local[i] * n[i]).sum::<f64>()
                        }
                        Model::Elasticity { .. } => {
                            const ROW: [[usize; 3]; 3] = [[0, 1, 2], [1, 3, 4], [2, 4, 5]];
                            (0..3).map(|j| local[ROW[component][j]] * n[j]).sum()
                        }
                    };
            });
        }
        space.mesh.comm.sum(sum)
    }

    /// What the supports of a place give to the field: the sum of `K u - f` over its essential
    /// unknowns of one component (force in N, or heat in W that flows in). Collective.
    pub fn reaction(
        &self,
        context: &Context,
        essential: &Essential,
        state: &[f64],
        place: &Where,
        component: usize,
    ) -> Result<f64> {
        let mut residual = self.space.field()?;
        self.residual(context, state, &mut residual)?;
        residual.scale(-1.0)?;
        Ok(self.support(essential, &residual.read()?, place, component))
    }

    /// The sum of a residual, such as `K u - f`, over the essential unknowns of one component on a place.
    /// Collective.
    pub fn support(&self, essential: &Essential, residual: &[f64], place: &Where, component: usize) -> f64 {
        let c = self.space.components;
        let sum: f64 = nodes(&self.space, place)
            .iter()
            .map(|&node| node as usize * c + component)
            .filter(|&dof| dof < self.space.owned_dofs() && essential.fixed[dof])
            .map(|dof| residual[dof])
            .sum();
        // See `helmholtz`.
        let turned = component == 1 && self.model.equation() == Some(Equation::Helmholtz);
        self.space.mesh.comm.sum(if turned { -sum } else { sum })
    }

    /// `1/2 a(u, u)`: the energy of the bilinear form, boundary terms included. Collective.
    pub fn energy(&self, context: &Context, state: &[f64]) -> Result<f64> {
        let mut coefficients = self.evaluate(context);
        for (integral, groups) in self.integrals.iter().zip(&mut coefficients) {
            for list in groups {
                for (output, values) in list.iter_mut().enumerate() {
                    if !self.bilinear(output, integral.place) {
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
