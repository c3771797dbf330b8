//! Disks that are full, folders that cannot be made or that vanish: a clear message, the run goes on, and earlier
//! checkpoints are not harmed.
use super::decks::LONG;
use crate::program::{Outcome, Place, Small, compare, wait_until};

#[test]
fn a_folder_that_cannot_be_made() {
    let place = Place::new(LONG);
    std::fs::write(place.file("file"), "").unwrap();
    let outcome =
        place.run(2, &["--set", "checkpoint.directory=file/below", "--set", "time.end=0.05"]).expect(0);
    assert!(outcome.err.contains("file/below: cannot make the folder: "), "{}", outcome.err);
    assert!(outcome.err.contains("the run goes on without this checkpoint"), "{}", outcome.err);
    assert!(place.file("out/run.h5").exists());
}

#[test]
fn a_folder_that_vanishes() {
    let whole = Place::new(LONG);
    whole.run(2, &[]).expect(0);
    let place = Place::new(LONG);
    let mut child = place.start(2, &[]);
    for _ in 0..3 {
        wait_until("a checkpoint", || {
            !place.checkpoints().is_empty() || child.try_wait().is_ok_and(|status| status.is_some())
        });
        let _ = std::fs::remove_dir_all(place.file("out/checkpoints"));
    }
    Outcome::new(child.wait_with_output().unwrap()).expect(0);
    let same = compare(&whole.file("out/run.h5"), &place.file("out/run.h5"), 1e-10);
    assert!(same.is_ok(), "{}", same.unwrap_err());
    // It was made again.
    assert_eq!(place.checkpoints().len(), 2);
}

#[test]
fn a_full_disk() {
    let place = Place::new(LONG);
    let Some(disk) = Small::mount(place.file("disk"), 400) else {
        println!("skipped: this user cannot mount a small file system");
        return;
    };
    let whole = Place::new(LONG);
    whole.run(2, &[]).expect(0);
    // Not even for the result.
    let outcome = place.run(2, &["--set", "output.directory=disk", "--set", "output.frames=100"]).expect(1);
    assert!(outcome.err.contains("error: disk/run.h5: there is no room for "), "{}", outcome.err);
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 0);
    // Room for few checkpoints.
    let arguments = ["--set", "checkpoint.directory=disk", "--set", "checkpoint.keep=1000"];
    for ranks in [1, 3] {
        let outcome = place.run(ranks, &arguments).expect(0);
        assert!(outcome.err.contains("h5: there is no room for "), "{}", outcome.err);
        assert!(outcome.err.contains("the run goes on without this checkpoint"), "{}", outcome.err);
        let same = compare(&whole.file("out/run.h5"), &place.file("out/run.h5"), 1e-10);
        assert!(same.is_ok(), "{}", same.unwrap_err());
        // What is there is whole, and nothing half-written is left.
        let names: Vec<String> = std::fs::read_dir(disk.path())
            .unwrap()
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect();
        assert!(!names.is_empty() && names.iter().all(|name| name.ends_with(".h5")), "{names:?}");
        let mut again = vec!["--restart", "latest"];
        again.extend(arguments);
        let outcome = place.run(2, &again).expect(0);
        assert!(
            !outcome.err.contains("damaged") && outcome.out.contains("restart      from"),
            "{}",
            outcome.err
        );
    }
}
