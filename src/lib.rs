//! Tessera solves partial differential equations in parallel, builds reduced models from the solutions, and makes
//! predictions whose error is estimated and whose balances hold.
//!
//! # The idea
//! A field is a mixture of local *experts*, one for each part of the mesh, blended by functions that sum to one. The
//! parallel solver, the reduced model and the repair of predictions are three uses of that [`mixture`]. A problem is a
//! [model](tessera_kernels::model::Model) (what an equation says at a point, and a table of what it may be given) on a
//! [space](fem::Space), and everything that is done with it goes by its residual and the derivatives of that.
//!
//! # A program
//! The program `tessera` reads a [deck]; another program says the same by calls. This one finds the temperature of a
//! square that is cold on the left and heated on the right:
//! ```no_run
//! use std::rc::Rc;
//! use tessera::deck::SolverOptions;
//! use tessera::fem::Space;
//! use tessera::mesh::{BoxSource, CellType, Mesh, PartitionOptions};
//! use tessera::physics::{Context, Problem, diffusion};
//! use tessera::solver::LinearSolver;
//!
//! fn main() -> std::process::ExitCode {
//!     tessera::parallel::run(|comm| {
//!         let source = BoxSource::unit(CellType::Triangle, &[32, 32]).into();
//!         let mesh = Rc::new(Mesh::build(comm, &source, &PartitionOptions::default())?);
//!         let space = Rc::new(Space::new(mesh, 1, 1)?);
//!         let problem = Problem::builder(&diffusion::MODEL, &space)
//!             .input("conductivity", "1 + x^2")
//!             .value("left", 300.0)
//!             .flux("right", 1000.0)
//!             .build()?;
//!
//!         let context = Context::default();
//!         let essential = problem.essential(&context)?;
//!         let (mut matrix, mut load) = (problem.new_matrix()?, space.field()?);
//!         problem.assemble(&context, &essential, &mut matrix, &mut load)?;
//!         let mut temperature = space.field()?;
//!         let mut solver = LinearSolver::new(&space, &problem.name, &SolverOptions::default())?;
//!         solver.set_matrix(&matrix)?;
//!         solver.solve(&matrix, &load, &essential, &mut temperature)?;
//!
//!         let hottest = comm.max(temperature.read()?.iter().fold(0.0, |most: f64, &t| most.max(t)));
//!         if comm.rank() == 0 {
//!             println!("{hottest:.1} K at most");
//!         }
//!         Ok(())
//!     })
//! }
//! ```
//! It runs on any number of ranks: `mpirun -n 4 target/release/square`. The folder `examples` holds whole programs:
//! `poisson` goes on to errors and files, `own_model` brings an equation of its own, `reduced_model` trains on a small
//! campaign and predicts with a bound, `repair_a_prediction` makes a field satisfy conservation.
//!
//! Three words of the documentation: a *collective* function is called by all ranks, in the same order; what is *local*
//! needs no other rank; *owned* cells and nodes come before the *ghosts* that belong to others. [Errors](Error) name what
//! the user wrote and are the same on all ranks.
//!
//! # The layers
//! From the ground to the roof; each imports those of the layers before its own only (`docs/contributing/house.md`):
//!
//! | layer | module | what lives there |
//! | --- | --- | --- |
//! | 1 | [`error`] | errors with their place in the input |
//! | 2 | [`parallel`] | communicators, and plans to move rows between ranks |
//! | 2 | [`mod@format`] | numbers in words: bytes, counts, durations |
//! | 2 | [`memory`] | what is remembered from one solve to the next, and how it is handed on |
//! | 3 | [`storage`] | files: results, datasets, checkpoints, their checksums and exports |
//! | 4 | [`mesh`] | distributed meshes: sources, partition, markers |
//! | 4 | [`report`] | what a run says: lines, tables, phases, progress |
//! | 5 | [`deck`] | what a user may ask for: the input file, its defaults and its checks |
//! | 5 | [`fem`] | elements, spaces and assembly |
//! | 6 | [`physics`] | the models: from a deck to residuals, tangents, fluxes and derived fields |
//! | 6 | [`mixture`] | fields as sums over experts, and bases of fields with their inner products |
//! | 7 | [`solver`] | linear systems, nonlinear systems, steps in time |
//! | 8 | [`random`] | Gaussian random fields |
//! | 9 | [`simulation`] | a deck's problems on one mesh, solved in order or in time |
//! | 10 | [`experts`] | predictions repaired until they satisfy balances or equations |
//! | 10 | [`rom`] | reduced models: bases, expansions, online solves |
//! | 10 | [`sensitivity`] | derivatives of steady solutions and quantities with respect to parameters |
//! | 10 | [`checkpoint`] | when a run in time is saved, and from where it goes on |
//! | 11 | [`reuse`] | what earlier solves lend to the next one |
//! | 12 | [`campaign`] | many samples of a deck: designs, groups, datasets |
//! | 13 | [`learning`] | functions that experts learn from the equations alone |
//! | 13 | [`uncertainty`] | quantiles, means and Sobol indices of draws, with their errors |
//! | 14 | [`drivers`] | the commands |
#![deny(unsafe_code)]

pub mod campaign;
pub mod checkpoint;
pub mod deck;
pub mod drivers;
pub mod error;
pub mod experts;
pub mod fem;
pub mod format;
pub mod learning;
pub mod memory;
pub mod mesh;
pub mod mixture;
pub mod parallel;
pub mod physics;
pub mod random;
pub mod report;
pub mod reuse;
pub mod rom;
pub mod sensitivity;
pub mod simulation;
pub mod solver;
pub mod storage;
pub mod uncertainty;

pub use error::{Diagnostic, Error, Result};
