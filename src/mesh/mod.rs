//! The distributed mesh: sources, partition, subdomains, markers, canonical numbering.
//!
//! Every rank holds the cells it *owns* and a layer of *ghost* cells: all cells of other ranks that
//! share a vertex (or, across the seam of a periodic mesh, an identified one) with an owned one. Local
//! numbers are `u32`; canonical numbers are `u64`, follow the order of the input and do not depend on the
//! ranks.
mod boxes;
mod build;
mod cell;
mod distribute;
mod experts;
mod facets;
mod ghosts;
mod gmsh;
mod hdf5;
mod local;
mod order;
mod overlap;
mod part;
mod partition;
mod pieces;
mod raw;
mod report;
mod shapes;
mod shared;
mod vertices;

pub use boxes::{BoxSource, LEAST_PERIODIC, SIDES};
pub use build::MeshSource;
pub use cell::CellType;
pub(crate) use local::by_name;
pub use local::{Facets, Mesh};
pub use overlap::CellLists;
pub use part::MeshPart;
pub use partition::{Experts, PartitionMethod, PartitionOptions};
pub use report::MeshReport;
pub use shared::Shared;
