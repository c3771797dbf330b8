//! Motions that a material does not resist, and what holds them.
use crate::mixture::CoarseModes;
use crate::physics::{Context, Integral, Problem};
use tessera_kernels::model::{Motions, Role};

/// Which motions cost no energy: of what kind, and in how many components.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Modes(CoarseModes, usize);

impl Modes {
    pub(super) fn of(problem: &Problem) -> Self {
        let dimension = problem.space.mesh.dimension;
        match problem.facts().motions {
            Motions::Rigid if problem.space.axisymmetric => Self(CoarseModes::Axial, dimension),
            Motions::Rigid => Self(CoarseModes::RigidBody, dimension),
            Motions::Velocity => Self(CoarseModes::Constants, dimension),
            Motions::Constants => Self(CoarseModes::Constants, problem.space.components),
        }
    }

    /// Whether they are motions of a solid.
    pub(super) fn is_rigid(self) -> bool {
        self.0 != CoarseModes::Constants
    }

    pub(super) fn count(self) -> usize {
        self.0.count(self.1)
    }

    /// Component `i` of mode `k` at `x`, a place relative to the centre of the piece in units of its size.
    pub(super) fn value(self, k: usize, i: usize, x: &[f64; 3]) -> f64 {
        self.0.value(self.1, k, i, x).unwrap_or(0.0)
    }
}

/// The first coefficient of an integral that holds the level of the field, or the body along the normal.
pub(super) fn holding(integral: &Integral) -> Option<usize> {
    integral.coefficients.meanings.iter().position(|meaning| meaning.role == Role::Holds)
}

impl Problem {
    /// Whether each integral has a coefficient anywhere that holds the field: what a change of decides whether supports
    /// are to be checked again. Local.
    pub fn holds(&self, context: &Context) -> Vec<bool> {
        let any = |integral: &Integral| {
            let Some(output) = holding(integral) else { return false };
            let (space, entities) = (&self.space, integral.entities);
            integral.groups.iter().any(|group| {
                let (one, domain) = (output..output + 1, group.domain());
                !integral.coefficients.evaluate_some(one, context, space, &domain, entities)[0].is_zero()
            })
        };
        self.integrals.iter().map(any).collect()
    }
}

/// The same space by vectors with as many zeros as elimination gives, the last entries (turns) first.
pub(super) fn simplest(mut vectors: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let n = vectors.first().map_or(0, Vec::len);
    let mut done = 0;
    for column in (0..n).rev() {
        let rest = done..vectors.len();
        let Some(pivot) = rest.max_by(|&a, &b| vectors[a][column].abs().total_cmp(&vectors[b][column].abs()))
        else {
            break;
        };
        if vectors[pivot][column].abs() < 1e-6 {
            continue;
        }
        vectors.swap(done, pivot);
        let scale = vectors[done][column];
        vectors[done].iter_mut().for_each(|x| *x /= scale);
        let row = vectors[done].clone();
        for (_, other) in vectors.iter_mut().enumerate().filter(|(i, _)| *i != done) {
            let factor = other[column];
            other.iter_mut().zip(&row).for_each(|(x, y)| *x -= factor * y);
        }
        done += 1;
    }
    vectors
}
