//! Flipped bytes and cut ends at random places of a checkpoint: found, named, and the one before is taken.
//!
//! `DAMAGES=200` for more places.
use super::decks::HEAT;
use crate::program::{Place, compare};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn damage_is_found_and_named() {
    let places = std::env::var("DAMAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(40);
    let whole = Place::new(HEAT);
    whole.run(1, &[]).expect(0);
    let checkpoints = whole.checkpoints();
    let newest = checkpoints.last().unwrap();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= places {
                        break;
                    }
                    damaged(&whole, newest, number);
                }
            });
        }
    });
}

fn damaged(whole: &Place, newest: &Path, number: usize) {
    let mut random = SmallRng::seed_from_u64(number as u64);
    let place = whole.copy();
    let name = newest.file_name().unwrap().to_str().unwrap();
    let path = place.file("out/checkpoints").join(name);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = random.random_range(0..bytes.len());
    let what = if number % 4 == 3 {
        bytes.truncate(at);
        format!("cut at {at}")
    } else {
        bytes[at] ^= random.random_range(1..=255u8);
        format!("byte {at} changed")
    };
    std::fs::write(&path, &bytes).unwrap();
    let ranks = if number.is_multiple_of(8) { 2 } else { 1 };
    let outcome = place.run(ranks, &["--restart", "latest"]);
    assert_eq!(outcome.code, Some(0), "{what}: {}\n{}", outcome.out, outcome.err);
    let named = outcome
        .err
        .lines()
        .any(|line| line.starts_with("warning: ") && line.contains(name) && line.contains(": damaged: its "));
    assert!(named, "{what}: {}\n{}", outcome.out, outcome.err);
    assert!(outcome.out.contains("restart      from"), "{what}: {}", outcome.out);
    let same = compare(&whole.file("out/run.h5"), &place.file("out/run.h5"), 1e-10);
    assert!(same.is_ok(), "{what}: {}", same.unwrap_err());
}

/// Named by hand it is no reason to take another.
#[test]
fn a_damaged_file_asked_for_by_name_is_refused() {
    let place = Place::new(HEAT);
    place.run(1, &[]).expect(0);
    let path = place.checkpoints().pop().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    for ranks in [1, 3] {
        let outcome = place.run(ranks, &["--restart", path.to_str().unwrap()]).expect(1);
        assert!(outcome.err.contains("run-00000072.h5: damaged: its "), "{}", outcome.err);
        assert_eq!(
            outcome.err.lines().filter(|line| line.starts_with("error: ")).count(),
            1,
            "{}",
            outcome.err
        );
    }
    // With none whole, nothing is started anew without being told to.
    place.checkpoints().iter().for_each(|path| std::fs::write(path, "nothing").unwrap());
    let outcome = place.run(2, &["--restart", "latest"]).expect(2);
    assert!(outcome.err.contains("no checkpoint is whole"), "{}", outcome.err);
}
