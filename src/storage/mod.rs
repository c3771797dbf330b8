//! HDF5: collective I/O, results, datasets, reduced models, XDMF.
//!
//! Arrays go to files in canonical order, so a file never shows how many ranks wrote it, and any number
//! of ranks reads it. Nothing here knows meshes, physics or PETSc: it moves named blocks of numbers.
mod attribute;
mod collective;
mod dataset;
mod file;
mod layout;
mod result;

pub use attribute::Value;
pub use collective::{Element, Slab};
pub use dataset::{DatasetFile, Quantity, Samples, Status};
pub use file::ParallelFile;
pub use layout::{Field, Location, Provenance, Rows, SCHEMA_VERSION, Schema, created_by, field_path};
pub use result::ResultFile;
