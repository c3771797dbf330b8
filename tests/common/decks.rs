//! Decks as text, and what most tests do with them.
use std::path::Path;
use tessera::deck::Deck;
use tessera::drivers::shared::RunOptions;
use tessera::parallel::Comm;
use tessera::report::Level;
use tessera::simulation::Simulation;

/// The deck of this text with overrides, which must be a good one.
#[track_caller]
pub fn deck(text: &str, overrides: &[&str]) -> Deck {
    let overrides: Vec<String> = overrides.iter().map(|text| text.to_string()).collect();
    Deck::parse(text, "test.toml", &overrides).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// The same, with its output in a folder.
#[track_caller]
pub fn deck_in(folder: &Path, text: &str, overrides: &[&str]) -> Deck {
    let mut deck = deck(text, overrides);
    deck.output.directory = folder.into();
    deck
}

/// The problems of a deck on its mesh. Collective.
#[track_caller]
pub fn simulation(comm: &Comm, text: &str) -> Simulation {
    Simulation::new(comm, &deck(text, &[])).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// Options of a driver that prints nothing.
pub fn quiet() -> RunOptions {
    RunOptions { level: Level::Quiet, ..RunOptions::default() }
}
