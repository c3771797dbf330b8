//! Decks.
use crate::errors::exception;
use pyo3::prelude::*;
use std::path::PathBuf;
use tessera::deck::{self, Choices};

/// A deck that was read and checked.
#[pyclass(unsendable, module = "tessera._native")]
pub struct Deck(pub deck::Deck);

/// Name, default, range, choices with their names, unit, meaning.
type Parameter = (String, f64, Option<[f64; 2]>, Option<Vec<(String, f64)>>, String, String);

#[pymethods]
impl Deck {
    /// Reads a deck from a file. Local.
    #[staticmethod]
    fn read(path: PathBuf, overrides: Vec<String>) -> PyResult<Self> {
        deck::Deck::read(&path, &overrides).map(Self).map_err(exception)
    }

    /// Reads a deck from its text. Local.
    #[staticmethod]
    fn parse(text: &str, name: &str, overrides: Vec<String>) -> PyResult<Self> {
        deck::Deck::parse(text, name, &overrides).map(Self).map_err(exception)
    }

    #[getter]
    fn title(&self) -> &str {
        &self.0.title
    }

    #[getter]
    fn is_in_time(&self) -> bool {
        self.0.time.is_some()
    }

    fn to_toml(&self) -> String {
        self.0.to_toml()
    }

    fn notes(&self) -> Vec<String> {
        self.0.notes().collect()
    }

    fn fields(&self) -> Vec<String> {
        self.0.fields().into_iter().map(|(_, name)| name).collect()
    }

    fn quantities(&self) -> Vec<String> {
        self.0.quantity.iter().map(|quantity| quantity.name.clone()).collect()
    }

    fn parameters(&self) -> Vec<Parameter> {
        let choices = |choices: &Choices| match choices {
            Choices::Numbers(values) => values.iter().map(|value| (value.to_string(), *value)).collect(),
            Choices::Named(names) => names.iter().map(|(name, value)| (name.clone(), *value)).collect(),
        };
        let one = |(name, p): (&String, &deck::Parameter)| {
            let choices = p.choices.as_ref().map(choices);
            (name.clone(), p.default, p.range, choices, p.unit.clone(), p.meaning.clone())
        };
        self.0.parameters.iter().map(one).collect()
    }
}
