//! The conditions of a problem and where they act: facets by their markers, nodes on them or at points.
use super::build::{Builder, pad};
use super::problem::Condition;
use crate::Result;
use crate::deck::Boundary;
use crate::fem::Space;
use crate::fem::place::facet_nodes;
use std::collections::HashSet;

impl Builder<'_> {
    /// The facets of a flow's boundary on which not all of the velocity is given and no traction.
    pub(super) fn open_facets(&self) -> Vec<u32> {
        let dimension = self.mesh.dimension;
        let closes = |boundary: &&Boundary| match &boundary.value {
            Some(value) => (0..dimension).any(|i| value.component(i).is_some()),
            None => boundary.traction.is_some(),
        };
        let closing = self.physics.boundary().iter().filter(closes);
        let closed: HashSet<u32> = closing.flat_map(|b| self.facets(b)).collect();
        self.mesh.facets.boundary().into_iter().filter(|f| !closed.contains(f)).collect()
    }

    /// The mesh's facets that carry a boundary's markers, each once, as from
    /// [`Facets::distinct`](crate::mesh::Facets::distinct).
    fn facets(&self, boundary: &Boundary) -> Vec<u32> {
        let facets = &self.mesh.facets;
        let names = boundary.marker.iter().flat_map(|names| names.iter());
        let markers: Vec<u16> = names.filter_map(|name| facets.marker(name)).collect();
        facets.distinct(|marker| markers.contains(&marker))
    }

    /// As [`Builder::facets`] for a natural condition; those that act along the outer normal are refused on facets inside
    /// the body, which have none. Collective.
    pub(super) fn natural_facets(&self, boundary: &Boundary, number: usize) -> Result<Vec<u32>> {
        let kind = match (&boundary.pressure, &boundary.foundation) {
            (Some(_), _) => "pressure",
            (_, Some(_)) => "foundation",
            _ => return Ok(self.facets(boundary)),
        };
        let (facets, comm) = (self.facets(boundary), &self.mesh.comm);
        let inner = facets.iter().filter(|&&f| self.mesh.facets.is_inner(f as usize)).count() as u64;
        if comm.sum(inner) > 0 {
            let message = format!(
                "a {kind} acts along the outer normal, but facets of this marker lie inside the body and have two \
                 sides: give a `traction`, which acts once, or split the mesh along the marker"
            );
            return Err(self.fault(&format!("boundary[{number}].{kind}"), message));
        }
        Ok(facets)
    }

    pub(super) fn conditions(&self, space: &Space) -> Result<Vec<Condition>> {
        let mut conditions = Vec::new();
        for (number, boundary) in self.physics.boundary().iter().enumerate() {
            let Some(value) = &boundary.value else { continue };
            let values = (0..space.components)
                .map(|component| value.component(component).map(|scalar| self.scalar(scalar)).transpose())
                .collect::<Result<_>>()?;
            let (mut nodes, facets) = match &boundary.point {
                Some(point) => (self.nearest_node(space, &pad(point), number)?, Vec::new()),
                None => {
                    let facets = self.facets(boundary);
                    (facet_nodes(space, &facets), facets)
                }
            };
            nodes.sort_unstable();
            nodes.dedup();
            conditions.push(Condition { key: self.boundary_key(number), nodes, facets, values });
        }
        Ok(conditions)
    }

    /// The node at a point, on the rank that owns it. Collective.
    fn nearest_node(&self, space: &Space, point: &[f64; 3], number: usize) -> Result<Vec<u32>> {
        let comm = &self.mesh.comm;
        let distance = |node: usize| {
            let x = space.point(node);
            (0..3).map(|d| (x[d] - point[d]).powi(2)).sum::<f64>().sqrt()
        };
        let nearest = (0..space.owned_nodes).min_by(|&a, &b| distance(a).total_cmp(&distance(b)));
        let mine = nearest.map_or(f64::INFINITY, distance);
        let least = comm.min(mine);
        // A tenth of the spacing of the nodes there tells a misplaced point from round-off in the mesh file.
        let spacing =
            comm.max(if mine == least { nearest.map_or(0.0, |n| spacing_at(space, n)) } else { 0.0 });
        if least > 0.1 * spacing {
            let key = format!("boundary[{number}].point");
            return Err(self.fault(&key, format!("no node is there; the nearest one is {least:.3e} m away")));
        }
        let holder = comm.min(if mine == least { comm.rank() as u64 } else { u64::MAX }) as usize;
        Ok(nearest.filter(|_| holder == comm.rank()).map(|n| n as u32).into_iter().collect())
    }
}

/// The least distance from an owned node to another one of its cells, m.
fn spacing_at(space: &Space, node: usize) -> f64 {
    let x = space.point(node);
    let cells = space.cell_nodes.chunks_exact(space.element.functions());
    let around = cells.filter(|nodes| nodes.contains(&(node as u32))).flatten();
    let distance = |&other: &u32| {
        let y = space.point(other as usize);
        (0..3).map(|d| (x[d] - y[d]).powi(2)).sum::<f64>().sqrt()
    };
    around.filter(|&&other| other as usize != node).map(distance).fold(f64::INFINITY, f64::min)
}
