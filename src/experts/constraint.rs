//! The constraint layer: measures a prediction, and repairs it to the chosen level.
use super::balance::Balance;
use super::weight::{Mass, Weight};
use crate::deck::{ConstraintLevel, Norm};
use crate::fem::{Essential, Space};
use crate::mixture::{CoarseModes, Gating, coarse_space};
use crate::physics::{Context, Problem};
use crate::simulation::{Stage, System};
use crate::solver::{Schwarz, SchwarzOptions};
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

/// The layer for one problem; keeps what does not depend on the parameters.
pub struct Constraint {
    name: String,
    space: Rc<Space>,
    gating: Rc<Gating>,
    options: ConstraintOptions,
    mass: Option<(Vec<bool>, Box<Mass>)>,
}

impl Constraint {
    /// A layer whose PETSc options carry the prefix `<name>_constraint_`.
    pub fn new(name: &str, space: Rc<Space>, gating: Rc<Gating>, options: ConstraintOptions) -> Self {
        Self { name: format!("{name}_constraint"), space, gating, options, mass: None }
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
        let comm = self.space.mesh.comm.clone();
        let level = self.options.level;
        let essential = system.essential;
        let free: Vec<bool> = essential.fixed[..self.space.owned_dofs()].iter().map(|f| !f).collect();
        if !state.norm(petsc_rs::Norm::Two)?.is_finite() {
            return Err(Error::Failed(format!("{}: the prediction is not finite", self.name)));
        }
        self.prepare_mass(essential)?;
        let z = coarse_space(&self.space, &self.gating, &free, CoarseModes::Constants, &[])?;
        let kz = system.matrix.mat_mult(&z)?;
        let balance = Balance { z: &z, kz: &kz };

        let mut residual = state.duplicate()?;
        let boundary_before = self.boundary_error(essential, state)?;
        let mut start_state = state.try_clone()?;
        set_essential(essential, &mut start_state)?;
        match system.problem {
            Some((problem, context)) => {
                state.ghost_update()?;
                problem.residual(context, &state.local_read()?, &mut residual)?;
            }
            None => system.matrix.residual(system.load, &start_state, &mut residual)?,
        }
        let exchange = balance.exchange(&comm, system.load, &start_state)?;
        let before = balance.violation(&comm, &residual, &exchange)?;
        if level != ConstraintLevel::None {
            state.copy_from(&start_state)?;
        }

        let mut after = before.clone();
        let mut iterations = 0;
        match level {
            ConstraintLevel::None => {}
            ConstraintLevel::Boundary => {}
            ConstraintLevel::Conservation => {
                iterations = self.conserve(system, &balance, &exchange, state)?;
            }
            ConstraintLevel::Exact => iterations = self.solve(system, state)?,
        }
        if level != ConstraintLevel::None {
            system.matrix.residual(system.load, state, &mut residual)?;
            after = balance.violation(&comm, &residual, &exchange)?;
        }
        let (distance, size) = self.distance(system, &start_state, state)?;
        state.ghost_update()?;
        Ok(Repair {
            level,
            weight: self.options.weight,
            experts: self.gating.experts.clone(),
            components: self.space.components,
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
        balance: &Balance,
        exchange: &[f64],
        state: &mut Vector,
    ) -> Result<usize> {
        let mass = self.mass.take().map(|(_, mass)| mass);
        let comm = &self.space.mesh.comm;
        let mut weight = Weight::new(self.options.weight, comm, &self.name, balance, mass)?;
        let mut residual = state.duplicate()?;
        system.matrix.residual(system.load, state, &mut residual)?;
        let mut violation = balance.violation(comm, &residual, exchange)?;
        let mut iterations = 0;
        for _ in 0..=REFINEMENTS {
            if violation.worst <= BALANCED {
                break;
            }
            let mut next = state.try_clone()?;
            iterations += weight.correct(balance, &residual, &mut next)?;
            system.matrix.residual(system.load, &next, &mut residual)?;
            let then = balance.violation(comm, &residual, exchange)?;
            // At the level of round-off corrections may do harm.
            if then.worst >= violation.worst || then.worst.is_nan() {
                break;
            }
            state.copy_from(&next)?;
            violation = then;
        }
        if let Weight::Mass { mass, .. } = weight {
            self.mass = Some((system.essential.fixed.clone(), mass));
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

    /// Keeps the mass matrix in step with the essential conditions, where one is needed. Collective.
    fn prepare_mass(&mut self, essential: &Essential) -> Result<()> {
        if self.options.weight != Norm::Mass {
            return Ok(());
        }
        let fits = self.mass.as_ref().is_some_and(|(fixed, _)| *fixed == essential.fixed);
        // Every rank keeps its part or none does.
        if self.space.mesh.comm.min(u8::from(fits)) == 0 {
            let mass = Mass::new(&self.name, &self.space, essential)?;
            self.mass = Some((essential.fixed.clone(), Box::new(mass)));
        }
        Ok(())
    }

    /// The discrete solution, by two-level Schwarz conjugate gradients from `state`.
    fn solve(&self, system: &Equations, state: &mut Vector) -> Result<usize> {
        let comm = &self.space.mesh.comm;
        let options = SchwarzOptions { coarse: Some(self.options.modes) };
        let schwarz = Schwarz::new(&self.name, &self.space, &self.gating, system.matrix, options, &[])?;
        let mut solver = KrylovSolver::new(comm.mpi())?;
        solver.set_prefix(&format!("{}_", self.name))?;
        solver.set_operators(system.matrix, system.matrix)?;
        solver.set_options("-ksp_type cg")?;
        schwarz.attach(&solver)?;
        solver.set_norm_type(NormType::Unpreconditioned)?;
        solver.set_initial_guess_nonzero(true)?;
        let mut free = system.load.try_clone()?;
        clear_essential(system.essential, &mut free)?;
        let target = self.options.tolerance * free.norm(petsc_rs::Norm::Two)?;
        solver.set_tolerances(0.0, target.max(f64::MIN_POSITIVE.sqrt()), self.options.max_iterations)?;
        let outcome = solver.solve(system.load, state)?;
        if !outcome.reason.converged() {
            return Err(Error::Failed(format!(
                "{}: the experts' iteration stopped after {} steps at a residual of {:.2e}: {}",
                self.name, outcome.iterations, outcome.residual, outcome.reason
            )));
        }
        set_essential(system.essential, state)?;
        Ok(outcome.iterations)
    }

    /// Distance of two states with the same essential values, and size of the second, in the chosen norm.
    fn distance(&self, system: &Equations, from: &Vector, to: &Vector) -> Result<(f64, f64)> {
        let mut change = to.try_clone()?;
        change.axpy(-1.0, from)?;
        let mut inside = to.try_clone()?;
        clear_essential(system.essential, &mut inside)?;
        clear_essential(system.essential, &mut change)?;
        let matrix = match (self.options.weight, &self.mass) {
            (Norm::Mass, Some((_, mass))) => &mass.matrix,
            (Norm::Energy | Norm::Mass, _) => system.matrix,
            (Norm::Euclidean, _) => {
                return Ok((change.norm(petsc_rs::Norm::Two)?, inside.norm(petsc_rs::Norm::Two)?));
            }
        };
        let norm = |v: &Vector| -> Result<f64> {
            let mut image = v.duplicate()?;
            matrix.mult(v, &mut image)?;
            Ok(v.dot(&image)?.max(0.0).sqrt())
        };
        Ok((norm(&change)?, norm(&inside)?))
    }

    /// Largest error of an owned essential value over all ranks.
    fn boundary_error(&self, essential: &Essential, state: &Vector) -> Result<f64> {
        let values = state.read()?;
        let worst = essential.owned(&self.space).map(|dof| (values[dof] - essential.values[dof]).abs());
        Ok(self.space.mesh.comm.max(worst.fold(0.0, f64::max)))
    }
}

fn set_essential(essential: &Essential, state: &mut Vector) -> Result<()> {
    for (dof, value) in state.write()?.iter_mut().enumerate().filter(|(dof, _)| essential.fixed[*dof]) {
        *value = essential.values[dof];
    }
    Ok(())
}

fn clear_essential(essential: &Essential, vector: &mut Vector) -> Result<()> {
    for (value, _) in vector.write()?.iter_mut().zip(&essential.fixed).filter(|(_, fixed)| **fixed) {
        *value = 0.0;
    }
    Ok(())
}
