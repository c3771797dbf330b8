//! Places of a mesh, regions and facets: their quadrature, nodes, integrals and extrema, and values at points.
use super::functional::{Sample, cell_entities, visit};
use super::locate::interpolation;
use super::rule::{Domain, Rule};
use super::space::Space;
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
pub fn facet_groups(space: &Space, degree: usize, facets: &[u32]) -> Vec<RuleAndEntities> {
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
