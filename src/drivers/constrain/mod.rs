//! `tessera constrain`: predictions from outside, repaired by the experts.
mod estimates;
mod grid;
mod header;
mod input;
mod results;
mod screen;
mod trajectory;
mod truth;
mod windows;
mod work;

use super::output;
use super::repair::Layers;
use super::shared::RunOptions;
use crate::campaign::{Groups, HandOut, solve_once};
use crate::deck::{ConstraintLevel, Deck, Norm};
use crate::parallel::Comm;
use crate::report::Report;
use crate::simulation::Simulation;
use crate::storage::{Lock, ResultFile, temporary, write_xdmf};
use crate::{Error, Result};
use header::{Header, Place};
use input::Predictions;
use results::Results;
use std::path::{Path, PathBuf};
use work::Work;

/// Where the repaired fields go below the output folder.
const FILE: &str = "constrain.h5";
/// Values that differ more than this across a period, relative to the largest one, are worth a warning.
const SEAM: f64 = 1e-6;

/// How to repair.
#[derive(Debug, Clone, Default)]
pub struct ConstrainOptions {
    /// What every run has.
    pub run: RunOptions,
    /// To what, instead of the deck's `constraint.level`.
    pub level: Option<ConstraintLevel>,
    /// The norm, instead of the deck's `constraint.weight`.
    pub weight: Option<Norm>,
    /// Modes of a model that become functions of the experts.
    pub basis: Option<PathBuf>,
    /// At most so many of them.
    pub modes: Option<usize>,
    /// Whether to solve the full problem as well and report the true errors.
    pub truth: bool,
    /// Whether to find the residual's dual norm, and a bound or an estimate of the error.
    pub estimate: bool,
}

/// Repairs the predictions of a file. Groups of ranks take the samples as in a campaign. Collective.
///
/// # Errors
/// [`Error::Input`] when the file does not fit the deck, [`Error::Failed`] when a prediction cannot be repaired.
pub fn run(comm: &Comm, deck: &Deck, input: &Path, options: &ConstrainOptions) -> Result<()> {
    let report = Report::new(comm, options.run.level);
    let mut deck = deck.clone();
    deck.constraint.level = options.level.unwrap_or(deck.constraint.level);
    deck.constraint.weight = options.weight.or(deck.constraint.weight);
    let (deck, level) = (&deck, deck.constraint.level);
    report.banner(&deck.title);
    let target = deck.output.directory.join(FILE);
    if let (Ok(one), Ok(other)) = (input.canonicalize(), target.canonicalize())
        && one == other
    {
        return Err(Error::input(
            input.display().to_string(),
            "the repaired fields would replace it; name another --output",
        ));
    }
    output::expect_writable(comm, deck, &target)?;
    let header = Header::read(comm, deck, input)?;
    let (samples, plural) = (header.samples, if header.samples == 1 { "" } else { "s" });
    report.line(format!("predictions  {}: {samples} sample{plural}", input.display()));

    let probe = |simulation: &mut Simulation, i: usize| solve_once(simulation, &header.context(i % samples));
    let groups = alike(Groups::choose(comm, deck, samples, probe, &report)?);
    let mut simulation = comm.agree(super::shared::set_up(&groups.comm, deck, &report))?;
    let predictions = report
        .phase("predictions", || comm.agree(Predictions::open(&groups.comm, input, &simulation, &header)))?;
    // Each group looks through its share: what is wrong shows before anything takes time.
    report.phase("predictions", || {
        let mut own = (groups.index..samples).step_by(groups.count);
        comm.agree(own.try_for_each(|sample| {
            (0..header.frames()).try_for_each(|frame| predictions.check(&simulation, Place { sample, frame }))
        }))
    })?;
    let weight = |stage: usize| match deck.constraint.weight {
        None if predictions.has_variance(stage) => Some(Norm::Variance),
        given => given,
    };
    let mut layers = report.phase("constraints", || comm.agree(Layers::new(&simulation, level, weight)))?;
    if options.estimate {
        let context = simulation.default_context();
        report.phase("constraints", || comm.agree(layers.set_estimates(&simulation, &context)))?;
    }
    if let Some(path) = &options.basis {
        let modes = options.modes.unwrap_or(usize::MAX);
        let problem = &simulation.stages[0].problem;
        let found = match deck.constraint.windows {
            Some(windows) => layers.read_windows(problem, path, (modes, windows), &header.times),
            None => layers.read_basis(&simulation, path, modes),
        };
        let counts = comm.agree(found)?;
        report.line(format!(
            "basis        {}: {} functions of each expert",
            path.display(),
            counts.join(", ")
        ));
        if !matches!(level, ConstraintLevel::Coupled | ConstraintLevel::Residual) {
            report.warn("--basis has no effect: only the levels \"residual\" and \"coupled\" take functions");
        }
    } else if deck.constraint.windows.is_some() {
        let text = "expected functions in space and time of the experts: name a model with --basis (tessera train with rom.windows)";
        return Err(deck.fault("constraint.windows", text));
    } else if deck.time.is_some() && matches!(level, ConstraintLevel::Coupled | ConstraintLevel::Residual) {
        report.warn("without --basis the experts have their constants alone, on which a step in time is badly approximated");
    }
    let stages = 0..simulation.stages.len();
    let updates = |stage: usize| {
        let own = predictions.has_variance(stage) && layers.norm(stage) == Norm::Variance;
        let rows = level == ConstraintLevel::Boundary && layers.known(stage).next().is_some();
        own && (rows || level == ConstraintLevel::Conservation)
    };
    let updates: Vec<bool> = stages.map(updates).collect();
    if (0..updates.len()).any(|stage| predictions.has_variance(stage) && !updates[stage]) {
        report.warn(
            "variances have no effect: they count at the level \"conservation\", and \"boundary\" with known quantities, in the norm \"variance\"",
        );
    }
    if level == ConstraintLevel::None && options.level.is_none() {
        report.warn("nothing is repaired, only measured: name a level, --level conservation or the deck's constraint.level");
    }

    let results = Results::new(&simulation, updates, [options.truth, options.estimate])?;
    let _lock = Lock::take(comm, &target)?;
    // Room for all samples, made by the first group; from then on no group changes anything but numbers in place.
    let made = match groups.index {
        0 => results.make(&groups.comm, &target, &simulation, &layers, (&header, input, &options.run.petsc)),
        _ => Ok(()),
    };
    comm.agree(made)?;
    let shares = HandOut::new(&groups, samples)?;
    let progress = report.progress("samples", samples);
    let mut work = Work {
        simulation: &mut simulation,
        layers,
        header: &header,
        predictions: &predictions,
        results: &results,
    };
    let repaired = report.phase("samples", || -> Result<()> {
        let file = ResultFile::reopen(&groups.comm, &target)?;
        while let Some(sample) = shares.next(false)? {
            let context = header.context(sample);
            let done = match deck.time.is_some() {
                true => work.trajectory(&file, sample, &context),
                false => work.sample(&file, sample, &context),
            };
            done.map_err(|error| deck.locate(of_sample(sample, error)))?;
            shares.over(false)?;
            if comm.rank() == 0 {
                progress.reach(shares.counts()?.0, "");
            }
        }
        Ok(())
    });
    if repaired.is_err() {
        // The other groups start nothing new.
        let _ = shares.stop();
    }
    let repaired = comm.agree(repaired);
    drop(progress);
    if repaired.is_err() && comm.rank() == 0 {
        let _ = std::fs::remove_file(temporary(&target));
    }
    repaired?;
    shares.end()?;

    if comm.max(predictions.seam()) > SEAM {
        let text = "predictions differ on the two sides of a period, and those of the first nodes were taken: by up to";
        report.warn(format!("{text} {:.1e} of the largest value", comm.max(predictions.seam())));
    }
    let file = ResultFile::reopen(comm, &target)?;
    screen::show(&report, work.simulation, &file, &work.layers)?;
    report.write_log(&file)?;
    file.finish()?;
    let mut written = vec![target.clone()];
    if deck.output.xdmf {
        written.extend(write_xdmf(comm, &target)?);
    }
    report.finish(&written);
    Ok(())
}

/// Groups of equal sizes, so that the experts of all samples are the same. Collective.
fn alike(groups: Groups) -> Groups {
    let size = groups.world.size();
    match (1..=groups.count).rev().find(|count| size.is_multiple_of(*count)) {
        Some(count) if count != groups.count => Groups::new(&groups.world, count),
        _ => groups,
    }
}

/// Says which sample an error is about.
fn of_sample(sample: usize, error: Error) -> Error {
    match error {
        Error::Failed(text) => Error::Failed(format!("sample {sample}: {text}")),
        other => other,
    }
}
