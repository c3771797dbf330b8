//! `tessera campaign` with an adaptive design: samples where the reduced model errs most, and that model at the end.
use super::shared::RunOptions;
use super::{bases, output, sampled, train};
use crate::campaign::{
    Adaptive, Attempts, Failures, Leader, Retrained, SampleObserver, Selection, campaign_samples,
};
use crate::checkpoint::Requests;
use crate::deck::Deck;
use crate::parallel::Comm;
use crate::report::Report;
use crate::rom::{Greedy, Offline};
use crate::storage::Status;
use crate::{Error, Result};

/// Runs or resumes the campaign, then trains on its dataset. Collective.
///
/// # Errors
/// As [`super::campaign::run`].
pub fn run(
    comm: &Comm,
    deck: &Deck,
    options: &RunOptions,
    mut requests: Requests,
    report: &Report,
) -> Result<()> {
    if options.part.is_some() {
        return Err(Error::input(
            "--part",
            "an adaptive design cannot be divided: every sample depends on those before",
        ));
    }
    let selection = Selection::new(deck, &campaign_samples(comm, deck)?, None)?;
    let mut simulation = super::shared::set_up(comm, deck, report)?;
    simulation.quantities(&simulation.default_context())?;
    let offline = match deck.has_certified_model() {
        true => Some(report.phase("training", || Offline::new(&simulation, &train::training(deck)?))?),
        false => None,
    };
    let path = deck.output.directory.join(&deck.campaign.file);
    let provenance = output::provenance(&simulation, &options.petsc);
    let leader: Box<dyn Leader> = match &offline {
        Some(offline) => Box::new(Greedy::new(comm, offline)?),
        None => {
            let initial = deck.campaign.adaptive.clone().unwrap_or_default().initial;
            Box::new(Retrained::new(sampled::options(&deck.rom), initial))
        }
    };
    let guard = options.guard.as_ref();
    let mut adaptive = report.phase("dataset", || {
        Adaptive::open(&mut simulation, leader, &path, &provenance, &selection, guard)
    })?;
    let samples = selection.samples.len();
    let pending = adaptive.campaign().pending()?.len();
    if pending < samples {
        report.line(format!(
            "{}: {} of {samples} samples are there already",
            path.display(),
            samples - pending
        ));
    }
    let mut signalled = || comm.max(u8::from(requests.stop())) == 1;
    let (mut attempts, mut failures) = (Attempts::default(), Failures { report, warns: true });
    report.phase("samples", || {
        if signalled() {
            return Ok(());
        }
        adaptive.run(|choice, sample| {
            if let Some(choice) = choice {
                report.line(format!(
                    "{:6} samples: largest estimated relative error {:.3e}",
                    choice.samples, choice.estimate
                ));
            }
            if let Some(sample) = sample {
                let observers: [&mut dyn SampleObserver; 2] = [&mut attempts, &mut failures];
                observers.into_iter().try_for_each(|observer| observer.after_sample(sample))?;
            }
            Ok(!signalled())
        })
    })?;
    adaptive.campaign().simulation().tuning_report().iter().for_each(|line| report.line(line));
    let pending = adaptive.campaign().pending()?.len();
    let done = adaptive.campaign().dataset().done()?.len();
    let status = adaptive.campaign().dataset().status()?;
    let failed: Vec<usize> = (0..samples).filter(|&i| status[i] == Status::Failed).collect();
    let first = failed.first().map_or(Ok(String::new()), |&i| adaptive.campaign().dataset().failure(i))?;
    adaptive.close()?;
    if pending > 0 {
        return Err(Error::Stopped(format!(
            "{}: {} of at most {samples} samples are solved; the same command goes on",
            path.display(),
            samples - pending
        )));
    }
    attempts.print(report);
    report.line(format!("{done} samples done, {} failed", failed.len()));
    if done == 0 {
        return Err(Error::Failed(format!("no sample could be solved: {first}")));
    }
    let datasets = std::slice::from_ref(&path);
    let model = match &offline {
        Some(offline) => train::write(&simulation, offline, datasets, options, report)?,
        None => bases::write(&mut simulation, datasets, options, report)?,
    };
    report.finish(&[path, model]);
    Ok(())
}
