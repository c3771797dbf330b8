//! Gradients of quantities of interest.
use super::sensitivities::{DIFFERENCE, STEP, Sensitivities};
use crate::deck::{Quantity, QuantityKind};
use crate::physics::Context;
use crate::simulation::Simulation;
use crate::{Error, Result};
use petsc_rs::Vector;

/// How a gradient is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// By the adjoint of quantities that are linear in a solution, see [`Simulation::functional`]: one transposed system.
    Adjoint,
    /// By the derivatives of the solutions, one linear system for each parameter, and central differences of fourth order
    /// of the quantity along them: any quantity that is smooth.
    Tangent,
}

/// The derivatives of the deck's quantity number `quantity` with respect to `parameters` (by number) at the present
/// solutions, which must be those of `context`. Without a method the adjoint where there is one. The solutions are those
/// of before afterwards. Collective.
///
/// # Errors
/// [`Error::Input`] for quantities without a derivative (extrema) and for the adjoint of one that has none;
/// [`Error::Failed`] where a solution has no derivative.
pub fn gradient(
    simulation: &mut Simulation,
    context: &Context,
    quantity: usize,
    parameters: &[usize],
    method: Option<Method>,
) -> Result<Vec<f64>> {
    let asked = simulation.deck.quantity[quantity].clone();
    let refused = |why: &str| {
        let message = format!("quantity \"{}\": {why}", asked.name);
        Err(simulation.deck.fault(&format!("quantity.{}", asked.name), message))
    };
    if matches!(asked.kind, QuantityKind::Minimum | QuantityKind::Maximum) {
        return refused(
            "the smallest or largest nodal value has no derivative; take a value at a point or a mean",
        );
    }
    let functional = match method {
        Some(Method::Tangent) => None,
        _ if simulation.why_not_linear(&asked)?.is_some() => None,
        _ => Some(simulation.functional(&asked)?),
    };
    match (functional, method) {
        (Some((stage, functional)), _) => {
            let mut cotangents: Vec<Option<Vector>> = simulation.stages.iter().map(|_| None).collect();
            cotangents[stage] = Some(functional);
            Sensitivities::new(simulation, context)?.pulled_back(&cotangents, parameters)
        }
        (None, Some(Method::Adjoint)) => refused(
            "it is not linear in a solution, so it has no adjoint here; the method \"tangent\" takes it",
        ),
        (None, _) => parameters.iter().map(|&p| along(simulation, context, &asked, quantity, p)).collect(),
    }
}

/// The derivative of a quantity along a parameter, by differences of all that it depends on.
fn along(
    simulation: &mut Simulation,
    context: &Context,
    asked: &Quantity,
    quantity: usize,
    parameter: usize,
) -> Result<f64> {
    let measured = simulation.measured(asked)?.0.stage;
    let wanted: Vec<bool> = (0..simulation.stages.len()).map(|stage| stage == measured).collect();
    let rates = Sensitivities::new(simulation, context)?.along(parameter, &wanted)?;
    let solutions: Vec<Vec<f64>> =
        simulation.stages.iter().map(|stage| Ok(stage.solution().read()?.to_vec())).collect::<Result<_>>()?;
    let residuals: Vec<_> = simulation.stages.iter_mut().map(|stage| stage.replace_residual(None)).collect();
    let step = STEP * size(simulation, context, parameter);
    let mut moved = || -> Result<f64> {
        let mut derivative = 0.0;
        for (places, weight) in DIFFERENCE {
            let distance = places * step;
            for ((stage, solution), rate) in simulation.stages.iter_mut().zip(&solutions).zip(&rates) {
                let Some(rate) = rate else { continue };
                let state: Vec<f64> =
                    solution.iter().zip(rate.read()?.iter()).map(|(u, w)| u + distance * w).collect();
                stage.set_solution(&state)?;
            }
            let mut there = context.clone();
            there.parameters[parameter] += distance;
            derivative += weight / step * simulation.quantities(&there)?[quantity];
        }
        Ok(derivative)
    };
    let derivative = moved();
    for ((stage, solution), residual) in simulation.stages.iter_mut().zip(&solutions).zip(residuals) {
        stage.set_solution(solution)?;
        stage.replace_residual(residual);
    }
    match derivative? {
        value if value.is_finite() => Ok(value),
        value => Err(Error::Failed(format!("quantity \"{}\": its derivative is {value}", asked.name))),
    }
}

/// What a parameter is compared with: its value, else its range.
fn size(simulation: &Simulation, context: &Context, parameter: usize) -> f64 {
    let range = simulation.deck.parameters[parameter].range.map_or(0.0, |[low, high]| high - low);
    [context.parameters[parameter].abs(), range].into_iter().find(|&size| size > 0.0).unwrap_or(1.0)
}
