//! The blade from its deck to predictions of unseen cases, whose errors are certified and small.

use crate::common::Suite;
use crate::common::decks::quiet;
use tessera::deck::Deck;
use tessera::drivers::predict::{Points, PredictOptions};
use tessera::drivers::{campaign, predict, train};
use tessera::parallel::Comm;
use tessera::storage::File;

const UNSEEN: usize = 20;

fn unseen_blades_are_predicted(comm: &Comm) {
    let mut name = std::process::id().to_string().into_bytes();
    comm.broadcast_bytes(0, &mut name);
    let folder = std::env::temp_dir().join(format!("tessera-blade-{}", String::from_utf8(name).unwrap()));
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("input/blade/blade.toml");
    let settings =
        ["campaign.samples=24", "rom.modes=12", "rom.tolerance=1e-9", "output.fields=[\"temperature\"]"];
    let settings: Vec<String> = settings.iter().map(|s| s.to_string()).collect();
    let mut deck = Deck::read(&path, &settings).unwrap_or_else(|e| panic!("{e}"));
    deck.output.directory = folder.clone();
    let quiet = quiet();
    campaign::run(comm, &deck, &quiet).unwrap();
    train::run(comm, &deck, &[], &quiet).unwrap();
    let options = PredictOptions {
        run: quiet,
        points: Points::LatinHypercube { samples: UNSEEN, seed: 7 },
        truth: true,
        constraint: Some(tessera::deck::ConstraintLevel::None),
        output: Some(folder.clone()),
        ..PredictOptions::default()
    };
    predict::run(comm, &folder.join("model.h5"), &options).unwrap();
    let file = File::open(comm, &folder.join("predict.h5")).unwrap();
    for field in ["temperature", "displacement"] {
        let (shape, truth) = file.read_array::<f64>(&format!("/truth/{field}")).unwrap();
        assert_eq!(shape, [UNSEEN as u64, 4]);
        let worst = truth.chunks_exact(4).map(|row| row[1]).fold(0.0, f64::max);
        let effectivity = truth.chunks_exact(4).map(|row| row[2]);
        let [least, most] =
            [effectivity.clone().fold(f64::INFINITY, f64::min), effectivity.fold(0.0, f64::max)];
        if comm.rank() == 0 {
            println!("{field}: worst relative energy error {worst:.1e}, effectivity {least:.2} to {most:.2}");
        }
        assert!(worst < 1e-3 && least >= 1.0 && most < 10.0, "{field}: {worst:e}, {least} to {most}");
    }
    file.close().unwrap();
    comm.barrier();
    if comm.rank() == 0 {
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[2],
    tests: &[("unseen_blades_are_predicted_and_certified", unseen_blades_are_predicted)],
}];
