//! Reduced models of clusters of trajectories: all of them predict, and the prediction with the least indicator is kept.
use super::clusters::{Clusters, MOST};
use super::data::ProblemData;
use super::file::{self, SAMPLED};
use super::indicator::follow;
use super::model::{Moment, Prediction, SampledModel};
use super::observe::Observation;
use super::reduction::Samples;
use super::train::SampledTraining;
use crate::deck::Deck;
use crate::parallel::Comm;
use crate::physics::Context;
use crate::simulation::Simulation;
use crate::storage::{File, Value};
use crate::{Error, Result};

const DICTIONARY: &str = "/dictionary";
const CLUSTERS: &str = "clusters";

/// One reduced model or several, ready to predict.
pub struct Dictionary {
    models: Vec<SampledModel>,
    /// For each quantity of interest whether the fields of the whole mesh are needed.
    needs_fields: Vec<bool>,
}

impl Dictionary {
    /// Of what has been trained, one cluster after the other. Local.
    ///
    /// # Errors
    /// When it does not fit the deck.
    pub fn new(deck: &Deck, trained: &[SampledTraining]) -> Result<Self> {
        let one = |trained: &SampledTraining| SampledModel::new(deck, &trained.part, &trained.data);
        Ok(Self { models: trained.iter().map(one).collect::<Result<_>>()?, needs_fields: Vec::new() })
    }

    /// Reads the models of all clusters, with what they read of quantities of interest. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when the file does not hold what it should.
    pub fn read(comm: &Comm, file: &File, deck: &Deck) -> Result<Self> {
        let mut models = Vec::new();
        let mut needs_fields = vec![false; deck.quantity.len()];
        for cluster in 0..count(file)? {
            let (part, data) = file::read(file, cluster, deck)?;
            let tested = |data: &ProblemData| data.residual.count > 0;
            if cluster > 0 && !data.iter().any(tested) {
                let group = file::group_of(cluster);
                let text = format!("{}: {group}: no indicator, which chooses among clusters", file.label());
                return Err(Error::storage(text));
            }
            let functions: Vec<usize> = data.iter().map(ProblemData::functions).collect();
            let observations = Observation::read(file, cluster, deck.quantity.len(), &functions)?;
            for (needs, observation) in needs_fields.iter_mut().zip(&observations) {
                *needs |= observation.needs_fields();
            }
            let mut model = comm.agree(SampledModel::new(deck, &part, &data))?;
            comm.agree(model.observe(observations))?;
            models.push(model);
        }
        Ok(Self { models, needs_fields })
    }

    /// Number of clusters.
    pub fn clusters(&self) -> usize {
        self.models.len()
    }

    /// Number of sampled points of all clusters.
    pub fn points(&self) -> usize {
        self.models.iter().flat_map(|model| &model.problems).map(|problem| problem.points()).sum()
    }

    /// Number of sampled cells of all clusters.
    pub fn cells(&self) -> usize {
        self.models.iter().map(SampledModel::cells).sum()
    }

    /// The problems on the sampled cells of the first cluster.
    pub fn simulation(&self) -> &Simulation {
        self.models[0].simulation()
    }

    /// For each quantity of interest whether the fields of the whole mesh are needed.
    pub fn needs_fields(&self) -> &[bool] {
        &self.needs_fields
    }

    /// Predicts with every model and keeps the prediction with the least indicator, of several physics the least of the
    /// largest; frames stand at `frames`. Local.
    ///
    /// # Errors
    /// Those of the first model, when all fail.
    pub fn predict(&mut self, context: &Context, frames: &[f64]) -> Result<Prediction> {
        let mut best: Option<(f64, Prediction)> = None;
        let mut fault = None;
        for (cluster, model) in self.models.iter_mut().enumerate() {
            match model.predict(context, frames) {
                Ok(prediction) => {
                    let score = score(model, &prediction.moments);
                    if best.as_ref().is_none_or(|best| score < best.0) {
                        best = Some((score, Prediction { cluster, ..prediction }));
                    }
                }
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        let none = || fault.unwrap_or_else(|| Error::Failed("a reduced model without clusters".into()));
        best.map(|best| best.1).ok_or_else(none)
    }

    /// Indicators of a prediction by physics. Local.
    pub fn indicators(&self, prediction: &Prediction) -> Vec<f64> {
        self.models[prediction.cluster].indicators(&prediction.moments)
    }

    /// Whether every physics has an indicator.
    pub fn has_indicators(&self) -> bool {
        self.models.iter().flat_map(|model| &model.problems).all(|problem| problem.has_indicator())
    }

    /// The largest indicator of a prediction; without bound where one is not a number. Local.
    pub fn score(&self, prediction: &Prediction) -> f64 {
        score(&self.models[prediction.cluster], &prediction.moments)
    }

    /// Follows samples at their own steps: a prediction of each, none where all models failed. Collective.
    ///
    /// # Errors
    /// When times cannot be read.
    pub(super) fn follow(&mut self, comm: &Comm, samples: Samples) -> Result<Vec<Option<Prediction>>> {
        let numbers: Vec<usize> = (0..samples.which.len()).collect();
        let mut best: Vec<Option<(f64, Prediction)>> = vec![None; numbers.len()];
        for (cluster, model) in self.models.iter_mut().enumerate() {
            let found = follow(comm, model, samples, &numbers)?;
            for ((moments, best), &sample) in found.into_iter().zip(&mut best).zip(samples.which) {
                if moments.len() != samples.times(sample)?.len() {
                    continue;
                }
                let score = score(model, &moments);
                if best.as_ref().is_none_or(|best| score < best.0) {
                    *best = Some((score, Prediction { moments, cluster, ..Prediction::default() }));
                }
            }
        }
        Ok(best.into_iter().map(|best| Some(best?.1)).collect())
    }
}

/// What is least for the best model: the largest of the indicators; without bound where one is not a number.
fn score(model: &SampledModel, moments: &[Moment]) -> f64 {
    let still = |stage: usize| moments.iter().all(|moment| moment.residuals[stage] == 0.0);
    let worth = |(stage, indicator): (usize, f64)| match indicator.is_nan() {
        // Nothing over nothing.
        true if still(stage) => 0.0,
        true => f64::INFINITY,
        false => indicator,
    };
    model.indicators(moments).into_iter().enumerate().map(worth).fold(0.0, f64::max)
}

/// Number of clusters in a file.
fn count(file: &File) -> Result<usize> {
    match file.get(SAMPLED, CLUSTERS)? {
        None => Ok(1),
        Some(Value::Integer(count)) if (2..=MOST as i64).contains(&count) => Ok(count as usize),
        Some(_) => Err(Error::storage(format!(
            "{}: {SAMPLED}: clusters: expected a number from 2 to {MOST}",
            file.label()
        ))),
    }
}

/// Writes the models of all clusters with their functions on the whole mesh, and of several how they came about; `parameters`
/// are those of all samples. Collective.
///
/// # Errors
/// [`Error::Storage`] when HDF5 or the file system refuses.
pub fn write(
    file: &File,
    trained: &[SampledTraining],
    clusters: &Clusters,
    parameters: &[Vec<f64>],
) -> Result<()> {
    for (cluster, trained) in trained.iter().enumerate() {
        file::write(file, cluster, &trained.part, &trained.data, trained.tolerance)?;
        Observation::write(&trained.observations, file, cluster)?;
        trained.reductions.iter().try_for_each(|own| file::write_functions(file, cluster, own))?;
    }
    if trained.len() < 2 {
        return Ok(());
    }
    file.set(SAMPLED, CLUSTERS, trained.len())?;
    file.create_group(DICTIONARY)?;
    let meaning = "training trajectories in clusters (k-medoids with the sine of the angle between trajectories), each with a \
                   reduced model of its own; the prediction with the least indicator is kept";
    file.set(DICTIONARY, "meaning", meaning)?;
    let numbers = |list: &[usize]| list.iter().map(|&i| i as u64).collect::<Vec<_>>();
    let path = |name: &str| format!("{DICTIONARY}/{name}");
    file.write_array(&path("medoids"), &[clusters.medoids.len() as u64], &numbers(&clusters.medoids))?;
    file.set(&path("medoids"), "meaning", "sample in the middle of each cluster")?;
    let width = parameters.first().map_or(0, Vec::len) as u64;
    let own: Vec<f64> = clusters.medoids.iter().flat_map(|&i| parameters[i].clone()).collect();
    file.write_array(&path("parameters"), &[clusters.medoids.len() as u64, width], &own)?;
    file.set(&path("parameters"), "meaning", "parameters of the medoids, in the order of the deck")?;
    for (cluster, members) in clusters.members.iter().enumerate() {
        let path = path(&format!("members_{cluster}"));
        file.write_array(&path, &[members.len() as u64], &numbers(members))?;
        file.set(&path, "meaning", "samples that the model of the cluster was trained on")?;
    }
    let rows: Vec<f64> =
        clusters.criteria.iter().flat_map(|one| [one.sizes.len() as f64, one.median, one.worst]).collect();
    file.write_array(&path("criteria"), &[clusters.criteria.len() as u64, 3], &rows)?;
    file.set(&path("criteria"), "columns", &["clusters", "median", "worst"][..])?;
    let meaning =
        "relative projection errors of trajectories that were left out in turn, on the best of the bases";
    file.set(&path("criteria"), "meaning", meaning)
}
