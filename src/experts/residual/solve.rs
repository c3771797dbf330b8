//! Level `residual`: every expert by itself, all of them side by side, by the method of Levenberg and Marquardt
//! (J. J. Moré, *The Levenberg-Marquardt algorithm*, 1978; damping scaled by the lengths of the columns). Without
//! damping, where it is not called for: Gauss-Newton steps, which converge quadratically to rows that vanish. Where rows
//! are left over and steps shrink slowly, the matrix holds second derivatives as well: Newton's method.
use super::rows::{Rows, lumped_mass};
use super::system::{Differences, System};
use crate::experts::constraint::{Constraint, Found};
use crate::experts::equations::Equations;
use crate::mixture::{dot, eigen};
use crate::{Error, Result};
use faer::Mat;
use petsc_rs::{Matrix, Vector};

/// Steps at most.
const MOST_STEPS: usize = 200;
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
struct Expert {
    /// The functions that its rows see; the others do not move.
    seen: Vec<usize>,
    /// Where it is, and where it looks next.
    w: Vec<f64>,
    trial: Vec<f64>,
    normal: Option<Normal>,
    damping: f64,
    /// Steps that failed or shrank little.
    slow: usize,
    /// The predicted fall of the objective at `trial`.
    predicted: f64,
    /// Lengths of the rows at first, and of a Gauss-Newton step that is none.
    first: f64,
    goal: f64,
    done: bool,
}

/// Its objective there, the gradient, and the scaled normal equations: eigenvalues and eigenvectors.
struct Normal {
    /// Whether with second derivatives of the rows.
    exact: bool,
    objective: f64,
    gradient: Vec<f64>,
    scale: Vec<f64>,
    values: Vec<f64>,
    vectors: Mat<f64>,
}

impl Normal {
    /// From sums of `[J^T J, J^T r, r^T r]` over the rows of an expert, with second derivatives of the rows if they are
    /// wanted.
    fn new(sums: &[f64], second: Option<&[f64]>, w: &[f64], seen: &[usize], ridge: f64) -> Result<Self> {
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
    fn determined(&self) -> bool {
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
    fn decrement(&self) -> f64 {
        (2.0 * self.step(0.0).1).max(0.0).sqrt()
    }
}

impl Expert {
    fn new(functions: usize, seen: &[bool]) -> Self {
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
    fn judge(&mut self, then: Normal) {
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
    fn wants_second(&self) -> bool {
        !self.done && self.slow >= SLOW.1
    }

    /// Whether it came to where nothing falls any more.
    fn arrived(&self) -> bool {
        self.normal.as_ref().is_some_and(|now| now.decrement() <= (NEAR * self.first).max(self.goal))
    }
}

impl Constraint {
    /// The rows of the experts around a state.
    pub(super) fn system<'a>(
        &self,
        equations: &Equations<'a>,
        tangent: &'a Matrix,
        start: &'a Vector,
    ) -> Result<System<'a>> {
        let (space, gating) = (self.basis.fields.clone(), &self.basis.gating);
        if self.lumped.get().is_none() {
            let _ = self.lumped.set(lumped_mass(&space)?);
        }
        let lumped = self.lumped.get().expect("set above");
        let rows = Rows::new(&space, gating, &self.basis.columns, equations, &self.least_squares, lumped)?;
        Ok(System::new(rows, space, equations, tangent, start))
    }

    /// From `state`, which has the essential values and the tangent, to the experts' least squares, blended. Collective.
    pub(in crate::experts) fn least(
        &self,
        equations: &Equations,
        tangent: &Matrix,
        state: &mut Vector,
    ) -> Result<Found> {
        self.check_columns(equations)?;
        let start = state.try_clone()?;
        let system = self.system(equations, tangent, &start)?;
        let (rows, comm, c) = (&system.rows, &self.basis.fields.mesh.comm, self.basis.fields.components);
        let (n, ridge) = (rows.functions, self.least_squares.ridge);
        let width = n * n + n + 1;
        let mut experts: Vec<Expert> = Vec::new();
        let mut steps = 0;
        loop {
            let trials: Vec<f64> = experts.iter().flat_map(|expert| expert.trial.iter().copied()).collect();
            let own = self.basis.gating.experts.len();
            let w = if steps == 0 { vec![0.0; own * n] } else { trials };
            let w = rows.shares.spread(&w, n);
            let evaluated = system.evaluate(&w)?;
            let mut sums = vec![0.0; rows.shares.experts.len() * width];
            for (row, place, weight) in rows.each(c) {
                let (r, image) = (evaluated.residual[row], &evaluated.images[row * n..][..n]);
                let sums = &mut sums[place * width..][..width];
                for (i, a) in image.iter().enumerate() {
                    let a = weight * a;
                    sums[i * n..][..n].iter_mut().zip(image).for_each(|(sum, b)| *sum += a * b);
                    sums[n * n + i] += a * r;
                }
                sums[n * n + n] += weight * r * r;
            }
            let sums = rows.shares.gather(&sums, width);
            let mut second = None;
            if comm.max(u8::from(!equations.is_linear() && experts.iter().any(Expert::wants_second))) == 1 {
                let z: Vec<f64> =
                    evaluated.residual.iter().zip(&rows.weights).map(|(r, weight)| weight * r).collect();
                second = Some(rows.shares.gather(&system.curvature(&w, &z, Differences::OneSided)?, n * n));
            }
            let mut fault = Ok(());
            if steps == 0 {
                let (seen, noise) = system.seen(&evaluated)?;
                experts = seen.chunks_exact(n).map(|seen| Expert::new(n, seen)).collect();
                for ((expert, sums), noise) in experts.iter_mut().zip(sums.chunks_exact(width)).zip(noise) {
                    expert.first = sums[width - 1].sqrt();
                    expert.goal = self.options.tolerance * expert.first + noise;
                }
            }
            for (local, (expert, sums)) in experts.iter_mut().zip(sums.chunks_exact(width)).enumerate() {
                if expert.done {
                    continue;
                }
                let second = second.as_ref().filter(|_| expert.wants_second());
                let second = second.map(|second| &second[local * n * n..][..n * n]);
                match Normal::new(sums, second, &expert.trial, &expert.seen, ridge) {
                    Ok(then) if steps == 0 && !then.determined() => {
                        fault = Err(self.dependent(local, expert));
                    }
                    Ok(then) => expert.judge(then),
                    Err(error) => fault = Err(error),
                }
            }
            comm.agree(fault)?;
            if comm.min(u8::from(experts.iter().all(|expert| expert.done))) == 1 {
                break;
            }
            steps += 1;
            if steps > MOST_STEPS {
                break;
            }
        }
        let late = experts.iter().position(|expert| !expert.arrived());
        comm.agree(late.map_or(Ok(()), |local| Err(self.unfinished(local, &experts[local]))))?;
        let w: Vec<f64> = experts.iter().flat_map(|expert| expert.w.iter().copied()).collect();
        self.blend_experts(rows, &w, state)?;
        let mut coefficients = Vector::new(comm.mpi(), w.len(), 1)?;
        coefficients.write()?.copy_from_slice(&w);
        let lengths = |expert: &Expert| {
            let now = expert.normal.as_ref().expect("judged");
            [expert.first, (2.0 * now.objective - ridge * dot(&expert.w, &expert.w)).max(0.0).sqrt()]
        };
        let least = experts.iter().map(lengths).collect();
        Ok(Found { iterations: steps, coefficients: Some(coefficients), least, ..Found::default() })
    }

    /// `u += sum_k chi_k Phi w_k` at the free unknowns. Collective.
    fn blend_experts(&self, rows: &Rows, w: &[f64], state: &mut Vector) -> Result<()> {
        let (gating, c, n) = (&self.basis.gating, self.basis.fields.components, rows.functions);
        let w = rows.shares.spread(w, n);
        {
            let mut state = state.write()?;
            for node in 0..self.basis.fields.owned_nodes {
                for &(expert, chi) in gating.of(node) {
                    let w = &w[rows.shares.place(expert) * n..][..n];
                    (node * c..(node + 1) * c).for_each(|dof| state[dof] += chi * dot(rows.phi(dof), w));
                }
            }
        }
        Ok(state.ghost_update()?)
    }

    /// What is said where an expert's functions are too many.
    fn dependent(&self, local: usize, expert: &Expert) -> Error {
        let (number, count) = (self.basis.gating.experts.start as usize + local, expert.seen.len());
        Error::Failed(format!(
            "{}: the {count} functions that the rows of expert {number} see depend on one another there, or are not \
             finite: fewer functions, fewer experts, or a ridge",
            self.name
        ))
    }

    /// What is said where the iteration did not end.
    fn unfinished(&self, local: usize, expert: &Expert) -> Error {
        let number = self.basis.gating.experts.start as usize + local;
        let step = expert.normal.as_ref().map_or(f64::NAN, Normal::decrement);
        Error::Failed(format!(
            "{}: the least squares of expert {number} came to a halt where a step still changes its rows by {step:.2e} of \
             {:.2e} at first; the prediction is too far off",
            self.name, expert.first
        ))
    }
}
