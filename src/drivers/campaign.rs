//! `tessera campaign`: a design of samples, solved one after the other into one dataset.
use super::{output, run::RunOptions};
use crate::campaign::guess::Effort;
use crate::campaign::{Campaign, Selection, campaign_samples};
use crate::deck::Deck;
use crate::parallel::Comm;
use crate::report::{Report, Table};
use crate::storage::Status;
use crate::{Error, Result};

/// Runs or resumes the campaign of a deck, or a part of it. A signal to any rank ends it after the present sample.
/// Collective.
///
/// # Errors
/// When the deck is wrong, the dataset is another campaign's, or no sample could be solved; [`Error::Stopped`] after a
/// signal.
pub fn run(comm: &Comm, deck: &Deck, options: &RunOptions) -> Result<()> {
    let report = Report::new(comm, options.level);
    report.banner(&deck.title);
    let all = campaign_samples(comm, deck)?;
    let selection = Selection::new(deck, &all, options.part)?;
    let samples = &selection.samples;
    if let Some(part) = options.part {
        report.line(format!("part {part} of the campaign: {} of {} samples", samples.len(), all.len()));
    }
    let mut simulation = super::run::set_up(comm, deck, &report)?;
    // A quantity that cannot be computed would fail every sample: better now than after the first solve.
    simulation.quantities(&simulation.default_context())?;
    let whole = deck.output.directory.join(&deck.campaign.file);
    let path = options.part.map_or(whole.clone(), |part| part.dataset(&whole));
    let provenance = output::provenance(&simulation, &options.petsc);
    let mut campaign =
        report.phase("dataset", || Campaign::open(&mut simulation, &path, &provenance, &selection))?;
    let pending = campaign.pending()?.len();
    if pending < samples.len() {
        report.line(format!(
            "{}: {} of {} samples are there already",
            path.display(),
            samples.len() - pending,
            samples.len()
        ));
    }
    let progress = report.progress("samples", samples.len());
    progress.skip(samples.len() - pending);
    let mut failures = campaign.dataset().file().texts("/status", "failures")?;
    // All ranks stop at the same sample.
    let signalled = || comm.max(u8::from(options.signals.arrived())) == 1;
    report.phase("samples", || {
        if signalled() {
            return Ok(());
        }
        campaign.run(|sample| {
            progress.advance(&format!("{} iterations", sample.iterations));
            if let Some(reason) = &sample.failure {
                let first = reason.lines().next().unwrap_or_default();
                failures.push(format!("sample {}: {first}", sample.sample));
                report.warn(format!("sample {} failed and is left out: {reason}", sample.sample));
            }
            !signalled()
        })
    })?;
    drop(progress);
    let dataset = campaign.dataset();
    if !failures.is_empty() {
        dataset.file().set("/status", "failures", failures.clone())?;
    }
    let status = dataset.status()?;
    let pending = campaign.pending()?.len();
    if pending > 0 {
        campaign.close()?;
        return Err(Error::Stopped(format!(
            "{}: {} of {} samples are solved; the same command goes on with the others",
            path.display(),
            samples.len() - pending,
            samples.len()
        )));
    }
    let mut table = Table::new(&["quantity", "least", "mean", "largest", "unit"]);
    for quantity in &deck.quantity {
        let values: Vec<f64> = dataset
            .quantity(&quantity.name)?
            .into_iter()
            .zip(&status)
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
    let done = status.iter().filter(|&&s| s == Status::Done).count();
    let efforts = campaign.efforts();
    campaign.close()?;
    report.line(format!("{done} samples done, {} failed", status.len() - done));
    show_efforts(comm, &report, &efforts);
    if !table.is_empty() && done > 0 {
        report.table(&table);
    }
    report.finish(&[path]);
    if done == 0 {
        let first = failures.first().map_or(String::new(), |text| format!(": {text}"));
        return Err(Error::Failed(format!("no sample could be solved{first}")));
    }
    Ok(())
}

/// What each problem has cost in this job: counts, and the slowest rank's seconds. Collective.
fn show_efforts(comm: &Comm, report: &Report, efforts: &[Effort]) {
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
    for effort in efforts.iter().filter(|effort| effort.accepted + effort.solved > 0) {
        let operator = match &effort.operator {
            Some(Ok(terms)) => format!("{terms} affine terms"),
            _ => "assembled".into(),
        };
        let counts = [effort.accepted, effort.solved, effort.iterations, effort.setups, effort.basis];
        let seconds = [
            effort.guess_seconds,
            effort.assembly_seconds,
            effort.setup_seconds,
            effort.solve_seconds,
            effort.learning_seconds,
        ];
        let row = [effort.name.clone()]
            .into_iter()
            .chain(counts.map(|count| count.to_string()))
            .chain([operator])
            .chain(seconds.map(|seconds| format!("{:.2}", comm.max(seconds))));
        table.row(&row.collect::<Vec<_>>());
    }
    if !table.is_empty() {
        report.table(&table);
    }
}
