//! What stands in the files of each command.
use crate::program::{Outcome, Place, fails_fast, signal, wait_until};
use mpi_harness::mpirun;
use std::process::Stdio;
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
        &["predict", "out/model.h5", "--samples", "7", "--fields", "-q"],
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

#[test]
fn many_predictions_are_quantities_and_bounds_on_any_number_of_ranks() {
    let place = Place::new(&format!(
        "{PLATE}[[quantity]]\nname = \"mean\"\nkind = \"average\"\nfield = \"temperature\"\n"
    ));
    for word in ["campaign", "train"] {
        run(&place, 2, &[word, "deck.toml", "-q"]).expect(0);
    }
    let values = |file: &Reader, path: &str| file.array::<f64>(path).unwrap().1;
    let read = |name: &str| {
        let file = open(&place, &format!("{name}/predict.h5"));
        let estimates = column(&file, "/estimate/temperature", "estimate");
        let bounds = values(&file, "/estimate/quantities/mean");
        (values(&file, "/parameters"), values(&file, "/qoi/mean"), bounds, estimates)
    };
    let close = |a: &[f64], b: &[f64], tolerance: f64| {
        let scale = b.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance * scale), "{a:?} {b:?}");
    };
    let command = ["predict", "out/model.h5", "--samples", "300", "--seed", "3"];
    for ranks in 1..=4 {
        let name = format!("ranks{ranks}");
        let outcome = run(&place, ranks, &[&command[..], &["-o", &name]].concat()).expect(0);
        let file = open(&place, &format!("{name}/predict.h5"));
        assert!(!file.exists("/fields") && !file.exists("/mesh") && file.exists("/time"));
        assert!(!place.file(&name).join("predict.xdmf").exists());
        let (powers, means, bounds, _) = read(&name);
        assert_eq!([powers.len(), means.len(), bounds.len()], [300; 3]);
        // The mean of what joins the values of power x (1 - x) / 2 at multiples of 1/8 by straight lines.
        let exact: Vec<f64> = powers.iter().map(|power| 300.0 + power * (1.0 - 1.0 / 64.0) / 12.0).collect();
        close(&means, &exact, 1e-9);
        // What is shown is of these.
        let least = means.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = means.iter().copied().fold(0.0, f64::max);
        let row = outcome.out.lines().find(|line| line.starts_with("mean ")).expect("a row of the table");
        let shown: Vec<f64> = row.split_whitespace().skip(1).take(7).map(|v| v.parse().unwrap()).collect();
        close(&[shown[0], shown[6]], &[least, largest], 1e-4);
        let (_, one, one_bounds, one_estimates) = read("ranks1");
        close(&means, &one, 1e-13);
        close(&bounds, &one_bounds, 1e-6);
        close(&read(&name).3, &one_estimates, 1e-6);
    }
    // With fields, and so with quantities that are integrals of them.
    run(&place, 2, &[&command[..], &["--fields", "-q", "-o", "fields"]].concat()).expect(0);
    let file = open(&place, "fields/predict.h5");
    assert_eq!(file.shape("/fields/temperature").unwrap(), [300, 81, 1]);
    assert!(file.exists("/mesh/topology") && place.file("fields").join("predict.xdmf").exists());
    let ((_, means, bounds, _), (_, others, other_bounds, _)) = (read("ranks1"), read("fields"));
    close(&means, &others, 1e-13);
    close(&bounds, &other_bounds, 1e-6);
}

#[test]
fn campaigns_store_the_fields_that_the_deck_names() {
    let place = Place::new(PLATE);
    let fields = ["--set", "output.fields=[\"temperature\", \"flux\"]"];
    for part in ["out", "again"] {
        let mut arguments = vec!["campaign", "deck.toml", "-q", "-o", part];
        arguments.extend(fields);
        run(&place, if part == "out" { 3 } else { 1 }, &arguments).expect(0);
    }
    let (file, again) = (open(&place, "out/dataset.h5"), open(&place, "again/dataset.h5"));
    let (shape, flux) = file.array::<f64>("/fields/flux").unwrap();
    assert_eq!(shape, [5, 81, 2]);
    // The flux of 300 + power x (1 - x) / 2 has its mean over the nodes on a line at 1/2, and no part along y.
    let powers = file.array::<f64>("/parameters").unwrap().1;
    for (power, flux) in powers.iter().zip(flux.chunks(162)) {
        let largest = flux.iter().step_by(2).fold(0.0f64, |m, v| m.max(v.abs()));
        assert!((0.4..=0.5).contains(&(largest / power)), "{power}: {largest}");
        assert!(flux.iter().skip(1).step_by(2).all(|v| v.abs() < 1e-6 * power));
    }
    let other = again.array::<f64>("/fields/flux").unwrap().1;
    assert!(flux.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-6 * 100.0));
    // Not without them, and not with a field that there is not.
    let refused = run(&place, 2, &["campaign", "deck.toml", "-q"]).expect(2);
    assert!(refused.err.contains("would hold temperature, but out/dataset.h5 holds flux, temperature"));
    let unknown = ["campaign", "deck.toml", "-q", "-o", "new", "--set", "output.fields=[\"flox\"]"];
    let unknown = run(&place, 2, &unknown).expect(2).err;
    assert!(unknown.contains("flox") && unknown.contains("flux"), "{unknown}");
    run(&place, 2, &["train", "deck.toml", "-q"]).expect(0);
}

#[test]
fn a_dataset_of_another_deck_is_refused_key_by_key() {
    let place = Place::new(PLATE);
    run(&place, 2, &["campaign", "deck.toml", "-q"]).expect(0);
    let changed = [
        "campaign",
        "deck.toml",
        "-q",
        "--set",
        "mesh.box.cells=[8, 9]",
        "--set",
        "physics.0.source=\"2*power\"",
    ];
    let changed = run(&place, 2, &changed).expect(2).err;
    for text in [
        "mesh.box.cells: [8, 9], but out/dataset.h5 was made with [8, 8]",
        "physics[0].source: \"2*power\", but out/dataset.h5 was made with \"power\"; remove it",
    ] {
        assert!(changed.contains(text), "{changed}");
    }
    assert_eq!(changed.lines().filter(|line| line.starts_with("error")).count(), 2, "{changed}");
    // A reduced model of one problem from samples of another would be wrong in every prediction.
    let trained =
        run(&place, 2, &["train", "deck.toml", "-q", "--set", "physics.0.source=\"2*power\""]).expect(2).err;
    assert!(
        trained.contains("physics[0].source: \"2*power\", but out/dataset.h5 was made with"),
        "{trained}"
    );
    run(
        &place,
        2,
        &["campaign", "deck.toml", "-q", "--set", "title=another", "--set", "solver.tolerance=1e-9"],
    )
    .expect(0);
}

#[test]
fn two_campaigns_on_one_dataset_are_one_too_many() {
    let place = Place::new(PLATE);
    // It would take minutes.
    let long = ["--set", "mesh.box.cells=[128, 128]", "--set", "campaign.samples=5000"];
    let mut first = place.tessera(2, "campaign", &long);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("mpirun starts");
    wait_until("the dataset", || {
        place.file("out/dataset.h5").exists() || first.try_wait().unwrap().is_some()
    });
    let mut arguments = vec!["campaign", "deck.toml", "-q"];
    arguments.extend(long);
    let refused = run(&place, 2, &arguments).expect(2);
    let holder =
        place.processes().into_iter().find(|pid| refused.err.contains(&format!("process {pid} on ")));
    assert!(refused.err.contains("out/dataset.h5: another job is writing it"), "{refused:?}");
    assert!(holder.is_some() && refused.err.contains("remove out/dataset.h5.lock"), "{refused:?}");
    // Another dataset is free, and readers are.
    run(&place, 1, &["campaign", "deck.toml", "-q", "-o", "other"]).expect(0);
    run(&place, 1, &["info", "out/dataset.h5"]).expect(0);
    // A kill leaves the file, but no lock.
    signal("KILL", &place.processes());
    first.wait().unwrap();
    assert!(place.file("out/dataset.h5.lock").exists());
    arguments.extend(["--set", "campaign.samples=6"]);
    let other = run(&place, 1, &arguments).expect(2).err;
    assert!(!other.contains("another job"), "{other}");
    assert!(!place.file("out/dataset.h5.lock").exists());
}

#[test]
fn what_cannot_be_written_is_found_before_anything_is_solved() {
    let place = Place::new(PLATE);
    run(&place, 2, &["campaign", "deck.toml", "-q"]).expect(0);
    run(&place, 2, &["train", "deck.toml", "-q"]).expect(0);
    std::fs::write(place.file("file"), "").unwrap();
    for name in ["run.h5", "dataset.h5", "model.h5", "predict.h5"] {
        std::fs::create_dir_all(place.file("taken").join(name)).unwrap();
    }
    for (command, file) in [
        (&["check", "deck.toml"][..], "run.h5"),
        (&["run", "deck.toml"], "run.h5"),
        (&["campaign", "deck.toml"], "dataset.h5"),
        (&["train", "deck.toml"], "model.h5"),
        (&["predict", "out/model.h5"], "predict.h5"),
    ] {
        let taken = format!("taken/{file} is a folder, not a file");
        for (folder, text) in [
            ("file", "file is a file, not a folder"),
            ("file/below", "file is a file, not a folder"),
            ("taken", &taken),
            ("/proc/none", "no file can be made in /proc: "),
        ] {
            let mut arguments = command.to_vec();
            if command[0] == "check" {
                arguments.extend(["--set", ""]);
                let set = format!("output.directory=\"{folder}\"");
                *arguments.last_mut().unwrap() = &set;
                refused(&place, &arguments, text);
            } else {
                arguments.extend(["-o", folder]);
                refused(&place, &arguments, text);
            }
        }
    }
}

/// Expects an error in place of any work.
fn refused(place: &Place, arguments: &[&str], text: &str) {
    let outcome = run(place, 2, arguments).expect(2);
    let errors: Vec<&str> = outcome.err.lines().filter(|line| line.starts_with("error")).collect();
    assert!(errors.len() == 1 && errors[0].contains(text), "{arguments:?}: {outcome:?}");
    assert!(!outcome.out.contains("unknowns") && !outcome.out.contains("mesh "), "{outcome:?}");
}

/// Before a campaign, not after it.
#[test]
fn check_refuses_what_training_would() {
    let front = PLATE.replace("[8, 8]", "[48, 48]").replace(
        "source = \"power\"",
        "source = 1.0\nconductivity = \"1 + 100*step(x - 0.01*power)*step(y - 0.01*power)\"",
    );
    assert_ne!(front, PLATE);
    let place = Place::new(&format!("{front}\n[rom]\nmodes = 4\n"));
    let message = run(&place, 2, &["check", "deck.toml"]).expect(2).err;
    assert!(message.contains("cannot be split"), "{message}");
}

#[test]
fn the_log_says_what_matters() {
    let place = Place::new(PLATE);
    let short = run(&place, 2, &["run", "deck.toml"]).expect(0);
    let line = short.out.lines().find(|line| line.contains("unknowns")).expect("a line of the solver");
    assert!(line.ends_with("factorisation (cholesky) on every rank"), "{line}");
    assert!(!short.out.contains("-ksp_type") && !short.out.contains("constraint"), "{short:?}");
    let set = ["run", "deck.toml", "-v", "--set", "constraint.level=conservation"];
    let long = run(&place, 2, &set).expect(0);
    assert!(long.out.contains("solver: -ksp_type preonly -pc_type redundant"), "{}", long.out);
    assert!(long.out.contains("[constraint] repairs the predictions of reduced models"), "{}", long.out);
}

#[test]
fn the_number_of_experts_does_not_follow_the_ranks() {
    let place = Place::new(PLATE);
    let experts = |ranks: usize, settings: &[&str]| {
        let mut arguments = vec!["run", "deck.toml", "-q"];
        settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
        run(&place, ranks, &arguments).expect(0);
        let file = open(&place, "out/run.h5");
        let Some(Value::Integer(number)) = file.get("/", "experts").unwrap() else { panic!("no number") };
        (number, file.array::<f64>("/fields/temperature").unwrap().1)
    };
    let (_, expected) = experts(1, &[]);
    for ranks in [1, 2, 3, 4] {
        let (number, found) = experts(ranks, &["solver.method=schwarz"]);
        let worst = expected.iter().zip(&found).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
        assert!(number == 8 && worst < 1e-5, "{ranks} ranks: {number} experts, {worst:e}");
    }
    assert_eq!(experts(2, &["constraint.level=exact"]).0, 8);
    assert_eq!(experts(3, &["solver.method=schwarz", "partition.experts=5"]).0, 5);
    // Where nobody asks for them a rank is not divided.
    assert_eq!(experts(3, &[]).0, 3);
}
