//! `tessera campaign`: a design of samples, solved one after the other into one dataset.
use super::{output, run::RunOptions};
use crate::campaign::{Campaign, Selection, campaign_samples};
use crate::deck::{Deck, Design, Order};
use crate::parallel::Comm;
use crate::report::{Report, Table};
use crate::storage::Status;
use crate::{Error, Result};
use std::time::Instant;

/// Runs or resumes the campaign of a deck, or a part of it. A signal to any rank ends it after the present sample.
/// Collective.
///
/// # Errors
/// When the deck is wrong, the dataset is another campaign's, or no sample could be solved; [`Error::Stopped`] after a
/// signal.
pub fn run(comm: &Comm, deck: &Deck, options: &RunOptions) -> Result<()> {
    let report = Report::new(comm, options.level);
    report.banner(&deck.title);
    if deck.campaign.design == Design::Adaptive {
        return super::adaptive::run(comm, deck, options, &report);
    }
    let all = campaign_samples(comm, deck)?;
    let selection = Selection::new(deck, &all, options.part)?;
    let samples = &selection.samples;
    if let Some(part) = options.part {
        report.line(format!("part {part} of the campaign: {} of {} samples", samples.len(), all.len()));
    }
    let mut simulation = super::run::set_up(comm, deck, &report)?;
    // A quantity that cannot be computed would fail every sample: better now than after the first solve.
    let mut context = simulation.default_context();
    if let Some(time) = &deck.time {
        context.time = time.start;
        simulation.reset(&context)?;
    }
    simulation.quantities(&context)?;
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
    let start = Instant::now();
    let order = report.phase("ordering", || campaign.ordered())?;
    if deck.campaign.order == Order::Nearest {
        let seconds = start.elapsed().as_secs_f64();
        report.detail(format!("{pending} samples ordered from neighbour to neighbour in {seconds:.2} s"));
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
        campaign.run(&order, |sample| {
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
    campaign.close()?;
    report.line(format!("{done} samples done, {} failed", status.len() - done));
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
