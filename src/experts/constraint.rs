//! The constraint layer: measures a prediction, and repairs it to the chosen level.
use super::balance::Balance;
use super::weight::{Mass, Weight};
use crate::deck::{ConstraintLevel, Norm};
use crate::fem::{Essential, Space};
use crate::mixture::{CoarseModes, Euclidean, Gating, InnerProduct, MatrixProduct, Mixture, sketch};
use crate::physics::{Context, Problem};
use crate::simulation::{Stage, System};
use crate::solver::Schwarz;
use crate::{Error, Result};
use petsc_rs::{KrylovSolver, Matrix, NormType, Vector};
use std::ops::Range;
use std::rc::Rc;
use std::time::Instant;

/// Balances are refined until they are this small relative to the exchange, as far as round-off lets them.
const BALANCED: f64 = 1e-14;
/// Balances above this after refinement are a failure.
const UNBALANCED: f64 = 1e-9;
/// Steps of iterative refinement at most.
const REFINEMENTS: usize = 4;

/// What the layer should do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConstraintOptions {
    /// What the repaired state satisfies.
    pub level: ConstraintLevel,
    /// The norm in which it is nearest to the prediction (level `conservation`).
    pub weight: Norm,
    /// Functions of the coarse space (level `exact`).
    pub modes: CoarseModes,
    /// Relative residual of level `exact`.
    pub tolerance: f64,
    /// Most iterations of level `exact`.
    pub max_iterations: usize,
}

/// The discrete equations at some parameters.
#[derive(Clone, Copy)]
pub struct Equations<'a> {
    /// `K`, essential unknowns eliminated symmetrically (identity on their rows and columns).
    pub matrix: &'a Matrix,
    /// `f`, with the essential values in their rows and lifted from the others.
    pub load: &'a Vector,
    /// The essential conditions.
    pub essential: &'a Essential,
    /// The problem and its parameters, to measure a prediction whose essential values are wrong;
    /// without it violations before are those after these values were set.
    pub problem: Option<(&'a Problem, &'a Context)>,
}

impl<'a> Equations<'a> {
    /// Of an assembled stage of a simulation.
    pub fn of(stage: &'a Stage, context: &'a Context) -> Self {
        let System { matrix, load, essential } = stage.assembled();
        Self { matrix, load, essential, problem: Some((&stage.problem, context)) }
    }
}

/// What the layer found and did. Lists hold this rank's experts, `[expert, component]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Repair {
    /// The level that was asked for.
    pub level: ConstraintLevel,
    /// The norm of `distance`.
    pub weight: Norm,
    /// This rank's experts.
    pub experts: Range<u32>,
    /// Components of the field.
    pub components: usize,
    /// Imbalance of each expert and component before, in the unit of the load (W, N, kg/s).
    pub before: Vec<f64>,
    /// The same afterwards.
    pub after: Vec<f64>,
    /// Gross exchange of each expert and component, to which the imbalances are compared.
    pub exchange: Vec<f64>,
    /// Largest relative imbalance of any expert before.
    pub worst_before: f64,
    /// The same afterwards.
    pub worst_after: f64,
    /// Largest error of an essential value before, in the unit of the field.
    pub boundary_before: f64,
    /// The same afterwards.
    pub boundary_after: f64,
    /// How far the free unknowns moved, in the chosen norm.
    pub distance: f64,
    /// The same relative to the norm of the repaired state.
    pub relative_distance: f64,
    /// Iterations: of the multipliers, or of the Schwarz method for level `exact`.
    pub iterations: usize,
    /// Wall time on the slowest rank, s.
    pub seconds: f64,
}

/// The layer for one problem; keeps what does not depend on the parameters, and what does as long as the matrix stays.
pub struct Constraint {
    name: String,
    options: ConstraintOptions,
    /// The experts with the functions that balances are tested with.
    balances: Mixture,
    /// The unknowns that were prescribed last.
    fixed: Vec<bool>,
    weight: Weight,
    kept: Option<Kept>,
}

/// What belongs to one matrix.
struct Kept {
    /// See [`sketch`].
    sketch: Vec<f64>,
    balance: Balance,
    /// Of level `exact`, made when it is first needed.
    solver: Option<KrylovSolver>,
}

impl Constraint {
    /// A layer whose PETSc options carry the prefix `<name>_constraint_`.
    pub fn new(name: &str, space: Rc<Space>, gating: Rc<Gating>, options: ConstraintOptions) -> Self {
        let balances = Mixture::new(space, gating, Some(CoarseModes::Constants));
        let name = format!("{name}_constraint");
        let weight = Weight { norm: options.weight, mass: None };
        Self { name, options, balances, fixed: Vec::new(), weight, kept: None }
    }

    /// For a stage of a simulation, with `layers` of overlap between its experts. Collective.
    ///
    /// # Errors
    /// When the experts do not overlap.
    pub fn of(
        stage: &Stage,
        layers: u32,
        level: ConstraintLevel,
        weight: Norm,
        tolerance: f64,
    ) -> Result<Self> {
        let space = stage.problem.space.clone();
        let gating = Rc::new(Gating::new(&space, layers)?);
        let modes = CoarseModes::of(&stage.problem);
        let options = ConstraintOptions { level, weight, modes, tolerance, max_iterations: 10_000 };
        Ok(Self::new(&stage.problem.name, space, gating, options))
    }

    /// Replaces the prediction in `state` (a field of the space; ghosts need not be up to date before
    /// and are afterwards) by the nearest state that satisfies the level. Collective.
    ///
    /// # Errors
    /// [`Error::Failed`] when the prediction is not finite, balances cannot be met, or the iteration of
    /// level `exact` does not converge.
    pub fn apply(&mut self, system: &Equations, state: &mut Vector) -> Result<Repair> {
        let start = Instant::now();
        let space = self.balances.fields.clone();
        let comm = &space.mesh.comm;
        let level = self.options.level;
        let essential = system.essential;
        if !state.norm(petsc_rs::Norm::Two)?.is_finite() {
            return Err(Error::Failed(format!("{}: the prediction is not finite", self.name)));
        }
        let mut kept = self.prepare(system)?;
        let balance = &mut kept.balance;

        let mut residual = state.duplicate()?;
        let boundary_before = self.boundary_error(essential, state)?;
        let mut start_state = state.try_clone()?;
        essential.impose(&mut start_state.write()?);
        match system.problem {
            Some((problem, context)) => {
                state.ghost_update()?;
                problem.residual(context, &state.local_read()?, &mut residual)?;
            }
            None => system.matrix.residual(system.load, &start_state, &mut residual)?,
        }
        let exchange = balance.exchange(comm, system.load, &start_state)?;
        let before = balance.violation(comm, &residual, &exchange)?;
        if level != ConstraintLevel::None {
            state.copy_from(&start_state)?;
        }

        let mut after = before.clone();
        let mut iterations = 0;
        match level {
            ConstraintLevel::None | ConstraintLevel::Boundary => {}
            ConstraintLevel::Conservation => {
                iterations = self.conserve(system, balance, &exchange, state)?;
            }
            ConstraintLevel::Exact => iterations = self.solve(system, &mut kept.solver, state)?,
        }
        if level != ConstraintLevel::None {
            system.matrix.residual(system.load, state, &mut residual)?;
            after = kept.balance.violation(comm, &residual, &exchange)?;
        }
        let (distance, size) = self.distance(system, &start_state, state)?;
        state.ghost_update()?;
        self.kept = Some(kept);
        Ok(Repair {
            level,
            weight: self.options.weight,
            experts: self.balances.gating.experts.clone(),
            components: space.components,
            before: before.values,
            after: after.values,
            exchange,
            worst_before: before.worst,
            worst_after: after.worst,
            boundary_before,
            boundary_after: self.boundary_error(essential, state)?,
            distance,
            relative_distance: if size > 0.0 { distance / size } else { distance },
            iterations,
            seconds: comm.max(start.elapsed().as_secs_f64()),
        })
    }

    /// The nearest state with balanced experts.
    fn conserve(
        &mut self,
        system: &Equations,
        balance: &mut Balance,
        exchange: &[f64],
        state: &mut Vector,
    ) -> Result<usize> {
        let comm = &self.balances.fields.mesh.comm;
        let mut residual = state.duplicate()?;
        system.matrix.residual(system.load, state, &mut residual)?;
        let mut violation = balance.violation(comm, &residual, exchange)?;
        let mut iterations = 0;
        for _ in 0..=REFINEMENTS {
            if violation.worst <= BALANCED {
                break;
            }
            let mut next = state.try_clone()?;
            iterations += self.weight.correct(balance, &residual, &mut next)?;
            system.matrix.residual(system.load, &next, &mut residual)?;
            let then = balance.violation(comm, &residual, exchange)?;
            // At the level of round-off corrections may do harm.
            if then.worst >= violation.worst || then.worst.is_nan() {
                break;
            }
            state.copy_from(&next)?;
            violation = then;
        }
        match violation.worst <= UNBALANCED {
            true => Ok(iterations),
            false => Err(Error::Failed(format!(
                "{}: after the correction an expert is still out of balance by {:.1e} of its exchange; the matrix \
                 may be singular, or its entries differ too much in size",
                self.name, violation.worst
            ))),
        }
    }

    /// What belongs to the matrix: that of the last call, if it is the same, or else made anew. Collective.
    fn prepare(&mut self, system: &Equations) -> Result<Kept> {
        let space = &self.balances.fields;
        // Every rank keeps its part or none does.
        let all = |same: bool| space.mesh.comm.min(u8::from(same)) == 1;
        let fixed = &system.essential.fixed;
        if !all(self.fixed == *fixed) {
            self.fixed.clone_from(fixed);
            (self.weight.mass, self.kept) = (None, None);
            if self.weight.norm == Norm::Mass {
                self.weight.mass = Some(Mass::new(&self.name, space, system.essential)?);
            }
        }
        let sketch = sketch(system.matrix)?.1.read()?.to_vec();
        let kept = self.kept.take().filter(|kept| kept.sketch == sketch);
        if all(kept.is_some()) {
            return Ok(kept.expect("on every rank"));
        }
        drop(kept);
        let free: Vec<bool> = fixed[..space.owned_dofs()].iter().map(|fixed| !fixed).collect();
        let prefix = format!("{}_balance_", self.name);
        let balance = Balance(self.weight.project(&prefix, &self.balances, system.matrix, &free)?);
        Ok(Kept { sketch, balance, solver: None })
    }

    /// The discrete solution, by two-level Schwarz conjugate gradients from `state`.
    fn solve(
        &self,
        system: &Equations,
        solver: &mut Option<KrylovSolver>,
        state: &mut Vector,
    ) -> Result<usize> {
        if solver.is_none() {
            *solver = Some(self.experts(system.matrix)?);
        }
        let solver = solver.as_mut().expect("set above");
        let mut free = system.load.try_clone()?;
        system.essential.clear(&mut free.write()?);
        let target = self.options.tolerance * free.norm(petsc_rs::Norm::Two)?;
        solver.set_tolerances(0.0, target.max(f64::MIN_POSITIVE.sqrt()), self.options.max_iterations)?;
        let outcome = solver.solve(system.load, state)?;
        if !outcome.reason.converged() {
            return Err(Error::Failed(format!(
                "{}: the experts' iteration stopped after {} steps at a residual of {:.2e}: {}",
                self.name, outcome.iterations, outcome.residual, outcome.reason
            )));
        }
        system.essential.impose(&mut state.write()?);
        Ok(outcome.iterations)
    }

    /// Conjugate gradients with the experts' two-level Schwarz method. Of a copy: the caller may write other numbers
    /// into the matrix.
    fn experts(&self, matrix: &Matrix) -> Result<KrylovSolver> {
        let Mixture { fields, gating, .. } = &self.balances;
        let matrix = matrix.duplicate(true)?;
        let mixture = Mixture::new(fields.clone(), gating.clone(), Some(self.options.modes));
        let schwarz = Schwarz::new(&self.name, &mixture, &matrix)?;
        let mut solver = KrylovSolver::new(fields.mesh.comm.mpi())?;
        solver.set_prefix(&format!("{}_", self.name))?;
        solver.set_operators(&matrix, &matrix)?;
        solver.set_options("-ksp_type cg")?;
        schwarz.attach(&solver)?;
        solver.set_norm_type(NormType::Unpreconditioned)?;
        solver.set_initial_guess_nonzero(true)?;
        Ok(solver)
    }

    /// Distance of two states with the same essential values, and size of the second, in the chosen norm.
    fn distance(&self, system: &Equations, from: &Vector, to: &Vector) -> Result<(f64, f64)> {
        let mut change = to.try_clone()?;
        change.axpy(-1.0, from)?;
        let mut inside = to.try_clone()?;
        system.essential.clear(&mut inside.write()?);
        system.essential.clear(&mut change.write()?);
        let energy;
        let product: &dyn InnerProduct = match (self.weight.norm, &self.weight.mass) {
            (Norm::Mass, Some(mass)) => &mass.product,
            (Norm::Euclidean, _) => &Euclidean,
            (Norm::Energy | Norm::Mass, _) => {
                energy = MatrixProduct::new(system.matrix)?;
                &energy
            }
        };
        let comm = &self.balances.fields.mesh.comm;
        Ok((product.norm(comm, &change.read()?)?, product.norm(comm, &inside.read()?)?))
    }

    /// Largest error of an owned essential value over all ranks.
    fn boundary_error(&self, essential: &Essential, state: &Vector) -> Result<f64> {
        let values = state.read()?;
        let worst =
            essential.owned(&self.balances.fields).map(|dof| (values[dof] - essential.values[dof]).abs());
        Ok(self.balances.fields.mesh.comm.max(worst.fold(0.0, f64::max)))
    }
}
