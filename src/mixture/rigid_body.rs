//! Motions without strain.
use crate::Result;
use crate::fem::Space;
use petsc_rs::Vector;
use std::rc::Rc;

/// The rigid-body motions of an elastic body as near-null space: constants and rotations, orthonormal.
/// Collective.
pub fn rigid_body_modes(space: &Rc<Space>) -> Result<Vec<Vector>> {
    let (dimension, axisymmetric) = (space.components, space.axisymmetric);
    let mut modes = Vec::new();
    let count = match (dimension, axisymmetric) {
        // Only the shift along the axis leaves an axisymmetric body without strain.
        (_, true) => 1,
        (1, _) => 1,
        (2, _) => 3,
        _ => 6,
    };
    for mode in 0..count {
        let mut vector = space.field()?;
        {
            let mut values = vector.write()?;
            for node in 0..space.owned_nodes {
                let x = space.point(node);
                let v = &mut values[node * dimension..(node + 1) * dimension];
                match mode {
                    _ if axisymmetric => v[1] = 1.0,
                    m if m < dimension => v[m] = 1.0,
                    m => {
                        // Rotation in the plane of coordinates i and j.
                        let (i, j) = [(0, 1), (1, 2), (2, 0)][m - dimension];
                        v[i] = -x[j];
                        v[j] = x[i];
                    }
                }
            }
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
