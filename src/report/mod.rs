//! What a run shows: banner, lines, progress, warnings, and at the end where time and memory went.
//!
//! Only rank 0 prints. Lines go to the standard output, warnings to the standard error; a terminal gets
//! moving bars, anything else plain ASCII lines.
//!
//! ```no_run
//! # fn run(comm: &tessera::parallel::Comm) -> tessera::Result<()> {
//! use tessera::report::{Level, Report};
//! let report = Report::new(comm, Level::Normal);
//! report.banner("Blade under load");
//! let mesh = report.phase("mesh", || "built");
//! report.phase("solve", || report.phase("assembly", || report.line("assembled")));
//! report.warn("a marker of the mesh is not used");
//! report.finish(&[]);
//! # Ok(()) }
//! ```
mod banner;
mod phases;
mod progress;
mod reporter;
mod table;

pub use phases::Phase;
pub use progress::Progress;
pub use reporter::{Level, Report};
pub use table::Table;
