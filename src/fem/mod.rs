//! Finite elements: reference elements, quadrature, spaces, assembly, conditions, functionals.
pub mod assembly;
pub mod element;
mod essential;
pub mod facet_rule;
pub mod functional;
pub mod grid;
pub mod locate;
mod output;
pub mod pattern;
mod periodic;
pub mod place;
pub mod quadrature;
pub mod restriction;
mod rule;
pub mod sink;
mod space;
pub mod transfer;

pub use assembly::{Data, Target, assemble, update_history};
pub use element::Element;
pub use essential::Essential;
pub use pattern::Pattern;
pub use quadrature::Quadrature;
pub use restriction::{Restriction, Selection};
pub use rule::{Domain, Rule};
pub use sink::Integral;
pub use space::Space;
pub use tessera_kernels::{History, Kernel, Parts, Values};
