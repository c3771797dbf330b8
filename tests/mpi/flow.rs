//! Incompressible flow against exact solutions and published tables.

use crate::common::Suite;
use tessera::deck::{Deck, TimeScheme};
use tessera::parallel::Comm;
use tessera::fem::place::point_value;
use tessera::simulation::Simulation;
use tessera::solver::TimeIntegrator;

const ERRORS: &str = "[[quantity]]\nname = \"velocity_error\"\nfield = \"velocity\"\nkind = \"l2_error\"\n\
    [[quantity]]\nname = \"pressure_error\"\nfield = \"pressure\"\nkind = \"l2_error\"\n";

fn simulation(comm: &Comm, text: &str) -> tessera::Result<Simulation> {
    let deck = Deck::parse(text, "flow", &[]).unwrap_or_else(|e| panic!("{e}\n{text}"));
    Simulation::new(comm, &deck)
}

/// A deck on a box whose velocity is `velocity` on all sides and whose pressure is `pressure` at a corner.
fn deck(
    cell: &str,
    cells: usize,
    (lower, upper): (&[f64], &[f64]),
    physics: &str,
    velocity: &[&str],
    pressure: &str,
) -> String {
    let dimension = lower.len();
    let list = |v: &[&str]| v.iter().map(|v| format!("\"{v}\"")).collect::<Vec<_>>().join(", ");
    let sides = ["left", "right", "bottom", "top", "back", "front"];
    format!(
        "[mesh]\nbox = {{ cell = \"{cell}\", cells = {:?}, lower = {lower:?}, upper = {upper:?} }}\n\
         [solver]\ntolerance = 1e-11\n\
         [[physics]]\nmodel = \"navier_stokes\"\n{physics}\n\
         [[physics.boundary]]\nmarker = [{}]\nvalue = [{}]\n\
         [[physics.boundary]]\npoint = {lower:?}\nvalue = [{}, \"{pressure}\"]\n\
         [[exact]]\nfield = \"velocity\"\nvalue = [{}]\n[[exact]]\nfield = \"pressure\"\nvalue = \"{pressure}\"\n{ERRORS}",
        vec![cells; dimension],
        list(&sides[..2 * dimension]),
        list(velocity),
        vec!["\"free\""; dimension].join(", "),
        list(velocity),
    )
}

/// Errors of velocity and pressure of a steady deck.
fn steady_errors(comm: &Comm, text: &str) -> Vec<f64> {
    let mut simulation = simulation(comm, text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let context = simulation.default_context();
    simulation.solve(&context).unwrap_or_else(|e| panic!("{e}\n{text}"));
    simulation.quantities(&context).unwrap()
}

/// Errors at the end of equal steps from time 0.
fn errors_in_time(comm: &Comm, text: &str, scheme: TimeScheme, end: f64, steps: usize) -> Vec<f64> {
    let mut simulation = simulation(comm, text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let mut context = simulation.default_context();
    simulation.set_initial(&context).unwrap();
    let stage = &mut simulation.stages[0];
    let initial = stage.solution().try_clone().unwrap();
    let Some(newton) = stage.newton() else { panic!("a flow is nonlinear") };
    let mut integrator = TimeIntegrator::new(scheme, newton, &context, &initial).unwrap();
    for _ in 0..steps {
        let dt = end / steps as f64;
        let trial = integrator.attempt(newton, &context, dt, &mut tessera::solver::by_newton).unwrap();
        assert_eq!(trial.newton.failure, None);
        integrator.accept(newton, &trial, dt).unwrap();
        context.time = integrator.time();
    }
    stage.set_solution(&integrator.solution().read().unwrap()).unwrap();
    simulation.quantities(&context).unwrap()
}

fn assert_orders(comm: &Comm, what: &str, errors: [&[f64]; 2], expected: [f64; 2], slack: [f64; 2]) {
    for i in 0..2 {
        let order = (errors[0][i] / errors[1][i]).log2();
        let name = ["velocity", "pressure"][i];
        if comm.rank() == 0 {
            println!("    {what:28} {name}: {:.3e}, order {order:.2}", errors[1][i]);
        }
        assert!(
            order > expected[i] - slack[0] && order < expected[i] + slack[1],
            "{what}: {name} converges with order {order:.2} instead of {}",
            expected[i]
        );
    }
}

/// Kovasznay, Proc. Camb. Phil. Soc. 44 (1948): flow behind a grid, Reynolds number 40.
fn kovasznay(comm: &Comm) {
    let lambda = 20.0 - (400.0 + 4.0 * std::f64::consts::PI.powi(2)).sqrt();
    let u = format!("1 - exp({lambda}*x)*cos(2*pi*y)");
    let v = format!("{lambda}/(2*pi)*exp({lambda}*x)*sin(2*pi*y)");
    let p = format!("0.5*(1 - exp({}*x))", 2.0 * lambda);
    for cell in ["triangle", "quadrilateral"] {
        let errors = [8, 16].map(|n| {
            let sides = (&[-0.5, -0.5][..], &[1.0, 1.5][..]);
            steady_errors(comm, &deck(cell, n, sides, "viscosity = 0.025", &[&u, &v], &p))
        });
        assert_orders(comm, &format!("Kovasznay {cell}"), [&errors[0], &errors[1]], [3.0, 2.0], [0.2, 0.7]);
    }
}

/// Ethier and Steinman, IJNMF 19 (1994): a flow along its own vorticity, kept steady by a force that makes up
/// for friction.
fn beltrami(comm: &Comm) {
    let (a, d) = ("(pi/4)", "(pi/2)");
    let wave = |x: &str, y: &str, z: &str| {
        format!("-{a}*(exp({a}*{x})*sin({a}*{y} + {d}*{z}) + exp({a}*{z})*cos({a}*{x} + {d}*{y}))")
    };
    let velocity = [wave("x", "y", "z"), wave("y", "z", "x"), wave("z", "x", "y")];
    let square: Vec<String> = velocity.iter().map(|u| format!("({u})^2")).collect();
    let pressure = format!("-0.5*1.5*({})", square.join(" + "));
    // -mu lap u = mu d^2 u.
    let force: Vec<String> = velocity.iter().map(|u| format!("\"0.1*{d}^2*({u})\"")).collect();
    let physics = format!("density = 1.5\nviscosity = 0.1\nbody_force = [{}]", force.join(", "));
    let velocity: Vec<&str> = velocity.iter().map(String::as_str).collect();
    for cell in ["tetrahedron", "hexahedron"] {
        let errors = [3, 6].map(|n| {
            let sides = (&[-0.5, -0.5, -0.5][..], &[0.5, 0.5, 0.5][..]);
            steady_errors(comm, &deck(cell, n, sides, &physics, &velocity, &pressure))
        });
        assert_orders(comm, &format!("Beltrami {cell}"), [&errors[0], &errors[1]], [3.0, 2.0], [0.3, 1.0]);
    }
}

/// Taylor's decaying vortices on a square that cuts through them.
fn vortices(cell: &str, cells: usize) -> String {
    let decay = |rate: f64| format!("exp(-{}*t)", rate * 0.1 * std::f64::consts::PI.powi(2));
    let u = format!("-cos(pi*x)*sin(pi*y)*{}", decay(2.0));
    let v = format!("sin(pi*x)*cos(pi*y)*{}", decay(2.0));
    let p = format!("-0.25*(cos(2*pi*x) + cos(2*pi*y))*{}", decay(4.0));
    let mut text = deck(cell, cells, (&[0.2, 0.1], &[1.2, 1.1]), "viscosity = 0.1", &[&u, &v], &p);
    text += &format!("[[initial]]\nvalue = [\"{u}\", \"{v}\", \"{p}\"]\n[time]\nend = 1.0\nstep = 0.1\n");
    text
}

fn taylor_green_in_space(comm: &Comm) {
    for cell in ["triangle", "quadrilateral"] {
        let errors = [8, 16].map(|n| errors_in_time(comm, &vortices(cell, n), TimeScheme::Sdirk3, 0.02, 2));
        let orders = [&errors[0][..], &errors[1][..]];
        assert_orders(comm, &format!("Taylor-Green {cell}"), orders, [3.0, 2.0], [0.2, 1.0]);
    }
}

fn taylor_green_in_time(comm: &Comm) {
    let text = vortices("quadrilateral", 20);
    // The pressure is algebraic: Crank-Nicolson does not damp its error of the first step, and Runge-Kutta methods
    // with stages of order 1 lose order (Hairer, Lubich, Roche 1989).
    for (scheme, velocity, pressure) in [
        (TimeScheme::Bdf1, 1.0, 1.0),
        (TimeScheme::Bdf2, 2.0, 2.0),
        (TimeScheme::CrankNicolson, 2.0, 1.0),
        (TimeScheme::Sdirk2, 2.0, 1.0),
        (TimeScheme::Sdirk3, 2.0, 1.0),
    ] {
        let errors = [2, 4].map(|steps| errors_in_time(comm, &text, scheme, 1.0, steps));
        let orders = [&errors[0][..], &errors[1][..]];
        assert_orders(comm, &format!("Taylor-Green {scheme:?}"), orders, [velocity, pressure], [0.3, 1.3]);
    }
}

/// Taylor's decaying vortices on a square without boundary, carried along by a mean flow.
fn periodic_vortices(cell: &str, cells: usize) -> String {
    let decay = |rate: f64| format!("exp(-{}*t)", rate * 0.02 * std::f64::consts::PI.powi(2));
    let (x, y) = ("2*pi*(x - t)", "2*pi*(y - 0.5*t)");
    let u = format!("1 + sin({x})*cos({y})*{}", decay(8.0));
    let v = format!("0.5 - cos({x})*sin({y})*{}", decay(8.0));
    let p = format!("0.25*(cos(2*{x}) + cos(2*{y}))*{}", decay(16.0));
    format!(
        "[mesh]\nbox = {{ cell = \"{cell}\", cells = [{cells}, {cells}], periodic = [\"x\", \"y\"] }}\n\
         [solver]\ntolerance = 1e-11\n[[physics]]\nmodel = \"navier_stokes\"\nviscosity = 0.02\n\
         [[physics.boundary]]\npoint = [0.0, 0.0]\nvalue = [\"free\", \"free\", \"{p}\"]\n\
         [[exact]]\nfield = \"velocity\"\nvalue = [\"{u}\", \"{v}\"]\n[[exact]]\nfield = \"pressure\"\nvalue = \"{p}\"\n\
         [[initial]]\nvalue = [\"{u}\", \"{v}\", \"{p}\"]\n[time]\nend = 0.5\nstep = 0.1\n{ERRORS}"
    )
}

fn periodic_vortices_in_space(comm: &Comm) {
    for cell in ["triangle", "quadrilateral"] {
        let errors =
            [10, 20].map(|n| errors_in_time(comm, &periodic_vortices(cell, n), TimeScheme::Sdirk3, 0.01, 2));
        let orders = [&errors[0][..], &errors[1][..]];
        assert_orders(comm, &format!("periodic vortices {cell}"), orders, [3.0, 2.0], [0.3, 1.0]);
    }
}

fn periodic_vortices_in_time(comm: &Comm) {
    let text = periodic_vortices("quadrilateral", 24);
    // Short enough for the order to show, long enough for the error in space to stay below.
    for (scheme, steps, velocity, pressure) in [
        (TimeScheme::Bdf1, [24, 48], 1.0, 1.0),
        (TimeScheme::Bdf2, [16, 32], 2.0, 2.0),
        (TimeScheme::Sdirk2, [16, 32], 2.0, 1.0),
    ] {
        let errors = steps.map(|steps| errors_in_time(comm, &text, scheme, 0.5, steps));
        let orders = [&errors[0][..], &errors[1][..]];
        assert_orders(
            comm,
            &format!("periodic vortices {scheme:?}"),
            orders,
            [velocity, pressure],
            [0.3, 1.3],
        );
    }
}

/// The same errors of the vortices on any ranks; the reference is from one rank. The mean velocity stays but for
/// what the convective form misses where the divergence vanishes only on average.
fn periodic_vortices_on_ranks(comm: &Comm) {
    let mean = "[[quantity]]\nname = \"mean\"\nkind = \"average\"\nfield = \"velocity\"\ncomponent = 0\n";
    let text = periodic_vortices("triangle", 6) + mean;
    let values = errors_in_time(comm, &text, TimeScheme::Bdf2, 0.1, 4);
    assert!((values[2] - 1.0).abs() < 1e-4, "mean velocity {}", values[2]);
    for (value, expected) in values.iter().zip(VORTICES_ON_ONE_RANK) {
        assert!((value - expected).abs() < 1e-9, "{values:?} on {} ranks", comm.size());
    }
}

/// Errors of velocity and pressure.
const VORTICES_ON_ONE_RANK: [f64; 2] = [0.03444126745917388, 0.0912300273705419];

/// A lid that slides with speed 1 over a square. The walls come last, so that the corners are at rest: a corner
/// that moves with the lid lets in fluid along the wall, which at Reynolds number 1000 changes the velocity by up to 15 %.
fn cavity(reynolds: f64, cells: usize, more: &str) -> String {
    format!(
        "[mesh]\nbox = {{ cell = \"quadrilateral\", cells = [{cells}, {cells}] }}\n\
         [[physics]]\nmodel = \"navier_stokes\"\nviscosity = {}\n\
         [[physics.boundary]]\nmarker = \"top\"\nvalue = [1.0, 0.0, \"free\"]\n\
         [[physics.boundary]]\nmarker = [\"left\", \"right\", \"bottom\"]\nvalue = [0.0, 0.0, \"free\"]\n{more}",
        1.0 / reynolds
    )
}

const PIN: &str = "[[physics.boundary]]\npoint = [0.0, 0.0]\nvalue = [\"free\", \"free\", 0.0]\n";

/// Ghia, Ghia, Shin, J. Comput. Phys. 48 (1982), tables I and II: y, u(0.5, y) at Reynolds numbers 100, 400, 1000.
const GHIA_U: [[f64; 4]; 15] = [
    [0.9766, 0.84123, 0.75837, 0.65928],
    [0.9688, 0.78871, 0.68439, 0.57492],
    [0.9609, 0.73722, 0.61756, 0.51117],
    [0.9531, 0.68717, 0.55892, 0.46604],
    [0.8516, 0.23151, 0.29093, 0.33304],
    [0.7344, 0.00332, 0.16256, 0.18719],
    [0.6172, -0.13641, 0.02135, 0.05702],
    [0.5000, -0.20581, -0.11477, -0.06080],
    [0.4531, -0.21090, -0.17119, -0.10648],
    [0.2813, -0.15662, -0.32726, -0.27805],
    [0.1719, -0.10150, -0.24299, -0.38289],
    [0.1016, -0.06434, -0.14612, -0.29730],
    [0.0703, -0.04775, -0.10338, -0.22220],
    [0.0625, -0.04192, -0.09266, -0.20196],
    [0.0547, -0.03717, -0.08186, -0.18109],
];

/// x, v(x, 0.5). The entry of Reynolds number 400 at 0.9063 is left out: it breaks the curve (a misprint).
const GHIA_V: [[f64; 4]; 15] = [
    [0.9688, -0.05906, -0.12146, -0.21388],
    [0.9609, -0.07391, -0.15663, -0.27669],
    [0.9531, -0.08864, -0.19254, -0.33714],
    [0.9453, -0.10313, -0.22847, -0.39188],
    [0.9063, -0.16914, f64::NAN, -0.51550],
    [0.8594, -0.22445, -0.44993, -0.42665],
    [0.8047, -0.24533, -0.38598, -0.31966],
    [0.5000, 0.05454, 0.05186, 0.02526],
    [0.2344, 0.17527, 0.30174, 0.32235],
    [0.2266, 0.17507, 0.30203, 0.33075],
    [0.1563, 0.16077, 0.28124, 0.37095],
    [0.0938, 0.12317, 0.22965, 0.32627],
    [0.0781, 0.10890, 0.20920, 0.30353],
    [0.0703, 0.10091, 0.19713, 0.29012],
    [0.0625, 0.09233, 0.18360, 0.27485],
];

fn lid_driven_cavity(comm: &Comm) {
    for (column, reynolds) in [(1, 100.0), (2, 400.0), (3, 1000.0)] {
        let cells = if reynolds < 1000.0 { 32 } else { 48 };
        let mut simulation = simulation(comm, &cavity(reynolds, cells, PIN)).unwrap();
        simulation.solve(&simulation.default_context()).unwrap();
        let stage = &simulation.stages[0];
        let state = stage.solution().local_read().unwrap();
        let mut worst = 0.0_f64;
        for (table, component) in [(&GHIA_U, 0), (&GHIA_V, 1)] {
            for row in table.iter().filter(|row| !row[column].is_nan()) {
                let point = if component == 0 { [0.5, row[0], 0.0] } else { [row[0], 0.5, 0.0] };
                let value = point_value(stage.space(), 3, &state, &point).unwrap()[component];
                worst = worst.max((value - row[column]).abs());
            }
        }
        if comm.rank() == 0 {
            let (iterations, note) = (stage.outcome().iterations, &stage.outcome().note);
            println!(
                "    Reynolds number {reynolds}: at most {worst:.4} from the table; {iterations} iterations {note}"
            );
        }
        // At Reynolds number 1000 the table is 0.0186 from 32 x 32 cells and 0.0189 from 48 x 48: it misses the extrema by
        // 0.012 itself. Those of Botella and Peyret are the measure there.
        let tolerance = if reynolds < 1000.0 { 0.01 } else { 0.02 };
        assert!(worst < tolerance, "Reynolds number {reynolds}: {worst} from the table");
        if reynolds == 1000.0 {
            // Botella and Peyret, Computers and Fluids 27 (1998): extrema on the centre lines.
            for (point, component, expected) in [
                ([0.5, 0.1717, 0.0], 0, -0.388_57),
                ([0.1578, 0.5, 0.0], 1, 0.376_94),
                ([0.9092, 0.5, 0.0], 1, -0.527_08),
            ] {
                let value = point_value(stage.space(), 3, &state, &point).unwrap()[component];
                assert!((value - expected).abs() < 3e-3, "{value} instead of {expected} at {point:?}");
            }
        }
    }
}

/// A viscosity so small that Newton's method from rest fails: the continuation must find the flow.
fn continuation_takes_over(comm: &Comm) {
    let mut simulation = simulation(comm, &cavity(3000.0, 16, PIN)).unwrap();
    simulation.solve(&simulation.default_context()).unwrap_or_else(|e| panic!("{e}"));
    let outcome = simulation.stages[0].outcome();
    if comm.rank() == 0 {
        println!("    {} iterations; {}", outcome.iterations, outcome.note);
    }
    assert!(outcome.note.contains("continuation"), "Newton's method needed no help: {}", outcome.note);
}

fn open_questions_are_named(comm: &Comm) {
    let message = |text: &str| {
        let mut simulation = simulation(comm, text).unwrap();
        simulation.solve(&simulation.default_context()).expect_err("no unique solution").to_string()
    };
    let level = message(&cavity(100.0, 4, ""));
    assert!(level.contains("level of the pressure"), "{level}");
    // A wall that slides along its side closes the domain as well.
    let slip = cavity(100.0, 4, "").replace("value = [1.0, 0.0", "value = [\"free\", 0.0");
    assert!(message(&slip).contains("level of the pressure"));
    let leak = cavity(100.0, 4, PIN).replace("value = [1.0, 0.0", "value = [1.0, 0.1");
    let leak = message(&leak);
    assert!(leak.contains("flows in"), "{leak}");
    // Nothing but periodic sides: the pressure needs a level, and a steady flow a mean velocity.
    let free = periodic_vortices("triangle", 4);
    let pinned = message(&free);
    assert!(pinned.contains("mean velocity"), "{pinned}");
    let start = free.find("[[physics.boundary]]").unwrap();
    let end = start + free[start..].find("[[exact]]").unwrap();
    let level = message(&format!("{}{}", &free[..start], &free[end..]));
    assert!(level.contains("periodic all round"), "{level}");
    let open = cavity(100.0, 4, "").replace("\"right\", ", "");
    let mut simulation = simulation(comm, &open).unwrap();
    simulation.solve(&simulation.default_context()).unwrap_or_else(|e| panic!("{e}"));
}

/// The same numbers whatever the ranks: the reference is from one rank.
fn ranks_do_not_matter(comm: &Comm) {
    let more = format!(
        "{PIN}[[quantity]]\nname = \"drag\"\nkind = \"reaction\"\nfield = \"velocity\"\ncomponent = 0\nmarker = \"top\"\n\
         [[quantity]]\nname = \"drop\"\nkind = \"point\"\nfield = \"pressure\"\npoint = [0.6, 0.7]\nminus_point = [0.3, 0.2]\nfactor = 2.0\n"
    );
    let text = cavity(100.0, 8, &more).replace("[[physics]]", "[solver]\ntolerance = 1e-12\n[[physics]]");
    let mut simulation = simulation(comm, &text).unwrap();
    let context = simulation.default_context();
    simulation.solve(&context).unwrap();
    let values = simulation.quantities(&context).unwrap();
    for (value, expected) in values.iter().zip(ONE_RANK) {
        assert!((value - expected).abs() < 1e-9, "{values:?} on {} ranks, {ONE_RANK:?} on one", comm.size());
    }
}

/// Force on the lid and twice a difference of pressures, with 8 x 8 cells.
const ONE_RANK: [f64; 2] = [0.1635792157787202, -0.17520812403219993];

/// What does not depend on the ranks runs on two.
pub const SUITES: &[Suite] = &[
    Suite {
        ranks: &[1, 2, 3, 4],
        tests: &[
            ("ranks_do_not_matter", ranks_do_not_matter),
            ("open_questions_are_named", open_questions_are_named),
            ("periodic_vortices_on_ranks", periodic_vortices_on_ranks),
        ],
    },
    Suite {
        ranks: &[2],
        tests: &[("continuation_takes_over", continuation_takes_over), ("kovasznay", kovasznay), ("beltrami", beltrami), ("taylor_green_in_space", taylor_green_in_space), ("taylor_green_in_time", taylor_green_in_time), ("periodic_vortices_in_space", periodic_vortices_in_space), ("periodic_vortices_in_time", periodic_vortices_in_time), ("lid_driven_cavity", lid_driven_cavity)],
    },
];
