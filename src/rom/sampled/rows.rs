//! What sampled points have to integrate: the virtual work of the modes with the densities of training trajectories.
use super::nnls::{DistributedColumns, Options, nnls};
use super::points::{Chosen, NO_FACET};
use super::reduction::Reduction;
use crate::Result;
use crate::fem::{Domain, Parts};
use crate::mixture::{Algorithm, Columns, Euclidean, PodStream};
use crate::physics::points::{PointPlaces, PointState};
use crate::physics::{FormState, Place, Prepared};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par, Side};
use tessera_kernels::Entity;

/// Energy of the densities that their modes may leave out.
const DENSITIES: f64 = 1e-7;
/// Rows beyond which fewer modes of the densities are taken.
const ROWS: usize = 1600;
/// Singular values of the rows below this part of the first are left out.
const CUT: f64 = 1e-6;
/// Points at once.
const CHUNK: usize = 512;

/// An integral on the whole mesh: its points on this rank, and what is known of its densities.
pub(super) struct WholeIntegral {
    integral: usize,
    place: Place,
    /// By group: entities of this rank, and places of their points.
    groups: Vec<(Vec<Entity>, PointPlaces)>,
    /// Root mean squares of values and gradients of the modes, by component.
    sizes: [Vec<f64>; 2],
    dimension: usize,
    count: usize,
    densities: PodStream<Euclidean>,
    batch: Columns,
    /// The storage's density at the last accepted moment.
    stored: Option<Vec<f64>>,
}

/// Columns in a batch of densities.
const BATCH: usize = 48;

impl WholeIntegral {
    /// Integral number `integral` of a problem. Collective.
    pub fn new(reduction: &Reduction, integral: usize, columns: usize) -> Result<Self> {
        let problem = &reduction.problem;
        let (space, own) = (&problem.space, &problem.integrals[integral]);
        let (c, d) = (space.components, space.mesh.dimension);
        let groups: Vec<_> = (0..own.groups.len())
            .map(|group| {
                let entities = problem.own_entities(integral, group);
                let domain = Domain { rule: &own.groups[group].rule, entities: &entities };
                let places = PointPlaces::new(space, &domain);
                (entities, places)
            })
            .collect();
        let count = groups.iter().map(|group| group.1.count).sum();
        let comm = &space.mesh.comm;
        let mut result = Self {
            integral,
            place: own.place,
            groups,
            sizes: [vec![0.0; c], vec![0.0; c]],
            dimension: d,
            count,
            densities: PodStream::new(
                comm,
                count * c * (1 + d),
                Euclidean,
                Algorithm::Snapshots,
                (columns.div_ceil(BATCH), DENSITIES),
            ),
            batch: Columns::new(comm, count * c * (1 + d)),
            stored: None,
        };
        let n = reduction.modes();
        let mut sums = vec![0.0; 2 * c];
        result.each_point(reduction, |_, weight, values, gradients| {
            for i in 0..c {
                sums[i] += weight * values[i * n..][..n].iter().map(|v| v * v).sum::<f64>();
                let own = &gradients[i * n * d..][..n * d];
                sums[c + i] += weight * own.iter().map(|v| v * v).sum::<f64>();
            }
        })?;
        comm.sum_into(&mut sums);
        let measure = comm.sum(result.groups.iter().flat_map(|group| &group.1.weights).sum::<f64>());
        let root = |sum: &f64| (sum / (measure * n.max(1) as f64)).sqrt();
        let mean: Vec<f64> = sums.iter().map(root).map(|v| if v.is_finite() { v } else { 0.0 }).collect();
        result.sizes = [mean[..c].to_vec(), mean[c..].to_vec()];
        Ok(result)
    }

    /// Calls `visit` with every point of this rank: its number, weight, values `[component, mode]` and gradients
    /// `[component, mode, coordinate]` of the modes; a flow's pressure is left out. Collective.
    fn each_point(
        &self,
        reduction: &Reduction,
        mut visit: impl FnMut(usize, f64, &[f64], &[f64]),
    ) -> Result<()> {
        let problem = &reduction.problem;
        let (space, c, n) = (&problem.space, problem.space.components, reduction.modes());
        if n == 0 {
            return Ok(());
        }
        let mut nodal = vec![0.0; space.local_nodes() * c * n];
        let mut field = space.field()?;
        for mode in 0..n {
            field.write()?.copy_from_slice(reduction.functions.column(reduction.lifts + mode));
            field.ghost_update()?;
            let values = field.local_read()?;
            for (dof, value) in
                values.iter().enumerate().filter(|(dof, _)| !problem.facts().pressure || dof % c + 1 < c)
            {
                nodal[dof * n + mode] = *value;
            }
        }
        let (d, mut first) = (self.dimension, 0);
        for (group, (entities, places)) in self.groups.iter().enumerate() {
            let rule = &problem.integrals[self.integral].groups[group].rule;
            let points = rule.weights.len();
            for part in entities.chunks(CHUNK / points.min(CHUNK)) {
                let state = PointState::of(space, &nodal, &Domain { rule, entities: part });
                let rows = state.values.chunks_exact(c * n).zip(state.gradients.chunks_exact(c * n * d));
                for (values, gradients) in rows {
                    let place = first;
                    visit(place, places.weights[place - self.first_of(group)], values, gradients);
                    first += 1;
                }
            }
        }
        Ok(())
    }

    /// The number of the first point of a group.
    fn first_of(&self, group: usize) -> usize {
        self.groups[..group].iter().map(|group| group.1.count).sum()
    }

    /// A column of densities at all points, times the roots of weights, in units of work.
    fn column(&self, prepared: &Prepared, at: FormState) -> Vec<f64> {
        let mut column = Vec::with_capacity(self.batch.rows());
        let d = self.dimension;
        let [values, gradients] = &self.sizes;
        let c = values.len();
        for (group, (entities, places)) in self.groups.iter().enumerate() {
            let [sources, fluxes] = prepared.densities(at, (self.integral, group), entities, places);
            let rows = sources.chunks_exact(c).zip(fluxes.chunks_exact(c * d));
            for ((sources, fluxes), weight) in rows.zip(&places.weights) {
                let root = weight.max(0.0).sqrt();
                column.extend(sources.iter().zip(values).map(|(s, size)| root * s * size));
                column.extend(fluxes.iter().enumerate().map(|(k, f)| root * f * gradients[k / d]));
            }
        }
        column
    }

    /// Takes the densities at a state: the rest, and what the storage changes by in a step. `first` says that the state is at
    /// the start of a trajectory, `keep` that it counts. Collective.
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
        if self.batch.count() == BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        if self.batch.count() > 0 {
            let empty = Columns::new(&self.batch.comm, self.batch.rows());
            self.densities.push(&std::mem::replace(&mut self.batch, empty))?;
        }
        Ok(())
    }

    /// The rows that a rule has to integrate. Collective.
    ///
    /// # Errors
    /// When a decomposition fails.
    pub fn rows(mut self, reduction: &Reduction) -> Result<Rows> {
        self.flush()?;
        let comm = reduction.functions.comm.clone();
        let n = reduction.modes();
        let fresh = PodStream::new(&comm, self.batch.rows(), Euclidean, Algorithm::Snapshots, (1, DENSITIES));
        let densities = std::mem::replace(&mut self.densities, fresh);
        let allowed = DENSITIES * densities.energy();
        let pod = densities.finish(ROWS / n.max(1), allowed)?;
        let modes = pod.modes.count();
        let (c, d) = (self.sizes[0].len(), self.dimension);
        let width = c * (1 + d);
        // Work of a chunk of points, `[point, density mode, mode]`, and sums over all of its products.
        let total = modes * n;
        let mut gram = Mat::<f64>::zeros(total, total);
        let sigma = &pod.singular_values;
        let [values_of, gradients_of] = &self.sizes;
        let safe = |size: f64| if size > 0.0 { 1.0 / size } else { 0.0 };
        let work = |place: usize, values: &[f64], gradients: &[f64], row: &mut [f64]| {
            for (s, row) in row.chunks_exact_mut(n).enumerate() {
                let density = &pod.modes.column(s)[place * width..][..width];
                for i in 0..c {
                    let source = sigma[s] * density[i] * safe(values_of[i]);
                    row.iter_mut().zip(&values[i * n..][..n]).for_each(|(r, v)| *r += source * v);
                    for x in 0..d {
                        let flux = sigma[s] * density[c + i * d + x] * safe(gradients_of[i]);
                        for (j, r) in row.iter_mut().enumerate() {
                            *r += flux * gradients[(i * n + j) * d + x];
                        }
                    }
                }
            }
        };
        let mut chunk: Vec<f64> = Vec::new();
        let mut add = |chunk: &mut Vec<f64>| {
            let points = chunk.len() / total.max(1);
            let rows = MatRef::from_row_major_slice(chunk, points, total);
            matmul(gram.as_mut(), Accum::Add, rows.transpose(), rows, 1.0, Par::Seq);
            chunk.clear();
        };
        self.each_point(reduction, |place, _, values, gradients| {
            let start = chunk.len();
            chunk.resize(start + total, 0.0);
            work(place, values, gradients, &mut chunk[start..]);
            if chunk.len() >= CHUNK * total {
                add(&mut chunk);
            }
        })?;
        add(&mut chunk);
        let mut flat: Vec<f64> = (0..total * total).map(|k| gram[(k / total, k % total)]).collect();
        comm.sum_into(&mut flat);
        let gram = MatRef::from_row_major_slice(&flat, total, total);
        let (mut directions, mut singular) = (Mat::zeros(total, 0), Vec::new());
        if total > 0 {
            let eigen = gram.self_adjoint_eigen(Side::Lower).map_err(|error| {
                crate::Error::Failed(format!("the rows of a cubature have no singular values: {error:?}"))
            })?;
            let largest = eigen.S()[total - 1].max(0.0).sqrt();
            let kept: Vec<usize> = (0..total)
                .rev()
                .filter(|&k| eigen.S()[k] > (CUT * largest).powi(2) && largest > 0.0)
                .collect();
            singular = kept.iter().map(|&k| eigen.S()[k].sqrt()).collect();
            directions = Mat::from_fn(total, kept.len(), |i, j| eigen.U()[(i, kept[j])]);
        }
        // Ranks agree to the last bit only on what one of them has computed.
        let r = comm.max(if comm.rank() == 0 { singular.len() as u64 } else { 0 }) as usize;
        let mut shared: Vec<f64> = if comm.rank() == 0 {
            (0..total * r).map(|k| directions[(k / r, k % r)]).collect()
        } else {
            vec![0.0; r * total]
        };
        comm.sum_into(&mut shared);
        let directions = MatRef::from_row_major_slice(&shared, total, r);
        // The measure as a last row.
        let measure = comm.sum(self.groups.iter().flat_map(|group| &group.1.weights).sum::<f64>());
        let with_measure = usize::from(self.place == Place::Volume);
        let mut columns = vec![0.0; self.count * (r + with_measure)];
        let mut target = vec![0.0; r];
        let mut roots = vec![0.0; self.count];
        let mut row = vec![0.0; total];
        self.each_point(reduction, |place, weight, values, gradients| {
            row.fill(0.0);
            work(place, values, gradients, &mut row);
            let own = &mut columns[place * (r + with_measure)..][..r];
            for (i, value) in row.iter().enumerate().filter(|(_, value)| **value != 0.0) {
                own.iter_mut().zip(directions.row(i).iter()).for_each(|(o, u)| *o += value * u);
            }
            roots[place] = weight.max(0.0).sqrt();
            target.iter_mut().zip(own.iter()).for_each(|(t, o)| *t += roots[place] * o);
        })?;
        comm.sum_into(&mut target);
        if with_measure > 0 && r > 0 {
            let size = target.iter().map(|t| t * t).sum::<f64>().sqrt();
            for (own, root) in columns.chunks_exact_mut(r + 1).zip(&roots) {
                own[r] = root * size / measure;
            }
            target.push(size);
        }
        let r = target.len();
        if n == 0 || r == 0 {
            columns.clear();
        }
        Ok(Rows { whole: self, columns, target, roots })
    }
}

/// The rows of a cubature, their columns shared out over ranks.
pub(super) struct Rows {
    whole: WholeIntegral,
    columns: Vec<f64>,
    target: Vec<f64>,
    roots: Vec<f64>,
}

/// A rule that was found.
pub(super) struct Found {
    /// Points with their weights.
    pub chosen: Vec<Chosen>,
    /// Numbers of their columns.
    pub ids: Vec<u64>,
}

impl Rows {
    /// Points and weights that integrate the rows to a relative tolerance, beginning with those of an earlier rule. Collective.
    ///
    /// # Errors
    /// See [`nnls`].
    pub fn rule(&self, reduction: &Reduction, tolerance: f64, seeds: Vec<u64>) -> Result<Found> {
        let comm = &reduction.functions.comm;
        if self.target.iter().all(|t| *t == 0.0) {
            return Ok(Found { chosen: Vec::new(), ids: Vec::new() });
        }
        let points = self.points(reduction);
        let ids: Vec<u64> = points.iter().map(|point| self.id(reduction, point)).collect();
        let columns = DistributedColumns { comm, rows: self.target.len(), values: &self.columns, ids: &ids };
        let rule = nnls(columns, &self.target, &Options { tolerance, seeds, optimum: true })?;
        // From numbers to points: whoever has one says it.
        let mut mine = Vec::new();
        for (id, alpha) in rule.ids.iter().zip(&rule.weights) {
            if let Some(place) = ids.iter().position(|own| own == id) {
                let Chosen { cell, facet, point, .. } = points[place];
                mine.extend([
                    *id as f64,
                    cell as f64,
                    f64::from(facet),
                    f64::from(point),
                    alpha * self.roots[place],
                ]);
            }
        }
        let all = comm.all_gather_varied(&mine);
        let mut found: Vec<&[f64]> = all.chunks_exact(5).collect();
        found.sort_by(|a, b| a[0].total_cmp(&b[0]));
        let chosen = found
            .iter()
            .map(|row| Chosen {
                integral: self.whole.integral as u32,
                cell: row[1] as u64,
                facet: row[2] as u8,
                point: row[3] as u32,
                weight: row[4],
            })
            .collect();
        Ok(Found { chosen, ids: rule.ids })
    }

    /// Every point of this rank, without a weight.
    fn points(&self, reduction: &Reduction) -> Vec<Chosen> {
        let problem = &reduction.problem;
        let (mesh, own) = (&problem.space.mesh, &problem.integrals[self.whole.integral]);
        let mut points = Vec::with_capacity(self.whole.count);
        for ((entities, _), group) in self.whole.groups.iter().zip(&own.groups) {
            for &(cell, entity, _) in entities {
                let facet = match own.place {
                    Place::Volume => NO_FACET,
                    Place::Boundary => mesh.facets.local[own.facets[entity as usize] as usize],
                };
                let (integral, cell) = (self.whole.integral as u32, mesh.cell_ids[cell as usize]);
                let one = |point| Chosen { integral, cell, facet, point: point as u32, weight: 0.0 };
                points.extend((0..group.rule.weights.len()).map(one));
            }
        }
        points
    }

    fn id(&self, reduction: &Reduction, point: &Chosen) -> u64 {
        let own = &reduction.problem.integrals[self.whole.integral];
        let most = own.groups.iter().map(|group| group.rule.weights.len()).max().unwrap_or(1) as u64;
        let facets = reduction.problem.space.mesh.cell_type.facets() as u64;
        let facet = if point.facet == NO_FACET { 0 } else { u64::from(point.facet) };
        (point.cell * facets + facet) * most + u64::from(point.point)
    }
}
