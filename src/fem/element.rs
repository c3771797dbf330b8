//! Lagrange elements: P1 and P2 on simplices, Q1 and Q2 on tensor cells.
use crate::mesh::CellType;
pub use tessera_kernels::Tabulation;

/// A Lagrange element of degree 1 or 2.
///
/// Nodes are ordered vertices, edges (in the order of [`CellType::edge_vertices`]), quadrilateral
/// faces (in the order of [`CellType::facet_vertices`]), interior; see Ciarlet, *The Finite Element
/// Method for Elliptic Problems* (1978), section 2.2.
#[derive(Debug, Clone)]
pub struct Element {
    /// Shape of the cell.
    pub cell: CellType,
    /// Polynomial degree, 1 or 2.
    pub degree: usize,
    /// Reference coordinates of the nodes.
    pub nodes: Vec<[f64; 3]>,
}

pub(super) fn centre(points: impl Iterator<Item = [f64; 3]>) -> [f64; 3] {
    let mut sum = [0.0; 3];
    let mut count = 0.0;
    for point in points {
        for d in 0..3 {
            sum[d] += point[d];
        }
        count += 1.0;
    }
    sum.map(|s| s / count)
}

/// Whether the cell is a product of intervals with more than one dimension.
fn is_tensor(cell: CellType) -> bool {
    matches!(cell, CellType::Quadrilateral | CellType::Hexahedron)
}

impl Element {
    /// The element of that degree.
    ///
    /// # Panics
    /// For degrees other than 1 and 2, which decks are checked for.
    pub fn new(cell: CellType, degree: usize) -> Self {
        assert!(degree == 1 || degree == 2, "elements of degree 1 and 2 exist, not {degree}");
        let vertices = cell.reference_vertices();
        let mut nodes = vertices.to_vec();
        if degree == 2 {
            if cell == CellType::Interval {
                nodes.push([0.5, 0.0, 0.0]);
            } else {
                for edge in cell.edge_vertices() {
                    nodes.push(centre(edge.iter().map(|&v| vertices[v as usize])));
                }
            }
            if cell == CellType::Hexahedron {
                for f in 0..cell.facets() {
                    nodes.push(centre(cell.facet_vertices(f).iter().map(|&v| vertices[v as usize])));
                }
            }
            if is_tensor(cell) {
                nodes.push(centre(vertices.iter().copied()));
            }
        }
        Self { cell, degree, nodes }
    }

    /// Number of basis functions.
    pub fn functions(&self) -> usize {
        self.nodes.len()
    }

    /// The element's functions in the order of VTK's cells (quadratic: `VTK_QUADRATIC_EDGE`,
    /// `VTK_QUADRATIC_TRIANGLE`, `VTK_BIQUADRATIC_QUAD`, `VTK_QUADRATIC_TETRA`, `VTK_TRIQUADRATIC_HEXAHEDRON`).
    pub fn vtk_order(&self) -> Vec<usize> {
        // Each VTK node as the vertices whose centre it is.
        let rest: &[&[usize]] = match (self.degree, self.cell) {
            (1, _) => &[],
            (_, CellType::Interval) => &[&[0, 1]],
            (_, CellType::Triangle) => &[&[0, 1], &[1, 2], &[0, 2]],
            (_, CellType::Quadrilateral) => &[&[0, 1], &[1, 2], &[2, 3], &[0, 3], &[0, 1, 2, 3]],
            (_, CellType::Tetrahedron) => &[&[0, 1], &[1, 2], &[0, 2], &[0, 3], &[1, 3], &[2, 3]],
            (_, CellType::Hexahedron) => &[
                &[0, 1],
                &[1, 2],
                &[2, 3],
                &[0, 3],
                &[4, 5],
                &[5, 6],
                &[6, 7],
                &[4, 7],
                &[0, 4],
                &[1, 5],
                &[2, 6],
                &[3, 7],
                &[0, 3, 4, 7],
                &[1, 2, 5, 6],
                &[0, 1, 4, 5],
                &[2, 3, 6, 7],
                &[0, 1, 2, 3],
                &[4, 5, 6, 7],
                &[0, 1, 2, 3, 4, 5, 6, 7],
            ],
        };
        let vertices = self.cell.reference_vertices();
        let find = |group: &&[usize]| {
            let point = centre(group.iter().map(|&v| vertices[v]));
            let same = |node: &[f64; 3]| (0..3).all(|d| (node[d] - point[d]).abs() < 1e-12);
            self.nodes.iter().position(same).expect("VTK's nodes are the element's")
        };
        (0..vertices.len()).chain(rest.iter().map(find)).collect()
    }

    /// Number of nodes on edges' interiors (0 or 1 an edge), on quadrilateral faces, and inside.
    pub fn interior_nodes(&self) -> (usize, usize, usize) {
        if self.degree == 1 {
            return (0, 0, 0);
        }
        match self.cell {
            CellType::Interval => (0, 0, 1),
            CellType::Triangle => (3, 0, 0),
            CellType::Tetrahedron => (6, 0, 0),
            CellType::Quadrilateral => (4, 0, 1),
            CellType::Hexahedron => (12, 6, 1),
        }
    }

    /// The basis functions that do not vanish on a facet.
    pub fn facet_functions(&self, facet: usize) -> Vec<u8> {
        let on_facet = facet_plane(self.cell, facet);
        (0..self.functions()).filter(|&a| on_facet(&self.nodes[a]).abs() < 1e-12).map(|a| a as u8).collect()
    }

    /// Values and reference gradients at `points`.
    pub fn tabulate(&self, points: &[[f64; 3]]) -> Tabulation {
        let functions = self.functions();
        let mut result = Tabulation {
            functions,
            values: Vec::with_capacity(points.len() * functions),
            gradients: Vec::with_capacity(points.len() * functions),
        };
        for point in points {
            for node in 0..functions {
                let (value, gradient) = match self.cell {
                    CellType::Triangle | CellType::Tetrahedron => self.simplex(node, point),
                    _ => self.tensor(node, point),
                };
                result.values.push(value);
                result.gradients.push(gradient);
            }
        }
        result
    }

    /// Products of one-dimensional Lagrange polynomials on `{0, 1}` or `{0, 1/2, 1}`.
    fn tensor(&self, node: usize, x: &[f64; 3]) -> (f64, [f64; 3]) {
        let dimension = self.cell.dimension();
        let mut value = [1.0; 3];
        let mut slope = [0.0; 3];
        for d in 0..dimension {
            let (t, at) = (x[d], self.nodes[node][d]);
            (value[d], slope[d]) = match (self.degree, (2.0 * at).round() as i32) {
                (1, 0) => (1.0 - t, -1.0),
                (1, _) => (t, 1.0),
                (_, 0) => ((1.0 - t) * (1.0 - 2.0 * t), 4.0 * t - 3.0),
                (_, 1) => (4.0 * t * (1.0 - t), 4.0 - 8.0 * t),
                (_, _) => (t * (2.0 * t - 1.0), 4.0 * t - 1.0),
            };
        }
        let gradient =
            [slope[0] * value[1] * value[2], value[0] * slope[1] * value[2], value[0] * value[1] * slope[2]];
        (value[0] * value[1] * value[2], gradient)
    }

    /// Barycentric formulas.
    fn simplex(&self, node: usize, x: &[f64; 3]) -> (f64, [f64; 3]) {
        let dimension = self.cell.dimension();
        let mut lambda = [0.0; 4];
        let mut slope = [[0.0; 3]; 4];
        lambda[0] = 1.0 - x[..dimension].iter().sum::<f64>();
        for d in 0..dimension {
            lambda[d + 1] = x[d];
            slope[0][d] = -1.0;
            slope[d + 1][d] = 1.0;
        }
        if node <= dimension {
            if self.degree == 1 {
                return (lambda[node], slope[node]);
            }
            return (
                lambda[node] * (2.0 * lambda[node] - 1.0),
                slope[node].map(|s| s * (4.0 * lambda[node] - 1.0)),
            );
        }
        let [i, j] = self.cell.edge_vertices()[node - dimension - 1].map(usize::from);
        let mut gradient = [0.0; 3];
        for d in 0..dimension {
            gradient[d] = 4.0 * (lambda[i] * slope[j][d] + lambda[j] * slope[i][d]);
        }
        (4.0 * lambda[i] * lambda[j], gradient)
    }
}

/// A function that is zero on the facet's plane of the reference cell.
fn facet_plane(cell: CellType, facet: usize) -> impl Fn(&[f64; 3]) -> f64 {
    let vertices = cell.reference_vertices();
    let corners: Vec<[f64; 3]> = cell.facet_vertices(facet).iter().map(|&v| vertices[v as usize]).collect();
    let dimension = cell.dimension();
    move |x: &[f64; 3]| {
        let a = corners[0];
        match dimension {
            1 => x[0] - a[0],
            2 => (x[0] - a[0]) * (corners[1][1] - a[1]) - (x[1] - a[1]) * (corners[1][0] - a[0]),
            _ => {
                let (p, q) = (subtract(&corners[1], &a), subtract(&corners[2], &a));
                let normal = cross(&p, &q);
                let r = subtract(x, &a);
                normal[0] * r[0] + normal[1] * r[1] + normal[2] * r[2]
            }
        }
    }
}

pub(super) fn cross(p: &[f64; 3], q: &[f64; 3]) -> [f64; 3] {
    [p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]]
}

pub(super) fn subtract(a: &[f64; 3], b: &[f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use CellType::*;

    #[test]
    fn basis_is_nodal_and_sums_to_one() {
        for cell in [Interval, Triangle, Quadrilateral, Tetrahedron, Hexahedron] {
            for degree in 1..=2 {
                let element = Element::new(cell, degree);
                let n = element.functions();
                let table = element.tabulate(&element.nodes);
                for a in 0..n {
                    for b in 0..n {
                        let expected = if a == b { 1.0 } else { 0.0 };
                        assert!(
                            (table.values[a * n + b] - expected).abs() < 1e-14,
                            "{cell:?} {degree} {a} {b}"
                        );
                    }
                }
                let h = 1e-6;
                let x = [0.21, 0.17, 0.33];
                for d in 0..cell.dimension() {
                    let (mut p, mut m) = (x, x);
                    p[d] += h;
                    m[d] -= h;
                    let (t, tp, tm) =
                        (element.tabulate(&[x]), element.tabulate(&[p]), element.tabulate(&[m]));
                    let sum: f64 = t.values.iter().sum();
                    assert!((sum - 1.0).abs() < 1e-14);
                    for a in 0..n {
                        let difference = (tp.values[a] - tm.values[a]) / (2.0 * h);
                        assert!((difference - t.gradients[a][d]).abs() < 1e-8, "{cell:?} {degree} {a}");
                    }
                }
            }
        }
    }

    #[test]
    fn facets_hold_the_expected_number_of_functions() {
        let expected = [
            (Interval, 1, 1),
            (Triangle, 2, 3),
            (Quadrilateral, 2, 3),
            (Tetrahedron, 3, 6),
            (Hexahedron, 4, 9),
        ];
        for (cell, linear, quadratic) in expected {
            for facet in 0..cell.facets() {
                assert_eq!(Element::new(cell, 1).facet_functions(facet).len(), linear);
                assert_eq!(Element::new(cell, 2).facet_functions(facet).len(), quadratic);
            }
        }
    }
}
