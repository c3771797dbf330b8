//! HDF5: collective I/O, results, datasets, reduced models, XDMF.
//!
//! Arrays go to files in canonical order, so a file never shows how many ranks wrote it, and any number
//! of ranks reads it. Nothing here knows meshes, physics or PETSc: it moves named blocks of numbers.
mod attribute;
mod collective;
mod file;

pub use attribute::Value;
pub use collective::{Element, Slab};
pub use file::ParallelFile;
