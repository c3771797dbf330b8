//! Campaigns in groups that are killed or stopped at any moment: finished samples stay, every sample is solved once, on
//! whatever ranks and groups the campaign goes on.
//!
//! `KILLS=20` for more kills of each campaign, `KILL_SEED` for other instants.
use crate::program::{Outcome, Place, signal, wait_until};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tessera::storage::Reader;

const SAMPLES: usize = 500;

/// Hundreds of small samples.
const DECK: &str = r#"
[mesh]
box = { cell = "triangle", cells = [24, 24] }
[parameters]
k = { default = 2.0, range = [1.0, 5.0] }
s = { default = 4.0, range = [0.0, 9.0] }
[[physics]]
model = "diffusion"
conductivity = "1 + k*x"
source = "sqrt(s)"
boundary = [{ marker = "left", value = "1 + 0.1*k*y" }]
[[quantity]]
name = "mean"
kind = "average"
[campaign]
samples = 500
[solver]
method = "direct"
tolerance = 1e-12
[output]
directory = "out"
"#;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn start(place: &Place, ranks: usize, groups: &str) -> std::process::Child {
    let mut command = place.tessera(ranks, "campaign", &["--set", &format!("campaign.group_ranks={groups}")]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("mpirun starts")
}

fn ended(child: &mut std::process::Child) -> bool {
    child.try_wait().is_ok_and(|status| status.is_some())
}

/// What a dataset holds: status, quantity and field of every sample.
#[derive(Debug, Clone)]
struct Content {
    status: Vec<u8>,
    mean: Vec<f64>,
    fields: Vec<f64>,
}

impl Content {
    /// Readable at any moment.
    fn read(path: &Path) -> Self {
        let reader = Reader::open(path).unwrap_or_else(|e| panic!("{e}"));
        let status = reader.array::<u8>("/status").unwrap().1;
        let (mean, fields) = ["/qoi/mean", "/fields/u"].map(|p| reader.array::<f64>(p).unwrap().1).into();
        Self { status, mean, fields }
    }

    fn done(&self) -> usize {
        self.status.iter().filter(|&&status| status == 1).count()
    }

    /// Every sample that is done here is as in `whole`, and those done in `before` have not been touched since.
    fn check(&self, whole: &Self, before: Option<&Self>) {
        let width = self.fields.len() / self.status.len();
        for sample in (0..self.status.len()).filter(|&i| self.status[i] == 1) {
            let row = |content: &Self| content.fields[sample * width..][..width].to_vec();
            let apart = row(self).iter().zip(row(whole)).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()));
            assert!(
                apart < 1e-9 && (self.mean[sample] - whole.mean[sample]).abs() < 1e-9,
                "{sample}: {apart:e}"
            );
            if let Some(before) = before.filter(|before| before.status[sample] == 1) {
                assert!(row(self) == row(before), "sample {sample} was solved twice");
            }
        }
    }
}

fn whole() -> Content {
    let place = Place::new(DECK);
    Outcome::new(start(&place, 2, "all").wait_with_output().unwrap()).expect(0);
    let whole = Content::read(&place.file("out/dataset.h5"));
    assert_eq!(whole.done(), SAMPLES);
    whole
}

#[test]
fn killed_campaigns_solve_every_sample_once() {
    let (kills, seed) = (setting("KILLS", 3), setting("KILL_SEED", 7));
    let whole = whole();
    let mut random = SmallRng::seed_from_u64(seed);
    let mut hits = 0;
    for settings in [[(4, "1"), (3, "1"), (2, "all"), (4, "2")], [(3, "2"), (4, "3"), (1, "1"), (4, "auto")]]
    {
        let place = Place::new(DECK);
        let path = place.file("out/dataset.h5");
        let mut before: Option<Content> = None;
        for kill in 0..kills as usize {
            let (ranks, groups) = settings[kill % settings.len()];
            let mut child = start(&place, ranks, groups);
            let old = before.as_ref().map_or(0, Content::done);
            let aim = old + random.random_range(0..150);
            // At any moment, now and then while the file is made.
            wait_until("some samples are done", || {
                std::thread::sleep(Duration::from_millis(4));
                let done = || Reader::open(&path).and_then(|r| r.array::<u8>("/status"));
                let count = |s: Vec<u8>| s.iter().filter(|&&s| s == 1).count();
                ended(&mut child) || (path.exists() && done().is_ok_and(|(_, s)| count(s) >= aim))
            });
            std::thread::sleep(Duration::from_micros(random.random_range(0..5000)));
            let all = place.processes();
            let one = random.random_bool(0.5) && !all.is_empty();
            signal("KILL", &if one { vec![all[random.random_range(0..all.len())]] } else { all });
            wait_until("mpirun ends after a kill", || ended(&mut child));
            wait_until("no process is left", || place.processes().is_empty());
            let about = format!("kill {kill}, {ranks} ranks in groups of {groups}, seed {seed}");
            println!("{about}: {:?}", child.wait().unwrap().code());
            if path.exists() {
                let now = Content::read(&path);
                now.check(&whole, before.as_ref());
                println!("    {} samples are done", now.done());
                hits += usize::from(now.done() > old && now.done() < SAMPLES);
                before = Some(now);
            }
        }
        let (ranks, groups) = settings[3];
        Outcome::new(start(&place, ranks, groups).wait_with_output().unwrap()).expect(0);
        let now = Content::read(&path);
        now.check(&whole, before.as_ref());
        assert_eq!(now.done(), SAMPLES);
    }
    assert!(hits as u64 >= kills, "too few kills hit the campaigns: {hits}");
}

/// Fronts of different steepness, of which every step is kept.
const STEPS: &str = r#"
mesh.box = { cell = "interval", cells = [400] }
parameters.nu = { default = 0.02, range = [0.005, 0.1] }
time = { end = 0.3, step = 0.01, tolerance = 1e-4 }
[[physics]]
model = "burgers"
field = "u"
viscosity = "nu"
boundary = [{ marker = ["left", "right"], value = 0 }]
[[initial]]
value = "sin(2*pi*x)"
[campaign]
samples = 60
frames = "steps"
steps = 500
[solver]
method = "direct"
[output]
directory = "out"
"#;

#[test]
fn killed_campaigns_that_keep_every_step_go_on() {
    let read = |path: &Path| {
        let file = Reader::open(path).unwrap_or_else(|e| panic!("{e}"));
        let status = file.array::<u8>("/status").unwrap().1;
        let steps = file.array::<u64>("/steps").unwrap().1;
        let (times, fields) =
            ["/time", "/fields/u"].map(|path| file.array::<f64>(path).unwrap()).map(|array| array.1).into();
        (status, steps, times, fields)
    };
    let sample = |(_, steps, times, fields): &(Vec<u8>, Vec<u64>, Vec<f64>, Vec<f64>), number: usize| {
        let steps = steps[number] as usize;
        (times[number * 501..][..steps].to_vec(), fields[number * 501 * 401..][..steps * 401].to_vec())
    };
    let whole = Place::new(STEPS);
    Outcome::new(start(&whole, 2, "1").wait_with_output().unwrap()).expect(0);
    let whole = read(&whole.file("out/dataset.h5"));
    let place = Place::new(STEPS);
    let path = place.file("out/dataset.h5");
    let mut child = start(&place, 2, "1");
    let done = || match Reader::open(&path).and_then(|file| file.array::<u8>("/status")) {
        Ok((_, status)) => status.iter().filter(|&&s| s == 1).count(),
        Err(_) => 0,
    };
    wait_until("some samples are done", || ended(&mut child) || done() > 5);
    signal("KILL", &place.processes());
    wait_until("mpirun ends after a kill", || ended(&mut child));
    wait_until("no process is left", || place.processes().is_empty());
    let before = read(&path);
    let there: Vec<usize> = (0..60).filter(|&number| before.0[number] == 1).collect();
    assert!(there.len() > 5 && there.len() < 60, "{} samples were done", there.len());
    there.iter().for_each(|&number| assert!(sample(&before, number) == sample(&whole, number), "{number}"));
    Outcome::new(start(&place, 3, "1").wait_with_output().unwrap()).expect(0);
    let after = read(&path);
    (0..60).for_each(|number| assert!(sample(&after, number) == sample(&whole, number), "{number}"));
    assert!(after.1.iter().max() > after.1.iter().min());
}

#[test]
fn a_file_ends_all_groups() {
    let place = Place::new(&DECK.replace("[24, 24]", "[80, 80]"));
    let path = place.file("out/dataset.h5");
    let mut child = start(&place, 2, "1");
    wait_until("the dataset is there", || ended(&mut child) || path.exists());
    std::fs::write(place.file("out/stop"), "").unwrap();
    wait_until("the campaign ends", || ended(&mut child));
    let outcome = Outcome::new(child.wait_with_output().unwrap()).expect(75);
    assert!(outcome.err.contains("the same command goes on with the others"), "{}", outcome.err);
    assert!(!place.file("out/stop").exists() && Content::read(&path).done() < SAMPLES);
}

#[test]
fn a_signal_to_one_rank_ends_all_groups() {
    for (name, ranks, groups) in [("USR1", 4, "1"), ("TERM", 3, "2")] {
        let place = Place::new(DECK);
        let path = place.file("out/dataset.h5");
        let mut child = start(&place, ranks, groups);
        wait_until("the dataset is there", || ended(&mut child) || path.exists());
        std::thread::sleep(Duration::from_millis(30));
        let last: Vec<u32> = place.processes().into_iter().max().into_iter().collect();
        signal(name, &last);
        wait_until("the campaign ends", || ended(&mut child));
        let outcome = Outcome::new(child.wait_with_output().unwrap()).expect(75);
        assert!(outcome.err.contains("the same command goes on with the others"), "{}", outcome.err);
        let done = Content::read(&path).done();
        assert!(outcome.err.contains(&format!("{done} of {SAMPLES} samples are solved")), "{}", outcome.err);
        assert!(place.processes().is_empty());
        Outcome::new(start(&place, 2, "1").wait_with_output().unwrap()).expect(0);
        assert_eq!(Content::read(&path).done(), SAMPLES);
    }
}
