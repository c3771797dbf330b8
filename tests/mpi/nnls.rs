//! Points and weights of empirical cubature: positive, few, exact to the tolerance, and the same on any number of ranks.
use crate::common::Suite;
use faer::Mat;
use faer::linalg::solvers::SolveLstsq;
use tessera::parallel::Comm;
use tessera::rom::sampled::nnls::{DistributedColumns, Options, Rule, nnls};

pub const SUITES: &[Suite] = &[
    Suite {
        ranks: &[1, 2, 4],
        tests: &[
            ("rules_do_not_depend_on_ranks", rules_do_not_depend_on_ranks),
            ("known_weights_come_back", known_weights_come_back),
            ("the_least_residual_is_that_of_another_method", the_least_residual_is_that_of_another_method),
            ("polynomials_need_no_more_points_than_rows", polynomials_need_no_more_points_than_rows),
            ("what_has_no_rule_is_an_error", what_has_no_rule_is_an_error),
        ],
    },
    Suite { ranks: &[2], tests: &[("many_columns_need_no_pass", many_columns_need_no_pass)] },
];

/// A number in (0, 1) for every pair of numbers.
fn uniform(i: u64, j: u64) -> f64 {
    let mut z = (i + 1).wrapping_mul(0xD6E8_FEB8_6659_FD93) ^ (j + 1).wrapping_mul(0xA076_1D64_78BD_642F);
    for _ in 0..3 {
        z = (z ^ (z >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    }
    ((z >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// A normal number for every pair of numbers.
fn normal(i: u64, j: u64) -> f64 {
    let radius = (-2.0 * uniform(2 * i, j).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(2 * i + 1, j)).cos()
}

/// A matrix by its columns; a rank has those of its number modulo the number of ranks.
struct Matrix {
    rows: usize,
    columns: Vec<Vec<f64>>,
}

impl Matrix {
    fn new(rows: usize, columns: u64, entry: impl Fn(u64, u64) -> f64) -> Self {
        let column = |k| (0..rows as u64).map(|i| entry(i, k)).collect();
        Self { rows, columns: (0..columns).map(column).collect() }
    }

    fn sum(&self, weights: impl IntoIterator<Item = (u64, f64)>) -> Vec<f64> {
        let mut sum = vec![0.0; self.rows];
        for (k, weight) in weights {
            sum.iter_mut().zip(&self.columns[k as usize]).for_each(|(s, a)| *s += weight * a);
        }
        sum
    }

    fn solve(&self, comm: &Comm, target: &[f64], options: &Options) -> tessera::Result<Rule> {
        let mine = || (0..self.columns.len()).filter(|k| k % comm.size() == comm.rank());
        let ids: Vec<u64> = mine().map(|k| k as u64).collect();
        let values: Vec<f64> = mine().flat_map(|k| self.columns[k].clone()).collect();
        nnls(DistributedColumns { comm, rows: self.rows, values: &values, ids: &ids }, target, options)
    }

    /// The least residual by Lawson and Hanson's book: all columns in turn, and an orthogonal factorisation every time.
    fn lawson_hanson(&self, target: &[f64]) -> Vec<f64> {
        let count = self.columns.len();
        let (mut x, mut passive): (Vec<f64>, Vec<usize>) = (vec![0.0; count], Vec::new());
        loop {
            let rest = difference(target, &self.sum((0..).zip(x.iter().copied())));
            let gradient = |k: &usize| dot(&self.columns[*k], &rest);
            let free = (0..count).filter(|k| !passive.contains(k));
            let Some(next) = free.max_by(|a, b| gradient(a).total_cmp(&gradient(b))) else { return x };
            if gradient(&next) < 1e-9 {
                return x;
            }
            passive.push(next);
            loop {
                let a = Mat::from_fn(self.rows, passive.len(), |i, k| self.columns[passive[k]][i]);
                let s = a.qr().solve_lstsq(Mat::from_fn(self.rows, 1, |i, _| target[i]));
                let negative = |k: usize| s[(k, 0)] <= 0.0;
                let lengths =
                    (0..passive.len()).filter(|&k| negative(k)).map(|k| x[passive[k]] / (x[passive[k]] - s[(k, 0)]));
                let step = lengths.fold(1.0, f64::min);
                for (k, &j) in passive.iter().enumerate() {
                    x[j] += step * (s[(k, 0)] - x[j]);
                }
                if (0..passive.len()).all(|k| !negative(k)) {
                    break;
                }
                passive.retain(|&j| x[j] > 1e-12);
                (0..count).filter(|j| !passive.contains(j)).for_each(|j| x[j] = 0.0);
            }
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// Asserts positive weights, ascending numbers and the residual that the rule tells; returns the latter.
fn checked(matrix: &Matrix, target: &[f64], rule: &Rule) -> f64 {
    assert!(rule.weights.iter().all(|w| *w > 0.0 && w.is_finite()) && rule.ids.is_sorted());
    assert!(rule.ids.len() == rule.weights.len() && rule.ids.len() <= matrix.rows);
    let rest = difference(target, &matrix.sum(rule.ids.iter().copied().zip(rule.weights.iter().copied())));
    let residual = (dot(&rest, &rest) / dot(target, target)).sqrt();
    assert!((residual - rule.residual).abs() <= 1e-13, "{residual:e} {:e}", rule.residual);
    residual
}

fn tolerance(tolerance: f64) -> Options {
    Options { tolerance, ..Options::default() }
}

fn rules_do_not_depend_on_ranks(comm: &Comm) {
    // Columns come in equal pairs, so that ties decide; a sum of the first rows makes passes necessary.
    let matrix = Matrix::new(25, 4000, |i, k| normal(i, k / 2).exp());
    let alone = comm.split(comm.rank());
    let all = matrix.sum((0..4000).map(|k| (k, 1.0)));
    let corner = matrix.sum([(17, 1.0), (2301, 2.0), (3999, 0.5)]);
    let optimum = Options { optimum: true, ..tolerance(1e-9) };
    let mut passes = 0;
    for (target, options) in [(&all, &tolerance(1e-8)), (&corner, &optimum)] {
        let rule = matrix.solve(comm, target, options).unwrap();
        checked(&matrix, target, &rule);
        passes += rule.passes;
        // To the last bit.
        assert_eq!(rule, matrix.solve(&alone, target, options).unwrap());
        // An earlier rule does again.
        let again = Options { seeds: rule.ids.clone(), ..options.clone() };
        let again = matrix.solve(comm, target, &again).unwrap();
        assert!(again.ids.len() <= rule.ids.len() && again.residual <= options.tolerance);
    }
    assert!(passes > 0);
    // Where all columns are candidates, the lower of two equal ones is taken.
    let few = Matrix::new(25, 180, |i, k| normal(i, k / 2).exp());
    let target = few.sum((0..180).map(|k| (k, 1.0)));
    let rule = few.solve(comm, &target, &tolerance(1e-8)).unwrap();
    assert!(checked(&few, &target, &rule) <= 1e-8 && rule.ids.iter().all(|id| id % 2 == 0), "{rule:?}");
}

fn known_weights_come_back(comm: &Comm) {
    let matrix = Matrix::new(40, 5000, normal);
    let known: Vec<(u64, f64)> = (0..12).map(|k| (k * 397 + 5, 0.1 + uniform(k, 77))).collect();
    let target = matrix.sum(known.iter().copied());
    let rule = matrix.solve(comm, &target, &tolerance(1e-10)).unwrap();
    assert!(checked(&matrix, &target, &rule) <= 1e-10);
    assert!(rule.candidates < 600, "{rule:?}");
    // From the right columns there is nothing to find but the weights.
    let seeds = known.iter().map(|pair| pair.0).collect();
    let rule = matrix.solve(comm, &target, &Options { seeds, ..tolerance(1e-12) }).unwrap();
    checked(&matrix, &target, &rule);
    assert_eq!((rule.ids.len(), rule.passes), (12, 0));
    for ((id, weight), (k, x)) in rule.ids.iter().zip(&rule.weights).zip(&known) {
        assert!(id == k && (weight - x).abs() < 1e-10 * x, "{id} {weight} {k} {x}");
    }
}

fn the_least_residual_is_that_of_another_method(comm: &Comm) {
    // A cone of positive columns, and a target outside of it.
    let matrix = Matrix::new(15, 800, |i, k| uniform(i, k) + if i == k % 15 { 2.0 } else { 0.0 });
    for case in 0..4 {
        let target: Vec<f64> = (0..15).map(|i| normal(i, 900 + case) + 0.3).collect();
        let options = Options { optimum: true, ..tolerance(1e-8) };
        let rule = matrix.solve(comm, &target, &options).unwrap();
        checked(&matrix, &target, &rule);
        let x = matrix.lawson_hanson(&target);
        let rest = difference(&target, &matrix.sum((0..).zip(x.iter().copied())));
        let expected = (dot(&rest, &rest) / dot(&target, &target)).sqrt();
        assert!(rule.passes > 0 && expected > 0.1);
        assert!((rule.residual - expected).abs() < 1e-9 * expected, "{} {expected}", rule.residual);
        for (id, weight) in rule.ids.iter().zip(&rule.weights) {
            assert!((x[*id as usize] - weight).abs() < 1e-6, "{id}: {weight} {}", x[*id as usize]);
        }
    }
}

fn polynomials_need_no_more_points_than_rows(comm: &Comm) {
    // A thousand cells on (-1, 1) with five Gauss points each, and Legendre's polynomials of degree 9 and less.
    let (a, b) = ((5.0 + 2.0 * (10.0f64 / 7.0).sqrt()).sqrt() / 3.0, (5.0 - 2.0 * (10.0f64 / 7.0).sqrt()).sqrt() / 3.0);
    let root = 13.0 * 70f64.sqrt();
    let gauss = [
        (0.0, 128.0 / 225.0),
        (-a, (322.0 - root) / 900.0),
        (a, (322.0 - root) / 900.0),
        (-b, (322.0 + root) / 900.0),
        (b, (322.0 + root) / 900.0),
    ];
    let point = |k: u64| {
        let (x, w) = gauss[(k % 5) as usize];
        (-1.0 + ((k / 5) as f64 + (x + 1.0) / 2.0) / 500.0, w / 1000.0)
    };
    let legendre = |degree: u64, x: f64| {
        let (mut last, mut p) = (0.0, 1.0);
        for n in 0..degree {
            let n = n as f64;
            (last, p) = (p, ((2.0 * n + 1.0) * x * p - n * last) / (n + 1.0));
        }
        p
    };
    let matrix = Matrix::new(10, 5000, |degree, k| point(k).1.sqrt() * legendre(degree, point(k).0));
    let target = matrix.sum((0..5000).map(|k| (k, point(k).1.sqrt())));
    let rule = matrix.solve(comm, &target, &tolerance(1e-12)).unwrap();
    checked(&matrix, &target, &rule);
    // No rule of less than five points is exact for degree 9.
    assert!((5..=10).contains(&rule.ids.len()), "{rule:?}");
    for degree in 0..10 {
        let terms = rule.ids.iter().zip(&rule.weights).map(|(&k, w)| w * point(k).1.sqrt() * point(k).0.powi(degree));
        let exact = if degree % 2 == 0 { 2.0 / f64::from(degree + 1) } else { 0.0 };
        assert!((terms.sum::<f64>() - exact).abs() < 1e-11, "degree {degree}");
    }
}

fn what_has_no_rule_is_an_error(comm: &Comm) {
    let matrix = Matrix::new(3, 50, uniform);
    let words = |target: &[f64], options: &Options| matrix.solve(comm, target, options).unwrap_err().to_string();
    assert!(words(&[-1.0, -1.0, -1.0], &tolerance(0.1)).contains("no positive weights of 50 columns"));
    assert!(words(&[1.0, 1.0], &tolerance(0.1)).contains("targets for 3 rows"));
    assert!(words(&[1.0, f64::NAN, 1.0], &tolerance(0.1)).contains("not finite"));
    let seeded = Options { seeds: vec![3, 50], ..tolerance(0.1) };
    assert!(words(&[1.0; 3], &seeded).contains("no column has the number 50"));
    let ids = vec![5u64; 2];
    let twice = DistributedColumns { comm, rows: 1, values: &[1.0, 2.0], ids: &ids };
    assert!(nnls(twice, &[1.0], &tolerance(0.1)).unwrap_err().to_string().contains("two columns have the number 5"));
    // Rest needs no points, and the corner of the cone one.
    let rule = matrix.solve(comm, &[0.0; 3], &tolerance(0.1)).unwrap();
    assert!(rule.ids.is_empty() && rule.residual == 0.0);
    let least = Options { optimum: true, ..tolerance(0.1) };
    assert_eq!(matrix.solve(comm, &[-1.0; 3], &least).unwrap().ids, Vec::<u64>::new());
}

/// 20 densities times 30 modes on 100,000 points in a cube, reduced to the 300 and more rows whose singular values are above
/// 1e-4 of the largest, with the volume.
fn many_columns_need_no_pass(comm: &Comm) {
    let total = 100_000u64;
    let ids: Vec<u64> = (0..total).filter(|k| *k as usize % comm.size() == comm.rank()).collect();
    let modes = |count: u64, seed: u64, width: f64| -> Vec<Vec<f64>> {
        let mode = |i: u64| {
            let number = |j: u64| uniform(1000 * seed + i, 1_000_000 + j);
            let wave: Vec<f64> = (0..3).map(|d| (4.0 * number(d)).floor() * std::f64::consts::PI).collect();
            let value = |&k: &u64| {
                let x: Vec<f64> = (0..3).map(|d| uniform(d, k)).collect();
                let product: f64 = (0..3).map(|d| (wave[d] * x[d] + 6.0 * number(3 + d as u64)).cos()).product();
                let square: f64 = (0..3).map(|d| (x[d] - number(6 + d as u64)).powi(2)).sum();
                product * if i % 2 == 1 { (-square / (width * width)).exp() } else { 1.0 } * 0.85f64.powi(i as i32)
            };
            ids.iter().map(value).collect()
        };
        (0..count).map(mode).collect()
    };
    let roots: Vec<f64> = ids.iter().map(|&k| (uniform(3, k) * 2.0 / total as f64).sqrt()).collect();
    let (densities, tests) = (modes(20, 1, 0.25), modes(30, 2, 0.2));
    let products = Mat::from_fn(ids.len(), 600, |k, i| densities[i / 30][k] * tests[i % 30][k] * roots[k]);
    let gram = products.transpose() * &products;
    let mut entries: Vec<f64> = (0..600 * 600).map(|e| gram[(e / 600, e % 600)]).collect();
    comm.sum_into(&mut entries);
    let gram = Mat::from_fn(600, 600, |i, j| (entries[600 * i + j] + entries[600 * j + i]) / 2.0);
    let eigen = gram.self_adjoint_eigen(faer::Side::Lower).unwrap();
    let value = |i: usize| eigen.S().column_vector()[599 - i].max(0.0).sqrt();
    let count = (0..600).filter(|&i| value(i) > 1e-4 * value(0)).count();
    let vectors = Mat::from_fn(600, count, |i, j| eigen.U()[(i, 599 - j)] / value(0));
    let rows = products * vectors;
    let column = |k: usize| (0..count).map(move |i| (k, i));
    let values: Vec<f64> = (0..ids.len())
        .flat_map(|k| column(k).map(|(k, i)| rows[(k, i)]).chain([roots[k]]).collect::<Vec<_>>())
        .collect();
    let mut target = vec![0.0; count + 1];
    for (column, root) in values.chunks(count + 1).zip(&roots) {
        target.iter_mut().zip(column).for_each(|(t, a)| *t += root * a);
    }
    comm.sum_into(&mut target);
    let columns = DistributedColumns { comm, rows: count + 1, values: &values, ids: &ids };
    for (eps, expected) in [(1e-2, 51), (1e-3, 131)] {
        let start = std::time::Instant::now();
        let rule = nnls(columns, &target, &tolerance(eps)).unwrap();
        let points = rule.ids.len();
        if comm.rank() == 0 {
            println!("{} rows, eps {eps:e}: {points} points, {:.2?}", count + 1, start.elapsed());
        }
        // Other random numbers than those of the guide, so about as many points.
        assert!((expected * 2 / 3..expected * 3 / 2).contains(&points), "{points} points of {count} rows");
        assert!(rule.passes == 0 && rule.residual <= eps && rule.candidates < 10 * count);
    }
}
