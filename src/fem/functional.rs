//! Integrals and point values of discrete fields.
use super::assembly::{Domain, Rule};
use super::{Element, Space};

/// What an integrand sees.
pub struct Sample<'a> {
    /// Local cell.
    pub cell: usize,
    /// The entity's index and region, as in [`Domain::entities`].
    pub entity: (u32, u16),
    /// Quadrature point of the rule.
    pub point: usize,
    /// Position in metres, unused coordinates zero.
    pub position: [f64; 3],
    /// Outward unit normal (facets only).
    pub normal: [f64; 3],
    /// Quadrature weight times measure.
    pub weight: f64,
    /// Field values by component.
    pub value: &'a [f64],
    /// Field gradients by component (1/m), unused coordinates zero.
    pub gradient: &'a [[f64; 3]],
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
    let inverse = std::array::from_fn(|k| std::array::from_fn(|i| cofactor(i, k) / determinant));
    (inverse, determinant)
}

/// Jacobian `[i][j]` = derivative of coordinate `i` by reference coordinate `j`, and position.
pub fn geometry(space: &Space, cell: usize, rule: &Rule, point: usize) -> ([[f64; 3]; 3], [f64; 3]) {
    let mesh = &space.mesh;
    let corners = mesh.cell_type.vertices();
    let mut jacobian = [[0.0; 3]; 3];
    let mut position = [0.0; 3];
    for (v, &vertex) in mesh.cells[cell * corners..][..corners].iter().enumerate() {
        let slope = rule.geometry.gradients[point * corners + v];
        let value = rule.geometry.values[point * corners + v];
        for i in 0..mesh.dimension {
            let x = mesh.coordinates[vertex as usize * mesh.dimension + i];
            position[i] += value * x;
            for j in 0..mesh.dimension {
                jacobian[i][j] += x * slope[j];
            }
        }
    }
    (jacobian, position)
}

/// Calls `visit` at every quadrature point of the domain with the field `values` (`[node, component]` over
/// the local nodes of `space`, ghosts included, of any number of components). Local: for integrals give a
/// domain of owned cells and sum over ranks.
pub fn visit(space: &Space, values: &[f64], domain: &Domain, mut visit: impl FnMut(&Sample)) {
    let components = values.len() / space.local_nodes().max(1);
    let functions = space.element.functions();
    let rule = domain.rule;
    let mut value = vec![0.0; components];
    let mut gradient = vec![[0.0; 3]; components];
    for &(cell, index, region) in domain.entities {
        let cell = cell as usize;
        let nodes = space.nodes_of(cell);
        for point in 0..rule.weights.len() {
            let (jacobian, position) = geometry(space, cell, rule, point);
            let (inverse, determinant) = inverse_jacobian(space.mesh.dimension, &jacobian);
            value.fill(0.0);
            gradient.fill([0.0; 3]);
            for (a, &node) in nodes.iter().enumerate() {
                let shape = rule.basis.values[point * functions + a];
                let slope = rule.basis.gradients[point * functions + a];
                let slope = transform(&inverse, &slope);
                for c in 0..components {
                    let u = values[node as usize * components + c];
                    value[c] += shape * u;
                    for d in 0..3 {
                        gradient[c][d] += slope[d] * u;
                    }
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
            visit(&Sample {
                cell,
                entity: (index, region),
                point,
                position,
                normal,
                weight,
                value: &value,
                gradient: &gradient,
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

/// The local cell that holds a point, and the point's reference coordinates, among owned cells;
/// `None` when no owned cell does. `tolerance` is relative to the cell's reference size.
pub fn locate(space: &Space, target: &[f64; 3], tolerance: f64) -> Option<(usize, [f64; 3])> {
    let mesh = &space.mesh;
    let d = mesh.dimension;
    let corners = mesh.cell_type.vertices();
    let linear = Element::new(mesh.cell_type, 1);
    let mut best: Option<(f64, usize, [f64; 3])> = None;
    for cell in 0..mesh.owned_cells {
        let vertices = &mesh.cells[cell * corners..][..corners];
        // A box around the cell, widened by its own size times the tolerance, is a cheap first test.
        let inside = (0..d).all(|i| {
            let x = |&v: &u32| mesh.coordinates[v as usize * d + i];
            let low = vertices.iter().map(x).fold(f64::INFINITY, f64::min);
            let high = vertices.iter().map(x).fold(f64::NEG_INFINITY, f64::max);
            let margin = (tolerance.max(1e-9)) * (high - low);
            target[i] >= low - margin && target[i] <= high + margin
        });
        if !inside {
            continue;
        }
        // Newton on the (multi)linear map; simplices need one step.
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
            crate::mesh::CellType::Triangle | crate::mesh::CellType::Tetrahedron => {
                let sum: f64 = reference[..d].iter().sum();
                reference[..d].iter().fold(sum - 1.0, |m, &r| m.max(-r))
            }
            _ => reference[..d].iter().fold(f64::NEG_INFINITY, |m, &r| m.max(-r).max(r - 1.0)),
        };
        if outside <= tolerance && best.as_ref().is_none_or(|b| outside < b.0) {
            best = Some((outside, cell, reference));
        }
    }
    best.map(|(_, cell, reference)| (cell, reference))
}
