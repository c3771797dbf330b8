//! The discrete equations that a repaired state is to satisfy, and their derivatives.
use crate::Result;
use crate::fem::{Essential, History, Parts, Space};
use crate::physics::{Context, FormState, Prepared, Problem, Side};
use crate::simulation::{Stage, System};
use petsc_rs::{Matrix, Vector};
use std::ops::Deref;
use std::rc::Rc;

/// The discrete equations `r(u) = 0` of the free unknowns, `u = g` of the others, at some parameters: a linear system, a
/// steady problem, or a step in time.
#[derive(Clone, Copy)]
pub struct Equations<'a> {
    /// The essential conditions.
    pub essential: &'a Essential,
    form: Form<'a>,
}

#[derive(Clone, Copy)]
enum Form<'a> {
    /// `r = K u - f`, essential unknowns eliminated symmetrically.
    Assembled { matrix: &'a Matrix, load: &'a Vector, problem: Option<(&'a Rc<Problem>, &'a Context)> },
    /// `r = parts.storage S(u) + parts.residual F(u) + offset`.
    Prepared {
        prepared: &'a Prepared,
        parts: Parts,
        offset: Option<&'a Vector>,
        history: Option<&'a History>,
    },
}

/// A tangent, with rows and columns of essential unknowns eliminated.
pub(super) enum Tangent<'a> {
    Given(&'a Matrix),
    Own(Matrix),
}

impl Deref for Tangent<'_> {
    type Target = Matrix;

    fn deref(&self) -> &Matrix {
        match self {
            Self::Given(matrix) => matrix,
            Self::Own(matrix) => matrix,
        }
    }
}

impl Tangent<'_> {
    /// The matrix, to assemble another one into it.
    pub fn into_room(self) -> Option<Matrix> {
        match self {
            Self::Given(_) => None,
            Self::Own(matrix) => Some(matrix),
        }
    }
}

impl<'a> Equations<'a> {
    /// A linear system `K u = f` with its essential conditions, eliminated symmetrically, their values in the load. What is
    /// wrong with a prediction is measured after its essential values were set.
    pub fn linear(matrix: &'a Matrix, load: &'a Vector, essential: &'a Essential) -> Self {
        Self { essential, form: Form::Assembled { matrix, load, problem: None } }
    }

    /// Of an assembled stage with a linear system.
    pub fn of(stage: &'a Stage, context: &'a Context) -> Self {
        let System { matrix, load, essential } = stage.assembled();
        let problem = Some((&stage.problem, context));
        Self { essential, form: Form::Assembled { matrix, load, problem } }
    }

    /// Of any problem at rest.
    pub fn steady(prepared: &'a Prepared) -> Self {
        Self::step(prepared, Parts::REST, None, None)
    }

    /// Of a stage of a step in time, `parts.storage S(u) + parts.residual F(u) + offset = 0`, with the internal variables at
    /// the start of the step where the model has any.
    pub fn step(
        prepared: &'a Prepared,
        parts: Parts,
        offset: Option<&'a Vector>,
        history: Option<&'a History>,
    ) -> Self {
        let form = Form::Prepared { prepared, parts, offset, history };
        Self { essential: &prepared.essential, form }
    }

    /// Whether the tangent is the same at all states.
    pub fn is_linear(&self) -> bool {
        match self.form {
            Form::Assembled { .. } => true,
            Form::Prepared { prepared, .. } => {
                let problem = prepared.problem();
                problem.facts().linear && !problem.depends_on_itself()
            }
        }
    }

    /// Whether the tangent is symmetric and positive definite, as far as the model says; a linear system is taken for one.
    pub fn is_symmetric(&self) -> bool {
        match self.form {
            Form::Assembled { problem, .. } => problem.is_none_or(|(problem, _)| problem.facts().symmetric),
            Form::Prepared { prepared, .. } => prepared.problem().facts().symmetric,
        }
    }

    /// The parts of a step's form; none of a steady one.
    pub(super) fn in_time(&self) -> bool {
        matches!(self.form, Form::Prepared { parts, .. } if parts.storage != 0.0)
    }

    /// The same without what is stored.
    pub(super) fn at_rest(&self) -> Self {
        match self.form {
            Form::Prepared { prepared, parts, history, .. } => {
                let parts = Parts { storage: 0.0, ..parts };
                Self { form: Form::Prepared { prepared, parts, offset: None, history }, ..*self }
            }
            Form::Assembled { .. } => *self,
        }
    }

    /// Parameters and time, where they are known.
    pub(super) fn context(&self) -> Option<&'a Context> {
        match self.form {
            Form::Assembled { problem, .. } => problem.map(|(_, context)| context),
            Form::Prepared { prepared, .. } => Some(prepared.context()),
        }
    }

    /// The problem, where it is known.
    pub(super) fn problem(&self) -> Option<&'a Problem> {
        match self.form {
            Form::Assembled { problem, .. } => problem.map(|(problem, _)| &**problem),
            Form::Prepared { prepared, .. } => Some(prepared.problem()),
        }
    }

    /// The problem of a linear system, to be prepared at the context.
    pub(super) fn problem_at(&self) -> Option<(&'a Rc<Problem>, &'a Context)> {
        match self.form {
            Form::Assembled { problem, .. } => problem,
            Form::Prepared { .. } => None,
        }
    }

    /// The prepared problem with parts and history, where there is one; the state is to be filled in.
    pub(super) fn prepared(&self) -> Option<(&'a Prepared, FormState<'a>)> {
        match self.form {
            Form::Assembled { .. } => None,
            Form::Prepared { prepared, parts, history, .. } => {
                Some((prepared, FormState { state: &[], history, parts }))
            }
        }
    }

    /// What a step's residual holds besides its forms, if there is any.
    pub(super) fn offset(&self) -> Option<&'a Vector> {
        match self.form {
            Form::Prepared { offset, .. } => offset,
            Form::Assembled { .. } => None,
        }
    }

    /// `r(u)` on the free unknowns, zero on the others; ghosts of the state are up to date. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn residual(&self, state: &Vector, result: &mut Vector) -> Result<()> {
        match self.form {
            Form::Assembled { matrix, load, problem: None } => {
                matrix.residual(load, state, result)?;
                result.scale(-1.0)?;
            }
            Form::Assembled { problem: Some((problem, context)), .. } => {
                problem.residual(context, &state.local_read()?, result)?;
                result.scale(-1.0)?;
            }
            Form::Prepared { prepared, parts, offset, history } => {
                let state = state.local_read()?;
                prepared.residual(FormState { state: &state, history, parts }, result)?;
                offset.map_or(Ok(()), |offset| result.axpy(1.0, offset))?;
            }
        }
        self.essential.clear(&mut result.write()?);
        Ok(())
    }

    /// As [`Equations::residual`] of a state with the essential values: of a linear system a product. Collective.
    pub(super) fn residual_inside(&self, state: &Vector, result: &mut Vector) -> Result<()> {
        let Form::Assembled { matrix, load, .. } = self.form else { return self.residual(state, result) };
        matrix.residual(load, state, result)?;
        result.scale(-1.0)?;
        self.essential.clear(&mut result.write()?);
        Ok(())
    }

    /// `J(u)`; ghosts of the state are up to date. `room` is a matrix to assemble into, if there is one. Collective.
    pub(super) fn tangent(&self, state: &Vector, room: Option<Matrix>) -> Result<Tangent<'a>> {
        match self.form {
            Form::Assembled { matrix, .. } => Ok(Tangent::Given(matrix)),
            Form::Prepared { prepared, parts, history, .. } => {
                let mut matrix = room.map_or_else(|| prepared.problem().new_matrix(), Ok)?;
                let state = state.local_read()?;
                prepared.tangent(FormState { state: &state, history, parts }, self.essential, &mut matrix)?;
                Ok(Tangent::Own(matrix))
            }
        }
    }

    /// What a linear system has on its right-hand side: the size of its free entries is what a residual is compared with.
    pub(super) fn load(&self) -> Option<&'a Vector> {
        match self.form {
            Form::Assembled { load, .. } => Some(load),
            Form::Prepared { .. } => None,
        }
    }

    /// Gives a state its essential values; what is interpolated at nodes without an unknown stays. Ghosts are updated.
    /// Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn impose(&self, space: &Space, state: &mut Vector) -> Result<()> {
        {
            let mut values = state.write()?;
            for dof in self.prescribed(space) {
                values[dof] = self.essential.values[dof];
            }
        }
        if let Some(problem) = self.problem() {
            state.ghost_update()?;
            problem.fill_unused(state)?;
        }
        Ok(state.ghost_update()?)
    }

    /// Owned unknowns that have a prescribed value, without those that only stand for what is interpolated.
    pub(super) fn prescribed<'s>(&'s self, space: &'s Space) -> impl Iterator<Item = usize> + 's {
        let problem = self.problem();
        self.essential.owned(space).filter(move |&dof| problem.is_none_or(|problem| problem.is_used(dof)))
    }

    /// The second derivative of the residual along `direction`, transposed, at the free unknowns: `d/dh J(u + h v)^T y`,
    /// which is symmetric in `v` and the unknowns. A central difference of fourth order of exact tangents, right to about
    /// 1e-11; zero where the tangent is constant. `size` is the length of a state that counts as large. Collective.
    pub(super) fn curvature(
        &self,
        state: &Vector,
        direction: &Vector,
        y: &Vector,
        size: f64,
        result: &mut Vector,
    ) -> Result<()> {
        self.curvature_at(self.essential, [state, direction, y], size, result)?;
        self.essential.clear(&mut result.write()?);
        Ok(())
    }

    /// The same at all unknowns. Collective.
    pub(super) fn curvature_everywhere(
        &self,
        space: &Space,
        vectors: [&Vector; 3],
        size: f64,
        result: &mut Vector,
    ) -> Result<()> {
        self.curvature_at(&Essential::new(space, []), vectors, size, result)
    }

    fn curvature_at(
        &self,
        essential: &Essential,
        [state, direction, y]: [&Vector; 3],
        size: f64,
        result: &mut Vector,
    ) -> Result<()> {
        result.set(0.0)?;
        let length = direction.norm(petsc_rs::Norm::Infinity)?;
        if self.is_linear() || length == 0.0 {
            return Ok(());
        }
        let equations = Equations { essential, ..*self };
        let step = STEP * size / length;
        let mut room = None;
        let (mut moved, mut image) = (state.try_clone()?, result.duplicate()?);
        for (places, weight) in DIFFERENCE {
            moved.copy_from(state)?;
            moved.axpy(places * step, direction)?;
            moved.ghost_update()?;
            let tangent = equations.tangent(&moved, room.take())?;
            tangent.mult_transpose(y, &mut image)?;
            room = tangent.into_room();
            result.axpy(weight / (12.0 * step), &image)?;
        }
        Ok(())
    }

    /// `J(u)^T y` at all unknowns, without a matrix; ghosts of both are up to date. Collective.
    pub(super) fn pulled(&self, state: &Vector, y: &Vector) -> Result<Vector> {
        match self.form {
            Form::Assembled { matrix, .. } => {
                let mut image = y.duplicate()?;
                matrix.mult_transpose(y, &mut image)?;
                Ok(image)
            }
            Form::Prepared { prepared, parts, history, .. } => {
                let state = state.local_read()?;
                prepared.product(FormState { state: &state, history, parts }, Side::Transposed, y)
            }
        }
    }

    /// As [`Equations::curvature`] by a one-sided difference of products, right to about 1e-6 of what the third derivatives
    /// are, for a matrix that need only be near; `here` is [`Equations::pulled`] at the state. Collective.
    pub(super) fn curvature_near(
        &self,
        here: &Vector,
        [state, direction, y]: [&Vector; 3],
        size: f64,
        result: &mut Vector,
    ) -> Result<()> {
        result.set(0.0)?;
        let length = direction.norm(petsc_rs::Norm::Infinity)?;
        if self.is_linear() || length == 0.0 {
            return Ok(());
        }
        let step = ONE_SIDED * size / length;
        let mut moved = state.try_clone()?;
        moved.axpy(step, direction)?;
        moved.ghost_update()?;
        let image = self.pulled(&moved, y)?;
        result.axpy(1.0 / step, &image)?;
        result.axpy(-1.0 / step, here)?;
        self.essential.clear(&mut result.write()?);
        Ok(())
    }

    /// The state's largest magnitude over the free unknowns, for differences. Collective.
    pub(super) fn size(space: &Rc<Space>, state: &Vector) -> Result<f64> {
        let largest = state.read()?.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let largest = space.mesh.comm.max(largest);
        Ok(if largest > 0.0 { largest } else { 1.0 })
    }
}

/// Adds what `dL/d offset` of a step's equation says of a part of the offset, `storage S(u) + rest F(u)` at an earlier state, to
/// what is said of that state and of the parameters; ghosts of state and offset are up to date. Collective.
pub(super) fn pull_term(
    (prepared, state): (&Prepared, &Vector),
    (storage, rest): (f64, f64),
    offset: &Vector,
    said: &mut Vector,
    parameters: &mut [f64],
) -> Result<()> {
    let local = state.local_read()?;
    let mut image = offset.duplicate()?;
    for (parts, factor) in [(Parts::STORAGE, storage), (Parts::REST, rest)] {
        if factor == 0.0 {
            continue;
        }
        let form = FormState { parts, ..FormState::steady(&local) };
        said.axpy(factor, &prepared.product(form, Side::Transposed, offset)?)?;
        for (parameter, sum) in parameters.iter_mut().enumerate() {
            prepared.slope(parameter, form, &mut image)?;
            *sum += factor * image.dot(offset)?;
        }
    }
    Ok(())
}

/// Adds what `dL/du` says of the parameters through the prescribed values, and clears it there. Collective.
pub(super) fn pull_prescribed(prepared: &Prepared, said: &mut Vector, parameters: &mut [f64]) -> Result<()> {
    let problem = prepared.problem();
    let space = &problem.space;
    for (parameter, sum) in parameters.iter_mut().enumerate() {
        let rates = problem.essential_slope(prepared.context(), parameter)?;
        let said = said.read()?;
        let used = prepared.essential.owned(space).filter(|&dof| problem.is_used(dof));
        *sum += space.mesh.comm.sum(used.map(|dof| said[dof] * rates.values[dof]).sum::<f64>());
    }
    prepared.essential.clear(&mut said.write()?);
    Ok(())
}

/// Relative change of the state in differences: its fourth power and the rounding over it are alike.
pub(super) const STEP: f64 = 1e-3;

/// The relative change of the state in one-sided differences.
pub(super) const ONE_SIDED: f64 = 1e-6;

/// Places and weights, times twelve, of a central difference of fourth order.
pub(super) const DIFFERENCE: [(f64, f64); 4] = [(1.0, 8.0), (-1.0, -8.0), (2.0, -1.0), (-2.0, 1.0)];
