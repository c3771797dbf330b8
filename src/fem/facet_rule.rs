//! Quadrature on the facets of a reference cell.
use super::element::{centre, cross, subtract};
use super::quadrature::Quadrature;
use crate::mesh::CellType;

/// Quadrature on a facet, seen from the cell.
#[derive(Debug, Clone)]
pub struct FacetRule {
    /// Points in the cell's reference coordinates; weights on the facet's reference cell.
    pub quadrature: Quadrature,
    /// Outward normal in reference coordinates, as long as the facet is larger than its reference
    /// cell; `det(J) J^-T normal` is then the physical normal times the surface measure (Nanson).
    pub normal: [f64; 3],
}

impl FacetRule {
    /// The rule of that degree on facet `facet`.
    pub fn new(cell: CellType, facet: usize, degree: usize) -> Self {
        Self::of(cell, facet, |shape| Quadrature::new(shape, degree))
    }

    /// The rule with the points at the vertices of facet `facet`, see [`Quadrature::vertices`].
    pub fn vertices(cell: CellType, facet: usize) -> Self {
        Self::of(cell, facet, Quadrature::vertices)
    }

    fn of(cell: CellType, facet: usize, rule: impl Fn(CellType) -> Quadrature) -> Self {
        let vertices = cell.reference_vertices();
        let corners: Vec<[f64; 3]> =
            cell.facet_vertices(facet).iter().map(|&v| vertices[v as usize]).collect();
        let origin = corners[0];
        let base = match cell {
            CellType::Interval => Quadrature::point(),
            CellType::Triangle | CellType::Quadrilateral => rule(CellType::Interval),
            CellType::Tetrahedron => rule(CellType::Triangle),
            CellType::Hexahedron => rule(CellType::Quadrilateral),
        };
        let first = corners.get(1).map_or([0.0; 3], |c| subtract(c, &origin));
        // The last vertex of a triangle or quadrilateral is the other neighbour of the first.
        let second =
            if corners.len() > 2 { subtract(&corners[corners.len() - 1], &origin) } else { [0.0; 3] };
        let points = base
            .points
            .iter()
            .map(|p| std::array::from_fn(|d| origin[d] + p[0] * first[d] + p[1] * second[d]))
            .collect();
        let mut normal = match cell.dimension() {
            1 => [1.0, 0.0, 0.0],
            2 => [first[1], -first[0], 0.0],
            _ => cross(&first, &second),
        };
        let inside = centre(vertices.iter().copied());
        let outward = subtract(&origin, &inside);
        if (0..3).map(|d| outward[d] * normal[d]).sum::<f64>() < 0.0 {
            normal = normal.map(|n| -n);
        }
        Self { quadrature: Quadrature { points, weights: base.weights }, normal }
    }
}
