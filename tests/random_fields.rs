//! Random fields against the covariance that defines them, on any ranks.
mod common;

use common::with_folder;
use std::f64::consts::PI;
use tessera::deck::Deck;
use tessera::drivers::{campaign, run::RunOptions};
use tessera::parallel::Comm;
use tessera::report::Level;
use tessera::solver::Simulation;
use tessera::storage::Reader;

const DRAWS: u64 = 2000;

fn simulation(comm: &Comm, mesh: &str, random: &str) -> Simulation {
    let fixed = if mesh.contains("periodic") {
        "reaction = 1"
    } else {
        "boundary = [{ marker = \"left\", value = 0 }]"
    };
    let text = format!(
        "[mesh]\nbox = {{ {mesh} }}\n[random.g]\n{random}\n\
         [[physics]]\nmodel = \"diffusion\"\nconductivity = \"exp(g)\"\n{fixed}\n"
    );
    Simulation::new(comm, &Deck::parse(&text, "random", &[]).unwrap_or_else(|e| panic!("{e}\n{text}")))
        .unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// What many draws say of the field at some nodes.
struct Statistics {
    /// Of the first node with all nodes.
    covariances: Vec<f64>,
    /// Of the last node.
    last_variance: f64,
    /// Of the first node.
    mean: f64,
    kurtosis: f64,
}

fn statistics(comm: &Comm, simulation: &mut Simulation, points: &[[f64; 3]]) -> Statistics {
    let space = simulation.random.field(0).space.clone();
    let d = space.mesh.dimension;
    let near = |x: [f64; 3], y: &[f64; 3]| (0..d).all(|i| (x[i] - y[i]).abs() < 1e-9);
    let owned = 0..space.owned_nodes;
    let nodes: Vec<Option<usize>> =
        points.iter().map(|y| owned.clone().find(|&node| near(space.point(node), y))).collect();
    let (mut products, mut last, mut sum, mut fourth) = (vec![0.0; points.len()], 0.0, 0.0, 0.0);
    for sample in 0..DRAWS {
        simulation.random.draw(sample).unwrap();
        let values = simulation.random.field(0).values.borrow();
        let at: Vec<f64> = nodes.iter().map(|node| comm.sum(node.map_or(0.0, |n| values[n]))).collect();
        products.iter_mut().zip(&at).for_each(|(product, value)| *product += at[0] * value);
        last += at[at.len() - 1].powi(2);
        sum += at[0];
        fourth += at[0].powi(4);
    }
    let n = DRAWS as f64;
    let covariances: Vec<f64> = products.iter().map(|product| product / n).collect();
    let kurtosis = fourth / n / covariances[0].powi(2);
    Statistics { covariances, last_variance: last / n, mean: sum / n, kurtosis }
}

/// Estimates of covariances relative to a variance scatter with about `sqrt(2 / draws)`; five times that is allowed, and
/// what the discretisation adds.
fn compare(what: &str, comm: &Comm, found: &Statistics, expected: &[f64], discretisation: f64) {
    let Statistics { covariances, mean, kurtosis, .. } = found;
    let variance = expected[0];
    if comm.rank() == 0 {
        println!(
            "    {what}: covariances {covariances:.3?}, theory {expected:.3?}; mean {mean:.3}, kurtosis {kurtosis:.2}"
        );
    }
    let slack = 5.0 * (2.0 / DRAWS as f64).sqrt() + discretisation;
    for (found, expected) in covariances.iter().zip(expected) {
        assert!((found - expected).abs() < slack * variance, "{what}: {covariances:?}, theory {expected:?}");
    }
    assert!(mean.abs() < 5.0 * (variance / DRAWS as f64).sqrt(), "{what}: mean {mean}");
    // The kurtosis of so many normal numbers scatters with sqrt(24 / draws).
    assert!((kurtosis - 3.0).abs() < 5.0 * (24.0 / DRAWS as f64).sqrt(), "{what}: kurtosis {kurtosis}");
}

/// `exp(-x) (1 + x)` for the smoothness 3/2, `exp(-x)` for 1/2, and `x K_1(x)` for 1, with `x = kappa r`.
fn matern(smoothness: f64, distance: f64, range: f64) -> f64 {
    let x = (8.0 * smoothness).sqrt() / range * distance;
    match smoothness {
        _ if x == 0.0 => 1.0,
        0.5 => (-x).exp(),
        1.5 => (1.0 + x) * (-x).exp(),
        _ => {
            // K_1 by its integral representation, int exp(-x cosh t) cosh t dt.
            let h = 1e-3;
            x * (1..12_000).map(|i| f64::from(i) * h).map(|t| (-x * t.cosh()).exp() * t.cosh()).sum::<f64>()
                * h
                + x * 0.5 * h * (-x).exp()
        }
    }
}

fn matern_in_each_dimension(comm: &Comm) {
    if comm.size() != 2 {
        // The draws are the same on other ranks, see `ranks`.
        return;
    }
    for (mesh, range, smoothness, step) in [
        ("cell = \"interval\", cells = [200]", 0.3, 1.5, 0.1),
        ("cell = \"triangle\", cells = [40, 40]", 0.3, 1.0, 0.1),
        ("cell = \"quadrilateral\", cells = [40, 40]", 0.3, 1.0, 0.1),
        ("cell = \"tetrahedron\", cells = [12, 12, 12]", 0.6, 0.5, 1.0 / 12.0),
    ] {
        let random = format!("kind = \"matern\"\nrange = {range}\ndeviation = 2\nseed = 3");
        let mut simulation = simulation(comm, mesh, &random);
        let distances = [0.0, 1.0, 2.0, 3.0].map(|k| k * step);
        let mut points = distances.map(|r| [0.5 + r, 0.5, 0.5]).to_vec();
        // The middle of a side.
        points.push([0.0, 0.5, 0.5]);
        let expected = distances.map(|r| 4.0 * matern(smoothness, r, range));
        let found = statistics(comm, &mut simulation, &points);
        // Cells of a seventh of the range in 3D, where the field is rough.
        let discretisation = if smoothness == 0.5 { 0.1 } else { 0.03 };
        compare(mesh, comm, &found, &expected, discretisation);
        // Without Robin's condition it would be 8.
        let side = found.last_variance;
        if comm.rank() == 0 {
            println!("    variance at a side {side:.2}");
        }
        assert!(side > 2.5 && side < 6.0, "{mesh}: variance at a side {side}");
    }
}

/// The smoother field of twice two solves against its own series on a periodic square.
fn smoother_matern(comm: &Comm) {
    if comm.size() != 2 {
        // The draws are the same on other ranks, see `ranks`.
        return;
    }
    let mesh = "cell = \"quadrilateral\", cells = [48, 48], periodic = [\"x\", \"y\"]";
    let mut simulation = simulation(comm, mesh, "kind = \"matern\"\nrange = 0.3\nsmoothness = 3\nseed = 1");
    let kappa = 24f64.sqrt() / 0.3;
    // Variance 1 in the plane: the density is Gamma(4)/Gamma(3) 4 pi kappa^6 (kappa^2 + k^2)^-4, here at k = 2 pi (i, j).
    let series = |r: f64| {
        let mut sum = 0.0;
        for i in -40..=40 {
            for j in -40..=40 {
                let k2 = (2.0 * PI).powi(2) * f64::from(i * i + j * j);
                sum += 3.0
                    * 4.0
                    * PI
                    * kappa.powi(6)
                    * (kappa * kappa + k2).powi(-4)
                    * (2.0 * PI * f64::from(i) * r).cos();
            }
        }
        sum
    };
    let distances = [0.0, 0.125, 0.25];
    let found = statistics(comm, &mut simulation, &distances.map(|r| [0.25 + r, 0.5, 0.0]));
    compare("smoothness 3, periodic", comm, &found, &distances.map(series), 0.03);
}

/// Covariances of the series, on sides and inside.
fn spectral(comm: &Comm) {
    if comm.size() != 2 {
        // The draws are the same on other ranks, see `ranks`.
        return;
    }
    let mut square =
        simulation(comm, "cell = \"triangle\", cells = [24, 24]", "kind = \"spectral\"\ntau = 3\nalpha = 2");
    let cosine = |k: i32, x: f64| if k == 0 { 1.0 } else { 2f64.sqrt() * (PI * f64::from(k) * x).cos() };
    let series = |x: [f64; 2], y: [f64; 2]| {
        let mut sum = 0.0;
        for i in 0..24 {
            for j in (0..24).filter(|j| i + j > 0) {
                let eigenvalue = PI * PI * f64::from(i * i + j * j);
                let mode = |x: [f64; 2]| cosine(i, x[0]) * cosine(j, x[1]);
                sum += 9.0 * (eigenvalue + 9.0).powi(-2) * mode(x) * mode(y);
            }
        }
        sum
    };
    for start in [[0.0, 0.0], [0.5, 0.25]] {
        let points = [start, [0.25, 0.25], [1.0, 0.5]];
        let found = statistics(comm, &mut square, &points.map(|p| [p[0], p[1], 0.0]));
        compare(&format!("spectral from {start:?}"), comm, &found, &points.map(|p| series(start, p)), 1e-9);
    }
    let mut line = simulation(
        comm,
        "cell = \"interval\", cells = [64], periodic = [\"x\"], upper = [2.0], lower = [0.0]",
        "kind = \"spectral\"\ntau = 5\nalpha = 2\nscale = 25\nmodes = 20",
    );
    let series = |r: f64| {
        (1..20)
            .map(|k| PI * f64::from(k))
            .map(|k| 625.0 * (k * k + 25.0).powi(-2) * (k * r).cos())
            .sum::<f64>()
    };
    let distances = [0.0, 0.25, 1.0];
    let found = statistics(comm, &mut line, &distances.map(|r| [0.5 + r, 0.0, 0.0]));
    compare("spectral, periodic", comm, &found, &distances.map(series), 1e-9);
}

/// The same samples on 1 to 4 ranks, and the same whatever was drawn before.
fn ranks(world: &Comm) {
    let cases = [
        ("cell = \"triangle\", cells = [12, 12]", "kind = \"matern\"\nrange = 0.3"),
        ("cell = \"hexahedron\", cells = [5, 5, 5]", "kind = \"matern\"\nrange = 0.6\nsmoothness = 2.5"),
        ("cell = \"quadrilateral\", cells = [12, 12]", "kind = \"spectral\"\ntau = 3\nalpha = 2"),
    ];
    for (mesh, random) in cases {
        let mut simulation = simulation(world, mesh, random);
        let mut means = Vec::new();
        for sample in [5, 2, 5] {
            let context = tessera::physics::Context { sample, ..simulation.default_context() };
            simulation.solve(&context).unwrap();
            let field = simulation.random.field(0);
            let plan = field.space.canonical();
            let block = plan.to_canonical(&field.values.borrow()[..field.space.owned_nodes], 1);
            // A sum that sees the order.
            let weighed = |i: usize, v: &f64| v * ((plan.range().start + i as u64) as f64 * 0.37).sin();
            means.push(world.sum(block.iter().enumerate().map(|(i, v)| weighed(i, v)).sum::<f64>()));
        }
        assert_eq!(means[0], means[2], "{mesh}");
        assert!((means[0] - means[1]).abs() > 1e-3);
        let own = means.clone();
        let alone = alone(world, mesh, random);
        assert!(
            (own[0] - alone).abs() < 1e-9,
            "{mesh}: {} on {} ranks, {alone} on one",
            own[0],
            world.size()
        );
    }
}

/// The same sum of sample 5 by a single rank.
fn alone(world: &Comm, mesh: &str, random: &str) -> f64 {
    use mpi::traits::Communicator;
    let single = world.mpi().split_by_color(mpi::topology::Color::with_value(world.rank() as i32)).unwrap();
    let mut simulation = simulation(&Comm::new(single), mesh, random);
    simulation.random.draw(5).unwrap();
    let field = simulation.random.field(0);
    let block = field.space.canonical().to_canonical(&field.values.borrow(), 1);
    block.iter().enumerate().map(|(i, v)| v * (i as f64 * 0.37).sin()).sum()
}

/// A campaign whose samples differ by their fields alone; the solution belongs to the stored field.
fn in_a_campaign(comm: &Comm) {
    with_folder(comm, |folder| {
        let text = "[mesh]\nbox = { cell = \"interval\", cells = [32] }\n[random.g]\nkind = \"matern\"\nrange = 0.4\n\
            [[physics]]\nmodel = \"diffusion\"\nconductivity = \"exp(g)\"\n\
            boundary = [{ marker = \"left\", value = 0 }, { marker = \"right\", flux = 1 }]\n\
            [campaign]\nsamples = 4\n[[quantity]]\nname = \"end\"\nkind = \"maximum\"\n\
            [[quantity]]\nname = \"highest\"\nkind = \"maximum\"\nfield = \"g\"\n[solver]\nmethod = \"direct\"\n";
        let mut deck = Deck::parse(text, "campaign", &[]).unwrap_or_else(|e| panic!("{e}"));
        deck.output.directory = folder.into();
        let options = RunOptions { level: Level::Quiet, ..RunOptions::default() };
        campaign::run(comm, &deck, &options).unwrap();
        comm.barrier();
        let reader = Reader::open(&folder.join("dataset.h5")).unwrap();
        let (shape, inputs): (Vec<u64>, Vec<f64>) = reader.array("/inputs/g").unwrap();
        assert_eq!(shape, [4, 33, 1]);
        let (_, ends): (_, Vec<f64>) = reader.array("/qoi/end").unwrap();
        let (_, highest): (_, Vec<f64>) = reader.array("/qoi/highest").unwrap();
        for sample in 0..4 {
            let g = &inputs[sample * 33..(sample + 1) * 33];
            // -(exp(g) u')' = 0 with flux 1: the end is the integral of exp(-g), here by Simpson's rule in each cell, up to
            // what the element makes of a varying coefficient: 1 / mean(exp(g)) in place of mean(exp(-g)).
            let cell = |w: &[f64]| 6.0 / (w[0].exp() + 4.0 * (0.5 * (w[0] + w[1])).exp() + w[1].exp()) / 32.0;
            let exact: f64 = g.windows(2).map(cell).sum();
            assert!((ends[sample] - exact).abs() < 1e-4 * exact, "{} {exact}", ends[sample]);
            assert_eq!(highest[sample], g.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        }
        assert!((ends[0] - ends[1]).abs() > 1e-3);
    });
}

/// Initial and boundary values take the field at the nodes, of degree 2 as well.
fn initial_and_boundary_values(comm: &Comm) {
    for degree in [1, 2] {
        let text = format!(
            "[mesh]\nbox = {{ cell = \"triangle\", cells = [6, 6] }}\n[parameters]\na = 3\n[random.g]\nkind = \"matern\"\n\
             range = 0.5\n[[physics]]\nmodel = \"diffusion\"\ndegree = {degree}\n\
             boundary = [{{ marker = \"left\", value = \"a*g + y\" }}]\n[[initial]]\nvalue = \"g^2 + a\"\n\
             [time]\nend = 1\nstep = 0.1\n"
        );
        let mut simulation = Simulation::new(comm, &Deck::parse(&text, "initial", &[]).unwrap()).unwrap();
        let context = simulation.default_context();
        simulation.set_initial(&context).unwrap();
        let stage = &simulation.stages[0];
        let space = stage.space().clone();
        let field = simulation.random.field(0).at_nodes_of(&space);
        assert!(comm.max(field.iter().fold(0.0f64, |m, v| m.max(v.abs()))) > 0.1);
        let initial = stage.solution.local_read().unwrap();
        assert!(initial.iter().zip(&field).all(|(u, g)| (u - g * g - 3.0).abs() < 1e-12));
        let essential = stage.problem.essential(&context).unwrap();
        for node in (0..space.owned_nodes).filter(|&node| essential.fixed[node]) {
            let expected = 3.0 * field[node] + space.point(node)[1];
            assert!((essential.values[node] - expected).abs() < 1e-12);
        }
        // The vertices are among the nodes of both degrees.
        let vertices = simulation.random.field(0);
        let near = |x: [f64; 3], y: [f64; 3]| (0..2).all(|d| (x[d] - y[d]).abs() < 1e-9);
        for node in 0..vertices.space.owned_nodes {
            let point = vertices.space.point(node);
            let same = (0..space.owned_nodes).find(|&other| near(space.point(other), point)).unwrap();
            assert!((field[same] - vertices.values.borrow()[node]).abs() < 1e-12);
        }
    }
}

fn faults(_: &Comm) {
    for (random, words) in [
        ("kind = \"matern\"", "range"),
        ("kind = \"matern\"\nrange = -1", "range"),
        ("kind = \"matern\"\nrange = 0.1\nsmoothness = 2", "expected one of 1, 3, 5, 7"),
        ("kind = \"spectral\"\ntau = 3\nalpha = 1", "the variance is infinite"),
        ("kind = \"spectral\"\ntau = 0\nalpha = 2", "give `scale`"),
        ("kind = \"matern\"\nrange = 0.1\ntau = 2", "unknown key"),
        ("kind = \"mattern\"\nrange = 0.1", "matern"),
    ] {
        let text = format!(
            "[mesh]\nbox = {{ cell = \"triangle\", cells = [4, 4] }}\n[random.g]\n{random}\n[[physics]]\n\
             model = \"diffusion\"\nconductivity = \"exp(g)\"\n"
        );
        let error = Deck::parse(&text, "random", &[]).expect_err(random).to_string();
        assert!(error.contains(words), "{random}: {error}");
    }
    for (from, to, words) in [
        ("random.g", "random.x", "taken: expressions know it"),
        ("random.g", "random.u", "taken by a physics"),
        ("exp(g)", "exp(h)", "unknown"),
    ] {
        let text = "[mesh]\nbox = { cell = \"triangle\", cells = [4, 4] }\n[random.g]\nkind = \"matern\"\nrange = 0.2\n\
            [[physics]]\nmodel = \"diffusion\"\nconductivity = \"exp(g)\"\n";
        let error = Deck::parse(&text.replace(from, to), "random", &[]).expect_err(to).to_string();
        assert!(error.contains(words), "{to}: {error}");
    }
}

fn main() -> std::process::ExitCode {
    common::mpi_main(
        &[1, 2, 3, 4],
        &[
            ("matern_in_each_dimension", matern_in_each_dimension as fn(&Comm)),
            ("smoother_matern", smoother_matern),
            ("spectral", spectral),
            ("ranks", ranks),
            ("in_a_campaign", in_a_campaign),
            ("initial_and_boundary_values", initial_and_boundary_values),
            ("faults", faults),
        ],
    )
}
