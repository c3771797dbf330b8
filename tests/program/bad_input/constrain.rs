//! Predictions that do not go with the deck.
use super::{Case, Content, edited};
use hdf5::File;
use ndarray::{Array, ArrayD, IxDyn};
use std::path::Path;

const DECK: &str = r#"mesh.box = { cell = "quadrilateral", cells = [4, 2] }
parameters = { h = { default = 1.0, range = [0.5, 2.0] } }

[[physics]]
name = "heat"
model = "diffusion"
field = "temperature"
source = "h"
boundary = [{ marker = "left", value = "h" }]

[[quantity]]
name = "mean"
kind = "average"

[[quantity]]
name = "peak"
kind = "maximum"

[constraint]
level = "conservation"
"#;

fn array(file: &File, path: &str, shape: &[usize], value: impl Fn(usize) -> f64) {
    let group = path.rsplit_once('/').map_or("", |parts| parts.0);
    if !group.is_empty() && file.group(group).is_err() {
        file.create_group(group).expect("a group");
    }
    let length = shape.iter().product();
    let values: ArrayD<f64> =
        Array::from_shape_vec(IxDyn(shape), (0..length).map(value).collect()).expect("as many values");
    file.new_dataset_builder().with_data(&values).create(path).expect("a dataset");
}

/// Two samples of 15 nodes, and more.
fn good(path: &Path) -> File {
    let file = File::create(path).expect("the file can be made");
    array(&file, "/fields/temperature", &[2, 15], |i| 1.0 + i as f64);
    file
}

fn grid(path: &Path, high: f64, hole: usize) {
    let file = File::create(path).expect("the file can be made");
    array(&file, "/grid/x", &[3], |i| 0.5 * i as f64);
    array(&file, "/grid/y", &[2], |i| high * i as f64);
    array(&file, "/fields/temperature", &[2, 3, 2], |i| if i == hole { f64::NAN } else { 1.0 });
}

fn case(name: &'static str, write: fn(&Path), message: &str) -> Case {
    Case {
        name,
        files: vec![("deck.toml", Content::Text(DECK.into())), ("p.h5", Content::Hdf5(write))],
        command: ["constrain", "deck.toml"],
        arguments: vec!["p.h5"],
        ranks: 2,
        code: 2,
        messages: vec![message.into()],
    }
}

fn deck(name: &'static str, edits: &[(&str, &str)], message: &str) -> Case {
    let files = vec![
        ("deck.toml", Content::Text(edited(DECK, edits))),
        ("p.h5", Content::Hdf5(|path| drop(good(path)))),
    ];
    Case { files, ..case(name, |_| (), message) }
}

pub fn cases() -> Vec<Case> {
    let known = "level = \"conservation\"\nknown = [{ quantity = ";
    vec![
        Case {
            files: vec![("deck.toml", Content::Text(DECK.into()))],
            ..case("no predictions", |_| (), "p.h5: cannot open: ")
        },
        Case {
            arguments: vec!["deck.toml"],
            ..case("no HDF5", |path| drop(good(path)), "deck.toml: cannot open: ")
        },
        case(
            "nothing in it",
            |path| drop(File::create(path).expect("a file")),
            "p.h5: it holds no predictions; expected /fields/temperature",
        ),
        case(
            "an unknown field",
            |path| array(&good(path), "/fields/temprature", &[2, 15], |_| 1.0),
            "p.h5: /fields/temprature: the deck has no field \"temprature\"; did you mean \"temperature\"?",
        ),
        case(
            "the field is missing",
            |path| {
                let file = File::create(path).expect("a file");
                array(&file, "/fields/flux", &[2, 15, 2], |_| 1.0);
            },
            "p.h5: /fields/temperature is missing: the deck solves for it",
        ),
        case(
            "other nodes",
            |path| {
                let file = File::create(path).expect("a file");
                array(&file, "/fields/temperature", &[2, 16], |_| 1.0);
            },
            "p.h5: /fields/temperature has the shape [2, 16]; expected [2, 15] or [2, 15, 1]: samples, the 15 nodes of degree 1 of ",
        ),
        case(
            "other coordinates",
            |path| array(&good(path), "/nodes", &[15, 2], |i| if i < 2 { 0.0 } else { 0.1 * i as f64 }),
            "p.h5: /nodes has a node at [",
        ),
        case(
            "too many coordinates",
            |path| array(&good(path), "/nodes", &[16, 2], |_| 0.0),
            "p.h5: /nodes has the shape [16, 2]; the mesh ",
        ),
        case(
            "no number",
            |path| {
                let file = File::create(path).expect("a file");
                array(&file, "/fields/temperature", &[2, 15], |i| if i == 16 { f64::NAN } else { 1.0 });
            },
            "p.h5: /fields/temperature: sample 1 holds the value NaN at the node at [",
        ),
        case(
            "another number of samples",
            |path| array(&good(path), "/variance/temperature", &[3, 15], |_| 1.0),
            "p.h5: /variance/temperature has the shape [3, 15]; expected [2, 15] or [2, 15, 1]: samples, the 15 nodes of degree 1 of ",
        ),
        case(
            "a negative variance",
            |path| {
                array(&good(path), "/variance/temperature", &[2, 15], |i| if i == 20 { -1.0 } else { 1.0 })
            },
            "p.h5: /variance/temperature: sample 1 holds the variance value -1 at the node at [",
        ),
        case(
            "an unknown parameter",
            |path| array(&good(path), "/parameters/hh", &[2], |_| 1.0),
            "p.h5: /parameters: there is no parameter \"hh\"; did you mean \"h\"?",
        ),
        case(
            "too few parameters",
            |path| array(&good(path), "/parameters/h", &[1], |_| 1.0),
            "p.h5: /parameters/h has 1 rows for 2 samples",
        ),
        case(
            "a parameter that is no number",
            |path| array(&good(path), "/parameters/h", &[2], |i| [1.0, f64::NAN][i]),
            "p.h5: the parameter \"h\" of sample 1 is NaN",
        ),
        case(
            "a sample that is not done",
            |path| {
                let file = good(path);
                file.new_dataset_builder().with_data(&[1u8, 2]).create("status").expect("a dataset");
            },
            "p.h5: sample 1 is not done: its /status is 2",
        ),
        case("a grid that is too small", |path| grid(path, 0.75, 99), "p.h5: the node at ["),
        case(
            "a hole in the grid",
            |path| grid(path, 1.0, 3),
            "p.h5: /fields/temperature: sample 0 holds the value NaN at the node at [",
        ),
        case(
            "a grid without an axis",
            |path| {
                let file = good(path);
                array(&file, "/grid/x", &[2], |i| i as f64);
            },
            "p.h5: /grid/y is missing: the mesh has 2 dimensions",
        ),
        case(
            "a grid that goes back",
            |path| {
                let file = good(path);
                array(&file, "/grid/x", &[2], |i| 1.0 - i as f64);
                array(&file, "/grid/y", &[2], |i| i as f64);
            },
            "p.h5: /grid: the coordinates along x are not two or more ascending numbers",
        ),
        deck(
            "an unknown quantity",
            &[("level = \"conservation\"", &format!("{known}\"meen\", value = 1.0 }}]"))],
            "deck.toml:21:23: constraint.known[0].quantity: the deck has no quantity \"meen\"; did you mean \"mean\"?",
        ),
        deck(
            "a quantity that is not linear",
            &[("level = \"conservation\"", &format!("{known}\"peak\", value = 1.0 }}]"))],
            "deck.toml:21:23: constraint.known[0].quantity: \"peak\" is not an average, an integral or a value at a point",
        ),
        deck(
            "a value that depends on the place",
            &[("level = \"conservation\"", &format!("{known}\"mean\", value = \"h*x\" }}]"))],
            "deck.toml:21:39: constraint.known[0].value: `h*x`: the value is one number; x, y, z and t mean nothing here",
        ),
        deck(
            "modes without weak ports",
            &[("level = \"conservation\"", "level = \"coupled\"\nports = \"strong\"\nport_modes = 2")],
            "deck.toml:22:14: constraint.port_modes: is for ports = \"weak\" alone",
        ),
        deck(
            "ports of another level",
            &[("level = \"conservation\"", "level = \"conservation\"\nports = \"flux\"")],
            "deck.toml:21:9: constraint.ports: is for the level \"coupled\" alone",
        ),
        deck(
            "experts that do not agree in time",
            &[
                ("[constraint]", "[time]\nend = 1.0\nstep = 0.1\n\n[constraint]\nports = \"weak\""),
                ("level = \"conservation\"", "level = \"coupled\""),
            ],
            "deck.toml:24:9: constraint.ports: in time, but for windows = 1, expected \"strong\": what is stored where experts do not agree is not known in the next step or window",
        ),
        deck(
            "windows of a deck at rest",
            &[("level = \"conservation\"", "level = \"residual\"\nwindows = 1")],
            "deck.toml:21:11: constraint.windows: is for decks with [time]",
        ),
        deck(
            "windows of a level without",
            &[("[constraint]", "[time]\nend = 1.0\nstep = 0.1\n\n[constraint]\nwindows = 1")],
            "deck.toml:24:11: constraint.windows: is for the level \"residual\", and \"coupled\" with ports",
        ),
        deck(
            "a run in time",
            &[("[constraint]", "[time]\nend = 1.0\nstep = 0.1\n\n[constraint]")],
            "p.h5: /times is missing: the times (s) of the frames of fields [sample, frame, node]",
        ),
        Case {
            arguments: vec!["p.h5", "--weight", "variance"],
            ..deck(
                "no variances",
                &[],
                "constraint.weight: heat_constraint: the prediction comes without variances",
            )
        },
    ]
}
