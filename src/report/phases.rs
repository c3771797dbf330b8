//! Wall time by phase, and memory.
use super::table::Table;
use crate::format::duration;
use crate::parallel::Comm;
use std::time::Instant;

/// One phase over ranks.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Names from the outermost phase on, such as `solve/assembly`.
    pub path: String,
    /// How often it was entered.
    pub calls: u64,
    /// Mean over ranks, in seconds.
    pub mean: f64,
    /// The quickest rank, in seconds.
    pub min: f64,
    /// The slowest rank, in seconds.
    pub max: f64,
    /// The mean's share of the whole time, in percent.
    pub percent: f64,
}

/// What one rank has counted.
struct Entry {
    name: String,
    parent: Option<usize>,
    calls: u64,
    seconds: f64,
}

/// The clock of one rank: a tree of phases in the order of first entry.
pub(super) struct Clock {
    entries: Vec<Entry>,
    /// The phases entered and not yet left, from the outermost on, with the time of entry.
    open: Vec<(usize, Instant)>,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), open: Vec::new() }
    }

    pub(super) fn enter(&mut self, name: &str) {
        let parent = self.open.last().map(|o| o.0);
        let found = self.entries.iter().position(|e| e.parent == parent && e.name == name);
        let index = found.unwrap_or_else(|| {
            self.entries.push(Entry { name: name.into(), parent, calls: 0, seconds: 0.0 });
            self.entries.len() - 1
        });
        self.open.push((index, Instant::now()));
    }

    pub(super) fn leave(&mut self) {
        if let Some((index, start)) = self.open.pop() {
            self.entries[index].calls += 1;
            self.entries[index].seconds += start.elapsed().as_secs_f64();
        }
    }

    /// Calls and seconds of a phase; one that is not yet left counts up to now.
    fn counted(&self, index: usize) -> (u64, f64) {
        let entry = &self.entries[index];
        let running: Vec<f64> =
            self.open.iter().filter(|o| o.0 == index).map(|o| o.1.elapsed().as_secs_f64()).collect();
        (entry.calls + running.len() as u64, entry.seconds + running.iter().sum::<f64>())
    }

    fn find(&self, path: &str) -> Option<usize> {
        (0..self.entries.len()).find(|&i| self.path(i) == path)
    }

    pub(super) fn seconds(&self, path: &str) -> f64 {
        self.find(path).map_or(0.0, |i| self.counted(i).1)
    }

    fn path(&self, index: usize) -> String {
        let entry = &self.entries[index];
        match entry.parent {
            Some(parent) => format!("{}/{}", self.path(parent), entry.name),
            None => entry.name.clone(),
        }
    }

    /// Paths of all phases, each followed by those inside it.
    fn paths(&self) -> Vec<String> {
        let mut list = Vec::new();
        self.visit(None, &mut list);
        list
    }

    fn visit(&self, parent: Option<usize>, list: &mut Vec<String>) {
        for index in (0..self.entries.len()).filter(|&i| self.entries[i].parent == parent) {
            list.push(self.path(index));
            self.visit(Some(index), list);
        }
    }

    /// Times over ranks, of the phases that rank 0 knows, and at last the whole. Collective.
    pub(super) fn reduce(&self, comm: &Comm, elapsed: f64) -> Vec<Phase> {
        let mut names = self.paths().join("\n").into_bytes();
        comm.broadcast_bytes(0, &mut names);
        let names = String::from_utf8_lossy(&names).into_owned();
        let whole = comm.max(elapsed);
        let phase = |path: &str, calls: u64, seconds: f64| {
            let (min, max) = (comm.min(seconds), comm.max(seconds));
            let mean = comm.sum(seconds) / comm.size() as f64;
            let percent = if whole > 0.0 { 100.0 * mean / whole } else { 0.0 };
            Phase { path: path.into(), calls: comm.max(calls), mean, min, max, percent }
        };
        let mut list: Vec<Phase> = names
            .split('\n')
            .filter(|path| !path.is_empty())
            .map(|path| {
                let (calls, seconds) = self.find(path).map_or((0, 0.0), |i| self.counted(i));
                phase(path, calls, seconds)
            })
            .collect();
        list.push(phase("total", 1, elapsed));
        list
    }
}

/// Phases as a table, inner ones indented; what no phase counted is `other`.
pub(super) fn table(phases: &[Phase]) -> Table {
    let mut table = Table::new(&["wall time", "calls", "mean", "min", "max", "%"]);
    let Some((total, inner)) = phases.split_last() else { return table };
    let mut row = |name: &str, calls: String, times: [f64; 3], percent: f64| {
        let [mean, min, max] = times.map(|t| duration(t.max(0.0)));
        table.row(&[name.into(), calls, mean, min, max, format!("{percent:.1}")]);
    };
    let mut counted = [0.0; 4];
    for phase in inner {
        let depth = phase.path.matches('/').count();
        let name = phase.path.rsplit('/').next().unwrap_or_default();
        let times = [phase.mean, phase.min, phase.max];
        if depth == 0 {
            counted = [
                counted[0] + phase.mean,
                counted[1] + phase.min,
                counted[2] + phase.max,
                counted[3] + phase.percent,
            ];
        }
        row(&format!("{}{name}", "  ".repeat(depth)), phase.calls.to_string(), times, phase.percent);
    }
    let rest = total.mean - counted[0];
    row("other", String::new(), [rest; 3], (total.percent - counted[3]).max(0.0));
    row("total", String::new(), [total.mean, total.min, total.max], total.percent);
    table
}

/// Smallest, largest and summed peak memory of the ranks, in bytes. Collective.
pub(super) fn memory(comm: &Comm) -> [f64; 3] {
    let mine = peak_memory() as f64;
    [comm.min(mine), comm.max(mine), comm.sum(mine)]
}

/// The most memory that this process has held, in bytes; 0 where the system does not say. Local.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes: Option<u64> = line.and_then(|l| l.split_whitespace().next()).and_then(|n| n.parse().ok());
    kilobytes.unwrap_or(0) * 1024
}
