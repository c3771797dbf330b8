//! Training trajectories in clusters, each of which gets a basis of its own: k-medoids with the sine of the angle between whole
//! trajectories, and a criterion that says beforehand whether several bases are better than one.
use super::reduction::{Reduction, Samples};
use super::train::SampledOptions;
use crate::mixture::Truncation;
use crate::parallel::Comm;
use crate::random::RandomFields;
use crate::simulation::Simulation;
use crate::{Error, Result};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par, Side};
use rand::{SeedableRng, seq};
use rand_chacha::ChaCha8Rng;

/// Trajectories of a cluster, at least.
pub const LEAST: usize = 8;
/// Clusters, at most.
pub const MOST: usize = 4;
/// A trajectory belongs to all clusters whose medoids are at most this times as far as the nearest one.
const OVERLAP: f64 = 1.2;
/// Several bases have to have this part of the median error of one.
const WORTH: f64 = 0.6;
/// Projection errors below this are nothing that another basis could mend.
const NOTHING: f64 = 1e-8;
/// Starts of the search for medoids.
const STARTS: usize = 20;
/// Times at which trajectories are compared, at most.
const TIMES: usize = 64;
/// Samples that are left out in turn, at most.
const LEFT_OUT: usize = 64;
/// Energy that the space of the comparison leaves out, as a part of what the basis leaves out.
const RICH: f64 = 1e-2;
/// Modes of that space, as a multiple of those of the basis, at most.
const TIMES_RICH: usize = 10;
/// Dissimilarities are rounded to this: all ranks, however many, have the same ones.
const DIGIT: f64 = 1e-9;

/// What a number of clusters is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Criterion {
    /// Trajectories of each cluster.
    pub sizes: Vec<usize>,
    /// Relative projection error of a left-out trajectory on the best of the bases: the median over trajectories.
    pub median: f64,
    /// The worst.
    pub worst: f64,
}

/// Training trajectories in clusters that may overlap.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    /// The sample in the middle of each cluster; none of one cluster.
    pub medoids: Vec<usize>,
    /// The samples of each cluster, ascending.
    pub members: Vec<Vec<usize>>,
    /// What was looked at, one cluster first.
    pub criteria: Vec<Criterion>,
    /// Modes of each basis at which errors are compared, by physics.
    pub modes: Vec<usize>,
}

/// Trajectories in the modes of all of them, one physics.
struct Space {
    /// `[sample]`: `[moment, mode]`, over its scale.
    trajectories: Vec<Mat<f64>>,
    /// Without that: `[sample][time, mode]` at common times.
    compared: Vec<Vec<f64>>,
    /// Modes of a basis.
    modes: usize,
}

/// Divides training samples into so many clusters, or into as many as pay (at most [`MOST`]). Collective.
///
/// # Errors
/// When samples do not fit or their states cannot be decomposed.
pub fn cluster(
    simulation: &mut Simulation,
    samples: Samples,
    options: &SampledOptions,
    wanted: Option<usize>,
) -> Result<Clusters> {
    RandomFields::expect_cut_off(&simulation.deck)?;
    let comm = simulation.mesh.comm.clone();
    let spaces: Vec<Space> = (0..simulation.stages.len())
        .map(|stage| Space::new(simulation, stage, samples, options))
        .collect::<Result<_>>()?;
    let count = samples.which.len();
    let distances = distances(&spaces, count);
    let whole: Vec<usize> = (0..count).collect();
    let criterion = |members: &[Vec<usize>]| criterion(&comm, &spaces, members, count);
    let mut criteria = vec![criterion(std::slice::from_ref(&whole))?];
    let mut chosen: Option<(Vec<usize>, Vec<Vec<usize>>)> = None;
    let numbers = match wanted {
        Some(number) => number..=number,
        None => 2..=MOST.min(count / LEAST),
    };
    for number in numbers.filter(|number| *number > 1) {
        let medoids = shared(&comm, || medoids(&distances, number));
        let members = members(&distances, &medoids);
        let found = criterion(&members)?;
        let size = |error: f64| error.max(NOTHING);
        let one = &criteria[0];
        let pays = size(found.median) <= WORTH * size(one.median) && size(found.worst) <= size(one.worst);
        criteria.push(found);
        if pays || wanted.is_some() {
            chosen = Some((medoids, members));
            break;
        }
    }
    let of = |list: Vec<usize>| list.into_iter().map(|place| samples.which[place]).collect::<Vec<_>>();
    let (medoids, members) = chosen.unwrap_or((Vec::new(), vec![whole]));
    let modes = spaces.iter().map(|space| space.modes).collect();
    Ok(Clusters { medoids: of(medoids), members: members.into_iter().map(of).collect(), criteria, modes })
}

impl Space {
    /// Decomposes the trajectories of one physics together. Collective.
    fn new(
        simulation: &mut Simulation,
        stage: usize,
        samples: Samples,
        options: &SampledOptions,
    ) -> Result<Self> {
        let Truncation { modes, tolerance } = options.truncation;
        let rich = Truncation { modes: TIMES_RICH.saturating_mul(modes), tolerance: RICH * tolerance };
        let reduction = Reduction::new(simulation, stage, samples, rich, options.algorithm)?;
        let squares: Vec<f64> = reduction.singular_values.iter().map(|s| s * s).collect();
        let left = |from: usize| squares.iter().skip(from).rev().sum::<f64>();
        let until = |least: usize, allowed: f64, most: usize| {
            let within = |&keep: &usize| keep >= most || left(keep) <= allowed;
            (least..).find(within).unwrap_or(most)
        };
        let modes = until(0, tolerance * left(0), modes.min(reduction.modes()));
        let width = until(modes, RICH * left(modes), reduction.modes());
        let own = |moment: &Vec<f64>| moment[reduction.lifts..][..width].to_vec();
        let (mut trajectories, mut compared) = (Vec::new(), Vec::new());
        let common = fractions(&samples.times(samples.which[0])?);
        let stride = common.len().div_ceil(TIMES);
        for (number, &sample) in samples.which.iter().enumerate() {
            let rows: Vec<Vec<f64>> = reduction.coefficients[number].iter().map(own).collect();
            let scale = reduction.scales[number];
            trajectories.push(Mat::from_fn(rows.len(), width, |t, i| rows[t][i] / scale));
            let at = fractions(&samples.times(sample)?);
            let chosen = common.iter().rev().step_by(stride);
            compared.push(chosen.flat_map(|&time| interpolated(&at, &rows, time)).collect());
        }
        Ok(Self { trajectories, compared, modes })
    }
}

/// Times from 0 at the start to 1 at the end.
fn fractions(times: &[f64]) -> Vec<f64> {
    let (start, end) = (times[0], times[times.len() - 1]);
    times.iter().map(|time| if end > start { (time - start) / (end - start) } else { 0.0 }).collect()
}

/// Linearly between the rows, which stand at ascending times.
fn interpolated(times: &[f64], rows: &[Vec<f64>], time: f64) -> Vec<f64> {
    let after = times.partition_point(|&t| t < time).min(times.len() - 1);
    let before = after.saturating_sub(1);
    let length = times[after] - times[before];
    let part = if length > 0.0 { (time - times[before]) / length } else { 1.0 };
    rows[before].iter().zip(&rows[after]).map(|(a, b)| a + part * (b - a)).collect()
}

/// Sines of the angles between trajectories in the products of the bases, of several physics their root mean square:
/// `[sample, sample]`.
fn distances(spaces: &[Space], count: usize) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let square = |space: &Space, i: usize, j: usize| {
        let [a, b] = [i, j].map(|k| &space.compared[k][..]);
        let sizes = dot(a, a) * dot(b, b);
        // What does not move is like everything.
        if sizes > 0.0 { (1.0 - dot(a, b).powi(2) / sizes).max(0.0) } else { 0.0 }
    };
    let one = |place: usize| {
        let (i, j) = (place / count, place % count);
        let mean = spaces.iter().map(|space| square(space, i, j)).sum::<f64>() / spaces.len() as f64;
        if i == j { 0.0 } else { (mean.sqrt() / DIGIT).round() * DIGIT }
    };
    (0..count * count).map(one).collect()
}

/// The medoids of so many clusters, ascending: from several random starts, trajectories go to the nearest medoid and medoids to
/// the middle of their trajectories until nothing moves.
fn medoids(distances: &[f64], number: usize) -> Vec<usize> {
    let count = (distances.len() as f64).sqrt().round() as usize;
    let distance = |i: usize, j: usize| distances[i * count + j];
    let least = |among: &[usize], cost: &dyn Fn(usize) -> f64| {
        among.iter().copied().min_by(|&a, &b| cost(a).total_cmp(&cost(b)))
    };
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut best = (f64::INFINITY, Vec::new());
    for _ in 0..STARTS {
        let mut medoids = seq::index::sample(&mut random, count, number).into_vec();
        for _ in 0..count {
            medoids.sort_unstable();
            let nearest: Vec<usize> = (0..count)
                .map(|i| {
                    let nearer =
                        |&a: &usize, &b: &usize| distance(i, medoids[a]).total_cmp(&distance(i, medoids[b]));
                    (0..number).min_by(nearer).unwrap_or(0)
                })
                .collect();
            let mut moved = medoids.clone();
            for (k, medoid) in moved.iter_mut().enumerate() {
                let own: Vec<usize> = (0..count).filter(|&i| nearest[i] == k).collect();
                let cost = |i: usize| own.iter().map(|&j| distance(i, j)).sum::<f64>();
                *medoid = least(&own, &cost).unwrap_or(*medoid);
            }
            if moved == medoids {
                break;
            }
            medoids = moved;
        }
        let to_nearest =
            |i: usize| medoids.iter().map(|&medoid| distance(i, medoid)).fold(f64::INFINITY, f64::min);
        let cost: f64 = (0..count).map(to_nearest).sum();
        if cost < best.0 - DIGIT {
            best = (cost, medoids);
        }
    }
    best.1.sort_unstable();
    best.1
}

/// The trajectories of each cluster: all whose medoid is about as near as the nearest one, and the nearest until they are enough.
fn members(distances: &[f64], medoids: &[usize]) -> Vec<Vec<usize>> {
    let count = (distances.len() as f64).sqrt().round() as usize;
    let distance = |i: usize, medoid: usize| distances[i * count + medoid];
    let nearest = |i: usize| medoids.iter().map(|&m| distance(i, m)).fold(f64::INFINITY, f64::min);
    let one = |&medoid: &usize| {
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|&a, &b| distance(a, medoid).total_cmp(&distance(b, medoid)).then(a.cmp(&b)));
        let belongs =
            |&(rank, i): &(usize, usize)| rank < LEAST || distance(i, medoid) <= OVERLAP * nearest(i);
        let mut own: Vec<usize> = order.into_iter().enumerate().filter(belongs).map(|(_, i)| i).collect();
        own.sort_unstable();
        own
    };
    medoids.iter().map(one).collect()
}

/// Errors of trajectories on bases that do not know them. Collective.
fn criterion(comm: &Comm, spaces: &[Space], members: &[Vec<usize>], count: usize) -> Result<Criterion> {
    let mut sums = Vec::new();
    for space in spaces {
        sums.push(members.iter().map(|own| space.sum(own)).collect::<Vec<_>>());
    }
    let chosen = (0..count).step_by(count.div_ceil(LEFT_OUT));
    let mut bases: Vec<Vec<Option<Mat<f64>>>> = vec![vec![None; members.len()]; spaces.len()];
    let (mut mine, mut fault) = (Vec::new(), Ok(()));
    for (turn, sample) in chosen.enumerate() {
        if turn % comm.size() != comm.rank() || fault.is_err() {
            continue;
        }
        let mut best = f64::INFINITY;
        for (k, own) in members.iter().enumerate() {
            let mut error = 0.0f64;
            for (stage, space) in spaces.iter().enumerate() {
                let found = if own.contains(&sample) {
                    let without = &sums[stage][k]
                        - space.trajectories[sample].transpose() * &space.trajectories[sample];
                    space.basis(&without)
                } else {
                    match bases[stage][k].take() {
                        Some(basis) => Ok(basis),
                        None => space.basis(&sums[stage][k]),
                    }
                };
                match found {
                    Ok(basis) => {
                        error = error.max(space.error(sample, &basis));
                        if !own.contains(&sample) {
                            bases[stage][k] = Some(basis);
                        }
                    }
                    Err(why) => fault = Err(why),
                }
            }
            best = best.min(error);
        }
        mine.push(best);
    }
    comm.agree(fault)?;
    let mut errors = comm.all_gather_varied(&mine);
    errors.sort_by(f64::total_cmp);
    let sizes = members.iter().map(Vec::len).collect();
    let (median, worst) = (errors[errors.len() / 2], errors[errors.len() - 1]);
    Ok(Criterion { sizes, median, worst })
}

impl Space {
    /// Sum over some trajectories of the products of their coefficients.
    fn sum(&self, samples: &[usize]) -> Mat<f64> {
        let width = self.trajectories[0].ncols();
        let mut sum = Mat::zeros(width, width);
        for &sample in samples {
            let own = &self.trajectories[sample];
            matmul(sum.as_mut(), Accum::Add, own.transpose(), own, 1.0, Par::Seq);
        }
        sum
    }

    /// The modes of trajectories with such a sum: `[mode of all, mode]`.
    fn basis(&self, sum: &Mat<f64>) -> Result<Mat<f64>> {
        let width = sum.nrows();
        let eigen = sum.self_adjoint_eigen(Side::Lower).map_err(|error| {
            Error::Failed(format!("the trajectories of a cluster have no singular values: {error:?}"))
        })?;
        let modes = self.modes.min(width);
        Ok(eigen.U().subcols(width - modes, modes).to_owned())
    }

    /// Largest projection error of a trajectory, relative to its scale.
    fn error(&self, sample: usize, basis: &Mat<f64>) -> f64 {
        let own = &self.trajectories[sample];
        let within: Mat<f64> = own * basis;
        let rest: Mat<f64> = own - &within * basis.transpose();
        let norm = |row: usize| MatRef::from(rest.as_ref()).row(row).norm_l2();
        (0..own.nrows()).map(norm).fold(0.0, f64::max)
    }
}

/// What rank 0 finds. Collective.
fn shared(comm: &Comm, find: impl FnOnce() -> Vec<usize>) -> Vec<usize> {
    let mine: Vec<u64> = match comm.rank() {
        0 => find().into_iter().map(|i| i as u64).collect(),
        _ => Vec::new(),
    };
    comm.all_gather_varied(&mine).into_iter().map(|i| i as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two groups of points on a line, and one between them.
    fn line() -> Vec<f64> {
        let near = |start: f64| (0..9).map(move |i| start + 0.01 * f64::from(i));
        let at: Vec<f64> = near(0.0).chain(near(1.0)).chain([0.54]).collect();
        at.iter().flat_map(|a| at.iter().map(move |b| (a - b).abs())).collect()
    }

    #[test]
    fn medoids_are_in_the_middle() {
        let medoids = medoids(&line(), 2);
        assert_eq!(medoids.len(), 2);
        assert!((3..=5).contains(&medoids[0]) && (12..=14).contains(&medoids[1]), "{medoids:?}");
    }

    #[test]
    fn what_lies_between_belongs_to_both() {
        let found = members(&line(), &[4, 13]);
        assert_eq!(found[0], (0..9).chain([18]).collect::<Vec<_>>());
        assert_eq!(found[1], (9..19).collect::<Vec<_>>());
        // However near others are, a cluster has enough.
        assert!(members(&line(), &[4, 18]).iter().all(|own| own.len() >= LEAST));
    }

    #[test]
    fn trajectories_are_compared_at_the_same_times() {
        let rows = vec![vec![0.0, 1.0], vec![2.0, 1.0], vec![4.0, 0.0]];
        let at = fractions(&[10.0, 20.0, 50.0]);
        assert_eq!(at, [0.0, 0.25, 1.0]);
        assert_eq!(interpolated(&at, &rows, 0.125), [1.0, 1.0]);
        assert_eq!(interpolated(&at, &rows, 0.25), [2.0, 1.0]);
        assert_eq!(interpolated(&at, &rows, 1.0), [4.0, 0.0]);
        assert_eq!(interpolated(&[0.0], &[vec![3.0]], 0.0), [3.0]);
    }
}
