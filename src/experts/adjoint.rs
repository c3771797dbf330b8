//! The derivative of a repair: from what a scalar `L` says of the repaired state, `dL/du`, to what it says of the
//! prediction, the parameters and the experts' functions, by the implicit function theorem at the conditions that the
//! repair satisfies. Their matrix is the exact one, with second derivatives of the equations; the iterations are
//! preconditioned by that of the forward iteration.
use super::balance::Rows;
use super::constraint::{Constraint, Last};
use super::equations::{DIFFERENCE, Equations, STEP};
use super::gmres::gmres;
use super::metric::Metric;
use crate::deck::ConstraintLevel;
use crate::fem::History;
use crate::mixture::{Columns, Mixture, dot, factorised_small, finished};
use crate::physics::{Context, FormState, Side};
use crate::{Error, Result};
use petsc_rs::Vector;

/// Relative residual of the iteration with the exact matrix.
const TOLERANCE: f64 = 1e-12;

/// What `L` says of the inputs of a repair.
pub struct Pullback {
    /// `dL/du^`, of the owned unknowns of the prediction; zero where a value is prescribed.
    pub prediction: Vector,
    /// `dL/d offset` of a step in time, of the free unknowns.
    pub offset: Vector,
    /// `dL/dh` of the internal variables at the start of a step, where the equations have any.
    pub history: Option<History>,
    /// `dL/dg`, of the owned unknowns with a prescribed value; zero elsewhere.
    pub prescribed: Vector,
    /// `dL/d mu`, of every parameter of the deck, with fields of other problems as they are; empty without a problem.
    pub parameters: Vec<f64>,
    /// `dL/db`, of the values of known rows.
    pub known: Vec<f64>,
    /// `dL/d Phi`, of the columns of levels `residual` and `coupled`.
    pub columns: Columns,
}

/// What the equations are multiplied by: `y^T r(u)`, and along a direction `v` `z^T J(u) v`.
struct Multiplied {
    y: Vector,
    second: Option<(Vector, Vector)>,
    prediction: Vector,
    known: Vec<f64>,
    columns: Option<Columns>,
}

impl Constraint {
    /// Pulls `dL/du` of the state that the last [`Constraint::apply`] gave back to its inputs; the equations are those of
    /// that call. At the level `none` everything passes. With the mass norm of a flow its scales count as given. Collective.
    ///
    /// # Errors
    /// [`Error::Failed`] when nothing was repaired yet, or a solve fails.
    pub fn pull_back(&mut self, equations: &Equations, cotangent: &Vector) -> Result<Pullback> {
        let last =
            self.last.take().ok_or_else(|| Error::Failed(format!("{}: nothing to derive", self.name)))?;
        let result = self.pull(equations, &last, cotangent);
        self.last = Some(last);
        result
    }

    fn pull(&mut self, equations: &Equations, last: &Last, cotangent: &Vector) -> Result<Pullback> {
        let space = self.balances.fields.clone();
        let comm = &space.mesh.comm;
        let zero = || cotangent.duplicate();
        let none = Columns::new(comm, space.owned_dofs());
        if self.options.level == ConstraintLevel::None {
            let prediction = cotangent.try_clone()?;
            let (offset, prescribed) = (zero()?, zero()?);
            return Ok(Pullback {
                prediction,
                offset,
                history: None,
                prescribed,
                parameters: Vec::new(),
                known: Vec::new(),
                columns: none,
            });
        }
        let mut folded = cotangent.try_clone()?;
        equations.problem().map_or(Ok(()), |problem| problem.fold_unused(&mut folded))?;
        let cotangent = &folded;
        let mut free = folded.try_clone()?;
        equations.essential.clear(&mut free.write()?);
        if self.options.level == ConstraintLevel::Residual {
            return self.pull_least(equations, last, cotangent, &free);
        }
        let adjoint = match self.options.level {
            ConstraintLevel::None => unreachable!("treated above"),
            ConstraintLevel::Boundary if self.known.is_empty() => {
                Multiplied { y: zero()?, second: None, prediction: free, known: Vec::new(), columns: None }
            }
            ConstraintLevel::Boundary | ConstraintLevel::Conservation => {
                self.of_rows(equations, last, &free)?
            }
            ConstraintLevel::Residual => unreachable!("returned above"),
            ConstraintLevel::Coupled => {
                if let Some(condition) = self.ports {
                    return self.pull_met(equations, condition, last, cotangent, &free);
                }
                self.of_functions(equations, last, &free)?
            }
            ConstraintLevel::Exact => {
                let tangent = equations.tangent(&last.state, None)?;
                let transposed =
                    if equations.is_symmetric() { tangent.duplicate(true)? } else { tangent.transpose()? };
                let mut solver = self.experts(&transposed, equations)?;
                let goal = 1e-12 * free.norm(petsc_rs::Norm::Two)?;
                solver.set_tolerances(0.0, goal.max(f64::MIN_POSITIVE), self.options.max_iterations)?;
                let mut y = zero()?;
                finished(solver.solve(&free, &mut y)?)?;
                equations.essential.clear(&mut y.write()?);
                Multiplied { y, second: None, prediction: zero()?, known: Vec::new(), columns: None }
            }
        };
        let mut offset = adjoint.y.try_clone()?;
        offset.scale(-1.0)?;
        let prescribed = self.of_prescribed(equations, last, cotangent, &adjoint)?;
        let parameters = self.of_parameters(equations, last, &adjoint, &prescribed)?;
        let history = self.of_history(equations, last, &adjoint)?;
        let Multiplied { prediction, known, columns, .. } = adjoint;
        let columns = columns.unwrap_or(none);
        Ok(Pullback { prediction, offset, history, prescribed, parameters, known, columns })
    }

    /// Rows that are satisfied: `[P B^T; B 0] [a; b] = [g; 0]` with `P = W + d/du (J^T Z y)`.
    fn of_rows(&mut self, equations: &Equations, last: &Last, free: &Vector) -> Result<Multiplied> {
        let space = self.balances.fields.clone();
        let (comm, size) = (&space.mesh.comm, Equations::size(&space, &last.state)?);
        let metric = self.metric.as_mut().expect("set by the repair");
        let prefix = format!("{}_balance_", self.name);
        let tangent = equations.tangent(&last.state, None)?;
        let balanced = self.options.level != ConstraintLevel::Boundary;
        let mut rows = Rows::new(&prefix, &self.balances, equations, &tangent, &self.known, balanced)?;
        rows.weigh(comm, metric)?;
        let multipliers = last.multipliers.as_ref().expect("of this level");
        let mut tested = free.duplicate()?;
        rows.test(multipliers, &mut tested)?;
        let curved = |v: &Vector| -> Result<Vector> {
            let mut image = v.duplicate()?;
            equations.curvature(&last.state, v, &tested, size, &mut image)?;
            Ok(image)
        };
        if !equations.is_linear() && balanced {
            rows.solve_along(comm, metric)?;
        }
        // a = Pi (g - D a), with Pi the inverse of the matrix with W in the place of P.
        let (right, mut b) = rows.project(metric, free)?;
        let mut a = right.try_clone()?;
        if !equations.is_linear() && balanced {
            a = gmres(&right, TOLERANCE, |v, image| {
                image.copy_from(v)?;
                Ok(image.axpy(1.0, &rows.project(metric, &curved(v)?)?.0)?)
            })?;
            let mut rest = free.try_clone()?;
            rest.axpy(-1.0, &curved(&a)?)?;
            (a, b) = rows.project(metric, &rest)?;
        }
        let mut prediction = free.duplicate()?;
        metric.apply(&a, &mut prediction)?;
        let mut y = free.duplicate()?;
        rows.test(&b, &mut y)?;
        let own = b.read()?.len() - if comm.rank() + 1 == comm.size() { self.known.len() } else { 0 };
        let mut known: Vec<f64> = vec![0.0; self.known.len()];
        known.iter_mut().zip(&b.read()?[own..]).for_each(|(k, v)| *k = *v);
        comm.sum_into(&mut known);
        Ok(Multiplied { y, second: Some((a, tested)), prediction, known, columns: None })
    }

    /// Level `coupled`: `X^T J^T X a = X^T g`.
    fn of_functions(&self, equations: &Equations, last: &Last, free: &Vector) -> Result<Multiplied> {
        let space = &self.basis.fields;
        let functions = self.functions(equations)?;
        let x = &functions.x;
        let tangent = equations.tangent(&last.state, None)?;
        let transposed = tangent.transpose()?;
        let small = x.transpose_mat_mult(&transposed.mat_mult(x)?)?;
        let prefix = format!("{}_coupled_", self.name);
        let mut solver = factorised_small(&space.mesh.comm, &prefix, &small, equations.is_symmetric())?;
        let mut right = x.vectors()?.0;
        let mut y = free.duplicate()?;
        x.mult_transpose(free, &mut right)?;
        let mut a = right.duplicate()?;
        finished(solver.solve(&right, &mut a)?)?;
        x.mult(&a, &mut y)?;
        let mut prediction = free.try_clone()?;
        let mut image = y.duplicate()?;
        tangent.mult_transpose(&y, &mut image)?;
        prediction.axpy(-1.0, &image)?;
        equations.essential.clear(&mut prediction.write()?);
        let columns = self.of_columns(equations, last, &prediction, &functions.coefficients(a)?)?;
        Ok(Multiplied { y, second: None, prediction, known: Vec::new(), columns: Some(columns) })
    }

    /// `dL/d Phi_j = sum_k chi_k (s w_kj - r a_kj)`.
    fn of_columns(&self, equations: &Equations, last: &Last, s: &Vector, a: &Vector) -> Result<Columns> {
        let (space, functions) = (&self.basis.fields, self.basis.functions());
        let mut result = Columns::new(&space.mesh.comm, space.owned_dofs());
        let count = self.basis.columns.count();
        if count == 0 {
            return Ok(result);
        }
        let mut residual = s.duplicate()?;
        equations.residual_inside(&last.state, &mut residual)?;
        let mut ones = Mixture::new(space.clone(), self.basis.gating.clone(), None);
        ones.columns.push(&vec![1.0; space.owned_dofs()]);
        let blend = ones.space(&vec![true; space.owned_dofs()])?;
        let w = last.coefficients.as_ref().expect("of this level");
        let (mut of_expert, mut field) = blend.vectors()?;
        let (w, a) = (w.read()?, a.read()?);
        let (s, residual) = (s.read()?, residual.read()?);
        for j in functions - count..functions {
            let mut column = vec![0.0; space.owned_dofs()];
            for (numbers, factor, with) in [(&w, 1.0, &s), (&a, -1.0, &residual)] {
                let of_column = numbers.iter().skip(j).step_by(functions);
                of_expert.write()?.iter_mut().zip(of_column).for_each(|(v, number)| *v = *number);
                blend.mult(&of_expert, &mut field)?;
                let field = field.read()?;
                column
                    .iter_mut()
                    .zip(with.iter().zip(field.iter()))
                    .for_each(|(c, (x, f))| *c += factor * x * f);
            }
            equations.essential.clear(&mut column);
            result.push(&column);
        }
        Ok(result)
    }

    /// `dL/dg`: what the state itself and the equations say of prescribed values.
    fn of_prescribed(
        &self,
        equations: &Equations,
        last: &Last,
        cotangent: &Vector,
        adjoint: &Multiplied,
    ) -> Result<Vector> {
        let space = &self.balances.fields;
        let mut result = cotangent.try_clone()?;
        if let Some((prepared, at)) = equations.prepared() {
            let mut y = adjoint.y.try_clone()?;
            y.ghost_update()?;
            let state = last.state.local_read()?;
            let mut image = prepared.product(FormState { state: &state, ..at }, Side::Transposed, &y)?;
            result.axpy(-1.0, &image)?;
            if let (Some((v, z)), false) = (&adjoint.second, equations.is_linear()) {
                let size = Equations::size(space, &last.state)?;
                equations.curvature_everywhere(space, [&last.state, v, z], size, &mut image)?;
                result.axpy(-1.0, &image)?;
            }
        }
        for (row, cotangent) in self.known.iter().zip(&adjoint.known) {
            result.axpy(-cotangent, &row.row)?;
        }
        let used: Vec<bool> = {
            let mut used = vec![false; space.owned_dofs()];
            equations.prescribed(space).for_each(|dof| used[dof] = true);
            used
        };
        result.write()?.iter_mut().zip(used).filter(|(_, used)| !used).for_each(|(v, _)| *v = 0.0);
        Ok(result)
    }

    /// `dL/dh = -y^T dr/dh - z^T d(J v)/dh` of the internal variables.
    fn of_history(
        &self,
        equations: &Equations,
        last: &Last,
        adjoint: &Multiplied,
    ) -> Result<Option<History>> {
        let Some((prepared, at)) = equations.prepared() else { return Ok(None) };
        let Some(history) = at.history else { return Ok(None) };
        let mut sum = History { values: vec![0.0; history.values.len()], ..*history };
        let mut add = |state: &Vector, multiplier: &Vector, factor: f64| -> Result<()> {
            let mut multiplier = multiplier.try_clone()?;
            multiplier.ghost_update()?;
            let form = FormState { state: &state.local_read()?, ..at };
            let (_, own) = prepared.pull_history(form, history, None, Some(&multiplier))?;
            sum.values.iter_mut().zip(&own.values).for_each(|(sum, v)| *sum += factor * v);
            Ok(())
        };
        add(&last.state, &adjoint.y, -1.0)?;
        if let Some((v, z)) = &adjoint.second {
            let length = v.norm(petsc_rs::Norm::Infinity)?;
            let size = Equations::size(&self.balances.fields, &last.state)?;
            let step = STEP * size / length.max(f64::MIN_POSITIVE);
            for (places, weight) in DIFFERENCE.into_iter().filter(|_| length > 0.0) {
                let mut moved = last.state.try_clone()?;
                moved.axpy(places * step, v)?;
                moved.ghost_update()?;
                add(&moved, z, -weight / (12.0 * step))?;
            }
        }
        Ok(Some(sum))
    }

    /// `dL/d mu = -y^T dr/dmu - z^T d(J v)/dmu - a^T d(W (u - u^))/dmu + (dL/dg)^T dg/dmu`.
    fn of_parameters(
        &self,
        equations: &Equations,
        last: &Last,
        adjoint: &Multiplied,
        prescribed: &Vector,
    ) -> Result<Vec<f64>> {
        let Some((prepared, at)) = equations.prepared() else { return Ok(Vec::new()) };
        let problem = prepared.problem();
        let space = &self.balances.fields;
        let context: &Context = prepared.context();
        let size = Equations::size(space, &last.state)?;
        let mut slope = prescribed.duplicate()?;
        let at_state = |parameter: usize, state: &Vector, slope: &mut Vector| -> Result<()> {
            prepared.slope(parameter, FormState { state: &state.local_read()?, ..at }, slope)
        };
        let mut result = Vec::with_capacity(context.parameters.len());
        for parameter in 0..context.parameters.len() {
            at_state(parameter, &last.state, &mut slope)?;
            let mut sum = -adjoint.y.dot(&slope)?;
            if let Some((v, z)) = &adjoint.second {
                let length = v.norm(petsc_rs::Norm::Infinity)?;
                let step = STEP * size / length.max(f64::MIN_POSITIVE);
                for (places, weight) in DIFFERENCE.into_iter().filter(|_| length > 0.0) {
                    let mut moved = last.state.try_clone()?;
                    moved.axpy(places * step, v)?;
                    moved.ghost_update()?;
                    at_state(parameter, &moved, &mut slope)?;
                    sum -= weight / (12.0 * step) * z.dot(&slope)?;
                }
                if matches!(self.metric, Some(Metric::Energy(_))) {
                    at_state(parameter, &last.state, &mut slope)?;
                    sum -= v.dot(&slope)?;
                    at_state(parameter, &last.start, &mut slope)?;
                    sum += v.dot(&slope)?;
                }
            }
            let rates = problem.essential_slope(context, parameter)?;
            let rates = &rates.values[..space.owned_dofs()];
            sum += space.mesh.comm.sum(dot(&prescribed.read()?, rates));
            result.push(sum);
        }
        Ok(result)
    }
}
