//! One expert's least squares by the method of Levenberg and Marquardt
//! (J. J. Moré, *The Levenberg-Marquardt algorithm*, 1978; damping scaled by the lengths of the columns). Without
//! damping, where it is not called for: Gauss-Newton steps, which converge quadratically to rows that vanish. Where rows
//! are left over and steps shrink slowly, the matrix holds second derivatives as well: Newton's method.
use crate::mixture::{dot, eigen};
use crate::{Error, Result};
use faer::Mat;

/// Steps at most.
pub(in crate::experts) const MOST_STEPS: usize = 200;
/// The first damping, and the largest.
const DAMPING: (f64, f64) = (1e-3, 1e10);
/// Damping below this is none.
const UNDAMPED: f64 = 1e-4;
/// A predicted fall of the objective below this share of it does not show in the objective.
const INVISIBLE: f64 = 1e-10;
/// A step that does not come nearer is the last if it is this small relative to the rows at first.
const NEAR: f64 = 1e-6;
/// Steps that shrink by less than this are slow, and after so many of them second derivatives of the equations are used.
const SLOW: (f64, usize) = (0.1, 3);
/// Scaled normal equations with a smaller ratio of eigenvalues have dependent columns.
const DEPENDENT: f64 = 1e-13;

/// One expert's iteration.
pub(in crate::experts) struct Expert {
    /// The functions that its rows see; the others do not move.
    pub seen: Vec<usize>,
    /// Where it is, and where it looks next.
    pub w: Vec<f64>,
    pub trial: Vec<f64>,
    pub normal: Option<Normal>,
    damping: f64,
    /// Steps that failed or shrank little.
    slow: usize,
    /// The predicted fall of the objective at `trial`.
    predicted: f64,
    /// Lengths of the rows at first, and of a Gauss-Newton step that is none.
    pub first: f64,
    pub goal: f64,
    pub done: bool,
}

/// Its objective there, the gradient, and the scaled normal equations: eigenvalues and eigenvectors.
pub(in crate::experts) struct Normal {
    /// Whether with second derivatives of the rows.
    exact: bool,
    pub objective: f64,
    gradient: Vec<f64>,
    scale: Vec<f64>,
    values: Vec<f64>,
    vectors: Mat<f64>,
}

impl Normal {
    /// From sums of `[J^T J, J^T r, r^T r]` over the rows of an expert, with second derivatives of the rows if they are
    /// wanted.
    pub fn new(sums: &[f64], second: Option<&[f64]>, w: &[f64], seen: &[usize], ridge: f64) -> Result<Self> {
        let (n, m) = (w.len(), seen.len());
        let first = |i: usize, j: usize| sums[seen[i] * n + seen[j]] + if i == j { ridge } else { 0.0 };
        let matrix = |i: usize, j: usize| first(i, j) + second.map_or(0.0, |s| s[seen[i] * n + seen[j]]);
        let scale: Vec<f64> = (0..m).map(|i| 1.0 / first(i, i).max(f64::MIN_POSITIVE).sqrt()).collect();
        let scaled = Mat::from_fn(m, m, |i, j| scale[i] * matrix(i, j) * scale[j]);
        let (values, vectors) = match m > 0 && sums.iter().all(|sum| sum.is_finite()) {
            true => eigen(scaled.as_ref(), "an expert's least squares")?,
            false => (Vec::new(), Mat::zeros(m, 0)),
        };
        let gradient = seen.iter().map(|&j| sums[n * n + j] + ridge * w[j]).collect();
        let objective = 0.5 * (sums[n * n + n] + ridge * dot(w, w));
        Ok(Self { exact: second.is_some(), objective, gradient, scale, values, vectors })
    }

    /// Whether the columns determine a step.
    pub fn determined(&self) -> bool {
        self.values.len() == self.scale.len()
            && self.values.last().is_none_or(|least| *least > DEPENDENT * self.values[0])
    }

    /// The step with some damping, and the fall of the objective that the model predicts.
    fn step(&self, damping: f64) -> (Vec<f64>, f64) {
        let m = self.scale.len();
        let mut step = vec![0.0; m];
        let mut fall = 0.0;
        for (k, &value) in self.values.iter().enumerate() {
            let along: f64 = (0..m).map(|i| self.vectors[(i, k)] * self.scale[i] * self.gradient[i]).sum();
            // Down along directions of negative curvature as well.
            let size = value.abs().max(DEPENDENT * self.values[0].abs());
            let y = -along / (size + damping);
            fall -= y * (along + 0.5 * value * y);
            (0..m).for_each(|i| step[i] += self.scale[i] * self.vectors[(i, k)] * y);
        }
        (step, fall)
    }

    /// The length of what the rows change by in an undamped step.
    pub fn decrement(&self) -> f64 {
        (2.0 * self.step(0.0).1).max(0.0).sqrt()
    }
}

impl Expert {
    pub fn new(functions: usize, seen: &[bool]) -> Self {
        Self {
            seen: (0..functions).filter(|&j| seen[j]).collect(),
            w: vec![0.0; functions],
            trial: vec![0.0; functions],
            normal: None,
            damping: 0.0,
            slow: 0,
            predicted: 0.0,
            first: 0.0,
            goal: 0.0,
            done: false,
        }
    }

    /// Takes the trial or leaves it, and chooses the next one.
    pub fn judge(&mut self, then: Normal) {
        let finite = then.objective.is_finite();
        if let Some(now) = &self.normal {
            let (before, after) = (now.decrement(), if finite { then.decrement() } else { f64::INFINITY });
            let good = match self.predicted < INVISIBLE * now.objective {
                true if then.exact != now.exact => then.objective <= (1.0 + INVISIBLE) * now.objective,
                true => after < before,
                false => now.objective - then.objective > 1e-4 * self.predicted,
            };
            self.slow += usize::from(!good || after > SLOW.0 * before);
            if !good || !finite {
                self.damping = (10.0 * self.damping).max(DAMPING.0);
                self.done = before <= NEAR * self.first && self.predicted < INVISIBLE * now.objective
                    || self.damping > DAMPING.1;
            } else {
                if now.objective - then.objective > 0.75 * self.predicted {
                    self.damping *= 0.1;
                }
                if self.damping < UNDAMPED {
                    self.damping = 0.0;
                }
                self.w.clone_from(&self.trial);
                self.normal = Some(then);
            }
        } else {
            self.normal = Some(then);
        }
        let now = self.normal.as_ref().expect("set above");
        self.done |= now.decrement() <= self.goal;
        let (step, predicted) = now.step(self.damping);
        self.predicted = predicted;
        self.trial.clone_from(&self.w);
        if !self.done {
            self.seen.iter().zip(step).for_each(|(&j, step)| self.trial[j] += step);
        }
    }

    /// Whether second derivatives are wanted.
    pub fn wants_second(&self) -> bool {
        self.wants_second_after(0)
    }

    /// Whether second derivatives are wanted where each takes about as long as so many steps.
    pub fn wants_second_after(&self, steps: usize) -> bool {
        !self.done && self.slow >= SLOW.1.max(steps)
    }

    /// Whether it came to where nothing falls any more.
    pub fn arrived(&self) -> bool {
        self.normal.as_ref().is_some_and(|now| now.decrement() <= (NEAR * self.first).max(self.goal))
    }

    /// What is said where the iteration of the expert of that number did not end.
    pub fn unfinished(&self, name: &str, number: usize) -> Error {
        let step = self.normal.as_ref().map_or(f64::NAN, Normal::decrement);
        Error::Failed(format!(
            "{name}: the least squares of expert {number} came to a halt where a step still changes its rows by {step:.2e} of \
             {:.2e} at first; the prediction is too far off, or its functions are too many",
            self.first
        ))
    }
}
