//! A test program (`harness = false`) that runs itself under `mpirun` with several rank counts.
//!
//! - A panic on one rank fails the test everywhere: verdicts are reduced over the ranks. A rank that failed
//!   alone, while others wait for it in a collective call, ends the run after a grace period.
//! - The suites of a rank count share their processes, as starting them takes longer than most suites; they are dealt to
//!   as many runs at once as the machine has cores for. What a test prints appears with its verdict.
//! - A watchdog ends a run in which no test ends for ten minutes. After a run that ended early the suites that it did not
//!   reach run in another.
//! - What PETSc lists as not freed (with the options `-objects_dump -malloc_dump`) fails the run.
//! - A test is called `suite::test`. Words on the command line select tests whose name contains one of them; `--list`
//!   lists them.
//! - `TESSERA_TEST_RANKS=2,4` overrides the rank counts, `TESSERA_TEST_TIMEOUT` the watchdog's seconds for a test,
//!   `TESSERA_TEST_CORES` the number of cores.
mod mpirun;

pub use mpirun::mpirun;

use mpi::collective::SystemOperation;
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

/// In a process under `mpirun`: the numbers of its suites.
const CHILD: &str = "TESSERA_TEST_CHILD";
/// How long a test may take; a run of many has no limit, as machines differ.
const TIMEOUT_SECONDS: u64 = 600;
/// How long a failed rank waits for the others.
const GRACE: Duration = Duration::from_secs(10);

/// Tests that run on the same numbers of ranks.
pub struct Suite<'a> {
    /// What they are about.
    pub name: &'a str,
    /// How many ranks.
    pub ranks: &'a [usize],
    /// Their names.
    pub tests: Vec<String>,
}

impl Suite<'_> {
    fn full_name(&self, test: usize) -> String {
        format!("{}::{}", self.name, self.tests[test])
    }

    /// The tests that the words select.
    fn chosen(&self, words: &[&String]) -> Vec<usize> {
        let fits = |&i: &usize| words.iter().any(|word| self.full_name(i).contains(word.as_str()));
        (0..self.tests.len()).filter(|i| words.is_empty() || fits(i)).collect()
    }
}

/// What a process under `mpirun` does: it sets up what the tests need on the world, then calls the runner with a function
/// that runs a test by the numbers of its suite and of itself.
pub type SetUp<'a> = dyn Fn(&SimpleCommunicator, &mut Runner<'_>) + 'a;

/// Runs the chosen tests.
pub type Runner<'a> = dyn FnMut(&dyn Fn(usize, usize)) + 'a;

/// Runs the suites with each of their rank counts; `set_up` runs in each process.
pub fn main(suites: &[Suite], set_up: &SetUp<'_>) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    if arguments.iter().any(|a| a == "--list") {
        for suite in suites {
            suite.chosen(&words).into_iter().for_each(|i| println!("{}: test", suite.full_name(i)));
        }
        return ExitCode::SUCCESS;
    }
    match numbers(CHILD) {
        Some(mine) => child(suites, &mine, &words, set_up),
        None => parent(suites, &words, &arguments),
    }
}

/// Whether this process was started by [`main`] under `mpirun`.
pub fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

fn numbers(variable: &str) -> Option<Vec<usize>> {
    Some(std::env::var(variable).ok()?.split(',').filter_map(|n| n.trim().parse().ok()).collect())
}

fn number(variable: &str) -> Option<usize> {
    numbers(variable)?.first().copied()
}

/// Suites on some ranks.
struct Run<'a> {
    ranks: usize,
    suites: Vec<Chosen<'a>>,
}

/// A suite of which some tests run.
#[derive(Clone, Copy)]
struct Chosen<'a> {
    name: &'a str,
    suite: usize,
    tests: usize,
}

/// The suites on each of their rank counts, dealt to as many runs as fit on the cores at once.
fn deal<'a>(chosen: &[(Chosen<'a>, &[usize])], cores: usize) -> Vec<Run<'a>> {
    let mut counts: Vec<usize> = chosen.iter().flat_map(|(_, ranks)| ranks.iter().copied()).collect();
    counts.sort_unstable();
    counts.dedup();
    let mut runs = Vec::new();
    for &ranks in counts.iter().rev() {
        let suites = || chosen.iter().filter(|(_, on)| on.contains(&ranks)).map(|&(chosen, _)| chosen);
        let at_once = (cores / ranks).clamp(1, suites().count());
        let share = |i| Run { ranks, suites: suites().skip(i).step_by(at_once).collect() };
        runs.extend((0..at_once).map(share));
    }
    runs
}

fn parent(suites: &[Suite], words: &[&String], arguments: &[String]) -> ExitCode {
    let start = Instant::now();
    let asked = numbers("TESSERA_TEST_RANKS");
    let cores = number("TESSERA_TEST_CORES")
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
        .max(1);
    let (mut chosen, mut filtered) = (Vec::new(), 0);
    for (suite, s) in suites.iter().enumerate() {
        let tests = s.chosen(words).len();
        filtered += s.tests.len() - tests;
        if tests > 0 {
            chosen.push((Chosen { name: s.name, suite, tests }, asked.as_deref().unwrap_or(s.ranks)));
        }
    }
    let runs = deal(&chosen, cores);
    let tests: usize = runs.iter().flat_map(|run| &run.suites).map(|suite| suite.tests).sum();
    println!("\nrunning {tests} tests in {} runs under mpirun, on {cores} cores", runs.len());
    let results = side_by_side(runs, cores, |run| all(run, arguments));
    let (passed, failed) = results.iter().fold((0, 0), |sum, r| (sum.0 + r.0, sum.1 + r.1));
    println!(
        "\ntest result: {}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {filtered} filtered out; finished in {:.2}s\n",
        if failed == 0 { "ok" } else { "FAILED" },
        start.elapsed().as_secs_f64()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

/// Runs on as many cores as there are: a run takes one for each rank, or all; the first that fits is next.
fn side_by_side<T: Send>(runs: Vec<Run>, cores: usize, work: impl Fn(&Run) -> T + Sync) -> Vec<T> {
    let width = |run: &Run| run.ranks.min(cores);
    let (waiting, results) = (Mutex::new((runs, cores)), Mutex::new(Vec::new()));
    let changed = Condvar::new();
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let mut state = waiting.lock().expect("no panic while locked");
                while !state.0.is_empty() {
                    let free = state.1;
                    let Some(next) = state.0.iter().position(|run| width(run) <= free) else {
                        state = changed.wait(state).expect("no panic while locked");
                        continue;
                    };
                    let run = state.0.remove(next);
                    state.1 -= width(&run);
                    drop(state);
                    let result = work(&run);
                    results.lock().expect("no panic while locked").push(result);
                    state = waiting.lock().expect("no panic while locked");
                    state.1 += width(&run);
                    changed.notify_all();
                }
            });
        }
    });
    results.into_inner().expect("no panic while locked")
}

/// Passed and failed tests of a run, in as many processes as it takes.
fn all(run: &Run, arguments: &[String]) -> (usize, usize) {
    let (mut passed, mut failed, mut done) = (0, 0, 0);
    while done < run.suites.len() {
        let result = one(&run.suites[done..], run.ranks, arguments);
        (passed, failed, done) = (passed + result.passed, failed + result.failed, done + result.suites);
    }
    (passed, failed)
}

/// What became of a run: tests, and suites that need no other.
struct Verdict {
    passed: usize,
    failed: usize,
    suites: usize,
}

/// Runs suites one after the other, until the end of the last or of the processes.
fn one(suites: &[Chosen], ranks: usize, arguments: &[String]) -> Verdict {
    let timeout = Duration::from_secs(number("TESSERA_TEST_TIMEOUT").map_or(TIMEOUT_SECONDS, |t| t as u64));
    let tests: usize = suites.iter().map(|suite| suite.tests).sum();
    let mine: Vec<String> = suites.iter().map(|suite| suite.suite.to_string()).collect();
    let started = (|| {
        let mut command = mpirun(0, ranks, std::env::current_exe()?);
        command
            .args(arguments)
            .env(CHILD, mine.join(","))
            // Runs side by side must not be bound to the same core.
            .env("OMPI_MCA_hwloc_base_binding_policy", "none")
            .env("PRTE_MCA_hwloc_default_binding_policy", "none")
            // Shares of the rows among threads are tested as well.
            .env("RAYON_NUM_THREADS", if ranks == 2 { "2" } else { "1" })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    })();
    let mut process = match started {
        Ok(process) => process,
        Err(error) => {
            println!("test {} [{ranks} ranks] ... FAILED: cannot start mpirun: {error}", suites[0].name);
            return Verdict { passed: 0, failed: tests, suites: suites.len() };
        }
    };
    let (output, errors) = (process.stdout.take().expect("piped"), process.stderr.take().expect("piped"));
    let (mut passed, mut failed) = (0, 0);
    let (said, leaks, hung) = (Mutex::new(String::new()), AtomicUsize::new(0), AtomicBool::new(false));
    let (ended, endings) = mpsc::channel();
    let id = process.id();
    // Two pipes, because half a line of errors may come before a verdict.
    let hear = |line: &str| {
        leaks.fetch_add(usize::from(shows_a_leak(line)), Ordering::Relaxed);
        let mut said = said.lock().expect("no panic while locked");
        said.push_str(line);
        said.push('\n');
    };
    std::thread::scope(|scope| {
        scope.spawn(|| lines(errors, hear));
        scope.spawn(|| hung.store(watch(endings, timeout, id), Ordering::Relaxed));
        lines(output, |line| {
            hear(line);
            if line.starts_with("test ") {
                let verdicts = [line.ends_with(" ... ok"), line.ends_with(" ... FAILED")].map(usize::from);
                (passed, failed) = (passed + verdicts[0], failed + verdicts[1]);
                print(&said);
                let _ = ended.send(());
            }
        });
        drop(ended);
    });
    print(&said);
    let mut seen = passed + failed;
    if leaks.into_inner() > 0 {
        let names: Vec<&str> = suites.iter().map(|suite| suite.name).collect();
        let names = names.join(" or ");
        println!("test {names} [{ranks} ranks] ... FAILED: PETSc objects or memory were never freed");
        failed += 1;
    }
    let status = process.wait().expect("the process was started");
    let cause = match hung.into_inner() {
        true => format!("hung for {} s", timeout.as_secs()),
        false => format!("ended with {status}"),
    };
    // The suite in which it ended, and how far it came in that.
    let mut place = 0;
    while place < suites.len() && seen >= suites[place].tests {
        seen -= suites[place].tests;
        place += 1;
    }
    if let Some(Chosen { name, tests, .. }) = suites.get(place) {
        println!("test {name} [{ranks} ranks] ... FAILED: {cause} after {seen} of {tests} tests");
        return Verdict { passed, failed: failed + tests - seen, suites: place + 1 };
    }
    if !status.success() && failed == 0 {
        println!("test {} [{ranks} ranks] ... FAILED: {cause} after all tests", suites[place - 1].name);
        failed += 1;
    }
    Verdict { passed, failed, suites: suites.len() }
}

/// Ends a process when no test has ended for so long; whether it had to.
fn watch(endings: Receiver<()>, timeout: Duration, process: u32) -> bool {
    loop {
        match endings.recv_timeout(timeout) {
            Ok(()) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => {
                // `timeout`, which runs `mpirun`, passes it on.
                let _ = Command::new("kill").arg(process.to_string()).status();
                return true;
            }
        }
    }
}

/// Calls `hear` with every line.
fn lines(output: impl Read, mut hear: impl FnMut(&str)) {
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        hear(&String::from_utf8_lossy(&line));
    }
}

/// Prints at once, so that runs side by side do not mix.
fn print(said: &Mutex<String>) {
    let text = std::mem::take(&mut *said.lock().expect("no panic while locked"));
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Whether a line is from PETSc's list of what was not freed.
pub fn shows_a_leak(line: &str) -> bool {
    let memory = line.starts_with('[') && line.contains(" bytes ") && line.contains("() at ");
    memory || line.contains("were never freed")
}

fn child(suites: &[Suite], mine: &[usize], words: &[&String], set_up: &SetUp<'_>) -> ExitCode {
    // PT-Scotch calls MPI from several threads.
    let (universe, _) = mpi::initialize_with_threading(mpi::Threading::Multiple).expect("MPI starts");
    let world = universe.world();
    // Verdicts travel on their own communicator: the tests' may be in disorder after a failure.
    let verdicts = world.duplicate();
    let mut all_passed = true;
    set_up(&world, &mut |test| {
        let chosen = |&s: &usize| suites[s].chosen(words).into_iter().map(move |i| (s, i));
        for (s, i) in mine.iter().flat_map(chosen) {
            let name = suites[s].full_name(i);
            let ok = catch_unwind(AssertUnwindSafe(|| test(s, i))).is_ok();
            let ok = agree(&verdicts, ok, &name);
            all_passed &= ok;
            if world.rank() == 0 {
                let verdict = if ok { "ok" } else { "FAILED" };
                println!("test {name} [{} ranks] ... {verdict}", world.size());
                let _ = std::io::stdout().flush();
            }
        }
    });
    if all_passed { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// Whether all ranks passed. Waits in small steps, so that a failed rank can give up on the others.
fn agree(comm: &SimpleCommunicator, mine: bool, name: &str) -> bool {
    let (send, mut result) = (u8::from(!mine), 0u8);
    let start = Instant::now();
    mpi::request::scope(|scope| {
        let mut request = comm.immediate_all_reduce_into(scope, &send, &mut result, SystemOperation::max());
        loop {
            request = match request.test() {
                Ok(_) => return,
                Err(pending) => pending,
            };
            if !mine && start.elapsed() > GRACE {
                eprintln!("rank {} failed \"{name}\" and the others do not end: aborting", comm.rank());
                comm.abort(1);
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    });
    result == 0
}
