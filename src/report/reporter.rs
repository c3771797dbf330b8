//! The report of a run: lines, tables, warnings and phases.
use super::banner;
use super::phases::{self, Clock, Phase};
use super::table::Table;
use crate::Result;
use crate::format::bytes;
use crate::parallel::Comm;
use crate::storage::File;
use std::cell::{Cell, RefCell};
use std::io::{IsTerminal, Write};
use std::os::unix::process::parent_id;
use std::path::PathBuf;
use std::time::Instant;

/// How much is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// Warnings alone.
    Quiet,
    /// Banner, lines, progress and the closing table.
    #[default]
    Normal,
    /// Details as well.
    Verbose,
}

/// The voice of a run. Cheap to call on every rank; only rank 0 prints.
pub struct Report {
    comm: Comm,
    level: Level,
    start: Instant,
    clock: RefCell<Clock>,
    warnings: RefCell<Vec<String>>,
    out: RefCell<Box<dyn Write>>,
    pub(super) terminal: bool,
    /// Whether a progress bar stands on the current line of the terminal.
    bar: Cell<bool>,
}

impl Report {
    /// Starts the clock. Local.
    pub fn new(comm: &Comm, level: Level) -> Self {
        Self::with_output(comm, level, Box::new(std::io::stdout()), is_watched())
    }

    /// As [`Report::new`] with another place for the output; `terminal` allows moving bars. Local.
    pub fn with_output(comm: &Comm, level: Level, out: Box<dyn Write>, terminal: bool) -> Self {
        Self {
            comm: comm.clone(),
            level,
            start: Instant::now(),
            clock: RefCell::new(Clock::new()),
            warnings: RefCell::default(),
            out: RefCell::new(out),
            terminal,
            bar: Cell::new(false),
        }
    }

    /// How much is printed. Local.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Seconds since the start. Local.
    pub fn elapsed(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Runs `work` and counts its wall time under `name`, below the phase that it is called from. Local.
    pub fn phase<T>(&self, name: &str, work: impl FnOnce() -> T) -> T {
        self.clock.borrow_mut().enter(name);
        let result = work();
        self.clock.borrow_mut().leave();
        result
    }

    /// Seconds counted so far under the phase with that path, such as `solve/assembly`, on this rank; 0 if it
    /// has not been entered. Local.
    pub fn seconds(&self, path: &str) -> f64 {
        self.clock.borrow().seconds(path)
    }

    /// Prints a line, at the levels normal and verbose.
    pub fn line(&self, text: impl AsRef<str>) {
        self.print(Level::Normal, text.as_ref());
    }

    /// Prints a line at the level verbose only.
    pub fn detail(&self, text: impl AsRef<str>) {
        self.print(Level::Verbose, text.as_ref());
    }

    /// Prints a table, at the levels normal and verbose.
    pub fn table(&self, table: &Table) {
        self.print(Level::Normal, table.to_string().trim_end());
    }

    /// Warns now and again at the end; says what to do about it. All ranks call it with the same text, which
    /// counts once however often it comes.
    pub fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        if self.warnings.borrow().contains(&text) {
            return;
        }
        if self.comm.rank() == 0 {
            self.clear_bar();
            crate::error::tell(format_args!("warning: {text}"));
        }
        self.warnings.borrow_mut().push(text);
    }

    /// The warnings so far. Local.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.borrow().clone()
    }

    /// Prints version, processes, libraries, host and the title of the deck. Collective.
    pub fn banner(&self, title: &str) {
        let text = banner::text(&self.comm, title);
        self.print(Level::Normal, &text);
    }

    /// Wall time of every phase so far, over ranks. Collective.
    pub fn phases(&self) -> Vec<Phase> {
        self.clock.borrow().reduce(&self.comm, self.elapsed())
    }

    /// Stores times, memory and warnings so far in a file's `/log`. Collective.
    ///
    /// # Errors
    /// As [`File::write_log`].
    pub fn write_log(&self, file: &File) -> Result<()> {
        let phases = self.phases();
        let values: Vec<f64> =
            phases.iter().flat_map(|p| [p.calls as f64, p.mean, p.min, p.max, p.percent]).collect();
        let columns = ["calls", "mean", "min", "max", "percent"];
        file.write_log("phases", "s", "wall time by phase, over ranks", &columns, &values)?;
        let names: Vec<String> = phases.into_iter().map(|p| p.path).collect();
        file.set("/log/phases", "names", names)?;
        let memory = phases::memory(&self.comm);
        file.write_log("memory", "B", "peak memory of a rank", &["min", "max", "sum"], &memory)?;
        file.set("/log", "warnings", self.warnings())
    }

    /// Prints where time and memory went, what was written, and the warnings once more. Collective.
    pub fn finish(&self, written: &[PathBuf]) {
        let phases = self.phases();
        let [least, most, sum] = phases::memory(&self.comm);
        let mut text = format!("\n{}", phases::table(&phases));
        text += &format!(
            "\npeak memory  {} a rank ({} to {}), {} in all\n",
            bytes(sum / self.comm.size() as f64),
            bytes(least),
            bytes(most),
            bytes(sum)
        );
        for path in written {
            let size = std::fs::metadata(path).map_or(0, |data| data.len());
            text += &format!("written      {} ({})\n", path.display(), bytes(size as f64));
        }
        self.print(Level::Normal, text.trim_end());
        let warnings = self.warnings.borrow();
        if self.comm.rank() == 0 && self.level > Level::Quiet && !warnings.is_empty() {
            eprintln!("{} once more:", if warnings.len() == 1 { "one warning" } else { "warnings" });
            warnings.iter().for_each(|text| eprintln!("  {text}"));
        }
    }

    /// A reader that has gone away (a closed pipe) must not end a run, so failures to print are ignored.
    fn print(&self, level: Level, text: &str) {
        if self.comm.rank() == 0 && self.level >= level {
            self.clear_bar();
            let mut out = self.out.borrow_mut();
            let _ = writeln!(out, "{text}").and_then(|()| out.flush());
        }
    }

    fn clear_bar(&self) {
        if self.bar.replace(false) {
            let _ = write!(self.out.borrow_mut(), "\r\x1b[2K");
        }
    }

    /// Puts a bar on the current line of the terminal.
    pub(super) fn show_bar(&self, text: &str) {
        let mut out = self.out.borrow_mut();
        let _ = write!(out, "\r\x1b[2K{text}").and_then(|()| out.flush());
        self.bar.set(true);
    }

    pub(super) fn shows(&self) -> bool {
        self.comm.rank() == 0 && self.level >= Level::Normal
    }
}

/// Whether somebody looks at the output on a terminal. Open MPI gives processes a terminal of its own and hands
/// on what they write, so that of the launcher decides where there is one; elsewhere nobody looks.
fn is_watched() -> bool {
    let launched =
        ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"].iter().any(|v| std::env::var_os(v).is_some());
    let launcher = || std::fs::read_link(format!("/proc/{}/fd/1", parent_id()));
    let terminal = |path: PathBuf| path.starts_with("/dev/pts") || path.starts_with("/dev/tty");
    std::io::stdout().is_terminal() && (!launched || launcher().is_ok_and(terminal))
}
