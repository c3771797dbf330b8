//! Derivatives of steady solutions, and of what is measured of them, with respect to the deck's parameters.
//!
//! A solution satisfies `R(u, mu) = 0` for its free unknowns F and has prescribed values `g(mu)` for the others E. Along a
//! parameter it changes by `w` with `w_E = dg/dmu` and `J_FF w_F = -(dR/dmu + J_FE w_E)`, J being the tangent: one linear
//! system a parameter ([`Sensitivities::along`]). A function of the solution with the derivative `q` needs the transposed
//! system once for all parameters ([`Sensitivities::pulled_back`]): with `J_FF^T z_F = q_F` its derivative is
//! `r_E . dg/dmu - z_F . dR/dmu`, `r = q - J^T z`. Both use one factorisation of each problem's tangent, and the exact
//! derivatives of [`Prepared`](crate::physics::Prepared).
//!
//! Problems that read the fields of earlier ones get these fields' changes along each parameter: there are few parameters,
//! and what fields do to coefficients is differentiated by central differences of fourth order, right to about 1e-11.
mod gradient;
mod linearised;
mod sensitivities;

pub use gradient::{Method, gradient};
pub use sensitivities::Sensitivities;
