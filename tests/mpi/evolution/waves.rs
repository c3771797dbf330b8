//! Helmholtz' equation.
use super::setup::{exact, list, mesh, order, say, share, simulate};
use tessera::parallel::Comm;

/// `u = sin(k x + y) + i cos(x y)` with its sources, essential on two sides, absorbing on two.
pub fn orders(world: &Comm) {
    let k = 4.0;
    let cases =
        [("triangle", 1, [16, 32, 64]), ("triangle", 2, [8, 16, 32]), ("quadrilateral", 2, [8, 16, 32])];
    let (comm, cases) = share(world, cases);
    for (cell, degree, sizes) in cases {
        let errors: Vec<f64> = sizes
            .map(|n| {
                let (re, im) = (format!("sin({k}*x+y)"), "cos(x*y)".to_string());
                // On an absorbing side du/dn - i k u = g: its parts are du_r/dn + k u_i and du_i/dn - k u_r.
                let side = |re_n: &str, im_n: &str| {
                    format!("absorbing = {k}, incoming = [\"{re_n} + {k}*{im}\", \"{im_n} - {k}*{re}\"]")
                };
                let text = format!(
                    "{}[[physics]]\nmodel = \"helmholtz\"\ndegree = {degree}\nwave_number = {k}\nsource = \"{re}\"\n\
                     source_imaginary = \"(x^2 + y^2 - {k}^2)*{im}\"\n\
                     boundary = [{{ marker = [\"left\", \"bottom\"], value = [\"{re}\", \"{im}\"] }},\n\
                     {{ marker = \"right\", {} }}, {{ marker = \"top\", {} }}]\n{}",
                    mesh(cell, n, 0.0, 1.0),
                    side(&format!("{k}*cos({k}*x+y)"), "(-y*sin(x*y))"),
                    side(&format!("cos({k}*x+y)"), "(-x*sin(x*y))"),
                    exact(&format!("[\"{re}\", \"{im}\"]"))
                );
                simulate(&comm, &text).last("l2")
            })
            .to_vec();
        let (found, expected) = (order(&errors), degree as f64 + 1.0);
        say(&comm, format!("{cell} degree {degree}: error {:.2e}, order {found:.2}", errors[2]));
        assert!((found - expected).abs() < 0.25, "{cell} degree {degree}: {errors:?}");
    }
}

/// The relative L2 error of `exp(i k x)` that comes in on the left and leaves on the right of the unit interval.
fn wave(comm: &Comm, k: f64, n: usize, degree: usize) -> f64 {
    let text = format!(
        "{}[[physics]]\nmodel = \"helmholtz\"\ndegree = {degree}\nwave_number = {k}\n\
         boundary = [{{ marker = \"left\", absorbing = {k}, incoming = [0, {}] }},\n\
         {{ marker = \"right\", absorbing = {k} }}]\n{}",
        mesh("interval", n, 0.0, 1.0),
        // du/dn - i k u = -2 i k u on the left.
        -2.0 * k,
        exact(&format!("[\"cos({k}*x)\", \"sin({k}*x)\"]"))
    );
    simulate(comm, &text).last("l2")
}

/// Nothing is reflected: the amplitude is one everywhere.
pub fn plane_wave(comm: &Comm) {
    let error = wave(comm, 20.0, 200, 2);
    assert!(error < 1e-4, "{error:e}");
}

/// With a fixed number of nodes a wave length the error grows with k, as k^3 h^2 for degree 1 (Ihlenburg and Babuska,
/// Comput. Math. Appl. 30 (1995)), and is far less for degree 2.
pub fn pollution(comm: &Comm) {
    let run = |degree: usize| [10.0, 20.0, 40.0].map(|k| wave(comm, k, (2.0 * k) as usize / degree, degree));
    let (linear, quadratic) = (run(1), run(2));
    say(
        comm,
        format!("k h = 1/2 for k = 10, 20, 40: degree 1 {}, degree 2 {}", list(&linear), list(&quadratic)),
    );
    for pair in linear.windows(2) {
        assert!(pair[1] > 1.6 * pair[0] && pair[1] < 2.4 * pair[0], "{linear:?}");
    }
    assert!(quadratic[2] < 0.3 * linear[2], "{quadratic:?}");
}
