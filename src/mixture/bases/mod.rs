//! Bases of fields, global ones and those of each expert, and where they come from: files.
//!
//! A field is its lifting plus a combination of functions that are zero where values are prescribed: with global ones
//! `u = lifting + sum_j w_j phi_j`, with those of experts `u = lifting + sum_k chi_k sum_j w_kj Phi_kj`, which
//! [`Mixture::blend`](super::Mixture::blend) forms. Global functions are orthonormal in a product, those of experts when
//! they are multiplied by `chi_k` (see [`LocalProduct`](super::LocalProduct)).
mod columns;
mod experts;
mod file;
mod rows;

use super::columns::Columns;
use super::pod::Pod;
use crate::parallel::Comm;
use mpi::topology::SimpleCommunicator;

pub use columns::read_columns;
pub use experts::{experts, write_experts};

/// Where they lie in a file.
pub const BASES: &str = "/bases";

/// What a file says of experts: its attribute `overlap` is the layers of cells by which they overlap.
pub const PARTITION: &str = "/partition";

/// The bases of one field: in space, or in space and time over a window of steps with the moment from which it starts.
pub struct Bases {
    /// The field that they span.
    pub field: String,
    /// In space and time: the number of their window of steps.
    pub window: Option<usize>,
    /// Times (s) of the moments of functions in space and time; none in space.
    pub times: Vec<f64>,
    /// What functions are added to once prescribed values have been imposed on it: this rank's unknowns,
    /// `[step, node, component]` with one step in space.
    pub lifting: Vec<f64>,
    /// Whether functions are zero there: this rank's unknowns, `[node, component]`.
    pub essential: Vec<bool>,
    /// Functions of all the mesh, `[step, node, component]`.
    pub global: Pod,
    /// Functions of each expert of this rank at the nodes of [`Gating::support`](super::Gating::support),
    /// `[step, node, component]`; none without experts.
    pub local: Vec<Pod>,
}

impl Bases {
    /// Number of moments of a function.
    pub fn steps(&self) -> usize {
        self.times.len().max(1)
    }
}

/// A communicator of this rank alone, for columns that no other rank has rows of.
pub fn alone() -> Comm {
    Comm::new(SimpleCommunicator::self_comm())
}

/// No columns yet, of an expert with so many unknowns.
pub fn local_columns(rows: usize) -> Columns {
    Columns::new(&alone(), rows)
}
