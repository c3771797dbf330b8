//! The command line.
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use tessera::report::Level;

/// Distributed-memory parametric simulation and model reduction.
#[derive(Debug, Parser)]
#[command(
    name = "tessera",
    version,
    arg_required_else_help = true,
    infer_subcommands = true,
    after_help = "Under MPI: mpirun -n 4 tessera run DECK.\n\
        Exit codes: 0 done, 1 failed, 2 bad input, 75 stopped early with a valid checkpoint."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Validate a deck and its mesh; report cells, unknowns and memory; solve nothing
    Check {
        #[command(flatten)]
        common: Common,
        /// Solve on N meshes, each twice as fine as the one before, and print the errors against the
        /// deck's [[exact]] solutions with the observed orders; for box meshes
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=12))]
        convergence: Option<u32>,
    },
    /// Print the JSON schema of decks
    Schema,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What every command that reads a deck takes.
#[derive(Debug, Args)]
pub struct Common {
    /// The input file (TOML)
    pub deck: PathBuf,
    /// Override a key of the deck, such as solver.tolerance=1e-10, parameters.h=250 or physics.heat.degree=2
    #[arg(short, long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    #[command(flatten)]
    pub show: Show,
    /// Folder for the output, instead of the deck's output.directory
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub petsc: PetscOptions,
}

/// How much is printed.
#[derive(Debug, Args)]
pub struct Show {
    /// Print details as well
    #[arg(short, long)]
    pub verbose: bool,
    /// Print warnings and errors only
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// Options for PETSc.
#[derive(Debug, Args)]
pub struct PetscOptions {
    /// Options for PETSc, after "--", such as -- -log_view -heat_ksp_monitor
    #[arg(last = true, allow_hyphen_values = true, value_name = "PETSC OPTIONS")]
    pub options: Vec<String>,
}

impl Show {
    /// The level of the report.
    pub fn level(&self) -> Level {
        match (self.quiet, self.verbose) {
            (true, _) => Level::Quiet,
            (false, true) => Level::Verbose,
            (false, false) => Level::Normal,
        }
    }
}

impl Command {
    /// Options that go to PETSc.
    pub fn petsc_options(&self) -> &[String] {
        match self {
            Self::Check { common, .. } => &common.petsc.options,
            Self::Schema | Self::Completions { .. } => &[],
        }
    }
}
