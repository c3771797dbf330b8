//! What a deck asks of the ports of experts.
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
    /// Nothing, nor does any balance: every expert is alone.
    Open,
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
