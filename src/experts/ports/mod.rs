//! Level `coupled` of experts with fields of their own, which meet at ports.
//!
//! Expert `k` has the rows of the nodes that are its: those where it is the first expert with a cell. Its field is
//! `u_k = u^ + Phi w_k` on the cells that its rows see, which reach one layer into its neighbours. The experts' coefficients
//! are found together,
//!
//! `min_w sum_k 1/2 |W r_k(u_k)|^2 + ridge/2 |w_k|^2`
//!
//! under the balance of every expert and, at every port, conditions on the jump of the field, on the flux, or both. The field
//! afterwards has at every node the value of its expert. The same holds of the equations of many steps in time at once, with
//! functions in space and time; and experts may be alone, without any condition. See `docs/theory/experts.md`.
mod adjoint;
mod alone;
mod build;
mod evaluate;
mod null_space;
mod regions;
mod small;
mod solve;
mod steps;
mod steps_adjoint;
mod window;

pub use steps::{StepEquations, WindowRepair};
pub use steps_adjoint::WindowPullback;
