//! HDF5: collective I/O, results, datasets, reduced models, XDMF.
//!
//! Arrays go to files in canonical order, so a file never shows how many ranks wrote it, and any number
//! of ranks reads it. Nothing here knows meshes, physics or PETSc: it moves named blocks of numbers.
mod attribute;
mod checksum;
mod collective;
mod content;
mod csv;
mod dataset;
mod exporter;
mod field;
mod file;
mod formats;
mod grid;
mod layout;
mod lock;
mod model;
mod obstacle;
mod reader;
mod result;
mod sample;
mod sealed;
mod statistics;
mod transfer;
mod vtu;
mod xdmf;

pub use attribute::Value;
pub use checksum::{checksum, checksum_alone};
pub use collective::{Element, Slab};
pub use dataset::{DatasetFile, Moments, Quantity, Room, Status};
pub use exporter::Exporter;
pub use field::{Field, Location, field_path};
pub use file::{File, broken};
pub use formats::EXPORTERS;
pub use grid::{GridArray, GridFile};
pub use layout::{Provenance, SCHEMA_VERSION, Samples, Schema, created_by};
pub use lock::Lock;
pub use model::ModelFile;
pub use obstacle::obstacle;
pub use reader::Reader;
pub use result::{ResultFile, temporary};
pub use sealed::{Array, Sealed, Sealing};
pub use xdmf::write_xdmf;
