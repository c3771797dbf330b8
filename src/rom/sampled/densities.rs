//! Densities of forms along training trajectories, at all points of an integral.
use super::reduction::Reduction;
use crate::Result;
use crate::fem::{Domain, Parts};
use crate::mixture::{Algorithm, Columns, Euclidean, PodStream};
use crate::physics::points::{PointPlaces, PointState};
use crate::physics::{FormState, Place, Prepared, Problem};
use std::rc::Rc;
use tessera_kernels::Entity;

/// Rows of a cubature beyond which fewer modes of the densities are taken.
pub(super) const ROWS: usize = 1200;
/// Energy of the densities that their modes may leave out.
const LEFT_OUT: f64 = 1e-9;
/// Columns in a batch of densities, at most, and numbers of them on a rank.
const BATCH: usize = 48;
const NUMBERS: usize = 1 << 25;
/// Points at once.
const CHUNK: usize = 512;

/// The points of an integral on the whole mesh, those of this rank.
pub(super) struct Whole {
    /// The problem.
    pub problem: Rc<Problem>,
    /// Number of the integral.
    pub integral: usize,
    /// Volume or boundary.
    pub place: Place,
    /// By group: entities of this rank, and places of their points.
    pub groups: Vec<(Vec<Entity>, PointPlaces)>,
    /// Number of points.
    pub count: usize,
}

impl Whole {
    fn new(problem: &Rc<Problem>, integral: usize) -> Self {
        let own = &problem.integrals[integral];
        let groups: Vec<_> = (0..own.groups.len())
            .map(|group| {
                let entities = problem.own_entities(integral, group);
                let domain = Domain { rule: &own.groups[group].rule, entities: &entities };
                let places = PointPlaces::new(&problem.space, &domain);
                (entities, places)
            })
            .collect();
        let count = groups.iter().map(|group| group.1.count).sum();
        Self { problem: problem.clone(), integral, place: own.place, groups, count }
    }

    /// Calls `visit` with every point of this rank: its number, weight, values `[component, function]` and gradients
    /// `[component, function, coordinate]` of functions (this rank's unknowns); a flow's pressure is left out. Collective.
    pub fn each_point(
        &self,
        functions: &[&[f64]],
        mut visit: impl FnMut(usize, f64, &[f64], &[f64]),
    ) -> Result<()> {
        let problem = &self.problem;
        let (space, c, n) = (&problem.space, problem.space.components, functions.len());
        if n == 0 {
            return Ok(());
        }
        let acts = |dof: usize| !problem.facts().pressure || dof % c + 1 < c;
        let mut nodal = vec![0.0; space.local_nodes() * c * n];
        let mut field = space.field()?;
        for (j, function) in functions.iter().enumerate() {
            field.write()?.copy_from_slice(function);
            field.ghost_update()?;
            let values = field.local_read()?;
            for (dof, value) in values.iter().enumerate().filter(|(dof, _)| acts(*dof)) {
                nodal[dof * n + j] = *value;
            }
        }
        let (d, mut first) = (space.mesh.dimension, 0);
        for (group, (entities, places)) in self.groups.iter().enumerate() {
            let rule = &problem.integrals[self.integral].groups[group].rule;
            let points = rule.weights.len();
            let mut weights = places.weights.iter();
            for part in entities.chunks(CHUNK / points.min(CHUNK)) {
                let state = PointState::of(space, &nodal, &Domain { rule, entities: part });
                let rows = state.values.chunks_exact(c * n).zip(state.gradients.chunks_exact(c * n * d));
                for ((values, gradients), weight) in rows.zip(weights.by_ref()) {
                    visit(first, *weight, values, gradients);
                    first += 1;
                }
            }
        }
        Ok(())
    }

    /// Integral of one. Collective.
    pub fn measure(&self) -> f64 {
        let own = self.groups.iter().flat_map(|group| &group.1.weights).sum::<f64>();
        self.problem.space.mesh.comm.sum(own)
    }
}

/// Densities while they are collected.
pub(super) struct Densities {
    whole: Whole,
    sizes: [Vec<f64>; 2],
    stream: PodStream<Euclidean>,
    batch: Columns,
    /// Columns in a batch.
    together: usize,
    /// The storage's density at the last accepted moment.
    stored: Option<Vec<f64>>,
}

/// Modes of the densities of an integral, times their singular values and the roots of weights: `[point, number]` with sources,
/// then fluxes of each point, in units of work.
pub(super) struct DensityModes {
    /// The points.
    pub whole: Whole,
    /// Root mean squares of values and gradients of the basis, by component.
    pub sizes: [Vec<f64>; 2],
    /// The modes.
    pub modes: Columns,
}

impl Densities {
    /// Nothing yet of integral number `integral` of a problem; so many columns will come. Collective.
    pub fn new(reduction: &Reduction, integral: usize, columns: usize) -> Result<Self> {
        let whole = Whole::new(&reduction.problem, integral);
        let space = &whole.problem.space;
        let (c, d, n) = (space.components, space.mesh.dimension, reduction.modes());
        let mut sums = vec![0.0; 2 * c];
        whole.each_point(&reduction.mode_columns(), |_, weight, values, gradients| {
            for i in 0..c {
                sums[i] += weight * values[i * n..][..n].iter().map(|v| v * v).sum::<f64>();
                let own = &gradients[i * n * d..][..n * d];
                sums[c + i] += weight * own.iter().map(|v| v * v).sum::<f64>();
            }
        })?;
        let comm = space.mesh.comm.clone();
        comm.sum_into(&mut sums);
        let measure = whole.measure();
        let root = |sum: &f64| (sum / (measure * n.max(1) as f64)).sqrt();
        let mean: Vec<f64> = sums.iter().map(root).map(|v| if v.is_finite() { v } else { 0.0 }).collect();
        let rows = whole.count * c * (1 + d);
        let together = (NUMBERS as u64 / comm.max(rows as u64).max(1)).clamp(8, BATCH as u64) as usize;
        let batches = (columns.div_ceil(together), LEFT_OUT);
        // Modes beyond those that rows are made of serve the decomposition; large meshes have less room for them.
        let room = (2 * NUMBERS as u64 / comm.max(rows as u64).max(1)).clamp(24, 96) as usize;
        let most = room.min(2 * ROWS.div_ceil(n.max(1)));
        Ok(Self {
            sizes: [mean[..c].to_vec(), mean[c..].to_vec()],
            stream: PodStream::new(&comm, rows, Euclidean, Algorithm::Snapshots, batches).at_most(most),
            together,
            batch: Columns::new(&comm, rows),
            stored: None,
            whole,
        })
    }

    /// A column of densities at all points, times the roots of weights, in units of work.
    fn column(&self, prepared: &Prepared, at: FormState) -> Vec<f64> {
        let mut column = Vec::with_capacity(self.batch.rows());
        let d = self.whole.problem.space.mesh.dimension;
        let [values, gradients] = &self.sizes;
        let c = values.len();
        for (group, (entities, places)) in self.whole.groups.iter().enumerate() {
            let [sources, fluxes] = prepared.densities(at, (self.whole.integral, group), entities, places);
            let rows = sources.chunks_exact(c).zip(fluxes.chunks_exact(c * d));
            for ((sources, fluxes), weight) in rows.zip(&places.weights) {
                let root = weight.max(0.0).sqrt();
                column.extend(sources.iter().zip(values).map(|(s, size)| root * s * size));
                column.extend(fluxes.iter().enumerate().map(|(k, f)| root * f * gradients[k / d]));
            }
        }
        column
    }

    /// Takes the densities at a state: the rest, and what the storage changes by in a step. `keep` says that they count.
    /// Collective.
    ///
    /// # Errors
    /// When a density is not finite.
    pub fn take(&mut self, prepared: &Prepared, at: FormState, keep: bool) -> Result<()> {
        let with_history = at.history.is_some();
        let parts = at.parts;
        if parts.storage == 0.0 || with_history {
            if keep {
                let column = self.column(prepared, at);
                self.push(&column)?;
            }
            return Ok(());
        }
        let storage = self.column(prepared, FormState { parts: Parts::STORAGE, ..at });
        if let (true, Some(before)) = (keep, self.stored.take()) {
            let rest = self.column(prepared, FormState { parts: Parts::REST, ..at });
            let full = self.column(prepared, at);
            let change: Vec<f64> =
                (0..full.len()).map(|i| full[i] - rest[i] - parts.storage * before[i]).collect();
            self.push(&rest)?;
            self.push(&change)?;
        }
        self.stored = Some(storage);
        Ok(())
    }

    /// A new trajectory begins with this state. Local.
    pub fn begin(&mut self, prepared: Option<(&Prepared, FormState)>) {
        self.stored =
            prepared.map(|(prepared, at)| self.column(prepared, FormState { parts: Parts::STORAGE, ..at }));
    }

    fn push(&mut self, column: &[f64]) -> Result<()> {
        self.batch.push(column);
        if self.batch.count() == self.together { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        if self.batch.count() > 0 {
            let empty = Columns::new(&self.batch.comm, self.batch.rows());
            self.stream.push(&std::mem::replace(&mut self.batch, empty))?;
        }
        Ok(())
    }

    /// The modes, no more than `most`. Collective.
    ///
    /// # Errors
    /// When a decomposition fails.
    pub fn finish(mut self, most: usize) -> Result<DensityModes> {
        self.flush()?;
        let allowed = LEFT_OUT * self.stream.energy();
        let pod = self.stream.finish(most, allowed)?;
        let mut modes = pod.modes;
        for j in 0..modes.count() {
            modes.column_mut(j).iter_mut().for_each(|v| *v *= pod.singular_values[j]);
        }
        Ok(DensityModes { whole: self.whole, sizes: self.sizes, modes })
    }
}
