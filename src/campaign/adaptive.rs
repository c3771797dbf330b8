//! Adaptive designs: the next sample is taken where a reduced model of those before it has its largest error estimate (weak
//! greedy sampling).
use super::dataset::ESTIMATE;
use super::design::Design;
use super::leader::{Leader, discounted};
use super::observer::SampleReport;
use super::part::Selection;
use super::run::Campaign;
use super::samples::{covering_samples, held, options};
use crate::Result;
use crate::deck::AdaptiveSection;
use crate::reuse::GuardOptions;
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
    leader: Box<dyn Leader + 'a>,
    candidates: Vec<Vec<f64>>,
    /// Of the candidates, with the first so many samples.
    estimates: Option<(usize, Vec<f64>)>,
    options: AdaptiveSection,
    /// The last samples, drawn beforehand to calibrate bounds on: none of them is chosen.
    held: usize,
}

impl<'a> Adaptive<'a> {
    /// Opens the dataset of an interrupted campaign, whose samples the leader takes in, or makes a new one; with guarded steps
    /// in time, if asked. Collective.
    ///
    /// # Errors
    /// As [`Campaign::open_guarded`].
    pub fn open(
        simulation: &'a mut Simulation,
        leader: Box<dyn Leader + 'a>,
        path: &Path,
        provenance: &Provenance,
        selection: &Selection,
        guard: Option<&GuardOptions>,
    ) -> Result<Self> {
        let deck = simulation.deck.clone();
        let (options, held) = (options(&deck), held(&deck));
        let hypercube = Design::LatinHypercube { samples: options.candidates, seed: deck.campaign.seed };
        let candidates = covering_samples(&deck, &hypercube)?;
        let mut campaign = Campaign::open_guarded(simulation, path, provenance, selection, guard)?;
        campaign.restore_samples()?;
        let mut adaptive = Self { campaign, leader, candidates, estimates: None, options, held };
        for sample in adaptive.campaign.dataset().done()? {
            adaptive.leader.add(&mut adaptive.campaign, sample)?;
        }
        Ok(adaptive)
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
        let end = self.campaign.samples().len() - self.held;
        let mut is_met = false;
        for sample in self.campaign.pending()? {
            let mut choice = None;
            if self.campaign.samples()[sample].iter().any(|p| p.is_nan()) {
                if is_met {
                    continue;
                }
                let known = self.leader.known(sample);
                let (estimate, next) = self.largest(sample, known)?;
                choice = (known == sample).then_some(Choice { samples: sample, estimate });
                // Within a batch the estimate is a guess, which ends nothing.
                let Some(next) = next.filter(|_| known < sample || estimate > self.options.tolerance) else {
                    self.campaign.dataset().spare(sample..end)?;
                    is_met = true;
                    observe(choice, None)?;
                    continue;
                };
                let parameters = self.candidates[next].clone();
                self.campaign.choose(sample, &parameters)?;
            }
            let report = self.campaign.solve(sample)?;
            if report.failure.is_none() && sample < end {
                self.leader.add(&mut self.campaign, sample)?;
            }
            let last = sample + 1 == self.campaign.samples().len();
            if !observe(choice, Some(&report))? && !last {
                return Ok(());
            }
            if sample + 1 == end && self.leader.tells_at_the_end() {
                let (estimate, _) = self.largest(end, end)?;
                observe(Some(Choice { samples: end, estimate }), None)?;
            }
        }
        Ok(())
    }

    /// The largest estimate over the candidates when there are `count` samples of which the first `known` lead, and the
    /// candidate that has it; those that are samples already (some of which could not be solved) are left out. Stores the
    /// estimate as that of `count` samples if all of them lead. Collective.
    fn largest(&mut self, count: usize, known: usize) -> Result<(f64, Option<usize>)> {
        if self.estimates.as_ref().is_none_or(|(of, _)| *of != known) {
            let estimates = self.leader.estimates(&mut self.campaign, &self.candidates, known)?;
            self.estimates = Some((known, estimates));
        }
        let (_, estimates) = self.estimates.as_ref().expect("made above");
        let samples = &self.campaign.samples()[..count];
        let estimates = discounted(estimates, &self.candidates, samples, known);
        let taken = |i: &usize| samples.contains(&self.candidates[*i]);
        // The first of equals.
        let best = (0..estimates.len())
            .filter(|i| !taken(i))
            .reduce(|best, i| if estimates[i] > estimates[best] { i } else { best });
        let largest = best.map_or(0.0, |best| estimates[best]);
        if known == count {
            let file = self.campaign.dataset().file();
            let mine: &[f64] = if file.comm().rank() == 0 { &[largest] } else { &[] };
            file.write_rows(ESTIMATE, count as u64, mine)?;
        }
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
