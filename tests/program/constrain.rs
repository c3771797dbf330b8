//! The case of `input/experts`: predictions that are other samples' solutions, repaired to every level.
use crate::program::{Outcome, WATCHDOG, fails_fast};
use hdf5::File;
use mpi_harness::mpirun;
use ndarray::{Array2, Array3, Axis, s};
use std::path::Path;
use tessera::storage::Reader;

const SAMPLES: usize = 3;

fn tessera(folder: &Path, ranks: usize, words: &[&str]) -> Outcome {
    let mut command = mpirun(WATCHDOG, ranks, env!("CARGO_BIN_EXE_tessera"));
    let deck = Path::new(env!("CARGO_MANIFEST_DIR")).join("input/experts/plate.toml");
    command.arg(words[0]).arg(deck).args(&words[1..]).args(["--set", "mesh.box.cells=[24, 12]"]);
    command.args(["--set", "partition.experts=6", "--set", "campaign.samples=3"]);
    command.current_dir(folder).env("RAYON_NUM_THREADS", "1");
    Outcome::new(fails_fast(&mut command).output().expect("mpirun starts"))
}

/// A sample's parameters with the solution of the next one.
fn mix_up(dataset: &Path, target: &Path) {
    let (from, to) = (File::open(dataset).expect("a dataset"), File::create(target).expect("a file"));
    let fields: Array3<f64> = from.dataset("fields/temperature").and_then(|d| d.read()).expect("a field");
    let parameters: Array2<f64> = from.dataset("parameters").and_then(|d| d.read()).expect("parameters");
    let nodes: Array2<f32> = from.dataset("mesh/geometry").and_then(|d| d.read()).expect("nodes");
    let group = to.create_group("fields").expect("a group");
    let turned = ndarray::concatenate![Axis(0), fields.slice(s![1.., .., 0]), fields.slice(s![..1, .., 0])];
    let turned = turned.mapv(|v| v as f32);
    group.new_dataset_builder().with_data(&turned).create("temperature").expect("a dataset");
    to.new_dataset_builder().with_data(&nodes).create("nodes").expect("a dataset");
    let group = to.create_group("parameters").expect("a group");
    for (i, name) in ["place", "power", "inlet"].into_iter().enumerate() {
        let column = parameters.column(i).to_owned();
        group.new_dataset_builder().with_data(&column).create(name).expect("a dataset");
    }
}

#[test]
fn every_level_mends_what_it_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    tessera(folder, 2, &["campaign"]).expect(0);
    mix_up(&folder.join("out/dataset.h5"), &folder.join("guess.h5"));
    let read = |path: &str, name: &str| {
        let reader = Reader::open(&folder.join(path)).expect("a file");
        reader.array::<f64>(name).unwrap_or_else(|e| panic!("{path} {name}: {e}")).1
    };
    let truth = read("out/dataset.h5", "/fields/temperature");
    let mut errors = Vec::new();
    for level in ["none", "boundary", "conservation", "exact"] {
        let mut first: Option<Vec<f64>> = None;
        for ranks in [1, 2, 3] {
            let words = ["constrain", "guess.h5", "--level", level, "--truth", "--output", level];
            let shown = tessera(folder, ranks, &words).expect(0).out;
            assert!(
                shown.contains(&format!("heat: level {level}, 6 experts; distances in the energy norm")),
                "{shown}"
            );
            let file = format!("{level}/constrain.h5");
            let fields = read(&file, "/fields/temperature");
            // Groups of one rank, whose experts have the same shapes.
            let first = first.get_or_insert_with(|| fields.clone());
            let apart = first.iter().zip(&fields).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
            assert!(apart < 1e-6, "{level} on {ranks} ranks: {apart:.1e} K");
            let repair = read(&file, "/repair/heat");
            for row in repair.chunks_exact(14) {
                let [imbalance, boundary, moved] = [row[1], row[5], row[7]];
                assert!((boundary == 0.0) == (level != "none"), "{level}: {row:?}");
                assert!((imbalance < 1e-6) == ["conservation", "exact"].contains(&level), "{level}: {row:?}");
                assert!((moved > 1e-6) == ["conservation", "exact"].contains(&level), "{level}: {row:?}");
            }
            if level == "exact" {
                let apart = truth.iter().zip(&fields).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
                assert!(apart < 1e-4, "{apart:.1e} K");
            }
        }
        let truth = read(&format!("{level}/constrain.h5"), "/truth/temperature");
        errors.push(truth.chunks_exact(6).map(|row| row[4] / row[5]).sum::<f64>() / SAMPLES as f64);
    }
    // In the energy norm each level is nearer to the solution than the one before.
    assert!(errors[2] < 0.95 * errors[1] && errors[3] < 1e-6 * errors[2], "{errors:?}");
}
