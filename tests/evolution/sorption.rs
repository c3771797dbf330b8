//! Diffusion with sorption: no solution is known, so it is compared with itself, and its balance is checked.
use super::setup::{Outcome, list, mesh, order, say, simulate};
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

pub fn converges(comm: &Comm) {
    // In space, with one sequence of steps. The corner u = 0.1, 1 at the start has left the solution by then.
    let steps = "step = 5\nscheme = \"sdirk3\"";
    let runs = [32, 64, 128, 256].map(|n| simulate(comm, &deck(n, steps)));
    let errors: Vec<f64> = runs.windows(2).map(|w| difference(&w[0], &w[1])).collect();
    say(comm, format!("space: {}, order {:.2}", list(&errors), order(&errors)));
    assert!(order(&errors) > 1.8 && order(&errors) < 2.3, "{errors:?}");
    // In time. The jump at the start costs the second order a little.
    for (scheme, expected) in [("bdf1", 1.0), ("bdf2", 2.0), ("sdirk2", 2.0)] {
        let runs = [10.0, 5.0, 2.5, 1.25]
            .map(|step| simulate(comm, &deck(64, &format!("step = {step}\nscheme = \"{scheme}\""))));
        let errors: Vec<f64> = runs.windows(2).map(|w| difference(&w[0], &w[1])).collect();
        say(comm, format!("{scheme}: {}, order {:.2}", list(&errors), order(&errors)));
        assert!((order(&errors) - expected).abs() < 0.3, "{scheme}: {errors:?}");
    }
}

/// Each step keeps the balance, and with implicit Euler stored mass and flux through both ends agree.
pub fn balance(comm: &Comm) {
    for scheme in ["bdf1", "bdf2", "sdirk2", "sdirk3", "crank_nicolson"] {
        let run = simulate(comm, &deck(64, &format!("step = 1\ntolerance = 1e-3\nscheme = \"{scheme}\"")));
        say(comm, format!("{scheme}: balance {:.1e}", run.worst_balance()));
        assert!(run.worst_balance() < 1e-12, "{scheme}: {:e}", run.worst_balance());
    }
    // The outflow on the right is the concentration there: the boundary condition, with its sign.
    let run = simulate(comm, &(deck(64, "step = 5\nscheme = \"bdf1\"") + OUTFLOW));
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
