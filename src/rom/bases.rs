//! Bases of what has no certified reduced model: proper orthogonal decomposition of campaigns in time and of nonlinear
//! problems, over the whole mesh and for each expert.
use crate::fem::Space;
use crate::mixture::bases::{Bases, alone, local_columns};
use crate::mixture::{
    Algorithm, Columns, Form, Gating, InSteps, LocalProduct, MatrixProduct, Pod, PodStream, Truncation,
};
use crate::parallel::{Redistribution, block};
use crate::physics::mass::scalar_mass;
use crate::{Error, Result};
use std::ops::Range;

/// So many snapshots in space are at hand at once, or whole trajectories in space and time.
const BATCH: [usize; 2] = [32, 4];

/// Energy of what round-off leaves of a snapshot without its mean, relative to that of the mean.
const ROUND_OFF: f64 = 1e-28;

/// Where snapshots come from: samples, each with one or more steps.
pub trait Trajectories {
    /// Number of samples. Local.
    fn count(&self) -> usize;

    /// The times of a sample's steps (s); none for a steady problem, whose samples have one step. Collective.
    ///
    /// # Errors
    /// When they cannot be read.
    fn times(&self, sample: usize) -> Result<Vec<f64>>;

    /// A field of a sample at a step: the values of the owned nodes, in the order of `plan`. Collective.
    ///
    /// # Errors
    /// When they cannot be read.
    fn read(&self, sample: usize, step: usize, field: &str, plan: &Redistribution) -> Result<Vec<f64>>;
}

/// How bases are made.
#[derive(Debug, Clone, Copy)]
pub struct PodOptions {
    /// How the global decomposition is computed; those of experts are always by their Gram matrices.
    pub algorithm: Algorithm,
    /// Where bases end. The energy that those of experts may leave out together is divided evenly among them.
    pub truncation: Truncation,
    /// Into how many windows of steps samples are cut, for functions in space and time; functions are in space if none.
    pub windows: Option<usize>,
}

/// Snapshots of a field as columns: one for each step of each sample, or one for each sample.
struct Snapshots<'a> {
    source: &'a dyn Trajectories,
    field: &'a str,
    plan: Redistribution,
    /// This rank's unknowns.
    rows: usize,
    /// The steps of each column: sample and range of steps.
    columns: Vec<(usize, Range<usize>)>,
}

impl Snapshots<'_> {
    fn read(&self, number: usize) -> Result<Vec<f64>> {
        let (sample, ref steps) = self.columns[number];
        let mut column = Vec::with_capacity(self.rows * steps.len());
        for step in steps.clone() {
            let values = self.source.read(sample, step, self.field, &self.plan)?;
            let fits = values.len() == self.rows;
            self.plan.comm().agree(match fits {
                true => Ok(()),
                false => Err(Error::Failed(format!("\"{}\" has another number of components", self.field))),
            })?;
            column.extend(values);
        }
        Ok(column)
    }
}

/// The weights of the trapezoidal rule.
fn trapezoidal(times: &[f64]) -> Vec<f64> {
    let at = |i: usize| times[i.min(times.len() - 1)];
    (0..times.len()).map(|i| 0.5 * (at(i + 1) - at(i.saturating_sub(1)))).collect()
}

/// Bases of the snapshots of a field on a space, without their mean and zero on `essential` unknowns (this rank's):
/// orthonormal in L2, and in time by the trapezoidal rule. With `gating` also those of each expert, of the snapshots at
/// its nodes measured times its gating function. Every snapshot counts the same. In space and time each window of steps has
/// bases of its own, and `window` is its number, from 0. The samples are read twice, a few snapshots at a time. Collective.
///
/// # Errors
/// When the snapshots cannot be read or are not finite; functions in space and time need samples with the same times.
pub fn pod_bases(
    field: &str,
    space: &Space,
    essential: Vec<bool>,
    gating: Option<&Gating>,
    (source, window): (&dyn Trajectories, usize),
    options: PodOptions,
) -> Result<Bases> {
    let (comm, c, rows) = (&space.mesh.comm, space.components, space.owned_dofs());
    let PodOptions { algorithm, truncation, windows } = options;
    let (moments, times) = match windows {
        Some(windows) => cut(&common_times(source)?, window, windows)?,
        None => (0..1, Vec::new()),
    };
    let steps = times.len().max(1);
    let mut columns = Vec::new();
    for sample in 0..source.count() {
        let count = source.times(sample)?.len().max(1);
        match windows {
            Some(_) => columns.push((sample, moments.clone())),
            None => columns.extend((0..count).map(|step| (sample, step..step + 1))),
        }
    }
    let snapshots = Snapshots { source, field, plan: space.canonical(), rows, columns };
    let count = snapshots.columns.len();
    let mut lifting = vec![0.0; rows * steps];
    for number in 0..count {
        let snapshot = snapshots.read(number)?;
        lifting.iter_mut().zip(snapshot).for_each(|(sum, v)| *sum += v / count as f64);
    }

    let batch = BATCH[usize::from(windows.is_some())];
    let plan = (count.div_ceil(batch), truncation.tolerance);
    let weights = if windows.is_some() { trapezoidal(&times) } else { vec![1.0] };
    let mass = scalar_mass(space)?;
    let product = MatrixProduct::with(&mass, Form::Components(c))?;
    let product = InSteps { product, weights: weights.clone() };
    let mut global = PodStream::new(comm, rows * steps, product, algorithm, plan);
    let local = gating.map_or(Ok(Vec::new()), |gating| LocalProduct::of_experts(gating, space, &mass))?;
    let mut local: Vec<PodStream<InSteps<LocalProduct>>> = (local.into_iter().enumerate())
        .map(|(expert, product)| {
            let rows = gating.map_or(0, |gating| gating.support(expert).len()) * c * steps;
            let product = InSteps { product, weights: weights.clone() };
            PodStream::new(&alone(), rows, product, Algorithm::Snapshots, plan)
        })
        .collect();
    for first in (0..count).step_by(batch) {
        let mut columns = Columns::new(comm, rows * steps);
        for number in first..(first + batch).min(count) {
            let mut snapshot = snapshots.read(number)?;
            snapshot.iter_mut().zip(&lifting).for_each(|(v, mean)| *v -= mean);
            for (value, _) in snapshot.iter_mut().zip(essential.iter().cycle()).filter(|(_, fixed)| **fixed) {
                *value = 0.0;
            }
            columns.push(&snapshot);
        }
        global.push(&columns)?;
        let Some(gating) = gating else { continue };
        let parts = parts(&columns, gating, steps, c);
        comm.agree(local.iter_mut().zip(&parts).try_for_each(|(stream, part)| stream.push(part)))?;
    }
    // What the subtraction of the mean leaves of snapshots that do not vary is no mode.
    let mut mean = Columns::new(comm, rows * steps);
    mean.push(&lifting);
    let floor = |energy: f64| ROUND_OFF * count as f64 * energy;
    let allowed = (truncation.tolerance * global.energy()).max(floor(global.energy_of(&lifting)?));
    let global = global.finish(truncation.modes, allowed)?;
    // The same for each, so that quiet experts get few modes.
    let energy = comm.sum(local.iter().map(PodStream::energy).sum::<f64>());
    let experts = gating.map_or(1, |gating| gating.global_experts);
    let allowed = truncation.tolerance * energy / f64::from(experts);
    let means = gating.map_or(Vec::new(), |gating| parts(&mean, gating, steps, c));
    let finish = |(stream, mean): (PodStream<InSteps<LocalProduct>>, &Columns)| {
        let allowed = allowed.max(floor(stream.energy_of(mean.column(0))?));
        stream.finish(truncation.modes, allowed)
    };
    let local: Vec<Pod> = comm.agree(local.into_iter().zip(&means).map(finish).collect())?;
    Ok(Bases {
        field: field.into(),
        window: windows.map(|_| window),
        times,
        lifting,
        essential,
        global,
        local,
    })
}

/// The times of all samples. Collective.
fn common_times(source: &dyn Trajectories) -> Result<Vec<f64>> {
    let first = source.times(0)?;
    if first.len() < 2 {
        let text = "bases in space and time need samples with several steps";
        return Err(Error::input("rom.windows", text));
    }
    for sample in 1..source.count() {
        let times = source.times(sample)?;
        let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * (first[first.len() - 1] - first[0]);
        if times.len() != first.len() || !times.iter().zip(&first).all(close) {
            let text = format!(
                "bases in space and time need the same times in all samples, but snapshots {sample} and 0 differ: leave \
                 out time.tolerance, or keep campaign.frames = \"all\""
            );
            return Err(Error::input("rom.windows", text));
        }
    }
    Ok(first)
}

/// The moments of a window, which share the steps as evenly as can be, with that from which it starts; and their times.
fn cut(times: &[f64], window: usize, windows: usize) -> Result<(Range<usize>, Vec<f64>)> {
    let steps = times.len() - 1;
    if windows > steps {
        let text = format!("{windows} windows of {steps} steps: a window needs one at least");
        return Err(Error::input("rom.windows", text));
    }
    let steps = block(steps as u64, windows, window);
    let moments = steps.start as usize..steps.end as usize + 1;
    Ok((moments.clone(), times[moments].to_vec()))
}

/// The parts of each expert of this rank of columns `[step, node, component]`. Collective.
fn parts(columns: &Columns, gating: &Gating, steps: usize, components: usize) -> Vec<Columns> {
    let rows = |expert: usize| gating.support(expert).len() * components * steps;
    let mut parts: Vec<Columns> =
        (0..gating.experts.len()).map(|expert| local_columns(rows(expert))).collect();
    for column in columns.iter() {
        let each = column.len() / steps;
        let mut whole: Vec<Vec<f64>> = vec![Vec::new(); parts.len()];
        for step in 0..steps {
            let of_step = gating.restrict(&columns.comm, &column[step * each..][..each], components);
            whole.iter_mut().zip(of_step).for_each(|(whole, part)| whole.extend(part));
        }
        parts.iter_mut().zip(&whole).for_each(|(columns, column)| columns.push(column));
    }
    parts
}
