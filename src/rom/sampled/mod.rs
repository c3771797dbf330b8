//! Reduced models of nonlinear problems and of problems in time: Galerkin projection on modes, and integrals as sums over few
//! sampled points with non-negative weights (empirical cubature).
mod active_set;
mod data;
mod densities;
pub mod file;
mod model;
pub mod nnls;
mod observe;
mod points;
mod reduction;
mod replay;
mod rows;
mod span;
mod system;
mod train;

pub use data::{ProblemData, ValuesAt};
pub use model::{Moment, Prediction, SampledModel};
pub use nnls::{DistributedColumns, Rule, nnls};
pub use observe::Observation;
pub use points::{Chosen, NO_FACET};
pub use reduction::{Reduction, Samples};
pub use replay::{Trajectory, replay};
pub use system::ReducedProblem;
pub use train::{SampledOptions, SampledTraining, Trial, train};
