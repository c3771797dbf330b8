//! Level `residual`: independent experts, each with the least residual on its own rows.
//!
//! Expert `k` has the rows of the nodes where its gating function is the largest one, and functions `Phi` that are fields
//! of the whole domain, not multiplied by the gating functions. It finds `w_k` that makes
//! `1/2 |W_k r_k(u^ + Phi w_k)|^2 + ridge/2 |w_k|^2` least, as if it were alone; then the fields are blended,
//! `u = u^ + sum_k chi_k Phi w_k`.
mod adjoint;
pub(super) mod levenberg;
pub(super) mod rows;
pub(super) mod shares;
mod solve;
mod system;
