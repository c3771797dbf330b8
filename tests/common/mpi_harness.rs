//! A test binary (`harness = false`) that runs itself under `mpirun` with several rank counts.
//!
//! - A panic on one rank fails the test everywhere: verdicts are reduced over the ranks. A rank that failed
//!   alone, while others wait for it in a collective call, ends the run after a grace period.
//! - A watchdog ends a run that hangs.
//! - What PETSc lists as not freed (with the options `-objects_dump -malloc_dump`) fails the run.
//! - Words on the command line select tests whose name contains one of them; `--list` lists them.
//! - `TESSERA_TEST_RANKS=2,4` overrides the rank counts, `TESSERA_TEST_TIMEOUT` the watchdog's seconds.
#[path = "mpirun.rs"]
mod mpirun;

use mpi::collective::SystemOperation;
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use std::io::{BufRead, BufReader, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

const CHILD: &str = "TESSERA_TEST_CHILD";
const TIMEOUT_SECONDS: u64 = 300;
/// How long a failed rank waits for the others.
const GRACE: Duration = Duration::from_secs(10);

/// What the child runs: sets up what the tests need on the world, then calls the runner with a function
/// that runs test number `i`.
pub type SetUp<'a> = dyn Fn(&SimpleCommunicator, &mut dyn FnMut(&dyn Fn(usize))) + 'a;

/// Runs the tests called `names` with each of the rank counts; `set_up` runs in each process.
pub fn main(ranks: &[usize], names: &[&str], set_up: &SetUp<'_>) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let chosen: Vec<usize> = (0..names.len())
        .filter(|&i| words.is_empty() || words.iter().any(|word| names[i].contains(word.as_str())))
        .collect();
    if arguments.iter().any(|a| a == "--list") {
        chosen.iter().for_each(|&i| println!("{}: test", names[i]));
        return ExitCode::SUCCESS;
    }
    match std::env::var_os(CHILD) {
        Some(_) => child(names, &chosen, set_up),
        None => parent(ranks, names.len() - chosen.len(), chosen.len(), &arguments),
    }
}

/// Whether this process was started by [`main`] under `mpirun`.
pub fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

fn parent(ranks: &[usize], filtered: usize, chosen: usize, arguments: &[String]) -> ExitCode {
    let start = Instant::now();
    let ranks: Vec<usize> = match std::env::var("TESSERA_TEST_RANKS") {
        Ok(list) => list.split(',').filter_map(|n| n.trim().parse().ok()).collect(),
        Err(_) => ranks.to_vec(),
    };
    let timeout =
        std::env::var("TESSERA_TEST_TIMEOUT").ok().and_then(|t| t.parse().ok()).unwrap_or(TIMEOUT_SECONDS);
    println!("\nrunning {chosen} tests on {ranks:?} ranks");
    let (mut passed, mut failed) = (0, 0);
    for &n in ranks.iter().filter(|_| chosen > 0) {
        let mut process = match run(n, timeout, arguments) {
            Ok(process) => process,
            Err(error) => {
                println!("test on {n} ranks ... FAILED: cannot start mpirun: {error}");
                failed += chosen;
                continue;
            }
        };
        let (mut seen, mut leaks) = (0, 0);
        let output = process.stdout.take().expect("piped");
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            println!("{line}");
            leaks += usize::from(shows_a_leak(&line));
            if line.starts_with("test ") && line.ends_with(" ... ok") {
                (passed, seen) = (passed + 1, seen + 1);
            } else if line.starts_with("test ") && line.ends_with(" ... FAILED") {
                (failed, seen) = (failed + 1, seen + 1);
            }
        }
        if leaks > 0 {
            println!("test on {n} ranks ... FAILED: PETSc objects or memory were never freed");
            failed += 1;
        }
        let status = process.wait().expect("the process was started");
        if seen < chosen || (!status.success() && failed == 0) {
            let cause = match status.code() {
                Some(124) | Some(137) => format!("hung for {timeout} s"),
                _ => format!("ended with {status}"),
            };
            println!("test on {n} ranks ... FAILED: {cause} after {seen} of {chosen} tests");
            failed += (chosen - seen).max(1);
        }
    }
    println!(
        "\ntest result: {}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {filtered} filtered out; finished in {:.2}s\n",
        if failed == 0 { "ok" } else { "FAILED" },
        start.elapsed().as_secs_f64()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

/// Whether a line is from PETSc's list of what was not freed.
pub fn shows_a_leak(line: &str) -> bool {
    let memory = line.starts_with('[') && line.contains(" bytes ") && line.contains("() at ");
    memory || line.contains("were never freed")
}

fn run(ranks: usize, timeout: u64, arguments: &[String]) -> std::io::Result<std::process::Child> {
    mpirun::mpirun(timeout, ranks, std::env::current_exe()?)
        .args(arguments)
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
}

fn child(names: &[&str], chosen: &[usize], set_up: &SetUp<'_>) -> ExitCode {
    // PT-Scotch calls MPI from several threads.
    let (universe, _) = mpi::initialize_with_threading(mpi::Threading::Multiple).expect("MPI starts");
    let world = universe.world();
    // Verdicts travel on their own communicator: the tests' may be in disorder after a failure.
    let verdicts = world.duplicate();
    let mut all_passed = true;
    set_up(&world, &mut |test| {
        for &i in chosen {
            let ok = catch_unwind(AssertUnwindSafe(|| test(i))).is_ok();
            let ok = agree(&verdicts, ok, names[i]);
            all_passed &= ok;
            if world.rank() == 0 {
                let verdict = if ok { "ok" } else { "FAILED" };
                println!("test {} [{} ranks] ... {verdict}", names[i], world.size());
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
