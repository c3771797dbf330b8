//! Reduced models of nonlinear problems and of problems in time: Galerkin projection on modes, and integrals as sums over few
//! sampled points with non-negative weights (empirical cubature), of linear problems with coefficients that split exact.
mod active_set;
mod bounds;
mod clusters;
mod data;
mod densities;
pub mod dictionary;
mod exact;
mod expansion;
pub mod file;
mod indicator;
mod model;
pub mod nnls;
mod observe;
mod points;
mod reduction;
mod replay;
mod rows;
mod span;
mod surroundings;
mod system;
mod train;
pub mod verify;

pub use bounds::{Bounds, Target, calibrate};
pub use clusters::{Clusters, Criterion, LEAST, MOST, cluster};
pub use data::{ProblemData, SampledPart, TestBlock, ValuesAt};
pub use dictionary::Dictionary;
pub use exact::ExactForm;
pub use model::{Moment, Prediction, SampledModel};
pub use nnls::{DistributedColumns, Rule, nnls};
pub use observe::{Observation, Reading, Sentinel};
pub use points::{Chosen, NO_FACET};
pub use reduction::{Reduction, Samples};
pub use replay::{Combined, Path, Stored, Visit, Visited, replay, replay_with_pressures};
pub use system::ReducedProblem;
pub use train::{SampledOptions, SampledTraining, Trial, train};
