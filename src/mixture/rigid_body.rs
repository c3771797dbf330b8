//! Motions without strain.
use super::modes::CoarseModes;
use crate::Result;
use crate::fem::Space;
use petsc_rs::Vector;
use std::rc::Rc;

/// The rigid-body motions of an elastic body as near-null space: constants and rotations, orthonormal.
/// Collective.
pub fn rigid_body_modes(space: &Rc<Space>) -> Result<Vec<Vector>> {
    let (components, mut modes) = (space.components, Vec::new());
    let motions = if space.axisymmetric { CoarseModes::Axial } else { CoarseModes::RigidBody };
    for k in 0..motions.count(components) {
        let mut vector = space.field()?;
        for (dof, value) in vector.write()?.iter_mut().enumerate() {
            let x = space.point(dof / components);
            *value = motions.value(components, k, dof % components, &x).unwrap_or(0.0);
        }
        for other in &modes {
            let projection = vector.dot(other)?;
            vector.axpy(-projection, other)?;
        }
        let norm = vector.norm(petsc_rs::Norm::Two)?;
        vector.scale(1.0 / norm)?;
        modes.push(vector);
    }
    Ok(modes)
}
