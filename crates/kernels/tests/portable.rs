//! The kernels that are compiled for vector instructions and for a known number of basis functions, and those for any
//! machine and any number, give the same: all forms, dimensions and elements, on cells that share no node.
use tessera_kernels::model::{Choice, Law};
use tessera_kernels::{
    Cells, History, Job, MODELS, Part, Parts, Prescribed, Sparsity, Tables, Tabulation, Values,
};

/// Two full batches and a short one.
const CELLS: usize = 19;
const POINTS: usize = 3;

/// A kernel.
type Add<'a> = dyn Fn(&Job, Part) + 'a;

/// Numbers between 0 and 1 that look random.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn list(&mut self, count: usize, from: f64, to: f64) -> Vec<f64> {
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
struct Case {
    functions: usize,
    corners: usize,
    simplex: bool,
    facets: bool,
    vertices: Vec<u32>,
    nodes: Vec<u32>,
    coordinates: Vec<f64>,
    basis: Tabulation,
    geometry: Tabulation,
    rows: Vec<u32>,
    positions: Vec<u16>,
    state: Vec<f64>,
    fixed: Vec<bool>,
    prescribed: Vec<f64>,
    constrained: Vec<bool>,
    history: History,
    coefficients: Vec<Values>,
}

impl Case {
    fn new(dimension: usize, functions: usize, simplex: bool, facets: bool, sizes: [usize; 3]) -> Self {
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
        // Any numbers are a basis here.
        let basis = Tabulation {
            functions,
            values: numbers.list(POINTS * functions, -1.0, 1.0),
            gradients: (0..POINTS * functions)
                .map(|_| numbers.list(3, -1.0, 1.0).try_into().unwrap())
                .collect(),
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
            fixed: (0..count * components).map(|_| numbers.next() < 0.1).collect(),
            prescribed: numbers.list(count * components, 1.0, 2.0),
            constrained: (0..CELLS).map(|cell| cell % 3 > 0).collect(),
            history: History {
                width,
                points: POINTS,
                values: numbers.list(CELLS * POINTS * width, 0.0, 0.1),
            },
            coefficients: (0..coefficients).map(|j| value(j, &mut numbers)).collect(),
        }
    }

    /// What a kernel makes of it: matrix and load.
    fn run(&self, components: usize, add: &Add) -> [Vec<f64>; 2] {
        let weights = [0.2, 0.3, 0.1];
        let entities: Vec<(u32, u32, u16)> = (0..CELLS as u32).map(|c| (c, c, (c % 2) as u16)).collect();
        let none = vec![0; self.rows.len()];
        let fixed: Vec<bool> = self
            .fixed
            .iter()
            .enumerate()
            .map(|(dof, fixed)| *fixed && self.constrained[dof / components / self.functions])
            .collect();
        let job = Job {
            cells: Cells {
                functions: self.functions,
                corners: self.corners,
                affine: self.simplex,
                vertices: &self.vertices,
                nodes: &self.nodes,
                coordinates: &self.coordinates,
            },
            rule: Tables {
                weights: &weights,
                basis: &self.basis,
                geometry: &self.geometry,
                normal: self.facets.then_some([1.0, 0.0, 0.0]),
            },
            sparsity: Sparsity {
                diagonal_rows: &self.rows,
                off_diagonal_rows: &none,
                positions: &self.positions,
            },
            entities: &entities,
            coefficients: &self.coefficients,
            prescribed: Some(Prescribed {
                fixed: &fixed,
                values: &self.prescribed,
                cells: &self.constrained,
            }),
            rows: 0..CELLS * self.functions,
            wants_matrix: true,
            state: Some(&self.state),
            history: (self.history.width > 0).then_some(&self.history),
            parts: Parts { storage: 1.3, residual: 0.7 },
        };
        let mut matrix = vec![0.0; CELLS * (self.functions * components).pow(2)];
        let mut load = vec![0.0; CELLS * self.functions * components];
        add(&job, Part { diagonal: &mut matrix, off_diagonal: &mut [], load: &mut load });
        [matrix, load]
    }
}

/// Basis functions of the elements in a dimension, and whether the cell is a simplex.
const ELEMENTS: [&[(usize, bool)]; 3] = [
    &[(2, true), (3, true)],
    &[(3, true), (6, true), (4, false), (9, false)],
    &[(4, true), (10, true), (8, false), (27, false)],
];

/// Compares two kernels on the elements of a dimension.
fn compare(name: &str, dimension: usize, facets: bool, sizes: [usize; 3], adds: [&Add; 2]) {
    for &(functions, simplex) in ELEMENTS[dimension - 1] {
        let case = Case::new(dimension, functions, simplex, facets, sizes);
        let [one, other] = adds.map(|add| case.run(sizes[0], add));
        for (what, (a, b)) in ["matrix", "load"].iter().zip(one.iter().zip(&other)) {
            let size = a.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            let apart = a.iter().zip(b).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
            let about = format!("{name}, {dimension}D, {functions} functions, {what}: {apart:e} of {size:e}");
            assert!(size.is_finite() && apart <= 1e-12 * size, "{about}");
            assert!(size > 0.0 || facets, "nothing to compare: {about}");
        }
    }
}

/// Every law that a deck can choose in the table of models.
fn laws() -> Vec<(String, usize, Law)> {
    let mut all = Vec::new();
    for model in MODELS {
        for dimension in model.least_dimension..=3 {
            for choice in 0..32 {
                let [tensor, of_solution, in_time, second, radiates] =
                    [0, 1, 2, 3, 4].map(|bit| choice >> bit & 1 == 1);
                let plane = (dimension == 2 && second && model.planes.is_some()).then_some("axisymmetric");
                let given = |key: &str| second && key != "exponent" || !second && key == "exponent";
                let choice =
                    Choice { dimension, plane, in_time, tensor, of_solution, radiates, given: &given };
                let name = format!(
                    "{}, {plane:?}, {tensor}, {of_solution}, {radiates}, {in_time}, {second}",
                    model.name
                );
                all.push((name, dimension, (model.law)(&choice)));
            }
        }
    }
    all
}

#[test]
fn laws_give_their_forms_all_coefficients() {
    for (name, dimension, law) in laws() {
        let (volume, boundary) = law.forms.of(dimension);
        assert_eq!(law.coefficients.len(), volume.coefficients(), "{name} in {dimension}D");
        assert_eq!(law.surface.len(), boundary.coefficients(), "{name} in {dimension}D");
        assert!(law.local <= law.coefficients.len());
    }
}

#[test]
fn forms_do_not_depend_on_the_machine() {
    for (name, dimension, law) in laws() {
        let (volume, boundary) = law.forms.of(dimension);
        for (form, facets) in [(volume, false), (boundary, true)] {
            let sizes = [form.components(), form.coefficients(), form.history()];
            let adds: [&Add; 2] =
                [&|job, part| form.add(job, part), &|job, part| form.add_portably(job, part)];
            compare(&name, dimension, facets, sizes, adds);
        }
    }
}
