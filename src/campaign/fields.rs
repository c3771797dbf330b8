//! The fields that go into files.
use crate::parallel::Redistribution;
use crate::simulation::{FieldInfo, Simulation};
use crate::storage::Field;
use crate::{Error, Result, deck};

/// The fields that a deck's `output.fields` names; all of them when it is left out.
///
/// # Errors
/// [`Error::Input`] when a name is none of the deck's fields.
pub fn wanted(simulation: &Simulation) -> Result<Vec<FieldInfo>> {
    let available = simulation.fields();
    let Some(names) = &simulation.deck.output.fields else { return Ok(available) };
    names
        .iter()
        .map(|name| {
            available.iter().find(|f| f.name == *name).cloned().ok_or_else(|| -> Error {
                let known: Vec<&str> = available.iter().map(|f| f.name.as_str()).collect();
                let hint = deck::did_you_mean(name, &known, "fields");
                simulation.deck.fault("output.fields", format!("no field \"{name}\"{hint}"))
            })
        })
        .collect()
}

/// A field as files describe it.
pub fn describe(simulation: &Simulation, field: &FieldInfo, plan: &Redistribution) -> Field {
    let problem = &simulation.stages[field.stage].problem;
    let complex = problem.facts().complex && field.derived.is_none();
    let names = if complex { vec!["real", "imaginary"] } else { field.component_names() };
    Field::nodes(&field.name, &field.unit, field.components, problem.space.element.degree, plan)
        .meaning(field.meaning())
        .physics(&problem.name)
        .component_names(&names)
}

/// The fields that the deck's `output.fields` names, without solutions and random fields, which campaigns store anyway.
///
/// # Errors
/// [`Error::Input`] when a name is none of the deck's fields.
pub(super) fn beside_solutions(simulation: &Simulation) -> Result<Vec<FieldInfo>> {
    if simulation.deck.output.fields.is_none() {
        return Ok(Vec::new());
    }
    let beside = |field: &FieldInfo| field.derived.is_some() && field.random.is_none();
    Ok(wanted(simulation)?.into_iter().filter(beside).collect())
}
