//! Deflated preconditioned conjugate gradients that carry harmonic Ritz vectors from system to system.
//!
//! Saad, Yeung, Erhel and Guyomarc'h, SIAM J. Sci. Comput. 21 (2000), algorithm 3.6 with a preconditioner; the
//! first guess is corrected in the recycled space W ("init-CG", Erhel and Guyomarc'h, SIAM J. Matrix Anal. Appl.
//! 21 (2000)). W is A-orthonormal: `W^T A W = I`. So are the scaled search directions P, and
//! they are A-orthogonal to W; therefore the harmonic Ritz vectors of M^-1 A in the span of `[W, P]`, in the inner product
//! of M, are the eigenvectors of the symmetric matrix
//!
//! ```text
//! G = (A [W, P])^T M^-1 (A [W, P]),
//! ```
//!
//! whose columns of P follow from the coefficients of the iteration (there, equation 5.3 ff.). Two reductions
//! an iteration. The search directions are taken up in windows, as the recycling MINRES of Wang, de Sturler and Paulino,
//! Int. J. Numer. Methods Engng. 69 (2007), does.
use super::space::{Goal, Solved, Space, System, all, combine, negative, products};
use crate::Result;
use faer::{Mat, Side};
use petsc_rs::{ConvergenceReason, Norm, Vector};

/// The norm that the recurrence predicts for the next residual is trusted while its square does not fall below this
/// part of the present one.
const CANCELLED: f64 = 1e-3;

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
    space.renew(system, |space| &space.vectors)?;
    let mut solved = Solved::start(space);
    let mut r = b.duplicate()?;
    system.matrix.residual(b, x, &mut r)?;
    space.project(|space| &space.vectors, x, &mut r)?;
    solved.residual = r.norm(Norm::Two)?;
    solved.history.push(solved.residual);
    let mut window = match dimension {
        0 => None,
        _ => Some(Window::new(space, system, (dimension, restart))?),
    };
    let (w, aw) = (all(&[&space.vectors]), all(&[&space.images]));
    let (mut z, mut p, mut q) = (b.duplicate()?, b.duplicate()?, b.duplicate()?);
    let mut former: Option<(f64, f64)> = None;
    solved.reason = loop {
        match solved.residual {
            norm if !norm.is_finite() => break ConvergenceReason::DivergedNan,
            norm if norm <= goal.residual => break ConvergenceReason::AbsoluteTolerance,
            _ if solved.iterations >= goal.iterations => break ConvergenceReason::DivergedIterations,
            _ => {}
        }
        system.preconditioner.apply(&r, &mut z)?;
        let mut with = vec![&r];
        with.extend(&aw);
        let dots = Vector::fused_dots(&[(&z, &with), (&r, &[&r])])?;
        let (rho, mu, square) = (dots[0][0], &dots[0][1..], dots[1][0]);
        if !rho.is_finite() {
            break ConvergenceReason::DivergedNan;
        }
        if rho <= 0.0 {
            break ConvergenceReason::DivergedIndefinitePreconditioner;
        }
        if let (Some(window), Some((alpha, before))) = (&mut window, former) {
            window.close(alpha, before, rho, mu)?;
        }
        let beta = former.map_or(0.0, |(_, before)| rho / before);
        p.aypx(beta, &z)?;
        p.maxpy(&negative(mu), &w)?;
        system.matrix.mult(&p, &mut q)?;
        let dots = q.dots(&[&p, &r, &q])?;
        let curvature = dots[0];
        if !curvature.is_finite() {
            break ConvergenceReason::DivergedNan;
        }
        if curvature <= 0.0 {
            break ConvergenceReason::DivergedIndefiniteMatrix;
        }
        let alpha = rho / curvature;
        x.axpy(alpha, &p)?;
        r.axpy(-alpha, &q)?;
        if let Some(window) = &mut window {
            window.open(&p, curvature, mu)?;
        }
        let next = square - 2.0 * alpha * dots[1] + alpha * alpha * dots[2];
        solved.residual = if next > CANCELLED * square { next.sqrt() } else { r.norm(Norm::Two)? };
        solved.iterations += 1;
        solved.history.push(solved.residual);
        former = Some((alpha, rho));
    };
    let learnt = window.map(Window::finish).transpose()?.flatten();
    drop((w, aw));
    if let Some(vectors) = learnt {
        *space = Space { vectors, ..Space::default() };
    }
    Ok(solved)
}

/// Search directions since the last choice of Ritz vectors, and what is known of G.
struct Window {
    /// Sizes: vectors to keep, vectors at most.
    dimension: usize,
    restart: usize,
    /// The Ritz vectors so far, W at first; A-orthonormal.
    ritz: Vec<Vector>,
    /// `G` among them.
    gram: Mat<f64>,
    /// Their coefficients along the W of this solve (k rows).
    along: Mat<f64>,
    /// Their coefficients along the direction before the first of this window.
    tail: Vec<f64>,
    /// Search directions, A-orthonormal too; the last one is open while its column of G is not known.
    directions: Vec<Vector>,
    /// Of each closed direction: the diagonal entry of G, that with the direction before, those with W.
    columns: Vec<(f64, f64, Vec<f64>)>,
    /// `1 / sqrt(p^T A p)` and `(A W)^T z` of the open direction.
    open: Option<(f64, Vec<f64>)>,
    /// Step length and `r^T z` of the direction closed last.
    former: Option<(f64, f64)>,
}

impl Window {
    /// Of the space of this solve, whose part of G costs an application of the preconditioner each vector.
    fn new(space: &Space, system: &System, (dimension, restart): (usize, usize)) -> Result<Self> {
        let images = all(&[&space.images]);
        let mut preconditioned = Vec::new();
        for image in &images {
            let mut v = image.duplicate()?;
            system.preconditioner.apply(image, &mut v)?;
            preconditioned.push(v);
        }
        let k = space.len();
        let gram = products(system.comm, &images, &all(&[&preconditioned]))?;
        let ritz = space.vectors.iter().map(|v| Ok(v.try_clone()?)).collect::<Result<_>>()?;
        Ok(Self {
            dimension,
            restart,
            ritz,
            gram,
            along: Mat::identity(k, k),
            tail: vec![0.0; k],
            directions: Vec::new(),
            columns: Vec::new(),
            open: None,
            former: None,
        })
    }

    /// Takes a search direction with its `p^T A p` and `(A W)^T z`.
    fn open(&mut self, p: &Vector, curvature: f64, mu: &[f64]) -> Result<()> {
        let scale = 1.0 / curvature.sqrt();
        let mut direction = p.duplicate()?;
        direction.axpy(scale, p)?;
        self.directions.push(direction);
        self.open = Some((scale, mu.to_vec()));
        Ok(())
    }

    /// Its column of G, from its step length and the `r^T z` before and after it, and `(A W)^T z` after it.
    fn close(&mut self, alpha: f64, before: f64, after: f64, mu: &[f64]) -> Result<()> {
        let Some((scale, mu_before)) = self.open.take() else { return Ok(()) };
        let beside = self.former.map_or(0.0, |(a, rho)| -(before / rho / (a * alpha)).sqrt());
        let with = mu_before.iter().zip(mu).map(|(before, after)| (before - after) * scale / alpha).collect();
        self.columns.push(((1.0 + after / before) / alpha, beside, with));
        self.former = Some((alpha, before));
        if self.ritz.len() + self.columns.len() >= self.restart { self.compress() } else { Ok(()) }
    }

    /// Takes the new Ritz vectors of `[ritz, directions]`.
    fn compress(&mut self) -> Result<()> {
        let (k, closed) = (self.ritz.len(), self.columns.len());
        let g = self.gram();
        let count = k + closed;
        if closed == 0 || !g.col_iter().all(|column| column.iter().all(|entry| entry.is_finite())) {
            return Ok(());
        }
        let Ok(eigen) = g.self_adjoint_eigen(Side::Lower) else { return Ok(()) };
        // Ascending: the first are the smallest.
        let keep = self.dimension.min(count);
        let y = eigen.U().subcols(0, keep).to_owned();
        let values = eigen.S().column_vector();
        self.ritz = combine(&all(&[&self.ritz, &self.directions[..closed]]), y.as_ref())?;
        self.gram = Mat::from_fn(keep, keep, |i, j| if i == j { values[i] } else { 0.0 });
        self.along = &self.along * y.subrows(0, k);
        self.tail = (0..keep).map(|j| y[(count - 1, j)]).collect();
        self.directions.clear();
        self.columns.clear();
        Ok(())
    }

    /// G of `[ritz, directions]`: a diagonal block, a tridiagonal one, and what couples them.
    fn gram(&self) -> Mat<f64> {
        let k = self.ritz.len();
        let mut g = Mat::zeros(k + self.columns.len(), k + self.columns.len());
        for j in 0..k {
            for i in 0..k {
                g[(i, j)] = 0.5 * (self.gram[(i, j)] + self.gram[(j, i)]);
            }
        }
        for (j, (diagonal, beside, with)) in self.columns.iter().enumerate() {
            g[(k + j, k + j)] = *diagonal;
            if j > 0 {
                (g[(k + j, k + j - 1)], g[(k + j - 1, k + j)]) = (*beside, *beside);
            }
            for i in 0..k {
                let mut entry: f64 = with.iter().enumerate().map(|(l, w)| self.along[(l, i)] * w).sum();
                if j == 0 {
                    entry += self.tail[i] * beside;
                }
                (g[(k + j, i)], g[(i, k + j)]) = (entry, entry);
            }
        }
        g
    }

    /// The space for the next system; `None` when nothing was learnt.
    fn finish(mut self) -> Result<Option<Vec<Vector>>> {
        self.directions.truncate(self.columns.len());
        let learnt = !self.columns.is_empty() || self.former.is_some();
        self.compress()?;
        Ok(learnt.then_some(self.ritz))
    }
}
