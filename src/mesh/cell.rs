//! Shapes of cells: vertices, edges and facets, in the vertex order of Gmsh and VTK.

/// Shape of the cells. A mesh has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellType {
    /// Two vertices.
    Interval,
    /// Three vertices.
    Triangle,
    /// Four vertices, counter-clockwise.
    Quadrilateral,
    /// Four vertices.
    Tetrahedron,
    /// Eight vertices: bottom face counter-clockwise seen from above, then the top face.
    Hexahedron,
}

impl CellType {
    /// Every shape, in order of dimension.
    pub const ALL: [Self; 5] =
        [Self::Interval, Self::Triangle, Self::Quadrilateral, Self::Tetrahedron, Self::Hexahedron];

    /// Name as decks and files spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interval => "interval",
            Self::Triangle => "triangle",
            Self::Quadrilateral => "quadrilateral",
            Self::Tetrahedron => "tetrahedron",
            Self::Hexahedron => "hexahedron",
        }
    }

    /// The shape of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cell| cell.name() == name)
    }

    /// Topological dimension: 1, 2 or 3.
    pub fn dimension(self) -> usize {
        match self {
            Self::Interval => 1,
            Self::Triangle | Self::Quadrilateral => 2,
            Self::Tetrahedron | Self::Hexahedron => 3,
        }
    }

    /// Number of vertices.
    pub fn vertices(self) -> usize {
        match self {
            Self::Interval => 2,
            Self::Triangle => 3,
            Self::Quadrilateral | Self::Tetrahedron => 4,
            Self::Hexahedron => 8,
        }
    }

    /// Whether the map from the reference cell is affine.
    pub fn is_simplex(self) -> bool {
        self.vertices() == self.dimension() + 1
    }

    /// Number of facets (points of an interval, edges in 2D, faces in 3D).
    pub fn facets(self) -> usize {
        self.facet_table().len()
    }

    /// Number of vertices of a facet.
    pub fn vertices_per_facet(self) -> usize {
        self.facet_vertices(0).len()
    }

    /// Vertices of facet `local` of a cell. In 2D and 3D the order makes the normal point outwards
    /// (to the right of the edge; right-hand rule for faces). Facet i of a triangle or tetrahedron is
    /// opposite vertex i; facet i of an interval is vertex i.
    pub fn facet_vertices(self, local: usize) -> &'static [u8] {
        self.facet_table()[local]
    }

    fn facet_table(self) -> &'static [&'static [u8]] {
        match self {
            Self::Interval => &[&[0], &[1]],
            Self::Triangle => &[&[1, 2], &[2, 0], &[0, 1]],
            Self::Quadrilateral => &[&[0, 1], &[1, 2], &[2, 3], &[3, 0]],
            Self::Tetrahedron => &[&[1, 2, 3], &[0, 3, 2], &[0, 1, 3], &[0, 2, 1]],
            Self::Hexahedron => {
                &[&[0, 3, 2, 1], &[0, 1, 5, 4], &[0, 4, 7, 3], &[1, 2, 6, 5], &[2, 3, 7, 6], &[4, 5, 6, 7]]
            }
        }
    }

    /// Shape of a facet; `None` for the points that bound an interval.
    pub fn facet_type(self) -> Option<Self> {
        match self {
            Self::Interval => None,
            Self::Triangle | Self::Quadrilateral => Some(Self::Interval),
            Self::Tetrahedron => Some(Self::Triangle),
            Self::Hexahedron => Some(Self::Quadrilateral),
        }
    }

    /// Vertices of each edge, in the order of VTK's quadratic cells.
    pub fn edge_vertices(self) -> &'static [[u8; 2]] {
        match self {
            Self::Interval => &[[0, 1]],
            Self::Triangle => &[[0, 1], [1, 2], [2, 0]],
            Self::Quadrilateral => &[[0, 1], [1, 2], [2, 3], [3, 0]],
            Self::Tetrahedron => &[[0, 1], [1, 2], [2, 0], [0, 3], [1, 3], [2, 3]],
            Self::Hexahedron => &[
                [0, 1],
                [1, 2],
                [2, 3],
                [3, 0],
                [4, 5],
                [5, 6],
                [6, 7],
                [7, 4],
                [0, 4],
                [1, 5],
                [2, 6],
                [3, 7],
            ],
        }
    }

    /// Reference coordinates of the vertices: simplices with the unit corner, quadrilaterals and
    /// hexahedra as unit squares and cubes.
    pub fn reference_vertices(self) -> &'static [[f64; 3]] {
        match self {
            Self::Interval => &[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]],
            Self::Triangle => &[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
            Self::Quadrilateral => &[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0]],
            Self::Tetrahedron => &[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            Self::Hexahedron => &[
                [0.0, 0.0, 0.0],
                [1.0, 0.0, 0.0],
                [1.0, 1.0, 0.0],
                [0.0, 1.0, 0.0],
                [0.0, 0.0, 1.0],
                [1.0, 0.0, 1.0],
                [1.0, 1.0, 1.0],
                [0.0, 1.0, 1.0],
            ],
        }
    }

    /// Smallest and largest Jacobian determinant over the corners of a cell, each divided by the product
    /// of the edge lengths there: 1 at a right angle, 0 in a flat cell, negative in an inverted one.
    /// `points` are the vertices, `[vertex][coordinate]`. The corners of a simplex share one sign.
    pub fn corner_determinants(self, points: &[[f64; 3]]) -> (f64, f64) {
        let edge = |a: usize, b: usize| {
            let (p, q) = (points[a], points[b]);
            [q[0] - p[0], q[1] - p[1], q[2] - p[2]]
        };
        let length = |e: [f64; 3]| (e[0] * e[0] + e[1] * e[1] + e[2] * e[2]).sqrt();
        let cross = |a: [f64; 3], b: [f64; 3]| a[0] * b[1] - a[1] * b[0];
        let det = |a: [f64; 3], b: [f64; 3], c: [f64; 3]| {
            a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0])
                + a[2] * (b[0] * c[1] - b[1] * c[0])
        };
        let corners: &[[usize; 4]] = match self {
            Self::Interval => {
                let length = points[1][0] - points[0][0];
                let sign = if length == 0.0 { 0.0 } else { length.signum() };
                return (sign, sign);
            }
            Self::Triangle => &[[0, 1, 2, 0], [1, 2, 0, 0], [2, 0, 1, 0]],
            Self::Quadrilateral => &[[0, 1, 3, 0], [1, 2, 0, 0], [2, 3, 1, 0], [3, 0, 2, 0]],
            Self::Tetrahedron => &[[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]],
            Self::Hexahedron => &[
                [0, 1, 3, 4],
                [1, 2, 0, 5],
                [2, 3, 1, 6],
                [3, 0, 2, 7],
                [4, 7, 5, 0],
                [5, 4, 6, 1],
                [6, 5, 7, 2],
                [7, 6, 4, 3],
            ],
        };
        let quality = corners.iter().map(|&[o, a, b, c]| {
            let (a, b) = (edge(o, a), edge(o, b));
            let (volume, scale) = if self.dimension() == 2 {
                (cross(a, b), length(a) * length(b))
            } else {
                let c = edge(o, c);
                (det(a, b, c), length(a) * length(b) * length(c))
            };
            // Not finite without a length, or with one beyond the largest number.
            Some(volume / scale).filter(|quality| quality.is_finite()).unwrap_or(0.0)
        });
        quality.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), q| (low.min(q), high.max(q)))
    }

    /// Reverses the orientation of a cell's vertex list.
    pub(crate) fn flip<T>(self, vertices: &mut [T]) {
        match self {
            Self::Interval => vertices.swap(0, 1),
            Self::Triangle => vertices.swap(1, 2),
            Self::Quadrilateral => vertices.swap(1, 3),
            Self::Tetrahedron => vertices.swap(2, 3),
            Self::Hexahedron => {
                vertices.swap(1, 3);
                vertices.swap(5, 7);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facets_point_outwards() {
        for cell in CellType::ALL {
            let points = cell.reference_vertices();
            let n = points.len() as f64;
            let centre: Vec<f64> = (0..3).map(|d| points.iter().map(|p| p[d]).sum::<f64>() / n).collect();
            for facet in 0..cell.facets() {
                let v: Vec<[f64; 3]> =
                    cell.facet_vertices(facet).iter().map(|&i| points[i as usize]).collect();
                let (a, b) = (v[0], *v.last().unwrap());
                let normal = match cell.dimension() {
                    1 => continue,
                    2 => [b[1] - a[1], a[0] - b[0], 0.0],
                    _ => {
                        let e: Vec<f64> = (0..3).map(|d| v[1][d] - a[d]).collect();
                        let f: Vec<f64> = (0..3).map(|d| v[2][d] - a[d]).collect();
                        [e[1] * f[2] - e[2] * f[1], e[2] * f[0] - e[0] * f[2], e[0] * f[1] - e[1] * f[0]]
                    }
                };
                let outward: f64 = (0..3).map(|d| normal[d] * (a[d] - centre[d])).sum();
                assert!(outward > 0.0, "{cell:?} facet {facet}");
            }
        }
    }

    #[test]
    fn orientation_is_told_and_reversed() {
        for cell in CellType::ALL {
            let mut points = cell.reference_vertices().to_vec();
            assert!(cell.corner_determinants(&points).0 > 0.1, "{cell:?}");
            cell.flip(&mut points);
            assert!(cell.corner_determinants(&points).1 < -0.1, "{cell:?}");
            cell.flip(&mut points);
            assert_eq!(points, cell.reference_vertices());
        }
    }
}
