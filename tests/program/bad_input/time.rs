//! Models in time and waves: wrong signs, missing or contradictory sections, and steps that cannot succeed.
use super::{Case, Content, WATCHDOG, edited};
use mpi_harness::mpirun;

const SORPTION: &str = r#"[mesh]
box = { cell = "interval", cells = [16] }

[time]
end = 1.0
step = 0.1

[[physics]]
model = "diffusion_sorption"
porosity = 0.3

[[physics.boundary]]
marker = "left"
value = 1.0

[[initial]]
value = 0.1
"#;

fn case(name: &'static str, deck: String, messages: &[&str]) -> Case {
    Case {
        name,
        files: vec![("deck.toml", Content::Text(deck))],
        command: ["run", "deck.toml"],
        arguments: Vec::new(),
        ranks: 2,
        code: 2,
        messages: messages.iter().map(|m| m.to_string()).collect(),
    }
}

fn sorption(name: &'static str, edits: &[(&str, &str)], message: &str) -> Case {
    case(name, edited(SORPTION, edits), &[message])
}

/// The deck with another model in place of its own.
fn model(name: &'static str, keys: &str, message: &str) -> Case {
    sorption(name, &[("model = \"diffusion_sorption\"\nporosity = 0.3", keys)], message)
}

pub fn cases() -> Vec<Case> {
    let mut list = sections();
    list.extend(models());
    list.extend(while_running());
    list.extend(metals());
    list
}

const METAL: &str = r#"[mesh]
box = { cell = "hexahedron", cells = [2, 2, 2] }

[time]
end = 1.0
step = 0.5

[[physics]]
model = "viscoplasticity"
young = { temperature = [300.0, 900.0], value = [200e9, 150e9] }
poisson = 0.3
yield_stress = 1e8
drag_stress = 1e8
rate_exponent = 5
temperature = "600 + 200*t"

[[physics.boundary]]
marker = "left"
value = 0.0
"#;

/// Viscoplasticity: tables and signs.
fn metals() -> Vec<Case> {
    let metal = |name, edits: &[(&str, &str)], message: &str| case(name, edited(METAL, edits), &[message]);
    let table = "value = [200e9, 150e9]";
    vec![
        metal(
            "table of two lengths",
            &[(table, "value = [200e9, 150e9, 1e9]")],
            "deck.toml:10:9: physics[0].young: 2 temperatures but 3 values",
        ),
        metal(
            "falling temperatures",
            &[("[300.0, 900.0]", "[900.0, 300.0]")],
            "deck.toml:10:25: physics[0].young.temperature: the temperatures are not ascending",
        ),
        metal(
            "incompressible metal",
            &[("poisson = 0.3", "poisson = 0.5")],
            "deck.toml:11:11: physics[0].poisson: expected a Poisson's ratio above -1 and below 0.5, found 0.5",
        ),
        metal(
            "no drag",
            &[("drag_stress = 1e8", "drag_stress = 0.0")],
            "deck.toml:13:15: physics[0].drag_stress: expected a positive number, found 0",
        ),
        metal(
            "rate exponent below 1",
            &[("rate_exponent = 5", "rate_exponent = 0.5")],
            "deck.toml:14:17: physics[0].rate_exponent: expected a number from 1 on, found 0.5",
        ),
        metal(
            "metal without time",
            &[("[time]\nend = 1.0\nstep = 0.5\n", "")],
            "deck.toml:5:1: physics[0]: viscoplasticity needs a section [time]",
        ),
        metal(
            "temperature outside its table",
            &[("600 + 200*t", "1000 + 200*t")],
            "deck.toml:15:15: physics[0].temperature: expected a positive number, found NaN: an expression without a value, or a temperature outside a table",
        ),
    ]
}

/// `[time]` and `[[initial]]`.
fn sections() -> Vec<Case> {
    vec![
        sorption(
            "no time",
            &[("[time]\nend = 1.0\nstep = 0.1\n", ""), ("[[initial]]\nvalue = 0.1\n", "")],
            "deck.toml:5:1: physics[0]: diffusion_sorption needs a section [time]",
        ),
        case(
            "initial value without time",
            edited(
                SORPTION,
                &[
                    ("[time]\nend = 1.0\nstep = 0.1\n", ""),
                    ("model = \"diffusion_sorption\"\nporosity = 0.3", "model = \"diffusion\""),
                ],
            ),
            &["deck.toml:12:1: initial: initial values belong to runs with a section [time]"],
        ),
        sorption("no end", &[("end = 1.0\n", "")], "deck.toml:4:1: time: missing key `end`"),
        sorption(
            "end before the start",
            &[("end = 1.0", "end = 1.0\nstart = 2.0")],
            "deck.toml:5:7: time.end: expected a time after the start 2, found 1",
        ),
        sorption(
            "step of no length",
            &[("step = 0.1", "step = 0")],
            "deck.toml:6:8: time.step: expected a number above 0, found 0",
        ),
        sorption(
            "stop after the end",
            &[("step = 0.1", "step = 0.1\nstops = [0.5, 1.5]")],
            "deck.toml:7:15: time.stops[1]: 1.5 is not between start and end",
        ),
        sorption(
            "tolerance above one",
            &[("step = 0.1", "step = 0.1\ntolerance = 2")],
            "deck.toml:7:13: time.tolerance: expected a number below 1, found 2",
        ),
        sorption(
            "growth below one",
            &[("step = 0.1", "step = 0.1\ngrowth = 0.5")],
            "deck.toml:7:10: time.growth: expected a number at least 1, found 0.5",
        ),
        sorption(
            "growth and tolerance",
            &[("step = 0.1", "step = 0.1\ntolerance = 1e-3\ngrowth = 1.2")],
            "deck.toml:8:10: time.growth: with time.tolerance steps follow from errors: give one of the two",
        ),
        sorption(
            "steps between nothing",
            &[("step = 0.1", "step = 0.1\nshortest = 0.05\nlongest = 0.01")],
            "deck.toml:7:12: time.shortest: longer than the longest step, 0.01",
        ),
        sorption(
            "shortest step above the first",
            &[("step = 0.1", "step = 0.1\nshortest = 0.5")],
            "deck.toml:7:12: time.shortest: longer than the first step, 0.1",
        ),
        sorption(
            "unknown scheme",
            &[("step = 0.1", "step = 0.1\nscheme = \"euler\"")],
            "deck.toml:7:10: time.scheme: unknown value \"euler\"",
        ),
        sorption(
            "initial value of nothing",
            &[("value = 0.1", "field = \"concentraton\"\nvalue = 0.1")],
            "deck.toml:17:9: initial[0].field: unknown field \"concentraton\"; did you mean \"concentration\"?",
        ),
        sorption(
            "initial values of no dataset",
            &[("value = 0.1", "value = { file = \"run.h5\", dataset = \"\" }")],
            "deck.toml:17:38: initial[0].value.dataset: the dataset's name is empty",
        ),
        sorption(
            "initial values of a file without a dataset",
            &[("value = 0.1", "value = { file = \"run.h5\" }")],
            "deck.toml:17:9: initial[0].value: missing key `dataset`",
        ),
        sorption(
            "initial values of a file that is not there",
            &[("value = 0.1", "value = { file = \"run.h5\", dataset = \"/fields/concentration\" }")],
            "deck.toml:17:9: initial[0].value: run.h5: cannot open: No such file",
        ),
        sorption(
            "two initial values",
            &[("value = 0.1\n", "value = 0.1\n[[initial]]\nvalue = 0.2\n")],
            "deck.toml:18:1: initial[1]: a second initial value for \"concentration\"",
        ),
        sorption(
            "initial vector for a scalar",
            &[("value = 0.1", "value = [0.1, 0.2]")],
            "deck.toml:17:9: initial[0].value: expected 1 values, found 2",
        ),
        sorption(
            "initial value not a number",
            &[("value = 0.1", "value = \"log(x - 0.5)\"")],
            "deck.toml:17:9: initial[0].value: the initial value is not finite somewhere",
        ),
    ]
}

/// Coefficients and conditions of each model.
fn models() -> Vec<Case> {
    vec![
        sorption(
            "porosity above one",
            &[("porosity = 0.3", "porosity = 1.3")],
            "deck.toml:10:12: physics[0].porosity: expected a number between 0 and 1, found 1.3",
        ),
        sorption(
            "sorption exponent zero",
            &[("porosity = 0.3", "exponent = 0")],
            "deck.toml:10:12: physics[0].exponent: expected a positive number, found 0",
        ),
        sorption(
            "degree 2 of a monotone scheme",
            &[("porosity = 0.3", "degree = 2")],
            "deck.toml:10:10: physics[0].degree: expected a number at most 1, found 2",
        ),
        model(
            "viscosity negative",
            "model = \"burgers\"\nviscosity = -0.1",
            "deck.toml:10:13: physics[0].viscosity: expected a positive number, found -0.1",
        ),
        model(
            "two velocities in one dimension",
            "model = \"advection_diffusion\"\ndiffusivity = 1\nvelocity = [1, 2]",
            "deck.toml:11:12: physics[0].velocity: expected 1 entry here, found 2",
        ),
        model(
            "diffusivity negative",
            "model = \"advection_diffusion\"\nvelocity = [1]\ndiffusivity = -1",
            "deck.toml:11:15: physics[0].diffusivity: expected no negative number, found -1",
        ),
        model(
            "power law and Stefan's",
            "model = \"porous_medium\"\nexponent = 2\nstefan = { below = 0, above = 1, threshold = 0.5 }",
            "deck.toml:8:1: physics[0]: `exponent` and `stefan` exclude each other",
        ),
        model(
            "no law at all",
            "model = \"porous_medium\"\n",
            "deck.toml:8:1: physics[0]: porous_medium needs `exponent` or `stefan`",
        ),
        model(
            "Stefan's conductivity negative",
            "model = \"porous_medium\"\nstefan = { below = -1, above = 1, threshold = 0.5 }",
            "deck.toml:10:20: physics[0].stefan.below: expected no negative number, found -1",
        ),
        sorption(
            "absorbing boundary of a scalar",
            &[("value = 1.0", "absorbing = 1.0")],
            "deck.toml:14:13: physics[0].boundary[0].absorbing: no condition of diffusion_sorption; it knows",
        ),
        case(
            "waves in time",
            edited(
                SORPTION,
                &[
                    (
                        "model = \"diffusion_sorption\"\nporosity = 0.3",
                        "model = \"helmholtz\"\nwave_number = 3",
                    ),
                    ("[[initial]]\nvalue = 0.1\n", ""),
                ],
            ),
            &["deck.toml:8:1: physics[0]: helmholtz is steady: leave [time] out"],
        ),
        case(
            "incoming wave without a boundary for it",
            edited(
                SORPTION,
                &[
                    (
                        "model = \"diffusion_sorption\"\nporosity = 0.3",
                        "model = \"helmholtz\"\nwave_number = 3",
                    ),
                    ("[[initial]]\nvalue = 0.1\n", ""),
                    ("[time]\nend = 1.0\nstep = 0.1\n", ""),
                    ("value = 1.0", "value = 1.0\nincoming = [1, 0]"),
                ],
            ),
            &["deck.toml:9:1: physics[0].boundary[0]: missing key `absorbing`"],
        ),
        case(
            "capacity without time",
            edited(
                SORPTION,
                &[
                    ("model = \"diffusion_sorption\"\nporosity = 0.3", "model = \"diffusion\"\ncapacity = 3"),
                    ("[[initial]]\nvalue = 0.1\n", ""),
                    ("[time]\nend = 1.0\nstep = 0.1\n", ""),
                ],
            ),
            &["deck.toml:7:12: physics[0].capacity: only a run with [time] has a capacity"],
        ),
        sorption(
            "energy of sorption",
            &[("[[initial]]", "[[quantity]]\nname = \"e\"\nkind = \"energy\"\n[[initial]]")],
            "deck.toml:18:8: quantity[0].kind: only steady diffusion and elasticity have an energy",
        ),
    ]
}

/// Values that are only wrong later; the message names the key. The file with the states before stays.
fn while_running() -> Vec<Case> {
    vec![model(
        "viscosity negative somewhere",
        "model = \"burgers\"\nviscosity = \"0.5 - x\"",
        "deck.toml:10:13: physics[0].viscosity: expected a positive number, found -0.",
    )]
}

/// A step that no length makes converge: exit code 1, one line that says why, and a file with what went before.
#[test]
fn a_step_that_fails_keeps_what_went_before() {
    // Unpreconditioned iteration is good enough until the conductivity jumps.
    let deck = r#"mesh.box = { cell = "triangle", cells = [24, 24] }
        time = { end = 1.0, step = 0.1, shortest = 0.05, scheme = "bdf1" }
        [[physics]]
        model = "diffusion"
        conductivity = "if(t > 0.45, SUDDEN, 1e-6)"
        source = 1
        boundary = [{ marker = "left", value = 0 }]
        solver = { method = "options", petsc = "-ksp_type cg -pc_type none -ksp_rtol 1e-10 -ksp_max_it 30" }
        [[quantity]]
        name = "mean"
        kind = "average"
    "#;
    for (sudden, code, words) in [
        ("1e3", 1, "error: diffusion: Newton's method failed ("),
        ("-1", 2, "deck.toml:5:24: physics[0].conductivity: expected a positive number, found -1"),
    ] {
        for ranks in [1, 3] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("deck.toml"), deck.replace("SUDDEN", sudden)).unwrap();
            let output = mpirun(WATCHDOG, ranks, env!("CARGO_BIN_EXE_tessera"))
                .args(["run", "deck.toml", "--output", "out", "--quiet"])
                .current_dir(folder.path())
                .output()
                .unwrap();
            let shown = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{shown}");
            assert_eq!(shown.matches(words).count(), 1, "{shown}");
            let file = tessera::storage::Reader::open(&folder.path().join("out/run.h5")).unwrap();
            let times: Vec<f64> = file.array("/time").unwrap().1;
            assert_eq!(times.len(), 5, "frames until t = 0.4: {times:?}");
            assert!((times[4] - 0.4).abs() < 1e-12);
            let means: Vec<f64> = file.array("/qoi/mean").unwrap().1;
            assert!(means.len() == 5 && means[4] > means[1] && means[1] > 0.0, "{means:?}");
            let steps: Vec<f64> = file.array("/log/steps").unwrap().1;
            assert!(steps.len() >= 4 && steps.iter().all(|v| v.is_finite() || v.is_nan()));
        }
    }
}
