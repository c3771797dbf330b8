//! Reduced models with sampled integrals: of nonlinear problems and of problems in time. What they predict against full runs at
//! parameters that nobody trained on, what has to be exact against what it has to equal, and the same on any number of ranks.
use crate::common::decks::{deck_in, quiet};
use crate::common::{Suite, with_folder};
use std::path::Path;
use tessera::drivers::predict::{Points, PredictOptions};
use tessera::drivers::{campaign, predict, run, train};
use tessera::fem::Parts;
use tessera::parallel::Comm;
use tessera::physics::Context;
use tessera::rom::sampled::{Chosen, ProblemData, SampledModel, file};
use tessera::solver::TimeSystem;
use tessera::storage::{ModelFile, Reader};

pub const SUITES: &[Suite] = &[
    Suite {
        ranks: &[1, 2, 4],
        tests: &[
            ("sampled_heat", sampled_heat),
            ("sampled_linear", sampled_linear),
            ("sampled_body", sampled_body),
            ("sampled_on_any_number_of_ranks", sampled_on_any_number_of_ranks),
            ("sampled_random_fields", sampled_random_fields),
        ],
    },
    Suite {
        ranks: &[1, 2],
        tests: &[
            ("sampled_models_in_time", sampled_models_in_time),
            ("sampled_steady", sampled_steady),
            ("sampled_random_fields_in_time", sampled_random_fields_in_time),
            ("sampled_without_symmetry", sampled_without_symmetry),
            ("sampled_steady_flow", sampled_steady_flow),
        ],
    },
    Suite {
        ranks: &[1, 2],
        tests: &[
            ("sampled_predictions_are_corrected", sampled_predictions_are_corrected),
            ("sampled_chain", sampled_chain),
            ("sampled_from_another_run", sampled_from_another_run),
            ("sampled_front_in_its_frame", sampled_front_in_its_frame),
            ("sampled_bounds_are_kept", sampled_bounds_are_kept),
            ("sampled_what_does_not_fit", sampled_what_does_not_fit),
        ],
    },
    Suite {
        ranks: &[1],
        tests: &[
            ("sampled_full_basis_is_the_full_model", sampled_full_basis_is_the_full_model),
            ("sampled_tangents", sampled_tangents),
            ("sampled_uniform_strain", sampled_uniform_strain),
        ],
    },
];

/// Conductivity that follows the temperature, radiation, and a side whose temperature rises with time.
const HEAT: &str = r#"
title = "Plate that is heated at a side"
mesh.box = { cell = "quadrilateral", cells = [12, 6], upper = [2.0, 1.0] }
time = { end = 400, step = 16 }
output = { frames = 5, xdmf = false }
[parameters]
k1 = { default = 0.01, range = [0.0, 0.03] }
hot = { default = 500.0, range = [350.0, 800.0], unit = "K" }
[[physics]]
name = "heat"
model = "diffusion"
field = "T"
unit = "K"
conductivity = "1 + k1*(T - 300)"
capacity = 1000
boundary = [
  { marker = "left", value = "300 + (hot-300)*min(1,t/100)" },
  { marker = "right", emissivity = 0.8, ambient = 300 },
]
[[initial]]
value = 300
[[quantity]]
name = "mean"
kind = "average"
[[quantity]]
name = "peak"
kind = "maximum"
marker = "right"
[campaign]
frames = "steps"
design = "sobol"
samples = 8
"#;

/// A body that flows and another one that is heated first.
const PLATE: &str = include_str!("../guarded/plate.toml");

const CHAIN: &str = r#"
title = "Heat loads a block that flows"
mesh.box = { cell = "hexahedron", cells = [4, 3, 3], upper = [0.1, 0.05, 0.05] }
time = { end = 800, step = 10, growth = 1.5, longest = 100, stops = [400] }
output = { frames = 4, xdmf = false }
[parameters]
gas = { default = 1100.0, range = [900.0, 1300.0], unit = "K" }
[[physics]]
name = "heat"
model = "diffusion"
field = "temperature"
unit = "K"
conductivity = 20
capacity = 4e6
boundary = [
  { marker = "top", coefficient = 800, ambient = "293.15 + (gas-293.15)*min(t/60,1)*max(0,min((460-t)/60,1))" },
  { marker = "bottom", coefficient = 2000, ambient = 293.15 },
]
[[initial]]
field = "temperature"
value = 293.15
[[physics]]
name = "stress"
model = "viscoplasticity"
degree = 1
young = { temperature = [250.0, 1000.0, 1500.0], value = [200e9, 165e9, 125e9] }
poisson = 0.3
expansion = { temperature = [250.0, 1500.0], value = [1.2e-5, 1.6e-5] }
yield_stress = { temperature = [250.0, 1000.0, 1500.0], value = [300e6, 150e6, 60e6] }
drag_stress = 200e6
rate_exponent = 6
kinematic_modulus = 80e9
dynamic_recovery = 400.0
isotropic_saturation = 50e6
isotropic_rate = 20.0
reference_temperature = 293.15
temperature = { physics = "heat" }
boundary = [ { marker = "left", value = [0, 0, 0] }, { marker = "right", value = [0, "free", "free"] } ]
[[quantity]]
name = "lift"
kind = "point"
field = "displacement"
component = 2
point = [0.05, 0.025, 0.05]
[[quantity]]
name = "stress"
kind = "maximum"
field = "von_mises"
[[quantity]]
name = "strain"
kind = "maximum"
field = "accumulated_plastic_strain"
[[quantity]]
name = "warmth"
kind = "maximum"
field = "temperature"
[[quantity]]
name = "inside"
kind = "point"
field = "von_mises"
point = [0.03, 0.02, 0.03]
[campaign]
frames = "steps"
design = "sobol"
samples = 5
"#;

/// Campaign and training; the path of the model. Collective.
fn trained(comm: &Comm, folder: &Path, text: &str, more: &[&str]) -> std::path::PathBuf {
    let deck = deck_in(folder, text, &[&["campaign.group_ranks=\"all\""], more].concat());
    campaign::run(comm, &deck, &quiet()).unwrap();
    train::run(comm, &deck, &[], &quiet()).unwrap();
    comm.barrier();
    folder.join("model.h5")
}

/// Predicts at parameters, and solves the full model there: relative errors by name. Collective.
fn errors(comm: &Comm, model: &Path, parameters: &[&str]) -> impl Fn(&str) -> f64 + use<> {
    let output = model.parent().unwrap().join("predicted");
    let points = Points::One(parameters.iter().map(|text| (*text).to_string()).collect());
    let options =
        PredictOptions { run: quiet(), points, truth: true, output: Some(output.clone()), ..PredictOptions::default() };
    predict::run(comm, model, &options).unwrap();
    comm.barrier();
    let file = Reader::open(&output.join("predict.h5")).unwrap();
    move |name| file.array::<f64>(&format!("/truth/{name}")).unwrap().1[0]
}

/// A quantity of a prediction without fields is that of its fields, which the last [`errors`] have left.
fn unseen(comm: &Comm, model: &Path, parameters: &[(&str, f64)], quantity: &str, tolerance: f64) {
    let folder = model.parent().unwrap();
    let table = folder.join("table.csv");
    let join = |list: Vec<String>| list.join(",");
    let names = join(parameters.iter().map(|p| p.0.to_string()).collect());
    let values = join(parameters.iter().map(|p| p.1.to_string()).collect());
    if comm.rank() == 0 {
        std::fs::write(&table, format!("{names}\n{values}\n")).unwrap();
    }
    comm.barrier();
    let output = folder.join("unseen");
    let options =
        PredictOptions { run: quiet(), points: Points::Table(table), output: Some(output.clone()), ..PredictOptions::default() };
    predict::run(comm, model, &options).unwrap();
    comm.barrier();
    let history = |folder: &Path| {
        let file = Reader::open(&folder.join("predict.h5")).unwrap();
        file.array::<f64>(&format!("/history/{quantity}")).unwrap().1
    };
    let (bare, whole) = (history(&output), history(&folder.join("predicted")));
    let size = whole.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let apart = bare.iter().zip(&whole).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(bare.len() == whole.len() && apart <= tolerance * size, "{quantity}: {bare:?} {whole:?}");
}

fn sampled_heat(comm: &Comm) {
    with_folder(comm, |folder| {
        let model = trained(comm, folder, HEAT, &[]);
        let error = errors(comm, &model, &["k1=0.02", "hot=700"]);
        assert!(error("fields/T") < 1e-3, "{:e}", error("fields/T"));
        assert!(error("quantities/mean") < 1e-3 && error("quantities/peak") < 1e-3);
        unseen(comm, &model, &[("k1", 0.02), ("hot", 700.0)], "peak", 1e-9);
        // Beyond the ramp that was trained nothing is fixed: the prescribed value is the deck's own at all times.
        let error = errors(comm, &model, &["k1=0.0", "hot=350"]);
        assert!(error("fields/T") < 1e-3, "{:e}", error("fields/T"));
    });
}

/// Heat whose coefficients are sums of products of functions of parameters and time and of position.
const LINEAR: &str = r#"
title = "Plate that is heated in pulses"
mesh.box = { cell = "quadrilateral", cells = [4, 2], upper = [2.0, 1.0] }
time = { end = 200, step = 4, scheme = "bdf2" }
output = { frames = 5, xdmf = false }
[parameters]
k = { default = 1.0, range = [0.5, 2.0] }
hot = { default = 500.0, range = [350.0, 800.0], unit = "K" }
[[physics]]
name = "heat"
model = "diffusion"
field = "T"
unit = "K"
conductivity = "1 + k*x^2"
capacity = "100*(1 + 0.2*k*y)"
source = "(hot - 300)*y*sin(t/30)"
boundary = [
  { marker = "left", value = "300 + (hot - 300)*min(1, t/100)*(1 + y)" },
  { marker = "right", coefficient = "2 + k", ambient = "300 + 0.1*(hot - 300)*min(1, t/50)*y" },
]
[[initial]]
value = 300
[[quantity]]
name = "mean"
kind = "average"
[campaign]
frames = "steps"
design = "sobol"
samples = 8
"#;

/// Of a linear problem whose coefficients split nothing is sampled, and Galerkin's projection is exact; one with a source that
/// travels does not split, and is.
fn sampled_linear(comm: &Comm) {
    let exact = |model: &Path| {
        let reader = Reader::open(model).unwrap();
        let points = reader.shape("/sampled/heat/weights").unwrap()[0];
        let path = "/sampled/heat/exact_load";
        (points, if reader.exists(path) { reader.shape(path).unwrap()[0] } else { 0 })
    };
    with_folder(comm, |folder| {
        let more = ["rom.tolerance=0.0", "solver.tolerance=1e-12", "campaign.samples=12"];
        let model = trained(comm, folder, LINEAR, &more);
        let (points, terms) = exact(&model);
        assert!(points == 0 && (4..=10).contains(&terms), "{points} points, {terms} terms");
        for parameters in [["k=0.77", "hot=640"], ["k=3.0", "hot=1000"]] {
            let error = errors(comm, &model, &parameters);
            assert!(error("fields/T") < 1e-8, "{parameters:?}: {:e}", error("fields/T"));
        }
    });
    with_folder(comm, |folder| {
        let path = trained(comm, folder, LINEAR, &["rom.modes=3", "mesh.box.cells=[12,6]"]);
        assert_eq!(exact(&path).0, 0);
        let error = errors(comm, &path, &["k=0.77", "hot=640"])("fields/T");
        let (mut model, _) = read(comm, &path);
        let prediction = model.predict(&Context::steady(vec![0.77, 640.0]), &[]).unwrap();
        let indicator = model.indicators(&prediction.moments)[0];
        assert!((1e-5..0.1).contains(&error), "{error:e}");
        assert!(indicator > 0.1 * error && indicator < 30.0 * error, "{indicator:e} {error:e}");
    });
    with_folder(comm, |folder| {
        let text = LINEAR.replace("(hot - 300)*y*sin(t/30)", "(hot - 300)*exp(-400*(x - 0.01*t)^2)");
        let model = trained(comm, folder, &text, &["mesh.box.cells=[40,2]", "campaign.samples=4"]);
        let (points, terms) = exact(&model);
        assert!(points > 10 && terms == 0, "{points} points, {terms} terms");
        let error = errors(comm, &model, &["k=0.77", "hot=640"])("fields/T");
        assert!(error < 5e-3, "{error:e}");
    });
}

fn sampled_body(comm: &Comm) {
    with_folder(comm, |folder| {
        let more = ["campaign.design=\"sobol\"", "campaign.samples=24", "rom.modes=20", "mesh.box.cells=[12,6]", "rom.indicator_modes=10"];
        let plate = PLATE.lines().filter(|line| !line.starts_with("table")).collect::<Vec<_>>().join("\n");
        let model = trained(comm, folder, &plate, &more);
        let error = errors(comm, &model, &["load=120", "rise=430", "spot=0.8"]);
        assert!(error("fields/displacement") < 3e-2, "{:e}", error("fields/displacement"));
        assert!(error("fields/accumulated_plastic_strain") < 0.1);
        let reader = Reader::open(&model).unwrap();
        let (_, weights) = reader.array::<f64>("/sampled/viscoplasticity/weights").unwrap();
        // Of 288 points.
        assert!(weights.len() < 150 && weights.iter().all(|w| *w > 0.0), "{}", weights.len());
    });
}

/// A cavity whose lid starts.
const CAVITY: &str = r#"
title = "Cavity whose lid starts"
mesh.box = { cell = "triangle", cells = [8, 8] }
time = { end = 2.0, step = 0.1, scheme = "bdf2" }
output = { frames = 5, xdmf = false }
parameters.lid = { default = 1.0, range = [0.5, 1.5] }
parameters.viscosity = { default = 0.02, range = [0.01, 0.05] }
rom.modes = 15
[[physics]]
model = "navier_stokes"
density = 1.0
viscosity = "viscosity"
boundary = [
  { marker = ["left", "right", "bottom"], value = [0.0, 0.0, "free"] },
  { marker = "top", value = ["lid*16*x^2*(1-x)^2*min(1, t)", 0.0, "free"] },
  { point = [0.0, 0.0], value = ["free", "free", 0.0] },
]
[campaign]
frames = "steps"
samples = 12
"#;

fn sampled_models_in_time(comm: &Comm) {
    let burgers = r#"
title = "Burgers"
mesh.box = { cell = "interval", cells = [120] }
time = { end = 1.0, step = 0.02, scheme = "bdf2" }
output = { frames = 5, xdmf = false }
parameters.viscosity = { default = 0.01, range = [0.005, 0.05] }
rom = { modes = 15 }
[[physics]]
model = "burgers"
field = "u"
viscosity = "viscosity"
boundary = [{ marker = ["left", "right"], value = 0.0 }]
[[initial]]
value = "sin(2*pi*x)"
[campaign]
frames = "steps"
samples = 20
"#;
    let sorption = r#"
title = "Sorption"
mesh.box = { cell = "interval", cells = [60] }
time = { end = 100, step = 0.5, scheme = "bdf1" }
output = { frames = 5, xdmf = false }
parameters.inside = { default = 0.1, range = [0.05, 0.2] }
[[physics]]
model = "diffusion_sorption"
field = "u"
diffusivity = 5e-4
porosity = 0.29
density = 2880.0
partition = 3.5e-4
exponent = 0.874
boundary = [{ marker = "left", value = 1.0 }, { marker = "right", coefficient = 1.0, ambient = 0.0 }]
[[initial]]
value = "inside"
[campaign]
frames = "steps"
samples = 5
"#;
    let porous = r#"
title = "Gas in a rock"
mesh.box = { cell = "triangle", cells = [16, 16], lower = [-2, -2], upper = [2, 2] }
time = { end = 0.5, step = 0.02, scheme = "bdf1" }
output = { frames = 5, xdmf = false }
parameters.c = { default = 0.5, range = [0.4, 0.8] }
rom.tolerance = 1e-9
[[physics]]
model = "porous_medium"
field = "u"
exponent = 2.0
[[initial]]
value = "max(0, c - 0.2*(x^2 + y^2))"
[campaign]
frames = "steps"
samples = 6
"#;
    let carried = r#"
title = "Carried and spread"
mesh.box = { cell = "triangle", cells = [12, 12] }
time = { end = 0.5, step = 0.02, scheme = "crank_nicolson" }
output = { frames = 5, xdmf = false }
parameters.d = { default = 0.02, range = [0.01, 0.05] }
rom.modes = 20
[[physics]]
model = "advection_diffusion"
field = "u"
degree = 2
diffusivity = "d"
velocity = ["1", "0.5"]
boundary = [{ marker = ["left", "bottom"], value = "min(1, 10*t)*y" }]
[campaign]
frames = "steps"
samples = 6
"#;
    for (text, parameter, field, most) in [
        (burgers, "viscosity=0.0075", "u", 1e-3),
        (sorption, "inside=0.13", "u", 5e-3),
        (porous, "c=0.55", "u", 2e-2),
        (carried, "d=0.03", "u", 5e-3),
        (CAVITY, "lid=1.2", "velocity", 1e-2),
    ] {
        with_folder(comm, |folder| {
            let model = trained(comm, folder, text, &[]);
            let error = errors(comm, &model, &[parameter]);
            let found = error(&format!("fields/{field}"));
            assert!(found < most, "{parameter}: {found:e}");
            if field == "velocity" {
                // Modes of velocities do not determine it.
                assert!(error("fields/pressure") < 1e-2, "{:e}", error("fields/pressure"));
            }
        });
    }
}

fn sampled_steady(comm: &Comm) {
    let text = HEAT.replace("time = { end = 400, step = 16 }\n", "").replace("*min(1,t/100)", "").replace("capacity = 1000\n", "");
    let text = text.replace("[[initial]]\nvalue = 300\n", "").replace("frames = \"steps\"\n", "").replace("frames = 5, ", "");
    with_folder(comm, |folder| {
        let model = trained(comm, folder, &text, &["campaign.samples=24"]);
        let error = errors(comm, &model, &["k1=0.02", "hot=700"]);
        assert!(error("fields/T") < 1e-3, "{:e}", error("fields/T"));
    });
    // Beside a linear problem, of which nothing is sampled.
    let linear = r#"
[[physics]]
name = "current"
model = "diffusion"
field = "potential"
unit = "V"
conductivity = "1 + 20*k1*x"
source = "hot/100*y"
boundary = [{ marker = "bottom", value = 0 }, { marker = "top", coefficient = 3, ambient = "k1*x" }]
[[quantity]]"#;
    with_folder(comm, |folder| {
        let text = text.replacen("[[quantity]]", linear, 1);
        let text = text.replace("kind = \"average\"", "kind = \"average\"\nfield = \"T\"");
        let text = text.replace("kind = \"maximum\"", "kind = \"maximum\"\nfield = \"T\"");
        let model = trained(comm, folder, &text, &["campaign.samples=24"]);
        let reader = Reader::open(&model).unwrap();
        assert_eq!(reader.shape("/sampled/current/weights").unwrap()[0], 0);
        assert!(reader.shape("/sampled/heat/weights").unwrap()[0] > 0);
        let error = errors(comm, &model, &["k1=0.02", "hot=700"]);
        assert!(error("fields/T") < 1e-3, "{:e}", error("fields/T"));
        assert!(error("fields/potential") < 1e-3, "{:e}", error("fields/potential"));
    });
}

/// Nothing that is not symmetric has a certified model; a steady one has a sampled model.
const SMOKE: &str = r#"
mesh.box = { cell = "triangle", cells = [16, 12] }
output.xdmf = false
rom.modes = 20
[parameters]
angle = { default = 0.3, range = [0.0, 0.8] }
d = { default = 0.05, range = [0.02, 0.2] }
[[physics]]
model = "advection_diffusion"
field = "c"
velocity = ["cos(angle)", "sin(angle)"]
diffusivity = "d"
source = "exp(-40*((x-0.3)^2+(y-0.4)^2))"
boundary = [{ marker = ["left", "bottom"], value = 0 }]
[campaign]
samples = 24
"#;

fn sampled_without_symmetry(comm: &Comm) {
    with_folder(comm, |folder| {
        let model = trained(comm, folder, SMOKE, &[]);
        let error = errors(comm, &model, &["angle=0.55", "d=0.03"]);
        assert!(error("fields/c") < 1e-2, "{:e}", error("fields/c"));
    });
}

/// A steady cavity, whose modes are of its states alone: velocity without divergence, pressure on it.
fn sampled_steady_flow(comm: &Comm) {
    let text = CAVITY.replace("time = { end = 2.0, step = 0.1, scheme = \"bdf2\" }\n", "").replace("*min(1, t)", "");
    let text = text.replace("frames = 5, ", "").replace("frames = \"steps\"\n", "").replace("samples = 12", "samples = 20");
    with_folder(comm, |folder| {
        let model = trained(comm, folder, &text, &["rom.modes=12"]);
        let error = errors(comm, &model, &["lid=1.2", "viscosity=0.017"]);
        assert!(error("fields/velocity") < 1e-2, "{:e}", error("fields/velocity"));
        assert!(error("fields/pressure") < 1e-3, "{:e}", error("fields/pressure"));
    });
}

/// Flow through rock of a log-normal conductivity, drawn anew for every sample and prediction.
const ROCK: &str = r#"
mesh.box = { cell = "quadrilateral", cells = [16, 16] }
output.xdmf = false
random.g = { kind = "matern", range = 0.7, deviation = 0.7, terms = 6, seed = 4 }
rom = { modes = 30, calibration = 10, level = 0.9 }
[[physics]]
model = "diffusion"
field = "head"
unit = "m"
conductivity = "exp(g)"
boundary = [{ marker = "left", value = 1 }, { marker = "right", value = 0 }]
[[quantity]]
name = "inside"
kind = "point"
field = "head"
point = [0.4, 0.6]
[campaign]
design = "random"
samples = 90
"#;

/// Errors of predictions at draws that no campaign has seen; the quantity of each at the end, and its bound. Collective.
fn drawn(comm: &Comm, model: &Path, field: &str, samples: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let output = model.parent().unwrap().join("drawn");
    let points = Points::Random { samples, seed: 3 };
    let options =
        PredictOptions { run: quiet(), points, truth: true, output: Some(output.clone()), ..PredictOptions::default() };
    predict::run(comm, model, &options).unwrap();
    comm.barrier();
    let file = Reader::open(&output.join("predict.h5")).unwrap();
    let list = |path: &str| file.array::<f64>(path).unwrap().1;
    (list(&format!("/truth/fields/{field}")), list("/qoi/inside"), list(&format!("/estimate/fields/{field}")))
}

fn sampled_random_fields(comm: &Comm) {
    with_folder(comm, |folder| {
        let model = trained(comm, folder, ROCK, &[]);
        let (errors, values, bounds) = drawn(comm, &model, "head", 10);
        let worst = errors.iter().copied().fold(0.0, f64::max);
        assert!(worst < 2e-2, "{errors:?}");
        // All draws are others, and their bounds are of the size of the errors.
        assert!(values.windows(2).all(|pair| (pair[0] - pair[1]).abs() > 1e-6), "{values:?}");
        let kept = errors.iter().zip(&bounds).filter(|(error, bound)| error <= bound).count();
        assert!(kept >= 7 && bounds.iter().all(|bound| *bound < 0.1), "{errors:?} {bounds:?}");
        // Without fields, and without the mesh, the same draws.
        let output = folder.join("bare");
        let points = Points::Random { samples: 10, seed: 3 };
        let options = PredictOptions { run: quiet(), points, output: Some(output.clone()), ..PredictOptions::default() };
        predict::run(comm, &model, &options).unwrap();
        comm.barrier();
        let bare = Reader::open(&output.join("predict.h5")).unwrap().array::<f64>("/qoi/inside").unwrap().1;
        let file = Reader::open(&output.join("predict.h5")).unwrap();
        assert_eq!(file.text("/qoi/inside", "unit").unwrap(), "m");
        assert!(bare.iter().zip(&values).all(|(a, b)| (a - b).abs() < 1e-9), "{bare:?} {values:?}");
    });
}

/// Two correlated fields on a box, in time: conductivity and source.
fn sampled_random_fields_in_time(comm: &Comm) {
    let text = r#"
mesh.box = { cell = "triangle", cells = [10, 10] }
time = { end = 1.0, step = 0.1 }
output = { frames = 2, xdmf = false }
rom.modes = 20
[random.g]
kind = "spectral"
tau = 3
alpha = 2
terms = 3
[random.h]
kind = "spectral"
tau = 3
alpha = 2
terms = 3
correlation = { g = 0.5 }
[parameters]
power = { default = 1.0, range = [0.5, 2.0] }
[[physics]]
model = "diffusion"
field = "T"
capacity = 1
conductivity = "0.2*exp(3*g)"
source = "power*(1 + 2*h)"
boundary = [{ marker = "left", value = 0 }]
[[quantity]]
name = "inside"
kind = "point"
field = "T"
point = [0.4, 0.6]
[campaign]
design = "random"
samples = 30
frames = "steps"
"#;
    with_folder(comm, |folder| {
        let model = trained(comm, folder, text, &["rom.calibration=9", "rom.level=0.9"]);
        let (errors, ..) = drawn(comm, &model, "T", 6);
        assert!(errors.iter().all(|error| *error < 1e-2), "{errors:?}");
    });
}

/// What the indicator refuses is run in full, guarded; what it does not is predicted. With fields or without.
fn sampled_predictions_are_corrected(comm: &Comm) {
    with_folder(comm, |folder| {
        let more = ["campaign.design=\"random\"", "campaign.samples=14", "rom.calibration=3", "rom.level=0.75", "solver.tolerance=1e-9", "rom.modes=4"];
        let model = trained(comm, folder, HEAT, &more);
        // In the middle of the training, and far beyond it.
        let table = folder.join("points.csv");
        if comm.rank() == 0 {
            std::fs::write(&table, "k1,hot\n0.01,600\n0.1,1500\n0.012,650\n").unwrap();
        }
        comm.barrier();
        let predicted = |accept: Option<f64>, fields: bool| {
            let output = folder.join("corrected");
            let points = Points::Table(table.clone());
            let options =
                PredictOptions { run: quiet(), points, accept, fields, output: Some(output.clone()), ..PredictOptions::default() };
            predict::run(comm, &model, &options).unwrap();
            comm.barrier();
            let file = Reader::open(&output.join("predict.h5")).unwrap();
            let corrected = file.array::<u8>("/estimate/corrected").map_or(Vec::new(), |found| found.1);
            let list = |path: &str| file.array::<f64>(path).unwrap().1;
            let field = if fields { list("/fields/T") } else { Vec::new() };
            comm.barrier();
            (corrected, list("/history/mean"), list("/estimate/quantities/mean"), field)
        };
        let (_, plain, bounds, _) = predicted(None, false);
        let (corrected, found, bounds_then, _) = predicted(Some(1e-2), false);
        assert_eq!(corrected, [1, 0, 1]);
        let (all, exact, _, _) = predicted(Some(1e-7), false);
        assert_eq!(all, [1, 1, 1]);
        // Predictions are those without, runs are those of the full model.
        let frames = exact.len() / 3;
        let of = |list: &[f64], number: usize| list[number * frames..][..frames].to_vec();
        let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / 300.0;
        assert_eq!(of(&plain, 1), of(&found, 1));
        for number in [0, 2] {
            let (before, after) = (apart(&of(&plain, number), &of(&exact, number)), apart(&of(&found, number), &of(&exact, number)));
            assert!(after < 1e-4 && after < 0.1 * before, "{before:e} {after:e}");
        }
        assert_eq!(bounds, bounds_then);
        let (with_fields, same, _, field) = predicted(Some(1e-2), true);
        assert_eq!(with_fields, [1, 0, 1]);
        assert!(apart(&same, &found) < 1e-6);
        let hottest = field.chunks(field.len() / 3).map(|row| row.iter().copied().fold(0.0, f64::max)).collect::<Vec<_>>();
        assert!((hottest[0] - 600.0).abs() < 1e-6 && (hottest[2] - 650.0).abs() < 1e-6, "{hottest:?}");
    });
}

fn sampled_chain(comm: &Comm) {
    with_folder(comm, |folder| {
        let model = trained(comm, folder, CHAIN, &[]);
        let error = errors(comm, &model, &["gas=1210"]);
        assert!(error("fields/temperature") < 1e-4, "{:e}", error("fields/temperature"));
        assert!(error("fields/displacement") < 1e-2, "{:e}", error("fields/displacement"));
        assert!(error("quantities/lift") < 1e-2, "{:e}", error("quantities/lift"));
        assert!(error("fields/accumulated_plastic_strain") < 5e-2);
        // Where stresses and strains were largest in training they are followed; the largest of all is near.
        for quantity in ["stress", "strain", "warmth", "inside"] {
            unseen(comm, &model, &[("gas", 1210.0)], quantity, 2e-2);
        }
    });
}

/// With as many modes as unknowns and all that there is to integrate, a reduced run is the full one.
fn sampled_full_basis_is_the_full_model(comm: &Comm) {
    let text = HEAT.replace("cell = \"quadrilateral\", cells = [12, 6], upper = [2.0, 1.0]", "cell = \"interval\", cells = [8]");
    with_folder(comm, |folder| {
        let more = ["rom.tolerance=0.0", "rom.cubature=1e-13", "solver.tolerance=1e-11", "campaign.samples=24"];
        let model = trained(comm, folder, &text, &more);
        let (shape, _) = Reader::open(&model).unwrap().array::<f64>("/sampled/heat/gram").unwrap();
        assert_eq!(shape, [9, 9], "a lifting and eight modes");
        let error = errors(comm, &model, &["k1=0.013", "hot=640"]);
        assert!(error("fields/T") < 1e-9, "{:e}", error("fields/T"));
    });
}

/// A model read from a file, with its parts. Collective.
fn read(comm: &Comm, path: &Path) -> (SampledModel, Vec<ProblemData>) {
    let opened = ModelFile::open(comm, path).unwrap();
    let deck = tessera::deck::Deck::parse(&opened.text("/", "deck").unwrap(), "model", &[]).unwrap();
    let (part, data) = file::read(&opened, 0, &deck).unwrap();
    opened.close().unwrap();
    (SampledModel::new(&deck, &part, &data).unwrap(), data)
}

/// Reduced tangents are the derivatives of reduced residuals.
fn sampled_tangents(comm: &Comm) {
    for (text, name, more) in [
        (HEAT, "heat", vec![]),
        (PLATE, "viscoplasticity", vec!["mesh.box.cells=[12,6]", "rom.indicator_modes=0"]),
    ] {
        with_folder(comm, |folder| {
            let path = trained(comm, folder, text, &more);
            let (mut model, data) = read(comm, &path);
            let problem = &mut model.problems[0];
            let deck = model_context(&path, comm);
            problem.set_time(&deck).unwrap();
            let b = data[0].functions();
            let size = data[0].start[..b].iter().fold(0.0f64, |m, v| m.max(v.abs()));
            // Far enough for a body to flow.
            let at: Vec<f64> = data[0].start[..b].iter().map(|c| 3.0 * c).collect();
            let direction: Vec<f64> = (0..b).map(|i| size * (1.3 * i as f64 + 0.4).sin()).collect();
            let parts = Parts { storage: 0.1, residual: 1.0 };
            let (r, k) = problem.linearised(parts, &at);
            let remainder = |h: f64| {
                let moved: Vec<f64> = at.iter().zip(&direction).map(|(a, d)| a + h * d).collect();
                let (moved, _) = problem.linearised(parts, &moved);
                let rest = |i: usize| {
                    let slope: f64 = (0..b).map(|j| k[(i, j)] * direction[j]).sum();
                    (moved[i] - r[i] - h * slope).powi(2)
                };
                (data[0].lifts..b).map(rest).sum::<f64>().sqrt()
            };
            let (once, half) = (remainder(1e-3), remainder(5e-4));
            assert!(half <= 0.27 * once, "{name}: {once:e} {half:e}");
        });
    }
}

fn model_context(path: &Path, comm: &Comm) -> Context {
    let opened = ModelFile::open(comm, path).unwrap();
    let deck = tessera::deck::Deck::parse(&opened.text("/", "deck").unwrap(), "model", &[]).unwrap();
    opened.close().unwrap();
    Context { time: 50.0, ..Context::steady(deck.default_parameters()) }
}

/// Under uniform strain one mode and few points are everything.
fn sampled_uniform_strain(comm: &Comm) {
    let text = include_str!("../../input/viscoplasticity/cycle.toml").replace("end = 40", "end = 20");
    let text = text.replace("0.01*sin", "strain*sin").replace(
        "[time]",
        "[parameters]\nstrain = { default = 0.01, range = [0.005, 0.01] }\n[time]",
    );
    let text = format!("{text}\n[campaign]\nframes = \"steps\"\nsamples = 4\n[rom]\nindicator_modes = 0\n");
    with_folder(comm, |folder| {
        let model = trained(comm, folder, &text, &["solver.tolerance=1e-12", "output.xdmf=false"]);
        let reader = Reader::open(&model).unwrap();
        let points = reader.shape("/sampled/viscoplasticity/weights").unwrap()[0];
        assert!(points <= 3, "{points} points");
        let error = errors(comm, &model, &["strain=0.0083"]);
        let worst = error("fields/displacement").max(error("quantities/stress")).max(error("quantities/p"));
        assert!(worst < 1e-8, "{worst:e}");
    });
}

/// Points, bases and predictions do not depend on the number of ranks.
fn sampled_on_any_number_of_ranks(comm: &Comm) {
    with_folder(comm, |folder| {
        let path = trained(comm, folder, HEAT, &[]);
        let (_, together) = read(comm, &path);
        let own = comm.split(comm.rank());
        let mine = folder.join(format!("rank{}", comm.rank()));
        std::fs::create_dir_all(&mine).unwrap();
        let path_of_own = trained(&own, &mine, HEAT, &[]);
        let (_, alone) = read(&own, &path_of_own);
        let places = |data: &[ProblemData]| {
            let one = |c: &Chosen| (c.integral, c.cell, c.facet, c.point);
            data[0].chosen.iter().map(one).collect::<Vec<_>>()
        };
        assert_eq!(places(&together), places(&alone));
        for (a, b) in together[0].chosen.iter().zip(&alone[0].chosen) {
            assert!((a.weight - b.weight).abs() < 1e-6 * a.weight, "{} {}", a.weight, b.weight);
        }
        comm.barrier();
        // Many predictions are shared out.
        let predicted = |comm: &Comm, model: &Path| {
            let output = model.parent().unwrap().join("many");
            let points = Points::LatinHypercube { samples: 7, seed: 3 };
            let options = PredictOptions { run: quiet(), points, output: Some(output.clone()), ..PredictOptions::default() };
            predict::run(comm, model, &options).unwrap();
            comm.barrier();
            Reader::open(&output.join("predict.h5")).unwrap().array::<f64>("/history/mean").unwrap().1
        };
        let (ours, theirs) = (predicted(comm, &path), predicted(&own, &path_of_own));
        assert_eq!(ours.len(), 7 * 6);
        assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-7 * b.abs()), "{ours:?} {theirs:?}");
    });
}

/// Held-out samples give bounds, which most others keep.
fn sampled_bounds_are_kept(comm: &Comm) {
    with_folder(comm, |folder| {
        let more = ["campaign.design=\"random\"", "campaign.samples=25", "rom.calibration=19", "rom.modes=4"];
        let model = trained(comm, folder, HEAT, &more);
        let reader = Reader::open(&model).unwrap();
        assert_eq!(reader.shape("/calibration/errors").unwrap(), [19, 5]);
        let (_, held) = reader.array::<u64>("/calibration/samples").unwrap();
        assert_eq!(held, (6..25).collect::<Vec<u64>>());
        let mut kept = 0;
        let all = [[0.004, 380.0], [0.011, 450.0], [0.017, 520.0], [0.022, 610.0], [0.026, 700.0], [0.014, 770.0]];
        for [k1, hot] in all {
            let error = errors(comm, &model, &[&format!("k1={k1}"), &format!("hot={hot}")]);
            let file = Reader::open(&folder.join("predicted/predict.h5")).unwrap();
            let bound = file.array::<f64>("/estimate/fields/T").unwrap().1[0];
            assert!(bound.is_finite() && bound > 0.0);
            kept += usize::from(error("fields/T") <= bound);
        }
        // Of six with a probability of 0.9 each, four at least with one of 0.984.
        assert!(kept >= 4, "{kept} of 6");
    });
}

/// A front that travels at speed 1/2 needs many modes where it stands and few in a frame that goes with it, where it is the same.
fn sampled_front_in_its_frame(comm: &Comm) {
    // Middle of the box, speed of the frame, where the front is looked at.
    let front = |middle: f64, speed: f64, point: f64| {
        format!(
            r#"
mesh.box = {{ cell = "interval", cells = [300], lower = [{0}], upper = [{1}] }}
time = {{ end = 0.6, step = 0.01, scheme = "bdf2" }}
output = {{ frames = 3, xdmf = false }}
parameters.viscosity = {{ default = 0.01, range = [0.005, 0.02] }}
[[physics]]
model = "burgers"
field = "u"
viscosity = "viscosity"
boundary = [{{ marker = "left", value = {2} }}, {{ marker = "right", value = {3} }}]
[[initial]]
value = "{2} - (1 + tanh(x/0.03))/2"
[[quantity]]
name = "there"
kind = "point"
point = [{point}]
[campaign]
frames = "steps"
design = "sobol"
samples = 6
[rom]
modes = 5
"#,
            middle - 0.5,
            middle + 0.5,
            1.0 - speed,
            -speed
        )
    };
    let [lab, frame] = [front(0.2, 0.0, 0.32), front(0.0, 0.5, 0.02)].map(|text| {
        let mut found = [0.0; 2];
        with_folder(comm, |folder| {
            let model = trained(comm, folder, &text, &[]);
            let error = errors(comm, &model, &["viscosity=0.0075"])("fields/u");
            let dataset = Reader::open(&folder.join("dataset.h5")).unwrap();
            found = [error, dataset.array::<f64>("/qoi/there").unwrap().1.into_iter().next_back().unwrap()];
        });
        found
    });
    assert!(frame[0] < 2e-3 && lab[0] > 2e-2, "{frame:?} {lab:?}");
    assert!((frame[1] + 0.5 - lab[1]).abs() < 2e-3 && (0.1..0.45).contains(&lab[1]), "{frame:?} {lab:?}");
}

/// A model whose samples begin where another run has ended holds what it needs of that run's file, and predicts beyond the time that
/// it was trained for.
fn sampled_from_another_run(comm: &Comm) {
    with_folder(comm, |folder| {
        let before = deck_in(folder, HEAT, &["time.end=160", "parameters.hot.default=600", "output.file=\"start.h5\""]);
        run::run(comm, &before, &quiet()).unwrap();
        comm.barrier();
        let start = folder.join("start.h5");
        let file = format!("value = {{ file = \"{}\", dataset = \"/fields/T\" }}\n", start.display());
        let text = HEAT.replace("value = 300\n", &file).replace("300 + (hot-300)*min", "600 + (hot-600)*min");
        let model = trained(comm, folder, &text, &[]);
        let error = errors(comm, &model, &["k1=0.02", "hot=700"])("fields/T");
        assert!(error < 2e-3, "{error:e}");
        let output = folder.join("beyond");
        let beyond = |end: f64, truth: bool| {
            let points = Points::One(vec!["k1=0.02".into(), "hot=700".into()]);
            let (end, output) = (Some(end), Some(output.clone()));
            let options = PredictOptions { run: quiet(), points, end, truth, output, ..PredictOptions::default() };
            predict::run(comm, &model, &options)
        };
        beyond(800.0, true).unwrap();
        comm.barrier();
        let found = Reader::open(&output.join("predict.h5")).unwrap();
        let times = found.array::<f64>("/time").unwrap().1;
        assert_eq!((times.len(), times[10]), (11, 800.0));
        let error = found.array::<f64>("/truth/fields/T").unwrap().1[0];
        assert!(error < 2e-3, "{error:e}");
        let error = beyond(-1.0, false).unwrap_err().to_string();
        assert!(error.contains("expected a time after the start 0 s, found -1"), "{error}");
        // Quantities need nothing of the other run.
        if comm.rank() == 0 {
            std::fs::remove_file(&start).unwrap();
        }
        comm.barrier();
        unseen(comm, &model, &[("k1", 0.02), ("hot", 700.0)], "peak", 1e-9);
    });
}

fn sampled_what_does_not_fit(comm: &Comm) {
    with_folder(comm, |folder| {
        // Frames alone cannot train what has a history.
        let path = trained(comm, folder, HEAT, &["campaign.frames=\"all\"", "campaign.file=\"frames.h5\"", "rom.file=\"bases.h5\""]);
        assert!(!path.exists());
        let options = PredictOptions { run: quiet(), ..PredictOptions::default() };
        let error = predict::run(comm, &folder.join("bases.h5"), &options).unwrap_err().to_string();
        assert!(error.contains("frames = \"steps\""), "{error}");
        // Too few samples for the level.
        let deck = deck_in(folder, HEAT, &["campaign.group_ranks=\"all\"", "rom.calibration=5"]);
        campaign::run(comm, &deck, &quiet()).unwrap();
        let error = train::run(comm, &deck, &[], &quiet()).unwrap_err().to_string();
        assert!(error.contains("rom.calibration") && error.contains("9 held-out samples"), "{error}");
    });
}
