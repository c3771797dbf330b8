//! A basis of earlier solutions that grows sample by sample, with Galerkin's projection on it.
use super::intake::take_in;
use super::operator::AffineOperator;
use crate::fem::Essential;
use crate::mixture::{Columns, InnerProduct, MatrixProduct, Orthonormal, bordered, eigen, solve_small};
use crate::parallel::Comm;
use crate::{Error, Result};
use faer::Mat;
use petsc_rs::{Matrix, Vector};

/// Share of a full basis that stays when it is compressed.
const KEPT: f64 = 0.75;
/// Directions whose part of the solution is below this share of the solver's tolerance are noise of its solves.
const NOISE: f64 = 1e-2;

/// Solutions without their prescribed values, orthonormal in the energy of the first sample: reduced matrices of
/// other samples are then as well conditioned as their operators are near to that one.
pub struct SolutionBasis {
    energy: MatrixProduct,
    functions: Orthonormal,
    most: usize,
    tolerance: f64,
    /// `V^T A_q V` for the terms of the affine operator; empty without one.
    reduced: Vec<Mat<f64>>,
    /// Sum of `c c^T` over the solutions' normed coefficients: how much each direction is used.
    use_of: Vec<Vec<f64>>,
}

impl SolutionBasis {
    /// An empty basis of at most `most` functions in the energy of `matrix`, for solutions to a relative
    /// `tolerance`. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn new(comm: &Comm, matrix: &Matrix, like: &Vector, most: usize, tolerance: f64) -> Result<Self> {
        let energy = MatrixProduct::new(matrix.duplicate(true)?)?;
        let functions = Orthonormal::new(comm, like.local_size());
        Ok(Self { energy, functions, most, tolerance, reduced: Vec::new(), use_of: Vec::new() })
    }

    /// Number of functions.
    pub fn count(&self) -> usize {
        self.functions.columns.count()
    }

    /// Galerkin's coefficients for `sum_q factors_q A_q u = load`. The load on prescribed unknowns does not matter.
    /// Collective; a few small products once the load is projected.
    ///
    /// # Errors
    /// When the reduced matrix is not positive definite.
    pub fn project(&self, factors: &[f64], load: &Vector) -> Result<Vec<f64>> {
        let m = self.count();
        let mut system = Mat::<f64>::zeros(m, m);
        for (&factor, reduced) in factors.iter().zip(&self.reduced) {
            system += faer::Scale(factor) * reduced;
        }
        solve(&system, &self.functions.columns.coefficients(&load.read()?))
    }

    /// As [`SolutionBasis::project`] for a matrix as it is: one product with the matrix for each function.
    /// Collective.
    ///
    /// # Errors
    /// As there.
    pub fn project_on(&self, matrix: &Matrix, load: &Vector) -> Result<Vec<f64>> {
        let columns = &self.functions.columns;
        let images = columns.image(&MatrixProduct::new(matrix)?)?;
        solve(&columns.product(&images), &columns.coefficients(&load.read()?))
    }

    /// The field with these coefficients and the prescribed values; ghosts are updated. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn expand(&self, coefficients: &[f64], essential: &Essential, field: &mut Vector) -> Result<()> {
        {
            let mut values = field.write()?;
            let count = values.len();
            values.copy_from_slice(&essential.values[..count]);
            self.functions.columns.add_to(coefficients, &mut values);
        }
        Ok(field.ghost_update()?)
    }

    /// Counts the use of the functions by a solution. Local.
    pub fn note_use(&mut self, coefficients: &[f64]) {
        let square: f64 = coefficients.iter().map(|c| c * c).sum();
        if square > 0.0 {
            let m = self.count();
            let old = &self.use_of;
            let before = |i: usize, j: usize| old.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0.0);
            let row = |i| (0..m).map(|j| before(i, j) + coefficients[i] * coefficients[j] / square).collect();
            self.use_of = (0..m).map(row).collect();
        }
    }

    /// Adds a solution, and to the reduced matrices what it brings. Collective.
    ///
    /// # Errors
    /// When the solution is not finite.
    pub fn append(
        &mut self,
        solution: &Vector,
        essential: &Essential,
        operator: Option<&AffineOperator>,
    ) -> Result<()> {
        let before = self.count();
        let noise = NOISE * self.tolerance;
        let coefficients = take_in(&mut self.functions, &self.energy, solution, essential, noise)?;
        if self.count() > before
            && let Some(operator) = operator
        {
            self.border(operator)?;
        }
        self.note_use(&coefficients);
        if self.count() > self.most {
            self.compress()?;
        }
        Ok(())
    }

    /// The row and column of the reduced matrices that belong to the last function.
    fn border(&mut self, operator: &AffineOperator) -> Result<()> {
        let columns = &self.functions.columns;
        let m = columns.count();
        self.reduced.resize_with(operator.terms(), || Mat::zeros(m - 1, m - 1));
        for (term, reduced) in self.reduced.iter_mut().enumerate() {
            let image = MatrixProduct::new(operator.matrix(term))?.image(columns.column(m - 1))?;
            let border = columns.coefficients(&image);
            *reduced = bordered(reduced, &border, &border);
        }
        Ok(())
    }

    /// The functions' values at the owned unknowns.
    pub fn functions(&self) -> &Columns {
        &self.functions.columns
    }

    /// Keeps the directions that the solutions so far use most: proper orthogonal decomposition of their
    /// coefficients.
    fn compress(&mut self) -> Result<()> {
        let kept = ((KEPT * self.most as f64) as usize).max(1);
        // The first vectors are the most used.
        let m = self.count();
        let use_of = Mat::from_fn(m, m, |i, j| self.use_of[i][j]);
        let (_, vectors) = eigen(use_of.as_ref(), "compression of a basis")?;
        let vectors = vectors.subcols(0, kept).to_owned();
        self.functions.columns = self.functions.columns.combine(vectors.as_ref());
        let turn = |matrix: &Mat<f64>| vectors.transpose() * matrix * &vectors;
        self.reduced = self.reduced.iter().map(turn).collect();
        let turned = turn(&use_of);
        self.use_of = (0..kept).map(|i| (0..kept).map(|j| turned[(i, j)]).collect()).collect();
        Ok(())
    }

    /// The inner product in which the functions are orthonormal.
    pub fn energy(&self) -> &MatrixProduct {
        &self.energy
    }

    /// How much each direction is used: what [`SolutionBasis::restore`] takes, beside the functions.
    pub fn use_of(&self) -> &[Vec<f64>] {
        &self.use_of
    }

    /// Takes the functions and their use of another basis in the same energy. Local.
    pub fn restore(&mut self, functions: Columns, use_of: Vec<Vec<f64>>) {
        self.functions.columns = functions;
        self.use_of = use_of;
    }
}

fn solve(system: &Mat<f64>, load: &[f64]) -> Result<Vec<f64>> {
    let failed = || Error::Failed("the projected operator is not positive definite".into());
    solve_small(system.as_ref(), load).ok_or_else(failed)
}
