//! The fixed inner product of a problem, in which residuals and solutions are measured.
use super::{FactorisedEnergy, flow_product, symmetric_part};
use crate::Result;
use crate::fem::{Essential, Parts};
use crate::mixture::{InnerProduct, MatrixProduct};
use crate::physics::mass::mass_matrix;
use crate::physics::{Context, FormState, Problem};
use petsc_rs::{Matrix, MatrixOption, Vector};
use std::rc::Rc;

/// `X`: of bodies with internal variables their elastic stiffness; of others the symmetric part of the tangent at a state
/// that is the same everywhere, with what is stored over the whole duration of the run.
pub struct StateProduct {
    /// On all unknowns, prescribed ones included.
    pub whole: MatrixProduct,
    /// Of flows the tangent, which has the coupling of pressures and velocities.
    coupling: Option<Matrix>,
    /// Without the rows and columns of prescribed unknowns, factorised.
    inside: FactorisedEnergy,
    /// The prescribed unknowns.
    pub fixed: Vec<bool>,
}

impl StateProduct {
    /// At these parameters and a state with the values `middle` of its components, for a run of that `duration` (s).
    /// Collective.
    ///
    /// # Errors
    /// When a coefficient cannot be evaluated there.
    pub fn new(problem: &Rc<Problem>, context: &Context, middle: &[f64], duration: f64) -> Result<Self> {
        let space = &problem.space;
        let prepared = problem.at(context)?;
        let mut state = space.field()?;
        state.write()?.iter_mut().enumerate().for_each(|(dof, v)| *v = middle[dof % space.components]);
        state.ghost_update()?;
        let history = problem.new_history();
        // A step of no length is elastic.
        let storage = if history.is_some() { 0.0 } else { 1.0 / duration };
        let mut tangent = problem.new_matrix()?;
        {
            let state = state.local_read()?;
            let at = FormState {
                state: &state,
                history: history.as_ref(),
                parts: Parts { storage, residual: 1.0 },
            };
            prepared.tangent(at, &Essential::new(space, []), &mut tangent)?;
        }
        let flow = problem.facts().pressure;
        let whole = if flow { flow_product(space, &tangent)? } else { symmetric_part(&tangent)? };
        if let Some(product) = Self::with(problem, whole, &prepared.essential)? {
            return Ok(Self { coupling: flow.then_some(tangent), ..product });
        }
        // Where the symmetric part is not positive: what is stored, as the only part that is for certain.
        let mut mass = mass_matrix(space, &Essential::new(space, []))?;
        mass.scale(1.0 / duration)?;
        let product = Self::with(problem, mass, &prepared.essential)?;
        product.ok_or_else(|| crate::Error::Failed(format!("{}: the mass is not positive", problem.name)))
    }

    /// As [`StateProduct::new`] at the means of a state's components, from this rank's unknowns. Collective.
    ///
    /// # Errors
    /// As there.
    pub fn at_mean(problem: &Rc<Problem>, context: &Context, state: &[f64], duration: f64) -> Result<Self> {
        let c = problem.space.components;
        let mut sums = vec![0.0; 2 * c];
        for (dof, value) in state.iter().enumerate().filter(|(dof, _)| problem.is_used(*dof)) {
            sums[dof % c] += value;
            sums[c + dof % c] += 1.0;
        }
        problem.space.mesh.comm.sum_into(&mut sums);
        let mean: Vec<f64> = (0..c).map(|i| sums[i] / sums[c + i].max(1.0)).collect();
        Self::new(problem, context, &mean, duration)
    }

    /// `None` where the matrix is not positive definite on the free unknowns. Collective.
    fn with(problem: &Problem, whole: Matrix, essential: &Essential) -> Result<Option<Self>> {
        let (space, fixed) = (&problem.space, essential.fixed.clone());
        let mut matrix = whole.duplicate(true)?;
        matrix.zero_rows_columns(&essential.rows(space), 1.0, None)?;
        matrix.set_option(MatrixOption::PositiveDefinite, true)?;
        let mut inside = FactorisedEnergy::new(&space.mesh.comm, &matrix)?;
        // The factorisation is made by the first solve.
        let mut one = space.field()?;
        one.set(1.0)?;
        essential.clear(&mut one.write()?);
        let mut image = one.duplicate()?;
        let solved = inside.solve(&one, &mut image).is_ok() && one.dot(&image)? >= 0.0;
        Ok(solved.then_some(Self { whole: MatrixProduct::new(whole)?, coupling: None, inside, fixed }))
    }

    /// `X^-1 r` of a residual that is zero at prescribed unknowns. Collective.
    ///
    /// # Errors
    /// When the solve fails.
    pub fn representer(&mut self, residual: &Vector) -> Result<Vector> {
        let mut representer = residual.duplicate()?;
        self.inside.solve(residual, &mut representer)?;
        Ok(representer)
    }

    /// `(r^T X^-1 r)^(1/2)` of a residual that is zero at prescribed unknowns; not a number where it is none. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn dual_norm(&mut self, residual: &Vector) -> Result<f64> {
        if !residual.norm(petsc_rs::Norm::Two)?.is_finite() {
            return Ok(f64::NAN);
        }
        Ok(residual.dot(&self.representer(residual)?)?.sqrt())
    }

    /// What a solution brings to a basis: itself, or of a flow three fields, owned unknowns of each: its velocity, its
    /// pressure, and the velocity on which that pressure acts most (its supremizer), without which reduced equations would not
    /// determine the pressure (Rozza and Veroy 2007). Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn parts(&mut self, problem: &Problem, solution: &Vector) -> Result<Vec<Vector>> {
        let Some(coupling) = &self.coupling else { return Ok(vec![solution.try_clone()?]) };
        let c = problem.space.components;
        let keep = |field: &mut Vector, pressure: bool| -> Result<()> {
            let mut values = field.write()?;
            let others = values.iter_mut().enumerate().filter(|(dof, _)| (dof % c == c - 1) != pressure);
            others.for_each(|(_, v)| *v = 0.0);
            Ok(())
        };
        let (mut velocity, mut pressure) = (solution.try_clone()?, solution.try_clone()?);
        keep(&mut velocity, false)?;
        keep(&mut pressure, true)?;
        let fixed = |field: &mut Vector| -> Result<()> {
            let mut values = field.write()?;
            values.iter_mut().zip(&self.fixed).filter(|(_, fixed)| **fixed).for_each(|(v, _)| *v = 0.0);
            Ok(())
        };
        fixed(&mut pressure)?;
        let mut force = pressure.duplicate()?;
        coupling.mult(&pressure, &mut force)?;
        keep(&mut force, false)?;
        fixed(&mut force)?;
        let mut supremizer = force.duplicate()?;
        self.inside.solve(&force, &mut supremizer)?;
        keep(&mut supremizer, false)?;
        Ok(vec![velocity, supremizer, pressure])
    }

    /// `(v^T X v)^(1/2)` with `v` the difference of a state to one with the values `middle` everywhere. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn distance(&self, problem: &Problem, state: &Vector, middle: &[f64]) -> Result<f64> {
        let c = problem.space.components;
        let values = state.read()?;
        let difference =
            |(dof, v): (usize, &f64)| if problem.is_used(dof) { v - middle[dof % c] } else { 0.0 };
        let difference: Vec<f64> = values.iter().enumerate().map(difference).collect();
        self.whole.norm(&problem.space.mesh.comm, &difference)
    }
}
