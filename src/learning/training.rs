//! Training: samples over groups of ranks, the gradient in a fixed order, steps of Adam.
use super::basis::LearnedBasis;
use super::failed;
use super::loss::{Found, Loss};
use super::state::{Look, State};
use crate::campaign::{Design, Groups, design_samples};
use crate::deck::{Deck, NetworkSection};
use crate::parallel::{block, block_owner};
use crate::simulation::Simulation;
use crate::{Error, Result};
use tessera_network::{Adam, AdamOptions, Schedule};

/// A network in training, on every rank of every group.
pub struct Training<'a> {
    groups: &'a Groups,
    deck: Deck,
    section: NetworkSection,
    basis: LearnedBasis,
    loss: Loss,
    adam: Adam,
    /// Samples that are never trained on.
    tests: Vec<Vec<f64>>,
    /// `[loss, norm of the gradient]` of every step.
    history: Vec<[f64; 2]>,
    looks: Vec<Look>,
    /// Largest relative imbalance of any expert in all steps of this group's samples so far.
    worst: f64,
}

impl<'a> Training<'a> {
    /// Of a group's simulation, from the first weights. Collective over the group.
    ///
    /// # Errors
    /// As [`ResidualLoss::new`](super::ResidualLoss::new), and when there are too many samples.
    pub fn new(groups: &'a Groups, simulation: &Simulation, section: &NetworkSection) -> Result<Self> {
        let deck = simulation.deck.clone();
        let (loss, basis) = Loss::new(simulation, section)?;
        let schedule = Schedule::Cosine { steps: section.steps as u64 };
        let options = AdamOptions { rate: section.rate, schedule, ..AdamOptions::default() };
        let adam = Adam::new(options, basis.weights().len()).map_err(failed)?;
        let tests = Design::LatinHypercube { samples: section.tests, seed: !section.seed };
        let tests = design_samples(&deck, &tests)?;
        let (history, looks) = (Vec::new(), Vec::new());
        Ok(Self {
            groups,
            deck,
            section: section.clone(),
            basis,
            loss,
            adam,
            tests,
            history,
            looks,
            worst: 0.0,
        })
    }

    /// Goes on from a state. Local.
    ///
    /// # Errors
    /// When it is of another network.
    pub fn restore(&mut self, state: State) -> Result<()> {
        self.basis.restore(&state.extent, &state.weights)?;
        self.adam = Adam::resume(*self.adam.options(), state.adam).map_err(failed)?;
        (self.history, self.looks) = (state.history, state.looks);
        Ok(())
    }

    /// What to save. Local.
    pub fn state(&self) -> State {
        State {
            extent: self.basis.extent().to_vec(),
            weights: self.basis.weights().to_vec(),
            adam: self.adam.state().clone(),
            history: self.history.clone(),
            looks: self.looks.clone(),
        }
    }

    /// The deck.
    pub fn deck(&self) -> &Deck {
        &self.deck
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        self.history.len()
    }

    /// The network.
    pub fn basis(&self) -> &LearnedBasis {
        &self.basis
    }

    /// Samples that are never trained on.
    pub fn tests(&self) -> &[Vec<f64>] {
        &self.tests
    }

    /// Looks at the tests so far.
    pub fn looks(&self) -> &[Look] {
        &self.looks
    }

    /// The samples of a step: those of a seed are the same however often training was interrupted.
    fn samples(&self, step: usize) -> Result<Vec<Vec<f64>>> {
        let seed = self.section.seed.rotate_left(32) ^ step as u64;
        design_samples(&self.deck, &Design::LatinHypercube { samples: self.section.samples, seed })
    }

    /// One step: the mean loss of its samples before it, and the norm of its gradient. Collective over all groups.
    ///
    /// # Errors
    /// When the field of a sample is not found, which is named, or the gradient is not finite.
    pub fn step(&mut self) -> Result<[f64; 2]> {
        let samples = self.samples(self.steps())?;
        let mean = self.mean(&samples)?;
        let (loss, gradient) = mean.split_last().expect("the loss at least");
        // Of the logarithm: Adam compares the sizes of gradients from step to step, and the loss falls by many orders.
        let gradient: Vec<f64> = gradient.iter().map(|g| g / loss).collect();
        let mut weights = self.basis.weights().to_vec();
        let norm = self.adam.step(&mut weights, &gradient).map_err(failed)?;
        self.basis.set_weights(&weights)?;
        self.history.push([*loss, norm]);
        Ok([*loss, norm])
    }

    /// Mean gradient and loss over samples: each group takes its share, and every rank adds its share of the weights in the
    /// order of the samples, so that the bits do not depend on the number of groups. Collective over all groups.
    fn mean(&mut self, samples: &[Vec<f64>]) -> Result<Vec<f64>> {
        let Groups { world, comm, count, index, .. } = self.groups;
        let own = samples.iter().enumerate().filter(|(i, _)| i % count == *index);
        let of_sample = |(_, parameters): (usize, &Vec<f64>)| -> Result<Vec<f64>> {
            let mut found =
                self.loss.field(&self.basis, parameters).map_err(|e| named(&self.deck, parameters, e))?;
            let mut all = self.loss.gradient(&self.basis, &mut found)?;
            all.push(if comm.rank() == 0 { found.loss() } else { 0.0 });
            self.worst = self.worst.max(found.worst());
            Ok(all)
        };
        let own: Vec<Vec<f64>> = world.agree(own.map(of_sample).collect())?;
        let width = self.basis.weights().len() + 1;
        let segment = |rank| {
            let range = block(width as u64, world.size(), rank);
            range.start as usize..range.end as usize
        };
        let parts: Vec<Vec<f64>> = (0..world.size())
            .map(|rank| own.iter().flat_map(|all| &all[segment(rank)]).copied().collect())
            .collect();
        let received = world.exchange(&parts);
        let mut sum = vec![0.0; segment(world.rank()).len()];
        for sample in 0..samples.len() {
            let mut of_sample = vec![0.0; sum.len()];
            for (rank, received) in received.iter().enumerate() {
                if block_owner(world.size() as u64, *count, rank as u64) == sample % count {
                    let part = &received[sample / count * sum.len()..][..sum.len()];
                    of_sample.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
                }
            }
            sum.iter_mut().zip(&of_sample).for_each(|(sum, value)| *sum += value / samples.len() as f64);
        }
        Ok(world.all_gather_varied(&sum))
    }

    /// The largest imbalance of an expert, relative to what it exchanges, in all samples of this group's steps in this job. Local.
    pub fn worst_imbalance(&self) -> f64 {
        self.worst
    }

    /// The relative residual at some parameters, with the field of a steady problem (values of the owned unknowns). Collective
    /// over the group.
    ///
    /// # Errors
    /// When the field is not found.
    pub fn field(&mut self, parameters: &[f64]) -> Result<(Option<Vec<f64>>, f64)> {
        let found = self.loss.field(&self.basis, parameters).map_err(|e| named(&self.deck, parameters, e))?;
        let values = match &found {
            Found::Steady(field) => Some(field.state.read()?.to_vec()),
            Found::InTime(_) => None,
        };
        Ok((values, found.loss().sqrt()))
    }

    /// Squared relative residuals at the tests. Collective over all groups.
    ///
    /// # Errors
    /// As [`Training::step`].
    pub fn look(&mut self) -> Result<Look> {
        let Groups { world, comm, count, index, .. } = self.groups;
        let mut losses = vec![0.0; self.tests.len()];
        let own = (0..self.tests.len()).filter(|i| i % count == *index);
        let found = own.map(|i| {
            let found = self.loss.field(&self.basis, &self.tests[i]);
            found.map(|field| (i, field.loss())).map_err(|e| named(&self.deck, &self.tests[i], e))
        });
        for (i, loss) in world.agree(found.collect::<Result<Vec<_>>>())? {
            losses[i] = if comm.rank() == 0 { loss } else { 0.0 };
        }
        // One rank alone has a number that is not zero.
        world.sum_into(&mut losses);
        let mean = losses.iter().sum::<f64>() / losses.len() as f64;
        let look = Look { step: self.steps(), mean, worst: losses.iter().fold(0.0, |a, &b| a.max(b)) };
        self.looks.push(look);
        Ok(look)
    }
}

/// An error with the parameters at which it came.
fn named(deck: &Deck, parameters: &[f64], error: Error) -> Error {
    match error {
        Error::Failed(text) => {
            let values =
                deck.parameters.keys().zip(parameters).map(|(name, value)| format!("{name} = {value}"));
            Error::Failed(format!("at {}: {text}", values.collect::<Vec<_>>().join(", ")))
        }
        other => other,
    }
}
