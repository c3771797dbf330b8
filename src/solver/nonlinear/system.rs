//! The nonlinear system that PETSc's Newton method solves.
use super::linear_form::LinearForm;
use crate::fem::{Essential, History, Parts};
use crate::physics::{Context, FormState, Prepared, Problem};
use crate::solver::flow::PressureLevel;
use crate::solver::precondition::RestrictedSchwarz;
use crate::{Error, Result};
use petsc_rs::{Matrix, Vector};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A nonlinear system as PETSc sees it: residual and tangent at a state.
pub(super) struct System {
    pub problem: Rc<Problem>,
    /// Set when the tangent is assembled.
    pub changed: Rc<Cell<bool>>,
    /// The preconditioner that has to know the tangent, if there is one.
    pub restricted: RefCell<Option<RestrictedSchwarz>>,
    pub inner: RefCell<Inner>,
}

/// What it depends on.
pub(super) struct Inner {
    /// The problem at the present parameters and time; none before the first.
    pub prepared: Option<Prepared>,
    /// Parameters and draw that it holds for at all times, if they do not change in time.
    pub constant: Option<(Vec<f64>, u64)>,
    /// No unknowns, until there is a prepared problem.
    pub nothing: Essential,
    pub parts: Parts,
    pub offset: Option<Vector>,
    /// The residual at the first guess, until PETSc asks for it.
    pub known: Option<Vector>,
    pub state: Vector,
    /// Internal variables at the last accepted step.
    pub history: Option<History>,
    /// What a flow's conditions leave open; known after the first evaluation.
    pub level: Option<PressureLevel>,
    /// Matrices of a linear form whose coefficients stay.
    pub linear: Option<LinearForm>,
    /// Factors and fixed unknowns for which the tangent of a linear form stands in the matrix.
    pub assembled: Option<(Parts, Vec<bool>)>,
}

impl Inner {
    /// A state with what it depends on.
    pub fn at<'a>(&'a self, state: &'a [f64]) -> FormState<'a> {
        FormState { state, history: self.history.as_ref(), parts: self.parts }
    }

    /// The problem at the present parameters.
    ///
    /// # Errors
    /// When there is none yet.
    pub fn prepared(&self) -> Result<&Prepared> {
        self.prepared
            .as_ref()
            .ok_or_else(|| Error::Failed("a form is evaluated before its parameters are set".into()))
    }

    /// The essential conditions at the present parameters.
    pub fn essential(&self) -> &Essential {
        self.prepared.as_ref().map_or(&self.nothing, |prepared| &prepared.essential)
    }

    /// Makes matrices of a linear form in time whose coefficients stay.
    fn find_linear(&mut self, problem: &Problem) -> Result<()> {
        // The stabilisation of others depends on the step.
        let splits = problem.facts().is_symmetric_linear();
        if self.parts.storage != 0.0 && splits && self.linear.is_none() && self.constant.is_some() {
            let state = self.state.local_read()?;
            let form = LinearForm::new(self.prepared()?, self.at(&state))?;
            drop(state);
            self.linear = Some(form);
        }
        Ok(())
    }
}

impl System {
    /// With no parameters yet. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn new(problem: &Rc<Problem>) -> Result<Self> {
        let space = &problem.space;
        let inner = Inner {
            prepared: None,
            constant: None,
            nothing: Essential::new(space, []),
            parts: Parts::REST,
            offset: None,
            known: None,
            state: space.field()?,
            history: problem.new_history(),
            level: None,
            linear: None,
            assembled: None,
        };
        Ok(Self {
            problem: problem.clone(),
            changed: Rc::default(),
            restricted: RefCell::default(),
            inner: RefCell::new(inner),
        })
    }

    /// The residual at `x`; zero on essential unknowns when `free`.
    pub fn residual(&self, x: &Vector, free: bool, result: &mut Vector) -> Result<()> {
        let inner = &mut *self.inner.borrow_mut();
        inner.find_linear(&self.problem)?;
        match &inner.linear {
            Some(linear) => linear.evaluate(inner.parts, x, result)?,
            None => {
                inner.state.copy_from(x)?;
                inner.state.ghost_update()?;
                let state = inner.state.local_read()?;
                inner.prepared()?.residual(inner.at(&state), result)?;
            }
        }
        if let Some(offset) = &inner.offset {
            result.axpy(1.0, offset)?;
        }
        if free {
            let mut values = result.write()?;
            for dof in inner.essential().owned(&self.problem.space) {
                values[dof] = 0.0;
            }
        }
        Ok(())
    }

    /// The residual that PETSc asks for: the first one of a solve is known.
    pub fn next_residual(&self, x: &Vector, result: &mut Vector) -> Result<()> {
        let known = self.inner.borrow_mut().known.take();
        match known {
            Some(known) => Ok(result.copy_from(&known)?),
            None => self.residual(x, true, result),
        }
    }

    /// The tangent at `x`, unless that of a linear form stands in the matrix already.
    pub fn tangent(&self, x: &Vector, matrix: &mut Matrix) -> Result<()> {
        let inner = &mut *self.inner.borrow_mut();
        if self.problem.facts().linear {
            let key = (inner.parts, inner.essential().fixed.clone());
            if inner.assembled.as_ref() == Some(&key) {
                return Ok(());
            }
            inner.assembled = Some(key);
        }
        self.changed.set(true);
        inner.state.copy_from(x)?;
        inner.state.ghost_update()?;
        let state = inner.state.local_read()?;
        let (prepared, at) = (inner.prepared()?, inner.at(&state));
        if let Some(method) = &*self.restricted.borrow() {
            method.update(prepared, at)?;
        }
        prepared.tangent(at, inner.essential(), matrix)
    }

    /// Coefficients and essential conditions at a time and parameters. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] for coefficients that no material can have.
    pub fn set_time(&self, context: &Context) -> Result<()> {
        let problem = &self.problem;
        let data = (context.parameters.clone(), context.sample);
        if self.inner.borrow().constant.as_ref() == Some(&data) {
            return Ok(());
        }
        {
            let inner = &mut *self.inner.borrow_mut();
            (inner.constant, inner.linear) = (None, None);
        }
        let prepared = problem.at(context)?;
        let inner = &mut *self.inner.borrow_mut();
        if problem.facts().pressure {
            if inner.level.is_none() {
                inner.level = Some(PressureLevel::new(&prepared)?);
            }
            let level = inner.level.as_ref().expect("set above");
            level.check(problem, &prepared.essential)?;
        }
        // The matrix of a linear form holds unless coefficients changed, on any rank.
        let same = inner.prepared.as_ref().is_some_and(|before| before.has_coefficients_of(&prepared));
        if problem.space.mesh.comm.max(u8::from(!same)) == 1 {
            inner.assembled = None;
        }
        inner.prepared = Some(prepared);
        inner.constant = Some(data).filter(|_| !problem.varies_in_time());
        Ok(())
    }

    /// Parts of the form at a state, with the coefficients of the last [`System::set_time`];
    /// essential unknowns are not treated. Collective.
    pub fn evaluate(&self, parts: Parts, state: &Vector) -> Result<Vector> {
        let mut result = state.duplicate()?;
        let inner = self.inner.borrow();
        match &inner.linear {
            Some(linear) => linear.evaluate(parts, state, &mut result)?,
            None => {
                let state = state.local_read()?;
                inner.prepared()?.residual(FormState { parts, ..inner.at(&state) }, &mut result)?;
            }
        }
        Ok(result)
    }
}
