//! All sinks against a dense matrix that a kernel assembles, on triangles whose form is neither symmetric nor linear.
use super::*;
use tessera_kernels::models::burgers;
use tessera_kernels::{Cells, Entity, Part, Parts, Prescribed, Sparsity, Tables, Tabulation, Values};

const ACROSS: usize = 40;
const UP: usize = 30;
const C: usize = 2;
const NODES: usize = (ACROSS + 1) * (UP + 1);

/// Triangles of a unit square, more than a group of them, with a state.
struct Square {
    cells: Vec<u32>,
    coordinates: Vec<f64>,
    entities: Vec<Entity>,
    table: Tabulation,
    coefficients: Vec<Values>,
    state: Vec<f64>,
    fixed: Vec<bool>,
    constrained: Vec<bool>,
    weights: Vec<f64>,
}

/// Numbers between -1 and 1 that look random.
fn numbers(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

impl Square {
    fn new() -> Self {
        let mut cells = Vec::new();
        for j in 0..UP as u32 {
            for i in 0..ACROSS as u32 {
                let (a, up) = (j * (ACROSS as u32 + 1) + i, ACROSS as u32 + 1);
                cells.extend([a, a + 1, a + up, a + 1, a + up + 1, a + up]);
            }
        }
        let place = |node: usize| [node % (ACROSS + 1), node / (ACROSS + 1)];
        let count = cells.len() as u32 / 3;
        let fixed: Vec<bool> = (0..NODES * C).map(|dof| place(dof / C)[0] == 0 && dof % C == 0).collect();
        let third = 1.0 / 3.0;
        Self {
            coordinates: (0..NODES)
                .flat_map(|n| [place(n)[0] as f64 / ACROSS as f64, place(n)[1] as f64 / UP as f64])
                .collect(),
            entities: (0..count).map(|cell| (cell, cell, 0)).collect(),
            table: Tabulation {
                functions: 3,
                values: vec![third; 3],
                gradients: vec![[-1.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
            },
            coefficients: vec![
                Values::Uniform(0.3),
                Values::Uniform(1.0),
                Values::ByPoint(numbers(count as usize, 5)),
            ],
            state: numbers(NODES * C, 1),
            constrained: cells
                .chunks_exact(3)
                .map(|nodes| unknowns(nodes, C).any(|dof| fixed[dof]))
                .collect(),
            fixed,
            weights: numbers(count as usize, 2),
            cells,
        }
    }

    /// The integral over these entities; with `weights` those of their cells.
    fn integral<'a>(&'a self, entities: &'a [Entity], weights: Option<&'a [f64]>) -> Integral<'a> {
        let job = Job {
            cells: Cells {
                functions: 3,
                corners: 3,
                affine: true,
                vertices: &self.cells,
                nodes: &self.cells,
                coordinates: &self.coordinates,
            },
            rule: Tables { weights: &[0.5], basis: &self.table, geometry: &self.table, normal: None },
            sparsity: Sparsity::NONE,
            entities,
            coefficients: &self.coefficients,
            prescribed: Some(Prescribed {
                fixed: &self.fixed,
                values: &self.state,
                cells: &self.constrained,
            }),
            rows: 0..0,
            wants_matrix: false,
            state: Some(&self.state),
            history: None,
            parts: Parts { storage: 3.0, residual: 1.0 },
        };
        Integral { kernel: burgers::FORMS.of(2).0, job, weights }
    }

    /// Residual and dense matrix by [`Kernel::add`] for each cell on its own, times the weights.
    fn dense(&self, integral: &Integral) -> [Vec<f64>; 2] {
        let size = NODES * C;
        let positions: Vec<u16> = self
            .cells
            .chunks_exact(3)
            .flat_map(|nodes| (0..3).flat_map(move |_| nodes.iter().map(|&node| node as u16)))
            .collect();
        let rows: Vec<u32> = (0..=NODES).map(|row| (row * NODES) as u32).collect();
        let none = vec![0; NODES + 1];
        let sparsity = Sparsity { diagonal_rows: &rows, off_diagonal_rows: &none, positions: &positions };
        let [mut vector, mut matrix] = [vec![0.0; size], vec![0.0; size * size]];
        // Entries of a cell are taken out before and put back with its weight.
        for (e, entity) in integral.job.entities.iter().enumerate() {
            let dofs: Vec<usize> = unknowns(&self.cells[entity.0 as usize * 3..][..3], C).collect();
            let places = || dofs.iter().flat_map(|&a| dofs.iter().map(move |&b| a * size + b));
            let old: Vec<f64> = places().map(|place| std::mem::take(&mut matrix[place])).collect();
            let load: Vec<f64> = dofs.iter().map(|&dof| std::mem::take(&mut vector[dof])).collect();
            let job = Job {
                sparsity,
                rows: 0..NODES,
                wants_matrix: true,
                entities: std::slice::from_ref(entity),
                ..integral.job.clone()
            };
            let part = Part { diagonal: &mut matrix, off_diagonal: &mut [], load: &mut vector };
            integral.kernel.add(&job, part);
            let weight = integral.weights.map_or(1.0, |weights| weights[e]);
            places().zip(old).for_each(|(place, old)| matrix[place] = old + weight * matrix[place]);
            dofs.iter().zip(load).for_each(|(&dof, old)| vector[dof] = old + weight * vector[dof]);
        }
        [vector, matrix]
    }
}

fn assert_close(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    let size = b.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let apart = a.iter().zip(b).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
    assert!(size > 0.0 && apart <= 1e-13 * size, "{apart:e} of {size:e}");
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn products_are_those_of_the_assembled_matrix() {
    let square = Square::new();
    let integral = square.integral(&square.entities, Some(&square.weights));
    let [vector, matrix] = square.dense(&integral);
    let size = NODES * C;
    let [mut r, mut forth, mut back] = [(); 3].map(|()| vec![0.0; size]);
    let (x, y) = (numbers(size, 3), numbers(size, 4));
    add_vector(&integral, &mut r);
    add_product(&integral, &x, &mut forth);
    add_transposed_product(&integral, &y, &mut back);
    assert_close(&r, &vector);
    assert_close(&forth, &matrix.chunks_exact(size).map(|row| dot(row, &x)).collect::<Vec<_>>());
    let mut transposed = vec![0.0; size];
    for (y, row) in y.iter().zip(matrix.chunks_exact(size)) {
        transposed.iter_mut().zip(row).for_each(|(sum, entry)| *sum += y * entry);
    }
    assert_close(&back, &transposed);
    assert!((dot(&y, &forth) - dot(&back, &x)).abs() < 1e-12 * dot(&forth, &forth).sqrt() * size as f64);
}

#[test]
fn projections_are_those_of_the_assembled_matrix() {
    let (square, n) = (Square::new(), 5);
    let integral = square.integral(&square.entities, Some(&square.weights));
    let [vector, matrix] = square.dense(&integral);
    let size = NODES * C;
    let columns = numbers(size * n, 6);
    let column = |j: usize| columns.iter().skip(j).step_by(n).copied().collect::<Vec<_>>();
    let mut projected = Projected::new(n, true);
    projected.add(&integral, &columns);
    let mut expected = Projected::new(n, true);
    for j in 0..n {
        expected.vector[j] = dot(&column(j), &vector);
        let image: Vec<f64> = matrix.chunks_exact(size).map(|row| dot(row, &column(j))).collect();
        (0..n).for_each(|i| expected.matrix[i * n + j] = dot(&column(i), &image));
    }
    let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-11 * size as f64);
    assert!(close(&projected.vector, &expected.vector) && close(&projected.matrix, &expected.matrix));
    // The residual alone is the same.
    let mut alone = Projected::new(n, false);
    alone.add(&integral, &columns);
    assert_eq!(alone.vector, projected.vector);
}

#[test]
fn sums_do_not_depend_on_the_number_of_threads() {
    let square = Square::new();
    let integral = square.integral(&square.entities, Some(&square.weights));
    let [x, columns] = [numbers(NODES * C, 3), numbers(NODES * C * 3, 6)];
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (mut y, mut projected) = (vec![0.0; NODES * C], Projected::new(3, true));
            add_product(&integral, &x, &mut y);
            projected.add(&integral, &columns);
            (y, projected)
        })
    };
    assert!(run(1) == run(3));
}

#[test]
fn local_systems_hold_an_experts_cells_and_those_around() {
    let square = Square::new();
    let left = |cell: &u32| (*cell as usize / 2) % ACROSS < ACROSS / 2;
    let all = 0..square.entities.len() as u32;
    let own: Vec<u32> = all.clone().filter(left).collect();
    let touched: Vec<u32> = own.iter().flat_map(|&c| &square.cells[c as usize * 3..][..3]).copied().collect();
    let near = |cell: &u32| square.cells[*cell as usize * 3..][..3].iter().any(|node| touched.contains(node));
    let around: Vec<u32> = all.filter(near).collect();
    let entities: Vec<Entity> = around.iter().map(|&cell| (cell, cell, 0)).collect();
    let integral = square.integral(&entities, Some(&square.weights[..entities.len()]));
    let local = LocalNodes::new(&integral.job.cells, &own, &around);
    assert_eq!([local.own, local.nodes.len()], [(ACROSS / 2 + 1) * (UP + 1), (ACROSS / 2 + 2) * (UP + 1)]);
    let size = local.nodes.len() * C;
    let [mut vector, mut matrix] = [vec![0.0; size], vec![0.0; size * size]];
    local.add_dense(&integral, &mut vector, &mut matrix);
    let [r, j] = square.dense(&integral);
    assert_close(&vector, &local.gather(&r, C));
    let dofs: Vec<usize> = unknowns(&local.nodes, C).collect();
    let expected = dofs.iter().flat_map(|&a| dofs.iter().map(move |&b| (a, b)));
    assert_close(&matrix, &expected.map(|(a, b)| j[a * NODES * C + b]).collect::<Vec<_>>());

    let coupling = local.coupling(&integral.job.cells, around.iter().copied());
    let [mut again, mut entries] = [vec![0.0; size], vec![0.0; coupling.entries(C)]];
    local.add_sparse(&integral, &coupling, &mut again, &mut entries);
    assert_eq!(vector, again);
    let (starts, columns) = coupling.expand(C);
    let mut full = vec![0.0; size * size];
    for row in 0..size {
        for place in starts[row]..starts[row + 1] {
            full[row * size + columns[place]] = entries[place];
        }
    }
    assert_eq!(full, matrix);
}

#[test]
fn elements_are_visited_in_order() {
    let square = Square::new();
    let entities: Vec<Entity> = square.entities.iter().rev().copied().collect();
    let integral = square.integral(&entities, Some(&square.weights));
    let (mut number, mut sum) = (0, vec![0.0; NODES * C]);
    integral.visit(true, |element, weight| {
        assert_eq!((element.entity, weight), (entities[number], square.weights[number]));
        assert_eq!(element.matrix.len(), 36);
        unknowns(element.nodes, C).zip(element.vector).for_each(|(dof, value)| sum[dof] += weight * value);
        number += 1;
    });
    assert_eq!(number, entities.len());
    let mut vector = vec![0.0; NODES * C];
    add_vector(&integral, &mut vector);
    assert_close(&sum, &vector);
}
