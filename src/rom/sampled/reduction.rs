//! From the states of training samples to liftings and modes.
use super::data::ValuesAt;
use super::span::Span;
use crate::Result;
use crate::fem::{Essential, Parts, Space};
use crate::mixture::{Algorithm, Columns, Form, InnerProduct, MatrixProduct, PodStream, Truncation};
use crate::parallel::Redistribution;
use crate::physics::mass::scalar_mass;
use crate::physics::{Context, FormState, Problem};
use crate::rom::Trajectories;
use crate::simulation::Simulation;
use faer::Mat;
use faer::linalg::solvers::Solve;
use std::rc::Rc;

/// Part of the factors' energy that is added to the diagonal of the regression for liftings.
const RIDGE: f64 = 1e-10;

/// Samples to train on.
#[derive(Clone, Copy)]
pub struct Samples<'a> {
    /// Their states.
    pub source: &'a dyn Trajectories,
    /// Their parameters, by sample of the source.
    pub parameters: &'a [Vec<f64>],
    /// The numbers of their draws of random fields, by sample of the source.
    pub draws: &'a [u64],
    /// Those that are used.
    pub which: &'a [usize],
}

impl Samples<'_> {
    /// Times of a sample; one of a steady problem. Collective.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn times(&self, sample: usize) -> Result<Vec<f64>> {
        let times = self.source.times(sample)?;
        Ok(if times.is_empty() { vec![0.0] } else { times })
    }

    /// Parameters, draw and time.
    pub fn context(&self, sample: usize, time: f64) -> Context {
        Context { time, sample: self.draws[sample], ..Context::steady(self.parameters[sample].clone()) }
    }
}

/// Liftings and modes of one physics.
pub struct Reduction {
    /// The problem, on the whole mesh.
    pub problem: Rc<Problem>,
    /// Liftings, then modes: this rank's unknowns.
    pub functions: Columns,
    /// How many of them are liftings.
    pub lifts: usize,
    /// Of the trajectories without their liftings, each divided by its largest norm.
    pub singular_values: Vec<f64>,
    /// Coefficients of the projected states, `[sample][moment]`, samples as in [`Samples::which`].
    pub coefficients: Vec<Vec<Vec<f64>>>,
    /// What errors of a training sample are relative to: the largest norm of its states without liftings, of steady problems
    /// that of all samples.
    pub scales: Vec<f64>,
    /// Largest projection error of a training sample, relative to its scale.
    pub error: f64,
    /// What projects: the modes' images.
    images: Columns,
    product: Box<dyn InnerProduct>,
    prescribed: Span,
    initial: Option<(Span, Vec<Vec<f64>>)>,
    /// Initial values from a file, at the rows of `initial`.
    given: Vec<f64>,
    plan: Redistribution,
}

/// Of a flow the velocity alone.
struct VelocityMass(MatrixProduct, usize);

impl InnerProduct for VelocityMass {
    fn apply(&self, x: &[f64], y: &mut [f64]) -> Result<()> {
        let mut velocity = x.to_vec();
        let without =
            |list: &mut [f64]| list.iter_mut().skip(self.1 - 1).step_by(self.1).for_each(|v| *v = 0.0);
        without(&mut velocity);
        self.0.apply(&velocity, y)?;
        without(y);
        Ok(())
    }
}

/// The inner product of a problem's states: of solids the elastic energy at the deck's parameters, of others L2 (of flows that
/// of the velocity). Collective.
fn product(problem: &Rc<Problem>, context: &Context, rate: f64) -> Result<Box<dyn InnerProduct>> {
    let c = problem.space.components;
    if problem.is_solid() {
        let prepared = problem.at(context)?;
        let (zero, history) = (vec![0.0; problem.space.local_nodes() * c], problem.new_history());
        let parts = Parts { storage: rate, residual: 1.0 };
        let at = FormState { state: &zero, history: history.as_ref(), parts };
        let mut matrix = problem.new_matrix()?;
        prepared.tangent(at, &prepared.essential, &mut matrix)?;
        return Ok(Box::new(MatrixProduct::new(matrix)?));
    }
    let mass = MatrixProduct::with(scalar_mass(&problem.space)?, Form::Components(c))?;
    Ok(if problem.facts().pressure { Box::new(VelocityMass(mass, c)) } else { Box::new(mass) })
}

impl Reduction {
    /// Finds liftings and modes; earlier problems' solutions are set to those of the samples where this one reads them.
    /// Collective.
    ///
    /// # Errors
    /// When prescribed values are no combination of few functions, or a state is not finite.
    pub fn new(
        simulation: &mut Simulation,
        stage: usize,
        samples: Samples,
        truncation: Truncation,
        algorithm: Algorithm,
    ) -> Result<Self> {
        let problem = simulation.stages[stage].problem.clone();
        let (space, comm) = (problem.space.clone(), simulation.mesh.comm.clone());
        let (c, plan) = (space.components, space.canonical());
        let ids: Vec<u64> = (0..space.owned_dofs())
            .map(|dof| space.node_ids[dof / c] * c as u64 + (dof % c) as u64)
            .collect();
        let mut prescribed = Span::new(&comm, ids.clone());
        let mut factors: Vec<Vec<f64>> = Vec::new();
        let mut fixed = Vec::new();
        for &sample in samples.which {
            for (moment, time) in samples.times(sample)?.into_iter().enumerate() {
                set_earlier(simulation, stage, samples, (sample, moment))?;
                let essential = comm.agree(problem.essential(&samples.context(sample, time)))?;
                let mask = of_unknowns(&problem, &essential);
                let values: Vec<f64> = mask
                    .iter()
                    .zip(&essential.values)
                    .map(|(fixed, v)| if *fixed { *v } else { 0.0 })
                    .collect();
                factors.push(prescribed.take(&values, &format!("{}: prescribed values", problem.name))?);
                fixed = mask;
            }
        }
        let q = prescribed.rows.len();
        factors.iter_mut().for_each(|row| row.resize(q, 0.0));

        let in_time = simulation.deck.time.is_some();
        // The liftings' inside by regression on the states: combinations of states, with the least left to the modes.
        let mut sums = Columns::new(&comm, space.owned_dofs());
        (0..q).for_each(|_| sums.push(&vec![0.0; space.owned_dofs()]));
        let (mut rows, mut used) = (factors.iter(), Vec::new());
        for &sample in samples.which {
            for moment in 0..if q > 0 { samples.times(sample)?.len() } else { 0 } {
                let state = samples.source.read(sample, moment, &problem.field, &plan)?;
                let row = rows.next().expect("one for each moment");
                if !counts(&problem, moment, in_time) {
                    continue;
                }
                used.push(row.clone());
                for (j, theta) in row.iter().enumerate().filter(|(_, theta)| **theta != 0.0) {
                    sums.column_mut(j).iter_mut().zip(&state).for_each(|(sum, v)| *sum += theta * v);
                }
            }
        }
        let mut functions = lifted(&sums, &used);
        for j in 0..q {
            let (own, given) = (functions.column_mut(j), prescribed.functions.column(j));
            own.iter_mut()
                .zip(given)
                .zip(&fixed)
                .filter(|(_, fixed)| **fixed)
                .for_each(|((l, g), _)| *l = *g);
        }

        let start = simulation.deck.time.as_ref().map_or(0.0, |time| time.start);
        let rate = simulation.deck.time.as_ref().map_or(0.0, |time| 1.0 / time.step);
        simulation.random.draw(0)?;
        let product = product(&problem, &Context { time: start, ..simulation.default_context() }, rate)?;
        let mut stream = PodStream::new(
            &comm,
            space.owned_dofs(),
            Borrowed(&*product),
            algorithm,
            (samples.which.len(), truncation.tolerance),
        );
        let mut rows = factors.iter();
        for &sample in samples.which {
            let mut trajectory = Columns::new(&comm, space.owned_dofs());
            let mut largest = 0.0f64;
            for moment in 0..samples.times(sample)?.len() {
                let mut state = samples.source.read(sample, moment, &problem.field, &plan)?;
                functions.subtract_from(rows.next().expect("one for each moment"), &mut state);
                state.iter_mut().zip(&fixed).filter(|(_, fixed)| **fixed).for_each(|(v, _)| *v = 0.0);
                if counts(&problem, moment, in_time) {
                    largest = largest.max(product.norm(&comm, &state)?);
                    trajectory.push(&state);
                }
            }
            // Steady states count as they are: one that its lifting gives nearly is not to count as much as others.
            if largest > 0.0 && in_time {
                for j in 0..trajectory.count() {
                    trajectory.column_mut(j).iter_mut().for_each(|v| *v /= largest);
                }
            }
            stream.push(&trajectory)?;
        }
        let allowed = truncation.tolerance * stream.energy();
        let pod = stream.finish(truncation.modes, allowed)?;
        functions.extend(pod.modes.iter());
        let images = pod.modes.image(&*product)?;
        let mut result = Self {
            problem,
            functions,
            lifts: q,
            singular_values: pod.singular_values,
            coefficients: Vec::new(),
            scales: Vec::new(),
            error: 0.0,
            images,
            product,
            prescribed,
            initial: None,
            given: Vec::new(),
            plan,
        };
        result.project(samples, &factors, &fixed, ids, in_time)?;
        if let (true, Some((span, _))) = (simulation.starts_from_file(stage), &result.initial) {
            let state = samples.source.read(samples.which[0], 0, &result.problem.field, &result.plan)?;
            result.given = span.at_rows(&state);
        }
        Ok(result)
    }

    /// Coefficients of all states, and how the initial ones follow from initial values.
    fn project(
        &mut self,
        samples: Samples,
        factors: &[Vec<f64>],
        fixed: &[bool],
        ids: Vec<u64>,
        in_time: bool,
    ) -> Result<()> {
        let comm = self.functions.comm.clone();
        let mut initial = Span::new(&comm, ids);
        let mut errors = Vec::new();
        let mut rows = factors.iter();
        for &sample in samples.which {
            let mut trajectory = Vec::new();
            let (mut largest, mut error) = (0.0f64, 0.0f64);
            for moment in 0..samples.times(sample)?.len() {
                let theta = rows.next().expect("one for each moment");
                let mut state = samples.source.read(sample, moment, &self.problem.field, &self.plan)?;
                self.functions.subtract_from(theta, &mut state);
                state.iter_mut().zip(fixed).filter(|(_, fixed)| **fixed).for_each(|(v, _)| *v = 0.0);
                let modes = self.images.coefficients(&state);
                if moment == 0 && in_time && self.problem.evolves() {
                    initial.take(&state, &format!("{}: initial values", self.problem.name))?;
                }
                largest = largest.max(self.product.norm(&comm, &state)?);
                let none = vec![0.0; self.lifts];
                self.functions.subtract_from(&[none, modes.clone()].concat(), &mut state);
                if counts(&self.problem, moment, in_time) {
                    error = error.max(self.product.norm(&comm, &state)?);
                }
                trajectory.push([theta.clone(), modes].concat());
            }
            self.scales.push(largest.max(f64::MIN_POSITIVE));
            errors.push(error);
            self.coefficients.push(trajectory);
        }
        if !in_time {
            let largest = self.scales.iter().copied().fold(0.0, f64::max);
            self.scales.fill(largest);
        }
        self.error = errors.iter().zip(&self.scales).map(|(error, scale)| error / scale).fold(0.0, f64::max);
        if in_time && self.problem.evolves() {
            let images = &self.images;
            let projected: Vec<Vec<f64>> = initial.functions.iter().map(|f| images.coefficients(f)).collect();
            self.initial = Some((initial, projected));
        }
        Ok(())
    }

    /// Number of modes.
    pub fn modes(&self) -> usize {
        self.functions.count() - self.lifts
    }

    /// The modes: this rank's unknowns.
    pub fn mode_columns(&self) -> Vec<&[f64]> {
        self.functions.iter().skip(self.lifts).collect()
    }

    /// The state with these coefficients: this rank's unknowns. Local.
    pub fn state(&self, coefficients: &[f64]) -> Vec<f64> {
        let mut state = vec![0.0; self.functions.rows()];
        self.functions.add_to(coefficients, &mut state);
        state
    }

    /// Norm of a difference of coefficients of the modes, in the product of the basis.
    pub fn norm(&self, coefficients: &[f64]) -> f64 {
        coefficients[self.lifts..].iter().map(|v| v * v).sum::<f64>().sqrt()
    }

    /// Norm of a state, in the product of the basis. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn state_norm(&self, state: &[f64]) -> Result<f64> {
        self.product.norm(&self.functions.comm, state)
    }

    /// How factors of liftings follow from prescribed values, and coefficients of modes from initial ones. Collective.
    pub fn values_at(&self) -> [ValuesAt; 2] {
        let q = self.lifts;
        let unit = |k: usize| (0..q).map(|i| f64::from(u8::from(i == k))).collect::<Vec<f64>>();
        let units: Vec<Vec<f64>> = (0..q).map(unit).collect();
        let places = |rows: &[u64], prescribed: bool| {
            rows.iter().map(|&row| place(&self.problem, row, prescribed)).collect()
        };
        let lifting = self.prescribed.values_at(&units, places(&self.prescribed.rows, true));
        let n = self.modes();
        let initial = match &self.initial {
            Some((span, projected)) if !span.rows.is_empty() => {
                let factors: Vec<Vec<f64>> =
                    (0..n).map(|i| projected.iter().map(|p| p[i]).collect()).collect();
                let given = self.given.clone();
                ValuesAt { given, ..span.values_at(&factors, places(&span.rows, false)) }
            }
            _ => ValuesAt { matrix: vec![0.0; n], ..ValuesAt::default() },
        };
        [lifting, initial]
    }
}

/// A product that is borrowed.
struct Borrowed<'a>(&'a dyn InnerProduct);

impl InnerProduct for Borrowed<'_> {
    fn apply(&self, x: &[f64], y: &mut [f64]) -> Result<()> {
        self.0.apply(x, y)
    }
}

/// Whether the states of a moment are such as the equations have: what a flow starts from need not be free of divergence, and
/// modes with divergence would do work with the pressure.
fn counts(problem: &Problem, moment: usize, in_time: bool) -> bool {
    moment > 0 || !(in_time && problem.facts().pressure && problem.evolves())
}

/// Which of this rank's unknowns are prescribed; unknowns that only stand for interpolated values are not.
fn of_unknowns(problem: &Problem, essential: &Essential) -> Vec<bool> {
    (0..problem.space.owned_dofs()).map(|dof| essential.fixed[dof] && problem.is_used(dof)).collect()
}

/// Sets the solutions of earlier problems that problem `stage` reads to those of a sample. Collective.
pub(super) fn set_earlier(
    simulation: &mut Simulation,
    stage: usize,
    samples: Samples,
    (sample, moment): (usize, usize),
) -> Result<()> {
    simulation.random.draw(samples.draws[sample])?;
    for earlier in 0..stage {
        let Some(input) = simulation.stages[earlier].input().cloned() else { continue };
        if !simulation.stages[stage].problem.reads(&input) {
            continue;
        }
        let space = simulation.stages[earlier].space().clone();
        let field = simulation.stages[earlier].problem.field.clone();
        let values = samples.source.read(sample, moment, &field, &space.canonical())?;
        simulation.stages[earlier].set_solution(&values)?;
    }
    Ok(())
}

/// `sums (Theta Theta^T)^-1` with a ridge.
fn lifted(sums: &Columns, factors: &[Vec<f64>]) -> Columns {
    let q = sums.count();
    if q == 0 {
        return sums.clone();
    }
    let mut gram = Mat::<f64>::zeros(q, q);
    for row in factors {
        for i in 0..q {
            (0..q).for_each(|j| gram[(i, j)] += row[i] * row[j]);
        }
    }
    let ridge = RIDGE * (0..q).map(|i| gram[(i, i)]).sum::<f64>();
    (0..q).for_each(|i| gram[(i, i)] += ridge.max(f64::MIN_POSITIVE));
    let inverse = gram.partial_piv_lu().solve(Mat::<f64>::identity(q, q));
    sums.combine(inverse.as_ref())
}

/// Where an unknown lies, by its number: canonical cell, node of the cell, component. Of the cells at its node the first; of a
/// prescribed one the first that has a facet there on which the condition acts that prescribes it. Collective.
fn place(problem: &Problem, row: u64, prescribed: bool) -> [u64; 3] {
    let (space, mesh) = (&problem.space, &problem.space.mesh);
    let c = space.components as u64;
    let (id, component) = (row / c, row % c);
    let node = (0..space.owned_nodes).find(|&node| space.node_ids[node] == id).map(|node| node as u32);
    let mut found = [u64::MAX; 2];
    if let Some(node) = node {
        let condition = problem.conditions.iter().rev().find(|condition| {
            prescribed && condition.nodes.contains(&node) && condition.values[component as usize].is_some()
        });
        let facet_cells = condition.filter(|condition| !condition.facets.is_empty()).map(|condition| {
            let has_node = |&&facet: &&u32| {
                let own = crate::fem::place::facet_nodes(space, &[facet]);
                own.contains(&node)
            };
            condition
                .facets
                .iter()
                .filter(has_node)
                .map(|&f| mesh.facets.cell[f as usize])
                .collect::<Vec<u32>>()
        });
        let all = || {
            (0..mesh.local_cells() as u32)
                .filter(|&cell| space.nodes_of(cell as usize).contains(&node))
                .collect()
        };
        for cell in facet_cells.unwrap_or_else(all) {
            let number = mesh.cell_ids[cell as usize];
            let local = space.nodes_of(cell as usize).iter().position(|&other| other == node);
            if let (true, Some(local)) = (number < found[0], local) {
                found = [number, local as u64];
            }
        }
    }
    let comm = &mesh.comm;
    [comm.min(found[0]), comm.min(found[1]), component]
}

/// All cells at a node, by canonical numbers, and the first of them with the node's place in it. Collective.
pub(super) fn cells_of(space: &Space, node: u64) -> (Vec<u64>, [u64; 2]) {
    let mesh = &space.mesh;
    let own = (0..space.owned_nodes).find(|&local| space.node_ids[local] == node).map(|local| local as u32);
    let mut mine: Vec<u64> = Vec::new();
    if let Some(local) = own {
        for cell in 0..mesh.local_cells() {
            if let Some(place) = space.nodes_of(cell).iter().position(|&other| other == local) {
                mine.extend([mesh.cell_ids[cell], place as u64]);
            }
        }
    }
    let all = mesh.comm.all_gather_varied(&mine);
    let first = all.chunks_exact(2).min().map_or([0, 0], |pair| [pair[0], pair[1]]);
    (all.chunks_exact(2).map(|pair| pair[0]).collect(), first)
}
