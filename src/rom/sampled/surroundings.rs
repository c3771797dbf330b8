//! The cells around sampled points, with what a model needs to know there.
use super::data::{ProblemData, SampledPart};
use super::points::Chosen;
use super::reduction::Reduction;
use crate::Result;
use crate::fem::Space;
use crate::mesh::MeshPart;
use crate::random::Expansion;
use crate::simulation::Simulation;

/// The cells that the model needs, and the functions at their nodes, of random fields as well. Collective.
pub(super) fn surroundings(
    simulation: &Simulation,
    reductions: &[Reduction],
    data: &mut [ProblemData],
    random: &[(Expansion, Vec<Vec<f64>>)],
    extra: &[u64],
) -> Result<SampledPart> {
    let mesh = &simulation.mesh;
    let mut cells: Vec<u64> = data
        .iter()
        .flat_map(|data| {
            let points = data.chosen.iter().chain(&data.residual.chosen).map(|point: &Chosen| point.cell);
            let places = data.lifting.places.iter().chain(&data.initial.places).map(|place| place[0]);
            points.chain(places).collect::<Vec<_>>()
        })
        .collect();
    for reduction in reductions {
        let (problem, space) = (&reduction.problem, &reduction.problem.space);
        // A condition at a point needs its node.
        for condition in &problem.conditions {
            if mesh.comm.max(u8::from(!condition.facets.is_empty())) == 1 {
                continue;
            }
            let holds =
                |&cell: &usize| space.nodes_of(cell).iter().any(|node| condition.nodes.contains(node));
            let own = (0..mesh.local_cells()).filter(holds).map(|cell| mesh.cell_ids[cell]).min();
            let first = mesh.comm.min(own.unwrap_or(u64::MAX));
            cells.extend((first < u64::MAX).then_some(first));
        }
    }
    cells.extend(extra);
    if cells.is_empty() {
        cells.push(0);
    }
    let part = mesh.part(&cells);
    let mut expansions = random.iter().map(|(own, _)| own.clone()).collect::<Vec<_>>();
    for (number, (own, (_, functions))) in expansions.iter_mut().zip(random).enumerate() {
        let functions: Vec<&[f64]> = functions.iter().map(Vec::as_slice).collect();
        own.values = at_cells(&simulation.random.field(number).space, &part, &functions)?;
    }
    for (reduction, data) in reductions.iter().zip(data) {
        let functions: Vec<&[f64]> = reduction.functions.iter().collect();
        data.nodal = at_cells(&reduction.problem.space, &part, &functions)?;
    }
    Ok(SampledPart { mesh: part, random: expansions })
}

/// Functions (this rank's unknowns) at the nodes of some cells, `[cell, node, component, function]`. Collective.
pub(super) fn at_cells(space: &Space, part: &MeshPart, functions: &[&[f64]]) -> Result<Vec<f64>> {
    let b = functions.len();
    let (c, around, mesh) = (space.components, space.element.functions(), &space.mesh);
    let mut nodal = vec![0.0; part.cell_ids.len() * around * c * b];
    let own: Vec<(usize, usize)> = (0..mesh.owned_cells)
        .filter_map(|cell| Some((part.cell_ids.binary_search(&mesh.cell_ids[cell]).ok()?, cell)))
        .collect();
    let mut field = space.field()?;
    for (j, function) in functions.iter().enumerate() {
        field.write()?.copy_from_slice(function);
        field.ghost_update()?;
        let values = field.local_read()?;
        for &(place, cell) in &own {
            for (a, &node) in space.nodes_of(cell).iter().enumerate() {
                for i in 0..c {
                    nodal[((place * around + a) * c + i) * b + j] = values[node as usize * c + i];
                }
            }
        }
    }
    mesh.comm.sum_into(&mut nodal);
    Ok(nodal)
}
