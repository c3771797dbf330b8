//! Gaussian random fields on the vertices of the mesh. A draw depends on seed, name and number of the sample, and on the
//! canonical order of the mesh, but not on ranks.
mod fields;
mod fraction;
mod matern;
mod modes;
mod noise;
mod operator;
mod spectral;

pub use fields::{Expansion, RandomFields};
