//! The full solution at the parameters of a prediction, and how far the prediction and its repair are from it.
use crate::deck::Norm;
use crate::experts::Constraint;
use crate::fem::place::{Where, integrate};
use crate::physics::Context;
use crate::rom::energy_error;
use crate::simulation::{FieldInfo, Simulation, Stage};
use crate::{Result, parallel::Comm};
use petsc_rs::Vector;
use std::time::Instant;

/// Columns of `/truth/<field>`.
pub const COLUMNS: [&str; 6] =
    ["l2_before", "l2_after", "l2_of_solution", "energy_before", "energy_after", "energy_of_solution"];

/// What the full solution says.
pub struct Truth {
    /// [`COLUMNS`] of each solution.
    pub errors: Vec<(String, [f64; 6])>,
    /// Quantities of interest of the full solution.
    pub quantities: Vec<f64>,
    /// Seconds of the solve, on the slowest rank.
    pub seconds: f64,
}

/// The fields that a deck solves for.
pub fn solutions(simulation: &Simulation) -> Vec<FieldInfo> {
    simulation
        .fields()
        .into_iter()
        .filter(|field| field.derived.is_none() && field.random.is_none())
        .collect()
}

impl Truth {
    /// Solves the full problems from zero; the simulation's solutions are the repaired ones before and the full ones
    /// afterwards. Collective.
    ///
    /// # Errors
    /// As [`Simulation::solve`].
    pub fn find(simulation: &mut Simulation, context: &Context, predicted: &[Vector]) -> Result<Self> {
        let comm: Comm = simulation.mesh.comm.clone();
        let mut repaired = Vec::new();
        for stage in &mut simulation.stages {
            repaired.push(stage.solution().try_clone()?);
            stage.forget_solution()?;
        }
        let start = Instant::now();
        simulation.solve(context)?;
        let seconds = comm.max(start.elapsed().as_secs_f64());
        let exact: Vec<&Vector> = simulation.stages.iter().map(Stage::solution).collect();
        let errors = errors(simulation, context, [predicted, &repaired], &exact)?;
        Ok(Self { errors, quantities: simulation.quantities(context)?, seconds })
    }
}

/// [`COLUMNS`] of each solution, of the predicted and of the repaired states of all problems against the exact ones; energies
/// of problems at rest alone. Collective.
///
/// # Errors
/// When PETSc fails.
pub fn errors(
    simulation: &Simulation,
    context: &Context,
    states: [&[Vector]; 2],
    exact: &[&Vector],
) -> Result<Vec<(String, [f64; 6])>> {
    let mut errors = Vec::new();
    for field in solutions(simulation) {
        let (stage, exact) = (&simulation.stages[field.stage], exact[field.stage]);
        let mut row = [f64::NAN; 6];
        for (i, states) in states.into_iter().enumerate() {
            let state = &states[field.stage];
            let mut error = state.try_clone()?;
            error.axpy(-1.0, exact)?;
            row[i] = l2(stage, &field, &error)?;
            let at_rest = simulation.deck.time.is_none() && stage.problem.is_linear_system();
            if at_rest && Constraint::natural_norm(&stage.problem) == Norm::Energy {
                let (of, size) = energy_error(&stage.problem, context, &exact.read()?, &state.read()?)?;
                (row[3 + i], row[5]) = (of, size);
            }
        }
        row[2] = l2(stage, &field, exact)?;
        errors.push((field.name, row));
    }
    Ok(errors)
}

/// L2 norm of a part of a field. Collective.
///
/// # Errors
/// When PETSc fails.
pub fn l2(stage: &Stage, field: &FieldInfo, state: &Vector) -> Result<f64> {
    let mut state = state.try_clone()?;
    state.ghost_update()?;
    let part = field.first..field.first + field.components;
    let space = stage.space();
    let square =
        integrate(space, &state.local_read()?, &Where::Everywhere, 2 * space.element.degree, |sample| {
            sample.value[part.clone()].iter().map(|v| v * v).sum()
        });
    Ok(square.sqrt())
}
