//! What training makes small: the residual of the field that the level `coupled` finds on the functions.
use super::basis::{Functions, LearnedBasis};
use crate::deck::{ConstraintLevel, Norm};
use crate::experts::{Constraint, ConstraintOptions, Equations};
use crate::fem::{Essential, Space};
use crate::mixture::{CoarseModes, Gating, finished};
use crate::physics::{Context, FormState, Prepared, Problem};
use crate::simulation::Simulation;
use crate::{Error, Result};
use petsc_rs::{KrylovSolver, Matrix, Vector};
use std::rc::Rc;

/// The reference energy is factorised once.
const ENERGY: &str = "-ksp_type preonly -pc_type cholesky -pc_factor_mat_solver_type mumps";

/// The squared residual `r^T E^-1 r` of the field on a network's functions, over that of a field which is constant inside.
///
/// `E` is the symmetric part of the tangent at the default parameters in a uniform field, so that the number is about the
/// squared error in the energy norm; of flows and waves, whose tangents are not positive, the identity.
pub struct ResidualLoss {
    problem: Rc<Problem>,
    constraint: Constraint,
    energy: Option<KrylovSolver>,
    tangent: Matrix,
}

/// The field at some parameters.
pub struct Coupled {
    /// The field; ghosts are up to date.
    pub state: Vector,
    /// Its squared residual, over that of a field which is constant inside.
    pub loss: f64,
    /// Largest imbalance of an expert, relative to what it exchanges.
    pub worst: f64,
    prepared: Prepared,
    functions: Functions,
    /// `E^-1 r`.
    weighted: Vector,
    /// The squared residual of the constant field.
    scale: f64,
}

impl ResidualLoss {
    /// For the only problem of a deck. Collective.
    ///
    /// # Errors
    /// When the problem cannot be prepared at its default parameters, or its energy not be factorised.
    pub fn new(simulation: &Simulation) -> Result<Self> {
        let (deck, stage) = (&simulation.deck, &simulation.stages[0]);
        let problem = stage.problem.clone();
        let space = &problem.space;
        let gating = Rc::new(Gating::new(space, deck.partition.overlap)?);
        let options = ConstraintOptions {
            level: ConstraintLevel::Coupled,
            weight: Norm::Euclidean,
            modes: CoarseModes::of(&problem),
            tolerance: deck.solver_options(0).tolerance,
            max_iterations: 1,
        };
        let constraint = Constraint::new(&problem.name, space.clone(), gating, options);
        let prepared = problem.at(&Context::steady(deck.default_parameters()))?;
        let tangent = problem.new_matrix()?;
        let energy = if problem.facts().pressure || problem.facts().complex {
            None
        } else {
            let mut state = space.field()?;
            fill(&mut state, &means(space, &prepared.essential))?;
            Some(factorised_energy(&prepared, FormState::steady(&state.local_read()?))?)
        };
        Ok(Self { problem, constraint, energy, tangent })
    }

    /// The field on the functions of a network, with its residual. Collective.
    ///
    /// # Errors
    /// When the equations on the functions cannot be solved.
    pub fn field(&mut self, basis: &LearnedBasis, parameters: &[f64]) -> Result<Coupled> {
        let prepared = self.problem.at(&Context::steady(parameters.to_vec()))?;
        let functions = basis.functions(parameters)?;
        self.constraint.set_columns(functions.columns.clone());
        let space = &self.problem.space;
        let mut state = space.field()?;
        fill(&mut state, &means(space, &prepared.essential))?;
        let equations = Equations::steady(&prepared);
        equations.impose(space, &mut state)?;
        let mut residual = state.duplicate()?;
        let mut weighted = state.duplicate()?;
        equations.residual(&state, &mut residual)?;
        let scale = self.square(&residual, &mut weighted)?;
        if scale <= 0.0 || !scale.is_finite() {
            let text = format!(
                "{}: the residual of a constant field is {scale:.1e}: nothing to learn",
                self.problem.name
            );
            return Err(Error::Failed(text));
        }
        let worst = self.constraint.apply(&equations, &mut state)?.worst_after;
        equations.residual(&state, &mut residual)?;
        let loss = self.square(&residual, &mut weighted)? / scale;
        Ok(Coupled { state, loss, worst, prepared, functions, weighted, scale })
    }

    /// This rank's part of the loss's gradient with respect to the weights, of the last field. Collective.
    ///
    /// # Errors
    /// When a solve fails.
    pub fn gradient(&mut self, basis: &LearnedBasis, of: &Coupled) -> Result<Vec<f64>> {
        let Coupled { state, prepared, weighted, scale, functions, .. } = of;
        let at = state.local_read()?;
        prepared.tangent(FormState::steady(&at), &prepared.essential, &mut self.tangent)?;
        let mut cotangent = state.duplicate()?;
        self.tangent.mult_transpose(weighted, &mut cotangent)?;
        cotangent.scale(2.0 / scale)?;
        prepared.essential.clear(&mut cotangent.write()?);
        let pulled = self.constraint.pull_back(&Equations::steady(prepared), &cotangent)?;
        basis.pull_back(&prepared.context().parameters, functions, &pulled.columns)
    }

    /// `r^T E^-1 r`, with `E^-1 r`. Collective.
    fn square(&mut self, residual: &Vector, weighted: &mut Vector) -> Result<f64> {
        match &mut self.energy {
            Some(solver) => finished(solver.solve(residual, weighted)?)?,
            None => weighted.copy_from(residual)?,
        }
        Ok(residual.dot(weighted)?)
    }
}

/// The symmetric part of a tangent, factorised. Collective.
pub(super) fn factorised_energy(prepared: &Prepared, form: FormState) -> Result<KrylovSolver> {
    let problem = prepared.problem();
    let mut tangent = problem.new_matrix()?;
    prepared.tangent(form, &prepared.essential, &mut tangent)?;
    let mut energy = tangent.transpose()?;
    energy.axpy(1.0, &tangent, false)?;
    energy.scale(0.5)?;
    let mut solver = KrylovSolver::new(problem.space.mesh.comm.mpi())?;
    solver.set_prefix(&format!("{}_energy_", problem.name))?;
    solver.set_operators(&energy, &energy)?;
    solver.set_up_with(ENERGY, |_| Ok(()))?;
    Ok(solver)
}

/// The mean of the prescribed values of each component; zero where there are none. Collective.
pub(super) fn means(space: &Space, essential: &Essential) -> Vec<f64> {
    let c = space.components;
    let mut sums = vec![0.0; 2 * c];
    for dof in essential.owned(space) {
        sums[dof % c] += essential.values[dof];
        sums[c + dof % c] += 1.0;
    }
    space.mesh.comm.sum_into(&mut sums);
    (0..c).map(|i| sums[i] / sums[c + i].max(1.0)).collect()
}

/// A uniform field.
pub(super) fn fill(state: &mut Vector, values: &[f64]) -> Result<()> {
    for (dof, value) in state.write()?.iter_mut().enumerate() {
        *value = values[dof % values.len()];
    }
    Ok(state.ghost_update()?)
}
