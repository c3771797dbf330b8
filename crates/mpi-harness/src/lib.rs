//! A test program (`harness = false`) that runs itself under `mpirun` with several rank counts.
//!
//! - A panic on one rank fails the test everywhere: verdicts are reduced over the ranks. A rank that failed
//!   alone, while others wait for it in a collective call, ends the run after a grace period.
//! - Each suite runs in processes of its own on each of its rank counts, as many at once as the machine has cores for.
//!   What a suite prints appears with the verdict of the test that printed it.
//! - A watchdog ends a run that hangs.
//! - What PETSc lists as not freed (with the options `-objects_dump -malloc_dump`) fails the run.
//! - A test is called `suite::test`. Words on the command line select tests whose name contains one of them; `--list`
//!   lists them.
//! - `TESSERA_TEST_RANKS=2,4` overrides the rank counts, `TESSERA_TEST_TIMEOUT` the watchdog's seconds,
//!   `TESSERA_TEST_CORES` the number of cores.
mod mpirun;

pub use mpirun::mpirun;

use mpi::collective::SystemOperation;
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// In a process under `mpirun`: the number of its suite.
const CHILD: &str = "TESSERA_TEST_CHILD";
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

/// What a process under `mpirun` does: it sets up what the tests of the suite of this number need on the world, then
/// calls the runner with a function that runs test number `i` of it.
pub type SetUp<'a> = dyn Fn(usize, &SimpleCommunicator, &mut Runner<'_>) + 'a;

/// Runs the chosen tests, each by its number.
pub type Runner<'a> = dyn FnMut(&dyn Fn(usize)) + 'a;

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
    match number(CHILD) {
        Some(suite) => {
            child(&suites[suite], &suites[suite].chosen(&words), &|world, run| set_up(suite, world, run))
        }
        None => parent(suites, &words, &arguments),
    }
}

/// Whether this process was started by [`main`] under `mpirun`.
pub fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

fn number(variable: &str) -> Option<usize> {
    std::env::var(variable).ok()?.parse().ok()
}

/// A suite on some ranks.
struct Run<'a> {
    name: &'a str,
    suite: usize,
    ranks: usize,
    tests: usize,
}

fn parent(suites: &[Suite], words: &[&String], arguments: &[String]) -> ExitCode {
    let start = Instant::now();
    let asked: Option<Vec<usize>> = std::env::var("TESSERA_TEST_RANKS")
        .ok()
        .map(|list| list.split(',').filter_map(|n| n.trim().parse().ok()).collect());
    let cores = number("TESSERA_TEST_CORES")
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
        .max(1);
    let (mut runs, mut filtered) = (Vec::new(), 0);
    for (suite, s) in suites.iter().enumerate() {
        let tests = s.chosen(words).len();
        filtered += s.tests.len() - tests;
        if tests > 0 {
            let ranks = asked.as_deref().unwrap_or(s.ranks);
            runs.extend(ranks.iter().map(|&ranks| Run { name: s.name, suite, ranks, tests }));
        }
    }
    let tests: usize = runs.iter().map(|run| run.tests).sum();
    println!("\nrunning {tests} tests in {} runs under mpirun, on {cores} cores", runs.len());
    let results = side_by_side(runs, cores, |run| one(run, arguments));
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

/// Passed and failed tests of one run.
fn one(run: &Run, arguments: &[String]) -> (usize, usize) {
    let timeout = number("TESSERA_TEST_TIMEOUT").map_or(TIMEOUT_SECONDS, |t| t as u64);
    let (name, ranks) = (run.name, run.ranks);
    let started = (|| {
        let mut command = mpirun(timeout, ranks, std::env::current_exe()?);
        command
            .args(arguments)
            .env(CHILD, run.suite.to_string())
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
            println!("test {name} [{ranks} ranks] ... FAILED: cannot start mpirun: {error}");
            return (0, run.tests);
        }
    };
    let (output, errors) = (process.stdout.take().expect("piped"), process.stderr.take().expect("piped"));
    let (mut passed, mut failed) = (0, 0);
    let (said, leaks) = (Mutex::new(String::new()), AtomicUsize::new(0));
    // Two pipes, because half a line of errors may come before a verdict.
    let hear = |line: &str| {
        leaks.fetch_add(usize::from(shows_a_leak(line)), Ordering::Relaxed);
        let mut said = said.lock().expect("no panic while locked");
        said.push_str(line);
        said.push('\n');
    };
    std::thread::scope(|scope| {
        scope.spawn(|| lines(errors, hear));
        lines(output, |line| {
            hear(line);
            if line.starts_with("test ") {
                let verdicts = [line.ends_with(" ... ok"), line.ends_with(" ... FAILED")].map(usize::from);
                (passed, failed) = (passed + verdicts[0], failed + verdicts[1]);
                print(&said);
            }
        });
    });
    print(&said);
    if leaks.into_inner() > 0 {
        println!("test {name} [{ranks} ranks] ... FAILED: PETSc objects or memory were never freed");
        failed += 1;
    }
    let status = process.wait().expect("the process was started");
    let seen = passed + failed;
    if seen < run.tests || (!status.success() && failed == 0) {
        let cause = match status.code() {
            Some(124) | Some(137) => format!("hung for {timeout} s"),
            _ => format!("ended with {status}"),
        };
        println!("test {name} [{ranks} ranks] ... FAILED: {cause} after {seen} of {} tests", run.tests);
        failed += run.tests.saturating_sub(seen).max(1);
    }
    (passed, failed)
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

fn child(suite: &Suite, chosen: &[usize], set_up: &dyn Fn(&SimpleCommunicator, &mut Runner)) -> ExitCode {
    // PT-Scotch calls MPI from several threads.
    let (universe, _) = mpi::initialize_with_threading(mpi::Threading::Multiple).expect("MPI starts");
    let world = universe.world();
    // Verdicts travel on their own communicator: the tests' may be in disorder after a failure.
    let verdicts = world.duplicate();
    let mut all_passed = true;
    set_up(&world, &mut |test| {
        for &i in chosen {
            let name = suite.full_name(i);
            let ok = catch_unwind(AssertUnwindSafe(|| test(i))).is_ok();
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
