//! When a checkpoint is due.
use crate::deck::{CheckpointInterval, CheckpointSection, CheckpointWord};
use std::time::Instant;

/// Before the first checkpoint nothing is known of its cost, s.
const FIRST: f64 = 60.0;
/// Checkpoints by the clock take at most this share of a run's time.
const SHARE: f64 = 0.02;

/// When the next checkpoint is due, by steps and by the clock.
#[derive(Debug)]
pub struct Schedule {
    section: CheckpointSection,
    /// Step and time of the last one, or of the start.
    last: (usize, Instant),
    /// Number and seconds of those made.
    made: (u32, f64),
}

impl Schedule {
    /// Counts from now, after `step` steps.
    pub fn new(section: &CheckpointSection, step: usize) -> Self {
        Self { section: section.clone(), last: (step, Instant::now()), made: (0, 0.0) }
    }

    /// The step of the last checkpoint, or that of the start.
    pub fn last_step(&self) -> usize {
        self.last.0
    }

    /// Wall-clock time from one checkpoint to the next, s.
    pub fn interval(&self) -> f64 {
        match (self.section.every_seconds, self.made) {
            (CheckpointInterval::Seconds(seconds), _) => seconds,
            (CheckpointInterval::Word(CheckpointWord::Never), _) => f64::INFINITY,
            (CheckpointInterval::Word(CheckpointWord::Auto), (0, _)) => FIRST,
            (CheckpointInterval::Word(CheckpointWord::Auto), (count, seconds)) => {
                best_interval(seconds / f64::from(count), self.section.mean_time_between_failures)
            }
        }
    }

    /// Whether one is due after `step` steps. By this process's clock.
    pub fn is_due(&self, step: usize) -> bool {
        let (last, at) = self.last;
        self.is_due_by_steps(step) || step > last && at.elapsed().as_secs_f64() >= self.interval()
    }

    /// Whether one is due whatever the clock says.
    pub fn is_due_by_steps(&self, step: usize) -> bool {
        self.section.every_steps.is_some_and(|every| step >= self.last.0 + every)
    }

    /// One has been made after `step` steps and took so many seconds; or could not be made: `None`.
    pub fn made(&mut self, step: usize, seconds: Option<f64>) {
        self.last = (step, Instant::now());
        if let Some(seconds) = seconds {
            self.made = (self.made.0 + 1, self.made.1 + seconds);
        }
    }
}

/// The interval that loses least time to checkpoints and to what failures undo, `sqrt(2 cost failures)` (Young, CACM
/// 17 (1974) 530; Daly, Future Gener. Comput. Syst. 22 (2006) 303), but no more than a small share to checkpoints.
fn best_interval(cost: f64, failures: f64) -> f64 {
    (2.0 * cost * failures).sqrt().max(cost / SHARE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_follow_cost_and_failures() {
        assert_eq!(best_interval(2.0, 86_400.0), 345_600f64.sqrt());
        assert_eq!(best_interval(3600.0, 86_400.0), 180_000.0);
    }

    #[test]
    fn steps_and_clock_are_counted_from_the_last() {
        let section = CheckpointSection { every_steps: Some(5), ..CheckpointSection::default() };
        let mut schedule = Schedule::new(&section, 10);
        assert!(!schedule.is_due(14) && schedule.is_due(15));
        schedule.made(17, Some(1.0));
        assert!(!schedule.is_due(21) && schedule.is_due(22));
        assert_eq!(schedule.interval(), best_interval(1.0, 86_400.0));
        let now = CheckpointInterval::Seconds(1e-9);
        let schedule = Schedule::new(&CheckpointSection { every_seconds: now, ..section }, 3);
        assert!(!schedule.is_due(3) && schedule.is_due(4));
    }
}
