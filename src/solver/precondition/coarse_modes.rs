//! Which functions of the coarse space a model asks for.
use crate::mixture::CoarseModes;
use crate::physics::{Model, Problem};

impl CoarseModes {
    /// Those of a model: what it leaves alone in the middle of the body.
    pub fn of(problem: &Problem) -> Self {
        match problem.model {
            Model::Elasticity { .. } if !problem.space.axisymmetric => Self::RigidBody,
            _ => Self::Constants,
        }
    }
}
