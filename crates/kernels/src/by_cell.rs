//! Element vectors and matrices of an integral, cell by cell, from the kernels that assemble it.
//!
//! A kernel adds to rows in CSR format, wherever the numbers of a job's nodes say. Here the cells of a few entities get
//! nodes of their own, so that no two share one: what the kernel then adds for an entity are `functions` whole rows of
//! blocks, one after the other, which is its dense element matrix. Whatever else may be done with an integral (projected,
//! restricted to an expert, applied without a matrix) is done with these, by no other kernel.
use super::job::{Cells, Entity, History, Job, Part, Prescribed, Sparsity};
use super::kernel::Kernel;
use super::lanes::LANES;

/// Element matrices that are computed before they are looked at fill about so many bytes: the second cache.
const CHUNK_BYTES: usize = 1 << 18;
/// More entities at once than this gain nothing.
const LARGEST_CHUNK: usize = 128;

/// Room for the cells of a few entities, numbered apart. One of a thread serves all integrals on cells of one shape with
/// so many unknowns.
pub struct ByCell {
    components: usize,
    functions: usize,
    corners: usize,
    capacity: usize,
    // The numbering, the same always: entity `e` is cell `e` with nodes `e * functions ...`.
    nodes: Vec<u32>,
    rows: Vec<u32>,
    no_rows: Vec<u32>,
    positions: Vec<u16>,
    // What is gathered for the entities at hand.
    entities: Vec<Entity>,
    vertices: Vec<u32>,
    state: Vec<f64>,
    fixed: Vec<bool>,
    prescribed: Vec<f64>,
    constrained: Vec<bool>,
    history: History,
    // What the kernel made of them.
    vectors: Vec<f64>,
    matrices: Vec<f64>,
}

/// What an integral is on a few entities, with `n` unknowns of a cell, `[function, component]`.
#[derive(Debug, Clone, Copy)]
pub struct Elements<'a> {
    /// `n`.
    pub unknowns: usize,
    /// Element vectors, `[entity, n]`.
    pub vectors: &'a [f64],
    /// Element matrices, `[entity, row, column]`; empty where none were wanted.
    pub matrices: &'a [f64],
}

/// What an integral is on one entity.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a> {
    /// The entity, whose first number is its local cell.
    pub entity: Entity,
    /// Local nodes of the cell, `[function]`.
    pub nodes: &'a [u32],
    /// `[function, component]`.
    pub vector: &'a [f64],
    /// `[row, column]`, both `(function, component)`; empty where none is wanted.
    pub matrix: &'a [f64],
}

impl Elements<'_> {
    /// One after the other; `job` is what they were computed for.
    pub fn each<'a>(&'a self, job: &Job<'a>) -> impl Iterator<Item = Element<'a>> {
        let (n, cells) = (self.unknowns, job.cells);
        let wants_matrix = !self.matrices.is_empty();
        job.entities.iter().enumerate().map(move |(e, &entity)| Element {
            entity,
            nodes: &cells.nodes[entity.0 as usize * cells.functions..][..cells.functions],
            vector: &self.vectors[e * n..][..n],
            matrix: if wants_matrix { &self.matrices[e * n * n..][..n * n] } else { &[] },
        })
    }
}

impl ByCell {
    /// Room for as many entities as [`ByCell::chunk`] says.
    pub fn new(components: usize, cells: &Cells) -> Self {
        let (functions, capacity) = (cells.functions, Self::chunk(components, cells));
        let nodes = capacity * functions;
        Self {
            components,
            functions,
            corners: cells.corners,
            capacity,
            nodes: (0..nodes as u32).collect(),
            rows: (0..=nodes as u32).map(|row| row * functions as u32).collect(),
            no_rows: vec![0; nodes + 1],
            positions: (0..nodes * functions).map(|place| (place % functions) as u16).collect(),
            entities: Vec::with_capacity(capacity),
            vertices: Vec::with_capacity(capacity * cells.corners),
            state: Vec::new(),
            fixed: Vec::new(),
            prescribed: Vec::new(),
            constrained: Vec::new(),
            history: History::default(),
            vectors: Vec::new(),
            matrices: Vec::new(),
        }
    }

    /// How many entities at once are a good number: whole batches of eight.
    pub fn chunk(components: usize, cells: &Cells) -> usize {
        let matrix = 8 * (cells.functions * components).pow(2);
        (CHUNK_BYTES / matrix / LANES * LANES).clamp(LANES, LARGEST_CHUNK)
    }

    /// What [`Kernel::add`] adds for each of the job's entities, at most as many as there is room for. The job is as for
    /// `add`, whose `sparsity` and `rows` are not looked at: with prescribed unknowns their rows and columns of the
    /// element matrices are zero.
    ///
    /// # Panics
    /// When there are too many entities, or the cells are of another shape.
    pub fn compute(&mut self, kernel: &dyn Kernel, job: &Job) -> Elements<'_> {
        let (c, n) = (self.components, self.functions);
        let (count, unknowns) = (job.entities.len(), n * c);
        assert!(count <= self.capacity, "{count} entities where {} have room", self.capacity);
        let shapes = [[kernel.components(), job.cells.functions, job.cells.corners], [c, n, self.corners]];
        assert_eq!(shapes[0], shapes[1], "components, functions and corners");
        self.gather(job);
        self.vectors.clear();
        self.vectors.resize(count * unknowns, 0.0);
        self.matrices.clear();
        self.matrices.resize(if job.wants_matrix { count * unknowns * unknowns } else { 0 }, 0.0);
        let apart = Job {
            cells: Cells { vertices: &self.vertices, nodes: &self.nodes, ..job.cells },
            sparsity: Sparsity {
                diagonal_rows: &self.rows,
                off_diagonal_rows: &self.no_rows,
                positions: &self.positions,
            },
            entities: &self.entities,
            prescribed: job.prescribed.map(|_| Prescribed {
                fixed: &self.fixed,
                values: &self.prescribed,
                cells: &self.constrained,
            }),
            rows: 0..count * n,
            state: job.state.map(|_| &self.state[..]),
            history: job.history.map(|_| &self.history),
            ..job.clone()
        };
        let part = Part { diagonal: &mut self.matrices, off_diagonal: &mut [], load: &mut self.vectors };
        kernel.add(&apart, part);
        Elements { unknowns, vectors: &self.vectors, matrices: &self.matrices }
    }

    /// Calls `visit` for each of any number of entities, in their order.
    ///
    /// # Panics
    /// As [`ByCell::compute`].
    pub fn visit(&mut self, kernel: &dyn Kernel, job: &Job, mut visit: impl FnMut(&Element)) {
        for entities in job.entities.chunks(self.capacity) {
            let part = Job { entities, ..job.clone() };
            self.compute(kernel, &part).each(&part).for_each(|element| visit(&element));
        }
    }

    /// What belongs to cells and nodes, in the numbering of its own. Coefficients go by the index of an entity, which it
    /// keeps.
    fn gather(&mut self, job: &Job) {
        let (c, n, corners) = (self.components, self.functions, self.corners);
        self.entities.clear();
        self.vertices.clear();
        self.state.clear();
        self.fixed.clear();
        self.prescribed.clear();
        self.constrained.clear();
        self.history.values.clear();
        if let Some(history) = job.history {
            (self.history.width, self.history.points) = (history.width, history.points);
        }
        for (number, &(cell, index, region)) in job.entities.iter().enumerate() {
            let cell = cell as usize;
            self.entities.push((number as u32, index, region));
            self.vertices.extend_from_slice(&job.cells.vertices[cell * corners..][..corners]);
            let nodes = &job.cells.nodes[cell * n..][..n];
            if let Some(state) = job.state {
                nodes.iter().for_each(|&node| self.state.extend(&state[node as usize * c..][..c]));
            }
            if let Some(prescribed) = job.prescribed {
                self.constrained.push(prescribed.cells[cell]);
                for node in nodes.iter().map(|&node| node as usize * c) {
                    self.fixed.extend(&prescribed.fixed[node..][..c]);
                    self.prescribed.extend(&prescribed.values[node..][..c]);
                }
            }
            if let Some(history) = job.history {
                let size = history.points * history.width;
                self.history.values.extend(&history.values[cell * size..][..size]);
            }
        }
    }
}
