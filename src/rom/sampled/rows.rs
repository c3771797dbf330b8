//! What sampled points have to integrate: the virtual work of functions with the densities of training trajectories.
use super::densities::{DensityModes, ROWS, Whole};
use super::nnls::{DistributedColumns, Options, nnls};
use super::points::{Chosen, NO_FACET, facet_of};
use crate::physics::{Place, Problem};
use crate::{Error, Result};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par, Side};

/// Most numbers of a cubature's columns on a rank: of large meshes only the rows of the largest singular values are taken.
const NUMBERS: usize = 1 << 27;
/// Singular values of the rows below this part of the first are left out.
const CUT: f64 = 1e-6;
/// But so many rows at least.
const LEAST: usize = 100;
/// Points at once.
const CHUNK: usize = 512;

/// The rows of a cubature, their columns shared out over ranks.
pub(super) struct Rows<'a> {
    densities: &'a DensityModes,
    columns: Vec<f64>,
    target: Vec<f64>,
    roots: Vec<f64>,
}

impl<'a> Rows<'a> {
    /// The rows that a rule has to integrate. Collective.
    ///
    /// # Errors
    /// When a decomposition fails.
    pub fn new(densities: &'a DensityModes, functions: &[&[f64]]) -> Result<Self> {
        let DensityModes { whole, sizes, modes: density } = densities;
        let comm = density.comm.clone();
        let n = functions.len();
        let modes = density.count().min(ROWS.div_ceil(n.max(1)));
        let (c, d) = (sizes[0].len(), whole.problem.space.mesh.dimension);
        let width = c * (1 + d);
        // Work of a chunk of points, `[point, density mode, mode]`, and sums over all of its products.
        let total = modes * n;
        let mut gram = Mat::<f64>::zeros(total, total);
        let [values_of, gradients_of] = sizes;
        let safe = |size: f64| if size > 0.0 { 1.0 / size } else { 0.0 };
        let work = |place: usize, values: &[f64], gradients: &[f64], row: &mut [f64]| {
            for (s, row) in row.chunks_exact_mut(n).enumerate() {
                let own = &density.column(s)[place * width..][..width];
                for i in 0..c {
                    let source = own[i] * safe(values_of[i]);
                    row.iter_mut().zip(&values[i * n..][..n]).for_each(|(r, v)| *r += source * v);
                    for x in 0..d {
                        let flux = own[c + i * d + x] * safe(gradients_of[i]);
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
        whole.each_point(functions, |place, _, values, gradients| {
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
                Error::Failed(format!("the rows of a cubature have no singular values: {error:?}"))
            })?;
            let largest = eigen.S()[total - 1].max(0.0).sqrt();
            let room = NUMBERS / comm.max(whole.count as u64).max(1) as usize;
            let kept: Vec<usize> = (0..total)
                .rev()
                .filter(|&k| eigen.S()[k] > (CUT * largest).powi(2) && largest > 0.0)
                .take(room.max(LEAST))
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
        let measure = whole.measure();
        let with_measure = usize::from(whole.place == Place::Volume);
        let mut columns = vec![0.0; whole.count * (r + with_measure)];
        let mut target = vec![0.0; r];
        let mut roots = vec![0.0; whole.count];
        let mut row = vec![0.0; total];
        whole.each_point(functions, |place, weight, values, gradients| {
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
        Ok(Self { densities, columns, target, roots })
    }
}

/// A rule that was found.
pub(super) struct Found {
    /// Points with their weights.
    pub chosen: Vec<Chosen>,
    /// Numbers of their columns.
    pub ids: Vec<u64>,
}

impl Rows<'_> {
    /// Points and weights that integrate the rows to a relative tolerance, beginning with those of an earlier rule. Collective.
    ///
    /// # Errors
    /// See [`nnls`].
    pub fn rule(&self, tolerance: f64, seeds: Vec<u64>) -> Result<Found> {
        let comm = &self.densities.modes.comm;
        if self.target.iter().all(|t| *t == 0.0) {
            return Ok(Found { chosen: Vec::new(), ids: Vec::new() });
        }
        let points = self.points();
        let ids = ids_of(&self.densities.whole.problem, points.iter());
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
                integral: self.densities.whole.integral as u32,
                cell: row[1] as u64,
                facet: row[2] as u8,
                point: row[3] as u32,
                weight: row[4],
            })
            .collect();
        Ok(Found { chosen, ids: rule.ids })
    }

    /// Every point of this rank, without a weight.
    fn points(&self) -> Vec<Chosen> {
        let Whole { problem, integral, groups, count, .. } = &self.densities.whole;
        let mut points = Vec::with_capacity(*count);
        for ((entities, _), group) in groups.iter().zip(&problem.integrals[*integral].groups) {
            for entity in entities {
                let facet = facet_of(problem, *integral, entity);
                let (integral, cell) = (*integral as u32, problem.space.mesh.cell_ids[entity.0 as usize]);
                let one = |point| Chosen { integral, cell, facet, point: point as u32, weight: 0.0 };
                points.extend((0..group.rule.weights.len()).map(one));
            }
        }
        points
    }
}

/// More points than any rule has.
const MOST_POINTS: u64 = 4096;

/// Numbers of points of one integral, by which they are known on any number of ranks.
pub(super) fn ids_of<'a>(problem: &Problem, points: impl Iterator<Item = &'a Chosen>) -> Vec<u64> {
    let facets = problem.space.mesh.cell_type.facets() as u64;
    let id = |point: &Chosen| {
        let facet = if point.facet == NO_FACET { 0 } else { u64::from(point.facet) };
        (point.cell * facets + facet) * MOST_POINTS + u64::from(point.point)
    };
    points.map(id).collect()
}
