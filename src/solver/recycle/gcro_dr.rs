//! GCRO-DR: restarted GMRES that keeps harmonic Ritz vectors over restarts and over linear systems.
//!
//! Parks, de Sturler, Mackey, Johnson and Maiti, SIAM J. Sci. Comput. 28 (2006), algorithm 2 in the appendix; with
//! a preconditioner from the right that may vary, as in Carvalho, Gratton, Lago and Vasseur, SIAM J. Matrix Anal.
//! Appl. 32 (2011). The k vectors U have orthonormal images C = A U; a cycle of m - k Arnoldi steps
//! with (I - C C^T) A M^-1 gives
//!
//! ```text
//! A [U, Z] = [C, V] G,   G = [I, B; 0, H],   Z = M^-1 V.
//! ```
//!
//! The new U holds the harmonic Ritz vectors of A M^-1 in the span of [P, V], where `P = M U`: the same
//! combinations as of [U, Z], so that M itself is never applied. After a change of the preconditioner P is that of the
//! former one, which only makes the choice of U a little less sharp.
use super::dense::{Ritz, harmonic_ritz};
use super::space::{Goal, Solved, Space, System, all, combine, negative, products};
use crate::Result;
use faer::Mat;
use petsc_rs::{ConvergenceReason, Norm, Vector};

/// Below this ratio of squared lengths after and before it, a projection is repeated.
const CANCELLED: f64 = 1e-2;

/// Above this ratio the length comes from Pythagoras; below, what is lost of orthogonality would feed on itself.
const SAFE: f64 = 0.5;

/// A new direction of this relative length is no direction.
const BREAKDOWN: f64 = 1e-14;

/// The residual norms of the recurrence and the true ones may differ by this factor at the end.
const SLACK: f64 = 1.0 + 1e-3;

/// Solves `A x = b`; see [`super::recycler::Recycler::solve`]. Collective.
///
/// # Errors
/// When PETSc or the preconditioner fails.
pub fn solve(
    space: &mut Space,
    (dimension, restart): (usize, usize),
    system: &System,
    goal: Goal,
    b: &Vector,
    x: &mut Vector,
) -> Result<Solved> {
    if space.images.is_empty() {
        space.renew(system, |space| &space.images)?;
    }
    let mut solved = Solved::start(space);
    let mut r = b.duplicate()?;
    let mut arnoldi = Arnoldi::default();
    loop {
        let before = solved.residual;
        system.matrix.residual(b, x, &mut r)?;
        space.project(|space| &space.images, x, &mut r)?;
        solved.residual = r.norm(Norm::Two)?;
        if solved.history.is_empty() {
            solved.history.push(solved.residual);
        }
        solved.reason = match solved.residual {
            norm if !norm.is_finite() => ConvergenceReason::DivergedNan,
            norm if norm <= goal.residual * SLACK => ConvergenceReason::AbsoluteTolerance,
            _ if solved.iterations >= goal.iterations => ConvergenceReason::DivergedIterations,
            // The cycle thought that it was done, and took nothing away: the operator is singular, or round-off is
            // all that is left.
            norm if arnoldi.finished && norm > 0.5 * before => ConvergenceReason::DivergedBreakdown,
            _ => ConvergenceReason::Iterating,
        };
        if solved.reason != ConvergenceReason::Iterating {
            return Ok(solved);
        }
        arnoldi.run(space, system, goal, restart - space.len(), &r, &mut solved)?;
        arnoldi.correct(space, x)?;
        if dimension > 0 {
            arnoldi.update(space, system, dimension)?;
        }
    }
}

/// One cycle: an Arnoldi process beside C, and the least-squares problem of GMRES by Givens rotations.
#[derive(Default)]
struct Arnoldi {
    /// Orthonormal, one more than `steps`; kept from cycle to cycle for their memory.
    v: Vec<Vector>,
    /// `M^-1 v`.
    z: Vec<Vector>,
    steps: usize,
    /// Column j: `C^T A z_j`.
    b: Vec<Vec<f64>>,
    /// Column j of the Hessenberg matrix, j + 2 entries.
    h: Vec<Vec<f64>>,
    /// Coefficients of the correction along `z`.
    y: Vec<f64>,
    /// The cycle ended before its last step: it claims convergence, or found no new direction.
    finished: bool,
}

impl Arnoldi {
    fn run(
        &mut self,
        space: &Space,
        system: &System,
        goal: Goal,
        most: usize,
        r: &Vector,
        solved: &mut Solved,
    ) -> Result<()> {
        let (mut triangle, mut rotations): (Vec<Vec<f64>>, Vec<(f64, f64)>) = Default::default();
        let mut rest = vec![solved.residual];
        (self.steps, self.finished) = (0, false);
        self.b.clear();
        self.h.clear();
        self.direction(0, r)?;
        self.v[0].copy_from(r)?;
        self.v[0].scale(1.0 / solved.residual)?;
        while self.steps < most && solved.iterations < goal.iterations && !self.finished {
            let j = self.steps;
            self.direction(j + 1, r)?;
            let (known, new) = self.v.split_at_mut(j + 1);
            let w = &mut new[0];
            system.preconditioner.apply(&known[j], &mut self.z[j])?;
            system.matrix.mult(&self.z[j], w)?;
            let mut basis = all(&[&space.images]);
            basis.extend(known.iter());
            let (mut coefficients, length, original) = orthogonalise(&basis, w)?;
            solved.iterations += 1;
            if !length.is_finite() {
                // The true residual shows it.
                self.finished = true;
                break;
            }
            let broken = length <= BREAKDOWN * original;
            if !broken {
                w.scale(1.0 / length)?;
            }
            let mut column = coefficients.split_off(space.len());
            column.push(if broken { 0.0 } else { length });
            self.b.push(coefficients);
            self.h.push(column.clone());
            for (i, (c, s)) in rotations.iter().enumerate() {
                let (a, b) = (column[i], column[i + 1]);
                (column[i], column[i + 1]) = (c * a + s * b, c * b - s * a);
            }
            let (a, b) = (column[j], column[j + 1]);
            let corner = a.hypot(b);
            if corner <= BREAKDOWN * original {
                // The new direction does not help: the matrix is singular here.
                self.finished = true;
                self.b.pop();
                self.h.pop();
                break;
            }
            let (c, s) = (a / corner, b / corner);
            column[j] = corner;
            column.truncate(j + 1);
            triangle.push(column);
            rotations.push((c, s));
            rest.push(-s * rest[j]);
            rest[j] *= c;
            self.steps += 1;
            solved.history.push(rest[j + 1].abs());
            self.finished = broken || rest[j + 1].abs() <= goal.residual;
        }
        let mut y = rest;
        y.truncate(self.steps);
        for j in (0..self.steps).rev() {
            y[j] /= triangle[j][j];
            for i in 0..j {
                y[i] -= triangle[j][i] * y[j];
            }
        }
        self.y = y;
        Ok(())
    }

    /// Makes room for the vectors of step `j`.
    fn direction(&mut self, j: usize, like: &Vector) -> Result<()> {
        while self.v.len() <= j {
            self.v.push(like.duplicate()?);
            self.z.push(like.duplicate()?);
        }
        Ok(())
    }

    /// `x += Z y - U B y`.
    fn correct(&self, space: &Space, x: &mut Vector) -> Result<()> {
        if self.y.iter().any(|y| !y.is_finite()) {
            return Ok(x.set(f64::NAN)?);
        }
        x.maxpy(&self.y, &all(&[&self.z[..self.steps]]))?;
        let along: Vec<f64> = (0..space.len())
            .map(|i| -self.b.iter().zip(&self.y).map(|(b, y)| b[i] * y).sum::<f64>())
            .collect();
        Ok(x.maxpy(&along, &all(&[&space.vectors]))?)
    }

    /// Takes the harmonic Ritz vectors of smallest modulus as the new recycled space, `dimension` of them at most.
    fn update(&self, space: &mut Space, system: &System, dimension: usize) -> Result<()> {
        let (k, steps) = (space.len(), self.steps);
        // A broken last direction is zero; it has no part in anything.
        let v = &self.v[..steps + 1];
        if steps == 0 {
            return Ok(());
        }
        let (images, origins) = (all(&[&space.images]), all(&[&space.origins]));
        let left: Vec<&Vector> = images.iter().copied().chain(v).collect();
        let dots = products(system.comm, &left, &origins)?;
        // Origins of about unit length, as the other directions are.
        let scale: Vec<f64> =
            (0..k).map(|j| 1.0 / dots.col(j).norm_l2().max(f64::MIN_POSITIVE.sqrt())).collect();
        let (rows, columns) = (k + steps + 1, k + steps);
        let image = Mat::from_fn(rows, columns, |i, j| match (i < k, j < k) {
            (true, true) if i == j => scale[i],
            (true, false) => self.b[j - k][i],
            (false, false) => self.h[j - k].get(i - k).copied().unwrap_or(0.0),
            _ => 0.0,
        });
        let overlap = Mat::from_fn(rows, columns, |i, j| {
            if j < k { dots[(i, j)] * scale[j] } else { f64::from(u8::from(i == j)) }
        });
        let Some(Ritz { mut basis, image }) = harmonic_ritz(&image, &overlap, dimension) else {
            return Ok(());
        };
        for (i, scale) in scale.iter().enumerate() {
            basis.row_mut(i).iter_mut().for_each(|entry| *entry *= scale);
        }
        let vectors = combine(&all(&[&space.vectors, &self.z[..steps]]), basis.as_ref())?;
        let origins = combine(&all(&[&space.origins, &v[..steps]]), basis.as_ref())?;
        let images = combine(&left, image.as_ref())?;
        *space = Space { vectors, images, origins };
        Ok(())
    }
}

/// Subtracts from `w` its part in the span of orthonormal vectors: classical Gram-Schmidt with one reduction, and
/// a second time when most of `w` went (Giraud, Langou, Rozloznik, Comput. Math. Appl. 50 (2005): twice is enough).
/// Returns the coefficients, and the lengths of what is left and of what was given. Collective.
fn orthogonalise(basis: &[&Vector], w: &mut Vector) -> Result<(Vec<f64>, f64, f64)> {
    let count = basis.len();
    let mut coefficients = vec![0.0; count];
    let mut original = None;
    for pass in 0..2 {
        let dots = {
            let mut with: Vec<&Vector> = basis.to_vec();
            with.push(w);
            w.dots(&with)?
        };
        let (dots, square) = (&dots[..count], dots[count]);
        w.maxpy(&negative(dots), basis)?;
        coefficients.iter_mut().zip(dots).for_each(|(c, d)| *c += d);
        let original = *original.get_or_insert(square.sqrt());
        let left = square - dots.iter().map(|d| d * d).sum::<f64>();
        if left > SAFE * square || !left.is_finite() {
            return Ok((coefficients, left.sqrt(), original));
        }
        if left > CANCELLED * square || pass == 1 {
            return Ok((coefficients, w.norm(Norm::Two)?, original));
        }
    }
    unreachable!("the second pass returns")
}
