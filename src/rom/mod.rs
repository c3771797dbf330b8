//! Reduced-order models: snapshots, bases, affine expansions, the online solver and its certificate.
//!
//! Everything of the size of the mesh is distributed like the fields it comes from ([`Columns`](crate::mixture::Columns));
//! what is small and dense stands on every rank.
pub mod affine;
mod bases;
pub mod calibration;
pub mod coupling;
pub mod eim;
pub mod energy;
pub mod functional;
pub mod galerkin;
mod greedy;
mod model;
pub mod offline;
mod projection;
pub mod sampled;
mod split;
pub mod theta;
mod training;

pub use affine::Expansion;
pub use bases::{PodOptions, Trajectories, pod_bases};
pub use calibration::Calibration;
pub use eim::Interpolation;
pub use energy::{Energy, assemble_energy, energy_error, energy_norm};
pub use galerkin::{Reduced, Solution};
pub use greedy::Greedy;
pub use model::{Functional, ReducedModel, TrainingReport};
pub use offline::{Basis, BasisOptions, Offline, Prepared};
pub use projection::Projection;
pub use split::Split;
pub use training::Training;
