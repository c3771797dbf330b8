//! The command line.
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use tessera::drivers::export;
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
    /// Show what is in an HDF5 file of Tessera: origin, mesh, fields with ranges, samples, modes
    Info {
        /// The file
        file: PathBuf,
        /// Show the deck as well
        #[arg(short, long)]
        verbose: bool,
    },
    /// Write a file's fields for other programs
    Export {
        /// The file: of a run, a campaign or a reduced model
        file: PathBuf,
        /// For which program
        #[arg(short = 't', long, value_enum, default_value_t)]
        format: Format,
        /// Only this field; may be given several times
        #[arg(short, long = "field", value_name = "NAME")]
        fields: Vec<String>,
        /// Only this sample of a campaign, step of a run or mode of a model, from 0; otherwise all (xdmf) or the last
        #[arg(short, long, value_name = "N")]
        sample: Option<u64>,
        /// Where to, instead of beside the file
        #[arg(short, long)]
        output: Option<PathBuf>,
    },
    /// Solve the deck's problems and write fields, quantities of interest and log
    Run {
        #[command(flatten)]
        common: Common,
    },
    /// Print the JSON schema of decks
    Schema {
        /// The reference of decks in Markdown instead
        #[arg(long)]
        markdown: bool,
    },
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

/// What `export` writes.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum Format {
    /// XDMF for ParaView: all steps or samples; points into the HDF5 file
    #[default]
    Xdmf,
    /// Comma-separated values: points, cells, quantities of interest
    Csv,
    /// One step as a VTK file of its own
    Vtu,
}

impl From<Format> for export::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Xdmf => Self::Xdmf,
            Format::Csv => Self::Csv,
            Format::Vtu => Self::Vtu,
        }
    }
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
            Self::Check { common, .. } | Self::Run { common } => &common.petsc.options,
            _ => &[],
        }
    }
}
