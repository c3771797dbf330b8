//! What each group has done: samples, failures, and the time that it waited for others.
use super::attempts::Attempts;
use super::groups::Groups;
use super::observer::{SampleObserver, SampleReport};
use crate::Result;
use crate::format::duration;
use crate::report::{Report, Table};
use std::time::Instant;

/// Up to so many groups are listed one by one.
const LISTED: usize = 16;

/// The work of one group, from its first sample on.
pub struct Work {
    start: Instant,
    samples: usize,
    /// Seconds spent on samples.
    busy: f64,
    attempts: Attempts,
}

impl Work {
    /// Starts the clock. Local.
    pub fn start() -> Self {
        Self { start: Instant::now(), samples: 0, busy: 0.0, attempts: Attempts::default() }
    }

    /// Waits for all groups; what they have done together. Collective over all groups.
    pub fn meet(self, groups: &Groups) -> Done {
        let world = &groups.world;
        world.barrier();
        let idle = (self.start.elapsed().as_secs_f64() - self.busy).max(0.0);
        let speaks = groups.comm.rank() == 0;
        let row = [groups.comm.size() as f64, self.samples as f64, self.busy, idle];
        let rows = world.all_gather_varied(if speaks { &row[..] } else { &[] });
        let attempts = self.attempts.over(world, speaks);
        Done { groups: rows.chunks_exact(4).map(|r| [r[0], r[1], r[2], r[3]]).collect(), attempts }
    }
}

impl SampleObserver for Work {
    fn after_sample(&mut self, sample: &SampleReport) -> Result<()> {
        self.samples += 1;
        self.busy += sample.seconds;
        self.attempts.after_sample(sample)
    }
}

/// The work of all groups.
pub struct Done {
    /// Ranks, samples, busy and idle seconds of each group.
    groups: Vec<[f64; 4]>,
    attempts: Attempts,
}

impl Done {
    /// What failed at first, and how evenly the work was divided.
    pub fn print(&self, report: &Report) {
        self.attempts.print(report);
        if self.groups.len() < 2 {
            return;
        }
        let mut table = Table::new(&["group", "ranks", "samples", "busy", "idle"]);
        let mut row = |name: &str, [ranks, samples, busy, idle]: [f64; 4]| {
            let mean = |value: f64| format!("{}", (10.0 * value).round() / 10.0);
            table.row(&[name.into(), mean(ranks), mean(samples), duration(busy), duration(idle)]);
        };
        if self.groups.len() <= LISTED {
            self.groups.iter().enumerate().for_each(|(i, &group)| row(&i.to_string(), group));
        }
        let over = |pick: fn(f64, f64) -> f64, first: f64| -> [f64; 4] {
            std::array::from_fn(|i| self.groups.iter().map(|group| group[i]).fold(first, pick))
        };
        let sum = over(|a, b| a + b, 0.0);
        row("least", over(f64::min, f64::INFINITY));
        row("mean", sum.map(|value| value / self.groups.len() as f64));
        row("most", over(f64::max, 0.0));
        report.table(&table);
        let busy = 100.0 * sum[2] / (sum[2] + sum[3]).max(f64::MIN_POSITIVE);
        report.line(format!("the groups were busy for {busy:.1} % of the time"));
    }
}
