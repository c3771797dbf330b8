//! Random fields against the covariance that defines them, on any ranks.

use crate::common::{Suite, decks, with_folder};
use std::f64::consts::PI;
use tessera::deck::Deck;
use tessera::drivers::campaign;
use tessera::parallel::Comm;
use tessera::simulation::Simulation;
use tessera::storage::{Reader, Value};

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
    decks::simulation(comm, &text)
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

/// `2^(1 - nu) / Gamma(nu) x^nu K_nu(x)` with `x = kappa r`.
fn matern(smoothness: f64, distance: f64, range: f64) -> f64 {
    let x = (8.0 * smoothness).sqrt() / range * distance;
    if x == 0.0 {
        return 1.0;
    }
    // K_nu by its integral representation, int exp(-x cosh t) cosh(nu t) dt.
    let h = 1e-3;
    let function = |t: f64| (-x * t.cosh()).exp() * (smoothness * t).cosh();
    let bessel = h * (0.5 * (-x).exp() + (1..12_000).map(|i| function(f64::from(i) * h)).sum::<f64>());
    2f64.powf(1.0 - smoothness) / libm::tgamma(smoothness) * x.powf(smoothness) * bessel
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

/// Powers that are no whole numbers: the exponential covariance on triangles, others on a line, of less and more than one
/// solve.
fn fractional_matern(comm: &Comm) {
    if comm.size() != 1 {
        // A dozen solves a draw: quickest on one rank. The draws are the same on others, see `ranks`.
        return;
    }
    assert!((matern(0.5, 0.1, 0.3) - (-2.0f64 / 3.0).exp()).abs() < 1e-12);
    for (mesh, smoothness, discretisation) in [
        // Of a rough field a part of the variance is in waves shorter than the cells, about (kappa h / pi)^(2 nu).
        ("cell = \"triangle\", cells = [24, 24]", 0.5, 0.08),
        ("cell = \"interval\", cells = [64]", 2.2, 0.05),
        ("cell = \"interval\", cells = [64]", 0.8, 0.05),
    ] {
        let random = format!("kind = \"matern\"\nrange = 0.3\nsmoothness = {smoothness}\nseed = 3");
        let mut simulation = simulation(comm, mesh, &random);
        let distances = [0.0, 0.125, 0.25, 0.375];
        let found = statistics(comm, &mut simulation, &distances.map(|r| [0.5 + r, 0.5, 0.0]));
        let expected = distances.map(|r| matern(smoothness, r, 0.3));
        compare(&format!("smoothness {smoothness}, {mesh}"), comm, &found, &expected, discretisation);
    }
}

/// The fields of a deck with several, at the owned nodes, in canonical order of one rank.
fn draws(simulation: &mut Simulation, sample: u64) -> Vec<Vec<f64>> {
    simulation.random.draw(sample).unwrap();
    let values = |(_, field): (String, std::rc::Rc<tessera::physics::coefficient::NodalField>)| {
        field.values.borrow()[..field.space.owned_nodes].to_vec()
    };
    simulation.random.inputs().into_iter().map(values).collect()
}

/// Two fields correlate by the given number with each other, at a point and a distance apart, and keep their own
/// covariances.
fn correlated(comm: &Comm) {
    if comm.size() != 1 {
        return;
    }
    let random = "kind = \"matern\"\nrange = 0.4\nseed = 1\n[random.h]\nkind = \"matern\"\nrange = 0.4\n\
        correlation = { g = -0.7 }\n[random.k]\nkind = \"matern\"\nrange = 0.4\ncorrelation = { g = 0.5, h = 0.1 }";
    let mut simulation = simulation(comm, "cell = \"triangle\", cells = [16, 16]", random);
    let space = simulation.random.field(0).space.clone();
    let at = |y: [f64; 2]| {
        let near = |x: [f64; 3]| (0..2).all(|i| (x[i] - y[i]).abs() < 1e-9);
        (0..space.owned_nodes).find(|&node| near(space.point(node)))
    };
    let nodes = [at([0.5, 0.5]), at([0.75, 0.5])];
    let mut moments = [0.0; 7];
    for sample in 0..DRAWS {
        let fields = draws(&mut simulation, sample);
        let [[g, far_g], [h, far_h], [k, _]] =
            [0, 1, 2].map(|f| nodes.map(|node| comm.sum(node.map_or(0.0, |node: usize| fields[f][node]))));
        let products = [g * g, h * h, k * k, g * h, g * k, h * k, 0.5 * (g * far_h + far_g * h)];
        moments.iter_mut().zip(products).for_each(|(m, p)| *m += p / DRAWS as f64);
    }
    let far = -0.7 * matern(1.0, 0.25, 0.4);
    let expected = [1.0, 1.0, 1.0, -0.7, 0.5, 0.1, far];
    if comm.rank() == 0 {
        println!("    moments {moments:.3?}, theory {expected:.3?}");
    }
    let slack = 5.0 * (2.0 / DRAWS as f64).sqrt() + 0.03;
    assert!(moments.iter().zip(expected).all(|(m, e)| (m - e).abs() < slack), "{moments:?}, {expected:?}");
}

/// Karhunen-Loeve expansions that are cut off: eigenvalues against theory on a periodic square, where they are multiple, and
/// the variance that is left.
fn expansions(comm: &Comm) {
    let mesh = "cell = \"quadrilateral\", cells = [32, 32], periodic = [\"x\", \"y\"]";
    // Whole eigenspaces: wave numbers (0,0), (1,0), (1,1), (2,0), (2,1).
    let mut square = simulation(comm, mesh, "kind = \"matern\"\nrange = 0.5\nterms = 21");
    let (kappa, waves) = (8f64.sqrt() / 0.5, [0, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5]);
    let density =
        |w: i32| (kappa * kappa + (2.0 * PI).powi(2) * f64::from(w)).powi(-2) * 4.0 * PI * kappa * kappa;
    let (_, name, deviations) = square.random.expansions()[0].clone();
    assert_eq!((name, deviations.len()), ("g", 21));
    for (deviation, w) in deviations.iter().zip(waves) {
        let expected = density(w);
        // Linear elements with a lumped mass: the eigenvalue is off by a share of (k h)^2 / 12.
        assert!((deviation.powi(2) / expected - 1.0).abs() < 0.08, "{deviation} {expected}");
    }
    // Between equal ones there is nothing but rounding.
    assert!((deviations[13] / deviations[20] - 1.0).abs() < 1e-9);
    // The field is the sum of its modes: its mean square over the square is that of its coefficients.
    let fields = draws(&mut square, 4);
    let coefficients = square.random.coefficients(0, 4);
    let mean = comm.sum(fields[0].iter().map(|g| g * g).sum::<f64>()) / 1024.0;
    let sum: f64 = coefficients.iter().zip(&deviations).map(|(c, d)| (c * d).powi(2)).sum();
    assert!((mean / sum - 1.0).abs() < 1e-9, "orthonormal modes: {mean}, {sum}");
    if comm.size() == 2 {
        let found = statistics(comm, &mut square, &[0.0, 0.25].map(|r| [0.25 + r, 0.5, 0.0]));
        let total: f64 = deviations.iter().map(|d| d * d).sum();
        compare("21 terms", comm, &found, &[total], 1e-9);
    }
    // On an interval with dg/dn + r g = 0 the eigenvalues are kappa^2 + w^2 with tan(w) = 2 w r / (w^2 - r^2).
    let line =
        simulation(comm, "cell = \"interval\", cells = [200]", "kind = \"matern\"\nrange = 0.4\nterms = 6");
    let (kappa, factor) = (12f64.sqrt() / 0.4, 2.0 * (12f64.sqrt() / 0.4f64).powf(1.5));
    let r = kappa / 1.42;
    for (k, deviation) in line.random.expansions()[0].2.iter().enumerate() {
        let w = (factor / deviation - kappa * kappa).sqrt();
        // As a phase, without poles: w = k pi + 2 atan(r / w).
        let phase = k as f64 * PI + 2.0 * (r / w).atan();
        assert!((w / phase - 1.0).abs() < 1e-3, "mode {k}: {w}, {phase}");
    }
    // Of the spectral kind the largest amplitudes are kept.
    let random = "kind = \"spectral\"\ntau = 3\nalpha = 2\nterms = 5";
    let mut cosines = simulation(comm, "cell = \"triangle\", cells = [12, 12]", random);
    let deviations = cosines.random.expansions()[0].2.clone();
    for (deviation, k) in deviations.iter().zip([1.0, 1.0, 2.0, 4.0, 4.0]) {
        assert!((deviation - 3.0 / (PI * PI * k + 9.0)).abs() < 1e-12);
    }
    let values = draws(&mut cosines, 2).remove(0);
    let [a, b, c, d, e] = cosines.random.coefficients(0, 2)[..] else { panic!("five coefficients") };
    let space = &cosines.random.field(0).space;
    for (node, value) in values.iter().enumerate() {
        let [x, y, _] = space.point(node).map(|x| PI * x);
        let root = 2f64.sqrt();
        let modes = [a * root * x.cos(), b * root * y.cos(), c * 2.0 * x.cos() * y.cos()];
        let two = [d * root * (2.0 * x).cos(), e * root * (2.0 * y).cos()];
        let sum: f64 = modes.iter().chain(&two).zip(&deviations).map(|(m, d)| m * d).sum();
        assert!((value - sum).abs() < 1e-12, "{value} {sum}");
    }
}

/// Neighbours by low frequencies are neighbours by the whole fields.
fn signatures(comm: &Comm) {
    for random in [
        "kind = \"matern\"\nrange = 0.6",
        "kind = \"matern\"\nrange = 0.6\nterms = 30",
        "kind = \"spectral\"\ntau = 3\nalpha = 2",
    ] {
        let mut simulation = simulation(comm, "cell = \"triangle\", cells = [12, 12]", random);
        let numbers: Vec<u64> = (0..40).collect();
        let signatures = simulation.random.signatures(&numbers).unwrap();
        let fields: Vec<Vec<f64>> = numbers.iter().map(|&n| draws(&mut simulation, n).remove(0)).collect();
        // The correlation of the distances of signatures and of fields.
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for i in 0..numbers.len() {
            for j in 0..i {
                let square =
                    |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum::<f64>();
                a.push(square(&signatures[i], &signatures[j]));
                b.push(comm.sum(square(&fields[i], &fields[j])));
            }
        }
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let (m, n) = (mean(&a), mean(&b));
        let sum = |x: &[f64], mx: f64, y: &[f64], my: f64| {
            x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum::<f64>()
        };
        let correlation = sum(&a, m, &b, n) / (sum(&a, m, &a, m) * sum(&b, n, &b, n)).sqrt();
        assert!(correlation > 0.8, "{random}: {correlation}");
        // Joint variance 1.
        let variance = mean(&signatures.iter().map(|s| s.iter().map(|x| x * x).sum()).collect::<Vec<f64>>());
        assert!((variance - 1.0).abs() < 0.5, "{random}: {variance}");
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
        ("cell = \"triangle\", cells = [12, 12]", "kind = \"matern\"\nrange = 0.3\nsmoothness = 0.6"),
        // Multiple eigenvalues, the last of them cut off in the middle.
        ("cell = \"quadrilateral\", cells = [12, 12]", "kind = \"matern\"\nrange = 0.3\nterms = 12"),
        ("cell = \"hexahedron\", cells = [5, 5, 5]", "kind = \"matern\"\nrange = 0.6\nterms = 6"),
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
        // A parallel factorisation adds up in the order in which messages come.
        assert!((means[0] - means[2]).abs() < 1e-11, "{mesh}: {means:?}");
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
            [random.h]\nkind = \"matern\"\nrange = 0.4\nterms = 3\n\
            [[physics]]\nmodel = \"diffusion\"\nconductivity = \"exp(g)\"\n\
            boundary = [{ marker = \"left\", value = 0 }, { marker = \"right\", flux = 1 }]\n\
            [campaign]\nsamples = 4\n[[quantity]]\nname = \"end\"\nkind = \"maximum\"\n\
            [[quantity]]\nname = \"highest\"\nkind = \"maximum\"\nfield = \"g\"\n[solver]\nmethod = \"direct\"\n";
        let mut deck = Deck::parse(text, "campaign", &[]).unwrap_or_else(|e| panic!("{e}"));
        deck.output.directory = folder.into();
        let options = decks::quiet();
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
        // Of an expansion that is cut off the coefficients are there as well.
        let (shape, coefficients): (Vec<u64>, Vec<f64>) = reader.array("/coefficients/h").unwrap();
        assert_eq!(shape, [4, 3]);
        let Some(Value::Floats(deviations)) = reader.get("/coefficients/h", "deviations").unwrap() else {
            panic!("no deviations")
        };
        let (_, inputs): (_, Vec<f64>) = reader.array("/inputs/h").unwrap();
        for (coefficients, h) in coefficients.chunks(3).zip(inputs.chunks(33)) {
            let sum: f64 = coefficients.iter().zip(&deviations).map(|(c, d)| (c * d).powi(2)).sum();
            let ends = 0.5 * (h[0] * h[0] + h[32] * h[32]);
            let square = (h.iter().map(|h| h * h).sum::<f64>() - ends) / 32.0;
            assert!((square - sum).abs() < 1e-9 * sum, "{square} {sum}");
        }
    });
}

/// Initial and boundary values take the field at the nodes, of degree 2 as well.
fn initial_and_boundary_values(comm: &Comm) {
    for degree in [1, 2] {
        let text = format!(
            "[mesh]\nbox = {{ cell = \"triangle\", cells = [6, 6] }}\n[parameters]\na = 3\n[random.g]\nkind = \"matern\"\n\
             range = 0.5\n[[physics]]\nmodel = \"diffusion\"\ndegree = {degree}\n\
             boundary = [{{ marker = \"left\", value = \"a*g + y\" }}]\n[[initial]]\nvalue = \"max(-0.5, min(0.5, g))^2 + a\"\n\
             [time]\nend = 1\nstep = 0.1\n"
        );
        let mut simulation = Simulation::new(comm, &Deck::parse(&text, "initial", &[]).unwrap()).unwrap();
        let context = simulation.default_context();
        simulation.set_initial(&context).unwrap();
        let stage = &simulation.stages[0];
        let space = stage.space().clone();
        let field = simulation.random.field(0).at_nodes_of(&space);
        assert!(comm.max(field.iter().fold(0.0f64, |m, v| m.max(v.abs()))) > 0.1);
        let initial = stage.solution().local_read().unwrap();
        assert!(
            initial.iter().zip(&field).all(|(u, g)| (u - g.clamp(-0.5, 0.5).powi(2) - 3.0).abs() < 1e-12)
        );
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
        ("kind = \"matern\"\nrange = 0.1\nsmoothness = 7.5", "in 2D expected more than 0, at most 7"),
        ("kind = \"matern\"\nrange = 0.1\nsmoothness = 0", "smoothness"),
        ("kind = \"matern\"\nrange = 0.1\nterms = 0", "terms"),
        ("kind = \"matern\"\nrange = 0.1\ncorrelation = { hh = 0.5 }", "no other random field \"hh\""),
        ("kind = \"matern\"\nrange = 0.1\ncorrelation = { g = 0.5 }", "no other random field \"g\""),
        (
            "kind = \"matern\"\nrange = 0.1\ncorrelation = { h = 1.5 }\n[random.h]\nkind = \"matern\"\nrange = 0.1",
            "correlation.h",
        ),
        (
            "kind = \"matern\"\nrange = 0.1\ncorrelation = { h = 0.5 }\n[random.h]\nkind = \"matern\"\nrange = 0.1\n\
             correlation = { g = 0.4 }",
            "says otherwise",
        ),
        (
            "kind = \"matern\"\nrange = 0.1\ncorrelation = { h = 0.5 }\n[random.h]\nkind = \"spectral\"\ntau = 3\n\
             alpha = 2",
            "correlated fields have one `kind`",
        ),
        (
            "kind = \"matern\"\nrange = 0.1\ncorrelation = { h = 1 }\n[random.h]\nkind = \"matern\"\nrange = 0.1",
            "not positive definite",
        ),
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

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
            ("matern_in_each_dimension", matern_in_each_dimension),
            ("fractional_matern", fractional_matern),
            ("correlated", correlated),
            ("expansions", expansions),
            ("signatures", signatures),
            ("smoother_matern", smoother_matern),
            ("spectral", spectral),
            ("ranks", ranks),
            ("in_a_campaign", in_a_campaign),
            ("initial_and_boundary_values", initial_and_boundary_values),
            ("faults", faults),
        ],
}];
