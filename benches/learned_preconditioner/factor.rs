//! Factors with the pattern of a five-point matrix.
use petsc_rs::{KrylovSolver, Matrix, Vector};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tessera::Result;

/// The lower triangle of a five-point matrix: diagonal, left and lower neighbour of each cell.
pub struct Stencil {
    n: usize,
    entries: [Vec<f64>; 3],
}

impl Stencil {
    /// Of a matrix on a square of `n` x `n` cells.
    pub fn of(matrix: &Matrix, n: usize) -> Result<Self> {
        let mut entries = [vec![0.0; n * n], vec![0.0; n * n], vec![0.0; n * n]];
        for row in 0..n * n {
            for (column, value) in matrix.row(row)? {
                match row.checked_sub(column) {
                    Some(0) => entries[0][row] = value,
                    Some(1) => entries[1][row] = value,
                    Some(distance) if distance == n => entries[2][row] = value,
                    _ => {}
                }
            }
        }
        Ok(Self { n, entries })
    }
}

/// `L` of `L L^T`, stored as [`Stencil`] is.
#[derive(Clone)]
pub struct Factor {
    n: usize,
    entries: [Vec<f64>; 3],
}

impl Factor {
    /// Incomplete Cholesky factors with a share of the dropped fill taken off the diagonal (Gustafsson, BIT 18 (1978)).
    pub fn modified(a: &Stencil, share: f64) -> Self {
        let (n, size) = (a.n, a.n * a.n);
        let [diagonal, left, below] = &a.entries;
        // (D + W + S) D^-1 (D + W + S)^T.
        let mut d = vec![0.0; size];
        for i in 0..size {
            let mut pivot = diagonal[i];
            if i >= 1 {
                let fill = if i - 1 + n < size { below[i - 1 + n] } else { 0.0 };
                pivot -= left[i] * (left[i] + share * fill) / d[i - 1];
            }
            if i >= n {
                pivot -= below[i] * (below[i] + share * left[i - n + 1]) / d[i - n];
            }
            d[i] = if pivot > 1e-12 * diagonal[i] { pivot } else { diagonal[i] };
        }
        let mut entries = [d.iter().map(|d| d.sqrt()).collect(), vec![0.0; size], vec![0.0; size]];
        for i in 0..size {
            if i >= 1 {
                entries[1][i] = left[i] / d[i - 1].sqrt();
            }
            if i >= n {
                entries[2][i] = below[i] / d[i - n].sqrt();
            }
        }
        Self { n, entries }
    }

    /// `(L L^T)^-1 x`.
    pub fn solve(&self, x: &[f64], y: &mut [f64]) {
        let (n, size) = (self.n, x.len());
        let [d, w, s] = &self.entries;
        for i in 0..size {
            let mut value = x[i];
            if i >= 1 {
                value -= w[i] * y[i - 1];
            }
            if i >= n {
                value -= s[i] * y[i - n];
            }
            y[i] = value / d[i];
        }
        for i in (0..size).rev() {
            let value = y[i] / d[i];
            y[i] = value;
            if i >= 1 {
                y[i - 1] -= w[i] * value;
            }
            if i >= n {
                y[i - n] -= s[i] * value;
            }
        }
    }

    /// `L^T x`.
    fn transposed(&self, x: &[f64]) -> Vec<f64> {
        let [d, w, s] = &self.entries;
        let (n, size) = (self.n, x.len());
        let next =
            |i: usize, by: usize, list: &[f64]| if i + by < size { list[i + by] * x[i + by] } else { 0.0 };
        (0..size).map(|i| d[i] * x[i] + next(i, 1, w) + next(i, n, s)).collect()
    }

    /// `L x`.
    fn times(&self, x: &[f64]) -> Vec<f64> {
        let [d, w, s] = &self.entries;
        let n = self.n;
        let before = |i: usize, by: usize, list: &[f64]| if i >= by { list[i] * x[i - by] } else { 0.0 };
        (0..x.len()).map(|i| d[i] * x[i] + before(i, 1, w) + before(i, n, s)).collect()
    }

    /// The factor that Adam finds for the loss of NeuralPCG (Li and others, ICML 2023), the sum of `|L L^T x - b|^2` over
    /// pairs of loads and their solutions, on the pattern of the matrix.
    pub fn trained(mut self, a: &Stencil, pairs: &[(Vec<f64>, Vec<f64>)], steps: usize) -> Self {
        let (n, size) = (self.n, self.n * self.n);
        let zero = || [vec![0.0; size], vec![0.0; size], vec![0.0; size]];
        let (mut first, mut second) = (zero(), zero());
        // Entries move in steps of their own size, by half of it at most.
        let units = self.entries.clone().map(|list| list.iter().map(|v| v.abs()).collect::<Vec<_>>());
        for step in 0..steps {
            let mut slope = zero();
            // Four pairs a step, one after the other.
            for at in 0..4 {
                let (x, b) = &pairs[(4 * step + at) % pairs.len()];
                let y = self.transposed(x);
                let r: Vec<f64> = self.times(&y).iter().zip(b).map(|(v, b)| v - b).collect();
                let z = self.transposed(&r);
                for i in 0..size {
                    slope[0][i] += r[i] * y[i] + x[i] * z[i];
                    if i >= 1 {
                        slope[1][i] += r[i] * y[i - 1] + x[i] * z[i - 1];
                    }
                    if i >= n {
                        slope[2][i] += r[i] * y[i - n] + x[i] * z[i - n];
                    }
                }
            }
            // Cosine to zero.
            let rate = (1.0 + (std::f64::consts::PI * step as f64 / steps as f64).cos()) * 0.5 / steps as f64;
            let corrections = [0.9_f64, 0.999].map(|beta| 1.0 - beta.powi(step as i32 + 1));
            for part in 0..3 {
                for i in 0..size {
                    // Where the matrix has no entry the factor has none.
                    if a.entries[part][i] == 0.0 {
                        continue;
                    }
                    let g = slope[part][i];
                    first[part][i] = 0.9 * first[part][i] + 0.1 * g;
                    second[part][i] = 0.999 * second[part][i] + 0.001 * g * g;
                    let (m, v) = (first[part][i] / corrections[0], second[part][i] / corrections[1]);
                    self.entries[part][i] -= rate * units[part][i] * m / (v.sqrt() + 1e-12);
                }
            }
        }
        self
    }
}

/// Solutions and loads of random loads of length 1.
pub fn pairs(
    krylov: &mut KrylovSolver,
    like: &Vector,
    count: usize,
    seed: u64,
) -> Result<Vec<(Vec<f64>, Vec<f64>)>> {
    let mut random = ChaCha8Rng::seed_from_u64(1000 + seed);
    let (mut b, mut x) = (like.duplicate()?, like.duplicate()?);
    let mut list = Vec::new();
    for _ in 0..count {
        let load: Vec<f64> = b.read()?.iter().map(|_| random.random::<f64>() - 0.5).collect();
        b.write()?.copy_from_slice(&load);
        krylov.solve(&b, &mut x)?;
        let solution = x.read()?.to_vec();
        // As long as the load's mean square is one.
        let size = (load.iter().map(|v| v * v).sum::<f64>() / load.len() as f64).sqrt();
        let scaled = |values: &[f64]| values.iter().map(|v| v / size).collect::<Vec<f64>>();
        list.push((scaled(&solution), scaled(&load)));
    }
    Ok(list)
}
