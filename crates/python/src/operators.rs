//! Residuals and tangents of a problem at a state of the caller's.
use crate::arrays::Rows;
use crate::open::Open;
use crate::parameters;
use petsc_rs::Vector;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tessera::physics::{FormState, Prepared, Side};
use tessera::{Error, Result};

type Given<'a, 'py> = Option<&'a Bound<'py, PyDict>>;
type Array<'a, 'py> = &'a Bound<'py, PyAny>;

/// A problem at parameters, with its number. Collective.
pub fn prepared(open: &Open, stage: &str, given: Given) -> Result<(usize, Prepared)> {
    let deck = &open.simulation.deck;
    let comm = &open.simulation.mesh.comm;
    let number = open.stage(stage)?;
    let context = comm.agree(parameters::context(deck, given))?;
    let problem = &open.simulation.stages[number].problem;
    if problem.new_history().is_some() {
        let text =
            format!("{stage}: a problem with internal variables has no residual without a step in time");
        return Err(Error::Failed(text));
    }
    Ok((number, problem.at(&context).map_err(|error| deck.locate(error))?))
}

/// Values of the unknowns, ghosts included. Collective.
pub fn vector(open: &Open, stage: usize, array: Array, own: bool, what: &str) -> Result<Vector> {
    let space = open.simulation.stages[stage].space();
    let values = open.orders[stage].take(array, space.components, own, what)?;
    let mut vector = space.field()?;
    vector.write()?.copy_from_slice(&values);
    vector.ghost_update()?;
    Ok(vector)
}

fn given(open: &Open, stage: usize, vector: &Vector, own: bool) -> Result<Rows> {
    open.orders[stage].give(&vector.read()?, open.simulation.stages[stage].space().components, own)
}

/// Which unknowns are prescribed (ones), and the values. Collective.
pub fn essential(open: &Open, stage: &str, parameters: Given, own: bool) -> Result<(Rows, Rows)> {
    let (number, prepared) = prepared(open, stage, parameters)?;
    let space = open.simulation.stages[number].space();
    let (order, count) = (&open.orders[number], space.owned_dofs());
    let fixed: Vec<f64> =
        prepared.essential.fixed[..count].iter().map(|fixed| f64::from(u8::from(*fixed))).collect();
    Ok((
        order.give(&fixed, space.components, own)?,
        order.give(&prepared.essential.values[..count], space.components, own)?,
    ))
}

/// The residual. Collective.
pub fn residual(open: &Open, stage: &str, u: Array, parameters: Given, own: bool) -> Result<Rows> {
    let (number, prepared) = prepared(open, stage, parameters)?;
    let state = vector(open, number, u, own, "u")?;
    let mut result = open.simulation.stages[number].space().field()?;
    prepared.residual(FormState::steady(&state.local_read()?), &mut result)?;
    given(open, number, &result, own)
}

/// The product of the tangent or its transpose with a vector. Collective.
pub fn product(
    open: &Open,
    stage: &str,
    (u, v): (Array, Array),
    parameters: Given,
    own: bool,
    transposed: bool,
) -> Result<Rows> {
    let (number, prepared) = prepared(open, stage, parameters)?;
    let (state, direction) = (vector(open, number, u, own, "u")?, vector(open, number, v, own, "v")?);
    let side = if transposed { Side::Transposed } else { Side::Plain };
    let result = prepared.product(FormState::steady(&state.local_read()?), side, &direction)?;
    given(open, number, &result, own)
}

/// The derivative of the residual with respect to a parameter. Collective.
pub fn slope(
    open: &Open,
    stage: &str,
    u: Array,
    parameter: &str,
    parameters: Given,
    own: bool,
) -> Result<Rows> {
    let (number, prepared) = prepared(open, stage, parameters)?;
    let parameter = crate::parameters::number(&open.simulation.deck, parameter)?;
    let state = vector(open, number, u, own, "u")?;
    let mut result = open.simulation.stages[number].space().field()?;
    prepared.slope(parameter, FormState::steady(&state.local_read()?), &mut result)?;
    given(open, number, &result, own)
}
