//! Derivatives with respect to parameters: by the adjoint, along parameters, and by solving again at other parameters.
use crate::common::Suite;
use crate::common::decks::simulation;
use tessera::parallel::Comm;
use tessera::physics::Context;
use tessera::sensitivity::{Method, Sensitivities, gradient};

const SOLVER: &str = "[solver]\nmethod = \"direct\"\ntolerance = 1e-12\n";

/// Linear; a parameter in coefficients and prescribed values at once.
const HEAT: &str = r#"
[mesh]
box = { cell = "quadrilateral", cells = [7, 6] }
[parameters]
k = 2.0
power = { default = 0.0, range = [0.0, 5.0] }
side = 1.5
h = 0.7
[[physics]]
model = "diffusion"
conductivity = "k*(1 + 0.5*x)"
source = "(3 + power)*exp(x)"
[[physics.boundary]]
marker = "left"
value = "3 + side*y^2 + sin(k)*x + 0.2*k"
[[physics.boundary]]
marker = "right"
coefficient = "h*h"
ambient = "side"
[[quantity]]
name = "mean"
kind = "average"
[[quantity]]
name = "edge"
kind = "integral"
marker = "top"
factor = -2.5
[[quantity]]
name = "difference"
kind = "point"
point = [0.7, 0.31]
minus_point = [0.0, 0.4]
[[quantity]]
name = "flow"
kind = "flux"
marker = "right"
[[quantity]]
name = "support"
kind = "reaction"
[[quantity]]
name = "energy"
kind = "energy"
"#;

/// The conductivity follows from the temperature.
const NONLINEAR: &str = r#"
[mesh]
box = { cell = "triangle", cells = [6, 5] }
[parameters]
a = 0.02
hot = 100.0
[[physics]]
model = "diffusion"
field = "temperature"
degree = 2
conductivity = "1 + a*temperature + 1e-4*temperature^2"
source = "40*hot*x"
[[physics.boundary]]
marker = "left"
value = "hot*(1 + y)"
[[physics.boundary]]
marker = "right"
coefficient = 5
ambient = 20
[[quantity]]
name = "mean"
kind = "average"
marker = "top"
[[quantity]]
name = "in"
kind = "reaction"
marker = "left"
"#;

/// A body that the field of another problem expands.
const THERMAL: &str = r#"
[mesh]
box = { cell = "quadrilateral", cells = [6, 4], upper = [2, 1] }
[parameters]
k = 2.0
alpha = 0.02
young = 5.0
push = 0.3
[[physics]]
name = "heat"
model = "diffusion"
field = "temperature"
conductivity = "k*(1 + x)"
source = 4
[[physics.boundary]]
marker = "left"
value = "1 + k"
[[physics]]
name = "body"
model = "elasticity"
young = "young*(1 + 0.2*y)"
poisson = 0.3
expansion = "alpha"
temperature = { physics = "heat" }
[[physics.boundary]]
marker = "left"
value = [0, 0]
[[physics.boundary]]
marker = "right"
traction = ["push", 0]
[[quantity]]
name = "tip"
kind = "point"
field = "displacement"
component = 1
point = [2, 1]
[[quantity]]
name = "size"
kind = "average"
field = "displacement"
[[quantity]]
name = "stress"
kind = "point"
field = "von_mises"
point = [0.9, 0.4]
[[quantity]]
name = "heat"
kind = "average"
field = "temperature"
[[quantity]]
name = "work"
kind = "energy"
field = "displacement"
"#;

/// Not symmetric, with unknowns of two degrees.
const FLOW: &str = r#"
[mesh]
box = { cell = "triangle", cells = [8, 6], upper = [2, 1] }
[parameters]
viscosity = 0.05
speed = 1.0
[[physics]]
model = "navier_stokes"
viscosity = "viscosity"
[[physics.boundary]]
marker = "left"
value = ["4*speed*y*(1 - y)", 0, "free"]
[[physics.boundary]]
marker = ["bottom", "top"]
value = ["0.1*speed*x", 0, "free"]
[[quantity]]
name = "velocity"
kind = "point"
field = "velocity"
component = 0
point = [1.3, 0.4]
[[quantity]]
name = "pressure"
kind = "average"
field = "pressure"
[[quantity]]
name = "drag"
kind = "reaction"
field = "velocity"
component = 0
marker = "bottom"
"#;

/// Every quantity's gradient by all methods against differences of solves, and the sensitivities of all fields.
fn check(comm: &Comm, text: &str, adjoint: &[&str]) {
    let mut simulation = simulation(comm, &format!("{SOLVER}{text}"));
    let context = simulation.default_context();
    let (count, quantities) = (context.parameters.len(), simulation.deck.quantity.clone());
    // Differences of fourth order of everything.
    let step = |p: usize| match context.parameters[p] {
        0.0 => 2e-3,
        value => 2e-3 * value.abs(),
    };
    let mut differences = vec![vec![0.0; count]; quantities.len()];
    let mut fields: Vec<Vec<Vec<f64>>> = Vec::new();
    for p in 0..count {
        let mut moved: Vec<Vec<f64>> =
            simulation.stages.iter().map(|stage| vec![0.0; stage.space().owned_dofs()]).collect();
        for (places, weight) in [(1.0, 8.0), (-1.0, -8.0), (2.0, -1.0), (-2.0, 1.0)] {
            let mut there = context.parameters.clone();
            there[p] += places * step(p);
            let there = Context::steady(there);
            simulation.solve(&there).unwrap();
            let factor = weight / (12.0 * step(p));
            for (sums, value) in differences.iter_mut().zip(simulation.quantities(&there).unwrap()) {
                sums[p] += factor * value;
            }
            for (moved, stage) in moved.iter_mut().zip(&simulation.stages) {
                let solution = stage.solution().read().unwrap();
                moved.iter_mut().zip(solution.iter()).for_each(|(sum, value)| *sum += factor * value);
            }
        }
        fields.push(moved);
    }
    simulation.solve(&context).unwrap();
    let before = simulation.quantities(&context).unwrap();
    let all: Vec<usize> = (0..count).collect();
    let close = |ours: f64, theirs: f64, scale: f64, what: &str| {
        assert!((ours - theirs).abs() <= 1e-7 * scale, "{what}: {ours:.12e} instead of {theirs:.12e}");
    };
    for (number, quantity) in quantities.iter().enumerate() {
        let name = &quantity.name;
        let scale = differences[number].iter().fold(before[number].abs(), |m, d| m.max(d.abs()));
        for method in [None, Some(Method::Tangent), Some(Method::Adjoint)] {
            let found = gradient(&mut simulation, &context, number, &all, method);
            if method == Some(Method::Adjoint) && !adjoint.contains(&name.as_str()) {
                let error = found.expect_err("no adjoint").to_string();
                assert!(error.contains(name) && error.contains("not linear"), "{error}");
                continue;
            }
            let found = found.unwrap_or_else(|e| panic!("{name}: {e}"));
            for (p, (ours, theirs)) in found.into_iter().zip(&differences[number]).enumerate() {
                close(ours, *theirs, scale, &format!("{name} by parameter {p}, {method:?}"));
            }
        }
    }
    // Nothing has moved, to the last bit of the solutions' own rounding.
    for (now, before) in simulation.quantities(&context).unwrap().into_iter().zip(before) {
        assert_eq!(now, before);
    }
    let mut sensitivities = Sensitivities::new(&simulation, &context).unwrap();
    for (p, differences) in fields.iter().enumerate() {
        let rates = sensitivities.along(p, &vec![true; differences.len()]).unwrap();
        for (rate, difference) in rates.iter().zip(differences) {
            let rate = rate.as_ref().expect("all are wanted").read().unwrap();
            let scale = comm.max(difference.iter().fold(1e-3, |m: f64, v| m.max(v.abs())));
            rate.iter().zip(difference).for_each(|(a, b)| close(*a, *b, scale, &format!("field by parameter {p}")));
        }
    }
}

fn linear(comm: &Comm) {
    check(comm, HEAT, &["mean", "edge", "difference"]);
}

fn nonlinear(comm: &Comm) {
    check(comm, NONLINEAR, &["mean"]);
}

fn one_problem_after_another(comm: &Comm) {
    check(comm, THERMAL, &["tip", "heat"]);
}

fn flow(comm: &Comm) {
    check(comm, FLOW, &["velocity", "pressure"]);
}

fn what_has_no_derivative_is_named(comm: &Comm) {
    let said = |text: &str| {
        let mut simulation = simulation(comm, text);
        let context = simulation.default_context();
        let _ = simulation.solve(&context);
        gradient(&mut simulation, &context, 0, &[0], None).expect_err(text).to_string()
    };
    let peak = HEAT.replacen("name = \"mean\"\nkind = \"average\"", "name = \"peak\"\nkind = \"maximum\"", 1);
    let error = said(&peak);
    assert!(error.contains("quantity \"peak\"") && error.contains("no derivative"), "{error}");
    let steady = &HEAT[..HEAT.find("[[quantity]]\nname = \"energy\"").unwrap()];
    let time = steady.replacen("[parameters]", "[time]\nend = 1\nstep = 1\n[parameters]", 1);
    let error = said(&time);
    assert!(error.contains("[time]"), "{error}");
    // It may move along y, where nothing pushes it.
    let free = "[mesh]\nbox = { cell = \"quadrilateral\", cells = [4, 4] }\n[parameters]\nyoung = 2.0\n[[physics]]\n\
        model = \"elasticity\"\nyoung = \"young\"\npoisson = 0.3\nbody_force = [1, 0]\n\
        [[physics.boundary]]\nmarker = \"left\"\nvalue = [0, \"free\"]\n\
        [[quantity]]\nname = \"size\"\nkind = \"average\"\ncomponent = 0\n";
    let error = said(free);
    assert!(error.contains("a motion is free"), "{error}");
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3],
    tests: &[
        ("linear", linear),
        ("nonlinear", nonlinear),
        ("one_problem_after_another", one_problem_after_another),
        ("flow", flow),
        ("what_has_no_derivative_is_named", what_has_no_derivative_is_named),
    ],
}];
