//! Viscoplasticity against integrations of the uniaxial law that share no code with it, and against closed
//! solutions of a thick sphere and a thick tube.

use crate::common::{Suite, with_folder};
use std::f64::consts::PI;
use std::fmt::Write;
use std::path::Path;
use tessera::deck::{Deck, TimeScheme};
use tessera::fem::Parts;
use tessera::parallel::Comm;
use tessera::physics::{Context, FormState};
use tessera::simulation::Simulation;
use tessera::solver::TimeIntegrator;

/// A material as functions of the temperature.
struct Material {
    young: fn(f64) -> f64,
    expansion: fn(f64) -> f64,
    limit: fn(f64) -> f64,
    drag: fn(f64) -> f64,
    exponent: f64,
    kinematic: f64,
    recall: f64,
    saturation: f64,
    speed: f64,
}

const STEEL: Material = Material {
    young: |t| 200e9 - 5e7 * t,
    expansion: |_| 1.2e-5,
    limit: |t| 100e6 - 5e4 * t,
    drag: |t| 200e6 - 1e5 * t,
    exponent: 5.0,
    kinematic: 30e9,
    recall: 200.0,
    saturation: 40e6,
    speed: 20.0,
};

/// What drives a bar: the strain (false) or the stress (true), and the temperature, as functions of time.
struct Drive {
    by_stress: bool,
    load: fn(f64) -> f64,
    /// The same for the deck.
    text: &'static str,
    temperature: fn(f64) -> f64,
    temperature_text: &'static str,
    end: f64,
}

const DRIVES: [(&str, Drive); 4] = [
    (
        "creep",
        Drive {
            by_stress: true,
            load: |t| 250e6 * (t / 10.0).min(1.0),
            text: "250e6*min(t/10, 1)",
            temperature: |_| 0.0,
            temperature_text: "0",
            end: 20.0,
        },
    ),
    (
        "relaxation",
        Drive {
            by_stress: false,
            load: |t| 4e-3 * t.min(1.0),
            text: "4e-3*min(t, 1)",
            temperature: |_| 0.0,
            temperature_text: "0",
            end: 10.0,
        },
    ),
    (
        "cyclic",
        Drive {
            by_stress: false,
            load: |t| 6e-3 * (2.0 * PI * t / 10.0).sin(),
            text: "6e-3*sin(2*pi*t/10)",
            temperature: |_| 0.0,
            temperature_text: "0",
            end: 25.0,
        },
    ),
    (
        "thermal",
        Drive {
            by_stress: false,
            load: |_| 0.0,
            text: "0",
            temperature: |t| 300.0 * (1.0 - (2.0 * PI * t / 10.0).cos()),
            temperature_text: "300*(1 - cos(2*pi*t/10))",
            end: 25.0,
        },
    ),
];

/// Stress and accumulated plastic strain of the bar at the end, by the classical Runge-Kutta method.
fn reference(m: &Material, drive: &Drive) -> (f64, f64) {
    let steps = 400_000;
    let dt = drive.end / steps as f64;
    let stress = |t: f64, plastic: f64| match drive.by_stress {
        true => (drive.load)(t),
        false => {
            let temperature = (drive.temperature)(t);
            let thermal = (m.expansion)(temperature) * temperature;
            (m.young)(temperature) * ((drive.load)(t) - plastic - thermal)
        }
    };
    // Plastic strain, back strain, accumulated plastic strain.
    let slope = |t: f64, y: [f64; 3]| {
        let temperature = (drive.temperature)(t);
        let effective = stress(t, y[0]) - m.kinematic * y[1];
        let hardened = m.saturation * (1.0 - (-m.speed * y[2]).exp());
        let over = (effective.abs() - hardened - (m.limit)(temperature)).max(0.0);
        let rate = (over / (m.drag)(temperature)).powf(m.exponent);
        let flow = rate * effective.signum();
        [flow, flow - m.recall * rate * y[1], rate]
    };
    let mut y = [0.0; 3];
    for k in 0..steps {
        let t = k as f64 * dt;
        let at = |a: [f64; 3], f: f64| std::array::from_fn(|i| y[i] + f * a[i]);
        let a = slope(t, y);
        let b = slope(t + dt / 2.0, at(a, dt / 2.0));
        let c = slope(t + dt / 2.0, at(b, dt / 2.0));
        let d = slope(t + dt, at(c, dt));
        y = std::array::from_fn(|i| y[i] + dt / 6.0 * (a[i] + 2.0 * b[i] + 2.0 * c[i] + d[i]));
    }
    (stress(drive.end, y[0]), y[2])
}

fn table(f: fn(f64) -> f64) -> String {
    // The functions are linear: two entries say all.
    format!("{{ temperature = [-10.0, 700.0], value = [{:e}, {:e}] }}", f(-10.0), f(700.0))
}

fn bar(m: &Material, drive: &Drive) -> String {
    let pull = match drive.by_stress {
        true => format!("traction = [\"{}\", 0, 0]", drive.text),
        false => format!("value = [\"{}\", \"free\", \"free\"]", drive.text),
    };
    format!(
        r#"
[mesh]
box = {{ cell = "hexahedron", cells = [2, 2, 1] }}
[time]
end = {end}
step = 1.0
[[physics]]
model = "viscoplasticity"
degree = 1
young = {young}
poisson = 0.3
expansion = {expansion}
temperature = "{temperature}"
yield_stress = {limit}
drag_stress = {drag}
rate_exponent = {exponent}
kinematic_modulus = {kinematic:e}
dynamic_recovery = {recall}
isotropic_saturation = {saturation:e}
isotropic_rate = {speed}
boundary = [
  {{ marker = "left", value = [0, "free", "free"] }},
  {{ marker = "bottom", value = ["free", 0, "free"] }},
  {{ marker = "back", value = ["free", "free", 0] }},
  {{ marker = "right", {pull} }},
]
[[quantity]]
name = "stress"
kind = "average"
field = "stress"
component = 0
[[quantity]]
name = "p"
kind = "average"
field = "accumulated_plastic_strain"
"#,
        end = drive.end,
        young = table(m.young),
        expansion = table(m.expansion),
        temperature = drive.temperature_text,
        limit = table(m.limit),
        drag = table(m.drag),
        exponent = m.exponent,
        kinematic = m.kinematic,
        recall = m.recall,
        saturation = m.saturation,
        speed = m.speed,
    )
}

/// Integrates with steps of one length; the quantities at the end and the most Newton iterations of a step.
fn integrate(comm: &Comm, deck: &Deck, steps: usize) -> (Simulation, Vec<f64>, usize) {
    let mut simulation = Simulation::new(comm, deck).unwrap_or_else(|e| panic!("{e}"));
    let time = deck.time.clone().expect("the deck has a section [time]");
    let dt = (time.end - time.start) / steps as f64;
    let mut context = simulation.default_context();
    let mut most = 0;
    let stage = &mut simulation.stages[0];
    let initial = stage.solution().try_clone().unwrap();
    let Some(newton) = stage.newton() else { panic!("a nonlinear problem") };
    let mut integrator = TimeIntegrator::new(TimeScheme::Bdf1, newton, &context, &initial).unwrap();
    for k in 1..=steps {
        let trial = integrator.attempt(newton, &context, dt, &mut tessera::solver::by_newton).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(trial.newton.failure, None, "step {k} of {steps}");
        most = most.max(trial.newton.iterations);
        integrator.accept(newton, &trial, dt).unwrap();
        context.time = time.start + k as f64 * dt;
    }
    stage.set_solution(&integrator.solution().read().unwrap()).unwrap();
    let values = simulation.quantities(&context).unwrap_or_else(|e| panic!("{e}"));
    (simulation, values, most)
}

/// Implicit Euler converges to the reference with order 1.
fn material_point(comm: &Comm) {
    for (name, drive) in &DRIVES {
        let (stress, p) = reference(&STEEL, drive);
        assert!(p > 1e-4, "{name} flows: {p}");
        let deck = Deck::parse(&bar(&STEEL, drive), name, &[]).unwrap_or_else(|e| panic!("{e}"));
        let errors: Vec<[f64; 2]> = [200, 400]
            .iter()
            .map(|&steps| {
                let (_, found, _) = integrate(comm, &deck, steps);
                [(found[0] - stress).abs() / 100e6, (found[1] - p).abs() / p]
            })
            .collect();
        let last = errors[1];
        assert!(last[0] < 0.02 && last[1] < 0.02, "{name}: {errors:?}");
        let order = (errors[0][1] / last[1]).log2();
        assert!((0.8..1.3).contains(&order), "{name}: order {order} from {errors:?}");
    }
}

/// The consistent tangent: Newton's residuals fall quadratically in a step far beyond yield, and a difference
/// quotient of the residual along a random direction leaves a remainder of second order.
fn tangent(comm: &Comm) {
    let text = bar(&STEEL, &DRIVES[2].1).replace("cells = [2, 2, 1]", "cells = [3, 2, 2]");
    let deck = Deck::parse(&text, "tangent", &[]).unwrap();
    let simulation = Simulation::new(comm, &deck).unwrap();
    let problem = &simulation.stages[0].problem;
    let context = Context { time: 1.0, ..simulation.default_context() };
    let prepared = problem.at(&context).unwrap();
    let mut history = problem.new_history().unwrap();
    // A past that every term of the law sees: strains of some 1e-3, deviatoric.
    for (k, values) in history.values.chunks_exact_mut(history.width).enumerate() {
        let s = 1e-3 * ((k as f64).sin() + 2.0);
        values[..6].copy_from_slice(&[s, 0.3 * s, -0.2 * s, -0.4 * s, 0.1 * s, -0.6 * s]);
        values[6..12].copy_from_slice(&[0.5 * s, 0.1 * s, 0.2 * s, -0.3 * s, 0.4 * s, -0.2 * s]);
        values[12] = s;
    }
    let space = &problem.space;
    let field = |phase: f64, size: f64| {
        let mut vector = space.field().unwrap();
        {
            let mut values = vector.write().unwrap();
            for (dof, value) in values.iter_mut().enumerate() {
                let x = space.point(dof / 3);
                let wave = (3.0 * x[0] + 5.0 * x[1] + 7.0 * x[2] + phase + 2.0 * (dof % 3) as f64).sin();
                *value = size * wave;
            }
        }
        vector.ghost_update().unwrap();
        vector
    };
    let (state, direction) = (field(0.3, 3e-3), field(1.1, 3e-3));
    let parts = Parts { storage: 10.0, residual: 1.0 };
    let at = FormState { state: &[], history: Some(&history), parts };
    let residual = |h: f64| {
        let mut moved = state.try_clone().unwrap();
        moved.axpy(h, &direction).unwrap();
        moved.ghost_update().unwrap();
        let mut result = space.field().unwrap();
        let values = moved.local_read().unwrap();
        prepared.residual(FormState { state: &values, ..at }, &mut result).unwrap();
        result
    };
    let free = tessera::fem::Essential::new(space, []);
    let mut matrix = problem.new_matrix().unwrap();
    {
        let values = state.local_read().unwrap();
        prepared.tangent(FormState { state: &values, ..at }, &free, &mut matrix).unwrap();
    }
    let mut slope = space.field().unwrap();
    matrix.mult(&direction, &mut slope).unwrap();
    let base = residual(0.0);
    let remainders: Vec<f64> = [1e-2, 5e-3, 2.5e-3]
        .iter()
        .map(|&h| {
            let mut rest = residual(h);
            rest.axpy(-1.0, &base).unwrap();
            rest.axpy(-h, &slope).unwrap();
            rest.norm(petsc_rs::Norm::Two).unwrap()
        })
        .collect();
    for pair in remainders.windows(2) {
        let order = (pair[0] / pair[1]).log2();
        assert!(order > 1.9, "remainders {remainders:?}");
    }

    let deck = Deck::parse(&bar(&STEEL, &DRIVES[2].1), "newton", &[]).unwrap();
    let (_, _, most) = integrate(comm, &deck, 50);
    assert!(most <= 8, "{most} Newton iterations in a step");
}

/// Writes a quarter of a ring from radius 1 to 2 as a Gmsh file: quadrilaterals, markers inner, outer, low
/// (y = 0), high (x = 0).
fn ring(path: &Path, radial: usize, around: usize) {
    let mut text = String::from("$MeshFormat\n2.2 0 8\n$EndMeshFormat\n$PhysicalNames\n5\n");
    text += "1 1 \"inner\"\n1 2 \"outer\"\n1 3 \"low\"\n1 4 \"high\"\n2 5 \"body\"\n$EndPhysicalNames\n";
    let node = |i: usize, j: usize| i * (around + 1) + j + 1;
    let _ = writeln!(text, "$Nodes\n{}", (radial + 1) * (around + 1));
    for i in 0..=radial {
        for j in 0..=around {
            let (r, angle) = (1.0 + i as f64 / radial as f64, 0.5 * PI * j as f64 / around as f64);
            let (x, y) = (r * angle.cos(), r * angle.sin());
            let x = if j == around { 0.0 } else { x };
            let _ = writeln!(text, "{} {x:.17} {y:.17} 0", node(i, j));
        }
    }
    text += "$EndNodes\n";
    let mut elements = Vec::new();
    for j in 0..around {
        elements.push(format!("1 2 1 1 {} {}", node(0, j), node(0, j + 1)));
        elements.push(format!("1 2 2 2 {} {}", node(radial, j), node(radial, j + 1)));
    }
    for i in 0..radial {
        elements.push(format!("1 2 3 3 {} {}", node(i, 0), node(i + 1, 0)));
        elements.push(format!("1 2 4 4 {} {}", node(i, around), node(i + 1, around)));
        for j in 0..around {
            let corners = [node(i, j), node(i + 1, j), node(i + 1, j + 1), node(i, j + 1)];
            elements.push(format!("3 2 5 5 {} {} {} {}", corners[0], corners[1], corners[2], corners[3]));
        }
    }
    let _ = writeln!(text, "$Elements\n{}", elements.len());
    for (k, element) in elements.iter().enumerate() {
        let _ = writeln!(text, "{} {element}", k + 1);
    }
    text += "$EndElements\n";
    std::fs::write(path, text).unwrap();
}

fn vessel(sphere: bool, pressure: &str, law: &str, end: f64) -> String {
    // In the meridian plane y is the axis; a tube in plane strain has x and y across it.
    let plane = if sphere { "plane = \"axisymmetric\"" } else { "" };
    format!(
        r#"
[mesh]
file = "ring.msh"
[time]
end = {end}
step = 1.0
[[physics]]
model = "viscoplasticity"
young = 1000.0
poisson = 0.3
{law}
{plane}
boundary = [
  {{ marker = "low", value = ["free", 0] }},
  {{ marker = "high", value = [0, "free"] }},
  {{ marker = "inner", pressure = "{pressure}" }},
]
[[quantity]]
name = "hoop"
kind = "point"
field = "stress"
component = {hoop}
point = [1.5, 0.0]
[[quantity]]
name = "radial"
kind = "point"
field = "stress"
component = 0
point = [1.5, 0.0]
[[quantity]]
name = "moved"
kind = "point"
component = 0
point = [2.0, 0.0]
"#,
        // On the axis y = 0 both the hoop stress of the sphere (out of the meridian plane) and sigma_yy of
        // the tube act around it.
        hoop = if sphere { 5 } else { 3 },
    )
}

fn solve_vessel(comm: &Comm, text: &str, steps: usize) -> Vec<f64> {
    let mut values = Vec::new();
    with_folder(comm, |folder| {
        if comm.rank() == 0 {
            ring(&folder.join("ring.msh"), 12, 16);
        }
        comm.barrier();
        let name = folder.join("deck.toml").display().to_string();
        let deck = Deck::parse(text, &name, &[]).unwrap_or_else(|e| panic!("{e}"));
        values = integrate(comm, &deck, steps).1;
    });
    values
}

/// Stationary creep under inner pressure: `sigma_r = -p ((b/r)^(q/n) - 1) / ((b/a)^(q/n) - 1)` with q = 3 for a
/// sphere and 2 for a tube (Odqvist and Hult, *Kriechfestigkeit metallischer Werkstoffe*, 1962).
fn stationary_creep(comm: &Comm) {
    let n = 4.0;
    let law = "yield_stress = 0.0\ndrag_stress = 1.0\nrate_exponent = 4";
    for (sphere, q, end) in [(true, 3.0, 0.01), (false, 2.0, 0.01)] {
        let text = vessel(sphere, "1", law, end);
        let found = solve_vessel(comm, &text, 30);
        let k: f64 = q / n;
        let (ratio, r) = (2f64.powf(k) - 1.0, 2.0f64 / 1.5);
        let radial = -(r.powf(k) - 1.0) / ratio;
        // Equilibrium: hoop = radial + r / (q - 1) d(radial)/dr.
        let hoop = radial + 1.5 / (q - 1.0) * (k / 1.5) * r.powf(k) / ratio;
        for (what, found, exact) in [("radial", found[1], radial), ("hoop", found[0], hoop)] {
            let error = (found - exact).abs() / hoop.abs();
            assert!(error < 0.015, "sphere {sphere}: {what} {found} for {exact}");
        }
    }
}

/// A sphere under growing pressure without hardening, nearly independent of the rate: up to the radius c it
/// flows, `p = 2/3 Y (1 - c^3/b^3) + 2 Y ln(c/a)` (Hill, *The Mathematical Theory of Plasticity*, section V.2).
fn yielding_sphere(comm: &Comm) {
    let (limit, c) = (1.0f64, 1.6f64);
    let pressure = 2.0 / 3.0 * limit * (1.0 - c.powi(3) / 8.0) + 2.0 * limit * c.ln();
    let law = "yield_stress = 1.0\ndrag_stress = 0.004\nrate_exponent = 1";
    let text = vessel(true, &format!("{pressure}*min(t/10, 1)"), law, 30.0);
    let found = solve_vessel(comm, &text, 60);
    // Inside c, at r = 1.5: sigma_r = 2 Y ln(r/a) - p, hoop = sigma_r + Y. The elastic shell around it has the
    // hoop stress Y c^3 / b^3 at b.
    let radial = 2.0 * limit * 1.5f64.ln() - pressure;
    let (e, nu) = (1000.0, 0.3);
    let moved = limit * c.powi(3) / 4.0 * (1.0 - nu) / e;
    let hoop = radial + limit;
    for (what, found, exact) in
        [("radial", found[1], radial), ("hoop", found[0], hoop), ("moved", found[2], moved)]
    {
        let error = (found - exact).abs() / exact.abs();
        assert!(error < 0.02, "{what} {found} for {exact}");
    }
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
            ("material_point", material_point),
            ("tangent", tangent),
            ("stationary_creep", stationary_creep),
            ("yielding_sphere", yielding_sphere),
        ],
}];
