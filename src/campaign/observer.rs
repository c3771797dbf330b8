//! What happens after a sample hangs on the loop over samples, which knows none of it.
use crate::Result;
use crate::report::Report;

/// What became of one sample.
#[derive(Debug, Clone)]
pub struct SampleReport {
    /// Its number in the undivided campaign, from 0.
    pub sample: usize,
    /// Krylov iterations over all problems.
    pub iterations: usize,
    /// What else is to be said of it.
    pub note: String,
    /// Seconds it took.
    pub seconds: f64,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// Why the first attempt failed, if there were two.
    pub retried: Option<String>,
}

/// Told of every sample of a group once it is stored.
pub trait SampleObserver {
    /// After a sample. Local, or collective over the group.
    ///
    /// # Errors
    /// Whatever ends the campaign.
    fn after_sample(&mut self, sample: &SampleReport) -> Result<()>;
}

/// Says which samples failed, at first or for good.
pub struct Failures<'a> {
    /// Where to.
    pub report: &'a Report,
    /// Whether this group warns of its own failures; others stand in the dataset.
    pub warns: bool,
}

impl SampleObserver for Failures<'_> {
    fn after_sample(&mut self, sample: &SampleReport) -> Result<()> {
        if let Some(reason) = &sample.retried {
            self.report.detail(format!("sample {}: the first attempt failed: {reason}", sample.sample));
        }
        if let (true, Some(reason)) = (self.warns, &sample.failure) {
            self.report.warn(failure(sample.sample, reason));
        }
        Ok(())
    }
}

/// The warning for a failed sample.
pub fn failure(sample: usize, reason: &str) -> String {
    format!("sample {sample} failed and is left out: {}", reason.lines().next().unwrap_or_default())
}
