//! Adaptive designs: the next sample is taken where the reduced model of those before it has its largest error estimate
//! (weak greedy, see [`Greedy`]).
use super::dataset::ESTIMATE;
use super::design::Design;
use super::observer::SampleReport;
use super::part::Selection;
use super::run::Campaign;
use super::samples::{covering_samples, options};
use crate::Result;
use crate::deck::AdaptiveSection;
use crate::rom::{Greedy, Offline};
use crate::simulation::Simulation;
use crate::storage::Provenance;
use std::path::Path;

/// What an adaptive design says of a sample that it has chosen, or of the end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Number of samples before.
    pub samples: usize,
    /// Largest estimate of the relative error with these, over all candidates.
    pub estimate: f64,
}

/// A campaign whose samples are chosen as it goes.
pub struct Adaptive<'a> {
    campaign: Campaign<'a>,
    greedy: Greedy<'a>,
    candidates: Vec<Vec<f64>>,
    options: AdaptiveSection,
}

impl<'a> Adaptive<'a> {
    /// Opens the dataset of an interrupted campaign, whose snapshots the reduced model takes in, or makes a new one.
    /// `offline` is that of the same simulation. Collective.
    ///
    /// # Errors
    /// As [`Campaign::open`].
    pub fn open(
        simulation: &'a mut Simulation,
        offline: &'a Offline,
        path: &Path,
        provenance: &Provenance,
        selection: &Selection,
    ) -> Result<Self> {
        let (deck, comm) = (simulation.deck.clone(), simulation.mesh.comm.clone());
        let options = options(&deck);
        let hypercube = Design::LatinHypercube { samples: options.candidates, seed: deck.campaign.seed };
        let candidates = covering_samples(&deck, &hypercube)?;
        let mut greedy = Greedy::new(&comm, offline)?;
        let mut campaign = Campaign::open(simulation, path, provenance, selection)?;
        let stored = campaign.restore_samples()?;
        for sample in campaign.dataset().done()? {
            let read = |prepared: &crate::rom::Prepared| {
                let problem = &prepared.problem;
                campaign.dataset().read_field((sample, 0), &problem.field, &problem.space.canonical())
            };
            let solutions = offline.stages.iter().map(read).collect::<Result<_>>()?;
            greedy.add(&stored[sample], solutions)?;
        }
        Ok(Self { campaign, greedy, candidates, options })
    }

    /// The campaign.
    pub fn campaign(&self) -> &Campaign<'a> {
        &self.campaign
    }

    /// Chooses, solves and stores samples until there are as many as the deck allows, the tolerance is met, or `observe`
    /// returns false; `observe` is told of each choice as well (at the end without a sample). Collective.
    ///
    /// # Errors
    /// As [`Campaign::run`].
    pub fn run(
        &mut self,
        mut observe: impl FnMut(Option<Choice>, Option<&SampleReport>) -> Result<bool>,
    ) -> Result<()> {
        for sample in self.campaign.pending()? {
            let mut choice = None;
            if self.campaign.samples()[sample].iter().any(|p| p.is_nan()) {
                let (estimate, next) = self.largest(sample)?;
                choice = Some(Choice { samples: sample, estimate });
                let Some(next) = next.filter(|_| estimate > self.options.tolerance) else {
                    self.campaign.dataset().spare_from(sample)?;
                    observe(choice, None)?;
                    return Ok(());
                };
                let parameters = self.candidates[next].clone();
                self.campaign.choose(sample, &parameters)?;
            }
            let report = self.campaign.solve(sample)?;
            if report.failure.is_none() {
                let stages = &self.campaign.simulation().stages;
                let solutions =
                    stages.iter().map(|s| Ok(s.solution().read()?.to_vec())).collect::<Result<_>>()?;
                self.greedy.add(&self.campaign.samples()[sample], solutions)?;
            }
            let last = sample + 1 == self.campaign.samples().len();
            if !observe(choice, Some(&report))? && !last {
                return Ok(());
            }
            if last {
                let (estimate, _) = self.largest(sample + 1)?;
                observe(Some(Choice { samples: sample + 1, estimate }), None)?;
            }
        }
        Ok(())
    }

    /// The largest estimate over the candidates, and the one that has it; those that are samples already (some of which
    /// could not be solved) are left out. Stores the estimate as that of `count` samples. Collective.
    fn largest(&self, count: usize) -> Result<(f64, Option<usize>)> {
        let estimates = self.greedy.estimates(&self.candidates);
        let taken = |i: &usize| self.campaign.samples().contains(&self.candidates[*i]);
        // The first of equals.
        let best = (0..estimates.len())
            .filter(|i| !taken(i))
            .reduce(|best, i| if estimates[i] > estimates[best] { i } else { best });
        let largest = best.map_or(0.0, |best| estimates[best]);
        let file = self.campaign.dataset().file();
        let mine: &[f64] = if file.comm().rank() == 0 { &[largest] } else { &[] };
        file.write_rows(ESTIMATE, count as u64, mine)?;
        Ok((largest, best))
    }

    /// Closes the dataset. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when what was written does not reach the disk.
    pub fn close(self) -> Result<()> {
        self.campaign.close()
    }
}
