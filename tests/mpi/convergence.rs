//! Manufactured solutions: observed orders of convergence for every element, dimension and physics.
//!
//! The solution is a smooth function of `s = scale * (x + 2 y + 3 z)`; sources, fluxes, tractions and
//! ambient values follow from it by hand, so that essential, natural and Robin conditions, reaction
//! and a conductivity that varies in space all take part.

use crate::common::Suite;
use tessera::deck::Deck;
use tessera::parallel::Comm;
use tessera::simulation::Simulation;

const DIRECTIONS: [f64; 3] = [1.0, 2.0, 3.0];

fn phase(dimension: usize) -> (f64, String) {
    let scale = [2.0, 0.8, 0.35][dimension - 1];
    (
        scale,
        format!(
            "{scale}*(x{}{}) + 0.3",
            if dimension > 1 { " + 2*y" } else { "" },
            if dimension > 2 { " + 3*z" } else { "" }
        ),
    )
}

/// Upper side markers of each direction, and the outward sign of the lower ones.
const SIDES: [(&str, &str); 3] = [("left", "right"), ("bottom", "top"), ("back", "front")];

fn mesh(cell: &str, dimension: usize, n: usize) -> String {
    let list = |v: &str| vec![v.to_string(); dimension].join(", ");
    format!(
        "[mesh]\nbox = {{ cell = \"{cell}\", cells = [{}], lower = [{}], upper = [{}] }}\n",
        list(&n.to_string()),
        list("0.0"),
        list("1.0")
    )
}

const TAIL: &str = "[solver]\ntolerance = 1e-12\n\
    [[quantity]]\nname = \"l2\"\nkind = \"l2_error\"\n[[quantity]]\nname = \"h1\"\nkind = \"h1_error\"\n";

/// `-div(k grad u) + 2 u = f` with `k = 1 + x/2` and `u = sin(s)`.
fn diffusion(cell: &str, dimension: usize, degree: usize, n: usize) -> String {
    let (a, s) = phase(dimension);
    let square: f64 = DIRECTIONS[..dimension].iter().map(|g| (a * g).powi(2)).sum();
    let mut deck = mesh(cell, dimension, n);
    deck += &format!(
        "[[physics]]\nmodel = \"diffusion\"\ndegree = {degree}\nconductivity = \"1 + 0.5*x\"\nreaction = 2.0\n\
         source = \"(1 + 0.5*x)*{square}*sin({s}) - 0.5*{a}*cos({s}) + 2*sin({s})\"\n"
    );
    deck += &format!("[[physics.boundary]]\nmarker = \"left\"\nvalue = \"sin({s})\"\n");
    deck += &format!("[[physics.boundary]]\nmarker = \"right\"\nflux = \"1.5*{a}*cos({s})\"\n");
    for d in 1..dimension {
        let g = a * DIRECTIONS[d];
        let (low, high) = SIDES[d];
        deck += &format!("[[physics.boundary]]\nmarker = \"{low}\"\nflux = \"-(1 + 0.5*x)*{g}*cos({s})\"\n");
        // k du/dn = h (ambient - u) with h = 3.
        deck += &format!(
            "[[physics.boundary]]\nmarker = \"{high}\"\ncoefficient = 3.0\n\
             ambient = \"sin({s}) + (1 + 0.5*x)*{g}*cos({s})/3\"\n"
        );
    }
    deck += &format!("[[exact]]\nfield = \"u\"\nvalue = \"sin({s})\"\n");
    deck + TAIL
}

/// `u_i = A_i(s)` with `A = (sin s, cos s, sin(s + 1))`: body force and tractions from
/// `div sigma_i = (lambda + mu) g_i sum_k g_k A_k'' + mu |g|^2 A_i''`.
fn elasticity(cell: &str, dimension: usize, degree: usize, n: usize) -> String {
    let (a, s) = phase(dimension);
    let (young, poisson) = (2.0, 0.3);
    let mu: f64 = young / (2.0 * (1.0 + poisson));
    let mut lambda = young * poisson / ((1.0 + poisson) * (1.0 - 2.0 * poisson));
    let mut shear = mu;
    if dimension == 1 {
        (lambda, shear) = (0.0, young / 2.0);
    }
    let g: Vec<f64> = DIRECTIONS[..dimension].iter().map(|d| a * d).collect();
    let value = [format!("sin({s})"), format!("cos({s})"), format!("sin({s} + 1)")];
    let slope = [format!("cos({s})"), format!("(-sin({s}))"), format!("cos({s} + 1)")];
    let square: f64 = g.iter().map(|d| d * d).sum();
    // The second derivative of A_k is -A_k.
    let sum: Vec<String> = (0..dimension).map(|k| format!("{}*{}", g[k], value[k])).collect();
    let sum = sum.join(" + ");
    let force: Vec<String> = (0..dimension)
        .map(|i| format!("\"{}*({sum}) + {}*{}\"", (lambda + shear) * g[i], shear * square, value[i]))
        .collect();
    let divergence: Vec<String> = (0..dimension).map(|k| format!("{}*{}", g[k], slope[k])).collect();
    let divergence = divergence.join(" + ");
    let traction = |side: usize| -> String {
        let list: Vec<String> = (0..dimension)
            .map(|i| {
                let mut text = format!("{shear}*({}*{} + {}*{})", g[side], slope[i], g[i], slope[side]);
                if i == side {
                    text += &format!(" + {lambda}*({divergence})");
                }
                format!("\"{text}\"")
            })
            .collect();
        list.join(", ")
    };
    let mut deck = mesh(cell, dimension, n);
    deck += &format!(
        "[[physics]]\nmodel = \"elasticity\"\ndegree = {degree}\nyoung = {young}\npoisson = {poisson}\n\
         body_force = [{}]\n",
        force.join(", ")
    );
    if dimension == 2 {
        deck += "plane = \"strain\"\n";
    }
    let exact: Vec<String> = value[..dimension].iter().map(|v| format!("\"{v}\"")).collect();
    let exact = exact.join(", ");
    deck += &format!("[[physics.boundary]]\nmarker = \"left\"\nvalue = [{exact}]\n");
    for side in 0..dimension {
        deck += &format!(
            "[[physics.boundary]]\nmarker = \"{}\"\ntraction = [{}]\n",
            SIDES[side].1,
            traction(side)
        );
    }
    for (low, _) in &SIDES[1..dimension] {
        deck += &format!("[[physics.boundary]]\nmarker = \"{low}\"\nvalue = [{exact}]\n");
    }
    deck += &format!("[[exact]]\nfield = \"displacement\"\nvalue = [{exact}]\n");
    deck + TAIL
}

/// L2 and H1 errors of a deck.
fn errors(comm: &Comm, text: &str) -> [f64; 2] {
    let deck = Deck::parse(text, "manufactured", &[]).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let mut simulation = Simulation::new(comm, &deck).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let context = simulation.default_context();
    simulation.solve(&context).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let values = simulation.quantities(&context).unwrap();
    [values[0], values[1]]
}

fn orders(comm: &Comm, deck: fn(&str, usize, usize, usize) -> String) {
    for (cell, dimension, sizes) in [
        ("interval", 1, [[16, 32], [16, 32]]),
        ("triangle", 2, [[16, 32], [8, 16]]),
        ("quadrilateral", 2, [[16, 32], [8, 16]]),
        ("tetrahedron", 3, [[12, 24], [6, 12]]),
        ("hexahedron", 3, [[8, 16], [4, 8]]),
    ] {
        for degree in 1..=2 {
            let [coarse, fine] = sizes[degree - 1];
            let e = errors(comm, &deck(cell, dimension, degree, coarse));
            let f = errors(comm, &deck(cell, dimension, degree, fine));
            let observed = [0, 1].map(|i| (e[i] / f[i]).log2());
            if comm.rank() == 0 {
                println!(
                    "    {cell:14} degree {degree}: L2 {:.3e} order {:.2}, H1 {:.3e} order {:.2}",
                    f[0], observed[0], f[1], observed[1]
                );
            }
            for (order, expected) in observed.iter().zip([degree as f64 + 1.0, degree as f64]) {
                // Faster than theory is no fault of the code, but more than 0.5 faster is a fault of the test.
                assert!(
                    *order > expected - 0.1 && *order < expected + 0.5,
                    "{cell} degree {degree}: order {order:.3} instead of {expected}"
                );
            }
        }
    }
}

fn diffusion_orders(comm: &Comm) {
    orders(comm, diffusion);
}

fn elasticity_orders(comm: &Comm) {
    orders(comm, elasticity);
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[2],
    tests: &[("diffusion_orders", diffusion_orders), ("elasticity_orders", elasticity_orders)],
}];
