//! Matrices that are closures.
use super::Matrix;
use crate::Vector;
use crate::closure::{Slot, attach, attached, call, callback};
use crate::error::{Error, Result};
use crate::session::int;
use mpi::topology::SimpleCommunicator;
use mpi::traits::AsRaw;
use petsc_sys::*;
use std::ffi::CStr;
use std::ptr::null_mut;

type Product = dyn FnMut(&Vector, &mut Vector) -> Result<()>;
type Diagonal = dyn FnMut(&mut Vector) -> Result<()>;

const MULT: &CStr = c"petsc_rs_mult";
const MULT_TRANSPOSE: &CStr = c"petsc_rs_mult_transpose";
const DIAGONAL: &CStr = c"petsc_rs_diagonal";

impl Matrix {
    /// A matrix that is known by its product only: `mult(x, y)` computes `y = A x`. An error or a panic in
    /// it comes out of the solve as an error. When the matrix is symmetric, promise it with
    /// [`Matrix::set_option`], or give the transposed product with [`Matrix::shell_set_transpose`].
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn shell(
        comm: &SimpleCommunicator,
        rows_local: usize,
        columns_local: usize,
        mult: impl FnMut(&Vector, &mut Vector) -> Result<()> + 'static,
    ) -> Result<Self> {
        let mut raw = null_mut();
        petsc!(MatCreateShell(
            comm.as_raw(),
            int(rows_local)?,
            int(columns_local)?,
            PETSC_DETERMINE,
            PETSC_DETERMINE,
            null_mut(),
            &mut raw
        ))?;
        let matrix = Self::from_raw(raw)?;
        attach(raw as PetscObject, MULT, Slot::<Product>::new(Box::new(mult)))?;
        matrix.set_operation(MatOperation_MATOP_MULT, run_mult as *const ())?;
        petsc!(MatSetUp(raw))?;
        Ok(matrix)
    }

    /// Gives a shell matrix its transposed product, `mult_transpose(x, y)`: `y = A^T x`.
    ///
    /// # Errors
    /// When the matrix is no shell.
    pub fn shell_set_transpose(
        &mut self,
        mult_transpose: impl FnMut(&Vector, &mut Vector) -> Result<()> + 'static,
    ) -> Result<()> {
        self.must_be_shell()?;
        attach(self.raw as PetscObject, MULT_TRANSPOSE, Slot::<Product>::new(Box::new(mult_transpose)))?;
        self.set_operation(MatOperation_MATOP_MULT_TRANSPOSE, run_mult_transpose as *const ())
    }

    /// Gives a shell matrix its diagonal, which the Jacobi preconditioner and Chebyshev smoothers need.
    ///
    /// # Errors
    /// When the matrix is no shell.
    pub fn shell_set_diagonal(
        &mut self,
        diagonal: impl FnMut(&mut Vector) -> Result<()> + 'static,
    ) -> Result<()> {
        self.must_be_shell()?;
        attach(self.raw as PetscObject, DIAGONAL, Slot::<Diagonal>::new(Box::new(diagonal)))?;
        self.set_operation(MatOperation_MATOP_GET_DIAGONAL, run_diagonal as *const ())
    }

    fn must_be_shell(&self) -> Result<()> {
        // SAFETY: this key holds this type.
        match unsafe { attached::<Slot<Product>>(self.raw as PetscObject, MULT)? } {
            Some(_) => Ok(()),
            None => Err(Error::argument("the matrix is no shell")),
        }
    }

    // The target type differs between versions, so it cannot be written down.
    #[allow(clippy::missing_transmute_annotations)]
    fn set_operation(&self, operation: MatOperation, function: *const ()) -> Result<()> {
        // SAFETY: PETSc takes all operations as pointers to a function without arguments (whose return type
        // changed between versions) and calls each with the arguments that its number implies.
        petsc!(MatShellSetOperation(self.raw, operation, std::mem::transmute::<*const (), _>(function)))
    }
}

fn product(a: Mat, key: &CStr, x: petsc_sys::Vec, y: petsc_sys::Vec) -> PetscErrorCode {
    callback(|| {
        // SAFETY: both keys hold this type.
        let slot = unsafe { attached::<Slot<Product>>(a as PetscObject, key)? };
        let slot = slot.ok_or_else(|| Error::argument("the shell has no such product"))?;
        let (x, mut y) = (Vector::share(x)?, Vector::share(y)?);
        call(&slot, |mult| mult(&x, &mut y))
    })
}

unsafe extern "C" fn run_mult(a: Mat, x: petsc_sys::Vec, y: petsc_sys::Vec) -> PetscErrorCode {
    product(a, MULT, x, y)
}

unsafe extern "C" fn run_mult_transpose(a: Mat, x: petsc_sys::Vec, y: petsc_sys::Vec) -> PetscErrorCode {
    product(a, MULT_TRANSPOSE, x, y)
}

unsafe extern "C" fn run_diagonal(a: Mat, d: petsc_sys::Vec) -> PetscErrorCode {
    callback(|| {
        // SAFETY: this key holds this type.
        let slot = unsafe { attached::<Slot<Diagonal>>(a as PetscObject, DIAGONAL)? };
        let slot = slot.ok_or_else(|| Error::argument("the shell has no diagonal"))?;
        let mut d = Vector::share(d)?;
        call(&slot, |diagonal| diagonal(&mut d))
    })
}
