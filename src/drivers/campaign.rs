//! `tessera campaign`: a design of samples, solved by groups of ranks into one dataset.
use super::output;
use super::shared::RunOptions;
use crate::campaign::{
    Campaign, Failures, Groups, HandOut, SampleObserver, SampleReport, Selection, Work, campaign_samples,
    failure, solve_once,
};
use crate::checkpoint::Requests;
use crate::deck::{Deck, Design, Order};
use crate::parallel::Comm;
use crate::report::{Progress, Report, Table};
use crate::reuse::Effort;
use crate::simulation::Simulation;
use crate::storage::{DatasetFile, Lock, Provenance, Status};
use crate::{Error, Result};
use std::path::Path;
use std::time::Instant;

/// So many failed samples are named in warnings; the dataset names all.
const WARNED: usize = 20;

/// Runs or resumes the campaign of a deck, or a part of it. A signal to any rank or a
/// file `stop` in the folder of the output ends it after the present samples.
/// Collective.
///
/// # Errors
/// When the deck is wrong, the dataset is another campaign's, or no sample could be solved; [`Error::Stopped`] after a
/// signal. An error of one group alone is returned on its ranks only, which must end the others.
pub fn run(comm: &Comm, deck: &Deck, options: &RunOptions) -> Result<()> {
    let report = Report::new(comm, options.level);
    report.banner(&deck.title);
    if let Some(guard) = &options.guard {
        guard.check(deck)?;
        guard.doubts(deck).into_iter().for_each(|doubt| report.warn(doubt));
    }
    let whole = deck.output.directory.join(&deck.campaign.file);
    let path = options.part.map_or(whole.clone(), |part| part.dataset(&whole));
    output::expect_writable(comm, deck, &path)?;
    // Until the end: two jobs would write the same samples.
    let _lock = Lock::take(comm, &path)?;
    let mut requests = Requests::new(comm, deck, options.signals.clone());
    if deck.campaign.design == Design::Adaptive {
        return super::adaptive::run(comm, deck, options, requests, &report);
    }
    let all = campaign_samples(comm, deck)?;
    let selection = Selection::new(deck, &all, options.part)?;
    let samples = &selection.samples;
    if let Some(part) = options.part {
        report.line(format!("part {part} of the campaign: {} of {} samples", samples.len(), all.len()));
    }
    let pending = pending(comm, &path, samples.len())?;
    let start_time = deck.time.as_ref().map_or(0.0, |time| time.start);
    let at = |sample: usize| selection.context(start_time, sample);
    let probe =
        |simulation: &mut Simulation, i: usize| solve_once(simulation, &at(pending[i % pending.len()]));
    let groups = Groups::choose(comm, deck, pending.len(), probe, &report)?;
    let mut simulation = comm.agree(super::shared::set_up(&groups.comm, deck, &report))?;
    // A quantity that cannot be computed would fail every sample: better now than after the first solve.
    let context = at(0);
    if deck.time.is_some() {
        comm.agree(simulation.reset(&context))?;
    }
    comm.agree(simulation.quantities(&context))?;
    for stage in &mut simulation.stages {
        // What fails is said of each sample.
        if let Ok(Some(what)) = stage.free_motions(&context) {
            let name = &stage.problem.name;
            report.warn(format!(
                "{name}: {what}; where no load pushes it that way its mean motion is set to zero"
            ));
        }
    }
    let provenance = output::provenance(&simulation, &options.petsc);
    let mut campaign = report
        .phase("dataset", || open(&groups, &mut simulation, &path, &provenance, &selection, options))?;
    let start = Instant::now();
    // The first group's: sums over other ranks have other last bits.
    let order = report.phase("ordering", || campaign.ordered())?;
    let order = comm.all_gather_varied(if comm.rank() == 0 { &order[..] } else { &[] });
    if deck.campaign.order == Order::Nearest {
        let (count, seconds) = (order.len(), start.elapsed().as_secs_f64());
        report.detail(format!("{count} samples ordered from neighbour to neighbour in {seconds:.2} s"));
    }
    let earlier = samples.len() - order.len();
    if earlier > 0 {
        report.line(format!("{}: {earlier} of {} samples are there already", path.display(), samples.len()));
    }
    let progress = report.progress("samples", samples.len());
    progress.skip(earlier);
    // From here on the groups go their own ways.
    let hand_out = HandOut::new(&groups, order.len())?;
    let mut work = Work::start();
    let mut shown = 0;
    let mut tuned = Vec::new();
    let worked = report.phase("samples", || -> Result<Vec<Effort>> {
        campaign.recall()?;
        if groups.count > 1 {
            campaign.share();
        }
        let mut failures = Failures { report: &report, warns: groups.index == 0 };
        let mut reached = Reached { comm, hand_out: &hand_out, progress: &progress, shown: &mut shown };
        let observers: &mut [&mut dyn SampleObserver] = &mut [&mut reached, &mut failures, &mut work];
        campaign.go(&order, &hand_out, || requests.stop(), observers)?;
        let efforts = campaign.efforts();
        tuned = campaign.simulation().tuning_report();
        campaign.close()?;
        Ok(efforts)
    });
    let efforts = match worked {
        Ok(efforts) => efforts,
        Err(error) => {
            // Its ranks end the others, which at least start nothing new.
            let _ = hand_out.stop();
            return Err(error);
        }
    };
    let done = report.phase("waiting for others", || work.meet(&groups));
    let (over, _) = hand_out.counts()?;
    hand_out.end()?;
    if comm.rank() == 0 && over > shown {
        progress.reach(over, "");
    }
    drop(progress);

    let dataset = DatasetFile::open(comm, &path, false)?;
    let status = dataset.status()?;
    let pending = status.iter().filter(|&&s| s == Status::Pending).count();
    if pending > 0 {
        dataset.close()?;
        return Err(Error::Stopped(format!(
            "{}: {} of {} samples are solved; the same command goes on with the others",
            path.display(),
            samples.len() - pending,
            samples.len()
        )));
    }
    let table = quantities(deck, &dataset, &status)?;
    let failed: Vec<usize> = (0..status.len()).filter(|&i| status[i] == Status::Failed).collect();
    for &sample in failed.iter().take(WARNED) {
        report.warn(failure(selection.numbers[sample], &dataset.failure(sample)?));
    }
    let first = failed.first().map_or(Ok(String::new()), |&sample| dataset.failure(sample))?;
    let solved = status.iter().filter(|&&s| s == Status::Done).count();
    dataset.close()?;
    done.print(&report);
    show_efforts(&groups, &report, &efforts);
    tuned.iter().for_each(|line: &String| report.line(line));
    report.line(format!("{solved} samples done, {} failed", status.len() - solved));
    if !table.is_empty() && solved > 0 {
        report.table(&table);
    }
    report.finish(&[path]);
    if solved == 0 {
        return Err(Error::Failed(format!("no sample could be solved: {first}")));
    }
    Ok(())
}

/// Shows how far all groups are.
struct Reached<'a> {
    comm: &'a Comm,
    hand_out: &'a HandOut,
    progress: &'a Progress<'a>,
    /// Samples that were shown.
    shown: &'a mut usize,
}

impl SampleObserver for Reached<'_> {
    fn after_sample(&mut self, sample: &SampleReport) -> Result<()> {
        if self.comm.rank() == 0 {
            let (over, failed) = self.hand_out.counts()?;
            let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
            let note = if sample.note.is_empty() { String::new() } else { format!(", {}", sample.note) };
            self.progress.reach(over, &format!("{} iterations{note}{failed}", sample.iterations));
            *self.shown = over;
        }
        Ok(())
    }
}

/// The samples that are left to do. Collective.
fn pending(comm: &Comm, path: &Path, samples: usize) -> Result<Vec<usize>> {
    if comm.max(u8::from(comm.rank() == 0 && path.exists())) == 0 {
        return Ok((0..samples).collect());
    }
    let dataset = DatasetFile::open(comm, path, false)?;
    let status = dataset.status()?;
    dataset.close()?;
    // A design that goes on has more samples than its dataset.
    Ok((0..samples).filter(|&i| status.get(i).is_none_or(|&status| status == Status::Pending)).collect())
}

/// Opens the dataset in every group, after the first has made it if need be. Collective.
///
/// HDF5 knows nothing of other openers, so from then on no group changes anything but numbers that are in place: its own
/// rows.
fn open<'a>(
    groups: &Groups,
    simulation: &'a mut Simulation,
    path: &Path,
    provenance: &Provenance,
    selection: &Selection,
    options: &RunOptions,
) -> Result<Campaign<'a>> {
    let first = groups.index == 0;
    if !first {
        groups.world.agree(Ok(()))?;
    }
    let campaign = groups.world.agree(Campaign::open_guarded(
        simulation,
        path,
        provenance,
        selection,
        options.guard.as_ref(),
    ))?;
    if first {
        groups.world.agree(Ok(()))?;
    }
    Ok(campaign)
}

/// Least, mean and largest of the quantities of interest.
fn quantities(deck: &Deck, dataset: &DatasetFile, status: &[Status]) -> Result<Table> {
    let mut table = Table::new(&["quantity", "least", "mean", "largest", "unit"]);
    for quantity in &deck.quantity {
        let values: Vec<f64> = dataset
            .quantity(&quantity.name)?
            .into_iter()
            .zip(status)
            .filter_map(|(value, status)| (*status == Status::Done).then_some(value))
            .collect();
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let unit = dataset.file().text(&format!("/qoi/{}", quantity.name), "unit")?;
        table.row(&[
            quantity.name.clone(),
            format!("{least:.5e}"),
            format!("{mean:.5e}"),
            format!("{largest:.5e}"),
            unit,
        ]);
    }
    Ok(table)
}

/// What each problem has cost in this job: counts over all groups, and the slowest rank's seconds. Collective.
fn show_efforts(groups: &Groups, report: &Report, efforts: &[Effort]) {
    let mut table = Table::new(&[
        "problem",
        "guesses accepted",
        "solved",
        "iterations",
        "set-ups",
        "basis",
        "operator",
        "guess s",
        "assembly s",
        "set-up s",
        "solve s",
        "learning s",
    ]);
    let world = &groups.world;
    for effort in efforts {
        let operator = match &effort.operator {
            Some(Ok(terms)) => format!("{terms} affine terms"),
            _ => "assembled".into(),
        };
        let sum = |count: usize| world.sum(if groups.comm.rank() == 0 { count as u64 } else { 0 });
        let counts = [effort.accepted, effort.solved, effort.iterations, effort.setups].map(sum);
        let seconds = [
            effort.guess_seconds,
            effort.assembly_seconds,
            effort.setup_seconds,
            effort.solve_seconds,
            effort.learning_seconds,
        ]
        .map(|seconds| world.max(seconds));
        let row = [effort.name.clone()]
            .into_iter()
            .chain(counts.map(|count| count.to_string()))
            .chain([world.max(effort.basis as u64).to_string(), operator])
            .chain(seconds.map(|seconds| format!("{seconds:.2}")));
        if counts[0] + counts[1] > 0 {
            table.row(&row.collect::<Vec<_>>());
        }
    }
    if !table.is_empty() {
        report.table(&table);
    }
}
