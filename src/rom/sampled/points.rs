//! An integral by sampled points, of a state that is linear in few coefficients: nothing of the size of a mesh.
use crate::fem::{Domain, History, Parts, Rule};
use crate::physics::points::{PointPlaces, PointState, at_points};
use crate::physics::{Context, Place, Problem};
use crate::{Error, Result};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use tessera_kernels::{Densities, Entity, Points};

/// The facet of a point inside a cell.
pub const NO_FACET: u8 = u8::MAX;

/// A quadrature point that was chosen to stand for others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chosen {
    /// The integral of its problem.
    pub integral: u32,
    /// Canonical number of its cell in the whole mesh.
    pub cell: u64,
    /// The facet of the cell that it lies on; [`NO_FACET`] inside.
    pub facet: u8,
    /// Its number in the rule of the integral.
    pub point: u32,
    /// Its weight, with the measure: not negative.
    pub weight: f64,
}

/// The facet of its cell that an entity of an integral is; [`NO_FACET`] for a cell.
pub(super) fn facet_of(problem: &Problem, integral: usize, entity: &Entity) -> u8 {
    let own = &problem.integrals[integral];
    match own.place {
        Place::Volume => NO_FACET,
        Place::Boundary => problem.space.mesh.facets.local[own.facets[entity.1 as usize] as usize],
    }
}

/// The points of an integral, and the functions of a basis there.
pub struct SampledIntegral {
    integral: usize,
    place: Place,
    /// Cells of the points and their numbers in the rule.
    origins: Vec<(u32, u32)>,
    /// Rules of one point each, with entities that are numbered over all of them.
    groups: Vec<(Rule, Vec<Entity>)>,
    places: PointPlaces,
    /// Functions' values, `[point, component, function]`, and gradients, `[point, component, coordinate, function]`.
    basis: PointState,
    /// What the form is tested with, if not the basis: laid out as it.
    tests: Option<PointState>,
    /// Where the gradient is that of an interpolated potential: nodes of the points' cells and the shapes' gradients there,
    /// `[point, node]` and `[point, node, coordinate]`.
    potential: Option<(Vec<u32>, Vec<f64>)>,
    /// Coefficients at the last [`SampledIntegral::set`], `[point, coefficient]`.
    coefficients: Vec<f64>,
    /// Internal variables at the start of the step, `[point, variable]`.
    history: Vec<f64>,
}

/// The state that an integral is evaluated at.
#[derive(Clone, Copy)]
pub struct ReducedState<'a> {
    /// Coefficients of the basis.
    pub basis: &'a [f64],
    /// Values at the nodes of the sampled cells, `[node, component]`.
    pub nodal: &'a [f64],
    /// The functions there, `[node, component, function]`.
    pub functions: &'a [f64],
}

impl SampledIntegral {
    /// Those points of `chosen` that belong to integral `integral` of a problem on the sampled cells, which are numbered in
    /// the order of `cell_ids`; `functions` are the basis at the nodes, `[node, component, function]`, and `tests` what the
    /// form is tested with if not with these, laid out alike; each with their number. Local.
    ///
    /// # Errors
    /// [`Error::Failed`] when the integral has no such point.
    pub fn new(
        problem: &Problem,
        integral: usize,
        chosen: &[Chosen],
        cell_ids: &[u64],
        (functions, b): (&[f64], usize),
        tests: Option<(&[f64], usize)>,
    ) -> Result<Self> {
        let (own, space) = (&problem.integrals[integral], &problem.space);
        let mesh = &space.mesh;
        let mut groups: Vec<(Rule, Vec<Entity>)> = Vec::new();
        let (mut weights, mut count, mut origins) = (Vec::new(), 0, Vec::new());
        for group in &own.groups {
            // One entity for each facet or cell.
            let find = |point: &Chosen| {
                let is_its = |entity: &&Entity| {
                    cell_ids[mesh.cell_ids[entity.0 as usize] as usize] == point.cell
                        && facet_of(problem, integral, entity) == point.facet
                };
                group.entities.iter().find(is_its).copied()
            };
            for q in 0..group.rule.weights.len() {
                let mut entities = Vec::new();
                for point in
                    chosen.iter().filter(|c| c.integral as usize == integral && c.point as usize == q)
                {
                    if let Some((cell, _, region)) = find(point) {
                        entities.push((cell, count as u32, region));
                        weights.push(point.weight);
                        origins.push((cell, q as u32));
                        count += 1;
                    }
                }
                if !entities.is_empty() {
                    groups.push((group.rule.at_point(q), entities));
                }
            }
        }
        let expected = chosen.iter().filter(|c| c.integral as usize == integral).count();
        if count != expected {
            let key = &own.key;
            return Err(Error::Failed(format!(
                "{key}: {expected} sampled points, of which {count} are found"
            )));
        }
        let mut result = Self {
            integral,
            place: own.place,
            origins,
            groups,
            places: PointPlaces::default(),
            basis: PointState::default(),
            tests: tests.map(|_| PointState::default()),
            potential: None,
            coefficients: Vec::new(),
            history: vec![0.0; count * problem.form(own.place).history()],
        };
        let (mut nodes, mut slopes) = (Vec::new(), Vec::new());
        let d = mesh.dimension;
        for (rule, entities) in &result.groups {
            let domain = Domain { rule, entities };
            let places = PointPlaces::new(space, &domain);
            result.places.count += places.count;
            result.places.positions.extend(places.positions);
            result.places.normals.extend(places.normals);
            result.places.inverses.extend(&places.inverses);
            let basis = PointState::of(space, functions, &domain);
            result.basis.values.extend(basis.values);
            result.basis.gradients.extend(by_coordinate(&basis.gradients, b, d));
            if let (Some((functions, count)), Some(tests)) = (tests, &mut result.tests) {
                let own = PointState::of(space, functions, &domain);
                tests.values.extend(own.values);
                tests.gradients.extend(by_coordinate(&own.gradients, count, d));
            }
            for (&(cell, ..), inverse) in entities.iter().zip(places.inverses.chunks_exact(d * d)) {
                nodes.extend_from_slice(space.nodes_of(cell as usize));
                for slope in &rule.basis.gradients {
                    slopes.extend((0..d).map(|i| (0..d).map(|k| inverse[k * d + i] * slope[k]).sum::<f64>()));
                }
            }
        }
        result.places.weights = weights;
        result.potential = problem.form(own.place).needs().potential.then_some((nodes, slopes));
        Ok(result)
    }

    /// Number of points.
    pub fn count(&self) -> usize {
        self.places.count
    }

    /// Evaluates the coefficients. Local.
    pub fn set(&mut self, problem: &Problem, context: &Context) {
        let own = &problem.integrals[self.integral];
        self.coefficients.clear();
        for (rule, entities) in &self.groups {
            let domain = Domain { rule, entities };
            let values = own.coefficients.evaluate(context, &problem.space, &domain, self.places.count);
            self.coefficients.extend(at_points(&values, &domain));
        }
    }

    /// Forgets the internal variables. Local.
    pub fn forget(&mut self) {
        self.history.fill(0.0);
    }

    /// Values and gradients of the state at the points, and the gradients of the functions that the state varies by where
    /// these are not those of the basis.
    fn state(&self, problem: &Problem, at: ReducedState, trials: bool) -> (PointState, Option<Vec<f64>>) {
        let values = product(&self.basis.values, at.basis);
        let Some((nodes, slopes)) = &self.potential else {
            return (PointState { values, gradients: product(&self.basis.gradients, at.basis) }, None);
        };
        let kernel = problem.form(self.place);
        let (c, d, b) = (kernel.components(), kernel.dimension(), at.basis.len());
        let first = &self.coefficients[..kernel.coefficients().min(self.coefficients.len())];
        let (mut potentials, mut rates) = (at.nodal.to_vec(), at.nodal.to_vec());
        if self.places.count > 0 {
            kernel.potential(first, at.nodal, &mut potentials, &mut rates);
        }
        let around = nodes.len() / self.places.count.max(1);
        let mut gradients = vec![0.0; self.places.count * c * d];
        let mut varied = vec![0.0; if trials { gradients.len() * b } else { 0 }];
        for (k, (&node, slope)) in nodes.iter().zip(slopes.chunks_exact(d)).enumerate() {
            let point = k / around;
            for i in 0..c {
                let dof = node as usize * c + i;
                for (x, slope) in slope.iter().enumerate() {
                    let row = (point * c + i) * d + x;
                    gradients[row] += potentials[dof] * slope;
                    if trials {
                        let functions = &at.functions[dof * b..][..b];
                        let into = &mut varied[row * b..][..b];
                        into.iter_mut().zip(functions).for_each(|(v, f)| *v += rates[dof] * slope * f);
                    }
                }
            }
        }
        (PointState { values, gradients }, trials.then_some(varied))
    }

    /// Evaluates the form there. Local.
    fn evaluate(&self, problem: &Problem, state: &PointState, parts: Parts, into: Densities) {
        let points = Points {
            count: self.places.count,
            values: &state.values,
            gradients: &state.gradients,
            positions: &self.places.positions,
            normals: &self.places.normals,
            inverses: &self.places.inverses,
            coefficients: &self.coefficients,
            history: &self.history,
            parts,
        };
        problem.form(self.place).evaluate(&points, into);
    }

    /// Adds the form, tested with the functions of the basis (or others, see [`SampledIntegral::new`]), to `vector` and its
    /// derivative by the coefficients to `matrix`, if there is one and it is tested with the basis. Local.
    pub fn add(
        &self,
        problem: &Problem,
        at: ReducedState,
        parts: Parts,
        vector: &mut [f64],
        matrix: Option<&mut Mat<f64>>,
    ) {
        let kernel = problem.form(self.place);
        let (c, d, b) = (kernel.components(), kernel.dimension(), at.basis.len());
        let (state, varied) = self.state(problem, at, matrix.is_some());
        let count = self.places.count;
        let [mut sources, mut fluxes] = [c, c * d].map(|width| vec![0.0; count * width]);
        let n = c * (d + 1);
        let mut derivatives = vec![0.0; if matrix.is_some() { count * n * n } else { 0 }];
        let into = Densities {
            sources: &mut sources,
            fluxes: &mut fluxes,
            derivatives: &mut derivatives,
            history: &mut [],
        };
        self.evaluate(problem, &state, parts, into);
        let weigh = |list: &mut [f64], width: usize| {
            let rows = list.chunks_exact_mut(width).zip(&self.places.weights);
            rows.for_each(|(row, weight)| row.iter_mut().for_each(|v| *v *= weight));
        };
        weigh(&mut sources, c);
        weigh(&mut fluxes, c * d);
        let tests = self.tests.as_ref().unwrap_or(&self.basis);
        add_transposed(&tests.values, &sources, vector);
        add_transposed(&tests.gradients, &fluxes, vector);
        let Some(matrix) = matrix.filter(|_| b > 0) else { return };
        weigh(&mut derivatives, n * n);
        // What a change of the coefficients changes in sources and fluxes, `[point, source or flux, function]`.
        let trials = varied.as_ref().unwrap_or(&self.basis.gradients);
        for (first, width, tests) in [(0, c, &self.basis.values), (c, c * d, &self.basis.gradients)] {
            let mut changes = vec![0.0; count * width * b];
            let mut any = false;
            for (point, derivative) in derivatives.chunks_exact(n * n).enumerate() {
                let values = self.basis.values[point * c * b..][..c * b].chunks_exact(b);
                let gradients = trials[point * c * d * b..][..c * d * b].chunks_exact(b);
                let into = &mut changes[point * width * b..][..width * b];
                // Many entries are none: bodies have no sources that follow their state.
                for (j, function) in values.chain(gradients).enumerate() {
                    for (i, row) in into.chunks_exact_mut(b).enumerate() {
                        let slope = derivative[(first + i) * n + j];
                        if slope != 0.0 {
                            any = true;
                            row.iter_mut().zip(function).for_each(|(r, f)| *r += slope * f);
                        }
                    }
                }
            }
            if any {
                let tests = MatRef::from_row_major_slice(tests, count * width, b);
                let changes = MatRef::from_row_major_slice(&changes, count * width, b);
                matmul(matrix.as_mut(), Accum::Add, tests.transpose(), changes, 1.0, Par::Seq);
            }
        }
    }

    /// The internal variables at the end of a step, `[point, variable]`. Local.
    pub fn next_history(&self, problem: &Problem, at: ReducedState, parts: Parts) -> Vec<f64> {
        let mut next = vec![0.0; self.history.len()];
        if !next.is_empty() {
            let (state, _) = self.state(problem, at, false);
            self.evaluate(problem, &state, parts, Densities { history: &mut next, ..Default::default() });
        }
        next
    }

    /// Puts the internal variables at the points among those of all points of the sampled cells. Local.
    pub fn put_history(&self, into: &mut History) {
        let width = into.width;
        for (&(cell, q), own) in self.origins.iter().zip(self.history.chunks_exact(width.max(1))) {
            let place = (cell as usize * into.points + q as usize) * width;
            into.values[place..][..width].copy_from_slice(own);
        }
    }

    /// Takes internal variables as those at the start of a step. Local.
    pub fn set_history(&mut self, history: Vec<f64>) {
        self.history = history;
    }
}

/// `rows x` of rows `[row, function]`.
fn product(rows: &[f64], x: &[f64]) -> Vec<f64> {
    let b = x.len();
    let mut result = vec![0.0; rows.len() / b.max(1)];
    let rows = MatRef::from_row_major_slice(rows, result.len(), b);
    let count = result.len();
    let into = faer::MatMut::from_column_major_slice_mut(&mut result, count, 1);
    matmul(into, Accum::Replace, rows, MatRef::from_column_major_slice(x, b, 1), 1.0, Par::Seq);
    result
}

/// Adds `rows^T x` of rows `[row, function]`.
fn add_transposed(rows: &[f64], x: &[f64], into: &mut [f64]) {
    let b = into.len();
    let rows = MatRef::from_row_major_slice(rows, x.len(), b);
    let into = faer::MatMut::from_column_major_slice_mut(into, b, 1);
    matmul(into, Accum::Add, rows.transpose(), MatRef::from_column_major_slice(x, x.len(), 1), 1.0, Par::Seq);
}

/// From `[point, component, function, coordinate]` to `[point, component, coordinate, function]`.
fn by_coordinate(gradients: &[f64], functions: usize, dimension: usize) -> Vec<f64> {
    let one = functions * dimension;
    let mut result = Vec::with_capacity(gradients.len());
    for block in gradients.chunks_exact(one.max(1)) {
        for x in 0..dimension {
            result.extend(block.iter().skip(x).step_by(dimension));
        }
    }
    result
}
