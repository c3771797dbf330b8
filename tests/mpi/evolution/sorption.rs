//! Diffusion with sorption: no solution is known, so it is compared with itself, and its balance is checked.
use super::setup::{Outcome, list, mesh, order, say, share, simulate};
use tessera::parallel::Comm;

/// PDEBench's problem: u = 1 on the left, an outflow u = -D du/dx on the right.
pub fn deck(n: usize, time: &str) -> String {
    format!(
        "{}[time]\nend = 500\n{time}\n[output]\nframes = 5\n[[physics]]\nmodel = \"diffusion_sorption\"\n\
         boundary = [{{ marker = \"left\", value = 1 }}, {{ marker = \"right\", coefficient = 1, ambient = 0 }}]\n\
         [[initial]]\nvalue = 0.1\n",
        mesh("interval", n, 0.0, 1.0)
    )
}

/// Root mean square over the nodes of the coarser run; both meshes divide the interval evenly.
fn difference(coarse: &Outcome, fine: &Outcome) -> f64 {
    let sorted = |run: &Outcome| {
        let mut list: Vec<(f64, f64)> = run.points.iter().copied().zip(run.end().iter().copied()).collect();
        list.sort_by(|a, b| a.0.total_cmp(&b.0));
        list
    };
    let (coarse, fine) = (sorted(coarse), sorted(fine));
    let ratio = (fine.len() - 1) / (coarse.len() - 1);
    let squares = coarse.iter().enumerate().map(|(i, &(_, v))| (v - fine[i * ratio].1).powi(2));
    (squares.sum::<f64>() / coarse.len() as f64).sqrt()
}

pub fn converges(world: &Comm) {
    // In space, with one sequence of steps: the corner u = 0.1, 1 at the start has left the solution by then. In time
    // on one mesh.
    let cases = [("sdirk3", 0.0, 2.0), ("bdf1", 10.0, 1.0), ("bdf2", 10.0, 2.0), ("sdirk2", 10.0, 2.0)];
    let (comm, cases) = share(world, cases);
    for (scheme, step, expected) in cases {
        let runs: [Outcome; 4] = std::array::from_fn(|i| match step == 0.0 {
            true => simulate(&comm, &deck(32 << i, "step = 5\nscheme = \"sdirk3\"")),
            false => {
                let step = step / f64::from(1 << i);
                simulate(&comm, &deck(64, &format!("step = {step}\nscheme = \"{scheme}\"")))
            }
        });
        let errors: Vec<f64> = runs.windows(2).map(|w| difference(&w[0], &w[1])).collect();
        let what = if step == 0.0 { "space" } else { scheme };
        say(&comm, format!("{what}: {}, order {:.2}", list(&errors), order(&errors)));
        assert!((order(&errors) - expected).abs() < 0.3, "{what}: {errors:?}");
    }
}

/// Each step keeps the balance, and with implicit Euler stored mass and flux through both ends agree.
pub fn balance(world: &Comm) {
    let (comm, cases) = share(world, ["bdf1", "bdf2", "sdirk2", "sdirk3", "crank_nicolson"]);
    for scheme in cases {
        let run = simulate(&comm, &deck(64, &format!("step = 1\ntolerance = 1e-3\nscheme = \"{scheme}\"")));
        say(&comm, format!("{scheme}: balance {:.1e}", run.worst_balance()));
        assert!(run.worst_balance() < 1e-12, "{scheme}: {:e}", run.worst_balance());
    }
    // The outflow on the right is the concentration there: the boundary condition, with its sign.
    let run = simulate(&comm, &(deck(64, "step = 5\nscheme = \"bdf1\"") + OUTFLOW));
    let s = &run.steps;
    for k in 1..s["time"].len() {
        assert!(
            (s["inflow"][k] + s["right"][k]).abs() < 1e-9,
            "step {k}: {} {}",
            s["inflow"][k],
            s["right"][k]
        );
        let change = s["conserved"][k] - s["conserved"][k - 1];
        let came = s["length"][k] * (s["supplied"][k] - s["right"][k]);
        assert!((change - came).abs() < 1e-11, "step {k}: {change:e}, {came:e}");
    }
    assert!(s["supplied"].iter().all(|&v| v > 0.0) && *s["right"].last().unwrap() > 0.0);
}

const OUTFLOW: &str = "[[quantity]]\nname = \"right\"\nkind = \"point\"\npoint = [1.0]\n";
