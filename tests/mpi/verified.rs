//! Bounds of the error of predicted trajectories from their residuals: proven ones are never less than the error, whatever the
//! trajectory, they are what the theory says on problems small enough to do by hand, and nothing else is called a bound.
use crate::common::decks::{deck_in, quiet};
use crate::common::{Suite, with_folder};
use std::path::Path as FilePath;
use std::rc::Rc;
use tessera::deck::Deck;
use tessera::drivers::predict::{Points, PredictOptions};
use tessera::drivers::{campaign, predict, train};
use tessera::mesh::{Mesh, MeshSource};
use tessera::mixture::Columns;
use tessera::parallel::Comm;
use tessera::physics::Context;
use tessera::rom::sampled::verify::{Kind, Verified, Verifier};
use tessera::rom::sampled::{Combined, Path, SampledModel, file, replay};
use tessera::simulation::{Evolution, Simulation};
use tessera::solver::by_newton;
use tessera::storage::{ModelFile, Reader};

pub const SUITES: &[Suite] = &[
    Suite {
        ranks: &[1, 2],
        tests: &[
            ("verified_heat", verified_heat),
            ("verified_monotone", verified_monotone),
            ("verified_words", verified_words),
        ],
    },
    Suite { ranks: &[1], tests: &[("verified_by_hand", verified_by_hand)] },
];

/// Linear, with a side whose temperature rises and two parameters.
const HEAT: &str = r#"
title = "Plate that is heated at a side"
mesh.box = { cell = "quadrilateral", cells = [8, 4], upper = [2.0, 1.0] }
time = { end = 400, step = 16, scheme = "bdf1" }
output = { frames = 5, xdmf = false }
solver.tolerance = 1e-12
rom.modes = 4
[parameters]
k = { default = 2.0, range = [1.0, 4.0] }
hot = { default = 500.0, range = [350.0, 800.0], unit = "K" }
[[physics]]
name = "heat"
model = "diffusion"
field = "T"
unit = "K"
conductivity = "if(x < 1, k, 2)"
capacity = 1000
boundary = [
  { marker = "left", value = "300 + (hot-300)*min(1,t/100)" },
  { marker = "right", coefficient = 5, ambient = "300 + t/10" },
]
[[initial]]
value = 300
[campaign]
frames = "steps"
design = "sobol"
samples = 6
"#;

/// What spreads in a closed box.
const POROUS: &str = r#"
title = "Gas in a rock"
mesh.box = { cell = "triangle", cells = [6, 6], lower = [-2, -2], upper = [2, 2] }
time = { end = 0.5, step = 0.05, scheme = "bdf1" }
output = { frames = 5, xdmf = false }
solver.tolerance = 1e-12
parameters.c = { default = 0.5, range = [0.4, 0.8] }
rom.modes = 4
[[physics]]
model = "porous_medium"
field = "u"
exponent = 2.0
source = "0.1*t"
[[initial]]
value = "max(0, c - 0.2*(x^2 + y^2))"
[campaign]
frames = "steps"
samples = 5
"#;

const STEFAN: &str = r#"
title = "A front that melts"
mesh.box = { cell = "interval", cells = [30] }
time = { end = 0.1, step = 5e-3, scheme = "bdf1" }
output = { frames = 5, xdmf = false }
solver.tolerance = 1e-12
parameters.c = { default = 1.0, range = [0.8, 1.2] }
rom.modes = 6
[[physics]]
model = "porous_medium"
field = "u"
stefan = { below = 0.02, above = "c", threshold = 0.5 }
boundary = [{ marker = "left", value = 1.0 }]
[campaign]
frames = "steps"
samples = 5
"#;

const SORPTION: &str = r#"
title = "Sorption"
mesh.box = { cell = "interval", cells = [30] }
time = { end = 100, step = 4, scheme = "bdf1" }
output = { frames = 5, xdmf = false }
solver.tolerance = 1e-12
parameters.inside = { default = 0.1, range = [0.05, 0.2] }
rom.modes = 4
[[physics]]
model = "diffusion_sorption"
field = "u"
diffusivity = 5e-4
porosity = 0.29
density = 2880.0
partition = 3.5e-4
exponent = 0.874
boundary = [{ marker = "left", value = 1.0 }, { marker = "right", coefficient = 1e-3, ambient = "t/1000" }]
[[initial]]
value = "inside"
[campaign]
frames = "steps"
samples = 5
"#;

/// Campaign and training; the path of the model. Collective.
fn trained(comm: &Comm, folder: &FilePath, text: &str, more: &[&str]) -> std::path::PathBuf {
    let deck = deck_in(folder, text, &[&["campaign.group_ranks=\"all\""], more].concat());
    campaign::run(comm, &deck, &quiet()).unwrap();
    train::run(comm, &deck, &[], &quiet()).unwrap();
    comm.barrier();
    folder.join("model.h5")
}

/// Predicts at parameters with residuals, and solves the full model if asked; the file. Collective.
fn predicted(comm: &Comm, model: &FilePath, points: Points, truth: bool) -> Reader {
    let output = model.parent().unwrap().join("predicted");
    let options =
        PredictOptions { run: quiet(), points, truth, verify: true, output: Some(output.clone()), ..PredictOptions::default() };
    predict::run(comm, model, &options).unwrap();
    comm.barrier();
    Reader::open(&output.join("predict.h5")).unwrap()
}

fn at(parameters: &[&str]) -> Points {
    Points::One(parameters.iter().map(|text| (*text).to_string()).collect())
}

fn array(file: &Reader, path: &str) -> Vec<f64> {
    file.array::<f64>(path).unwrap().1
}

/// The bound is nowhere less than the error; the least and largest of their ratio.
#[track_caller]
fn expect_kept(what: &str, bounds: &[f64], errors: &[f64], sizes: &[f64]) -> [f64; 2] {
    assert!(bounds.len() == errors.len() && bounds.len() > 2, "{what}: {bounds:?} {errors:?}");
    let size = sizes.iter().copied().fold(0.0, f64::max);
    let mut range = [f64::INFINITY, 0.0f64];
    for (step, (bound, error)) in bounds.iter().zip(errors).enumerate() {
        assert!(bound.is_finite() && error.is_finite(), "{what}, step {step}: {bound} {error}");
        assert!(*bound >= error * (1.0 - 1e-9) - 1e-10 * size, "{what}, step {step}: {bound:e} < {error:e}");
        if step > 0 && *error > 1e-8 * size {
            range = [range[0].min(bound / error), range[1].max(bound / error)];
        }
    }
    range
}

/// Of linear heat: every step of several predictions, a level that is held, nothing that holds it, and coefficients in time.
fn verified_heat(comm: &Comm) {
    let closed = HEAT
        .replace("{ marker = \"left\", value = \"300 + (hot-300)*min(1,t/100)\" }", "{ marker = \"left\", flux = \"hot*min(1,t/100)\" }")
        .replace("  { marker = \"right\", coefficient = 5, ambient = \"300 + t/10\" },\n", "");
    let changing = HEAT.replace("if(x < 1, k, 2)", "if(x < 1, k, 2)*(1 + t/400)");
    for (what, text) in [("held", HEAT.to_string()), ("closed", closed), ("changing", changing)] {
        with_folder(comm, |folder| {
            let model = trained(comm, folder, &text, &[]);
            for parameters in [["k=1.3", "hot=700"], ["k=3.7", "hot=390"]] {
                let file = predicted(comm, &model, at(&parameters), true);
                assert_eq!(file.text("/verify/T", "kind").unwrap(), "proven bound");
                let [bounds, errors, sizes] =
                    ["bound", "error", "size"].map(|name| array(&file, &format!("/verify/T/{name}")));
                let [low, high] = expect_kept(what, &bounds, &errors, &sizes);
                if comm.rank() == 0 {
                    println!("heat, {what}, {parameters:?}: bound over error {low:.2} to {high:.2}");
                }
                assert!(high < 10.0, "{what}: {high}");
            }
        });
    }
}

/// A trajectory of states.
struct States<'a> {
    times: &'a [f64],
    states: Vec<Vec<f64>>,
}

impl Path for States<'_> {
    fn times(&self) -> &[f64] {
        self.times
    }

    fn state(&self, _: usize, moment: usize, _: f64) -> tessera::Result<Vec<f64>> {
        Ok(self.states[moment].clone())
    }
}

/// The full model at these times: the states. Collective.
fn exact(simulation: &mut Simulation, context: &Context, times: &[f64]) -> Vec<Vec<f64>> {
    let time = simulation.deck.time.clone().unwrap();
    let context = Context { time: times[0], ..context.clone() };
    simulation.reset(&context).unwrap();
    let mut evolution = Evolution::start(simulation, &time, context).unwrap();
    // With its prescribed values.
    let essential = simulation.stages[0].problem.essential(&evolution.context).unwrap();
    let mut first = simulation.stages[0].solution().read().unwrap().to_vec();
    essential.impose(&mut first);
    let mut states = vec![first];
    for &end in &times[1..] {
        let step = evolution
            .follow(simulation, end, &mut |_, newton, equation, state| by_newton(newton, equation, state));
        step.unwrap();
        states.push(simulation.stages[0].solution().read().unwrap().to_vec());
    }
    states
}

/// Judges a trajectory, and compares it with the exact one. Collective.
fn judged(simulation: &mut Simulation, path: &dyn Path, context: &Context, exact: &[Vec<f64>]) -> Verified {
    let mut verifier = Verifier::new(simulation, path, context).unwrap();
    replay(simulation, path, context, &mut |visited| verifier.visit(&visited), &mut |_, _, _| Ok(())).unwrap();
    let problem = simulation.stages[0].problem.clone();
    for (moment, &time) in path.times().iter().enumerate() {
        let prepared = problem.at(&Context { time, ..context.clone() }).unwrap();
        verifier.compare(path, (0, moment), &prepared, &exact[moment]).unwrap();
    }
    verifier.finish().remove(0)
}

/// Numbers that look random, between -1 and 1, the same on all ranks.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

/// Of lumped monotone problems: trained models, and 200 trajectories of other coefficients each. No exception.
fn verified_monotone(comm: &Comm) {
    let cases =
        [("porous", POROUS, 0.55, Kind::PotentialWithoutMean), ("stefan", STEFAN, 1.07, Kind::Potential), ("sorption", SORPTION, 0.13, Kind::Potential)];
    for (what, text, parameter, kind) in cases {
        with_folder(comm, |folder| {
            let path = trained(comm, folder, text, &[]);
            let opened = ModelFile::open(comm, &path).unwrap();
            let deck = Deck::parse(&opened.text("/", "deck").unwrap(), "model", &[]).unwrap();
            let source = MeshSource::File { path: path.clone(), scale: 1.0 };
            let mesh = Mesh::build(comm, &source, &deck.partition_options()).unwrap();
            let mut simulation = Simulation::on_mesh(&deck, Rc::new(mesh)).unwrap();
            let functions: Columns = file::functions(&opened, 0, &simulation.stages[0].problem).unwrap();
            let (part, data) = file::read(&opened, 0, &deck).unwrap();
            opened.close().unwrap();
            let context = Context::steady(vec![parameter]);
            let mut model = SampledModel::new(&deck, &part, &data).unwrap();
            let moments = model.predict(&context, &[]).unwrap().moments;
            let times: Vec<f64> = moments.iter().map(|moment| moment.time).collect();
            let truth = exact(&mut simulation, &context, &times);
            let coefficients: Vec<Vec<f64>> = moments.iter().map(|m| m.coefficients[0].clone()).collect();
            let path = |own: &[Vec<f64>], simulation: &mut Simulation| {
                let path = Combined { times: &times, functions: vec![&functions], coefficients: vec![own] };
                judged(simulation, &path, &context, &truth)
            };
            let found = path(&coefficients, &mut simulation);
            assert_eq!(found.kind, kind, "{what}: {:?}", found.why);
            let [low, high] = expect_kept(what, &found.bounds, &found.errors, &found.sizes);
            let last = found.bounds.len() - 1;
            let mut range = [f64::INFINITY, 0.0f64];
            let mut random = Random(7);
            let size = coefficients.iter().flatten().fold(0.0f64, |m, v| m.max(v.abs()));
            for number in 0..200 {
                // From rounding to nonsense, smooth and rough in time.
                let amplitude = size * 10f64.powf(-5.0 + 5.0 * f64::from(number) / 199.0);
                let drift: Vec<f64> = (0..functions.count()).map(|_| random.next()).collect();
                let moved = |(moment, own): (usize, &Vec<f64>)| -> Vec<f64> {
                    let share = if number % 2 == 0 { moment as f64 / last as f64 } else { 1.0 };
                    own.iter().zip(&drift).map(|(c, d)| c + amplitude * (share * d + 0.3 * random.next())).collect()
                };
                let perturbed: Vec<Vec<f64>> = coefficients.iter().enumerate().map(moved).collect();
                let one = path(&perturbed, &mut simulation);
                let found = expect_kept(what, &one.bounds, &one.errors, &one.sizes);
                range = [range[0].min(found[0]), range[1].max(found[1])];
            }
            if comm.rank() == 0 {
                println!(
                    "{what}: error {:.1e} of the norm at the end, bound over error {low:.1} to {high:.1}, {:.1} at the end; \
                     of 200 others {:.2} to {:.1}",
                    found.errors[last] / found.sizes[last],
                    found.bounds[last] / found.errors[last],
                    range[0],
                    range[1]
                );
            }
            // The full run leaves nothing.
            let one = judged(&mut simulation, &States { times: &times, states: truth.clone() }, &context, &truth);
            assert!(one.bounds[last] < 1e-8 * one.sizes[last], "{what}: {:e}", one.bounds[last]);
            // And the command says the same.
            let name = deck.parameters.keys().next().unwrap();
            let file = predicted(comm, &folder.join("model.h5"), at(&[&format!("{name}={parameter}")]), true);
            assert_eq!(file.text("/verify/u", "kind").unwrap(), "proven bound");
            for (name, ours) in [("bound", &found.bounds), ("error", &found.errors), ("residual", &found.residuals)] {
                let theirs = array(&file, &format!("/verify/u/{name}"));
                let same = |(a, b): (&f64, &f64)| a.is_nan() && b.is_nan() || (a - b).abs() < 1e-6 * found.sizes[last].max(a.abs());
                assert!(theirs.len() == ours.len() && theirs.iter().zip(ours).all(same), "{name}: {theirs:?} {ours:?}");
            }
        });
    }
}

/// Nothing that is not proven is called a bound, and it says why.
fn verified_words(comm: &Comm) {
    let small = |text: &str| text.replace("cells = [8, 4]", "cells = [3, 2]").replace("cells = [30]", "cells = [10]").replace("cells = [6, 6]", "cells = [3, 3]");
    let chain = HEAT.replace("[[initial]]", "[[physics]]\nname = \"second\"\nmodel = \"diffusion\"\nfield = \"v\"\nsource = { physics = \"heat\" }\nboundary = [{ marker = \"left\", value = 0.0 }]\n[[initial]]\nfield = \"T\"");
    for (text, field, why) in [
        (HEAT.replace("bdf1", "bdf2"), "T", "bdf1"),
        (HEAT.replace("\"if(x < 1, k, 2)\"", "\"k*(1 + T/1000)\""), "T", "depend on the solution"),
        (HEAT.replace("capacity = 1000", "capacity = \"1000 + t\""), "T", "capacity changes"),
        (HEAT.replace("coefficient = 5, ambient = \"300 + t/10\"", "emissivity = 0.8, ambient = 300"), "T", "depend on the solution"),
        (POROUS.replace("source = \"0.1*t\"", "boundary = [{ marker = \"left\", coefficient = 1.0, ambient = 0.1 }]"), "u", "transfer coefficient"),
        (SORPTION.replace("diffusivity = 5e-4", "diffusivity = \"5e-4*(1 + t/100)\""), "u", "changes in time"),
        (SORPTION.replace("boundary = [{ marker = \"left\", value = 1.0 }, { marker = \"right\", coefficient = 1e-3, ambient = \"t/1000\" }]", "boundary = [{ marker = \"left\", flux = 1e-3 }]"), "u", "nothing holds the level"),
        (
            POROUS.replace("porous_medium", "reaction_diffusion").replace("exponent = 2.0", "diffusivity = 1.0\nrate = 1.0"),
            "u",
            "neither linear",
        ),
        (chain, "v", "another physics"),
    ] {
        with_folder(comm, |folder| {
            let more = if field == "v" { vec!["rom.indicator_modes=2"] } else { vec!["rom.indicator_modes=0"] };
            let model = trained(comm, folder, &small(&text), &more);
            let file = predicted(comm, &model, at(&[]), true);
            let group = format!("/verify/{field}");
            assert_eq!(file.text(&group, "kind").unwrap(), "indicator", "{text}");
            let reason = file.text(&group, "why").unwrap();
            assert!(reason.contains(why), "{reason}");
            assert!(!file.exists(&format!("{group}/bound")));
            assert!(file.text(&format!("{group}/residual"), "meaning").unwrap().contains("no bound"));
            let (residuals, errors) = (array(&file, &format!("{group}/residual")), array(&file, &format!("{group}/error")));
            assert_eq!(residuals.len(), errors.len());
            assert!(residuals[1..].iter().chain(&errors[1..]).all(|v| v.is_finite() && *v >= 0.0), "{residuals:?} {errors:?}");
            assert!(residuals[1..].iter().any(|v| *v > 0.0));
            if field == "v" {
                // What is not read stays proven.
                assert_eq!(file.text("/verify/T", "kind").unwrap(), "proven bound");
            }
        });
    }
    // Several predictions, without the full model.
    with_folder(comm, |folder| {
        let model = trained(comm, folder, &small(HEAT), &["rom.indicator_modes=0"]);
        let file = predicted(comm, &model, Points::LatinHypercube { samples: 3, seed: 1 }, false);
        let (shape, bounds) = file.array::<f64>("/verify/T/bound").unwrap();
        assert_eq!(shape, [3, 26]);
        assert!(bounds.iter().all(|bound| bound.is_finite()));
        assert!(!file.exists("/verify/T/error"));
    });
}

/// `A x = b` by elimination.
fn solved(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for i in 0..n {
        for j in i + 1..n {
            let factor = a[j][i] / a[i][i];
            let row = a[i].clone();
            a[j].iter_mut().zip(row).for_each(|(v, w)| *v -= factor * w);
            b[j] -= factor * b[i];
        }
    }
    for i in (0..n).rev() {
        b[i] = (b[i] - (i + 1..n).map(|j| a[i][j] * b[j]).sum::<f64>()) / a[i][i];
    }
    b
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Eight cells on a line: the same numbers from matrices that are written down here.
fn verified_by_hand(comm: &Comm) {
    let n = 8usize;
    let h = 1.0 / n as f64;
    let (dt, steps, k, capacity) = (0.05, 4usize, 0.7, 3.0);
    let head = format!(
        "title = \"line\"\nmesh.box = {{ cell = \"interval\", cells = [{n}] }}\ntime = {{ end = 0.2, step = 0.05, scheme = \"bdf1\" }}\nsolver.tolerance = 1e-13\n"
    );
    let heat = format!(
        "{head}[[physics]]\nmodel = \"diffusion\"\nfield = \"u\"\nconductivity = {k}\ncapacity = {capacity}\nsource = \"1 + t\"\nboundary = [{{ marker = \"left\", value = \"1 + t\" }}]\n[[initial]]\nvalue = \"1 + x\"\n"
    );
    let porous = format!(
        "{head}[[physics]]\nmodel = \"porous_medium\"\nfield = \"u\"\nexponent = 2.0\nsource = \"1 + t\"\nboundary = [{{ marker = \"left\", value = \"1 + t\" }}]\n[[initial]]\nvalue = \"1 + x\"\n"
    );
    let times: Vec<f64> = (0..=steps).map(|step| dt * step as f64).collect();
    for (linear, text) in [(true, heat), (false, porous)] {
        let mut simulation = crate::common::decks::simulation(comm, &text);
        let context = Context::default();
        let truth = exact(&mut simulation, &context, &times);
        let space = simulation.stages[0].space().clone();
        // Nodes by their place.
        let place: Vec<usize> = (0..=n).map(|node| (space.point(node)[0] / h).round() as usize).collect();
        let mut random = Random(3);
        let mut states = truth.clone();
        states.iter_mut().flatten().for_each(|v| *v += 0.1 * random.next());
        let found = judged(&mut simulation, &States { times: &times, states: states.clone() }, &context, &truth);
        // By place, with the prescribed value.
        let sorted = |state: &Vec<f64>, time: f64| {
            let mut list = vec![0.0; n + 1];
            place.iter().zip(state).for_each(|(place, v)| list[*place] = *v);
            list[0] = 1.0 + time;
            list
        };
        let matrix = |of: &dyn Fn(usize, usize) -> f64| -> Vec<Vec<f64>> {
            let mut matrix = vec![vec![0.0; n + 1]; n + 1];
            for cell in 0..n {
                for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    matrix[cell + i][cell + j] += of(i, j);
                }
            }
            matrix
        };
        let stiffness = matrix(&|i, j| if i == j { 1.0 / h } else { -1.0 / h });
        let lumped = matrix(&|i, j| if i == j { h / 2.0 } else { 0.0 });
        let consistent = matrix(&|i, j| if i == j { h / 3.0 } else { h / 6.0 });
        let times_vector = |m: &Vec<Vec<f64>>, v: &[f64]| -> Vec<f64> { m.iter().map(|row| dot(row, v)).collect() };
        let free = |m: &Vec<Vec<f64>>, factor: f64| -> Vec<Vec<f64>> {
            m[1..].iter().map(|row| row[1..].iter().map(|v| factor * v).collect()).collect()
        };
        let (conductivity, mass, factor) = if linear { (k, &consistent, capacity) } else { (1.0, &lumped, 1.0) };
        let inverse = |load: &[f64]| dot(load, &solved(free(&stiffness, conductivity), load.to_vec()));
        let stored = |v: &[f64]| -> Vec<f64> { times_vector(mass, v).iter().map(|m| factor * m).collect() };
        let potential = |v: &[f64]| -> Vec<f64> { v.iter().map(|u| if linear { *u } else { u * u.abs().powi(2) / 3.0 }).collect() };
        let difference = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
        let (mut squares, mut sum, mut missed) = (0.0, 0.0, 0.0);
        for step in 0..=steps {
            let ours = sorted(&states[step], times[step]);
            let theirs = sorted(&truth[step], times[step]);
            let error = difference(&theirs, &ours);
            let of_stored = difference(&stored(&theirs), &stored(&ours));
            let in_mass = dot(&error, &of_stored);
            let star = inverse(&of_stored[1..]).sqrt();
            if step == 0 {
                (squares, sum) = (in_mass, star);
            } else {
                let before = sorted(&states[step - 1], times[step - 1]);
                let load = times_vector(if linear { &consistent } else { &lumped }, &vec![1.0 + times[step]; n + 1]);
                let change = difference(&stored(&ours), &stored(&before));
                let flow = times_vector(&stiffness, &potential(&ours));
                let residual: Vec<f64> =
                    (1..=n).map(|i| change[i] / dt + conductivity * flow[i] - load[i]).collect();
                let dual = inverse(&residual);
                squares += dt * dual;
                sum += dt * dual.sqrt();
                missed += dt * conductivity * dot(&error, &times_vector(&stiffness, &error));
                let apart = (found.residuals[step] - dual.sqrt()).abs();
                assert!(apart < 1e-9 * dual.sqrt(), "{linear} {step}: {} {}", found.residuals[step], dual.sqrt());
            }
            let (bound, error) = if linear { (squares.sqrt(), (in_mass + missed).sqrt()) } else { (sum, star) };
            assert!((found.bounds[step] - bound).abs() < 1e-9 * bound, "{linear} {step}: {} {bound}", found.bounds[step]);
            assert!((found.errors[step] - error).abs() < 1e-9 * error, "{linear} {step}: {} {error}", found.errors[step]);
            assert!(bound >= error);
        }
    }
}
