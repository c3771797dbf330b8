//! What holds a problem: motions that its conditions leave free.
//!
//! A system without a unique solution is found before it is solved: in every piece of the mesh (cells that share facets) the
//! motions that the material does not resist, rigid ones of a solid and constants of the others, are compared with what
//! the essential conditions, foundations, Robin conditions and reactions hold, and with the nodes in which pieces touch.
//! What these do not see is free: the null space of a small Gram matrix for each group of pieces.
mod known;
mod modes;
mod pieces;
mod words;

pub(crate) use known::Support;
pub use pieces::Pieces;
