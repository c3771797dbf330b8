//! Diffusion with random coefficients by finite volumes, as papers on learned solvers take it.
use faer::Mat;
use petsc_rs::{Int, Matrix};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::f64::consts::PI;
use tessera::Result;
use tessera::parallel::{Comm, block};

/// `-div(a grad u) + reaction u`, times the volume of a cell.
pub fn finite_volumes(comm: &Comm, n: usize, a: &[f64], reaction: &[f64]) -> Result<Matrix> {
    let own = block((n * n) as u64, comm.size(), comm.rank());
    let (mut starts, mut columns, mut values) = (vec![0 as Int], Vec::new(), Vec::new());
    for cell in own.start as usize..own.end as usize {
        let (i, j) = (cell / n, cell % n);
        let mut diagonal = reaction.get(cell).copied().unwrap_or(0.0);
        let mut row = Vec::new();
        for (di, dj) in [(-1i64, 0i64), (0, -1), (0, 1), (1, 0)] {
            let (p, q) = (i as i64 + di, j as i64 + dj);
            if (0..n as i64).contains(&p) && (0..n as i64).contains(&q) {
                let other = p as usize * n + q as usize;
                let t = 2.0 * a[cell] * a[other] / (a[cell] + a[other]);
                diagonal += t;
                row.push((other, -t));
            } else {
                diagonal += 2.0 * a[cell];
            }
        }
        row.push((cell, diagonal));
        row.sort_by_key(|entry| entry.0);
        for (column, value) in row {
            columns.push(column as Int);
            values.push(value);
        }
        starts.push(columns.len() as Int);
    }
    let rows = (own.end - own.start) as usize;
    Ok(Matrix::from_csr_values(comm.mpi(), 1, &starts, &columns, &values, rows)?)
}

/// A draw of the Gaussian field with the covariance `tau^2 (-lap + tau^2)^-2`, tau = 3, without its mean.
pub fn field(random: &mut ChaCha8Rng, n: usize) -> Vec<f64> {
    let cosine = |k: usize, i: usize| {
        let unit = if k == 0 { 1.0 } else { 2.0_f64.sqrt() };
        unit * (PI * k as f64 * (i as f64 + 0.5) / n as f64).cos() / (n as f64).sqrt()
    };
    let transform = Mat::from_fn(n, n, cosine);
    let coefficients = Mat::from_fn(n, n, |k, l| {
        let decay = 3.0 / (PI * PI * (k * k + l * l) as f64 + 9.0);
        if k + l == 0 { 0.0 } else { n as f64 * decay * normal(random) }
    });
    let g = transform.transpose() * coefficients * &transform;
    (0..n * n).map(|at| g[(at / n, at % n)]).collect()
}

/// A normal number (Box and Muller).
pub fn normal(random: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (random.random(), random.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (2.0 * PI * v).cos()
}
