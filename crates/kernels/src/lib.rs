//! The models of Tessera at a quadrature point, and the loops over cells that assemble them.
//!
//! Pure arithmetic on slices: nothing here knows MPI, PETSc, meshes or decks. A model is its equation in one file of
//! [`models`], written for eight cells at a time ([`lanes`]) as a [`WeakForm`](weak_form::WeakForm) or a
//! [`Form`](form::Form); each file ends with the kernels of its forms, as [`Forms`] by dimension. Those are behind
//! [`Kernel`], which is not generic, so that their code is generated here and nowhere else
//! (`make sizes` shows it): a change above this crate compiles none of it again.
//!
//! A model of one's own needs nothing of this crate's but what is public: a [`WeakForm`](weak_form::WeakForm) or
//! [`Form`](form::Form), its [`Forms`] in a static, and a [`Model`](model::Model) that names them (`examples/own_model.rs`).
//!
//! How large that code gets is decided in [`functions`]: which kernels know how many basis functions a cell has.
#![deny(unsafe_code)]

mod batch;
mod by_cell;
mod dispatch;
mod evaluated;
pub mod form;
mod forms;
pub mod functions;
mod job;
mod kernel;
mod kinds;
pub mod lanes;
mod linear;
pub mod model;
pub mod models;
mod nonlinear;
mod points;
mod prefetch;
mod scatter;
mod values;
pub mod weak_form;

pub use by_cell::{ByCell, Element, Elements};
pub use forms::Forms;
pub use job::{
    Cells, Entity, History, Job, OFF_DIAGONAL, Part, Parts, Prescribed, Sparsity, Tables, Tabulation,
};
pub use kernel::Kernel;
pub use kinds::{Linear, Nonlinear};
pub use models::MODELS;
pub use points::{Densities, Needs, Points};
pub use values::Values;
