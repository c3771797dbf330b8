//! The equations that a step in time solves.
use crate::Result;
use crate::fem::Parts;
use crate::physics::Context;
use crate::solver::nonlinear::{NewtonOutcome, NewtonSolver};
use petsc_rs::Vector;

/// `parts.storage S(u) + parts.residual F(u) + offset = 0`, one of the equations of a step in time.
pub struct StepEquation {
    /// Parameters, and the time at which `F` and the essential conditions are those of the equation.
    pub context: Context,
    /// Factors of what is stored and of the rest.
    pub parts: Parts,
    /// What the offset is the sum of.
    pub terms: Vec<Term>,
    /// The sum.
    pub offset: Vector,
}

/// A part of an offset: `storage S(u) + rest F(u)` of a state that was found before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// The state.
    pub of: Earlier,
    /// Factor of what is stored there (1/s).
    pub storage: f64,
    /// Factor of the rest there.
    pub rest: f64,
}

/// A state that was found before the one that is sought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earlier {
    /// At the end of an accepted step: 0 is the newest.
    Accepted(usize),
    /// Of an earlier stage of the same step: 0 is the first.
    Stage(usize),
}

/// What finds the state of an equation from a first guess, whose ghosts are up to date afterwards.
pub type StepSolve<'a, S = NewtonSolver> =
    dyn FnMut(&mut S, &StepEquation, &mut Vector) -> Result<NewtonOutcome> + 'a;

/// Newton's method.
///
/// # Errors
/// See [`NewtonSolver::solve`].
pub fn by_newton(
    newton: &mut NewtonSolver,
    equation: &StepEquation,
    solution: &mut Vector,
) -> Result<NewtonOutcome> {
    newton.solve(&equation.context, equation.parts, Some(equation.offset.try_clone()?), solution)
}
