//! Time schemes, tested on diffusion: orders, step control, bounds, balances.
use super::setup::{exact, list, mesh, order, say, share, simulate};
use tessera::parallel::Comm;

const SCHEMES: [(&str, f64); 5] =
    [("bdf1", 1.0), ("bdf2", 2.0), ("crank_nicolson", 2.0), ("sdirk2", 2.0), ("sdirk3", 3.0)];

/// `u = exp(t) x (1 - x)` with capacity 2, exactly in the space: what is left is the error in time.
fn heat(time: &str) -> String {
    format!(
        "{}[time]\nend = 1\n{time}\n[output]\nframes = 1\n[solver]\ntolerance = 1e-12\n[[physics]]\n\
         model = \"diffusion\"\ndegree = 2\ncapacity = 2\nconductivity = 0.5\n\
         source = \"exp(t)*(2*x*(1-x) + 1)\"\n\
         boundary = [{{ marker = [\"left\", \"right\"], value = 0 }}]\n[[initial]]\nvalue = \"x*(1-x)\"\n{}",
        mesh("interval", 8, 0.0, 1.0),
        exact("\"exp(t)*x*(1-x)\"")
    )
}

pub fn time_orders(world: &Comm) {
    let (comm, cases) = share(world, SCHEMES);
    for (scheme, expected) in cases {
        let errors: Vec<f64> = [20, 40, 80]
            .map(|n| {
                simulate(&comm, &heat(&format!("step = {}\nscheme = \"{scheme}\"", 1.0 / n as f64)))
                    .last("l2")
            })
            .to_vec();
        let found = order(&errors);
        say(&comm, format!("{scheme:15} error {:.2e}, order {found:.2}", errors[2]));
        assert!((found - expected).abs() < 0.2, "{scheme}: {errors:?}, order {found:.2}");
    }
}

/// Stops divide the time into steps of different length; the order stays.
pub fn variable_steps(world: &Comm) {
    let (comm, cases) = share(world, SCHEMES);
    for (scheme, expected) in cases {
        let errors: Vec<f64> = [0.06f64, 0.03, 0.015]
            .map(|step| {
                // A long step and a short one in turn: the step is cut at each frame.
                let text = heat(&format!("step = {step}\nscheme = \"{scheme}\""));
                let frames = (0.7 / step).round() as usize;
                simulate(&comm, &text.replace("frames = 1", &format!("frames = {frames}"))).last("l2")
            })
            .to_vec();
        let found = order(&errors);
        say(&comm, format!("{scheme:15} variable steps: error {:.2e}, order {found:.2}", errors[2]));
        assert!((found - expected).abs() < 0.35, "{scheme}: {errors:?}, order {found:.2}");
    }
}

/// Steps that grow: as many as the geometric series says, and the order stays where first and longest step are halved and
/// growth is its root.
pub fn graded_steps(world: &Comm) {
    let (comm, cases) = share(world, SCHEMES);
    for (scheme, expected) in cases {
        let runs = [(0.02, 1.44, 0.1), (0.01, 1.2, 0.05), (0.005, 1.2f64.sqrt(), 0.025)].map(
            |(step, growth, longest)| {
                let time =
                    format!("step = {step}\ngrowth = {growth:?}\nlongest = {longest}\nscheme = \"{scheme}\"");
                let run = simulate(&comm, &heat(&time));
                let lengths = &run.steps["length"];
                for (k, length) in lengths.iter().enumerate() {
                    let asked = (step * f64::powi(growth, k as i32)).min(longest);
                    // The last two share what is left.
                    let free = k + 2 < lengths.len();
                    assert!(*length < asked * (1.0 + 1e-9), "{scheme}: {lengths:?}");
                    assert!(!free || (length - asked).abs() < 1e-9 * asked, "{scheme}: {lengths:?}");
                }
                assert!((lengths.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{scheme}: {lengths:?}");
                run.last("l2")
            },
        );
        let found = order(&runs);
        say(&comm, format!("{scheme:15} growing steps: errors {}, order {found:.2}", list(&runs)));
        assert!((found - expected).abs() < 0.35, "{scheme}: {runs:?}, order {found:.2}");
    }
}

/// A tolerance is what it says: errors follow it, and the work grows as the order lets it.
pub fn step_control(world: &Comm) {
    let (comm, cases) = share(world, SCHEMES);
    for (scheme, expected) in cases {
        let runs = [1e-3, 1e-4, 1e-5].map(|tolerance| {
            let time = format!("step = 1e-3\ntolerance = {tolerance:e}\nscheme = \"{scheme}\"");
            let run = simulate(&comm, &heat(&time));
            (run.last("l2"), run.steps["time"].len())
        });
        say(
            &comm,
            format!(
                "{scheme:15} tolerances 1e-3, 1e-4, 1e-5: errors {}; {:?} steps",
                list(&runs.map(|r| r.0)),
                runs.map(|r| r.1)
            ),
        );
        // The norm of exp(t) x (1 - x) at the end is 0.5.
        assert!(runs[2].0 < 0.5 * 1e-2 && runs[2].0 < 0.4 * runs[0].0, "{scheme}: {runs:?}");
        let growth = runs[2].1 as f64 / runs[1].1 as f64;
        assert!(growth < 2.0 * 10f64.powf(1.0 / (expected + 1.0)), "{scheme}: {growth}");
    }
}

/// A load that is switched off at a stop: no scheme looks across the jump.
pub fn jumps_of_the_loads(world: &Comm) {
    let (comm, cases) = share(world, SCHEMES);
    for (scheme, expected) in cases {
        // u' = 1 until t = 0.5, then u' = -u: without space, and no step but at the stop ends there.
        let errors: Vec<f64> = [0.06, 0.03, 0.015]
            .map(|step| {
                let text = format!(
                    "{}[time]\nend = 1\nstep = {step}\nscheme = \"{scheme}\"\nstops = [0.5]\n[output]\nframes = 1\n\
                     [[physics]]\nmodel = \"diffusion\"\nsource = \"step(0.5 - t)\"\n\
                     reaction = \"1 - step(0.5 - t)\"\n{}",
                    mesh("interval", 2, 0.0, 1.0),
                    exact("\"if(t > 0.5, 0.5*exp(0.5 - t), t)\"")
                );
                simulate(&comm, &text).last("l2")
            })
            .to_vec();
        let found = order(&errors);
        say(&comm, format!("{scheme:15} with a jump: error {:.2e}, order {found:.2}", errors[2]));
        assert!((found - expected).abs() < 0.35, "{scheme}: {errors:?}, order {found:.2}");
    }
}

/// Decaying `exp(-t) sin(pi x) sin(pi y)`, steps so short that the error in space is left.
pub fn space_orders(world: &Comm) {
    let (comm, cases) = share(world, [(1, [8, 16, 32]), (2, [4, 8, 16])]);
    for (degree, sizes) in cases {
        let errors: Vec<f64> = sizes
            .map(|n| {
                let text = format!(
                    "{}[time]\nend = 0.1\nstep = 0.01\nscheme = \"sdirk3\"\n[output]\nframes = 1\n[[physics]]\n\
                     model = \"diffusion\"\ndegree = {degree}\n\
                     source = \"(2*pi^2 - 1)*exp(-t)*sin(pi*x)*sin(pi*y)\"\n\
                     boundary = [{{ marker = [\"left\", \"right\", \"top\", \"bottom\"], value = 0 }}]\n\
                     [[initial]]\nvalue = \"sin(pi*x)*sin(pi*y)\"\n{}",
                    mesh("triangle", n, 0.0, 1.0),
                    exact("\"exp(-t)*sin(pi*x)*sin(pi*y)\"")
                );
                simulate(&comm, &text).last("l2")
            })
            .to_vec();
        let (found, expected) = (order(&errors), degree as f64 + 1.0);
        say(&comm, format!("degree {degree}: error {:.2e}, order {found:.2}", errors[2]));
        assert!((found - expected).abs() < 0.2, "degree {degree}: {errors:?}");
    }
}

/// A front of heat stays between its bounds with lumped storage and implicit Euler (the porous medium equation
/// with exponent 0 is the heat equation), and not with the consistent storage of `diffusion` in short steps.
pub fn maximum_principle(comm: &Comm) {
    let run = |model: &str| {
        let text = format!(
            "{}[time]\nend = 1e-3\nstep = 1e-4\nscheme = \"bdf1\"\n[output]\nframes = 1\n[solver]\ntolerance = 1e-12\n\
             [[physics]]\n{model}\nboundary = [{{ marker = \"left\", value = 1 }}]\n",
            mesh("triangle", 10, 0.0, 1.0)
        );
        let run = simulate(comm, &text);
        run.end().iter().fold((f64::MAX, f64::MIN), |(l, h), &v| (l.min(v), h.max(v)))
    };
    let (low, high) = run("model = \"porous_medium\"\nexponent = 0");
    assert!(low >= -1e-12 && high <= 1.0 + 1e-12, "lumped: {low:e} to {high}");
    let (low, _) = run("model = \"diffusion\"");
    assert!(low < -1e-3, "consistent storage keeps its bounds: the lumped case shows nothing");
}

/// What is stored changes by what comes in, to rounding, for every scheme, and the log says so.
pub fn balances(world: &Comm) {
    let (comm, cases) = share(world, SCHEMES);
    for (scheme, _) in cases {
        let text = format!(
            "{}[time]\nend = 0.2\nstep = 0.01\ntolerance = 1e-3\nscheme = \"{scheme}\"\n[output]\nframes = 1\n\
             [[physics]]\nmodel = \"diffusion\"\ncapacity = \"1 + x\"\nsource = \"10*t\"\n\
             boundary = [{{ marker = \"left\", value = \"sin(20*t)\" }}, {{ marker = \"top\", flux = 2 }},\n\
             {{ marker = \"right\", coefficient = 3, ambient = 1 }}]\n",
            mesh("triangle", 8, 0.0, 1.0)
        );
        let run = simulate(&comm, &text);
        let s = &run.steps;
        // The log's own columns, step by step: not only the column that says it is fine.
        for k in 1..s["time"].len() {
            let came = s["length"][k] * (s["supplied"][k] + s["inflow"][k]);
            let change = s["conserved"][k] - s["conserved"][k - 1];
            assert!((change - came).abs() < 1e-11, "{scheme}, step {k}: {change:e} stored, {came:e} came in");
        }
        assert!(run.worst_balance() < 1e-12, "{scheme}: {:e}", run.worst_balance());
        let moved: f64 = s["supplied"].iter().map(|v| v.abs()).sum();
        assert!(moved > 1.0, "{scheme}: nothing came in through the essential boundary");
    }
}
