//! Signals, decks that changed, and result files that are missing.
use super::decks::{HEAT, LONG};
use crate::program::{Outcome, Place, WATCHDOG, compare, signal, wait_until};
use mpi_harness::mpirun;

/// Starts a run, sends a signal once there is a checkpoint, and expects exit code 75.
fn stopped(place: &Place, ranks: usize, arguments: &[&str], send: impl FnOnce(u32, &[u32])) -> Outcome {
    let mut child = place.start(ranks, arguments);
    wait_until("a checkpoint", || {
        !place.checkpoints().is_empty() || child.try_wait().is_ok_and(|status| status.is_some())
    });
    send(child.id(), &place.processes());
    wait_until("the run ends", || child.try_wait().is_ok_and(|status| status.is_some()));
    Outcome::new(child.wait_with_output().expect("it has ended")).expect(75)
}

/// mpirun's own process: the child of the watchdog.
fn mpirun_of(watchdog: u32) -> Vec<u32> {
    let children = format!("/proc/{watchdog}/task/{watchdog}/children");
    let list = std::fs::read_to_string(children).unwrap_or_default();
    list.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

#[test]
fn signals_make_a_checkpoint_and_end_with_75() {
    let whole = Place::new(LONG);
    whole.run(2, &[]).expect(0);
    for (name, all) in [("USR1", false), ("TERM", false), ("INT", false), ("USR1", true)] {
        let place = Place::new(LONG);
        let outcome = stopped(&place, 2, &[], |watchdog, ranks| match all {
            // mpirun passes it on.
            true => signal(name, &mpirun_of(watchdog)),
            false => signal(name, &ranks[..1]),
        });
        assert!(outcome.err.contains("stopped early: step "), "{}", outcome.err);
        assert!(outcome.out.contains("checkpoint   step "), "{}", outcome.out);
        assert!(place.file("out/run.h5.partial").exists() && !place.file("out/run.h5").exists());
        assert!(place.processes().is_empty());
        place.run(2, &["--restart", "latest"]).expect(0);
        let same = compare(&whole.file("out/run.h5"), &place.file("out/run.h5"), 1e-10);
        assert!(same.is_ok(), "{}", same.unwrap_err());
        assert_eq!(place.checkpoints().len(), 2);
    }
}

#[test]
fn files_ask_for_output_and_for_the_end() {
    // Steps enough for two looks.
    let longer = LONG.replace("[16, 16]", "[40, 40]");
    let (whole, place) = (Place::new(&longer), Place::new(&longer));
    whole.run(2, &[]).expect(0);
    // Left by another run.
    std::fs::create_dir_all(place.file("out")).unwrap();
    std::fs::write(place.file("out/stop"), "").unwrap();
    let mut child = place.start(2, &[]);
    let mut ended = || child.try_wait().is_ok_and(|status| status.is_some());
    wait_until("a checkpoint", || !place.checkpoints().is_empty() || ended());
    assert!(!ended(), "what another run has left does not stop it");
    for name in ["output_now", "stop"] {
        std::fs::write(place.file("out").join(name), "").unwrap();
        wait_until("the file is seen", || !place.file("out").join(name).exists() || ended());
    }
    wait_until("the run ends", ended);
    let outcome = Outcome::new(child.wait_with_output().expect("it has ended")).expect(75);
    assert!(outcome.err.contains("stopped early: step "), "{}", outcome.err);
    let line = outcome.out.lines().find(|line| line.starts_with("output       step ")).expect("output");
    let step: usize = line.split_whitespace().nth(2).unwrap().trim_end_matches(',').parse().unwrap();
    let file = tessera::storage::Reader::open(&place.file(&format!("out/run-step-{step:08}.h5"))).unwrap();
    let (_, values) = file.array::<f64>("/fields/u").unwrap();
    assert!(!values.is_empty() && values.iter().all(|v| v.is_finite()));
    assert!(file.array::<f64>("/time").unwrap().1[0] > 0.0);
    assert!(!place.file("out/stop").exists());
    // Neither changes the answer.
    place.run(2, &["--restart", "latest"]).expect(0);
    let same = compare(&whole.file("out/run.h5"), &place.file("out/run.h5"), 1e-10);
    assert!(same.is_ok(), "{}", same.unwrap_err());
}

#[test]
fn a_second_interruption_ends_at_once() {
    let place = Place::new(LONG);
    // Steps that take longer than the two signals.
    let mut child =
        place.start(1, &["--set", "mesh.box.cells=[400, 400]", "--set", "checkpoint.every_steps=1000"]);
    wait_until("the run starts", || place.file("out/run.h5.partial").exists());
    for _ in 0..2 {
        signal("INT", &place.processes());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    wait_until("the run ends", || child.try_wait().is_ok_and(|status| status.is_some()));
    Outcome::new(child.wait_with_output().expect("it has ended")).expect(130);
    assert!(place.checkpoints().is_empty());
}

#[test]
fn a_chain_of_restarts_gives_the_same_answer() {
    let whole = Place::new(LONG);
    whole.run(1, &[]).expect(0);
    let place = Place::new(LONG);
    // The first link starts from the beginning, as in a script that is one line.
    let mut links = 0;
    loop {
        let ranks = [1, 3, 2][links % 3];
        let mut child = place.start(ranks, &["--restart", "latest"]);
        let before = place.checkpoints();
        wait_until("a new checkpoint", || {
            place.checkpoints().last() != before.last()
                || child.try_wait().is_ok_and(|status| status.is_some())
        });
        std::thread::sleep(std::time::Duration::from_millis(150));
        signal("USR1", &place.processes());
        wait_until("the link ends", || child.try_wait().is_ok_and(|status| status.is_some()));
        let outcome = Outcome::new(child.wait_with_output().expect("it has ended"));
        links += 1;
        if links == 1 {
            assert!(outcome.out.contains("from the beginning"), "{}", outcome.out);
        }
        match outcome.code {
            Some(75) if links < 8 => {}
            Some(75) => {
                place.run(2, &["--restart", "latest"]).expect(0);
                break;
            }
            _ => {
                outcome.expect(0);
                break;
            }
        }
    }
    let same = compare(&whole.file("out/run.h5"), &place.file("out/run.h5"), 1e-10);
    assert!(links > 1 && same.is_ok(), "{links} links: {}", same.unwrap_err());
}

#[test]
fn a_deck_that_changed_goes_on_or_is_refused() {
    let whole = Place::new(HEAT);
    whole.run(2, &[]).expect(0);
    let from = whole.checkpoints()[1].clone();
    let name = from.file_name().unwrap().to_str().unwrap().to_string();
    let restart = |place: &Place, changes: &[&str]| {
        let path = place.file("out/checkpoints").join(&name);
        let mut arguments = vec!["--restart", path.to_str().unwrap()];
        changes.iter().for_each(|change| arguments.extend(["--set", change]));
        place.run(2, &arguments)
    };
    // A later end and more frames: those that are written stay.
    let place = whole.copy();
    let outcome =
        restart(&place, &["time.end=1.2", "output.frames=6", "title=longer", "checkpoint.keep=3"]).expect(0);
    assert!(outcome.out.contains("changed since the checkpoint: "), "{}", outcome.out);
    let file = tessera::storage::Reader::open(&place.file("out/run.h5")).unwrap();
    let (_, times) = file.array::<f64>("/time").unwrap();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]) && *times.last().unwrap() == 1.2, "{times:?}");
    assert_eq!(file.shape("/fields/temperature").unwrap()[0] as usize, times.len());
    // Once more from a later checkpoint of that run, as it was.
    place.run(1, &["--restart", "latest", "--set", "time.end=1.2", "--set", "output.frames=6"]).expect(0);

    let place = whole.copy();
    let changes =
        ["mesh.box.cells=[9, 8]", "physics.heat.degree=1", "time.scheme=bdf1", "physics.heat.capacity=2"];
    let outcome = restart(&place, &changes).expect(2);
    for key in ["mesh.box.cells", "physics[0].degree", "time.scheme", "physics[0].capacity"] {
        assert!(outcome.err.contains(&format!(" {key}: ")), "{key}: {}", outcome.err);
    }
    let same = compare(&whole.file("out/run.h5"), &place.file("out/run.h5"), 0.0);
    assert!(same.is_ok(), "a refused restart must not touch the result");
}

#[test]
fn a_result_file_that_is_missing_is_named() {
    let place = Place::new(HEAT);
    place.run(1, &[]).expect(0);
    let saved = place.copy();
    std::fs::remove_file(place.file("out/run.h5")).unwrap();
    let outcome = place.run(2, &["--restart", "latest"]).expect(2);
    assert!(
        outcome.err.contains("out/run.h5.partial with the frames written so far is missing"),
        "{}",
        outcome.err
    );
    // Of another run.
    let other = Place::new(HEAT);
    other.run(1, &["--set", "checkpoint.directory=elsewhere"]).expect(0);
    std::fs::copy(other.file("out/run.h5"), saved.file("out/run.h5")).unwrap();
    let outcome = saved.run(2, &["--restart", "latest"]).expect(2);
    assert!(outcome.err.contains("is of the run that it belongs to"), "{}", outcome.err);
    // A kill while it was being completed: HDF5 cannot read it, the frames are there.
    let whole = Place::new(HEAT);
    whole.run(1, &[]).expect(0);
    let place = whole.copy();
    let mut bytes = std::fs::read(place.file("out/run.h5")).unwrap();
    bytes[..64].fill(0);
    std::fs::remove_file(place.file("out/run.h5")).unwrap();
    std::fs::write(place.file("out/run.h5.partial"), bytes).unwrap();
    place.run(1, &["--restart", "latest"]).expect(0);
    let same = compare(&whole.file("out/run.h5"), &place.file("out/run.h5"), 0.0);
    assert!(same.is_ok(), "{}", same.unwrap_err());
}

#[test]
fn a_steady_run_has_no_checkpoints() {
    let deck = "mesh.box = { cell = \"interval\", cells = [4] }\n[[physics]]\nmodel = \"diffusion\"\n\
                boundary = [{ marker = \"left\", value = 1.0 }]\n";
    let place = Place::new(deck);
    let outcome = place.run(2, &["--restart", "latest"]).expect(2);
    assert!(outcome.err.contains("a run without [time] has no checkpoints"), "{}", outcome.err);
}

/// A rank whose solver alone is misconfigured, while the other waits for it.
#[test]
fn the_failure_of_one_rank_ends_all() {
    let place = Place::new(LONG);
    let start = std::time::Instant::now();
    // By the rank in the environment: the mpirun of Open MPI 5.0.7 ends by a fault on `-n 1 one : -n 1 other`.
    let script = format!(
        "[ ${{OMPI_COMM_WORLD_RANK:-$PMI_RANK}} = 1 ] && other='-- -heat_ksp_type nonsense'; exec {} run {} $other",
        env!("CARGO_BIN_EXE_tessera"),
        place.file("deck.toml").display()
    );
    let mut command = mpirun(WATCHDOG, 2, "sh");
    let outcome = Outcome::new(
        command.args(["-c", &script]).current_dir(place.path()).output().expect("mpirun starts"),
    );
    assert_eq!(outcome.code, Some(1), "{}\n{}", outcome.out, outcome.err);
    assert!(outcome.err.contains("error: rank 1 failed alone: "), "{}", outcome.err);
    assert!(start.elapsed().as_secs() < 40 && place.processes().is_empty());
}

/// A jump that the steps may not be short enough for; then they may.
#[test]
fn a_run_that_fails_goes_on_with_another_setting() {
    let deck = LONG
        .replace("step = 0.01\n", "step = 0.01\ntolerance = 1e-3\nshortest = 0.008\n")
        .replace(
            "source = \"10*exp(-20*((x - 0.3 - 0.4*t)^2 + (y - 0.6)^2))\"",
            "source = \"100*step(t - 0.5)*x\"",
        )
        .replace("value = 0.0", "value = 1.0")
        .replace("value = \"x*y\"", "value = 1.0")
        .replace("every_steps = 1,", "every_steps = 1000,");
    let place = Place::new(&deck);
    let outcome = place.run(2, &[]).expect(1);
    assert!(outcome.err.contains("run.h5 holds everything up to t = "), "{}", outcome.err);
    assert_eq!(place.checkpoints().len(), 1, "{}", outcome.out);
    let outcome = place.run(1, &["--restart", "latest", "--set", "time.shortest=1e-9"]).expect(0);
    assert!(outcome.out.contains("changed since the checkpoint: time.shortest"), "{}", outcome.out);
    let file = tessera::storage::Reader::open(&place.file("out/run.h5")).unwrap();
    assert_eq!(file.array::<f64>("/time").unwrap().1.len(), 11);
    assert!(file.array::<f64>("/fields/u").is_ok_and(|(_, values)| values.iter().all(|v| v.is_finite())));
}
