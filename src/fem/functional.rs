//! Integrals and point values of discrete fields.
use super::element::Element;
use super::rule::{Domain, Rule};
use super::space::Space;

/// What an integrand sees.
pub struct Sample<'a> {
    /// Local cell.
    pub cell: usize,
    /// The entity's index and region, as in [`Domain::entities`].
    pub entity: (u32, u16),
    /// Quadrature point of the rule.
    pub point: usize,
    /// Outward unit normal (facets only).
    pub normal: [f64; 3],
    /// Quadrature weight times measure: on a body of revolution that of the whole circle.
    pub weight: f64,
    /// The same without the circle.
    pub plane_weight: f64,
    /// Field values by component.
    pub value: &'a [f64],
    /// Field gradients by component (1/m), unused coordinates zero.
    pub gradient: &'a [[f64; 3]],
    place: (&'a Space, &'a Rule),
}

impl Sample<'_> {
    /// Values of the cell's basis functions.
    pub fn shapes(&self, space: &Space) -> &[f64] {
        let functions = space.element.functions();
        &self.place.1.basis.values[self.point * functions..][..functions]
    }

    /// Position in metres, unused coordinates zero.
    pub fn position(&self) -> [f64; 3] {
        position(self.place.0, self.cell, self.place.1, self.point)
    }
}

/// Jacobian's inverse (row `j`: gradient of reference coordinate `j`) and determinant.
pub fn inverse_jacobian(dimension: usize, j: &[[f64; 3]; 3]) -> ([[f64; 3]; 3], f64) {
    let mut m = *j;
    for (d, row) in m.iter_mut().enumerate().skip(dimension) {
        row[d] = 1.0;
    }
    let cofactor = |i: usize, k: usize| {
        let (p, q) = ((i + 1) % 3, (i + 2) % 3);
        let (r, s) = ((k + 1) % 3, (k + 2) % 3);
        m[p][r] * m[q][s] - m[p][s] * m[q][r]
    };
    let determinant = m[0][0] * cofactor(0, 0) + m[0][1] * cofactor(0, 1) + m[0][2] * cofactor(0, 2);
    let reciprocal = 1.0 / determinant;
    let inverse = std::array::from_fn(|k| std::array::from_fn(|i| cofactor(i, k) * reciprocal));
    (inverse, determinant)
}

/// Jacobian `[i][j]` at a quadrature point: derivative of coordinate `i` by reference coordinate `j`.
pub fn jacobian(space: &Space, cell: usize, rule: &Rule, point: usize) -> [[f64; 3]; 3] {
    let mesh = &space.mesh;
    let corners = mesh.cell_type.vertices();
    let mut jacobian = [[0.0; 3]; 3];
    for (v, &vertex) in mesh.cells[cell * corners..][..corners].iter().enumerate() {
        let slope = rule.geometry.gradients[point * corners + v];
        for (i, row) in jacobian.iter_mut().enumerate().take(mesh.dimension) {
            let x = mesh.coordinates[vertex as usize * mesh.dimension + i];
            (0..mesh.dimension).for_each(|j| row[j] += x * slope[j]);
        }
    }
    jacobian
}

/// Position of a quadrature point.
#[inline]
pub fn position(space: &Space, cell: usize, rule: &Rule, point: usize) -> [f64; 3] {
    position_in(&corners(space, cell), rule, point)
}

/// Corners of a cell, `[corner][coordinate]`; unused ones zero.
#[inline]
pub fn corners(space: &Space, cell: usize) -> [[f64; 3]; 8] {
    let mesh = &space.mesh;
    let count = mesh.cell_type.vertices();
    let mut corners = [[0.0; 3]; 8];
    for (corner, &vertex) in corners.iter_mut().zip(&mesh.cells[cell * count..][..count]) {
        let vertex = &mesh.coordinates[vertex as usize * mesh.dimension..][..mesh.dimension];
        corner.iter_mut().zip(vertex).for_each(|(to, x)| *to = *x);
    }
    corners
}

/// Position of a quadrature point of a cell with these corners.
#[inline]
pub fn position_in(corners: &[[f64; 3]; 8], rule: &Rule, point: usize) -> [f64; 3] {
    let count = rule.geometry.functions;
    let mut position = [0.0; 3];
    for (value, corner) in rule.geometry.values[point * count..][..count].iter().zip(corners) {
        (0..3).for_each(|d| position[d] += value * corner[d]);
    }
    position
}

/// Calls `visit` at every quadrature point of the domain with the field `values` (`[node, component]` over
/// the local nodes of `space`, ghosts included, of any number of components). Local: for integrals give a
/// domain of owned cells and sum over ranks.
pub fn visit(space: &Space, values: &[f64], domain: &Domain, mut visit: impl FnMut(&Sample)) {
    // Loops of known length are several times as fast: the linear simplices get their own.
    match (values.len() / space.local_nodes().max(1), space.element.functions()) {
        (1, 3) => sweep((1, 3), space, values, domain, &mut visit),
        (2, 3) => sweep((2, 3), space, values, domain, &mut visit),
        (1, 4) => sweep((1, 4), space, values, domain, &mut visit),
        (3, 4) => sweep((3, 4), space, values, domain, &mut visit),
        sizes => sweep(sizes, space, values, domain, &mut visit),
    }
}

#[inline(always)]
fn sweep(
    (components, functions): (usize, usize),
    space: &Space,
    values: &[f64],
    domain: &Domain,
    visit: &mut impl FnMut(&Sample),
) {
    let rule = domain.rule;
    let affine = space.mesh.cell_type.is_simplex();
    let constant = affine && space.element.degree == 1;
    let mut value = vec![0.0; components];
    let mut gradient = vec![[0.0; 3]; components];
    let mut nodal = vec![0.0; functions * components];
    for &(cell, index, region) in domain.entities {
        let cell = cell as usize;
        let nodes = space.nodes_of(cell);
        for (local, &node) in nodal.chunks_exact_mut(components).zip(nodes) {
            local.copy_from_slice(&values[node as usize * components..][..components]);
        }
        let (mut inverse, mut determinant) = ([[0.0; 3]; 3], 0.0);
        for point in 0..rule.weights.len() {
            // Simplices have one Jacobian, and linear fields on them one gradient.
            if point == 0 || !affine {
                let jacobian = jacobian(space, cell, rule, point);
                (inverse, determinant) = inverse_jacobian(space.mesh.dimension, &jacobian);
            }
            if point == 0 || !constant {
                let mut reference = [0.0; 3];
                for (c, gradient) in gradient.iter_mut().enumerate() {
                    reference.fill(0.0);
                    let slopes = &rule.basis.gradients[point * functions..][..functions];
                    for (slope, own) in slopes.iter().zip(nodal.chunks_exact(components)) {
                        let u = own[c];
                        (0..3).for_each(|d| reference[d] += slope[d] * u);
                    }
                    *gradient = transform(&inverse, &reference);
                }
            }
            value.fill(0.0);
            let shapes = &rule.basis.values[point * functions..][..functions];
            for (shape, own) in shapes.iter().zip(nodal.chunks_exact(components)) {
                for (value, u) in value.iter_mut().zip(own) {
                    *value += shape * u;
                }
            }
            let mut weight = rule.weights[point] * determinant;
            let mut normal = [0.0; 3];
            if let Some(reference) = &rule.normal {
                normal = transform(&inverse, reference);
                let length = normal.iter().map(|n| n * n).sum::<f64>().sqrt();
                normal = normal.map(|n| n / length);
                weight *= length;
            }
            let plane_weight = weight;
            if space.axisymmetric {
                weight *= std::f64::consts::TAU * position(space, cell, rule, point)[0];
            }
            visit(&Sample {
                cell,
                entity: (index, region),
                point,
                normal,
                weight,
                plane_weight,
                value: &value,
                gradient: &gradient,
                place: (space, rule),
            });
        }
    }
}

/// Physical gradient `J^-T g` of a reference gradient.
pub fn transform(inverse: &[[f64; 3]; 3], g: &[f64; 3]) -> [f64; 3] {
    std::array::from_fn(|i| inverse[0][i] * g[0] + inverse[1][i] * g[1] + inverse[2][i] * g[2])
}

/// A rule whose points are the nodes of the element, for values and gradients at nodes.
pub fn nodal_rule(element: &Element) -> Rule {
    Rule {
        points: element.nodes.clone(),
        weights: vec![1.0; element.functions()],
        basis: element.tabulate(&element.nodes),
        geometry: Element::new(element.cell, 1).tabulate(&element.nodes),
        normal: None,
    }
}

/// The entities of a domain made of whole cells: `(cell, cell, region)`.
pub fn cell_entities(space: &Space, cells: impl Iterator<Item = usize>) -> Vec<(u32, u32, u16)> {
    cells.map(|cell| (cell as u32, cell as u32, space.mesh.cell_regions[cell])).collect()
}
