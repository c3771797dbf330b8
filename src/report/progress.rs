//! How far a number of like tasks is.
use super::reporter::Report;
use crate::format::duration;
use std::cell::Cell;
use std::time::Instant;

/// Cells of the bar on a terminal.
const WIDTH: usize = 30;
/// Seconds between redrawings of the bar.
const REDRAW: f64 = 0.1;
/// Seconds between lines in a log.
const LINES: f64 = 10.0;

/// Progress through tasks: a moving bar on a terminal, now and then a line in a log.
///
/// Rates count the tasks done here only, not those [skipped](Progress::skip) as done earlier.
pub struct Progress<'a> {
    report: &'a Report,
    what: String,
    total: usize,
    done: Cell<usize>,
    skipped: Cell<usize>,
    start: Instant,
    shown: Cell<f64>,
}

impl Report {
    /// Shows how far a number of like tasks is: rate and expected end. Local.
    pub fn progress(&self, what: &str, total: usize) -> Progress<'_> {
        Progress::new(self, what, total)
    }
}

impl<'a> Progress<'a> {
    fn new(report: &'a Report, what: &str, total: usize) -> Self {
        let (done, skipped, shown) = (Cell::new(0), Cell::new(0), Cell::new(0.0));
        Self { report, what: what.into(), total, done, skipped, start: Instant::now(), shown }
    }

    /// Counts tasks that were done in an earlier run.
    pub fn skip(&self, tasks: usize) {
        self.skipped.set(self.skipped.get() + tasks);
    }

    /// Counts one task as done; `note` says something of it.
    pub fn advance(&self, note: &str) {
        self.reach(self.done.get() + 1, note);
    }

    /// So many tasks are done by now, without those skipped; `note` says something of the last.
    pub fn reach(&self, done: usize, note: &str) {
        let first = self.done.replace(done) == 0;
        if !self.report.shows() {
            return;
        }
        let now = self.start.elapsed().as_secs_f64();
        let since = now - self.shown.get();
        let last = self.position() >= self.total;
        if self.report.terminal && !last {
            if since >= REDRAW {
                self.shown.set(now);
                self.report.show_bar(&format!(
                    "{} {}",
                    bar(self.position(), self.total),
                    self.text(now, note)
                ));
            }
        } else if last || since >= LINES || first {
            self.shown.set(now);
            self.report.line(self.text(now, note));
        }
    }

    fn position(&self) -> usize {
        self.done.get() + self.skipped.get()
    }

    /// `samples 12/64, 3.21 a second, 16.2 s left: note`
    fn text(&self, elapsed: f64, note: &str) -> String {
        let (done, position) = (self.done.get(), self.position());
        let rate = done as f64 / elapsed.max(1e-9);
        let pace = if rate >= 1.0 {
            format!("{rate:.2} a second")
        } else {
            format!("{} each", duration(1.0 / rate))
        };
        let left = self.total.saturating_sub(position);
        let end = if left == 0 {
            format!("in {}", duration(elapsed))
        } else {
            format!("{} left", duration(left as f64 / rate))
        };
        let note = if note.is_empty() { String::new() } else { format!(": {note}") };
        format!("{} {position}/{}, {pace}, {end}{note}", self.what, self.total)
    }
}

fn bar(done: usize, total: usize) -> String {
    let full = (WIDTH * done).checked_div(total).unwrap_or(WIDTH).min(WIDTH);
    format!("[{}{}]", "=".repeat(full), " ".repeat(WIDTH - full))
}
