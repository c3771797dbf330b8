//! Krylov methods that remember: a few directions that were slow in one linear system are solved for beforehand
//! in the next one, of a similar matrix.
//!
//! Both methods keep a small space `U` (`dimension` vectors) of approximate eigenvectors of the preconditioned
//! matrix with eigenvalues near zero. With a new matrix only its image is computed again.
mod deflated_cg;
mod dense;
mod gcro_dr;
mod recycler;
mod space;

pub use recycler::{Method, Recycler};
pub use space::Solved;
