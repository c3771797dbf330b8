//! Derivatives of solutions and quantities with respect to parameters.
use crate::arrays::Rows;
use crate::choices::{METHODS, chosen};
use crate::errors::wrong;
use crate::open::Open;
use crate::parameters;
use petsc_rs::Vector;
use pyo3::prelude::*;
use tessera::deck::did_you_mean;
use tessera::sensitivity::{self, Sensitivities};
use tessera::{Error, Result};

fn expect_solved(open: &Open) -> Result<()> {
    match open.is_solved {
        true => Ok(()),
        false => Err(Error::Failed(
            "the fields are no solution: call solve() first, derivatives are taken at its parameters".into(),
        )),
    }
}

/// The gradient of a quantity. Collective.
pub fn gradient(
    open: &mut Open,
    quantity: &str,
    names: Option<Vec<String>>,
    method: Option<String>,
) -> Result<Vec<f64>> {
    let list = &open.simulation.deck.quantity;
    let number = list.iter().position(|q| q.name == quantity).ok_or_else(|| {
        let known: Vec<&str> = list.iter().map(|q| q.name.as_str()).collect();
        let hint = did_you_mean(quantity, &known, "quantities");
        wrong(format!("the deck has no quantity \"{quantity}\"{hint}"))
    })?;
    let parameters = parameters::numbers(&open.simulation.deck, names)?;
    let method = method.map(|word| chosen("method", &word, METHODS)).transpose()?;
    expect_solved(open)?;
    sensitivity::gradient(&mut open.simulation, &open.context, number, &parameters, method)
}

/// The derivative of a solution with respect to a parameter. Collective.
pub fn sensitivity(open: &Open, field: &str, parameter: &str, own: bool) -> Result<Rows> {
    let field = open.solution(field)?;
    let parameter = parameters::number(&open.simulation.deck, parameter)?;
    expect_solved(open)?;
    let wanted: Vec<bool> = (0..open.orders.len()).map(|stage| stage == field.stage).collect();
    let mut rates = Sensitivities::new(&open.simulation, &open.context)?.along(parameter, &wanted)?;
    let rate = rates.swap_remove(field.stage).ok_or_else(|| Error::Failed("no derivative".into()))?;
    let c = open.simulation.stages[field.stage].space().components;
    let values: Vec<f64> = rate
        .read()?
        .chunks_exact(c)
        .flat_map(|row| row[field.first..][..field.components].to_vec())
        .collect();
    open.orders[field.stage].give(&values, field.components, own)
}

/// The derivatives with respect to parameters of a function of the solutions, from those with respect to fields.
/// Collective.
pub fn pull_back(
    open: &Open,
    cotangents: &[(String, Bound<'_, PyAny>)],
    names: Option<Vec<String>>,
    own: bool,
) -> Result<Vec<f64>> {
    let parameters = parameters::numbers(&open.simulation.deck, names)?;
    let mut vectors: Vec<Option<Vector>> = open.orders.iter().map(|_| None).collect();
    for (name, array) in cotangents {
        let field = open.solution(name)?;
        let values = open.orders[field.stage].take(array, field.components, own, name)?;
        let space = open.simulation.stages[field.stage].space();
        let vector = match &mut vectors[field.stage] {
            Some(vector) => vector,
            place => place.insert(space.field()?),
        };
        let mut all = vector.write()?;
        let rows = all.chunks_exact_mut(space.components).zip(values.chunks_exact(field.components));
        rows.for_each(|(all, values)| all[field.first..][..field.components].copy_from_slice(values));
    }
    expect_solved(open)?;
    Sensitivities::new(&open.simulation, &open.context)?.pulled_back(&vectors, &parameters)
}
