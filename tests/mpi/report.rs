//! What a run shows: phases over ranks, progress lines, the closing table, and the log in a file.

use crate::common::{Suite, with_folder};
use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;
use tessera::campaign::{SampleObserver, Attempts, SampleReport};
use tessera::parallel::Comm;
use tessera::report::{Level, Report, Table};
use tessera::storage::File;

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3],
    tests: &[
            ("phases_nest_and_are_compared_over_ranks", phases_nest_and_are_compared_over_ranks),
            ("only_rank_0_prints_and_levels_choose_what", only_rank_0_prints_and_levels_choose_what),
            ("the_log_of_a_file_holds_the_phases", the_log_of_a_file_holds_the_phases),
            ("attempts_that_failed_are_counted_over_groups", attempts_that_failed_are_counted_over_groups),
        ],
}];

/// Output that the test can look at.
#[derive(Clone, Default)]
struct Screen(Rc<RefCell<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Screen {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

fn report(comm: &Comm, level: Level) -> (Report, Screen) {
    let screen = Screen::default();
    (Report::with_output(comm, level, Box::new(screen.clone()), false), screen)
}

fn pause(milliseconds: usize) {
    std::thread::sleep(Duration::from_millis(milliseconds as u64));
}

fn phases_nest_and_are_compared_over_ranks(comm: &Comm) {
    let (report, screen) = report(comm, Level::Normal);
    report.phase("solve", || {
        report.phase("assembly", || pause(5));
        report.phase("krylov", || pause(10 + 40 * comm.rank()));
        report.phase("assembly", || pause(5));
    });
    report.phase("output", || pause(1));
    let phases = report.phases();
    let paths: Vec<&str> = phases.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(paths, ["solve", "solve/assembly", "solve/krylov", "output", "total"]);
    assert_eq!(phases.iter().map(|p| p.calls).collect::<Vec<_>>(), [1, 2, 1, 1, 1]);
    let (solve, assembly, krylov, total) = (&phases[0], &phases[1], &phases[2], &phases[4]);
    assert!(assembly.min >= 0.01 && krylov.min >= 0.01);
    assert!(krylov.max >= 0.01 + 0.04 * (comm.size() - 1) as f64);
    assert!(krylov.min <= krylov.mean && krylov.mean <= krylov.max);
    assert!(solve.mean >= assembly.mean + krylov.mean && total.mean >= solve.mean);
    assert!(phases.iter().all(|p| p.percent > 0.0 && p.percent < 100.0 + 1e-9));
    assert!(report.seconds("solve/assembly") >= 0.01 && report.seconds("assembly") == 0.0);

    report.warn("the mesh is coarse");
    report.warn("the mesh is coarse");
    assert_eq!(report.warnings(), ["the mesh is coarse"]);
    report.finish(&[]);
    let text = screen.text();
    if comm.rank() == 0 {
        let position = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part} in\n{text}"));
        assert!(
            position("\nsolve") < position("\n  assembly") && position("\n  krylov") < position("\nother")
        );
        assert!(position("\nother") < position("\ntotal") && text.contains("peak memory"));
        assert!(text.is_ascii());
    }
}

fn only_rank_0_prints_and_levels_choose_what(comm: &Comm) {
    for (level, wanted) in [(Level::Quiet, 0), (Level::Normal, 6), (Level::Verbose, 7)] {
        let (report, screen) = report(comm, level);
        report.banner("a title");
        report.line("a line");
        report.detail("a detail");
        let mut table = Table::new(&["name", "iterations"]);
        table.row(&["heat", "12"]);
        report.table(&table);
        let text = screen.text();
        let expected = if comm.rank() == 0 { wanted } else { 0 };
        let lines = text.lines().filter(|l| !l.is_empty()).count();
        assert_eq!(lines, expected, "{level:?}: {text}");
        if expected > 0 {
            assert!(text.contains(": a title") && text.contains("PETSc 3.") && text.contains("HDF5 1."));
            assert!(text.contains(&format!("{} rank", comm.size())));
            assert!(text.contains("name  iterations\nheat          12\n"));
        }
    }
    // On a terminal a bar moves on one line, and lines push it down.
    let screen = Screen::default();
    let moving = Report::with_output(comm, Level::Normal, Box::new(screen.clone()), true);
    let progress = moving.progress("samples", 1000);
    (0..120).for_each(|_| {
        pause(1);
        progress.advance("");
    });
    moving.line("between");
    let text = screen.text();
    assert!(
        comm.rank() > 0 || (text.contains("\r\x1b[2K[") && text.ends_with("\r\x1b[2Kbetween\n")),
        "{text:?}"
    );

    let (report, screen) = report(comm, Level::Normal);
    let progress = report.progress("samples", 4);
    progress.skip(1);
    for _ in 0..3 {
        pause(2);
        progress.advance("done");
    }
    let text = screen.text();
    if comm.rank() == 0 {
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines.len() == 2 && lines[0].starts_with("samples 2/4, ") && lines[0].contains(" left: done")
        );
        assert!(lines[1].starts_with("samples 4/4, ") && lines[1].contains("a second, in 0.0"), "{text}");
    } else {
        assert!(text.is_empty());
    }
}

fn the_log_of_a_file_holds_the_phases(comm: &Comm) {
    let (report, _) = report(comm, Level::Quiet);
    report.phase("mesh", || report.phase("read", || pause(2)));
    with_folder(comm, |folder| {
        let path = folder.join("log.h5");
        let file = File::create(comm, &path).unwrap();
        report.phase("output", || {
            pause(3);
            report.write_log(&file).unwrap();
        });
        file.close().unwrap();
        let file = File::open(comm, &path).unwrap();
        assert_eq!(file.texts("/log/phases", "names").unwrap(), ["mesh", "mesh/read", "output", "total"]);
        let (shape, values) = file.read_array::<f64>("/log/phases").unwrap();
        assert_eq!(shape, [4, 5]);
        assert!(values[0] == 1.0 && values[6] >= 0.002 && values[1] >= values[6]);
        // The phase in which the log is written counts up to then.
        assert!(values[10] == 1.0 && values[11] >= 0.003);
        let (_, memory) = file.read_array::<f64>("/log/memory").unwrap();
        assert!(memory[0] > 1e6 && memory[0] <= memory[1] && memory[2] >= memory[1]);
        file.close().unwrap();
    });
}

/// Each rank is a group with two samples, of which the first attempt fails at one, or at both.
fn attempts_that_failed_are_counted_over_groups(comm: &Comm) {
    for both in [false, true] {
        let mut attempts = Attempts::default();
        for number in 0..2 {
            let cause = format!("heat: no convergence after {} iterations", 10 * comm.rank() + number);
            let retried = (both || number == 0).then_some(cause);
            let sample = SampleReport { sample: number, iterations: 1, note: String::new(), seconds: 0.0, failure: None, retried };
            attempts.after_sample(&sample).unwrap();
        }
        let (report, screen) = report(comm, Level::Normal);
        attempts.over(comm, true).print(&report);
        let count = comm.size() * if both { 2 } else { 1 };
        let expected = format!("     {count} x heat: no convergence after 0 iterations");
        assert!(comm.rank() > 0 || screen.text().contains(&expected), "{}", screen.text());
        // Half of them is not most.
        let warned = report.warnings().iter().any(|text| text.contains(&format!("({count} of {count})")));
        assert_eq!(warned, both, "{:?}", report.warnings());
    }
}
