//! What stands in the files of each command.
use crate::program::{Outcome, Place, fails_fast};
use mpi_harness::mpirun;
use tessera::storage::{Reader, Value};

/// Runs a command in a deck's folder.
fn run(place: &Place, ranks: usize, arguments: &[&str]) -> Outcome {
    let mut command = mpirun(120, ranks, env!("CARGO_BIN_EXE_tessera"));
    Outcome::new(
        fails_fast(command.args(arguments).current_dir(place.path())).output().expect("mpirun starts"),
    )
}

fn open(place: &Place, name: &str) -> Reader {
    Reader::open(&place.file(name)).expect("the file is there")
}

/// The columns of a table of the log, by name.
fn column(reader: &Reader, path: &str, name: &str) -> Vec<f64> {
    let (shape, values) = reader.array::<f64>(path).expect("a table");
    let Some(Value::Texts(names)) = reader.get(path, "columns").unwrap() else { panic!("no columns") };
    let place = names.iter().position(|n| n == name).expect("a column of that name");
    values.into_iter().skip(place).step_by(shape[1] as usize).collect()
}

#[test]
fn quantities_between_frames_are_of_their_time_or_not_there() {
    let place = Place::new(
        r#"
        [mesh]
        box = { cell = "quadrilateral", cells = [8, 2], upper = [0.4, 0.1] }
        [time]
        end = 100.0
        step = 5.0
        [output]
        frames = 2
        [[initial]]
        field = "temperature"
        value = 293.0
        [[physics]]
        model = "diffusion"
        name = "heat"
        field = "temperature"
        conductivity = 45.0
        capacity = 3.8e6
        source = 3.8e6
        [[physics.boundary]]
        marker = "left"
        coefficient = 1.0
        ambient = 293.0
        [[physics]]
        model = "elasticity"
        young = 210e9
        poisson = 0.3
        expansion = 12e-6
        reference_temperature = 293.0
        temperature = { physics = "heat" }
        [[physics.boundary]]
        marker = ["left", "right"]
        value = [0.0, 0.0]
        [[quantity]]
        name = "peak_stress"
        kind = "maximum"
        field = "von_mises"
        [[quantity]]
        name = "hottest"
        kind = "maximum"
        field = "temperature"
        "#,
    );
    run(&place, 2, &["run", "deck.toml", "-q"]).expect(0);
    let file = open(&place, "out/run.h5");
    let of = |name: &str| column(&file, "/log/steps", name);
    let (times, stress, hottest) = (of("time"), of("peak_stress"), of("hottest"));
    let frames = file.array::<f64>("/time").unwrap().1;
    let at_frames = file.array::<f64>("/qoi/peak_stress").unwrap().1;
    assert!(times.len() > 10 && hottest.iter().all(|value| value.is_finite()));
    for (time, stress) in times.iter().zip(&stress) {
        match frames.iter().position(|frame| (frame - time).abs() < 1e-9) {
            Some(frame) => assert_eq!(*stress, at_frames[frame]),
            None => assert!(stress.is_nan(), "{stress} at {time}"),
        }
    }
    // From the initial state without stress on.
    assert!(at_frames.len() == 3 && at_frames[0].abs() < at_frames[1] && at_frames[1] < at_frames[2]);
}

/// A plate with a source of unknown power.
const PLATE: &str = r#"
    [mesh]
    box = { cell = "quadrilateral", cells = [8, 8] }
    [parameters]
    power = { default = 50.0, range = [10.0, 100.0] }
    [[physics]]
    model = "diffusion"
    field = "temperature"
    source = "power"
    [[physics.boundary]]
    marker = ["left", "right"]
    value = 300.0
    [campaign]
    samples = 5
"#;

#[test]
fn all_predictions_are_exported_on_a_grid() {
    let place = Place::new(PLATE);
    for arguments in [
        &["campaign", "deck.toml", "-q"][..],
        &["train", "deck.toml", "-q"],
        &["predict", "out/model.h5", "--samples", "7", "-q"],
        &["export", "out/predict.h5", "--grid", "9"],
    ] {
        run(&place, 2, arguments).expect(0);
    }
    let grid = open(&place, "out/predict.grid.h5");
    let powers = grid.array::<f64>("/parameters").unwrap().1;
    let (shape, values) = grid.array::<f64>("/outputs/temperature").unwrap();
    assert_eq!((powers.len(), &shape[..]), (7, &[7, 9, 9, 1][..]));
    assert_eq!(grid.array::<u8>("/status").unwrap().1, [1; 7]);
    // 300 + power x (1 - x) / 2 is in the space's nodes exact.
    for (power, values) in powers.iter().zip(values.chunks(81)) {
        let (found, expected) = (values[4 * 9 + 4], 300.0 + power / 8.0);
        assert!((found - expected).abs() < 1e-6 * expected, "{power}: {found}, not {expected}");
    }
}
