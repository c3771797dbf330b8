//! Finite elements: reference elements, quadrature, spaces, assembly, conditions, functionals.
pub mod assembly;
mod batch;
pub mod element;
mod essential;
pub mod form;
mod form_kernel;
pub mod functional;
pub mod grid;
mod kernel;
pub mod lanes;
pub mod locate;
mod output;
pub mod pattern;
mod periodic;
pub mod quadrature;
mod scatter;
mod space;
pub mod transfer;
pub mod weak_form;

pub use assembly::{Domain, Rule, Target, Values, assemble};
pub use element::Element;
pub use essential::Essential;
pub use form_kernel::{History, Parts, assemble_form, update_history};
pub use pattern::Pattern;
pub use quadrature::Quadrature;
pub use space::Space;
