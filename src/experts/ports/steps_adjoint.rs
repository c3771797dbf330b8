//! The derivative of a repaired window of steps.
use super::adjoint::accumulated;
use super::steps::{StepEquations, Steps, WindowRepair};
use crate::Result;
use crate::experts::constraint::Constraint;
use crate::experts::equations::{pull_prescribed, pull_term};
use crate::mixture::Columns;
use crate::physics::Problem;
use petsc_rs::Vector;
use std::rc::Rc;

/// What a scalar `L` of the states of a repaired window says of its inputs.
pub struct WindowPullback {
    /// `dL/du^` of the prediction of every state, zero where values are prescribed.
    pub predictions: Vec<Vector>,
    /// `dL/du` of every state before the window.
    pub known: Vec<Vector>,
    /// `dL/d mu` of every parameter of the deck, with predictions and the states before as they are.
    pub parameters: Vec<f64>,
    /// `dL/d Phi` of the functions, `[state, owned unknown]` each.
    pub functions: Columns,
}

impl Constraint {
    /// Pulls `dL/du` of the states that [`Constraint::repair_steps`] found back to its inputs, which are those of that call; the
    /// modes at ports count as given. Collective.
    ///
    /// # Errors
    /// When a coefficient has no value, or a solve fails.
    pub fn pull_back_steps(
        &self,
        problem: &Rc<Problem>,
        equations: &StepEquations,
        known: &[Vector],
        functions: &Columns,
        repair: &WindowRepair,
        cotangents: &[Vector],
    ) -> Result<WindowPullback> {
        let (space, before) = (&problem.space, known.len() - 1);
        let condition = self.condition_of_steps(equations, before + cotangents.len())?;
        let prepared = self.prepared(problem, equations, before, cotangents.len())?;
        let steps = Steps { equations, before, prepared: &prepared, known, functions };
        let window = steps.window(self, condition, problem, &repair.starts)?;
        let mut folded = Vec::with_capacity(cotangents.len());
        let mut free = Vec::with_capacity(cotangents.len());
        for (cotangent, prepared) in cotangents.iter().zip(&prepared) {
            let mut cotangent = cotangent.try_clone()?;
            problem.fold_unused(&mut cotangent)?;
            let mut own = cotangent.read()?.to_vec();
            prepared.essential.clear(&mut own);
            free.push(own);
            folded.push(cotangent);
        }
        let adjoint = self.adjoint_of_ports(&window, condition, repair.coefficients.clone(), &free)?;
        let said = window.said(&adjoint, &free)?;
        let mut parameters = window.of_parameters(&adjoint)?;
        let mut columns = vec![Vec::new(); functions.count()];
        let mut predictions = Vec::with_capacity(said.len());
        for ((said, prepared), cotangent) in said.iter().zip(&prepared).zip(folded) {
            let mut whole = cotangent;
            whole.axpy(-1.0, &accumulated(&window, &said.prediction)?)?;
            pull_prescribed(prepared, &mut whole, &mut parameters)?;
            predictions.push(whole);
            for (column, said) in columns.iter_mut().zip(&said.columns) {
                let mut said = accumulated(&window, said)?;
                prepared.essential.clear(&mut said.write()?);
                column.extend_from_slice(&said.read()?);
            }
        }
        let mut result = Columns::new(&space.mesh.comm, space.owned_dofs() * cotangents.len());
        columns.iter().for_each(|column| result.push(column));
        let mut earlier = Vec::with_capacity(known.len());
        for _ in known {
            earlier.push(space.field()?);
        }
        // Known states are in the offsets of the equations, of which -eta is said.
        let mut offset = space.field()?;
        for (number, eta) in adjoint.eta.0.iter().enumerate() {
            offset.write()?.iter_mut().zip(eta).for_each(|(offset, y)| *offset = -y);
            offset.ghost_update()?;
            for (state, storage, rest) in steps.known_terms(before + 1 + number) {
                let at = problem.at(&equations.contexts[state])?;
                let said = &mut earlier[state];
                pull_term((&at, &known[state]), (storage, rest), &offset, said, &mut parameters)?;
            }
        }
        Ok(WindowPullback { predictions, known: earlier, parameters, functions: result })
    }
}
