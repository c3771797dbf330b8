//! Saddle-point systems of flows: velocity and pressure, and the Schur complement between them.
mod blocks;
mod schur;

pub(crate) use blocks::{Blocks, PressureLevel};
pub(crate) use schur::Schur;
