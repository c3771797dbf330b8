//! What leads an adaptive design: reduced models of the samples so far.
use super::order;
use super::run::Campaign;
use super::solutions::Solution;
use crate::Result;
use crate::parallel::Redistribution;
use crate::physics::Context;
use crate::rom::sampled::{Dictionary, SampledOptions, Samples, train};
use crate::rom::{Greedy, Trajectories};
use crate::storage::DatasetFile;

/// A reduced model of the samples so far, which estimates where it errs most.
pub trait Leader {
    /// Takes in a sample that is done. Collective.
    ///
    /// # Errors
    /// When it cannot be read, or does not fit.
    fn add(&mut self, campaign: &mut Campaign, sample: usize) -> Result<()>;

    /// How many of the first samples the choice of a sample is based on, all those before it or fewer. Local.
    fn known(&self, sample: usize) -> usize;

    /// Estimates of the relative errors at some parameters, of a model of the first `known` samples. Collective.
    ///
    /// # Errors
    /// When no model can be made.
    fn estimates(
        &mut self,
        campaign: &mut Campaign,
        candidates: &[Vec<f64>],
        known: usize,
    ) -> Result<Vec<f64>>;

    /// Whether the estimate that no choice follows is worth its cost. Local.
    fn tells_at_the_end(&self) -> bool;
}

/// Certified models of steady linear problems grow with each sample.
impl Leader for Greedy<'_> {
    fn add(&mut self, campaign: &mut Campaign, sample: usize) -> Result<()> {
        let mut solutions = Vec::new();
        for stage in &campaign.simulation().stages {
            let (field, plan) = (&stage.problem.field, stage.space().canonical());
            solutions.push(campaign.dataset().read_field((sample, 0), field, &plan)?);
        }
        Greedy::add(self, &campaign.samples()[sample], solutions)
    }

    fn known(&self, sample: usize) -> usize {
        sample
    }

    fn estimates(&mut self, _: &mut Campaign, candidates: &[Vec<f64>], _: usize) -> Result<Vec<f64>> {
        Ok(Greedy::estimates(self, candidates))
    }

    fn tells_at_the_end(&self) -> bool {
        true
    }
}

/// Models with sampled integrals are trained anew, on trajectories (weak POD-greedy: Haasdonk and Ohlberger, M2AN 42 (2008)
/// 277), whenever the samples have become more by a quarter: all trainings together cost about five times the last one.
pub struct Retrained {
    options: SampledOptions,
    initial: usize,
}

impl Retrained {
    /// A design that begins with `initial` samples.
    pub fn new(options: SampledOptions, initial: usize) -> Self {
        Self { options, initial }
    }
}

impl Leader for Retrained {
    fn add(&mut self, _: &mut Campaign, _: usize) -> Result<()> {
        Ok(())
    }

    fn known(&self, sample: usize) -> usize {
        let mut known = self.initial;
        loop {
            let next = known + (known / 4).max(1);
            if next > sample {
                return known;
            }
            known = next;
        }
    }

    fn estimates(
        &mut self,
        campaign: &mut Campaign,
        candidates: &[Vec<f64>],
        known: usize,
    ) -> Result<Vec<f64>> {
        let parameters = campaign.samples().to_vec();
        let (simulation, dataset) = campaign.parts();
        let deck = simulation.deck.clone();
        let which: Vec<usize> = dataset.done()?.into_iter().filter(|&sample| sample < known).collect();
        let stored = Stored { dataset, solutions: Solution::all(simulation), count: parameters.len() };
        let draws: Vec<u64> = (0..parameters.len() as u64).collect();
        let samples = Samples { source: &stored, parameters: &parameters, draws: &draws, which: &which };
        let trained = train(simulation, samples, &which, &self.options)?;
        let comm = simulation.mesh.comm.clone();
        let mut model = comm.agree(Dictionary::new(&deck, &[trained]))?;
        let frames = deck.time.as_ref().map_or(vec![0.0], |time| time.frames(1));
        let mut estimates = vec![0.0; candidates.len()];
        for i in (comm.rank()..candidates.len()).step_by(comm.size()) {
            let prediction = model.predict(&Context::steady(candidates[i].clone()), &frames);
            // Where the model cannot be evaluated it is worst; finite, so that sums over ranks are.
            estimates[i] = prediction.map_or(f64::MAX, |found| model.score(&found).min(f64::MAX));
        }
        comm.sum_into(&mut estimates);
        // A training leaves states of its own.
        simulation.stages.iter_mut().try_for_each(|stage| stage.forget_solution())?;
        Ok(estimates)
    }

    fn tells_at_the_end(&self) -> bool {
        false
    }
}

/// Samples as they lie in a dataset.
struct Stored<'a> {
    dataset: &'a DatasetFile,
    solutions: Vec<Solution>,
    count: usize,
}

impl Trajectories for Stored<'_> {
    fn count(&self) -> usize {
        self.count
    }

    fn times(&self, sample: usize) -> Result<Vec<f64>> {
        self.dataset.times(sample)
    }

    fn read(&self, sample: usize, step: usize, field: &str, plan: &Redistribution) -> Result<Vec<f64>> {
        Solution::read_field(&self.solutions, self.dataset, (sample, step), field, plan)
    }
}

/// Estimates that were made with the first `known` samples when there are more: at a new sample the error is expected to be
/// zero, and as large as it was from the distance on at which the nearest of the samples before it lies.
pub(super) fn discounted(
    estimates: &[f64],
    candidates: &[Vec<f64>],
    samples: &[Vec<f64>],
    known: usize,
) -> Vec<f64> {
    if samples.len() == known {
        return estimates.to_vec();
    }
    let points = order::scaled(&[candidates, samples].concat());
    let (candidates, samples) = points.split_at(candidates.len());
    let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    let reach = |new: usize| {
        let before = samples[..new].iter().map(|sample| apart(sample, &samples[new]));
        before.fold(f64::INFINITY, f64::min)
    };
    let reaches: Vec<f64> = (known..samples.len()).map(reach).collect();
    let share = |candidate: &[f64]| {
        let of = |(new, reach): (&Vec<f64>, &f64)| (apart(candidate, new) / reach).min(1.0);
        samples[known..].iter().zip(&reaches).map(of).fold(1.0, f64::min)
    };
    estimates.iter().zip(candidates).map(|(estimate, candidate)| estimate * share(candidate)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixture::{Algorithm, Truncation};

    #[test]
    fn trainings_come_with_every_quarter() {
        let truncation = Truncation { modes: 1, tolerance: 0.0 };
        let options =
            SampledOptions { truncation, algorithm: Algorithm::Snapshots, cubature: None, indicator: 1 };
        let leader = Retrained::new(options, 6);
        let known: Vec<usize> = (6..16).map(|sample| leader.known(sample)).collect();
        assert_eq!(known, [6, 7, 8, 8, 10, 10, 12, 12, 12, 15]);
    }

    #[test]
    fn what_is_near_a_new_sample_counts_less() {
        let points = |list: &[f64]| list.iter().map(|&x| vec![x, 7.0]).collect::<Vec<_>>();
        let (candidates, samples) = (points(&[0.5, 0.6, 0.75, 1.0]), points(&[0.0, 1.0, 0.5]));
        let found = discounted(&[1.0, 2.0, 4.0, 4.0], &candidates, &samples, 2);
        let expected = [0.0, 0.4, 2.0, 4.0];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        assert_eq!(discounted(&[1.0, 2.0, 4.0, 4.0], &candidates, &samples[..2], 2), [1.0, 2.0, 4.0, 4.0]);
    }
}
