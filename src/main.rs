//! The `tessera` command: parses the command line, starts MPI and PETSc, calls a driver, reports.
mod cli;

use clap::{CommandFactory, Parser};
use cli::{Cli, Command, Common, Constrain, GuardArgs, Predict};
use mpi::traits::Communicator;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tessera::checkpoint::{Restart, Signals};
use tessera::deck::{ConstraintLevel, Deck, Norm};
use tessera::drivers::check::CheckOptions;
use tessera::drivers::constrain::ConstrainOptions;
use tessera::drivers::export::ExportOptions;
use tessera::drivers::export_points::PointsOptions;
use tessera::drivers::grid::GridOptions;
use tessera::drivers::predict::{Points, PredictOptions};
use tessera::drivers::shared::RunOptions;
use tessera::drivers::uncertainty::UncertaintyOptions;
use tessera::fem::grid::Placement;
use tessera::parallel::{self, Comm};
use tessera::report::Level;
use tessera::reuse::GuardOptions;
use tessera::{Error, Result, drivers};

fn main() -> ExitCode {
    // So a file above the user's limit is an error like that of a full disk.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    let command = match Cli::try_parse() {
        // Help and version need no MPI.
        Err(message) if !message.use_stderr() => return alone(|| message.print().map_err(from_io)),
        Ok(Cli { command: Command::Schema { markdown } }) => return alone(|| drivers::schema::run(markdown)),
        Ok(Cli { command: Command::Completions { shell } }) => {
            return alone(|| {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "tessera", &mut script);
                // A reader such as `head` may go away.
                let _ = std::io::stdout().write_all(&script);
                Ok(())
            });
        }
        Ok(Cli { command: Command::Info { file, verbose } }) => {
            return alone(|| drivers::info::run(&file, verbose));
        }
        Ok(Cli {
            command: Command::Export { file, format, fields, sample, output, grid, points: false },
        }) if grid.grid.is_none() => {
            let options = ExportOptions { format, fields, sample, output };
            return alone(|| drivers::export::run(&file, &options));
        }
        other => other,
    };
    // Before MPI starts, which takes a moment: a signal in it must not end the job without a word.
    let signals = match &command {
        Ok(Cli { command: Command::Run { .. } | Command::Campaign { .. } | Command::Learn { .. } }) => {
            Signals::watch()
        }
        _ => Ok(Signals::default()),
    };
    let Some(universe) = parallel::initialize() else {
        eprintln!("error: MPI cannot be started");
        return ExitCode::FAILURE;
    };
    let comm = Comm::new(universe.world().duplicate());
    parallel::abort_all_on_panic(&comm);
    parallel::set_threads(&comm);
    let code = match command {
        Ok(Cli { command }) => {
            let work = |comm: &Comm| dispatch(comm, &command, comm.agree(signals)?);
            parallel::print(&comm, parallel::with_petsc(&comm, command.petsc_options(), work))
        }
        Err(message) => {
            if comm.rank() == 0 {
                let _ = message.print();
            }
            2
        }
    };
    // mpirun ends the other ranks at the first code that is not 0: nobody may leave before rank 0 has printed.
    comm.barrier();
    if tessera::storage::broken() {
        let _ = std::io::stdout().flush();
        signal_hook::low_level::exit(code.into());
    }
    drop(comm);
    drop(universe);
    ExitCode::from(code)
}

fn dispatch(comm: &Comm, command: &Command, signals: Signals) -> Result<()> {
    match command {
        Command::Check { common, convergence } => {
            let options = CheckOptions { level: common.show.level(), convergence: *convergence };
            drivers::check::run(comm, &deck_of(comm, common)?, &options)
        }
        Command::Run { common, restart, guard } => {
            let restart = restart.as_deref().map(Restart::from);
            let options = RunOptions { restart, signals, guard: guard_options(guard), ..run_options(common) };
            drivers::run::run(comm, &deck_of(comm, common)?, &options)
        }
        Command::Campaign { common, part, guard } => {
            let options =
                RunOptions { part: *part, signals, guard: guard_options(guard), ..run_options(common) };
            drivers::campaign::run(comm, &deck_of(comm, common)?, &options)
        }
        Command::Learn { common } => {
            let options = RunOptions { signals, ..run_options(common) };
            drivers::learn::run(comm, &deck_of(comm, common)?, &options)
        }
        Command::Train { common, dataset } => {
            drivers::train::run(comm, &deck_of(comm, common)?, dataset, &run_options(common))
        }
        Command::Constrain(constrain) => {
            let deck = deck(comm, &constrain.deck, &constrain.set, &constrain.output)?;
            drivers::constrain::run(comm, &deck, &constrain.file, &constrain_options(constrain))
        }
        Command::Predict(predict) => drivers::predict::run(comm, &predict.model, &predict_options(predict)),
        Command::Export { file, output, points: true, .. } => {
            let options = PointsOptions { output: output.clone(), level: Level::Normal };
            drivers::export_points::run(comm, &Deck::load(comm, file, &[])?, file, &options)
        }
        Command::Export { file, fields, output, grid, .. } => match &grid.grid {
            Some(counts) => {
                let placement = if grid.centres { Placement::Centres } else { Placement::Ends };
                let (counts, fields, output) = (counts.clone(), fields.clone(), output.clone());
                let level = Level::Normal;
                let (fill, single) = (grid.fill, grid.single);
                let options = GridOptions { counts, placement, fields, fill, single, output, level };
                drivers::grid::run(comm, file, &options)
            }
            None => Ok(()),
        },
        // Done before MPI started.
        _ => Ok(()),
    }
}

fn run_options(common: &Common) -> RunOptions {
    RunOptions { level: common.show.level(), petsc: common.petsc.options.clone(), ..RunOptions::default() }
}

fn guard_options(guard: &GuardArgs) -> Option<GuardOptions> {
    Some(GuardOptions { accept: guard.accept?, model: guard.rom.clone() })
}

fn predict_options(predict: &Predict) -> PredictOptions {
    PredictOptions {
        run: RunOptions {
            level: predict.show.level(),
            petsc: predict.petsc.options.clone(),
            ..RunOptions::default()
        },
        points: match (&predict.table, predict.samples) {
            (Some(path), _) => Points::Table(path.clone()),
            (None, Some(samples)) => Points::Random { samples, seed: predict.seed },
            (None, None) => Points::One(predict.parameter.clone()),
        },
        fields: predict.fields,
        modes: predict.modes.map(|n| n as usize),
        truth: predict.truth,
        accept: predict.accept,
        end: predict.end,
        verify: predict.verify.is_some(),
        constraint: predict.constraint.as_deref().map(level),
        weight: predict.weight.as_deref().map(norm),
        uncertainty: UncertaintyOptions {
            quantiles: predict.quantiles.clone(),
            sobol: predict.sobol,
            full_solves: predict.full_solves,
            dataset: predict.dataset.clone(),
        },
        output: predict.output.clone(),
    }
}

fn constrain_options(constrain: &Constrain) -> ConstrainOptions {
    ConstrainOptions {
        run: RunOptions {
            level: constrain.show.level(),
            petsc: constrain.petsc.options.clone(),
            ..RunOptions::default()
        },
        level: constrain.level.as_deref().map(level),
        weight: constrain.weight.as_deref().map(norm),
        basis: constrain.basis.clone(),
        modes: constrain.modes.map(|n| n as usize),
        truth: constrain.truth,
        estimate: constrain.estimate,
    }
}

fn level(word: &str) -> ConstraintLevel {
    match word {
        "boundary" => ConstraintLevel::Boundary,
        "conservation" => ConstraintLevel::Conservation,
        "residual" => ConstraintLevel::Residual,
        "coupled" => ConstraintLevel::Coupled,
        "exact" => ConstraintLevel::Exact,
        _ => ConstraintLevel::None,
    }
}

fn norm(word: &str) -> Norm {
    match word {
        "mass" => Norm::Mass,
        "euclidean" => Norm::Euclidean,
        "variance" => Norm::Variance,
        _ => Norm::Energy,
    }
}

/// The deck with the command line's overrides. Collective.
fn deck(comm: &Comm, path: &Path, set: &[String], output: &Option<PathBuf>) -> Result<Deck> {
    let mut deck = Deck::load(comm, path, set)?;
    if let Some(folder) = output {
        deck.output.directory = folder.clone();
    }
    Ok(deck)
}

fn deck_of(comm: &Comm, common: &Common) -> Result<Deck> {
    deck(comm, &common.deck, &common.set, &common.output)
}

/// Runs something that needs no MPI: on the first process only, should there be several.
fn alone(work: impl FnOnce() -> Result<()>) -> ExitCode {
    let rank = ["OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    if rank.is_some_and(|rank| rank != "0") {
        return ExitCode::SUCCESS;
    }
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code() as u8)
        }
    }
}

fn from_io(error: std::io::Error) -> Error {
    Error::Failed(error.to_string())
}
