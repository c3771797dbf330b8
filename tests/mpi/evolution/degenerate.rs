//! The porous medium equation and Stefan's problem: solutions with fronts.
use super::setup::{list, mesh, say, share, simulate};
use std::f64::consts::PI;
use tessera::parallel::Comm;

/// Barenblatt's solution of `u_t = div(u^m grad u)` in `d` dimensions (Vazquez, *The Porous Medium Equation* (2007),
/// section 4.4), as a formula of the deck in `r2 = |x|^2`, and its front at a time. In `u_t = lap u^n` with
/// `n = m + 1` time runs `n` times as fast.
struct Barenblatt {
    n: f64,
    alpha: f64,
    beta: f64,
    kappa: f64,
}

/// The constant that sets the mass.
const C: f64 = 0.2;

impl Barenblatt {
    fn new(m: f64, d: f64) -> Self {
        let n = m + 1.0;
        let alpha = d / (d * m + 2.0);
        let beta = alpha / d;
        Self { n, alpha, beta, kappa: beta * m / (2.0 * n) }
    }

    fn value(&self, r2: f64, t: f64) -> f64 {
        let s = t / self.n;
        let inside = C - self.kappa * r2 * s.powf(-2.0 * self.beta);
        s.powf(-self.alpha) * inside.max(0.0).powf(1.0 / (self.n - 1.0))
    }

    fn formula(&self, r2: &str, t: f64) -> String {
        let s = t / self.n;
        format!(
            "{:?}*max(0, {C} - {:?}*{r2})^{:?}",
            s.powf(-self.alpha),
            self.kappa * s.powf(-2.0 * self.beta),
            1.0 / (self.n - 1.0)
        )
    }

    fn front(&self, t: f64) -> f64 {
        (C / self.kappa).sqrt() * (t / self.n).powf(self.beta)
    }
}

/// Largest distance from the origin where the solution is not nearly zero.
fn reach(points: &[f64], dimension: usize, values: &[f64]) -> f64 {
    let top = values.iter().fold(0.0f64, |m, v| m.max(*v));
    let far = points.chunks(dimension).zip(values).filter(|(_, v)| **v > 1e-3 * top);
    far.map(|(p, _)| p.iter().map(|x| x * x).sum::<f64>().sqrt()).fold(0.0, f64::max)
}

pub fn barenblatt(world: &Comm) {
    let (comm, cases) = share(world, [1.0, 2.0, 3.0]);
    for m in cases {
        let exact = Barenblatt::new(m, 1.0);
        let (start, end) = (0.5, 2.0);
        let mut errors = Vec::new();
        for n in [50, 100, 200] {
            let text = format!(
                "{}[time]\nstart = {start}\nend = {end}\nstep = {}\nscheme = \"bdf1\"\n[output]\nframes = 1\n\
                 [[physics]]\nmodel = \"porous_medium\"\nexponent = {m}\n[[initial]]\nvalue = \"{}\"\n",
                mesh("interval", n, -4.0, 4.0),
                (end - start) / n as f64,
                exact.formula("x^2", start)
            );
            let run = simulate(&comm, &text);
            let mean = |f: &dyn Fn(f64, f64) -> f64| {
                run.points.iter().zip(run.end()).map(|(&x, &u)| f(x, u)).sum::<f64>() * 8.0 / n as f64
            };
            errors.push(mean(&|x, u| (u - exact.value(x * x, end)).abs()));
            let least = run.end().iter().fold(f64::MAX, |l, &v| l.min(v));
            assert!(least >= -1e-14, "m = {m}, n = {n}: {least:e}");
            assert!(run.worst_balance() < 1e-12, "m = {m}: mass off by {:e}", run.worst_balance());
            let (found, front) = (reach(&run.points, 1, run.end()), exact.front(end));
            assert!(
                (found - front).abs() < 2.0 * 8.0 / n as f64,
                "m = {m}, n = {n}: front {found}, not {front}"
            );
        }
        // Implicit Euler and a front that enters a cell now and then: first order over two refinements.
        let found = 0.5 * (errors[0] / errors[2]).log2();
        say(&comm, format!("m = {m}: L1 errors {}, order {found:.2}", list(&errors)));
        assert!(found > 0.85, "m = {m}: {errors:?}");
    }
}

pub fn barenblatt_in_the_plane(world: &Comm) {
    let (comm, cases) = share(world, ["triangle", "quadrilateral"]);
    let exact = Barenblatt::new(2.0, 2.0);
    for cell in cases {
        let text = format!(
            "{}[time]\nstart = 0.5\nend = 1\nstep = 0.025\nscheme = \"bdf1\"\n[output]\nframes = 1\n\
             [[physics]]\nmodel = \"porous_medium\"\nexponent = 2\n[[initial]]\nvalue = \"{}\"\n",
            mesh(cell, 40, -2.5, 2.5),
            exact.formula("(x^2 + y^2)", 0.5)
        );
        let run = simulate(&comm, &text);
        let least = run.end().iter().fold(f64::MAX, |l, &v| l.min(v));
        let error: f64 = run
            .points
            .chunks(2)
            .zip(run.end())
            .map(|(p, u)| (u - exact.value(p[0] * p[0] + p[1] * p[1], 1.0)).abs() / 256.0)
            .sum();
        let (found, front) = (reach(&run.points, 2, run.end()), exact.front(1.0));
        say(
            &comm,
            format!("{cell}: L1 error {error:.1e}, front {found:.3} of {front:.3}, least {least:.1e}"),
        );
        assert!(
            least >= -1e-14 && run.worst_balance() < 1e-12,
            "{cell}: {least:e}, {:e}",
            run.worst_balance()
        );
        assert!(error < 0.1 && (found - front).abs() < 0.2, "{cell}: {error}, {found}, {front}");
    }
}

/// The error function by the trapezoidal rule's better sister, Simpson's.
fn erf(z: f64) -> f64 {
    let n = 2000;
    let h = z / n as f64;
    let f = |i: usize| {
        (-(i as f64 * h).powi(2)).exp() * if i == 0 || i == n { 1.0 } else { 2.0 + 2.0 * (i % 2) as f64 }
    };
    (0..=n).map(f).sum::<f64>() * h / 3.0 * 2.0 / PI.sqrt()
}

/// `z` of the front `s(t) = 2 z (k_max t)^(1/2)` for u = 1 at x = 0 and u = 0 at the start.
///
/// Behind the front `u = 1 - (1 - u*) erf(x/(2 (k_max t)^(1/2)))/erf(z)`, before it
/// `u = u* erfc(x/(2 (k_min t)^(1/2)))/erfc(w)` with `w = z (k_max/k_min)^(1/2)`; the flux is the same on both
/// sides: `k_max^(1/2) (1 - u*) exp(-z^2)/erf(z) = k_min^(1/2) u* exp(-w^2)/erfc(w)`. For k_min = 0 the right-hand
/// side becomes `u* z (pi k_max)^(1/2)`: u jumps, and what flows to the front fills the jump.
fn front(below: f64, above: f64, threshold: f64) -> f64 {
    let excess = |z: f64| {
        let left = above.sqrt() * (1.0 - threshold) * (-z * z).exp() / erf(z);
        let w = if below > 0.0 { z * (above / below).sqrt() } else { f64::INFINITY };
        let right = match w < 5.0 {
            true => below.sqrt() * threshold * (-w * w).exp() / (1.0 - erf(w)),
            // exp(-w^2)/erfc(w) = pi^(1/2) w (1 + 1/(2 w^2) - ...)
            false => threshold * z * (PI * above).sqrt() * (1.0 + 0.5 / (w * w)),
        };
        left - right
    };
    let (mut low, mut high) = (1e-6, 4.0);
    for _ in 0..60 {
        let z = 0.5 * (low + high);
        if excess(z) > 0.0 { low = z } else { high = z }
    }
    0.5 * (low + high)
}

pub fn stefan(world: &Comm) {
    let (comm, cases) = share(world, [0.0, 0.01, 0.2]);
    let (end, threshold, above) = (0.1, 0.5, 1.0);
    for below in cases {
        let exact = 2.0 * front(below, above, threshold) * (above * end).sqrt();
        let positions: Vec<f64> = [50, 100, 200]
            .map(|n: i32| {
                let text = format!(
                    "{}[time]\nend = {end}\nstep = {}\nscheme = \"bdf1\"\n[output]\nframes = 1\n[[physics]]\n\
                     model = \"porous_medium\"\n\
                     stefan = {{ below = {below}, above = {above}, threshold = {threshold} }}\n\
                     boundary = [{{ marker = \"left\", value = 1 }}]\n",
                    mesh("interval", n as usize, 0.0, 1.0),
                    end / f64::from(n)
                );
                let run = simulate(&comm, &text);
                let bounds = run.end().iter().fold((f64::MAX, f64::MIN), |(l, h), &v| (l.min(v), h.max(v)));
                assert!(bounds.0 >= -1e-12 && bounds.1 <= 1.0 + 1e-12, "below = {below}: {bounds:?}");
                assert!(run.worst_balance() < 1e-11, "below = {below}: {:e}", run.worst_balance());
                let behind = run.points.iter().zip(run.end()).filter(|(_, u)| **u >= threshold);
                let last = behind.map(|(x, _)| *x).fold(0.0, f64::max);
                if below > 0.0 {
                    return last;
                }
                // The cell of the next node is partly filled, which places the front inside it.
                let h = 1.0 / f64::from(n);
                let next = run.points.iter().zip(run.end()).find(|(x, _)| (*x - last - h).abs() < 0.1 * h);
                last + h * (0.5 + next.unwrap().1 / threshold)
            })
            .to_vec();
        say(&comm, format!("k_min = {below}: fronts {positions:.3?}, exactly {exact:.4}"));
        for (n, position) in [50.0, 100.0, 200.0].iter().zip(&positions) {
            let cells = if below > 0.0 { 1.5 } else { 0.2 };
            assert!(
                (position - exact).abs() < cells / n,
                "k_min = {below}, n = {n}: {position}, not {exact}"
            );
        }
    }
}
