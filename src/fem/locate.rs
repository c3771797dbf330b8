//! Which cell holds a point.
use super::element::Element;
use super::functional::inverse_jacobian;
use super::space::Space;
use crate::mesh::{CellType, Mesh, by_name};
use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};

/// A point found in a cell.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// Local cell.
    pub cell: usize,
    /// Reference coordinates of the point.
    pub reference: [f64; 3],
    /// How far outside the cell it lies, in reference coordinates; negative inside.
    pub outside: f64,
}

/// The owned cells of a mesh in a tree of boxes.
pub struct Locator<'a> {
    mesh: &'a Mesh,
    tree: RTree<GeomWithData<Rectangle<[f64; 3]>, usize>>,
    tolerance: f64,
    /// The order of regions, see [`by_name`].
    ranks: Vec<u16>,
}

impl<'a> Locator<'a> {
    /// For points that lie in a cell, or outside by no more than `tolerance` of its size. Local.
    pub fn new(mesh: &'a Mesh, tolerance: f64) -> Self {
        let boxes = (0..mesh.owned_cells)
            .map(|cell| {
                let [low, high] = bounds(mesh, cell, tolerance.max(1e-9));
                GeomWithData::new(Rectangle::from_corners(low, high), cell)
            })
            .collect();
        Self { mesh, tree: RTree::bulk_load(boxes), tolerance, ranks: by_name(&mesh.region_names) }
    }

    /// The cell that holds a point, or comes nearest to it; `None` when none is near. Local.
    pub fn find(&self, point: &[f64; 3]) -> Option<Found> {
        let near = self.tree.locate_in_envelope_intersecting(AABB::from_point(*point));
        nearest(self.mesh, &self.ranks, near.map(|entry| entry.data), point, self.tolerance)
    }

    /// The box around all owned cells, as `[lowest, highest]`; `None` without cells.
    pub fn bounds(&self) -> Option<[[f64; 3]; 2]> {
        let all = self.tree.root().envelope();
        (self.tree.size() > 0).then(|| [all.lower(), all.upper()])
    }
}

/// The value at one point as a sum over nodes: the region of the cell that holds the point, and local nodes and weights on
/// the rank that owns that cell, none on the others; `None` on all when no cell is near. Between cells the first region
/// counts, in the alphabet of their names, and in it the first cell. Collective.
pub fn interpolation(space: &Space, point: &[f64; 3]) -> Option<(u16, Vec<(usize, f64)>)> {
    // Points on a curved boundary lie a little outside the straight cells.
    const OUTSIDE: f64 = 0.05;
    let (mesh, comm) = (&space.mesh, &space.mesh.comm);
    let near = (0..mesh.owned_cells).filter(|&cell| {
        let [low, high] = bounds(mesh, cell, OUTSIDE);
        (0..3).all(|i| point[i] >= low[i] && point[i] <= high[i])
    });
    let ranks = by_name(&mesh.region_names);
    let found = nearest(mesh, &ranks, near, point, OUTSIDE);
    let outside = found.map_or(f64::INFINITY, |found| found.outside.max(INSIDE));
    let least = comm.min(outside);
    if least.is_infinite() {
        return None;
    }
    let region = |found: &Found| ranks[mesh.cell_regions[found.cell] as usize];
    let place = |found: Found| u64::from(region(&found)) << 48 | mesh.cell_ids[found.cell];
    let mine = found.filter(|_| outside == least).map_or(u64::MAX, place);
    let first = comm.min(mine);
    let found = found.filter(|_| mine == first);
    let terms = found.map_or(Vec::new(), |found| {
        let weights = space.element.tabulate(&[found.reference]).values;
        space.nodes_of(found.cell).iter().map(|&node| node as usize).zip(weights).collect()
    });
    let region = ranks.iter().position(|&rank| u64::from(rank) == first >> 48).unwrap_or(0);
    Some((region as u16, terms))
}

/// Points outside a cell by no more than this, in reference coordinates, lie in it.
const INSIDE: f64 = 1e-9;

fn nearest(
    mesh: &Mesh,
    ranks: &[u16],
    cells: impl Iterator<Item = usize>,
    point: &[f64; 3],
    tolerance: f64,
) -> Option<Found> {
    let linear = Element::new(mesh.cell_type, 1);
    cells.map(|cell| reference(mesh, &linear, cell, point)).filter(|found| found.outside <= tolerance).min_by(
        |a, b| {
            let number =
                |found: &Found| (ranks[mesh.cell_regions[found.cell] as usize], mesh.cell_ids[found.cell]);
            let outside = |found: &Found| found.outside.max(INSIDE);
            outside(a).total_cmp(&outside(b)).then(number(a).cmp(&number(b)))
        },
    )
}

/// The box around a cell, widened by a part of its size.
fn bounds(mesh: &Mesh, cell: usize, margin: f64) -> [[f64; 3]; 2] {
    let (d, corners) = (mesh.dimension, mesh.cell_type.vertices());
    let (mut low, mut high) = ([0.0; 3], [0.0; 3]);
    for i in 0..d {
        let along =
            mesh.cells[cell * corners..][..corners].iter().map(|&v| mesh.coordinates[v as usize * d + i]);
        (low[i], high[i]) = along.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
    }
    let size = (0..d).map(|i| high[i] - low[i]).fold(0.0, f64::max);
    (0..d).for_each(|i| (low[i], high[i]) = (low[i] - margin * size, high[i] + margin * size));
    [low, high]
}

/// Newton's method on the (multi)linear map of a cell; simplices need one step.
fn reference(mesh: &Mesh, linear: &Element, cell: usize, target: &[f64; 3]) -> Found {
    let (d, corners) = (mesh.dimension, mesh.cell_type.vertices());
    let vertices = &mesh.cells[cell * corners..][..corners];
    let mut reference = [0.25; 3];
    for _ in 0..20 {
        let table = linear.tabulate(&[reference]);
        let mut position = [0.0; 3];
        let mut jacobian = [[0.0; 3]; 3];
        for (v, &vertex) in vertices.iter().enumerate() {
            for i in 0..d {
                let x = mesh.coordinates[vertex as usize * d + i];
                position[i] += table.values[v] * x;
                for j in 0..d {
                    jacobian[i][j] += table.gradients[v][j] * x;
                }
            }
        }
        let (inverse, _) = inverse_jacobian(d, &jacobian);
        let mut change = 0.0f64;
        for (j, row) in inverse.iter().enumerate().take(d) {
            let step: f64 = (0..d).map(|i| row[i] * (target[i] - position[i])).sum();
            reference[j] += step;
            change = change.max(step.abs());
        }
        if change < 1e-14 {
            break;
        }
    }
    let outside = match mesh.cell_type {
        CellType::Triangle | CellType::Tetrahedron => {
            let sum: f64 = reference[..d].iter().sum();
            reference[..d].iter().fold(sum - 1.0, |m, &r| m.max(-r))
        }
        _ => reference[..d].iter().fold(f64::NEG_INFINITY, |m, &r| m.max(-r).max(r - 1.0)),
    };
    Found { cell, reference, outside }
}
