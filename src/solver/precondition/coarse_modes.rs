//! Which functions of the coarse space a model asks for.
use crate::mixture::CoarseModes;
use crate::physics::Problem;

impl CoarseModes {
    /// Those of a model: what it leaves alone in the middle of the body.
    pub fn of(problem: &Problem) -> Self {
        match problem.is_solid() && !problem.space.axisymmetric {
            true => Self::RigidBody,
            false => Self::Constants,
        }
    }
}
