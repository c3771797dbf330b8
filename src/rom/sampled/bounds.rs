//! Errors of held-out samples, and the bounds that follow from them by split conformal calibration.
use super::dictionary::Dictionary;
use super::model::Moment;
use super::reduction::{Reduction, Samples};
use super::replay::{Combined, Path, Stored, is_close, replay_with_pressures};
use crate::physics::Context;
use crate::rom::Calibration;
use crate::simulation::{FieldInfo, Simulation};
use crate::storage::File;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

const CALIBRATION: &str = "/calibration";
/// Indicators below this part of the largest on the held-out samples are taken for it.
const FLOOR: f64 = 1e-3;

/// What an error is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Name of the field or of the quantity of interest.
    pub name: String,
    /// Whether it is a field: errors are relative to its largest norm over time then, of nodal values; those of quantities have
    /// their unit.
    pub field: bool,
    /// The physics whose indicator goes with it; none where no indicator tells more than a constant.
    pub indicator: Option<usize>,
    /// The bound.
    pub calibration: Calibration,
}

/// Calibrated bounds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bounds {
    /// Fields, then quantities of interest.
    pub targets: Vec<Target>,
    /// Errors of the held-out samples, `[sample][target]`.
    pub errors: Vec<Vec<f64>>,
    /// Their indicators, `[sample][physics]`.
    pub indicators: Vec<Vec<f64>>,
    /// Which samples of the dataset they are.
    pub samples: Vec<usize>,
}

impl Bounds {
    /// The bounds of a prediction with these indicators by physics, by target. Local.
    pub fn of(&self, indicators: &[f64]) -> Vec<f64> {
        let one = |target: &Target| {
            target.calibration.bound(target.indicator.map_or(1.0, |stage| indicators[stage]))
        };
        self.targets.iter().map(one).collect()
    }

    /// Of a prediction that failed: no numbers. Local.
    pub fn unknown(&self) -> Vec<f64> {
        vec![f64::NAN; self.targets.len()]
    }

    /// Writes them. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when HDF5 or the file system refuses.
    pub fn write(&self, file: &File) -> Result<()> {
        file.create_group(CALIBRATION)?;
        let meaning = "bounds of errors that held with the level's probability over the design's distribution, from samples that \
                       the model was not trained on (split conformal calibration); no proven bounds";
        file.set(CALIBRATION, "meaning", meaning)?;
        let text = serde_json::to_string(&self.targets)
            .map_err(|error| Error::Failed(format!("cannot describe the bounds: {error}")))?;
        file.set(CALIBRATION, "targets", text)?;
        let samples: Vec<u64> = self.samples.iter().map(|&sample| sample as u64).collect();
        let count = samples.len() as u64;
        file.write_array(&format!("{CALIBRATION}/samples"), &[count], &samples)?;
        let names: Vec<String> = self.targets.iter().map(|target| target.name.clone()).collect();
        let path = format!("{CALIBRATION}/errors");
        file.write_array(&path, &[count, names.len() as u64], &self.errors.concat())?;
        file.set(&path, "columns", names)?;
        let path = format!("{CALIBRATION}/indicators");
        let width = self.indicators.first().map_or(0, Vec::len) as u64;
        file.write_array(&path, &[count, width], &self.indicators.concat())
    }

    /// Reads the targets, if the file has any. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when the file does not hold what it should.
    pub fn read(file: &File) -> Result<Option<Self>> {
        if !file.exists(CALIBRATION) {
            return Ok(None);
        }
        let targets = serde_json::from_str(&file.text(CALIBRATION, "targets")?)
            .map_err(|error| Error::storage(format!("{}: {CALIBRATION}: targets: {error}", file.label())))?;
        Ok(Some(Self { targets, ..Self::default() }))
    }
}

/// Runs the models of all clusters, with these `reductions` by cluster and physics, on held-out samples, keeps the best of each,
/// and compares solutions, fields and quantities at their steps. Collective.
///
/// # Errors
/// When the model fails on a sample, or there are too few for the level.
pub fn calibrate(
    simulation: &mut Simulation,
    model: &mut Dictionary,
    reductions: &[&[Reduction]],
    samples: Samples,
    fields: &[FieldInfo],
    level: f64,
) -> Result<Bounds> {
    let comm = simulation.mesh.comm.clone();
    let found = model.follow(&comm, samples)?;
    let quantities = simulation.deck.quantity.len();
    let mut bounds = Bounds { samples: samples.which.to_vec(), ..Bounds::default() };
    for (&sample, prediction) in samples.which.iter().zip(&found) {
        let times = samples.times(sample)?;
        let Some(prediction) = prediction else {
            return Err(Error::Failed(format!("the reduced model fails on the held-out sample {sample}")));
        };
        let (moments, reductions) = (&prediction.moments, reductions[prediction.cluster]);
        let context = samples.context(sample, times[0]);
        let coefficients: Vec<Vec<Vec<f64>>> = (0..reductions.len())
            .map(|stage| moments.iter().map(|moment: &Moment| moment.coefficients[stage].clone()).collect())
            .collect();
        let predicted = Combined {
            times: &times,
            functions: reductions.iter().map(|reduction| &reduction.functions).collect(),
            coefficients: coefficients.iter().map(|list| &list[..]).collect(),
        };
        let solution =
            |stage: &crate::simulation::Stage| (stage.problem.field.clone(), stage.space().canonical());
        let names = simulation.stages.iter().map(solution).collect();
        let exact = Stored { times: &times, samples, sample, fields: names };
        let ours = observe(simulation, &predicted, &context, fields, true)?;
        let theirs = observe(simulation, &exact, &context, fields, false)?;
        let mut errors = energies(reductions, &predicted, &exact)?;
        let square = |list: &mut dyn Iterator<Item = f64>| comm.sum(list.map(|v| v * v).sum::<f64>()).sqrt();
        for k in 0..fields.len() {
            let (mut error, mut size) = (0.0f64, 0.0f64);
            for (ours, theirs) in ours.iter().zip(&theirs) {
                error =
                    error.max(square(&mut ours.fields[k].iter().zip(&theirs.fields[k]).map(|(a, b)| a - b)));
                size = size.max(square(&mut theirs.fields[k].iter().copied()));
            }
            errors.push(if size > 0.0 { error / size } else { error });
        }
        for k in 0..quantities {
            let apart = ours.iter().zip(&theirs).map(|(a, b)| (a.quantities[k] - b.quantities[k]).abs());
            errors.push(apart.fold(0.0, f64::max));
        }
        bounds.errors.push(errors);
        bounds.indicators.push(model.indicators(prediction));
    }
    let names = simulation.stages.iter().map(|stage| (in_energy(&stage.problem.field), true));
    let names = names.chain(fields.iter().map(|field| (field.name.clone(), true)));
    let names = names.chain(simulation.deck.quantity.iter().map(|q| (q.name.clone(), false)));
    for (k, (name, field)) in names.enumerate() {
        let errors: Vec<f64> = bounds.errors.iter().map(|row| row[k]).collect();
        // The indicator that tells most, or none.
        let constant = Calibration::new(&errors, &vec![1.0; errors.len()], level, 1.0)?;
        let mut best: (Option<usize>, Calibration) = (None, constant);
        for stage in 0..simulation.stages.len() {
            let indicators: Vec<f64> = bounds.indicators.iter().map(|row| row[stage]).collect();
            if indicators.iter().any(|i| !i.is_finite()) || indicators.iter().all(|i| *i == 0.0) {
                continue;
            }
            let floor = FLOOR * indicators.iter().copied().fold(0.0, f64::max);
            let calibration = Calibration::new(&errors, &indicators, level, floor)?;
            if calibration.spread < best.1.spread {
                best = (Some(stage), calibration);
            }
        }
        bounds.targets.push(Target { name, field, indicator: best.0, calibration: best.1 });
    }
    Ok(bounds)
}

/// What the error of a solution is called that is measured in the product of its basis: of bodies their elastic energy, of others
/// L2.
pub fn in_energy(field: &str) -> String {
    format!("{field}, norm of the basis")
}

/// Largest errors of the solutions in the products of their bases, relative to the largest norms. Collective.
fn energies(reductions: &[Reduction], ours: &dyn Path, theirs: &dyn Path) -> Result<Vec<f64>> {
    let one = |(stage, reduction): (usize, &Reduction)| {
        let (mut error, mut size) = (0.0f64, 0.0f64);
        for (moment, &time) in ours.times().iter().enumerate() {
            let mut exact = theirs.state(stage, moment, time)?;
            size = size.max(reduction.state_norm(&exact)?);
            exact.iter_mut().zip(ours.state(stage, moment, time)?).for_each(|(v, p)| *v -= p);
            error = error.max(reduction.state_norm(&exact)?);
        }
        Ok(if size > 0.0 { error / size } else { error })
    };
    reductions.iter().enumerate().map(one).collect()
}

/// Fields and quantities at a moment.
struct Observed {
    fields: Vec<Vec<f64>>,
    quantities: Vec<f64>,
}

/// Those at some moments of a path, the last among them. Collective.
fn observe(
    simulation: &mut Simulation,
    path: &dyn Path,
    context: &Context,
    fields: &[FieldInfo],
    pressures: bool,
) -> Result<Vec<Observed>> {
    let mut seen = Vec::new();
    let count = path.times().len();
    let mut see = |simulation: &Simulation, context: &Context, moment: usize| {
        if is_close(moment, count) {
            let one = |field| Ok(simulation.field_values(field, context)?.read()?.to_vec());
            let fields = fields.iter().map(one).collect::<Result<_>>()?;
            seen.push(Observed { fields, quantities: simulation.quantities(context)? });
        }
        Ok(())
    };
    let pressures = &|moment| pressures && is_close(moment, count);
    replay_with_pressures(simulation, path, context, &mut |_| Ok(()), &mut see, pressures)?;
    Ok(seen)
}
