//! What training makes small, of steady problems and of runs in time.
use super::basis::LearnedBasis;
use super::in_time::{CoupledRun, StepLoss};
use super::residual::{Coupled, ResidualLoss};
use super::steps;
use crate::Result;
use crate::deck::{Deck, NetworkSection};
use crate::simulation::Simulation;

/// The loss of a sample.
pub(super) enum Loss {
    Steady(Box<ResidualLoss>),
    InTime(Box<StepLoss>),
}

/// The fields of a sample.
pub(super) enum Found {
    Steady(Box<Coupled>),
    InTime(Box<CoupledRun>),
}

impl Found {
    /// The squared relative residual.
    pub fn loss(&self) -> f64 {
        match self {
            Self::Steady(found) => found.loss,
            Self::InTime(found) => found.loss,
        }
    }

    /// The largest relative imbalance of an expert, in any step.
    pub fn worst(&self) -> f64 {
        match self {
            Self::Steady(found) => found.worst,
            Self::InTime(found) => found.worst,
        }
    }
}

impl Loss {
    /// That of a deck, with the network on its mesh: of one in time that of [`Deck::for_training`]. Collective.
    pub fn new(simulation: &Simulation, section: &NetworkSection) -> Result<(Self, LearnedBasis)> {
        let Some(time) = &simulation.deck.time else {
            let basis = LearnedBasis::new(simulation, section)?;
            return Ok((Self::Steady(Box::new(ResidualLoss::new(simulation)?)), basis));
        };
        let deck = coarser(&simulation.deck, section);
        let own = match deck.mesh == simulation.deck.mesh {
            true => Simulation::on_mesh(&deck, simulation.mesh.clone())?,
            false => Simulation::new(&simulation.mesh.comm, &deck)?,
        };
        let basis = LearnedBasis::new(&own, section)?;
        let loss = StepLoss::new(own, steps::trained(time, &section.time))?;
        Ok((Self::InTime(Box::new(loss)), basis))
    }

    /// The fields at some parameters. Collective.
    pub fn field(&mut self, basis: &LearnedBasis, parameters: &[f64]) -> Result<Found> {
        Ok(match self {
            Self::Steady(loss) => Found::Steady(Box::new(loss.field(basis, parameters)?)),
            Self::InTime(loss) => Found::InTime(Box::new(loss.field(basis, parameters)?)),
        })
    }

    /// This rank's part of the gradient of the last fields. Collective.
    pub fn gradient(&mut self, basis: &LearnedBasis, found: &mut Found) -> Result<Vec<f64>> {
        match (self, found) {
            (Self::Steady(loss), Found::Steady(found)) => loss.gradient(basis, found),
            (Self::InTime(loss), Found::InTime(found)) => loss.gradient(basis, found),
            _ => unreachable!("fields of the same loss"),
        }
    }
}

/// The deck with the box of the training, and with experts that overlap by as much of it.
fn coarser(deck: &Deck, section: &NetworkSection) -> Deck {
    let mut deck = deck.clone();
    if let (Some(block), Some(cells)) = (&mut deck.mesh.block, &section.time.cells) {
        let pairs = block.cells.iter().zip(cells);
        let share = pairs.map(|(fine, coarse)| *coarse as f64 / *fine as f64).fold(f64::MAX, f64::min);
        deck.partition.overlap = ((f64::from(deck.partition.overlap) * share).round() as u32).max(1);
        block.cells.clone_from(cells);
    }
    deck
}
