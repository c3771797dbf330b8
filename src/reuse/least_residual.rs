//! Guesses of least residual for linear problems that are neither symmetric nor definite, such as waves.
//!
//! How the matrix depends on the parameters is learned from the matrices of the samples themselves: as soon as the
//! product of a new one with a fixed random vector lies in the span of those of earlier ones, it is the same
//! combination of them (with probability one). Coefficients may enter the weak form in any way.
use super::intake::take_in;
use super::operator::is_moved;
use crate::Result;
use crate::fem::Essential;
use crate::mixture::{
    Columns, Euclidean, Form, InnerProduct, MatrixProduct, Orthonormal, bordered, solve_small,
};
use crate::physics::coefficient::NodalField;
use crate::physics::{Context, FormState, Prepared, Problem};
use faer::Mat;
use petsc_rs::{Matrix, Norm, Vector};
use std::rc::Rc;

/// Most matrices that others are combined of.
const MOST_TERMS: usize = 6;
/// Part of the product with the random vector that a combination may leave.
const EXACT: f64 = 1e-11;
/// Directions whose part of the solution is below this are noise.
const NOISE: f64 = 1e-10;

/// A basis of solutions, orthonormal in the first sample's residual norm, and the matrices of some samples.
pub struct LeastResidual {
    /// The problem at the present sample and its system, prescribed values eliminated; the matrix stands only once it is
    /// needed.
    prepared: Option<Prepared>,
    matrix: Matrix,
    assembled: bool,
    load: Vector,
    probe: Vector,
    /// The products of `terms` with `probe`.
    sketches: Orthonormal,
    terms: Vec<Matrix>,
    functions: Orthonormal,
    /// `A_i V`, and `(A_i V)^T A_j V` for `j <= i`.
    images: Vec<Columns>,
    gram: Vec<Vec<Mat<f64>>>,
    most: usize,
    /// The combination that the matrix of the present sample is.
    factors: Option<Vec<f64>>,
}

impl LeastResidual {
    /// An empty basis of at most `most` functions, for a problem whose matrix does not read one of the fields
    /// `moving`: those span no space of matrices. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn new(problem: &Problem, moving: &[Rc<NodalField>], most: usize) -> Result<Option<Self>> {
        let moved = problem.integrals.iter().any(|integral| {
            integral.coefficients.inputs.iter().flatten().any(|source| is_moved(source, moving))
        });
        if moved || !problem.facts().linear {
            return Ok(None);
        }
        let space = &problem.space;
        let comm = &space.mesh.comm;
        let mut probe = space.field()?;
        {
            let c = space.components;
            let mut values = probe.write()?;
            for (dof, value) in values.iter_mut().enumerate() {
                *value = random(space.node_ids[dof / c] * c as u64 + (dof % c) as u64);
            }
        }
        let field = || space.field();
        Ok(Some(Self {
            prepared: None,
            matrix: problem.new_matrix()?,
            assembled: false,
            load: field()?,
            probe,
            sketches: Orthonormal::new(comm, space.owned_dofs()),
            terms: Vec::new(),
            functions: Orthonormal::new(comm, space.owned_dofs()),
            images: Vec::new(),
            gram: Vec::new(),
            most,
            factors: None,
        }))
    }

    /// Number of functions.
    pub fn count(&self) -> usize {
        self.functions.columns.count()
    }

    /// Number of matrices.
    pub fn terms(&self) -> usize {
        self.terms.len()
    }

    /// Matrix and load of the last [`LeastResidual::guess`], as of a linear problem. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn system(&mut self, problem: &Problem, essential: &Essential) -> Result<(&Matrix, &Vector)> {
        self.assemble(problem, essential)?;
        essential.impose_times(problem.essential_diagonal(), &mut self.load.write()?);
        Ok((&self.matrix, &self.load))
    }

    fn assemble(&mut self, problem: &Problem, essential: &Essential) -> Result<()> {
        if !self.assembled {
            // The tangent of a linear form is the same at every state.
            let state = vec![0.0; problem.space.local_nodes() * problem.space.components];
            if let Some(prepared) = &self.prepared {
                prepared.tangent(FormState::steady(&state), essential, &mut self.matrix)?;
            }
            self.assembled = true;
        }
        Ok(())
    }

    /// The guess for these parameters with the norm of its residual on the free unknowns relative to that of the
    /// load; `None` when there is none. Collective.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) for coefficients that no material can have.
    pub fn guess(
        &mut self,
        problem: &Rc<Problem>,
        context: &Context,
        essential: &Essential,
        solution: &mut Vector,
    ) -> Result<Option<f64>> {
        let prepared = problem.at(context)?;
        self.assembled = false;
        let mut scrap = problem.space.field()?;
        // The residual with the random vector in the free unknowns, and without.
        for probe in [true, false] {
            {
                let mut values = solution.write()?;
                match probe {
                    true => values.copy_from_slice(&self.probe.read()?),
                    false => values.fill(0.0),
                }
                essential.impose(&mut values);
            }
            solution.ghost_update()?;
            let result = if probe { &mut scrap } else { &mut self.load };
            let state = solution.local_read()?;
            free_residual(&prepared, &state, essential, result)?;
        }
        self.prepared = Some(prepared);
        scrap.axpy(-1.0, &self.load)?;
        self.recognise(problem, essential, &scrap)?;
        let size = self.load.norm(Norm::Two)?;
        let found = match self.factors.as_ref().filter(|_| self.count() > 0) {
            Some(factors) => self.solve(factors, &self.load.read()?),
            None => None,
        };
        let Some(found) = found else { return Ok(None) };
        self.functions.columns.add_to(&found, &mut solution.write()?);
        solution.ghost_update()?;
        let state = solution.local_read()?;
        free_residual(self.prepared.as_ref().expect("set above"), &state, essential, &mut scrap)?;
        Ok(Some(scrap.norm(Norm::Two)? / size.max(f64::MIN_POSITIVE.sqrt())))
    }

    /// Adds the solution of the sample of the last [`LeastResidual::guess`]. Collective.
    ///
    /// # Errors
    /// When it is not finite.
    pub fn append(&mut self, solution: &Vector, essential: &Essential) -> Result<()> {
        // Without a combination nothing could be projected; a full basis stays as it is.
        if self.factors.is_none() || self.count() >= self.most {
            return Ok(());
        }
        let before = self.count();
        // The first sample's residual norm.
        let normal = MatrixProduct::with(&self.terms[0], Form::Normal)?;
        take_in(&mut self.functions, &normal, solution, essential, NOISE)?;
        if self.count() == before {
            return Ok(());
        }
        for i in 0..self.terms.len() {
            self.extend_images(i)?;
        }
        self.update_gram();
        Ok(())
    }

    /// Finds the present matrix as a combination of those known, or makes it one of them.
    fn recognise(&mut self, problem: &Problem, essential: &Essential, sketch: &Vector) -> Result<()> {
        self.factors = None;
        let sketch = sketch.read()?.to_vec();
        let known = &self.sketches.columns;
        let mut rest = sketch.clone();
        let projected = known.remove_from(&mut rest);
        let square = |v: &[f64]| known.comm.sum(v.iter().map(|v| v * v).sum::<f64>());
        let share = (square(&rest) / square(&sketch)).sqrt();
        if share <= EXACT {
            // Back substitution with the triangular factor.
            let mut factors = projected;
            for i in (0..factors.len()).rev() {
                factors[i] /= self.sketches.factors[i][i];
                for j in 0..i {
                    factors[j] -= self.sketches.factors[i][j] * factors[i];
                }
            }
            self.factors = Some(factors);
        } else if share.is_finite() && self.terms.len() < MOST_TERMS {
            self.sketches.append(&sketch, &Euclidean)?;
            self.assemble(problem, essential)?;
            self.terms.push(self.matrix.duplicate(true)?);
            self.images.push(Columns::new(&self.functions.columns.comm, self.functions.columns.rows()));
            self.extend_images(self.terms.len() - 1)?;
            self.update_gram();
            let mut factors = vec![0.0; self.terms.len()];
            factors[self.terms.len() - 1] = 1.0;
            self.factors = Some(factors);
        }
        Ok(())
    }

    /// The products of matrix `i` with the functions that it lacks.
    fn extend_images(&mut self, i: usize) -> Result<()> {
        let matrix = MatrixProduct::new(&self.terms[i])?;
        for function in self.functions.columns.iter().skip(self.images[i].count()) {
            self.images[i].push(&matrix.image(function)?);
        }
        Ok(())
    }

    /// The products of images that are new: all of a new matrix, or the last row and column of each.
    fn update_gram(&mut self) {
        let m = self.count();
        self.gram.resize_with(self.terms.len(), Vec::new);
        for (i, row) in self.gram.iter_mut().enumerate() {
            row.resize_with(i + 1, || Mat::zeros(0, 0));
            for (j, gram) in row.iter_mut().enumerate() {
                let (left, right) = (&self.images[i], &self.images[j]);
                if gram.nrows() + 1 == m {
                    let (last, column) =
                        (right.coefficients(left.column(m - 1)), left.coefficients(right.column(m - 1)));
                    *gram = bordered(gram, &last, &column);
                } else if gram.nrows() < m {
                    *gram = left.product(right);
                }
            }
        }
    }

    /// Coefficients of least residual, by the normal equations: the basis keeps them well conditioned.
    fn solve(&self, factors: &[f64], load: &[f64]) -> Option<Vec<f64>> {
        let m = self.count();
        let mut system = Mat::<f64>::zeros(m, m);
        for (i, row) in self.gram.iter().enumerate() {
            for (j, gram) in row.iter().enumerate() {
                let factor = faer::Scale(factors[i] * factors[j]);
                system += factor * gram;
                if i != j {
                    // The mirror image of a mixed product is its transpose.
                    system += factor * gram.transpose();
                }
            }
        }
        let mut right = vec![0.0; m];
        for (images, factor) in self.images.iter().zip(factors) {
            right.iter_mut().zip(images.coefficients(load)).for_each(|(r, product)| *r += factor * product);
        }
        solve_small(system.as_ref(), &right)
    }
}

/// The residual, zero on prescribed unknowns.
fn free_residual(
    prepared: &Prepared,
    state: &[f64],
    essential: &Essential,
    result: &mut Vector,
) -> Result<()> {
    prepared.residual(FormState::steady(state), result)?;
    result.scale(-1.0)?;
    essential.clear(&mut result.write()?);
    Ok(())
}

/// A number in [-1, 1) that belongs to an unknown (Steele, Lea, Flood 2014: the mixing function of SplitMix).
fn random(unknown: u64) -> f64 {
    let mut z = unknown.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}
