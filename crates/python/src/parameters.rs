//! Parameters by their names.
use crate::errors::{from_python, wrong};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tessera::Result;
use tessera::deck::{Deck, did_you_mean};
use tessera::physics::Context;

/// The context of some parameters, the deck's defaults for the others. Local.
///
/// # Errors
/// For a name that the deck does not have, and a value that is no number and no choice.
pub fn context(deck: &Deck, given: Option<&Bound<'_, PyDict>>) -> Result<Context> {
    let mut values = deck.default_parameters();
    for (name, value) in given.into_iter().flatten() {
        let name: String = name.extract().map_err(|error: PyErr| from_python(&error))?;
        let place = number(deck, &name)?;
        let found = match value.extract::<String>() {
            Ok(text) => deck.parameters[place].value(&text),
            Err(_) => value.extract::<f64>().ok().filter(|value| value.is_finite()),
        };
        values[place] = found.ok_or_else(|| {
            let text = value.str().map_or_else(|_| "it".into(), |text| text.to_string());
            wrong(format!("parameter {name}: expected a finite number, found {text}"))
        })?;
    }
    Ok(Context::steady(values))
}

/// The number of a parameter. Local.
///
/// # Errors
/// When the deck has none of that name.
pub fn number(deck: &Deck, name: &str) -> Result<usize> {
    deck.parameters.get_index_of(name).ok_or_else(|| {
        let known: Vec<&str> = deck.parameters.keys().map(String::as_str).collect();
        wrong(format!("the deck has no parameter \"{name}\"{}", did_you_mean(name, &known, "parameters")))
    })
}

/// The numbers of parameters, of all without names. Local.
///
/// # Errors
/// As [`number`].
pub fn numbers(deck: &Deck, names: Option<Vec<String>>) -> Result<Vec<usize>> {
    match names {
        None => Ok((0..deck.parameters.len()).collect()),
        Some(names) => names.iter().map(|name| number(deck, name)).collect(),
    }
}

/// What was given, in words that ranks can compare.
pub fn words(given: Option<&Bound<'_, PyDict>>) -> String {
    let mut pairs: Vec<String> = given
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            // All digits of a number.
            let value =
                value.extract::<f64>().map_or_else(|_| value.to_string(), |value| format!("{value:?}"));
            format!("{name}={value}")
        })
        .collect();
    pairs.sort();
    pairs.join(", ")
}
