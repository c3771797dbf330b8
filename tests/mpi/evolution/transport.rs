//! Advection-diffusion and Burgers' equation.
use super::setup::{exact, mesh, order, say, share, simulate};
use std::f64::consts::PI;
use tessera::parallel::Comm;

/// A smooth solution of the steady equation with reaction, transport dominant on the coarse meshes and not.
pub fn advection_orders(world: &Comm) {
    let (comm, cases) = share(
        world,
        [
            (1, [8, 16, 32], 1.0, 1.9),
            (2, [8, 16, 32], 1.0, 2.9),
            (1, [16, 32, 64], 1e-6, 1.9),
            (2, [8, 16, 32], 1e-6, 2.5),
        ],
    );
    for (degree, sizes, k, least) in cases {
        // u = sin(2 x + y): b . grad u = (2 b_x + b_y) cos, -lap u = 5 u.
        let errors: Vec<f64> = sizes
            .map(|n| {
                let text = format!(
                    "{}[[physics]]\nmodel = \"advection_diffusion\"\ndegree = {degree}\ndiffusivity = {k:e}\n\
                     velocity = [1.0, 0.5]\nreaction = 1\nsource = \"2.5*cos(2*x+y) + (5*{k:e} + 1)*sin(2*x+y)\"\n\
                     boundary = [{{ marker = [\"left\", \"bottom\"], value = \"sin(2*x+y)\" }},\n\
                     {{ marker = \"right\", flux = \"2*{k:e}*cos(2*x+y)\" }},\n\
                     {{ marker = \"top\", flux = \"{k:e}*cos(2*x+y)\" }}]\n{}",
                    mesh("triangle", n, 0.0, 1.0),
                    exact("\"sin(2*x+y)\"")
                );
                simulate(&comm, &text).last("l2")
            })
            .to_vec();
        say(
            &comm,
            format!("degree {degree}, k = {k:.0e}: error {:.2e}, order {:.2}", errors[2], order(&errors)),
        );
        assert!(order(&errors) > least, "degree {degree}, k = {k}: {errors:?}");
    }
}

/// Cell Peclet number 1000: no oscillation, and the layer only in the last cell. Without a term along the
/// streamlines every second node would be off by about one.
pub fn boundary_layer(comm: &Comm) {
    let n = 20;
    let text = format!(
        "{}[[physics]]\nmodel = \"advection_diffusion\"\ndiffusivity = {}\nvelocity = [1.0]\nsource = 1\n\
         boundary = [{{ marker = [\"left\", \"right\"], value = 0 }}]\n",
        mesh("interval", n, 0.0, 1.0),
        0.5 / n as f64 / 1000.0
    );
    let run = simulate(comm, &text);
    // The solution is x but for the layer at 1.
    for (x, u) in run.points.iter().zip(run.end()).filter(|(x, _)| **x < 0.999) {
        assert!((u - x).abs() < 2e-3, "u({x}) = {u}");
    }
}

/// A hill turns once and comes back: its mass and most of its height.
pub fn rotating_hill(world: &Comm) {
    let (comm, cases) = share(world, [(1, 48, 0.85), (2, 24, 0.9)]);
    for (degree, n, height) in cases {
        let text = format!(
            "{}[time]\nend = {:?}\nstep = {:?}\nscheme = \"crank_nicolson\"\n[output]\nframes = 1\n[[physics]]\n\
             model = \"advection_diffusion\"\ndegree = {degree}\ndiffusivity = 0\nvelocity = [\"-y\", \"x\"]\n\
             boundary = [{{ marker = [\"left\", \"right\", \"top\", \"bottom\"], value = 0 }}]\n\
             [[initial]]\nvalue = \"exp(-30*((x-0.4)^2 + y^2))\"\n\
             [[quantity]]\nname = \"mass\"\nkind = \"integral\"\n[[quantity]]\nname = \"peak\"\nkind = \"maximum\"\n\
             [[quantity]]\nname = \"least\"\nkind = \"minimum\"\n",
            mesh("triangle", n, -1.0, 1.0),
            2.0 * PI,
            2.0 * PI / 120.0
        );
        let run = simulate(&comm, &text);
        let (mass, peak, least) = (&run.quantities["mass"], run.last("peak"), run.last("least"));
        let lost = (mass[1] / mass[0] - 1.0).abs();
        say(&comm, format!("hill, degree {degree}: mass off {lost:.1e}, peak {peak:.3}, least {least:.3}"));
        assert!(lost < 2e-3, "mass {mass:?}");
        assert!(peak > height && peak < 1.02 && least > -0.03, "peak {peak}, least {least}");
    }
}

/// Cole and Hopf's solution for `u = sin(2 pi x)` at the start (Cole, Quart. Appl. Math. 9 (1951)): u is a mean of
/// `(x - s)/t` weighted with `exp(-psi/(2 nu))`, `psi = (x - s)^2/(2 t) + int_0^s u_0`, here by the trapezoidal rule,
/// which converges faster than any power.
fn cole_hopf(x: f64, t: f64, nu: f64) -> f64 {
    let weight =
        |s: f64| ((x - s).powi(2) / (2.0 * t) + (1.0 - (2.0 * PI * s).cos()) / (2.0 * PI)) / (2.0 * nu);
    let (reach, count) = (1.0 + t, 40_000);
    let nodes = (0..=count).map(|i| x - reach + 2.0 * reach * i as f64 / count as f64);
    let least = nodes.clone().map(weight).fold(f64::INFINITY, f64::min);
    let (mut above, mut below) = (0.0, 0.0);
    for s in nodes {
        let w = (least - weight(s)).exp();
        above += w * (x - s) / t;
        below += w;
    }
    above / below
}

fn burgers_errors(comm: &Comm, degree: usize, n: usize, steps: usize) -> [f64; 2] {
    let nu = 0.01;
    let text = format!(
        "{}[time]\nend = 0.4\nstep = {}\nscheme = \"sdirk3\"\n[output]\nframes = 4\n[solver]\ntolerance = 1e-10\n[[physics]]\n\
         model = \"burgers\"\ndegree = {degree}\nviscosity = {nu}\n\
         boundary = [{{ marker = [\"left\", \"right\"], value = 0 }}]\n[[initial]]\nvalue = \"sin(2*pi*x)\"\n",
        mesh("interval", n, 0.0, 1.0),
        0.4 / steps as f64
    );
    let run = simulate(comm, &text);
    // The front stands at x = 1/2 from t = 1/(2 pi) = 0.16 on.
    [(1, 0.1), (4, 0.4)].map(|(frame, t)| {
        let pairs = run.points.iter().zip(&run.frames[frame]);
        let squares: f64 = pairs.map(|(&x, u)| (u - cole_hopf(x, t, nu)).powi(2)).sum();
        (squares / run.points.len() as f64).sqrt()
    })
}

pub fn burgers(world: &Comm) {
    let (comm, cases) = share(world, [(1, [64, 128, 256]), (2, [32, 64, 128])]);
    for (degree, sizes) in cases {
        let errors: Vec<[f64; 2]> = sizes.map(|n| burgers_errors(&comm, degree, n, n)).to_vec();
        for (k, what) in ["before the front", "with the front"].iter().enumerate() {
            let own: Vec<f64> = errors.iter().map(|e| e[k]).collect();
            say(&comm, format!("degree {degree}, {what}: error {:.2e}, order {:.2}", own[2], order(&own)));
            assert!(order(&own) > degree as f64 + 0.75, "degree {degree} {what}: {own:?}");
        }
    }
}
