//! One driver a subcommand: it strings the parts together and holds no numerics.
mod adaptive;
pub mod balance;
pub mod campaign;
pub mod check;
pub mod evolve;
pub mod export;
pub mod grid;
pub mod info;
pub mod memory;
pub mod output;
pub mod predict;
pub mod prediction;
pub mod run;
pub mod schema;
pub mod shared;
mod solver_words;
pub mod train;
