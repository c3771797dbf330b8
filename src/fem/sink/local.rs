//! Integrals over the cells of one expert as a system of its own unknowns and those around them.
use super::{Integral, unknowns};
use tessera_kernels::Cells;

/// The nodes of an expert's cells, then those of cells around it that are not among them (its halo), each ascending by
/// local numbers: a numbering of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalNodes {
    /// Local nodes in the order of their own numbers.
    pub nodes: Vec<u32>,
    /// How many are the expert's.
    pub own: usize,
}

/// Which of these nodes have an entry in a matrix, in compressed rows. Entries of the matrix stand row by row,
/// `components` rows a node, in each the columns of the nodes of its row, `[node, row component, place, component]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coupling {
    /// Start of each node's row among the columns; one more entry than nodes.
    pub rows: Vec<u32>,
    /// Own numbers of the columns' nodes, ascending in each row.
    pub columns: Vec<u32>,
}

impl LocalNodes {
    /// Of an expert's cells and of the cells around it, which may contain them; local cells in any order.
    pub fn new(cells: &Cells, own: &[u32], around: &[u32]) -> Self {
        let of = |list: &[u32]| {
            let n = cells.functions;
            let mut nodes: Vec<u32> =
                list.iter().flat_map(|&cell| &cells.nodes[cell as usize * n..][..n]).copied().collect();
            nodes.sort_unstable();
            nodes.dedup();
            nodes
        };
        let mut nodes = of(own);
        let count = nodes.len();
        let mut halo = of(around);
        halo.retain(|node| nodes.binary_search(node).is_err());
        nodes.append(&mut halo);
        Self { nodes, own: count }
    }

    /// A local node's own number.
    pub fn number(&self, node: u32) -> Option<usize> {
        let (own, halo) = self.nodes.split_at(self.own);
        own.binary_search(&node).ok().or_else(|| Some(self.own + halo.binary_search(&node).ok()?))
    }

    /// Own numbers of a cell's nodes.
    fn numbers(&self, nodes: &[u32], numbers: &mut Vec<u32>) {
        numbers.clear();
        let of = |node: u32| self.number(node).expect("a cell of the expert or around it");
        numbers.extend(nodes.iter().map(|&node| of(node) as u32));
    }

    /// Values at these nodes of an array over the local nodes, `[node, number]`.
    pub fn gather(&self, values: &[f64], width: usize) -> Vec<f64> {
        self.nodes.iter().flat_map(|&node| &values[node as usize * width..][..width]).copied().collect()
    }

    /// How the nodes of some local cells couple.
    pub fn coupling(&self, cells: &Cells, list: impl IntoIterator<Item = u32>) -> Coupling {
        let n = cells.functions;
        let mut couples: Vec<Vec<u32>> = vec![Vec::new(); self.nodes.len()];
        let mut numbers = Vec::new();
        for cell in list {
            self.numbers(&cells.nodes[cell as usize * n..][..n], &mut numbers);
            numbers.iter().for_each(|&row| couples[row as usize].extend(&numbers));
        }
        let mut coupling = Coupling { rows: vec![0], columns: Vec::new() };
        for mut row in couples {
            row.sort_unstable();
            row.dedup();
            coupling.columns.append(&mut row);
            coupling.rows.push(coupling.columns.len() as u32);
        }
        coupling
    }

    /// Adds the weighted integral to a vector `[node, component]` and, unless it is empty, its derivative to a dense
    /// matrix `[row, column]` of these unknowns.
    ///
    /// # Panics
    /// When an entity is seen from a cell with other nodes.
    pub fn add_dense(&self, integral: &Integral, vector: &mut [f64], matrix: &mut [f64]) {
        let (c, size) = (integral.kernel.components(), vector.len());
        self.add(integral, vector, !matrix.is_empty(), |numbers, element, weight| {
            for (row, values) in unknowns(numbers, c).zip(element.chunks_exact(numbers.len() * c)) {
                let target = &mut matrix[row * size..][..size];
                unknowns(numbers, c).zip(values).for_each(|(dof, value)| target[dof] += weight * value);
            }
        });
    }

    /// As [`LocalNodes::add_dense`], into the entries of a sparse matrix.
    ///
    /// # Panics
    /// As there, or when the cell's nodes do not couple.
    pub fn add_sparse(
        &self,
        integral: &Integral,
        coupling: &Coupling,
        vector: &mut [f64],
        entries: &mut [f64],
    ) {
        let c = integral.kernel.components();
        self.add(integral, vector, !entries.is_empty(), |numbers, element, weight| {
            let n = numbers.len();
            for (a, &row) in numbers.iter().enumerate() {
                let [start, end] = [0, 1].map(|k| coupling.rows[row as usize + k] as usize);
                let columns = &coupling.columns[start..end];
                for (b, column) in numbers.iter().enumerate() {
                    let place = columns.binary_search(column).expect("nodes that couple");
                    for i in 0..c {
                        let target = &mut entries[(start * c + i * columns.len() + place) * c..][..c];
                        let values = &element[((a * c + i) * n + b) * c..][..c];
                        target.iter_mut().zip(values).for_each(|(target, value)| *target += weight * value);
                    }
                }
            }
        });
    }

    /// Adds to the vector, and calls `visit` with own numbers of nodes, element matrix and weight.
    fn add(
        &self,
        integral: &Integral,
        vector: &mut [f64],
        wants_matrix: bool,
        mut visit: impl FnMut(&[u32], &[f64], f64),
    ) {
        let c = integral.kernel.components();
        let size = integral.job.cells.functions * c;
        let mut numbers = Vec::new();
        integral.gather(
            wants_matrix,
            || (Vec::new(), Vec::new(), Vec::new()),
            |(loads, matrices, weights), chunk| {
                loads.extend_from_slice(chunk.elements.vectors);
                matrices.extend_from_slice(chunk.elements.matrices);
                weights.extend(chunk.each().map(|(_, weight)| weight));
            },
            |job, (loads, matrices, weights)| {
                let n = job.cells.functions;
                for (e, (entity, &weight)) in job.entities.iter().zip(&weights).enumerate() {
                    self.numbers(&job.cells.nodes[entity.0 as usize * n..][..n], &mut numbers);
                    for (dof, value) in unknowns(&numbers, c).zip(&loads[e * size..][..size]) {
                        vector[dof] += weight * value;
                    }
                    if wants_matrix {
                        visit(&numbers, &matrices[e * size * size..][..size * size], weight);
                    }
                }
            },
        );
    }
}

impl Coupling {
    /// Number of entries of a matrix with so many unknowns at a node.
    pub fn entries(&self, components: usize) -> usize {
        self.columns.len() * components * components
    }

    /// Starts of the rows and columns of the entries, unknown by unknown.
    pub fn expand(&self, components: usize) -> (Vec<usize>, Vec<usize>) {
        let mut starts = vec![0];
        let mut columns = Vec::with_capacity(self.entries(components));
        for row in self.rows.windows(2) {
            for _ in 0..components {
                columns.extend(unknowns(&self.columns[row[0] as usize..row[1] as usize], components));
                starts.push(columns.len());
            }
        }
        (starts, columns)
    }
}
