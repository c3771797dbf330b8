//! Functions of each expert that span the coarse space.
use crate::Result;
use crate::fem::Space;
use petsc_rs::Vector;

/// Which functions of each expert, times its gating function, span the coarse space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoarseModes {
    /// A constant for each component: what a Laplacian leaves alone (R. A. Nicolaides, *Deflation of
    /// conjugate gradients with applications to boundary value problems*, SIAM J. Numer. Anal. 24 (1987)),
    /// and what a balance of mass, heat or force is tested with.
    Constants,
    /// Translations and rotations: what elasticity leaves alone.
    RigidBody,
    /// The shift along the axis: what it leaves alone in a body of revolution.
    Axial,
}

impl CoarseModes {
    /// Functions of each expert for fields with `components` components.
    pub fn count(self, components: usize) -> usize {
        match self {
            Self::Constants => components,
            Self::RigidBody => components * (components + 1) / 2,
            Self::Axial => 1,
        }
    }

    /// Component `i` of function `k` at `x`; `None` where it is zero by definition.
    pub fn value(self, components: usize, k: usize, i: usize, x: &[f64; 3]) -> Option<f64> {
        match self {
            Self::Axial => (i == 1).then_some(1.0),
            _ if k < components => (i == k).then_some(1.0),
            _ => {
                // Rotation in the plane of coordinates a and b.
                let (a, b) = [(0, 1), (1, 2), (2, 0)][k - components];
                if i == a { Some(-x[b]) } else { (i == b).then_some(x[a]) }
            }
        }
    }
}

/// The rigid-body motions of an elastic body as near-null space: constants and rotations, orthonormal.
/// Collective.
///
/// # Errors
/// When PETSc fails.
pub fn rigid_body_modes(space: &Space) -> Result<Vec<Vector>> {
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
