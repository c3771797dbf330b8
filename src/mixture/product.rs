//! What measures columns.
use super::block::dot;
use crate::Result;
use crate::parallel::Comm;
use petsc_rs::{Matrix, Vector};
use std::borrow::Borrow;
use std::cell::RefCell;

/// A symmetric positive definite matrix `X` that measures columns: `(x, y) = x^T X y`.
pub trait InnerProduct {
    /// `y = X x` on this rank's rows. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    fn apply(&self, x: &[f64], y: &mut [f64]) -> Result<()>;

    /// `X x` on this rank's rows. Collective.
    ///
    /// # Errors
    /// As [`InnerProduct::apply`].
    fn image(&self, x: &[f64]) -> Result<Vec<f64>> {
        let mut y = vec![0.0; x.len()];
        self.apply(x, &mut y)?;
        Ok(y)
    }

    /// `sqrt(x^T X x)`. Collective.
    ///
    /// # Errors
    /// As [`InnerProduct::apply`].
    fn norm(&self, comm: &Comm, x: &[f64]) -> Result<f64> {
        Ok(comm.sum(dot(x, &self.image(x)?)).max(0.0).sqrt())
    }
}

/// The plain scalar product.
pub struct Euclidean;

impl InnerProduct for Euclidean {
    fn apply(&self, x: &[f64], y: &mut [f64]) -> Result<()> {
        y.copy_from_slice(x);
        Ok(())
    }
}

/// How a product follows from a matrix `A`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `X = A` on each of so many components, whose values alternate in a column: with 1 the energy of a bilinear
    /// form, with more the mass of a vector field from that of a scalar one.
    Components(usize),
    /// `X = A^T A`: the norm of a residual.
    Normal,
}

/// The product of an assembled matrix, owned or borrowed.
pub struct MatrixProduct<M: Borrow<Matrix> = Matrix> {
    matrix: M,
    form: Form,
    /// Argument, result and, for normal equations, what lies between.
    work: RefCell<[Vector; 3]>,
}

impl<M: Borrow<Matrix>> MatrixProduct<M> {
    /// `X = A`. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn new(matrix: M) -> Result<Self> {
        Self::with(matrix, Form::Components(1))
    }

    /// As the form says. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn with(matrix: M, form: Form) -> Result<Self> {
        let ((from, to), (_, between)) = (matrix.borrow().vectors()?, matrix.borrow().vectors()?);
        Ok(Self { matrix, form, work: RefCell::new([from, to, between]) })
    }

    /// `A`.
    pub fn matrix(&self) -> &Matrix {
        self.matrix.borrow()
    }
}

impl<M: Borrow<Matrix>> InnerProduct for MatrixProduct<M> {
    fn apply(&self, x: &[f64], y: &mut [f64]) -> Result<()> {
        let (matrix, [from, to, between]) = (self.matrix.borrow(), &mut *self.work.borrow_mut());
        if let Form::Components(c @ 2..) = self.form {
            for component in 0..c {
                let here = x.iter().skip(component).step_by(c);
                from.write()?.iter_mut().zip(here).for_each(|(v, x)| *v = *x);
                matrix.mult(from, to)?;
                let there = y.iter_mut().skip(component).step_by(c);
                there.zip(to.read()?.iter()).for_each(|(y, v)| *y = *v);
            }
            return Ok(());
        }
        from.write()?.copy_from_slice(x);
        if self.form == Form::Normal {
            matrix.mult(from, between)?;
            matrix.mult_transpose(between, to)?;
        } else {
            matrix.mult(from, to)?;
        }
        y.copy_from_slice(&to.read()?);
        Ok(())
    }
}

/// The product of columns that hold the steps of a field one after the other: a product for each step, times the step's
/// weight.
pub struct InSteps<P: InnerProduct> {
    /// The product of a step.
    pub product: P,
    /// The weights of the steps, positive.
    pub weights: Vec<f64>,
}

impl<P: InnerProduct> InnerProduct for InSteps<P> {
    fn apply(&self, x: &[f64], y: &mut [f64]) -> Result<()> {
        let rows = x.len() / self.weights.len().max(1);
        for (step, weight) in self.weights.iter().enumerate() {
            let here = step * rows..(step + 1) * rows;
            self.product.apply(&x[here.clone()], &mut y[here.clone()])?;
            y[here].iter_mut().for_each(|v| *v *= weight);
        }
        Ok(())
    }
}
