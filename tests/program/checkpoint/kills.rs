//! Kills at random instants, many while a checkpoint is being written: a whole checkpoint is left, nothing hangs, no
//! process stays, and the restart gives the answer of a run that was left alone.
//!
//! `KILLS=50` for more instants, `KILL_SEED` for others.
use super::decks::LONG;
use crate::program::{Outcome, Place, compare, signal, wait_until};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn killed_runs_lose_nothing() {
    let (kills, seed) = (setting("KILLS", 12) as usize, setting("KILL_SEED", 4));
    let whole = Place::new(LONG);
    let start = Instant::now();
    whole.run(2, &[]).expect(0);
    let length = start.elapsed();
    let (next, counts) = (AtomicUsize::new(0), Mutex::new([0usize; 3]));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= kills {
                        break;
                    }
                    let outcome = killed(&whole, length, number, seed + number as u64);
                    counts.lock().expect("no panic while locked")[outcome] += 1;
                }
            });
        }
    });
    let [begun, interrupted, done] = counts.into_inner().expect("no panic while locked");
    println!(
        "{kills} kills: {interrupted} after a checkpoint, {begun} before the first, {done} after the end"
    );
    assert!(interrupted * 2 > kills, "too few kills hit the run: {interrupted} of {kills}");
}

/// Kills one run and lets it go on; 0 when it had no checkpoint yet, 1 when it had, 2 when it was done.
fn killed(whole: &Place, length: Duration, number: usize, seed: u64) -> usize {
    let mut random = SmallRng::seed_from_u64(seed);
    let place = Place::new(LONG);
    let ranks = random.random_range(1..=4);
    let mut child = place.start(ranks, &[]);
    // Every other time while a checkpoint is being written, else at any time.
    let writing = number.is_multiple_of(2);
    if writing {
        let wanted = random.random_range(1..80);
        let (mut seen, mut before) = (0, false);
        wait_until("a checkpoint is being written", || {
            let now = std::fs::read_dir(place.file("out/checkpoints"))
                .into_iter()
                .flatten()
                .flatten()
                .any(|e| e.file_name().to_string_lossy().ends_with(".partial"));
            seen += usize::from(now && !before);
            before = now;
            seen >= wanted || child.try_wait().is_ok_and(|status| status.is_some())
        });
        std::thread::sleep(Duration::from_micros(random.random_range(0..3000)));
    } else {
        std::thread::sleep(length.mul_f64(random.random_range(0.1..1.0)));
    }
    let all = place.processes();
    let one = random.random_bool(0.5) && !all.is_empty();
    let victims = if one { vec![all[random.random_range(0..all.len())]] } else { all };
    signal("KILL", &victims);
    wait_until("mpirun ends after a kill", || child.try_wait().is_ok_and(|status| status.is_some()));
    let ended = Outcome::new(child.wait_with_output().expect("it has ended"));
    wait_until("no process is left", || place.processes().is_empty());

    let there = !place.checkpoints().is_empty();
    let again = random.random_range(1..=3);
    let restarted = place.run(again, &["--restart", "latest"]);
    let about =
        format!("kill {number} (seed {seed}), {ranks} -> {again}, {} victims: {}", victims.len(), ended.err);
    assert_eq!(restarted.code, Some(0), "{about}\n{}\n{}", restarted.out, restarted.err);
    // No damage: what a kill interrupts never gets the name of a checkpoint.
    assert!(!restarted.err.contains("damaged"), "{about}\n{}", restarted.err);
    if there {
        assert!(restarted.out.contains("restart      from"), "{about}\n{}", restarted.out);
    }
    let same = compare(&whole.file("out/run.h5"), &place.file("out/run.h5"), 1e-10);
    assert!(same.is_ok(), "{about}: {}", same.unwrap_err());
    match (ended.code, there) {
        (Some(0), _) => 2,
        (_, there) => usize::from(there),
    }
}
