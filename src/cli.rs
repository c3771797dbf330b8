//! The command line.
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use tessera::campaign::Part;
use tessera::fem::grid::Counts;
use tessera::report::Level;
use tessera::storage::{EXPORTERS, Exporter};

/// Distributed-memory parametric simulation and model reduction.
#[derive(Debug, Parser)]
#[command(
    name = "tessera",
    version,
    arg_required_else_help = true,
    infer_subcommands = true,
    after_help = "Under MPI: mpirun -n 4 tessera run DECK.\n\
        Exit codes: 0 done, 1 failed, 2 bad input, 75 stopped early by a signal and can go on."
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
        /// The file: of a run, a campaign or a model; a deck for `--points`
        file: PathBuf,
        /// For which program
        #[arg(short = 't', long, value_parser = formats(), default_value = EXPORTERS[0].name)]
        format: &'static Exporter,
        /// Only this field; may be given several times
        #[arg(short, long = "field", value_name = "NAME")]
        fields: Vec<String>,
        /// Only this sample of a campaign, step of a run or mode of a model, from 0; otherwise all (xdmf) or the last
        #[arg(short, long, value_name = "N")]
        sample: Option<u64>,
        /// Where to, instead of beside the file
        #[arg(short, long)]
        output: Option<PathBuf>,
        #[command(flatten)]
        grid: GridArgs,
        /// Write the points of a deck instead, in parallel under MPI: the nodes where an outside program is to give
        /// functions, with weights, experts, parameters and times
        #[arg(long, conflicts_with_all = ["format", "sample", "fields", "grid"])]
        points: bool,
    },
    /// Solve the deck's problems and write fields, quantities of interest and log
    Run {
        #[command(flatten)]
        common: Common,
        /// Go on from a checkpoint of a run in time: that file, or "latest" for the newest one that is whole (from the
        /// beginning when there is none)
        #[arg(long, value_name = "latest|FILE")]
        restart: Option<String>,
        #[command(flatten)]
        guard: GuardArgs,
    },
    /// Solve a design of samples into one dataset; goes on where an earlier run stopped
    Campaign {
        #[command(flatten)]
        common: Common,
        /// Only the K-th of N parts of the samples, K from 1, into a dataset of its own (dataset-K-of-N.h5): for jobs
        /// side by side
        #[arg(long, value_name = "K/N")]
        part: Option<Part>,
        #[command(flatten)]
        guard: GuardArgs,
    },
    /// Train a reduced model on datasets; of problems in time and of nonlinear ones, bases
    Train {
        #[command(flatten)]
        common: Common,
        /// Datasets to train on, instead of the deck's campaign's or those of all its parts
        #[arg(long, value_name = "FILE", num_args = 1..)]
        dataset: Vec<PathBuf>,
    },
    /// Train the network of the deck's [experts.network] by the equations alone; goes on where an earlier run stopped
    Learn {
        #[command(flatten)]
        common: Common,
    },
    /// Predict fields and quantities of interest with a reduced model, with error estimates
    Predict(Predict),
    /// Repair predictions from outside, such as a network's, by the experts: to boundary values, balances or the equations
    Constrain(Constrain),
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

/// Guarded steps in time.
#[derive(Debug, Args)]
pub struct GuardArgs {
    /// Solve each step in time on the solutions so far first, check its residual on the whole mesh, and solve in full only
    /// where its dual norm is above TOL times the largest solution (energy norm): the error is about as large
    #[arg(long, value_name = "TOL")]
    pub accept: Option<f64>,
    /// Begin with the modes of a model.h5 that `train` made
    #[arg(long, value_name = "MODEL", requires = "accept")]
    pub rom: Option<PathBuf>,
}

/// Export on a regular grid.
#[derive(Debug, Args)]
pub struct GridArgs {
    /// Sample the fields of a run or a campaign, and what they came from, on a regular grid over the box around the mesh,
    /// in parallel under MPI: an HDF5 file for learning. So many points along each direction
    #[arg(long, value_name = "64x64", conflicts_with_all = ["format", "sample"])]
    pub grid: Option<Counts>,
    /// Points in the middles of that many equal cells, instead of from side to side
    #[arg(long, requires = "grid")]
    pub centres: bool,
    /// Value at points outside the mesh, and of samples that are not done
    #[arg(long, value_name = "NUMBER", default_value_t = f64::NAN, allow_negative_numbers = true, requires = "grid")]
    pub fill: f64,
    /// Numbers of single precision
    #[arg(long, requires = "grid")]
    pub single: bool,
}

/// What `predict` takes.
#[derive(Debug, Args)]
pub struct Predict {
    /// The reduced model (HDF5)
    pub model: PathBuf,
    /// Value of a parameter; the deck's default for those left out
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub parameter: Vec<String>,
    /// Predict for every row of a CSV file whose first line names parameters
    #[arg(long, value_name = "CSV", conflicts_with_all = ["parameter", "samples"])]
    pub table: Option<PathBuf>,
    /// Predict for N independent draws of the parameters' distributions, with means and quantiles of the quantities of
    /// interest and brackets around them
    #[arg(long, value_name = "N", conflicts_with = "parameter")]
    pub samples: Option<usize>,
    /// Seed of the draws
    #[arg(long, default_value_t = 0, requires = "samples")]
    pub seed: u64,
    /// Levels of the quantiles, between 0 and 1; 0.05,0.5,0.95 if left out
    #[arg(long, value_name = "P,P,...", value_delimiter = ',', requires = "samples")]
    pub quantiles: Vec<f64>,
    /// Find which parameters the variance comes from (Sobol indices): N more predictions for each parameter, and N more
    #[arg(long, requires = "samples")]
    pub sobol: bool,
    /// Solve the full model at the first K samples as well, and correct the means by what the reduced model misses there
    #[arg(long, value_name = "K", default_value_t = 0, requires = "samples", hide_default_value = true)]
    pub full_solves: usize,
    /// The same with the full solves of a dataset of random samples; those that the model was trained on are left out
    #[arg(long, value_name = "DATASET.h5", requires = "samples", conflicts_with = "full_solves")]
    pub dataset: Option<PathBuf>,
    /// Write the fields of all these predictions, too; one prediction always comes with its fields
    #[arg(long)]
    pub fields: bool,
    /// Use at most N modes for each physics
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub modes: Option<u32>,
    /// Solve the full model as well and report the true errors
    #[arg(long)]
    pub truth: bool,
    /// Where the indicator of a prediction is above TOL, run the full model instead, its steps accepted to TOL (reduced models of
    /// problems in time and of nonlinear ones)
    #[arg(long, value_name = "TOL", conflicts_with_all = ["truth", "verify", "sobol", "dataset", "full_solves"])]
    pub accept: Option<f64>,
    /// Predict until TIME (s) instead of the deck's time.end, without bounds, which hold for the trained time alone (reduced models
    /// of problems in time)
    #[arg(long, value_name = "TIME")]
    pub end: Option<f64>,
    /// Find the residuals of predictions in time on the whole mesh: proven bounds of the error where there are any, indicators
    /// elsewhere
    #[arg(long, value_name = "HOW", value_parser = PossibleValuesParser::new(["residual"]))]
    pub verify: Option<String>,
    /// Repair the predictions by the experts, instead of the deck's constraint.level
    #[arg(long, value_name = "LEVEL", value_parser = PossibleValuesParser::new(LEVELS))]
    pub constraint: Option<String>,
    /// The norm in which the repaired field is nearest, instead of the deck's constraint.weight
    #[arg(long, value_name = "NORM", value_parser = PossibleValuesParser::new(&NORMS[..3]))]
    pub weight: Option<String>,
    #[command(flatten)]
    pub show: Show,
    /// Folder for the output, instead of the deck's output.directory
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub petsc: PetscOptions,
}

/// What `constrain` takes.
#[derive(Debug, Args)]
pub struct Constrain {
    /// The input file (TOML)
    pub deck: PathBuf,
    /// The predictions (HDF5): /fields/<field> [sample, node(, component)], at the nodes of the deck's mesh or on /grid;
    /// /parameters/<name> [sample] and /variance/<field> where there are any
    pub file: PathBuf,
    /// What the repaired fields satisfy, instead of the deck's constraint.level
    #[arg(long, value_name = "LEVEL", value_parser = PossibleValuesParser::new(LEVELS))]
    pub level: Option<String>,
    /// The norm in which the repaired field is nearest, instead of the deck's constraint.weight
    #[arg(long, value_name = "NORM", value_parser = PossibleValuesParser::new(NORMS))]
    pub weight: Option<String>,
    /// Functions of the experts for the levels "residual" and "coupled": the modes of a model.h5 that `train` made
    #[arg(long, value_name = "MODEL.h5")]
    pub basis: Option<PathBuf>,
    /// At most so many of them
    #[arg(long, value_name = "N", requires = "basis", value_parser = clap::value_parser!(u32).range(1..))]
    pub modes: Option<u32>,
    /// Solve the full problem as well and report the true errors
    #[arg(long)]
    pub truth: bool,
    /// Find the residual's dual norm, and without a full solution a bound of the error (linear symmetric problems) or an
    /// estimate; costs a factorisation
    #[arg(long)]
    pub estimate: bool,
    /// Override a key of the deck, such as partition.experts=64
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

/// Levels of constraint in words.
const LEVELS: [&str; 6] = ["none", "boundary", "conservation", "residual", "coupled", "exact"];
/// Norms in words.
const NORMS: [&str; 4] = ["energy", "mass", "euclidean", "variance"];

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

/// The formats of `export`, from their table.
fn formats() -> impl TypedValueParser<Value = &'static Exporter> {
    let words = EXPORTERS.iter().map(|exporter| PossibleValue::new(exporter.name).help(exporter.about));
    let named = |name: String| EXPORTERS.iter().find(|exporter| exporter.name == name).copied();
    PossibleValuesParser::new(words).map(move |name| named(name).unwrap_or(EXPORTERS[0]))
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
            Self::Check { common, .. }
            | Self::Run { common, .. }
            | Self::Campaign { common, .. }
            | Self::Learn { common }
            | Self::Train { common, .. } => &common.petsc.options,
            Self::Predict(predict) => &predict.petsc.options,
            Self::Constrain(constrain) => &constrain.petsc.options,
            Self::Schema { .. } | Self::Completions { .. } | Self::Info { .. } | Self::Export { .. } => &[],
        }
    }
}
