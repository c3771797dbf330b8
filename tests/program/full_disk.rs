//! A full disk ends every command on all ranks: soon, with one message, and without half a file.
use crate::program::{Outcome, Place, Small, fails_fast};
use mpi_harness::mpirun;
use std::path::{Path, PathBuf};
use std::process::Command;

const DECK: &str = r#"
    [mesh]
    box = { cell = "quadrilateral", cells = [32, 32] }
    [parameters]
    power = { default = 50.0, range = [10.0, 100.0] }
    [[physics]]
    model = "diffusion"
    field = "temperature"
    conductivity = "1 + 0.5*x"
    source = "power*exp(-40*((x - 0.3)^2 + (y - 0.6)^2))"
    [[physics.boundary]]
    marker = ["left", "right"]
    value = 300.0
    [[quantity]]
    name = "peak"
    kind = "maximum"
    [campaign]
    samples = 8
"#;

/// Runs the program in a folder, ended after a time in which it would long be over.
fn run(folder: &Path, ranks: usize, arguments: &[&str]) -> Outcome {
    let mut command = mpirun(60, ranks, env!("CARGO_BIN_EXE_tessera"));
    Outcome::new(fails_fast(command.args(arguments).current_dir(folder)).output().expect("mpirun starts"))
}

fn names(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).collect()
}

#[test]
fn every_command_ends_at_once() {
    let place = Place::new(DECK);
    for word in ["run", "campaign", "train"] {
        run(place.path(), 2, &[word, "deck.toml", "-q"]).expect(0);
    }
    // From the first byte to the last, and within compressed data, whose size nobody knows beforehand.
    let run_sizes = [4, 24, 64];
    let commands: [(&[&str], &[u32]); 5] = [
        (&["run", "deck.toml", "-q", "-o", "disk"], &run_sizes),
        (&["campaign", "deck.toml", "-q", "-o", "disk"], &[64, 120]),
        (&["train", "deck.toml", "-q", "--dataset", "out/dataset.h5", "-o", "disk"], &[64]),
        (&["predict", "out/model.h5", "--samples", "20", "--fields", "-q", "-o", "disk"], &[64, 200]),
        (&["export", "out/dataset.h5", "--grid", "64", "--output", "disk/grid.h5"], &[64, 100]),
    ];
    for (arguments, sizes) in commands {
        for &kilobytes in sizes {
            for ranks in [1, 2, 3] {
                let Some(disk) = Small::mount(place.file("disk"), kilobytes) else {
                    println!("skipped: this user cannot mount a small file system");
                    return;
                };
                let outcome = run(place.path(), ranks, arguments);
                let what = format!("{arguments:?}, {kilobytes} kB, {ranks} ranks: {outcome:?}");
                assert_eq!(outcome.code, Some(1), "{what}");
                let errors: Vec<&str> = outcome.err.lines().filter(|l| l.starts_with("error:")).collect();
                assert!(errors.len() == 1 && errors[0].contains("disk/"), "{what}");
                assert!(!outcome.err.contains("signal"), "{what}");
                assert!(names(disk.path()).is_empty(), "{what}: {:?}", names(disk.path()));
            }
        }
    }
}

#[test]
fn a_limit_of_file_sizes_is_an_error() {
    let place = Place::new(DECK);
    run(place.path(), 1, &["run", "deck.toml", "-q"]).expect(0);
    for format in ["vtu", "csv"] {
        let line = format!(
            "ulimit -f 8; exec {} export out/run.h5 --format {format} --output limited.{format}",
            env!("CARGO_BIN_EXE_tessera")
        );
        let output = Command::new("sh").args(["-c", &line]).current_dir(place.path()).output();
        let outcome = Outcome::new(output.expect("sh starts")).expect(1);
        assert!(outcome.err.starts_with("error: limited") && outcome.err.lines().count() == 1, "{outcome:?}");
        let left = |path: &PathBuf| path.to_string_lossy().contains("limited");
        assert!(!names(place.path()).iter().any(left), "{:?}", names(place.path()));
    }
}
