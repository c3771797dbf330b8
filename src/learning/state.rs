//! A network and its training in a file, guarded by checksums as checkpoints are.
//!
//! ```text
//! /                 as in all files; step
//! /box              [coordinate, 2]       around the nodes, which points are scaled from
//! /weights          [weight]              of the network: see the crate `tessera-network`
//! /adam/first       [weight]              mean of the gradients
//! /adam/second      [weight]              mean of their squares
//! /history          [step, 2]             loss and norm of the gradient
//! /looks            [look, 3]             steps done, mean and largest loss at the tests
//! ```
use crate::campaign::same_for_learning;
use crate::deck::Deck;
use crate::parallel::Comm;
use crate::storage::{File, Provenance, Schema, Sealed, Sealing};
use crate::{Error, Result};
use std::path::Path;
use tessera_network::AdamState;

/// The residual at the tests after some steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Steps done.
    pub step: usize,
    /// Mean of the squared relative residuals.
    pub mean: f64,
    /// The largest of them.
    pub worst: f64,
}

/// A network and the state of its training.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The box around all nodes.
    pub extent: Vec<[f64; 2]>,
    /// Weights of the network.
    pub weights: Vec<f64>,
    /// What Adam remembers.
    pub adam: AdamState,
    /// `[loss, norm of the gradient]` of every step.
    pub history: Vec<[f64; 2]>,
    /// Looks at the tests.
    pub looks: Vec<Look>,
}

impl State {
    /// Writes it. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when the disk is full.
    pub fn write(&self, comm: &Comm, path: &Path, deck: &Deck, provenance: &Provenance) -> Result<()> {
        let numbers = 6 + 3 * self.weights.len() + 2 * self.history.len() + 3 * self.looks.len();
        let mut file = Sealing::create(comm, path, 8 * numbers as u64)?;
        file.file().describe(Schema::Network, provenance)?;
        file.file().set("/", "deck_name", deck.name())?;
        file.file().set("/", "step", self.history.len())?;
        file.write_array("/box", &[self.extent.len() as u64, 2], self.extent.as_flattened())?;
        let weights = self.weights.len() as u64;
        file.write_array("/weights", &[weights], &self.weights)?;
        file.write_array("/adam/first", &[weights], &self.adam.first)?;
        file.write_array("/adam/second", &[weights], &self.adam.second)?;
        file.write_array("/history", &[self.history.len() as u64, 2], self.history.as_flattened())?;
        let looks: Vec<f64> =
            self.looks.iter().flat_map(|look| [look.step as f64, look.mean, look.worst]).collect();
        file.write_array("/looks", &[self.looks.len() as u64, 3], &looks)?;
        file.finish()?;
        Ok(())
    }
}

/// Reads a network to go on with. Collective.
///
/// # Errors
/// [`Error::Storage`] when the file is damaged, [`Error::Input`] when it is no network or of another deck.
pub fn read_state(comm: &Comm, path: &Path, deck: &Deck) -> Result<State> {
    read(comm, path, |file| same_for_learning(deck, file))
}

/// Reads a network with its deck. Collective.
///
/// # Errors
/// [`Error::Storage`] when the file is damaged, [`Error::Input`] when it is no network.
pub fn read_network(comm: &Comm, path: &Path) -> Result<(Deck, State)> {
    let mut deck = None;
    let state = read(comm, path, |file| {
        deck = Some(Deck::parse(&file.text("/", "deck")?, &file.text("/", "deck_name")?, &[])?);
        Ok(())
    })?;
    Ok((deck.expect("set above"), state))
}

fn read(comm: &Comm, path: &Path, look: impl FnOnce(&File) -> Result<()>) -> Result<State> {
    let file = Sealed::open(comm, path, |file| {
        file.expect(Schema::Network)?;
        look(file)
    })?;
    let pairs = |name: &str| file.whole(name).chunks_exact(2).map(|row| [row[0], row[1]]).collect::<Vec<_>>();
    let history = pairs("/history");
    if file.file().get("/", "step")? != Some(history.len().into()) {
        return Err(Error::input(file.file().label(), "its history is not complete"));
    }
    let look = |row: &[f64]| Look { step: row[0] as usize, mean: row[1], worst: row[2] };
    Ok(State {
        extent: pairs("/box"),
        weights: file.whole("/weights"),
        adam: AdamState {
            step: history.len() as u64,
            first: file.whole("/adam/first"),
            second: file.whole("/adam/second"),
        },
        history,
        looks: file.whole("/looks").chunks_exact(3).map(look).collect(),
    })
}
