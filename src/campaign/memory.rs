//! What a campaign remembers of its samples to solve the next one: first guesses, and the operators they need.
//!
//! For Galerkin's guess each linear problem keeps a basis of its solutions. Where the stiffness is affine in the
//! parameters its projection costs nothing that grows with the mesh but the projection of the load; the residual of
//! the guess is then evaluated cell by cell, with the deck's coefficients and not with the expansion, and the matrix is
//! summed only when that residual is above the tolerance. Otherwise matrix and basis are multiplied.
use super::solutions::Solution;
use crate::Result;
use crate::deck::{Design, FirstGuess};
use crate::physics::Context;
use crate::physics::coefficient::NodalField;
use crate::reuse::{Effort, StageMemory, is_harmless};
use crate::simulation::Simulation;
use crate::storage::DatasetFile;
use std::collections::HashSet;
use std::rc::Rc;

/// The solutions that a campaign has stored.
#[derive(Clone, Copy)]
pub struct Archive<'a> {
    /// Where they are.
    pub dataset: &'a DatasetFile,
    /// How those of each problem lie there.
    pub solutions: &'a [Solution],
}

impl Archive<'_> {
    /// The solution of a problem at a sample. Collective.
    fn solution(&self, sample: usize, index: usize) -> Result<Vec<f64>> {
        self.solutions[index].read(self.dataset, (sample, 0))
    }
}

/// The memory of a campaign.
pub struct Guesses {
    stages: Vec<StageMemory>,
    /// Parameters of all samples, and one over the extent of each.
    samples: Vec<Vec<f64>>,
    scales: Vec<f64>,
    /// Samples that are solved and stored.
    done: Vec<usize>,
    /// Samples that need not be taken from the dataset (again), and how many solves there were at the last look.
    known: HashSet<usize>,
    looked: usize,
}

/// Solutions of other groups that are taken up before a sample, at most.
const TAKEN: usize = 8;

impl Guesses {
    /// A memory with nothing in it; `samples` are the parameters of the campaign's samples. Lets the solvers keep
    /// their preconditioners.
    pub fn new(simulation: &mut Simulation, samples: &[Vec<f64>]) -> Self {
        let section = &simulation.deck.campaign;
        // The samples of an adaptive design are not known yet.
        let kind = if section.design == Design::Adaptive { FirstGuess::Last } else { section.guess };
        let most = section.basis;
        let tolerances: Vec<f64> = (0..simulation.stages.len())
            .map(|index| simulation.deck.solver_options(index).tolerance)
            .collect();
        let stages = simulation.stages.iter_mut().zip(tolerances);
        let stages =
            stages.map(|(stage, tolerance)| StageMemory::new(stage, kind, most, tolerance)).collect();
        let extent = |i: usize| {
            let values = samples.iter().map(|sample| sample[i]);
            let (low, high) =
                values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
            if high > low { 1.0 / (high - low) } else { 0.0 }
        };
        let scales = (0..samples.first().map_or(0, Vec::len)).map(extent).collect();
        let (samples, done, known) = (samples.to_vec(), Vec::new(), HashSet::new());
        Self { stages, samples, scales, done, known, looked: 0 }
    }

    /// What the problems have cost so far.
    pub fn efforts(&self) -> impl Iterator<Item = &Effort> {
        self.stages.iter().map(|stage| &stage.effort)
    }

    /// Solves all problems at the parameters of a sample. Collective.
    ///
    /// # Errors
    /// As [`Simulation::solve`].
    pub fn solve(&mut self, simulation: &mut Simulation, context: &Context, archive: Archive) -> Result<()> {
        let nearest = self.nearest(&context.parameters);
        simulation.random.draw(context.sample)?;
        let moving = moving(simulation);
        let Simulation { deck, stages, .. } = simulation;
        for (index, (stage, memory)) in stages.iter_mut().zip(&mut self.stages).enumerate() {
            match (memory.guess(), nearest) {
                (FirstGuess::None, _) => stage.forget_solution()?,
                (FirstGuess::Nearest, Some(sample)) => {
                    stage.set_guess(&archive.solution(sample, index)?)?;
                }
                _ => {}
            }
            memory.solve(stage, context, &self.samples, &moving).map_err(|error| deck.locate(error))?;
        }
        Ok(())
    }

    /// Sample `sample` is stored.
    pub fn finish(&mut self, sample: usize) {
        self.done.push(sample);
        self.known.insert(sample);
    }

    /// Takes up the samples that a dataset holds already: bases are built from at most as many as they have room for,
    /// spread over those that are done. Collective.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn recall(
        &mut self,
        simulation: &mut Simulation,
        archive: Archive,
        context_of: impl Fn(usize) -> Context,
    ) -> Result<()> {
        self.done = archive.dataset.done()?;
        self.known.extend(&self.done);
        let most = simulation.deck.campaign.basis;
        let count = self.done.len().min(most);
        let chosen: Vec<usize> = (0..count).map(|i| self.done[i * self.done.len() / count]).collect();
        chosen
            .into_iter()
            .try_for_each(|sample| self.take_up(simulation, archive, sample, &context_of(sample)))
    }

    /// Takes up what other groups have solved meanwhile, as long as this one's guesses are not good enough. Collective over
    /// the group.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn look_around(
        &mut self,
        simulation: &mut Simulation,
        archive: Archive,
        context_of: impl Fn(usize) -> Context,
    ) -> Result<()> {
        let solved = self.efforts().map(|effort| effort.solved).sum();
        if solved == self.looked || !self.stages.iter().any(StageMemory::has_room) {
            return Ok(());
        }
        self.looked = solved;
        let iterations = archive.dataset.iterations()?;
        let mut fresh = archive.dataset.done()?;
        fresh.retain(|&sample| iterations[sample] > 0.0 && !self.known.contains(&sample));
        fresh.truncate(TAKEN);
        // Rank 0 says which: another group may have written between the looks of two ranks.
        let comm = simulation.mesh.comm.clone();
        let list: Vec<u64> = fresh.into_iter().map(|sample| sample as u64).collect();
        for sample in comm.all_gather_varied(if comm.rank() == 0 { &list[..] } else { &[] }) {
            let sample = sample as usize;
            self.known.insert(sample);
            let taken = self.take_up(simulation, archive, sample, &context_of(sample));
            match comm.agree(taken) {
                Err(error) if !is_harmless(&error) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes a stored sample into the bases. Collective.
    fn take_up(
        &mut self,
        simulation: &mut Simulation,
        archive: Archive,
        sample: usize,
        context: &Context,
    ) -> Result<()> {
        simulation.random.draw(context.sample)?;
        let moving = moving(simulation);
        for (index, (stage, memory)) in simulation.stages.iter_mut().zip(&mut self.stages).enumerate() {
            if memory.guess() == FirstGuess::Galerkin {
                stage.set_solution(&archive.solution(sample, index)?)?;
                memory.learn(stage, context, &self.samples, &moving)?;
            }
        }
        Ok(())
    }

    /// The nearest sample that is done, in parameters scaled to their extent.
    fn nearest(&self, parameters: &[f64]) -> Option<usize> {
        let distance = |&sample: &usize| -> f64 {
            let pairs = self.samples[sample].iter().zip(parameters).zip(&self.scales);
            pairs.map(|((a, b), scale)| ((a - b) * scale).powi(2)).sum()
        };
        // Of samples equally far the last, which is likelier to be alike in other ways.
        self.done.iter().copied().rev().min_by(|a, b| distance(a).total_cmp(&distance(b)))
    }
}

/// Fields that differ from sample to sample though no parameter says so.
fn moving(simulation: &Simulation) -> Vec<Rc<NodalField>> {
    let solved = simulation.stages.iter().filter_map(|stage| stage.input().cloned());
    solved.chain(simulation.random.inputs().into_iter().map(|(_, field)| field)).collect()
}
