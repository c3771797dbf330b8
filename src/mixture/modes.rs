//! Functions of each expert that span the coarse space.

/// Which functions of each expert, times its gating function, span the coarse space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoarseModes {
    /// A constant for each component: what a Laplacian leaves alone (R. A. Nicolaides, *Deflation of
    /// conjugate gradients with applications to boundary value problems*, SIAM J. Numer. Anal. 24 (1987)),
    /// and what a balance of mass, heat or force is tested with.
    Constants,
    /// Translations and rotations: what elasticity leaves alone.
    RigidBody,
}

impl CoarseModes {
    /// Functions of each expert for fields with `components` components.
    pub fn count(self, components: usize) -> usize {
        match self {
            Self::Constants => components,
            Self::RigidBody => components * (components + 1) / 2,
        }
    }

    /// Value of each function in `component` at `x`, where it is not zero by definition.
    pub(super) fn values(
        self,
        components: usize,
        component: usize,
        x: &[f64; 3],
    ) -> impl Iterator<Item = (usize, f64)> {
        let mut list = [None; 3];
        match self {
            Self::Constants => list[0] = Some((component, 1.0)),
            Self::RigidBody => {
                list[0] = Some((component, 1.0));
                let rotations = [(0, 1), (1, 2), (2, 0)];
                let used = components * (components - 1) / 2;
                for (r, &(i, j)) in rotations.iter().enumerate().take(used) {
                    let value = match component {
                        c if c == i => -x[j],
                        c if c == j => x[i],
                        _ => continue,
                    };
                    list[1 + usize::from(list[1].is_some())] = Some((components + r, value));
                }
            }
        }
        list.into_iter().flatten()
    }
}
