//! Made-up cells of every element, and all forms: what the tests of kernels share.
#![allow(dead_code)] // No test uses all of it.
use tessera_kernels::model::{Choice, Law};
use tessera_kernels::{
    Cells, Entity, History, Job, Kernel, MODELS, Part, Parts, Prescribed, Sparsity, Tables, Tabulation,
    Values,
};

/// Two full batches and a short one.
pub const CELLS: usize = 19;
pub const POINTS: usize = 3;

/// Weights of the rule, and the normal on a facet's reference cell.
pub const WEIGHTS: [f64; POINTS] = [0.2, 0.3, 0.1];
pub const NORMAL: [f64; 3] = [1.0, 0.0, 0.0];

/// A kernel.
pub type Add<'a> = dyn Fn(&Job, Part) + 'a;

/// Numbers between 0 and 1 that look random.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn list(&mut self, count: usize, from: f64, to: f64) -> Vec<f64> {
        (0..count).map(|_| from + (to - from) * self.next()).collect()
    }
}

/// Vertex `v` of the reference cell, and its basis function of degree 1.
fn vertex(simplex: bool, dimension: usize, v: usize, x: &[f64]) -> ([f64; 3], f64, [f64; 3]) {
    let mut at = [0.0; 3];
    let (mut value, mut slope) = (1.0, [0.0; 3]);
    if simplex {
        if v > 0 {
            at[v - 1] = 1.0;
            slope[v - 1] = 1.0;
            return (at, x[v - 1], slope);
        }
        slope[..dimension].fill(-1.0);
        return (at, 1.0 - x[..dimension].iter().sum::<f64>(), slope);
    }
    let factor = |d: usize| if v >> d & 1 == 1 { x[d] } else { 1.0 - x[d] };
    for d in 0..dimension {
        at[d] = (v >> d & 1) as f64;
        value *= factor(d);
        let others: f64 = (0..dimension).filter(|&other| other != d).map(factor).product();
        slope[d] = if v >> d & 1 == 1 { others } else { -others };
    }
    (at, value, slope)
}

/// Cells, tables and data of one element.
pub struct Case {
    pub functions: usize,
    pub corners: usize,
    pub simplex: bool,
    pub facets: bool,
    pub vertices: Vec<u32>,
    pub nodes: Vec<u32>,
    pub coordinates: Vec<f64>,
    pub basis: Tabulation,
    pub geometry: Tabulation,
    pub rows: Vec<u32>,
    pub off_diagonal_rows: Vec<u32>,
    pub positions: Vec<u16>,
    pub state: Vec<f64>,
    pub fixed: Vec<bool>,
    pub prescribed: Vec<f64>,
    pub constrained: Vec<bool>,
    pub entities: Vec<Entity>,
    pub history: History,
    pub coefficients: Vec<Values>,
}

impl Case {
    pub fn new(dimension: usize, functions: usize, simplex: bool, facets: bool, sizes: [usize; 3]) -> Self {
        let [components, coefficients, width] = sizes;
        let mut numbers = Numbers(7);
        let corners = if simplex { dimension + 1 } else { 1 << dimension };
        let points: Vec<Vec<f64>> = (0..POINTS).map(|_| numbers.list(3, 0.1, 0.3)).collect();
        let of = |x: &Vec<f64>| (0..corners).map(|v| vertex(simplex, dimension, v, x)).collect::<Vec<_>>();
        let shapes: Vec<_> = points.iter().flat_map(of).collect();
        let geometry = Tabulation {
            functions: corners,
            values: shapes.iter().map(|s| s.1).collect(),
            gradients: shapes.iter().map(|s| s.2).collect(),
        };
        // Of degree 1 the basis is the geometry's, which kernels rely on; else any numbers are one.
        let basis = if functions == corners {
            geometry.clone()
        } else {
            Tabulation {
                functions,
                values: numbers.list(POINTS * functions, -1.0, 1.0),
                gradients: (0..POINTS * functions)
                    .map(|_| numbers.list(3, -1.0, 1.0).try_into().unwrap())
                    .collect(),
            }
        };
        // Away from the axis.
        let mut coordinates = Vec::new();
        for _ in 0..CELLS {
            for shape in &shapes[..corners] {
                coordinates.extend((0..dimension).map(|d| 2.0 + shape.0[d] + 0.2 * numbers.next()));
            }
        }
        let count = CELLS * functions;
        let block = |position: usize| (position % functions) as u16;
        let value = |j: usize, numbers: &mut Numbers| match j % 3 {
            0 => Values::Uniform(0.5 + numbers.next()),
            1 => Values::ByRegion(numbers.list(2, 0.5, 1.5)),
            _ => Values::ByPoint(numbers.list(CELLS * POINTS, 0.5, 1.5)),
        };
        Self {
            functions,
            corners,
            simplex,
            facets,
            vertices: (0..(CELLS * corners) as u32).collect(),
            nodes: (0..count as u32).collect(),
            coordinates,
            basis,
            geometry,
            rows: (0..=count as u32).map(|row| row * functions as u32).collect(),
            positions: (0..count * functions).map(block).collect(),
            state: numbers.list(count * components, -0.1, 1.0),
            fixed: (0..count * components)
                .map(|dof| numbers.next() < 0.1 && !(dof / components / functions).is_multiple_of(3))
                .collect(),
            prescribed: numbers.list(count * components, 1.0, 2.0),
            constrained: (0..CELLS).map(|cell| cell % 3 > 0).collect(),
            entities: (0..CELLS as u32).map(|c| (c, c, (c % 2) as u16)).collect(),
            off_diagonal_rows: vec![0; count + 1],
            history: History {
                width,
                points: POINTS,
                values: numbers.list(CELLS * POINTS * width, 0.0, 0.1),
            },
            coefficients: (0..coefficients).map(|j| value(j, &mut numbers)).collect(),
        }
    }

    /// All of it.
    pub fn job(&self) -> Job<'_> {
        Job {
            cells: Cells {
                functions: self.functions,
                corners: self.corners,
                affine: self.simplex,
                vertices: &self.vertices,
                nodes: &self.nodes,
                coordinates: &self.coordinates,
            },
            rule: Tables {
                weights: &WEIGHTS,
                basis: &self.basis,
                geometry: &self.geometry,
                normal: self.facets.then_some(NORMAL),
            },
            sparsity: Sparsity {
                diagonal_rows: &self.rows,
                off_diagonal_rows: &self.off_diagonal_rows,
                positions: &self.positions,
            },
            entities: &self.entities,
            coefficients: &self.coefficients,
            prescribed: Some(Prescribed {
                fixed: &self.fixed,
                values: &self.prescribed,
                cells: &self.constrained,
            }),
            rows: 0..CELLS * self.functions,
            wants_matrix: true,
            state: Some(&self.state),
            history: (self.history.width > 0).then_some(&self.history),
            parts: Parts { storage: 1.3, residual: 0.7 },
        }
    }

    /// What a kernel makes of it: matrix and load.
    pub fn run(&self, components: usize, add: &Add) -> [Vec<f64>; 2] {
        let mut matrix = vec![0.0; CELLS * (self.functions * components).pow(2)];
        let mut load = vec![0.0; CELLS * self.functions * components];
        add(&self.job(), Part { diagonal: &mut matrix, off_diagonal: &mut [], load: &mut load });
        [matrix, load]
    }
}

/// Basis functions of the elements in a dimension, and whether the cell is a simplex.
pub const ELEMENTS: [&[(usize, bool)]; 3] = [
    &[(2, true), (3, true)],
    &[(3, true), (6, true), (4, false), (9, false)],
    &[(4, true), (10, true), (8, false), (27, false)],
];

/// Every law that a deck can choose in the table of models, with a name and its dimension.
pub fn laws() -> Vec<(String, usize, Law)> {
    let mut all: Vec<(String, usize, Law)> = Vec::new();
    for model in MODELS {
        for dimension in model.least_dimension..=3 {
            for choice in 0..32 {
                let [tensor, of_solution, in_time, second, radiates] =
                    [0, 1, 2, 3, 4].map(|bit| choice >> bit & 1 == 1);
                let plane = (dimension == 2 && second && model.planes.is_some()).then_some("axisymmetric");
                let given = |key: &str| second && key != "exponent" || !second && key == "exponent";
                let choice =
                    Choice { dimension, plane, in_time, tensor, of_solution, radiates, given: &given };
                let law = (model.law)(&choice);
                if all.iter().any(|known| std::ptr::eq(known.2.forms, law.forms) && known.1 == dimension) {
                    continue;
                }
                let words = [("tensor", tensor), ("of the solution", of_solution), ("in time", in_time)];
                let words =
                    words.iter().filter(|word| word.1).map(|word| word.0).collect::<Vec<_>>().join(", ");
                all.push((format!("{} {words}", model.name), dimension, law));
            }
        }
    }
    all
}

/// Calls `visit` with name, dimension, kernel and whether it is one on facets, for all forms.
pub fn for_all_forms(mut visit: impl FnMut(&str, usize, &dyn Kernel, bool)) {
    for (name, dimension, law) in laws() {
        let (volume, boundary) = law.forms.of(dimension);
        visit(&name, dimension, volume, false);
        visit(&name, dimension, boundary, true);
    }
}
