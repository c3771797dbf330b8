//! Level `coupled` of experts with fields of their own, which meet at ports.
//!
//! Expert `k` has the rows of the nodes that are its: those where it is the first expert with a cell. Its field is
//! `u_k = u^ + Phi w_k` on the cells that its rows see, which reach one layer into its neighbours. The experts' coefficients
//! are found together,
//!
//! `min_w sum_k 1/2 |W r_k(u_k)|^2 + ridge/2 |w_k|^2`
//!
//! under the balance of every expert and, at every port, conditions on the jump of the field, on the flux, or both. The field
//! afterwards has at every node the value of its expert. See `docs/theory/experts.md`.
mod adjoint;
mod evaluate;
mod regions;
mod small;
mod solve;
mod window;

use crate::deck::{ConstraintSection, Ports};

/// What holds at the ports: where two experts meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortCondition {
    /// The fields agree, as far as the functions can tell.
    Strong,
    /// The leading modes of the functions' traces agree, so many at each port; and what flows out of one expert flows into
    /// the other.
    Weak(usize),
    /// What flows out of one expert flows into the other.
    Flux,
}

impl PortCondition {
    /// What a deck says.
    pub fn of(section: &ConstraintSection) -> Option<Self> {
        section.ports.map(|ports| match ports {
            Ports::Strong => Self::Strong,
            Ports::Weak => Self::Weak(section.port_modes.unwrap_or(1)),
            Ports::Flux => Self::Flux,
        })
    }
}
