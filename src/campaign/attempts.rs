//! Why first attempts at samples failed: what a second one saves does not go unsaid.
use super::observer::{SampleObserver, SampleReport};
use crate::Result;
use crate::parallel::Comm;
use crate::report::Report;

/// So many causes are named.
const NAMED: usize = 5;

/// How many first attempts failed, by cause.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempts {
    samples: usize,
    /// Samples that a second attempt has saved.
    saved: usize,
    /// The first message of each kind, and how many there were.
    causes: Vec<(String, usize)>,
}

impl SampleObserver for Attempts {
    fn after_sample(&mut self, sample: &SampleReport) -> Result<()> {
        self.samples += 1;
        if let Some(reason) = &sample.retried {
            self.saved += usize::from(sample.failure.is_none());
            self.count(reason.lines().next().unwrap_or_default(), 1);
        }
        Ok(())
    }
}

impl Attempts {
    fn count(&mut self, message: &str, times: usize) {
        let kind = without_numbers(message);
        match self.causes.iter_mut().find(|(known, _)| without_numbers(known) == kind) {
            Some((_, count)) => *count += times,
            None => self.causes.push((message.into(), times)),
        }
    }

    /// Those of all ranks of `world` together, each of which `speaks` for its group or not. Collective.
    pub fn over(&self, world: &Comm, speaks: bool) -> Self {
        let mine = if speaks { self.clone() } else { Self::default() };
        let text: String = mine.causes.iter().map(|(text, count)| format!("{count} {text}\n")).collect();
        let bytes = world.all_gather_varied(text.as_bytes());
        let [samples, saved] = [mine.samples, mine.saved].map(|count| world.sum(count as u64) as usize);
        let mut all = Self { samples, saved, causes: Vec::new() };
        for line in String::from_utf8_lossy(&bytes).lines() {
            let (count, text) = line.split_once(' ').unwrap_or(("1", line));
            all.count(text, count.parse().unwrap_or(1));
        }
        all.causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }

    /// What they cost, by cause; a warning when most of them failed. All ranks call it.
    pub fn print(&self, report: &Report) {
        let Self { samples, saved, causes } = self;
        let failed: usize = causes.iter().map(|(_, count)| count).sum();
        let Some((cause, _)) = causes.first() else { return };
        report.line(format!(
            "{saved} samples were solved at the second attempt; why the first failed (/retried in the dataset):"
        ));
        causes.iter().take(NAMED).for_each(|(text, count)| report.line(format!("{count:6} x {text}")));
        if causes.len() > NAMED {
            report.line(format!("       and {} other causes", causes.len() - NAMED));
        }
        if 2 * failed > *samples {
            report.warn(format!(
                "most first attempts failed ({failed} of {samples}), which makes a campaign several times as long: choose \
                 another solver.method or solver.petsc. {cause}"
            ));
        }
    }
}

/// A message without what differs from sample to sample.
fn without_numbers(text: &str) -> String {
    let words = text.split_whitespace().filter(|word| !word.bytes().any(|byte| byte.is_ascii_digit()));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(retried: Option<&str>, failure: Option<&str>) -> SampleReport {
        let [failure, retried] = [failure, retried].map(|text| text.map(String::from));
        SampleReport { sample: 0, iterations: 1, note: String::new(), seconds: 1.0, failure, retried }
    }

    #[test]
    fn causes_that_differ_by_numbers_are_one() {
        let mut attempts = Attempts::default();
        for reason in [
            "heat: stopped after 17 iterations at 1.2e-05 of the load\nin detail",
            "heat: stopped after 1800 iterations at 3e+7 of the load",
            "heat: a zero pivot in 'Mat_0x55eb3d102420_0'",
        ] {
            attempts.after_sample(&sample(Some(reason), None)).unwrap();
        }
        attempts.after_sample(&sample(None, None)).unwrap();
        attempts
            .after_sample(&sample(Some("heat: a zero pivot in 'Mat_0x21_7'"), Some("heat: singular")))
            .unwrap();
        assert_eq!((attempts.samples, attempts.saved), (5, 3));
        let first = "heat: stopped after 17 iterations at 1.2e-05 of the load";
        assert_eq!(
            attempts.causes,
            [(first.to_string(), 2), ("heat: a zero pivot in 'Mat_0x55eb3d102420_0'".to_string(), 2)]
        );
    }
}
