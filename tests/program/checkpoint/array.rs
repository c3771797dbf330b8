//! Campaigns in parts: under mpirun with signals, and as the job scripts run them under a Slurm of their own.
use super::cluster::Cluster;
use super::decks::SAMPLES;
use crate::program::{Outcome, Place, signal, wait_until};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tessera::storage::Reader;

/// Mean temperature and last nodal value of the samples that are done, by number.
type Samples = BTreeMap<u64, [f64; 2]>;

/// The deck with so many samples: the first of Sobol's sequence.
fn deck(samples: usize) -> String {
    SAMPLES.replace("samples = 90", &format!("samples = {samples}"))
}

fn campaign(place: &Place, ranks: usize, arguments: &[&str]) -> Outcome {
    Outcome::new(place.tessera(ranks, "campaign", arguments).output().expect("mpirun starts"))
}

fn done(dataset: &Path) -> Samples {
    let file = Reader::open(dataset).unwrap_or_else(|e| panic!("{e}"));
    let status = file.array::<u8>("/status").unwrap().1;
    let numbers = file.array::<u64>("/sample").unwrap().1;
    let means = file.array::<f64>("/qoi/mean").unwrap().1;
    let samples = (0..status.len()).filter(|&i| status[i] == 1);
    samples
        .map(|i| {
            let field = file.step::<f64>("/fields/temperature", i as u64).unwrap();
            (numbers[i], [means[i], *field.last().unwrap()])
        })
        .collect()
}

/// The parts hold what the undivided campaign holds, each sample once.
#[track_caller]
fn same(whole: &Samples, place: &Place, parts: usize, total: usize) {
    let mut found = BTreeMap::new();
    for part in 1..=parts {
        for (number, values) in done(&place.file(&format!("out/dataset-{part}-of-{parts}.h5"))) {
            assert!(found.insert(number, values).is_none(), "sample {number} is there twice");
        }
    }
    equal(whole, &found, total);
}

#[track_caller]
fn equal(whole: &Samples, found: &Samples, total: usize) {
    assert!(found.keys().copied().eq(0..total as u64), "{found:?}");
    for (number, values) in found {
        let near = |i: usize| (values[i] - whole[number][i]).abs() <= 1e-9 * values[i].abs();
        assert!(near(0) && near(1), "sample {number}: {:?} and {values:?}", whole[number]);
    }
}

/// What an attempt gives that comes in time. On a busy machine the program may be ready before a signal reaches it.
fn in_time<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    (0..5).find_map(|_| attempt()).expect("one of five attempts comes in time")
}

fn undivided(total: usize) -> Samples {
    let place = Place::new(&deck(total));
    campaign(&place, 1, &[]).expect(0);
    done(&place.file("out/dataset.h5"))
}

#[test]
fn parts_and_signals_leave_no_sample_out() {
    let whole = undivided(30);
    let place = Place::new(&deck(12));
    for (ranks, part) in [(1, "1/3"), (2, "2/3"), (3, "3/3")] {
        let outcome = campaign(&place, ranks, &["--part", part]).expect(0);
        assert!(outcome.out.contains(&format!("part {part} of the campaign: 4 of 12 samples")));
    }
    same(&whole, &place, 3, 12);

    for name in ["USR1", "TERM"] {
        let (place, outcome) = in_time(|| {
            let place = Place::new(&deck(30));
            let mut command = place.tessera(2, "campaign", &[]);
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("mpirun starts");
            wait_until("the dataset", || place.file("out/dataset.h5").exists());
            // One rank only, and not the first.
            signal(name, place.processes().get(1..).unwrap_or_default());
            let outcome = Outcome::new(child.wait_with_output().expect("it ends"));
            (outcome.code != Some(0)).then_some((place, outcome))
        });
        let outcome = outcome.expect(75);
        let dataset = place.file("out/dataset.h5");
        let before = done(&dataset);
        let words =
            format!("dataset.h5: {} of 30 samples are solved; the same command goes on", before.len());
        assert!(outcome.err.contains("stopped early: ") && outcome.err.contains(&words), "{}", outcome.err);
        campaign(&place, 3, &[]).expect(0);
        let after = done(&dataset);
        assert!(before.iter().all(|(number, values)| after[number] == *values));
        equal(&whole, &after, 30);
    }
}

#[test]
fn parts_that_make_no_sense_are_named() {
    let place = Place::new(SAMPLES);
    for wrong in ["0/3", "4/3", "x", "3", "1/0", "-1/3"] {
        let outcome = campaign(&place, 2, &[&format!("--part={wrong}")]).expect(2);
        let words = format!(
            "invalid value '{wrong}' for '--part <K/N>': not of the form K/N with K from 1 to N, such as 2/8"
        );
        assert_eq!(outcome.err.matches(&words).count(), 1, "{}", outcome.err);
    }
    let outcome = campaign(&place, 2, &["--part", "95/99"]).expect(2);
    assert!(outcome.err.contains("part 95/99 is empty: the campaign has 90 samples"), "{}", outcome.err);
}

/// A place with what job scripts need in their environment.
struct Jobs<'a> {
    cluster: &'a Cluster,
    place: Place,
}

impl<'a> Jobs<'a> {
    fn new(cluster: &'a Cluster, samples: usize) -> Self {
        Self { cluster, place: Place::new(&deck(samples)) }
    }

    /// What prints the number of a job that it submits.
    fn submit(&self, program: &str, variables: &[(&str, &str)], arguments: &[&str]) -> String {
        let mut command: Command = self.cluster.command(program);
        command.args(arguments).current_dir(self.place.path()).envs(variables.iter().copied());
        command.env("TESSERA", env!("CARGO_BIN_EXE_tessera")).env("RAYON_NUM_THREADS", "1");
        command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
        command.env("OMPI_MCA_rmaps_base_oversubscribe", "1").env("OMPI_MCA_mpi_yield_when_idle", "1");
        command.env("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe");
        let outcome = Outcome::new(command.output().expect("it starts")).expect(0);
        outcome.out.trim().to_string()
    }

    /// All that the jobs have printed.
    fn log(&self) -> String {
        let folders = [self.place.path().to_path_buf(), self.place.file("out")];
        let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
        let logs = entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "log"));
        logs.map(|path| {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            format!("--- {}\n{text}", path.display())
        })
        .collect()
    }

    /// State and exit code of a job that has ended, as Slurm prints them.
    fn state(&self, job: &str) -> String {
        let text = self.cluster.run("scontrol", &["--oneliner", "show", "job", job]).unwrap();
        let words =
            text.split_whitespace().filter(|w| w.starts_with("JobState=") || w.starts_with("ExitCode="));
        words.collect::<Vec<_>>().join(" ")
    }

    /// The program's processes that solve a part.
    fn processes(&self, part: &str) -> Vec<u32> {
        let mut list = self.place.processes();
        list.retain(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|&byte| byte == 0).any(|word| word == part.as_bytes())
        });
        list
    }

    fn wait(&self) {
        self.cluster.wait(|| self.log(), |_| {});
    }
}

fn script(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("jobscripts").join(name);
    path.to_str().expect("a path in UTF-8").to_string()
}

/// Whether SIGUSR1 waits for a process that is stopped.
fn usr1_is_pending(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let masks = status.lines().filter_map(|l| l.strip_prefix("ShdPnd:").or(l.strip_prefix("SigPnd:")));
    masks.filter_map(|mask| u64::from_str_radix(mask.trim(), 16).ok()).any(|mask| mask & (1 << 9) != 0)
}

/// One rank a job; the node's cores are lent to as many jobs as like.
const SMALL: (&str, &str) = ("SBATCH_OPTIONS", "--ntasks-per-node=1");

#[test]
fn job_arrays_groups_and_chains_of_jobs_finish() {
    let Some(cluster) = Cluster::start() else { return };
    let whole = undivided(90);
    from_campaign_to_prediction(&cluster, &whole);
    killed_task(&cluster, &whole);
    groups(&cluster, &whole);
}

/// Campaign, training and prediction wait for one another, also for a task that goes back to the queue.
fn from_campaign_to_prediction(cluster: &Cluster, whole: &Samples) {
    let jobs = Jobs::new(cluster, 12);
    let deck = jobs.place.file("deck.toml");
    let printed = jobs.submit(&script("submit.sh"), &[SMALL], &["3", deck.to_str().unwrap(), "out"]);
    let numbers: Vec<&str> = printed.split([' ', ',', ';']).filter(|w| w.parse::<u32>().is_ok()).collect();
    let [array, train, predict] = numbers[..] else { panic!("{printed}") };
    // Held from its start until the signal is there: it cannot be ready before, however fast it is.
    let mut held = Vec::new();
    wait_until("the second task", || {
        held = jobs.processes("2/3");
        !held.is_empty()
    });
    signal("STOP", &held);
    let task = format!("{array}_2");
    cluster.run("scancel", &["--batch", "--signal=USR1", &task]).unwrap();
    wait_until("the signal", || usr1_is_pending(held[0]));
    signal("CONT", &held);
    jobs.wait();
    let log = jobs.log();
    assert!(log.contains("== part 2/3, task ") && log.contains("requeued 1 times"), "{log}");
    assert_eq!(log.matches("== stopped between samples: back to the queue").count(), 1, "{log}");
    for job in [train, predict] {
        assert_eq!(jobs.state(job), "JobState=COMPLETED ExitCode=0:0", "{log}");
    }
    same(whole, &jobs.place, 3, 12);
    assert!(log.contains("12 snapshots from out/dataset-1-of-3.h5, "), "{log}");
    let file = Reader::open(&jobs.place.file("out/predict.h5")).unwrap();
    assert_eq!(file.shape("/fields/temperature").unwrap()[0], 100);
    assert!(file.array::<f64>("/estimate/temperature").unwrap().1.iter().all(|v| v.is_finite()));
}

/// A task whose program is killed fails; submitted again, it goes on.
fn killed_task(cluster: &Cluster, whole: &Samples) {
    let script = script("campaign.sh");
    let mpirun = ("LAUNCH", "mpirun --oversubscribe");
    let submit = |jobs: &Jobs, variables: &[(&str, &str)], array: &str| {
        let deck = jobs.place.file("deck.toml");
        let log = "--output=%x-%A_%a.log";
        let arguments = ["--parsable", "--ntasks-per-node=1", log, array, &script, deck.to_str().unwrap()];
        jobs.submit("sbatch", &[variables, &[mpirun]].concat(), &arguments)
    };
    let (jobs, array) = in_time(|| {
        let jobs = Jobs::new(cluster, 90);
        let array = submit(&jobs, &[], "--array=1-3");
        let log = jobs.place.file(&format!("campaign-{array}_2.log"));
        wait_until("a sample", || {
            std::fs::read_to_string(&log).is_ok_and(|text| text.contains("samples 1/30"))
        });
        signal("KILL", &jobs.processes("2/3"));
        jobs.wait();
        jobs.state(&format!("{array}_2")).starts_with("JobState=FAILED").then_some((jobs, array))
    });
    let text = jobs.log();
    for task in ["1", "3"] {
        let state = jobs.state(&format!("{array}_{task}"));
        assert_eq!(state, "JobState=COMPLETED ExitCode=0:0", "{text}");
    }
    let before = done(&jobs.place.file("out/dataset-2-of-3.h5"));
    assert!(!before.is_empty() && before.len() < 30, "{before:?}");
    // An array of one task does not know of how many parts.
    let lost = submit(&jobs, &[], "--array=2");
    jobs.wait();
    assert!(jobs.log().contains("some tasks only: say of how many parts"), "{}", jobs.log());
    assert_eq!(jobs.state(&lost), "JobState=FAILED ExitCode=2:0");
    submit(&jobs, &[("PARTS", "3")], "--array=2");
    jobs.wait();
    same(whole, &jobs.place, 3, 90);
    let after = done(&jobs.place.file("out/dataset-2-of-3.h5"));
    assert!(before.iter().all(|(number, values)| after[number] == *values));
}

/// Two groups of two ranks share a job, which goes back to the queue once.
fn groups(cluster: &Cluster, whole: &Samples) {
    let jobs = Jobs::new(cluster, 12);
    let (script, deck) = (script("campaign.sh"), jobs.place.file("deck.toml"));
    let deck = deck.to_str().unwrap();
    let arguments = ["--parsable", "--ntasks-per-node=4", &script, deck, "--set", "campaign.group_ranks=2"];
    let job = jobs.submit("sbatch", &[], &arguments);
    let mut held = Vec::new();
    wait_until("all ranks", || {
        held = jobs.place.processes();
        held.len() == 4
    });
    signal("STOP", &held);
    cluster.run("scancel", &["--batch", "--signal=USR1", &job]).unwrap();
    wait_until("the signal", || held.iter().all(|&pid| usr1_is_pending(pid)));
    signal("CONT", &held);
    jobs.wait();
    let log = jobs.log();
    assert_eq!(jobs.state(&job), "JobState=COMPLETED ExitCode=0:0", "{log}");
    assert_eq!(log.matches("== stopped between samples: back to the queue").count(), 1, "{log}");
    assert!(log.contains("2 groups of 2 ranks"), "{log}");
    equal(whole, &done(&jobs.place.file("out/dataset.h5")), 12);
}
