//! Experts that are boxes: the same on any number of ranks.
use super::gating::Gating;
use crate::fem::Space;
use crate::parallel::block;
use crate::{Error, Result};

/// Of a box: a cell whose middle lies on a side belongs to the box above it, however that is rounded.
const ROUNDING: f64 = 1e-9;

impl Gating {
    /// Experts that divide the mesh's bounding box `per_side` times along each axis: cells belong to the box of their
    /// middle. Unlike the experts of a mesh they do not depend on the number of ranks. Collective.
    ///
    /// # Errors
    /// For no or too many boxes, and as [`Gating::with_experts`].
    pub fn boxes(space: &Space, per_side: usize, layers: u32) -> Result<Self> {
        let mesh = &space.mesh;
        let (comm, dimension) = (&mesh.comm, mesh.dimension);
        let cells = comm.sum(mesh.owned_cells as u64);
        let total = (per_side as u64).checked_pow(dimension as u32).filter(|&n| n > 0 && n <= cells);
        let Some(total) = total else {
            let text = format!("{per_side} boxes along each axis are none, or more than the {cells} cells");
            return Err(Error::Failed(text));
        };
        let axis = |axis: usize, vertex: u32| mesh.vertex(vertex as usize)[axis];
        let ranges: Vec<[f64; 2]> = (0..dimension)
            .map(|i| {
                let ends = (0..mesh.local_vertices()).map(|v| axis(i, v as u32));
                let [low, high] =
                    ends.fold([f64::INFINITY, f64::NEG_INFINITY], |[l, h], x| [l.min(x), h.max(x)]);
                [comm.min(low), comm.max(high)]
            })
            .collect();
        let of_cell = |cell: usize| {
            let vertices = mesh.cell_vertices(cell);
            let places = ranges.iter().enumerate().map(|(i, &[low, high])| {
                let middle = vertices.iter().map(|&v| axis(i, v)).sum::<f64>() / vertices.len() as f64;
                let share = (middle - low) / (high - low).max(f64::MIN_POSITIVE);
                ((share * per_side as f64 + ROUNDING) as usize).min(per_side - 1)
            });
            places.fold(0, |number, place| number * per_side + place) as u32
        };
        let experts: Vec<u32> = (0..mesh.local_cells()).map(of_cell).collect();
        let size = comm.size();
        let ends: Vec<u32> = (0..size).map(|rank| block(total, size, rank).end as u32).collect();
        Self::with_experts(space, layers, &experts, &ends)
    }
}
