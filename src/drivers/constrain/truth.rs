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
        let mut errors = Vec::new();
        for field in solutions(simulation) {
            let stage = &simulation.stages[field.stage];
            let both = [&predicted[field.stage], &repaired[field.stage]];
            let mut row = [f64::NAN; 6];
            for (i, state) in both.into_iter().enumerate() {
                let mut error = state.try_clone()?;
                error.axpy(-1.0, stage.solution())?;
                row[i] = l2(stage, &field, &error)?;
                if Constraint::natural_norm(&stage.problem) == Norm::Energy {
                    let exact = stage.solution().read()?;
                    let (of, size) = energy_error(&stage.problem, context, &exact, &state.read()?)?;
                    (row[3 + i], row[5]) = (of, size);
                }
            }
            row[2] = l2(stage, &field, stage.solution())?;
            errors.push((field.name, row));
        }
        Ok(Self { errors, quantities: simulation.quantities(context)?, seconds })
    }
}

/// L2 norm of a part of a field.
fn l2(stage: &Stage, field: &FieldInfo, state: &Vector) -> Result<f64> {
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
