//! Small neural networks in double precision, to learn basis functions through whatever is computed from these.
//!
//! A [`Mlp`] maps points to numbers; its native derivative is the vector-Jacobian product [`Mlp::vjp`]. A [`DeepONet`]
//! makes of two of them the functions of a [`BasisModel`], which depend on the point and on the inputs of a sample.
//! [`Adam`] changes the parameters. All parameters, gradients and states are flat arrays, to be added over ranks and kept
//! in files as they are. Nothing here knows MPI, meshes or files.
//!
//! This learns `sin(3 x)` from its values:
//! ```
//! use tessera_network::{Adam, AdamOptions, Mlp, Schedule};
//!
//! # fn main() -> tessera_network::Result<()> {
//! let network = Mlp::new(&[1, 16, 16, 1], &[[0.0, 2.0]])?;
//! let points: Vec<f64> = (0..100).map(|i| f64::from(i) / 50.0).collect();
//! let mut parameters = network.initial(1);
//! let schedule = Schedule::Cosine { steps: 3000 };
//! let mut adam = Adam::new(AdamOptions { rate: 1e-2, schedule, ..Default::default() }, network.count())?;
//! for _ in 0..3000 {
//!     let values = network.forward(&parameters, &points)?;
//!     // Derivatives of half the sum of squares.
//!     let apart: Vec<f64> = values.iter().zip(&points).map(|(u, x)| u - (3.0 * x).sin()).collect();
//!     let gradient = network.vjp(&parameters, &points, &apart)?;
//!     adam.step(&mut parameters, &gradient)?;
//! }
//! assert!((network.forward(&parameters, &[0.5])?[0] - 1.5f64.sin()).abs() < 1e-2);
//! # Ok(())
//! # }
//! ```
//!
//! # Reproducibility
//! A seed gives the same initial parameters on every machine. On one machine results have the same bits for any number of
//! threads of rayon's present pool, as gradients are added block after block of points, in order. Machines with other
//! vector instructions multiply matrices in another order.
//!
//! # Why not a framework
//! What a constraint layer needs of a network is `vjp`, double precision, equal bits and speed on the cores beside the
//! solver. For one step of a DeepONet of 20,000 points (trunk 3-64-64-64-32, branch 8-64-64-32, 16 samples) the
//! frameworks needed four to five times as long on the same machine: 149 ms with burn 0.22 and 199 ms and more with candle
//! 0.11, against 37 ms, and would bring 79 and 54 more crates; other crates found are of single precision, of one hidden
//! layer, or no longer maintained. The gain comes from two things that they lack: hyperbolic tangents of many numbers at
//! once, and blocks of points whose activations stay in cache. `cargo bench -p tessera-network` measures both: on an
//! idle machine 20 ms on one thread and 11 on two, against 138 without them.
#![deny(unsafe_code)]

mod activation;
mod adam;
mod basis;
mod error;
mod mlp;

pub use adam::{Adam, AdamOptions, AdamState, Schedule};
pub use basis::{BasisModel, DeepONet};
pub use error::{Error, Result};
pub use mlp::Mlp;
