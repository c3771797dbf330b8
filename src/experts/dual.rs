//! What the residual says of the error: its dual norm `(r^T X^-1 r)^(1/2)`, the length in `X` of its Riesz representer, a
//! bound of the error where the model has one, and else the length of the next Newton step.
use super::constraint::Constraint;
use super::equations::Equations;
use super::estimates::{DualProduct, ErrorEstimate, Estimates, Reference};
use super::metric::Mass;
use crate::Result;
use crate::deck::ConstraintLevel;
use crate::mixture::{finished, sketch};
use crate::solver::{FactorisedEnergy, flow_product, symmetric_part};
use petsc_rs::{KrylovSolver, MatrixOption, Vector};

/// A product with the means to solve with it.
enum Product<'a> {
    Energy(&'a mut FactorisedEnergy),
    Own(FactorisedEnergy),
    Mass(Mass),
}

impl Product<'_> {
    /// `(x^T X^-1 x)^(1/2)`; not a number where `X` is not positive. Collective.
    fn dual(&mut self, x: &Vector) -> Result<f64> {
        let mut y = x.duplicate()?;
        let solved = match self {
            Self::Energy(energy) => energy.solve(x, &mut y),
            Self::Own(energy) => energy.solve(x, &mut y),
            Self::Mass(mass) => mass.solve(x, &mut y),
        };
        Ok(if solved.is_ok() { x.dot(&y)?.sqrt() } else { f64::NAN })
    }

    /// `(x^T X x)^(1/2)`. Collective.
    fn length(&self, x: &Vector) -> Result<f64> {
        let mut y = x.duplicate()?;
        match self {
            Self::Energy(energy) => energy.apply(x, &mut y)?,
            Self::Own(energy) => energy.apply(x, &mut y)?,
            Self::Mass(mass) => mass.apply(x, &mut y)?,
        }
        Ok(x.dot(&y)?.sqrt())
    }
}

/// Of Newton's step.
const DIRECT: &str = "-ksp_type preonly -pc_type lu -pc_factor_mat_solver_type mumps -mat_mumps_icntl_14 100";

impl Constraint {
    /// From now on every [`Constraint::apply`] of a problem finds the residual's dual norm and what follows for the error;
    /// of a linear symmetric one at rest in the energy of the reference. It costs a factorisation, of the reference one for
    /// all repairs, and is no part of the repair's seconds.
    pub fn set_estimates(&mut self, reference: Option<Reference>) {
        self.estimates = Some(Estimates { reference, ..Estimates::default() });
    }

    /// That of the last repair.
    pub fn take_estimate(&mut self) -> Option<ErrorEstimate> {
        self.estimates.as_mut().and_then(|estimates| estimates.last.take())
    }

    /// The estimate of the last repair. Collective.
    pub(super) fn estimate(&mut self, equations: &Equations) -> Result<()> {
        let Some(mut estimates) = self.estimates.take() else { return Ok(()) };
        let found = self.find_estimate(equations, &mut estimates);
        estimates.last = found?;
        self.estimates = Some(estimates);
        Ok(())
    }

    fn find_estimate(
        &self,
        equations: &Equations,
        estimates: &mut Estimates,
    ) -> Result<Option<ErrorEstimate>> {
        let (Some(last), Some(problem)) = (&self.last, equations.problem()) else { return Ok(None) };
        let space = &self.balances.fields;
        let comm = &space.mesh.comm;
        let unchanged = self.options.level == ConstraintLevel::None;
        let state = if unchanged { &last.start } else { &last.state };
        let [mut before, mut after] = [state.duplicate()?, state.duplicate()?];
        equations.residual_inside(&last.start, &mut before)?;
        equations.residual_inside(state, &mut after)?;
        let kind = DualProduct::of(problem);
        let tangent = equations.tangent(state, None)?;
        let mut coercivity = 1.0;
        let mut product = match kind {
            DualProduct::Energy => {
                let reference = estimates.reference.as_mut().filter(|_| !equations.in_time());
                let bound = reference.and_then(|r| Some((r.coercivity(problem, equations.context()?)?, r)));
                match bound {
                    Some((bound, reference)) => {
                        coercivity = bound;
                        Product::Energy(&mut reference.energy)
                    }
                    None => {
                        let sketch = sketch(&tangent)?.1.read()?.to_vec();
                        let same = estimates.kept.as_ref().is_some_and(|kept| kept.0 == sketch);
                        if comm.min(u8::from(same)) == 0 {
                            estimates.kept = Some((sketch, FactorisedEnergy::new(comm, &tangent)?));
                        }
                        Product::Energy(&mut estimates.kept.as_mut().expect("set above").1)
                    }
                }
            }
            DualProduct::Tangent => {
                let mut matrix = symmetric_part(&tangent)?;
                matrix.set_option(MatrixOption::PositiveDefinite, true)?;
                Product::Own(FactorisedEnergy::new(comm, &matrix)?)
            }
            DualProduct::Flow => {
                // The tangent at rest.
                let (c, mut rest) = (space.components, state.try_clone()?);
                rest.write()?
                    .iter_mut()
                    .enumerate()
                    .filter(|(dof, _)| dof % c != c - 1)
                    .for_each(|(_, v)| *v = 0.0);
                rest.ghost_update()?;
                Product::Own(FactorisedEnergy::new(
                    comm,
                    &flow_product(space, &*equations.tangent(&rest, None)?)?,
                )?)
            }
            DualProduct::Mass => Product::Mass(Mass::new(
                &self.name,
                space,
                equations.essential,
                &vec![1.0; space.components],
            )?),
        };
        let dual = [product.dual(&before)?, product.dual(&after)?];
        if kind == DualProduct::Energy {
            let bound = dual.map(|dual| dual / coercivity.sqrt());
            let estimate =
                ErrorEstimate { product: kind, dual, bound: Some(bound), correction: f64::NAN, field: None };
            return Ok(Some(estimate));
        }
        let mut solver = KrylovSolver::new(comm.mpi())?;
        solver.set_prefix(&format!("{}_estimate_", self.name))?;
        solver.set_operators(&tangent, &tangent)?;
        let mut field = state.duplicate()?;
        let solved =
            solver.set_up_with(DIRECT, |_| Ok(())).and_then(|()| finished(solver.solve(&after, &mut field)?));
        let solved = solved.is_ok();
        field.scale(-1.0)?;
        let correction = if solved { product.length(&field)? } else { f64::NAN };
        if solved {
            field.ghost_update()?;
            problem.fill_unused(&mut field)?;
            field.ghost_update()?;
        }
        Ok(Some(ErrorEstimate {
            product: kind,
            dual,
            bound: None,
            correction,
            field: solved.then_some(field),
        }))
    }
}
