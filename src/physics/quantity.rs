//! Quantities of interest: numbers computed from a solution.
use super::coefficient::Context;
use super::exchange::Exchange;
use super::problem::{Place, Problem};
use crate::fem::functional::{Sample, cell_entities, visit};
use crate::fem::locate::interpolation;
use crate::fem::{Domain, Rule, Space, Values};
use crate::{Error, Result};

/// Where a quantity is taken.
#[derive(Debug, Clone, PartialEq)]
pub enum Where {
    /// The whole mesh.
    Everywhere,
    /// The cells of some regions.
    Regions(Vec<u16>),
    /// Some facets, each once, as from [`Facets::distinct`](crate::mesh::Facets::distinct).
    Facets(Vec<u32>),
}

/// A quadrature rule and entities as in [`Domain::entities`].
pub type RuleAndEntities = (Rule, Vec<(u32, u32, u16)>);

/// Quadrature rules and owned entities of a place: one group of cells, or facets by their number in
/// the cell. The index of a facet is its entry in the mesh.
pub fn groups(space: &Space, place: &Where, degree: usize) -> Vec<RuleAndEntities> {
    let mesh = &space.mesh;
    match place {
        Where::Everywhere => {
            vec![(Rule::cells(&space.element, degree), cell_entities(space, 0..mesh.owned_cells))]
        }
        Where::Regions(regions) => {
            let cells = (0..mesh.owned_cells).filter(|&c| regions.contains(&mesh.cell_regions[c]));
            vec![(Rule::cells(&space.element, degree), cell_entities(space, cells))]
        }
        Where::Facets(list) => {
            let owned = |&f: &u32| (mesh.facets.cell[f as usize] as usize) < mesh.owned_cells;
            facet_groups(space, degree, &list.iter().copied().filter(owned).collect::<Vec<_>>())
        }
    }
}

/// Quadrature rules and entities of facets, grouped by their number in the cell.
pub(super) fn facet_groups(space: &Space, degree: usize, facets: &[u32]) -> Vec<RuleAndEntities> {
    let all = &space.mesh.facets;
    let side = |&f: &u32| (f, all.cell[f as usize], all.local[f as usize]);
    by_number(space, degree, facets.iter().map(side))
}

/// Rules and entities as of [`groups`] for the cells behind those of the facets that lie inside the domain.
pub fn far_sides(space: &Space, degree: usize, facets: &[u32]) -> Vec<RuleAndEntities> {
    let mesh = &space.mesh;
    let side = |&f: &u32| {
        let (cell, local, behind) = (
            mesh.facets.cell[f as usize] as usize,
            mesh.facets.local[f as usize] as usize,
            mesh.facets.behind[f as usize],
        );
        if behind == u32::MAX {
            return None;
        }
        let own: Vec<u32> = mesh.facet_vertices(cell, local).collect();
        let same = |other: &usize| mesh.facet_vertices(behind as usize, *other).all(|v| own.contains(&v));
        // Across the seam of a periodic mesh there is no such facet.
        (0..mesh.cell_type.facets()).find(same).map(|other| (f, behind, other as u8))
    };
    by_number(space, degree, facets.iter().filter_map(side))
}

/// `(facet, cell, number in the cell)`.
fn by_number(
    space: &Space,
    degree: usize,
    sides: impl Iterator<Item = (u32, u32, u8)>,
) -> Vec<RuleAndEntities> {
    let mesh = &space.mesh;
    let mut lists = vec![Vec::new(); mesh.cell_type.facets()];
    for (facet, cell, local) in sides {
        lists[local as usize].push((cell, facet, mesh.cell_regions[cell as usize]));
    }
    let numbered = lists.into_iter().enumerate().filter(|(_, entities)| !entities.is_empty());
    numbered.map(|(local, entities)| (Rule::facet(&space.element, local, degree), entities)).collect()
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
        Where::Regions(regions) => (0..mesh.local_cells())
            .filter(|&cell| regions.contains(&mesh.cell_regions[cell]))
            .flat_map(|cell| space.nodes_of(cell))
            .for_each(|&node| inside[node as usize] = true),
        Where::Facets(facets) => {
            facet_nodes(space, facets).into_iter().for_each(|node| inside[node as usize] = true);
        }
    }
    (0..inside.len()).filter(|&node| inside[node]).map(|node| node as u32).collect()
}

/// Nodes on facets, unsorted and with repetitions.
pub fn facet_nodes(space: &Space, facets: &[u32]) -> Vec<u32> {
    let mesh = &space.mesh;
    let on_facet: Vec<Vec<u8>> =
        (0..mesh.cell_type.facets()).map(|local| space.element.facet_functions(local)).collect();
    let of_facet = |&f: &u32| {
        let nodes = space.nodes_of(mesh.facets.cell[f as usize] as usize);
        on_facet[mesh.facets.local[f as usize] as usize].iter().map(|&a| nodes[a as usize])
    };
    facets.iter().flat_map(of_facet).collect()
}

/// Smallest and largest nodal value of `value(node)` over the owned ones among local nodes. Collective.
pub fn extrema(space: &Space, nodes: &[u32], value: impl Fn(usize) -> f64) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for &node in nodes {
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
    let (_, terms) = interpolation(space, point).ok_or_else(|| nowhere(space, point))?;
    let mut values = vec![0.0; components];
    for (node, weight) in terms {
        let own = &state[node * components..];
        values.iter_mut().zip(own).for_each(|(value, v)| *value += weight * v);
    }
    space.mesh.comm.sum_into(&mut values);
    Ok(values)
}

/// The region whose cells hold a point, the first if there are several. Collective.
///
/// # Errors
/// When the point lies outside the mesh.
pub fn region_at(space: &Space, point: &[f64; 3]) -> Result<u16> {
    Ok(interpolation(space, point).ok_or_else(|| nowhere(space, point))?.0)
}

fn nowhere(space: &Space, point: &[f64; 3]) -> Error {
    Error::input(&space.mesh.source, format!("no cell holds the point {point:?}"))
}

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
